"""``vestige-sql migrate check``."""

from __future__ import annotations

import argparse
import logging
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vestige_sql.cli import options, output, shared

if TYPE_CHECKING:
    from vestige_sql.pipelines.lock import Lock

NAME = "check"
HELP = "say whether a migration is applied, can run now, or lacks staged vectors"

EXIT_CODES = {"applied": 0, "staged": 3, "missing": 4}

log = logging.getLogger("vestige_sql")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--expect",
        required=True,
        action="append",
        type=Path,
        metavar="FILE",
        help="lock file of the migration, written by vestige-sql migrate stage --lock; it names table and model; "
        "repeat it for several",
    )
    parser.add_argument("--back", action="store_true", help="ask for the way back: the former model of the lock file")


def run(args: argparse.Namespace) -> int:
    from vestige_sql.pipelines.lock import read_lock

    with shared.sharing():
        # What is wrong with a file is said before any table is looked at.
        locks = [(file, read_lock(file)) for file in args.expect]
        found = [_check(args, file, lock) for file, lock in locks]
    output.answer(args, found[0] if len(found) == 1 else found)
    return max(EXIT_CODES[each["state"]] for each in found)


def _check(args: argparse.Namespace, file: Path, lock: Lock) -> dict[str, Any]:
    """Say how the migration of one lock file stands, and return that as an answer has it."""
    from vestige_sql.look.check import check_expected

    wanted = lock.expected(back=args.back)
    state, why = check_expected(options.conninfo_of(args), wanted, target=lock.target)
    log.info("check: %s: %s", state, why)
    if state == "missing":
        of_model = shlex.join(("--model", wanted.name, "--dimension", str(wanted.dimension)))
        log.info(
            "check: before the migration, run: vestige-sql migrate stage %s %s%s",
            lock.target.as_options(), of_model, "" if args.back else f" --lock {shlex.quote(str(file))}",
        )  # fmt: skip
    answer = {"state": state, "why": why, "model": output.signature(wanted)}
    return answer if len(args.expect) == 1 else {"table": lock.target.table, "file": str(file)} | answer
