"""``vestige-sql migrate rollback``."""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict

from vestige_sql.cli import options, output

NAME = "rollback"
HELP = "go back to the former vectors, which are kept"
MANY = True

log = logging.getLogger("vestige_sql")


def add_options(parser: argparse.ArgumentParser) -> None:
    options.target(parser)
    options.applies(parser)
    options.locks(parser)


def run(args: argparse.Namespace) -> None:
    plan = options.plan_of(args)
    from vestige_sql.reembed.back import rollback

    report = rollback(
        options.conninfo_of(args),
        plan,
        target=options.target_of(args),
        progress=output.progress(args),
        before_write=output.banner(args),
    )
    log.info("rollback: %s is live again; the table was locked for %.0f ms", report.model, 1000 * report.lock_held_secs)
    if report.rows_missing:
        log.info(
            "rollback: %d rows written since have no vector of this model: embed them with vestige-sql migrate reembed",
            report.rows_missing,
        )
    log.info("rollback: the vectors of %s are kept for another rollback", report.previous_model)
    output.answer(args, asdict(report))
