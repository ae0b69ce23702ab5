"""``vestige-sql migrate reembed``."""

from __future__ import annotations

import argparse
import logging

from vestige_sql.cli import models, options, output, reports
from vestige_sql.cli.verbs.plan import ending
from vestige_sql.encode.told import told
from vestige_sql.errors import UsageError
from vestige_sql.report import Calibration, DryRunSummary, span

NAME = "reembed"
HELP = "encode every row with another model and put the vectors in place"
MANY = True
TOGETHER = True

log = logging.getLogger("vestige_sql")


def add_options(parser: argparse.ArgumentParser) -> None:
    options.target(parser)
    options.model(parser)
    options.stages(parser)
    options.applies(parser)
    options.locks(parser)
    options.switches(parser)
    options.resumes(parser)
    reports.add_options(parser)
    group = parser.add_argument_group("dry run")
    group.add_argument(
        "--dry-run", action="store_true", help="say what would be done; encodes nothing and writes nothing"
    )
    group.add_argument(
        "--calibrate",
        action="store_true",
        help="with --dry-run: encode some texts, try the run on a small copy, and predict time and disk",
    )


def run(args: argparse.Namespace) -> None:
    # What is wrong with the options is said before a server is started or a model downloaded.
    plan, target, engine = options.plan_of(args), options.target_of(args), models.engine(args)
    if args.calibrate and not args.dry_run:
        raise UsageError("--calibrate requires --dry-run", "vestige-sql migrate reembed --dry-run --calibrate ..")
    from vestige_sql.reembed.verbs import run_reembed

    conninfo, embedder = options.conninfo_of(args), models.load(args)
    if args.dry_run:
        from vestige_sql.look.dry_run import dry_run_reembed

        summary = dry_run_reembed(conninfo, embedder, plan, target=target, calibrate=args.calibrate)
        if summary.calibrated and engine:
            summary.calibrated.notes.append("the encoding is predicted for this process alone, not for --engine ray")
        _print_summary(summary)
        output.answer(args, summary.as_json(), page="plan")
        return
    report = run_reembed(
        conninfo,
        embedder,
        plan,
        target=target,
        progress=output.progress(args),
        before_write=output.banner(args),
        engine=engine,
    )
    output.print_report(args, report, page="reembed")


def _print_summary(summary: DryRunSummary) -> None:
    say = log.info
    say("dry run: nothing is written%s", "" if summary.calibrated else " and no text is encoded")
    say("  registered model   %s", summary.current_signature or "none")
    say("  target model       %s", summary.target_signature)
    if summary.encoding:
        say("  encoding           %s", told(summary.encoding))
    if summary.nothing_to_do:
        say("  nothing to do")
        return
    say(
        "  rows to update     %s (%s without text, %s staged already)",
        f"{summary.rows_to_update:,}", f"{summary.rows_blank:,}", f"{summary.rows_staged:,}",
    )  # fmt: skip
    say("  embedder batches   %s", f"{summary.embedder_batches:,}")
    say("  column's dimension %s", "changes" if summary.would_alter_typmod else "stays")
    say("  way of applying    %s (%s)", summary.way, summary.way_reason)
    say("  estimated time     %.0f s, at 50 rows a second", summary.estimated_walltime_secs)
    if summary.estimated_tokens is not None:
        cost = "" if summary.estimated_cost is None else f", which cost {summary.estimated_cost:,.2f}"
        say("  estimated tokens   %s%s", f"{summary.estimated_tokens:,}", cost)
    if summary.calibrated:
        _print_calibration(summary.calibrated)
    for note in summary.notes:
        say("  note: %s", note)
    for number, phase in enumerate(summary.phases, 1):
        say("  %d. %s %s", number, phase.what, ending(phase))
    for text in (*summary.replicas, *summary.undo):
        say("  %s", text)
    say("  vestige-sql migrate plan says it step by step")


def _print_calibration(found: Calibration) -> None:
    size = output.size
    log.info(
        "  calibrated time    %s: encoding %s (%s texts took %.1f s), copying %s, gate %s, putting in place %s, "
        "index %s, its recall %s",
        span(found.walltime_secs),
        span(found.encoding_secs),
        f"{found.rows_sampled:,}",
        found.sample_secs,
        *map(span, (found.copying_secs, found.gate_secs, found.apply_secs, found.index_secs, found.recall_secs)),
    )
    if found.disk_peak_bytes is not None:
        log.info(
            "  calibrated disk    at its peak %s more than now, without WAL; about %s of WAL",
            size(found.disk_peak_bytes),
            size(found.wal_bytes or 0),
        )
    for measured in found.precisions:
        log.info("  measured           %s", measured)
    for note in found.notes:
        log.info("  note: %s", note)
