"""``vestige-sql worker``."""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vestige_sql.cli import models, options, output
from vestige_sql.errors import DimensionMismatch, ModelMismatch, ModelNotFound, ModelUnsupported, UsageError

if TYPE_CHECKING:
    from vestige_sql.encode.embedder import Embedder, ModelSignature
    from vestige_sql.plan import Target
    from vestige_sql.worker.plan import Kept, Load

NAME = "worker"
HELP = "keep vectors up to date: embed rows that are new or whose text changed, with the registered model"

log = logging.getLogger("vestige_sql")

_OF_THE_MODEL = ("model", "embedder", "revision", "onnx_file", "graph_repo", "prompt", "query_prompt", "max_tokens")

_OF_THE_WORKER = (
    *("postgres_url", "embedded", "json", "quiet", "verbose", "once", "poll", "sweep", "batch", "install", "uninstall"),
    *("unknown", "fire_triggers", "retry", "give_up", "device"),
)
"""What the command line says for every target."""


def add_options(parser: argparse.ArgumentParser) -> None:
    options.target(parser)
    parser.add_argument("others", nargs="*", metavar="TARGET", help="further targets of vestige.toml")
    group = parser.add_argument_group("model")
    options.named(group, default=" (default: the registered model's name)")
    options.files(group)
    options.endpoint(parser)
    group = parser.add_argument_group("worker")
    group.add_argument("--once", action="store_true", help="make one pass and end, such as from cron")
    group.add_argument(
        "--install",
        action="store_true",
        help="make the trigger that notes changes, so that nobody has to look for them",
    )
    group.add_argument("--uninstall", action="store_true", help="drop that trigger and end")
    for option, default, what in (
        ("--poll", 2.0, "longest pause between two passes"),
        ("--sweep", 3600.0, "how often every row is looked at"),
        ("--retry", 10.0, "pause before a row that failed is tried again; it doubles each time, up to an hour"),
        ("--give-up", 600.0, "end when the database or the model has failed for so long"),
    ):
        group.add_argument(option, type=float, default=default, metavar="SECS", help=f"{what} (%(default)s)")
    group.add_argument(
        "--batch",
        type=int,
        default=64,
        metavar="N",
        help="most rows that are claimed and written at a time (%(default)s)",
    )
    group.add_argument(
        "--unknown",
        choices=("keep", "embed"),
        default="keep",
        help="what to do at the first start with vectors of which nobody knows the texts: take them to be of the texts "
        "that are there now, or embed their rows anew (%(default)s)",
    )
    group.add_argument(
        "--fire-triggers",
        action="store_true",
        help="go on if the role cannot suppress the table's triggers: they fire for each vector",
    )


def run(args: argparse.Namespace) -> None:
    from vestige_sql.worker.plan import WorkerPlan
    from vestige_sql.worker.working import drop_trigger, run_worker

    every = [args, *(_of_target(name, args) for name in args.others)]
    plan = WorkerPlan(
        batch_rows=args.batch,
        poll_secs=args.poll,
        sweep_secs=args.sweep,
        once=args.once,
        install=args.install,
        unknown=args.unknown,
        fire_triggers=args.fire_triggers,
        retry_secs=args.retry,
        give_up_secs=args.give_up,
    )
    targets: list[tuple[Target, Load | None]] = [(options.target_of(each), _loader(each)) for each in every]
    conninfo = options.conninfo_of(args)
    if args.uninstall:
        if args.install:
            raise UsageError("--install does not go with --uninstall", "leave one of them out; nothing was written")
        for target, _ in targets:
            drop_trigger(conninfo, target)
        output.answer(args, {"uninstalled": [target.table for target, _ in targets]})
        return
    with _until_told() as stop:
        kept = run_worker(conninfo, _loader(args), plan, targets=targets, stop=stop, tell=_teller(args))
    for each in kept:
        log.info(
            "worker: %s: %d rows embedded, %d cleared, %d wait", each.target, each.embedded, each.cleared, each.waiting
        )
        output.answer(args, _said(each) | {"ended": True})


def _of_target(name: str, args: argparse.Namespace) -> argparse.Namespace:
    """Return the options of a further target of the file, and what the command line says of the worker."""
    from vestige_sql.cli.parser import make_parser

    found = make_parser().parse_args([NAME, name])
    for option in _OF_THE_WORKER:
        setattr(found, option, getattr(args, option))
    return found


def _loader(args: argparse.Namespace) -> Load:
    """Return what loads a registered model: from where the options say, and by its name once it is another."""

    def load(wanted: ModelSignature, recorded: Mapping[str, Any] | None) -> Embedder:
        known = dict(recorded) if recorded else None
        if args.model or args.embedder:
            try:
                return models.load_same(wanted, args, recorded=known)
            except (ModelMismatch, DimensionMismatch) as error:
                # The options name the model of before a switch.
                try:
                    return models.load_same(wanted, _without_model(args), recorded=known)
                except (ModelNotFound, ModelUnsupported):
                    raise error from None
        return models.load_same(wanted, args, recorded=known)

    return load


def _without_model(args: argparse.Namespace) -> argparse.Namespace:
    return argparse.Namespace(**vars(args) | dict.fromkeys(_OF_THE_MODEL) | {"layer_norm_first": False})


@contextmanager
def _until_told() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and Ctrl-C set. What was begun is committed then. A second one ends it at once."""
    stop = threading.Event()
    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def told(number: int, _: object) -> None:
        number = signal.Signals(number)
        log.info("worker: told to stop; what was begun is committed first")
        stop.set()
        signal.signal(number, former[number] or signal.SIG_DFL)

    try:
        for number in former:
            signal.signal(number, told)
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _teller(args: argparse.Namespace) -> Callable[[Kept], None]:
    return lambda kept: output.answer(args, _said(kept))


def _said(kept: Kept) -> dict[str, Any]:
    return {
        "target": kept.target,
        "model": output.signature(kept.model),
        "embedded": kept.embedded,
        "cleared": kept.cleared,
        "failed": kept.failed,
        "adopted": kept.adopted,
        "waiting": kept.waiting,
    }
