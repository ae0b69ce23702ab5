"""``vestige-sql migrate sql``."""

from __future__ import annotations

import argparse

from vestige_sql.cli import options, output

NAME = "sql"
HELP = "print what apply would run, as one psql script"
MANY = True
TOGETHER = True


def add_options(parser: argparse.ArgumentParser) -> None:
    options.target(parser)
    options.applies(parser)
    options.locks(parser)
    options.resumes(parser)
    parser.add_argument(
        "--plain",
        action="store_true",
        help="SQL only, for a migration tool such as Flyway: no psql commands, no BEGIN and COMMIT",
    )
    parser.add_argument(
        "--brief",
        action="store_true",
        help="leave out the comments; checks and the audit take a line each, and the script does the same",
    )


def run(args: argparse.Namespace) -> None:
    plan, target = options.plan_of(args), options.target_of(args)
    from vestige_sql.look.script import script_staged

    conninfo = options.conninfo_of(args)
    output.document(script_staged(conninfo, plan, target=target, plain=args.plain, brief=args.brief))
