"""``vestige-sql migrate check``."""

from __future__ import annotations

import argparse
import logging
import shlex
from pathlib import Path

from vestige_sql.cli import options, output

NAME = "check"
HELP = "say whether a migration is applied, can run now, or lacks staged vectors"

EXIT_CODES = {"applied": 0, "staged": 3, "missing": 4}

log = logging.getLogger("vestige_sql")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--expect",
        required=True,
        type=Path,
        metavar="FILE",
        help="lock file of the migration, written by vestige-sql migrate stage --lock; it names table and model",
    )
    parser.add_argument("--back", action="store_true", help="ask for the way back: the former model of the lock file")


def run(args: argparse.Namespace) -> int:
    from vestige_sql.look.check import check_expected
    from vestige_sql.pipelines.lock import read_lock

    lock = read_lock(args.expect)
    wanted = lock.expected(back=args.back)
    state, why = check_expected(options.conninfo_of(args), wanted, target=lock.target)
    log.info("check: %s: %s", state, why)
    if state == "missing":
        of_model = shlex.join(("--model", wanted.name, "--dimension", str(wanted.dimension)))
        log.info(
            "check: before the migration, run: vestige-sql migrate stage %s %s%s",
            lock.target.as_options(), of_model, "" if args.back else f" --lock {shlex.quote(str(args.expect))}",
        )  # fmt: skip
    output.answer(args, {"state": state, "why": why, "model": output.signature(wanted)})
    return EXIT_CODES[state]
