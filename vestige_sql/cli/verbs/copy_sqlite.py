"""``vestige-sql migrate copy``."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from vestige_sql.cli import models, options, output
from vestige_sql.plan import CopyPlan

NAME = "copy"
HELP = "copy a Vestige SQLite database into PostgreSQL"

log = logging.getLogger("vestige_sql")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="source", choices=["sqlite"], default="sqlite", help="source (%(default)s)")
    parser.add_argument(
        "--to", dest="destination", choices=["postgres"], default="postgres", help="destination (%(default)s)"
    )
    parser.add_argument("--sqlite-path", required=True, metavar="FILE", type=Path, help="the database, read only")
    parser.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        default=CopyPlan.batch_size,
        help="most rows in one transaction (%(default)s)",
    )
    parser.add_argument("--without-embeddings", action="store_true", help="copy no vectors; re-embed afterwards")
    parser.add_argument(
        "--allow-source-upgrade",
        action="store_true",
        help="upgrade a source of an older version first, on a temporary copy",
    )
    parser.add_argument(
        "--upgrade-in-place", action="store_true", help="with --allow-source-upgrade: upgrade the file itself"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check both ends, count, and check every row; copy nothing"
    )
    group = parser.add_argument_group("model")
    options.named(group, default=": what made the vectors, to register if none is registered", has_endpoint=False)
    group.add_argument("--dimension", type=int, metavar="N", help="the vectors' dimension, if they were shortened")
    options.files(group)


def run(args: argparse.Namespace) -> int:
    from vestige_sql.vestige.copy import dry_run_copy, run_copy

    plan = CopyPlan(args.batch_size, not args.without_embeddings, args.allow_source_upgrade, args.upgrade_in_place)
    conninfo = options.conninfo_of(args)
    signature = None
    if (args.model or args.embedder) and plan.embeddings:
        signature = models.load(args).signature()
    copy = dry_run_copy if args.dry_run else run_copy
    report = copy(conninfo, args.sqlite_path, plan, signature=signature, progress=output.progress(args))
    for table, rows in report.left_behind.items():
        if rows:
            log.info("copy: table %s has no place in PostgreSQL: %s rows", table, f"{rows:,}")
    for table, columns in report.columns_left_behind.items():
        log.info("copy: columns of %s without a place: %s", table, ", ".join(columns))
    for note in report.notes:
        log.info("copy: %s", note)
    log.info(
        "copy: %s in %.1f s, %d bad rows",
        "checked" if report.dry_run else "done",
        report.duration_secs,
        len(report.errors),
    )
    output.answer(args, report.as_json())
    return 1 if report.errors else 0
