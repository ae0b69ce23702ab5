"""``vestige-sql migrate up``."""

from __future__ import annotations

import argparse
import logging

from vestige_sql.cli import options, output

NAME = "up"
HELP = "apply the migrations, Vestige's schema and the package's own, and the package's functions"

log = logging.getLogger("vestige_sql")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--package-only", action="store_true", help="package schema only, for tables that are not Vestige's"
    )
    parser.add_argument(
        "--print",
        action="store_true",
        help="only print what it does after the migrations, as plain SQL for a migration tool such as Flyway",
    )


def run(args: argparse.Namespace) -> None:
    if args.print:
        from vestige_sql.database.installed import script_up

        output.document(script_up() + "\n")
        return
    from vestige_sql.database.migrations import migrate_up

    done = migrate_up(options.conninfo_of(args), vestige=not args.package_only)
    for name in done.applied:
        log.info("up: applied %s", name)
    for name, reason in done.waiting.items():
        log.info("up: %s waits: %s", name, reason)
    if done.functions:
        log.info("up: applied %d functions: %s", len(done.functions), ", ".join(done.functions))
    if not done.applied and not done.functions:
        log.info("up: nothing to apply")
    output.answer(args, {"applied": done.applied, "waiting": done.waiting, "functions": done.functions})
