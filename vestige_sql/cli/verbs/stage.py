"""``vestige-sql migrate stage``."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from vestige_sql.cli import models, options, output

NAME = "stage"
HELP = "encode only; the live table is not touched"
MANY = True

log = logging.getLogger("vestige_sql")


def add_options(parser: argparse.ArgumentParser) -> None:
    options.target(parser)
    options.model(parser)
    options.stages(parser)
    options.resumes(parser)
    group = parser.add_argument_group("migration")
    group.add_argument(
        "--lock",
        type=Path,
        metavar="FILE",
        help="write table, model and former model to FILE, which a migration reads: docs/pipelines.md",
    )


def run(args: argparse.Namespace) -> None:
    plan, target, engine = options.plan_of(args), options.target_of(args), models.engine(args)
    from vestige_sql.reembed.verbs import stage_reembed

    report = stage_reembed(
        options.conninfo_of(args),
        models.load(args),
        plan,
        target=target,
        progress=output.progress(args),
        before_write=output.only_looking(args),
        engine=engine,
    )
    output.print_workers("stage", report)
    if not report.nothing_to_do:
        log.info(
            "stage: %d rows encoded in %.1f s; nothing live was touched", report.rows_encoded, report.duration_secs
        )
        if report.rows_shortened:
            log.info("stage: staged by %s", report.staged_by)
        output.print_spent("stage", report)
        log.info("stage: put them in place with vestige-sql migrate apply, or by hand: sql/README.md")
    if args.lock:
        from vestige_sql.pipelines.lock import write_lock

        write_lock(args.lock, target, report)
        log.info("stage: a migration that applies it reads %s; keep the file beside it", args.lock)
    else:
        log.info("stage: a migration that applies it expects %r", report.model)
    output.answer(args, report.as_json())
