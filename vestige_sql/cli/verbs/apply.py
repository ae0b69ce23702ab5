"""``vestige-sql migrate apply``."""

from __future__ import annotations

import argparse

from vestige_sql.cli import options, output, reports

NAME = "apply"
HELP = "put the staged vectors in place"
MANY = True
TOGETHER = True


def add_options(parser: argparse.ArgumentParser) -> None:
    options.target(parser)
    options.applies(parser)
    options.locks(parser)
    options.switches(parser)
    options.resumes(parser)
    reports.add_options(parser)


def run(args: argparse.Namespace) -> None:
    plan, target = options.plan_of(args), options.target_of(args)
    from vestige_sql.reembed.verbs import apply_staged

    report = apply_staged(
        options.conninfo_of(args),
        plan,
        target=target,
        progress=output.progress(args),
        before_write=output.banner(args),
    )
    output.print_report(args, report, page="reembed")
