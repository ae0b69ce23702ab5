"""Arguments in, exit code out."""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Sequence
from dataclasses import asdict, fields
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from vestige_sql.checks import wrong_characters
from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.errors import (
    DimensionMismatch,
    ModelMismatch,
    ModelNotFound,
    ModelUnsupported,
    UsageError,
    VestigeError,
)
from vestige_sql.plan import DEVICES, MODES, VESTIGE, WAYS, CopyPlan, ReembedPlan, Target
from vestige_sql.report import Calibration, DryRunSummary, ReembedReport
from vestige_sql.resources import package_version

if TYPE_CHECKING:
    from vestige_sql.cluster.engine import RayEngine
    from vestige_sql.encode.onnx import OnnxEmbedder
    from vestige_sql.reembed.progress import Progress
    from vestige_sql.reembed.verbs import Notice

# Whatever takes time to import, such as psycopg and numpy, is imported by the verb that needs it: help and wrong usage
# do not wait for it.

log = logging.getLogger("vestige_sql")

_BANNER_SECS = 5
_MOVED_MOST = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` and return its exit code: 0 done or nothing to do, 1 failed, 2 wrong usage."""
    parser = _parser()
    argv = sys.argv[1:] if argv is None else argv
    for place, argument in enumerate(argv, 1):
        if (wrong := wrong_characters(argument)) is not None:
            parser.error(f"argument {place} holds {wrong}: arguments are UTF-8")
    args = parser.parse_args(argv)
    _log_to_stderr(quiet=args.json)
    try:
        return int(args.run(args) or 0)
    except VestigeError as error:
        print(f"vestige-sql: {error}", file=sys.stderr)
        if error.hint:
            print(f"  {error.hint}", file=sys.stderr)
        if args.json:
            print(json.dumps({"error": str(error), "hint": error.hint, "kind": type(error).__name__}))
        return error.exit_code
    except KeyboardInterrupt:
        print(
            "vestige-sql: interrupted. The table is in the space of the registered model; what is staged stays, and "
            "the same command goes on from there.",
            file=sys.stderr,
        )
        return 1


class _Parser(argparse.ArgumentParser):
    """One that says what is wrong without repeating a connection string, wherever it was put."""

    def error(self, message: str) -> NoReturn:
        super().error(re.sub(r"(://|password\s*=).*", r"\1...", message, flags=re.DOTALL))


class _Version(argparse.Action):
    """As argparse's own, which has to be told the version beforehand."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(package_version())
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(
        prog="vestige-sql", description="Change the embedding model of a pgvector table."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and leave")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    migrate = commands.add_parser("migrate", help="the migration and its phases")
    verbs = migrate.add_subparsers(required=True, metavar="VERB")

    server = argparse.ArgumentParser(add_help=False)
    server.add_argument(
        "--postgres-url", metavar="URL", help="anything libpq takes; default: DATABASE_URL, then vestige.toml"
    )
    server.add_argument(
        "--embedded", metavar="FOLDER", type=_folder, help="the embedded PostgreSQL with its data in FOLDER"
    )
    server.add_argument("--json", action="store_true", help="answer on stdout in JSON, and be silent otherwise")

    target = argparse.ArgumentParser(add_help=False)
    target.add_argument("--table", default=VESTIGE.table, help="as SQL reads a qualified name (default: %(default)s)")
    target.add_argument("--id-column", default=VESTIGE.id_column, help="default: %(default)s")
    target.add_argument("--content-column", default=VESTIGE.content_column, help="default: %(default)s")
    target.add_argument("--embedding-column", default=VESTIGE.embedding_column, help="default: %(default)s")

    model = argparse.ArgumentParser(add_help=False)
    model.add_argument(
        "--model", required=True, metavar="NAME_OR_DIR", help="a folder, or a name on the Hugging Face hub"
    )
    model.add_argument("--dimension", required=True, type=int, metavar="N", help="checked against the model first")
    model.add_argument("--revision", help="pins what the hub has: a branch, tag or commit")
    model.add_argument(
        "--onnx-file", metavar="FILE", help="which graph of the model, such as onnx/model_qint8_avx512.onnx"
    )
    _add_device(model)

    stages = argparse.ArgumentParser(add_help=False)
    stages.add_argument(
        "--batch-size",
        type=int,
        default=ReembedPlan.batch_size,
        help="most rows in one call of the model (%(default)s)",
    )

    _engines(stages)
    applies, locks, switches, resumes = _applies(), _locks(), _switches(), _resumes()

    def verb(name: str, run: Any, text: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=text, description=text, parents=[server, *parents])
        made.set_defaults(run=run)
        return made

    verb("up", _up, "apply the migrations, Vestige's schema and the package's own, and its functions", _ups())
    verb("register", _register, "register the first model and stamp the column's dimension", target, model)
    reembed_verb = verb(
        "reembed",
        _reembed,
        "encode every row with another model and put the vectors in place",
        target,
        model,
        stages,
        applies,
        locks,
        switches,
        resumes,
    )
    reembed_verb.add_argument(
        "--dry-run", action="store_true", help="say what would be done; calls no encoder and writes nothing"
    )
    reembed_verb.add_argument(
        "--calibrate",
        action="store_true",
        help="with --dry-run: encode some texts, try the run on a small copy, and predict its time and disk",
    )
    verb("stage", _stage, "encode only: nothing live is touched", target, model, stages, resumes)
    verb("apply", _apply, "put in place what is staged", target, applies, locks, switches, resumes)
    probe = verb("probe", _probe, "what the table is and what hangs on its column; changes nothing", target)
    probe.add_argument(
        "--dimension", type=int, metavar="N", help="the dimension that is planned (default: the column's)"
    )
    verb("gate", _gate, "whether what is staged may be applied; changes nothing", target)
    verb(
        "sql", _sql, "print the apply of what is staged as one psql script", target, applies, locks, resumes
    ).add_argument(
        "--plain",
        action="store_true",
        help="SQL alone, for a migration tool such as Flyway: no commands of psql, no BEGIN and COMMIT",
    )
    verb("status", _status, "what is registered, what is under way, what was done", target)
    _add_copy_options(verb("copy", _copy, "move a Vestige SQLite database into PostgreSQL"))
    verb("rollback", _rollback, "go back to the former vectors, which are kept", target, applies, locks)
    verb("finalize", _finalize, "drop the former vectors, for good", target, locks)
    verb("abort", _abort, "undo the run that is under way, whatever phase it died in", target)

    asks = _asks()
    text = "search Vestige's memories, by words and by meaning"
    searches = commands.add_parser("search", help=text, description=text, parents=[server, asks])
    searches.set_defaults(run=_search)
    _add_search_options(searches)
    _add_preview_options(
        verb(
            "preview",
            _preview,
            "ask the old vectors and the staged new ones the same, side by side, between vestige-sql migrate stage and "
            "the switch; changes nothing",
            target,
            asks,
        )
    )
    return parser


def _engines(stages: argparse.ArgumentParser) -> None:
    many = stages.add_argument_group("encoding on many machines")
    many.add_argument("--engine", choices=("here", "ray"), default="here", help="who encodes (%(default)s)")
    many.add_argument("--address", help="the Ray cluster's (default: RAY_ADDRESS, else a local Ray for this run)")
    many.add_argument("--workers", type=int, metavar="N", help="default: by the cluster's GPUs or cores")
    many.add_argument("--gpus-per-worker", type=float, metavar="G", help="default: 0")
    many.add_argument("--threads-per-worker", type=int, metavar="N", help="default: cores / workers")
    many.add_argument(
        "--max-connections", type=int, metavar="N", help="default: vestige.toml, else half of what is free"
    )
    many.add_argument("--max-copies", type=int, metavar="N", help="chunks that are copied at the same time")
    many.add_argument("--range-rows", type=int, metavar="N", help="rows in one go of a worker (default: by the table)")


def _ups() -> argparse.ArgumentParser:
    ups = argparse.ArgumentParser(add_help=False)
    ups.add_argument(
        "--package-only", action="store_true", help="leave out Vestige's schema, for tables of another making"
    )
    ups.add_argument(
        "--print",
        action="store_true",
        help="only print what it does after the migrations, as plain SQL for a migration tool such as Flyway",
    )
    return ups


def _applies() -> argparse.ArgumentParser:
    """How what is staged is put in place."""
    group = argparse.ArgumentParser(add_help=False)
    group.add_argument(
        "--apply", choices=WAYS, default=ReembedPlan.apply, help="how vectors are put in place (%(default)s)"
    )
    group.add_argument(
        "--drop-hnsw-first",
        action=argparse.BooleanOptionalAction,
        default=ReembedPlan.drop_hnsw_first,
        help="drop the vector indexes before the vectors change",
    )
    group.add_argument(
        "--concurrent-index", action="store_true", help="build indexes with CREATE INDEX CONCURRENTLY afterwards"
    )
    group.add_argument("--index-memory", dest="index_memory_bytes", type=_megabytes, metavar="MB",
                       help="most memory for an index build (default: a quarter of effective_cache_size)")  # fmt: skip
    group.add_argument(
        "--keep-old", action="store_true", help="keep the former vectors for a rollback (online they always are)"
    )
    group.add_argument("--recall-sample", type=int, default=ReembedPlan.recall_sample, metavar="N",
                       help="rows to measure the new index's recall@10 on, 0 for none (%(default)s)")  # fmt: skip
    return group


def _locks() -> argparse.ArgumentParser:
    """How the table's lock is waited for."""
    group = argparse.ArgumentParser(add_help=False)
    group.add_argument("--lock-timeout", dest="lock_timeout_secs", type=float, metavar="SECS",
                       help="wait this long for the table's lock, a few times over (2, online 0.1)")  # fmt: skip
    group.add_argument("--no-confirm", action="store_true", help=f"do not wait {_BANNER_SECS} s before the first write")
    return group


def _switches() -> argparse.ArgumentParser:
    """How the model is changed while search goes on."""
    group = argparse.ArgumentParser(add_help=False)
    group.add_argument(
        "--online", action="store_true", help="fill a second column while search goes on, and switch in milliseconds"
    )
    group.add_argument("--pause", dest="pause_secs", type=float, default=ReembedPlan.pause_secs, metavar="SECS",
                       help="online: rest this long after each batch (%(default)s)")  # fmt: skip
    group.add_argument("--max-lag", dest="max_lag_bytes", type=_megabytes, default=ReembedPlan.max_lag_bytes,
                       metavar="MB", help="online: wait while a replica is further behind (64)")  # fmt: skip
    group.add_argument("--min-recall", type=float, default=ReembedPlan.min_recall, metavar="SHARE",
                       help="online: refuse the switch below this recall@10 (%(default)s)")  # fmt: skip
    group.add_argument(
        "--fire-triggers",
        action="store_true",
        help="online: go on where the role cannot keep the table's triggers from firing on each row",
    )
    return group


def _resumes() -> argparse.ArgumentParser:
    """How a run that was begun is gone on with."""
    group = argparse.ArgumentParser(add_help=False)
    group.add_argument(
        "--accept-edited-files",
        action="store_true",
        help="go on with a run although step files that it has run have another text now",
    )
    return group


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default=DEVICES[0],
        help="what the model runs on; auto: a GPU where ONNX Runtime offers CUDA and starts it (%(default)s)",
    )


def _asks() -> argparse.ArgumentParser:
    asks = argparse.ArgumentParser(add_help=False)
    asks.add_argument("-k", type=int, default=10, dest="limit", metavar="N", help="how many to find (%(default)s)")
    asks.add_argument("--revision", help="pins what the hub has of --model: a branch, tag or commit")
    asks.add_argument("--onnx-file", metavar="FILE", help="which graph of --model")
    _add_device(asks)
    return asks


def _add_search_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("question", help='as to a search engine: words, "words in a row", or, -without')
    verb.add_argument(
        "--mode", choices=MODES, default=MODES[0], help="text: words; vector: meaning; hybrid: both (%(default)s)"
    )
    for option, what in (("--domain", "of this domain"), ("--node-type", "of this type"), ("--tag", "with this tag")):
        verb.add_argument(option, action="append", default=[], help=f"only memories {what}; repeated: of any of them")
    verb.add_argument("--min-retrievability", type=float, metavar="R", help="only memories with at least this one")
    verb.add_argument(
        "--model", metavar="NAME_OR_DIR", help="where the registered model is (default: what goes by its name)"
    )
    verb.add_argument("--table", default=VESTIGE.table, help="Vestige's table, with its schema (default: %(default)s)")


def _add_preview_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("question", nargs="?", help="what to look for in both spaces")
    verb.add_argument(
        "--sample",
        type=int,
        default=0,
        metavar="N",
        help="how much N rows' nearest neighbours overlap; asks no model, and takes two scans a row",
    )
    verb.add_argument(
        "--model", metavar="NAME_OR_DIR", help="where the staged model is (default: what goes by its name)"
    )
    verb.add_argument(
        "--old-model", metavar="NAME_OR_DIR", help="where the registered model is (default: what goes by its name)"
    )


def _add_copy_options(copy: argparse.ArgumentParser) -> None:
    copy.add_argument("--from", dest="source", choices=["sqlite"], default="sqlite", help="where from (%(default)s)")
    copy.add_argument(
        "--to", dest="destination", choices=["postgres"], default="postgres", help="where to (%(default)s)"
    )
    copy.add_argument("--sqlite-path", required=True, metavar="FILE", type=Path, help="the database, opened read-only")
    copy.add_argument(
        "--batch-size", type=int, default=CopyPlan.batch_size, help="most rows in one transaction (%(default)s)"
    )
    copy.add_argument("--without-embeddings", action="store_true", help="leave the vectors to a re-embedding")
    copy.add_argument(
        "--model", metavar="NAME_OR_DIR", help="the model that made the vectors, to be registered where none is"
    )
    copy.add_argument("--revision", help="pins what the hub has: a branch, tag or commit")
    copy.add_argument("--onnx-file", metavar="FILE", help="which graph of the model")
    _add_device(copy)
    copy.add_argument(
        "--allow-source-upgrade",
        action="store_true",
        help="bring a source of an older layout to the one that is copied, on a temporary copy",
    )
    copy.add_argument("--upgrade-in-place", action="store_true", help="upgrade the file itself, not a copy")
    copy.add_argument("--dry-run", action="store_true", help="check both ends, count, look at every row; copy nothing")


def _log_to_stderr(*, quiet: bool) -> None:
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if sys.stderr.isatty():
        from vestige_sql.reembed.progress import LiveHandler

        handler = LiveHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers = [handler]
    log.propagate = False
    log.setLevel(logging.ERROR if quiet else logging.INFO)


# The verbs


def _up(args: argparse.Namespace) -> None:
    if args.print:
        from vestige_sql.database.installed import script_up

        print(script_up())
        return
    from vestige_sql.database.migrations import migrate_up

    done = migrate_up(_conninfo(args), vestige=not args.package_only)
    for name in done.applied:
        log.info("up: applied %s", name)
    for name, reason in done.waiting.items():
        log.info("up: %s waits: %s", name, reason)
    if done.functions:
        log.info("up: applied %d functions: %s", len(done.functions), ", ".join(done.functions))
    if not done.applied and not done.functions:
        log.info("up: nothing to apply")
    _answer(args, {"applied": done.applied, "waiting": done.waiting, "functions": done.functions})


def _register(args: argparse.Namespace) -> None:
    from vestige_sql.reembed import verbs as reembed

    signature = _load(args).signature()
    fresh = reembed.register_model(_conninfo(args), signature, target=_target(args))
    if not fresh:
        log.info("register: nothing to do: %s is registered", signature)
    elif _target(args) == VESTIGE:
        log.info("register: now vestige-sql migrate up can build the HNSW index")
    _answer(args, {"registered": fresh, "model": _signature(signature)})


def _reembed(args: argparse.Namespace) -> None:
    # What is wrong with the options is said before a server is started or a model downloaded.
    plan, target, engine = _plan(args), _target(args), _engine(args)
    if args.calibrate and not args.dry_run:
        raise UsageError("--calibrate goes with --dry-run", "vestige-sql migrate reembed --dry-run --calibrate ..")
    from vestige_sql.reembed import verbs as reembed

    conninfo, embedder = _conninfo(args), _load(args)
    if args.dry_run:
        from vestige_sql.look.dry_run import dry_run_reembed

        summary = dry_run_reembed(conninfo, embedder, plan, target=target, calibrate=args.calibrate)
        if summary.calibrated and engine:
            summary.calibrated.notes.append("the encoding is predicted for this process alone, not for --engine ray")
        _print_summary(summary)
        _answer(args, summary.as_json())
        return
    report = reembed.run_reembed(
        conninfo,
        embedder,
        plan,
        target=target,
        progress=_progress(args),
        before_write=_banner(args),
        engine=engine,
    )
    _print_report(args, report)


def _stage(args: argparse.Namespace) -> None:
    plan, target, engine = _plan(args), _target(args), _engine(args)
    from vestige_sql.reembed import verbs as reembed

    report = reembed.stage_reembed(
        _conninfo(args),
        _load(args),
        plan,
        target=target,
        progress=_progress(args),
        engine=engine,
    )
    _print_workers(report)
    if not report.nothing_to_do:
        log.info(
            "stage: %d rows encoded in %.1f s; nothing live was touched", report.rows_encoded, report.duration_secs
        )
        _print_spent(report)
        log.info("stage: put them in place with vestige-sql migrate apply, or by hand: sql/README.md")
    log.info("stage: a migration that applies it expects %r", report.model)
    _answer(args, report.as_json())


def _apply(args: argparse.Namespace) -> None:
    plan, target = _plan(args), _target(args)
    from vestige_sql.reembed import verbs as reembed

    report = reembed.apply_staged(
        _conninfo(args), plan, target=target, progress=_progress(args), before_write=_banner(args)
    )
    _print_report(args, report)


def _sql(args: argparse.Namespace) -> None:
    plan, target = _plan(args), _target(args)
    from vestige_sql.look.script import script_staged

    print(script_staged(_conninfo(args), plan, target=target, plain=args.plain), end="")


def _status(args: argparse.Namespace) -> None:
    from vestige_sql.look.status import status

    found = status(_conninfo(args), target=_target(args))
    if args.json:
        _answer(args, found | {"model": _signature(found["model"])})
        return
    print(f"target      {found['target']}, {found['type']}, about {found['estimated_rows']:,} rows")
    print(f"model       {found['model'] or 'none registered'}")
    for index in found["indexes"]:
        print(f"index       {index['name']} ({index['method']}, {'valid' if index['valid'] else 'INVALID'})")
    for index in found["indexes_to_build"]:
        print(f"index       {index['name']} is still to be built: run the re-embedding again")
    if not found["indexes"] and not found["indexes_to_build"]:
        print("index       none")
    if former := found["kept"]:
        print(
            f"kept        the vectors of {former['name'] or 'no registered model'}, in a {former['place']}, "
            f"since {former['kept_at']:%Y-%m-%d %H:%M}"
        )
    if run := found["open_run"]:
        share = f", {run['share_done']:.0%} of {run['rows_total']:,} rows staged" if "share_done" in run else ""
        print(f"under way   run {run['id']} to {run['name']} ({run['dimension']} dimensions), {run['state']}{share}")
        if run["last_error"]:
            print(f"            stopped by: {run['last_error']}")
    print(f"phase       {found['phase']}")
    for what in found["left"]:
        print(f"left        {what}")
    for command in found["next"]:
        print(f"next        {command}")
    for run in found["last_runs"]:
        print(
            f"run {run['id']:<7} {run['started_at']:%Y-%m-%d %H:%M} {run['target']}: "
            f"{run['from_name'] or 'none'} -> {run['to_name']}, {run['state']}, {run['way'] or run['scope']}, "
            f"{run['rows_written'] or 0:,} rows, {run['duration_secs'] or 0:.1f} s "
            f"and {run['index_secs'] or 0:.1f} s for the index"
        )


def _probe(args: argparse.Namespace) -> None:
    from vestige_sql.look.target import probe_target

    found = probe_target(_conninfo(args), target=_target(args), dimension=args.dimension)
    if args.json:
        _answer(args, found | {"model": _signature(found["model"])})
        return
    server, table, rows = found["server"], found["table"], found["rows"]
    print(f"server      PostgreSQL {server['server_version']}, pgvector {server['pgvector_version']}")
    print(f"role        {server['role']}")
    print(f"target      {found['target']}, {table['embedding_full_type']}, owned by {table['owner']}")
    print(f"key         {table['id_sql_type']}; text: {table['content_type']}")
    print(
        f"rows        {rows['rows_total']:,}, {rows['rows_with_text']:,} with text, "
        f"{rows['rows_missing']:,} of those without a vector"
    )
    print(f"size        table {table['table_bytes']:,} bytes, indexes {table['index_bytes']:,} bytes")
    print(f"model       {found['model'] or 'none registered'}")
    for index in found["indexes"]:
        print(f"index       {index['definition']}{'' if index['valid'] else ' (INVALID)'}")
    for way in ("rewrite_and_widen", "swap"):
        for blocker in found[f"in_the_way_of_{way}"]:
            print(f"blocks      {way.replace('_', ' ')}: {blocker}")
    if firing := ", ".join(trigger["name"] for trigger in found["fired_online"]):
        print(
            f"triggers    --online would fire {firing}: GRANT SET ON PARAMETER session_replication_role TO "
            f"{server['role']},"
        )
        print("            or --fire-triggers; those enabled as ALWAYS or REPLICA fire in any case")
    for session in found["sessions"]:
        print(f"session     pid {session['pid']} ({session['role']}, {session['state']}): {session['modes']}")


def _gate(args: argparse.Namespace) -> None:
    from vestige_sql.look.target import ask_gate

    held = ask_gate(_conninfo(args), target=_target(args))
    for name in held:
        log.info("gate: sql/%s holds", name)
    log.info("gate: what is staged may be applied")
    _answer(args, {"holds": held})


def _rollback(args: argparse.Namespace) -> None:
    plan = _plan(args)
    from vestige_sql.reembed import back as kept

    report = kept.rollback(_conninfo(args), plan, target=_target(args), before_write=_banner(args))
    log.info("rollback: %s is live again; the table was locked for %.0f ms", report.model, 1000 * report.lock_held_secs)
    if report.rows_missing:
        log.info("rollback: %d rows written since have no vector of it: vestige-sql migrate reembed with that model "
                 "embeds them", report.rows_missing)  # fmt: skip
    log.info("rollback: the vectors of %s are kept in turn", report.previous_model)
    _answer(args, asdict(report))


def _finalize(args: argparse.Namespace) -> None:
    plan = _plan(args)
    from vestige_sql.reembed import back as kept

    report = kept.finalize(_conninfo(args), plan, target=_target(args), before_write=_banner(args))
    if report is None:
        log.info("finalize: nothing to do: no former vectors are kept")
        _answer(args, {"finalized": False})
        return
    log.info("finalize: %d vectors of %s are dropped", report.vectors, report.model or "no registered model")
    log.info("finalize: %d bytes went back to the file system", report.bytes_returned)
    if report.bytes_left:
        log.info("finalize: %d bytes stay in the table's rows until these are next written; VACUUM FULL, under its "
        "lock, "
                 "or pg_repack returns them at once", report.bytes_left)  # fmt: skip
    _answer(args, {"finalized": True} | asdict(report))


def _search(args: argparse.Namespace) -> None:
    from vestige_sql.vestige.search import check_arguments, check_fits, registered_model, search

    asked: dict[str, Any] = {
        "mode": args.mode,
        "limit": args.limit,
        "domains": args.domain,
        "node_types": args.node_type,
        "tags": args.tag,
        "min_retrievability": args.min_retrievability,
        "table": args.table,
    }
    check_arguments(args.question, **asked)
    conninfo = _conninfo(args)
    check_fits(conninfo)
    model = embedder = None
    if args.mode != "text":
        model = registered_model(conninfo, table=args.table)
        if model is None:
            raise ModelMismatch(
                f"no model is registered for {args.table}, so no question can be encoded as its vectors are",
                "search with --mode text, or see vestige-sql migrate register and reembed",
            )
        files = args.revision, args.onnx_file
        embedder = _load_same(model, args.model, "--model", *files, device=args.device, quiet=args.json)
    results = search(conninfo, args.question, embedder, **asked)
    if args.json:
        found = [result.as_json() for result in results]
        _answer(args, {"question": args.question, "mode": args.mode, "model": _signature(model), "results": found})
        return
    for place, result in enumerate(results, 1):
        parts = []
        if result.text_rank:
            parts.append(f"text {result.text_rank}")
        if result.vector_rank:
            parts.append(f"vector {result.vector_rank} at distance {result.distance:.3f}")
        print(f"{place:2}. {_shortened(result.content, _columns() - 4)}")
        print(f"    {result.score:.4f} ({', '.join(parts)}), {result.node_type}, {result.id}")
    if not results:
        log.info("search: nothing found")


def _preview(args: argparse.Namespace) -> None:
    from vestige_sql.look.preview import check_arguments, preview, staged_models

    check_arguments(args.question, args.limit, args.sample)
    conninfo, target = _conninfo(args), _target(args)
    new = old = None
    if args.question:
        registered, staged = staged_models(conninfo, target=target)
        files = args.revision, args.onnx_file
        new = _load_same(staged, args.model, "--model", *files, device=args.device, quiet=args.json)
        if registered is not None:
            try:
                old = _load_same(registered, args.old_model, "--old-model", device=args.device, quiet=args.json)
            except VestigeError as error:
                # Asked for by name it is an error; else rows stand in.
                if args.old_model:
                    raise
                log.info("preview: the old model is not at hand, so a row stands in for the question: %s", error)
    found = preview(conninfo, args.question, new, old, limit=args.limit, sample=args.sample, target=target)
    if args.json:
        models = {name: _signature(found[name]) for name in ("old_model", "new_model")}
        _answer(args, found | models)
        return
    print(f"target      {found['target']}")
    print(f"old model   {found['old_model'] or 'none registered'}")
    print(f"new model   {found['new_model']}")
    lacking = found["rows_with_text"] - found["rows_staged"]
    print(f"staged      {found['rows_staged']:,} of {found['rows_with_text']:,} rows with text"
          + (f"; the {lacking:,} others are not in this preview of the new space" if lacking else ""))  # fmt: skip
    if asked := found["question"]:
        _print_both(asked)
    if overlap := found["overlap"]:
        _print_overlap(overlap)


def _abort(args: argparse.Namespace) -> None:
    from vestige_sql.reembed import verbs as reembed

    undone = reembed.abort_reembed(_conninfo(args), target=_target(args))
    log.info(
        "abort: %s", "the run is undone, the table is as it was" if undone else "nothing to do: no run is under way"
    )
    _answer(args, {"aborted": undone})


def _copy(args: argparse.Namespace) -> int:
    from vestige_sql.vestige.copy import dry_run_copy, run_copy

    plan = CopyPlan(args.batch_size, not args.without_embeddings, args.allow_source_upgrade, args.upgrade_in_place)
    conninfo = _conninfo(args)
    signature = _load(args).signature() if args.model and plan.embeddings else None
    run = dry_run_copy if args.dry_run else run_copy
    report = run(conninfo, args.sqlite_path, plan, signature=signature, progress=_progress(args))
    for table, rows in report.left_behind.items():
        if rows:
            log.info("copy: table %s has no place in PostgreSQL: %s rows", table, f"{rows:,}")
    for table, columns in report.columns_left_behind.items():
        log.info("copy: columns of %s without a place: %s", table, ", ".join(columns))
    for note in report.notes:
        log.info("copy: %s", note)
    log.info(
        "copy: %s in %.1f s, %d bad rows",
        "looked" if report.dry_run else "done",
        report.duration_secs,
        len(report.errors),
    )
    _answer(args, report.as_json())
    return 1 if report.errors else 0


# Their parts


def _conninfo(args: argparse.Namespace) -> str:
    from vestige_sql.database.settings import resolve_conninfo

    return resolve_conninfo(args.postgres_url, embedded=args.embedded)


def _target(args: argparse.Namespace) -> Target:
    return Target(args.table, args.id_column, args.content_column, args.embedding_column)


def _plan(args: argparse.Namespace) -> ReembedPlan:
    """The plan, from those options that the verb has."""
    return ReembedPlan(**{f.name: getattr(args, f.name) for f in fields(ReembedPlan) if hasattr(args, f.name)})


def _megabytes(text: str) -> int:
    try:
        return round(float(text) * (1 << 20))
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of megabytes") from None


def _folder(text: str) -> Path:
    if not text:
        # For Path it would be the current one, where nobody wants a server's data.
        raise argparse.ArgumentTypeError("an empty name is no folder")
    return Path(text)


def _engine(args: argparse.Namespace) -> RayEngine | None:
    options = {
        name: value
        for name in ("address", "workers", "gpus_per_worker", "threads_per_worker", "max_connections", "max_copies",
                     "range_rows")
        if (value := getattr(args, name)) is not None
    }  # fmt: skip
    if args.engine == "here":
        if options:
            raise UsageError(f"--{next(iter(options)).replace('_', '-')} is about --engine ray", "Add --engine ray.")
        return None
    from vestige_sql.cluster.engine import RayEngine
    from vestige_sql.database.settings import connection_limit
    from vestige_sql.encode.hub import model_folder

    options.setdefault("max_connections", connection_limit())
    # The nodes look for a folder from wherever Ray has started them.
    folder = model_folder(args.model)
    model = os.path.abspath(folder) if folder else args.model  # noqa: PTH100
    return RayEngine(**options, load=partial(_load_on_node, model, args.revision, args.onnx_file, args.device))


def _load_on_node(model: str, revision: str | None, onnx_file: str | None, device: str, threads: int) -> OnnxEmbedder:
    from vestige_sql.encode.onnx import load_embedder

    return load_embedder(model, revision=revision, onnx_file=onnx_file, threads=threads, device=device)


def _load(args: argparse.Namespace) -> OnnxEmbedder:
    # ONNX Runtime takes a moment to import, which verbs without a model need not wait for.
    from huggingface_hub.utils import disable_progress_bars

    from vestige_sql.encode.onnx import load_embedder

    if args.json:
        disable_progress_bars()
    embedder = load_embedder(args.model, revision=args.revision, onnx_file=args.onnx_file, device=args.device)
    if getattr(args, "dimension", None) not in (None, embedder.dimension):
        raise DimensionMismatch(
            f"--dimension is {args.dimension}, and the model {embedder.model_name} has {embedder.dimension} dimensions",
            f"run again with --dimension {embedder.dimension}, or with another model; nothing was written",
        )
    return embedder


def _load_same(
    wanted: ModelSignature,
    given: str | None,
    option: str,
    revision: str | None = None,
    onnx_file: str | None = None,
    *,
    device: str,
    quiet: bool,
) -> OnnxEmbedder:
    """Load the model ``wanted`` from where ``given`` says, or by its name.

    Raises ``ModelNotFound`` where it cannot be resolved by its name, ``ModelMismatch`` where that is another.
    """
    from huggingface_hub.utils import disable_progress_bars

    from vestige_sql.encode.onnx import load_embedder
    from vestige_sql.vestige.search import check_same

    if quiet:
        disable_progress_bars()
    try:
        embedder = load_embedder(given or wanted.name, revision=revision, onnx_file=onnx_file, device=device)
    except (ModelNotFound, ModelUnsupported) as error:
        if given:
            raise
        raise ModelNotFound(
            f"the model {wanted} cannot be resolved by its name: {error}", f"name its folder with {option}"
        ) from error
    check_same(embedder.signature(), wanted, "the vectors", f"name the folder of the same files with {option}")
    return embedder


def _progress(args: argparse.Namespace) -> Progress:
    from vestige_sql.reembed.progress import Progress

    return Progress(live=sys.stderr.isatty() and not args.json)


def _banner(args: argparse.Namespace) -> Notice:
    def show(text: str) -> None:
        if not args.json:
            for line in text.splitlines():
                print(textwrap.fill(line, 100, subsequent_indent="  "), file=sys.stderr)
        if not args.no_confirm:
            if not args.json:
                print(f"Ctrl-C within {_BANNER_SECS} seconds stops it; nothing is written until then.", file=sys.stderr)
            time.sleep(_BANNER_SECS)

    return show


def _signature(signature: ModelSignature | None) -> dict[str, Any] | None:
    return None if signature is None else vars(signature)


def _print_summary(summary: DryRunSummary) -> None:
    say = log.info
    say("dry run: nothing is written%s", "" if summary.calibrated else " and no text is encoded")
    say("  registered model   %s", summary.current_signature or "none")
    say("  target model       %s", summary.target_signature)
    if summary.nothing_to_do:
        say("  nothing to do")
        return
    say("  rows to update     %s (%s without text, %s staged already)",
        f"{summary.rows_to_update:,}", f"{summary.rows_blank:,}", f"{summary.rows_staged:,}")  # fmt: skip
    say("  embedder batches   %s", f"{summary.embedder_batches:,}")
    say("  column's dimension %s", "changes" if summary.would_alter_typmod else "stays")
    say("  way of applying    %s: %s", summary.way, summary.way_reason)
    say("  estimated time     %.0f s, at 50 rows a second", summary.estimated_walltime_secs)
    if summary.calibrated:
        _print_calibration(summary.calibrated)
    for note in summary.notes:
        say("  note: %s", note)


def _print_spent(report: ReembedReport) -> None:
    whole = sum(report.spent.values())
    shares = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in report.spent.items() if seconds >= whole / 1000)
    log.info("reembed: of %.1f s in all: %s", whole, shares)


def _print_calibration(found: Calibration) -> None:
    log.info(
        "  calibrated time    %s: encoding %s (%s texts took %.1f s), copying %s, gate %s, putting in place %s, "
        "index %s, its recall %s",
        *map(_span, (found.walltime_secs, found.encoding_secs)), f"{found.rows_sampled:,}", found.sample_secs,
        *map(_span, (found.copying_secs, found.gate_secs, found.apply_secs, found.index_secs, found.recall_secs)),
    )  # fmt: skip
    if found.disk_peak_bytes is not None:
        log.info(
            "  calibrated disk    %s more than now at its peak, WAL aside; about %s of WAL",
            *map(_size, (found.disk_peak_bytes, found.wal_bytes or 0)),
        )
    for note in found.notes:
        log.info("  note: %s", note)


def _span(seconds: float) -> str:
    """Return a time with two digits that say something, such as "9 min 20 s"."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


def _print_report(args: argparse.Namespace, report: ReembedReport) -> None:
    _print_workers(report)
    if not report.nothing_to_do:
        log.info("reembed: %s rows updated in %.1f s, index built in %.1f s",
                 f"{report.rows_updated:,}", report.duration_secs, report.index_rebuild_secs)  # fmt: skip
        _print_spent(report)
        if report.device:
            log.info("reembed: the model ran on %s", report.device)
        log.info("reembed: put in place by %s: %s", report.way, report.way_reason)
        if report.lock_held_secs is not None:
            log.info("reembed: the table was locked for %.0f ms; the former vectors are kept: vestige-sql migrate "
            "rollback "
                     "goes back to them, finalize drops them", 1000 * report.lock_held_secs)  # fmt: skip
        for index in report.recall:
            log.info("reembed: recall@10 of %s is %.3f (%d questions, %s)",
                     index["name"], index["recall"], index["sampled"], index["search_setting"])  # fmt: skip
        for note in report.notes:
            log.info("reembed: %s", note)
        log.info("reembed: the registered model is %s", report.model)
    _answer(args, report.as_json())


def _print_both(asked: dict[str, Any]) -> None:
    width = max(20, (_columns() - 21) // 2)
    shared = {row["key"] for row in asked["old"]} & {row["key"] for row in asked["new"]}
    print(f"\n{asked['text']!r}, {len(shared)} of {len(asked['new'])} found by both (marked *)")
    if asked["stand_in"] is not None:
        print(
            f"in the old space the row {asked['stand_in']} stands in for the question, the nearest one in the new space"
        )
    print(f"\n    {'old space':<{width + 9}}new space")
    for place, (old, new) in enumerate(zip_longest(asked["old"], asked["new"]), 1):
        cells = [
            f"{row['distance']:6.3f}{'*' if row['key'] in shared else ' '} {_shortened(row['text'] or '', width)}"
            if row
            else ""
            for row in (old, new)
        ]
        print(f"{place:3} {cells[0]:<{width + 8}} {cells[1]}".rstrip())


def _print_overlap(overlap: dict[str, Any]) -> None:
    rows = overlap["rows"]
    if not rows:
        print("\noverlap     no row has both an old and a staged vector")
        return
    print(
        f"\noverlap     {overlap['mean']:.0%} of the {overlap['limit']} nearest neighbours, mean of {len(rows):,} rows"
    )
    print("these moved most:")
    for row in rows[:_MOVED_MOST]:
        print(
            f"{row['overlap']:5.0%}  {row['key']}  {_shortened(row['text'], max(20, _columns() - 9 - len(row['key'])))}"
        )


def _shortened(text: str, width: int) -> str:
    return textwrap.shorten(text, width, placeholder=" ...")


def _columns() -> int:
    return shutil.get_terminal_size((100, 24)).columns


def _print_workers(report: ReembedReport) -> None:
    for worker in report.workers:
        log.info(
            "reembed: %s: %s rows in %d ranges, %.0f rows/s%s%s",
            worker, f"{worker.rows:,}", worker.ranges, worker.rows_per_sec,
            f", lost {worker.lost} times" if worker.lost else "",
            f"; not employed any more: {worker.error}" if worker.error else "",
        )  # fmt: skip


def _answer(args: argparse.Namespace, answer: dict[str, Any]) -> None:
    if args.json:
        print(json.dumps(answer, default=str))


if __name__ == "__main__":
    sys.exit(main())
