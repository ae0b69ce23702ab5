"""``vestige-sql migrate finalize``."""

from __future__ import annotations

import argparse
import logging
from dataclasses import asdict

from vestige_sql.cli import options, output

NAME = "finalize"
HELP = "drop the former vectors, for good"
MANY = True

log = logging.getLogger("vestige_sql")


def add_options(parser: argparse.ArgumentParser) -> None:
    options.target(parser)
    options.locks(parser)


def run(args: argparse.Namespace) -> None:
    plan = options.plan_of(args)
    from vestige_sql.reembed.back import finalize

    report = finalize(options.conninfo_of(args), plan, target=options.target_of(args), before_write=output.banner(args))
    if report is None:
        log.info("finalize: nothing to do: no former vectors are kept")
        output.answer(args, {"finalized": False})
        return
    if report.maps:
        used = "" if report.bridged_calls is None else f"; {report.bridged_calls:,} vectors had gone through a map"
        log.info("finalize: %d maps of the bridge are dropped%s", report.maps, used)
    if report.vectors or not report.maps:
        log.info("finalize: %d vectors of %s are dropped", report.vectors, report.model or "no registered model")
        log.info("finalize: %d bytes went back to the file system", report.bytes_returned)
    if report.bytes_left:
        log.info(
            "finalize: %d bytes stay in the table until its rows are next written; VACUUM FULL (locks the table) or "
            "pg_repack returns them at once",
            report.bytes_left,
        )
    output.answer(args, {"finalized": True} | asdict(report))
