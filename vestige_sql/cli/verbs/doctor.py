"""``vestige-sql migrate doctor``."""

from __future__ import annotations

import argparse
from typing import Any

from vestige_sql.cli import options, output, reports
from vestige_sql.report import span

NAME = "doctor"
HELP = "look for what is wrong with the vectors, their indexes and what hangs on them; changes nothing"
MANY = True


def add_options(parser: argparse.ArgumentParser) -> None:
    options.target(parser)
    reports.add_options(parser)
    parser.add_argument(
        "--fail-on", choices=("error", "warning"), help="exit with 1 if there is such a finding, or a graver one"
    )
    parser.add_argument("--dimension", type=int, metavar="N", help="the planned dimension (default: the column's)")
    group = parser.add_argument_group("how much is looked at")
    group.add_argument(
        "--sample-rows", type=int, default=10_000, metavar="N", help="about how many rows to look at (%(default)s)"
    )
    group.add_argument(
        "--question-timeout",
        type=float,
        default=20.0,
        metavar="SECS",
        help="longest time of a question (%(default)s)",
    )
    group.add_argument(
        "--recall-sample",
        type=int,
        default=5,
        metavar="N",
        help="rows to measure the indexes' recall@10 with, each by a scan of the table; 0 for none (%(default)s)",
    )
    group.add_argument(
        "--recall-timeout", type=float, default=60.0, metavar="SECS", help="longest time of that (%(default)s)"
    )
    group.add_argument(
        "--recall-megabytes",
        type=int,
        default=2048,
        metavar="MB",
        help="largest table that the recall is measured of (%(default)s)",
    )
    group.add_argument(
        "--unused-days",
        type=int,
        default=30,
        metavar="N",
        help="an index is unused if nobody searched with it for so long (%(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    from vestige_sql.doctor.examining import SEVERITIES, DoctorPlan, doctor

    plan = DoctorPlan(
        sample_rows=args.sample_rows,
        question_timeout_secs=args.question_timeout,
        recall_sample=args.recall_sample,
        recall_timeout_secs=args.recall_timeout,
        recall_bytes=args.recall_megabytes * (1 << 20),
        unused_days=args.unused_days,
        dimension=args.dimension,
    )
    found = doctor(options.conninfo_of(args), plan, target=options.target_of(args))
    if not args.json:
        _print(found)
    output.answer(args, found, page="doctor")
    if args.fail_on is None:
        return 0
    return int(any(found["found"][severity] for severity in SEVERITIES[: SEVERITIES.index(args.fail_on) + 1]))


def _print(found: dict[str, Any]) -> None:
    sample, server = found["sample"], found["server"]
    output.say(f"server      PostgreSQL {server['server_version']}, pgvector {server['pgvector_version']}")
    output.say(f"target      {found['target']}, about {sample['estimated_rows']:,} rows")
    if sample["percent"] == 100:
        output.say("looked at   all rows")
    else:
        output.say(
            f"looked at   a sample: {sample['percent']:g}% of the table's pages, about {sample['rows']:,} rows; "
            "what is rare may not be in it"
        )
    if not sample["is_analyzed"]:
        output.say("            the table was never analyzed, so its rows are a guess: ANALYZE it")
    for finding in found["findings"]:
        output.say()
        output.say(f"{finding['severity']:<11} {finding['code']}: {finding['object']}")
        for name in ("what", "why", "do"):
            for number, line in enumerate(finding[name].splitlines()):
                output.say(f"{'' if number else '  ' + name:<11} {line}")
    counts = ", ".join(f"{count} {severity}{'' if count == 1 else 's'}" for severity, count in found["found"].items())
    output.say()
    output.say(f"found       {counts}, in {span(found['seconds'])}")
