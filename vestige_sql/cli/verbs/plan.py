"""``vestige-sql migrate plan``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from vestige_sql.cli import models, options, output, reports
from vestige_sql.encode.told import told
from vestige_sql.report import DryRunSummary, Phase, span

NAME = "plan"
HELP = "say in plain words what a run will do, who waits, how long it takes and how it is undone; changes nothing"
MANY = True


def add_options(parser: argparse.ArgumentParser) -> None:
    options.target(parser)
    options.model(parser)
    options.stages(parser)
    options.applies(parser)
    options.locks(parser)
    options.switches(parser)
    reports.add_options(parser)
    group = parser.add_argument_group("plan")
    group.add_argument("--all-steps", action="store_true", help="list also the steps that leave the table alone")
    group.add_argument("--markdown", action="store_true", help="print it as Markdown, for a pull request")
    group.add_argument(
        "--no-calibrate",
        dest="calibrate",
        action="store_false",
        help="encode and try nothing: the time is then a fixed estimate, and disk and WAL are not said",
    )


def run(args: argparse.Namespace) -> None:
    plan, target = options.plan_of(args), options.target_of(args)
    models.engine(args)
    from vestige_sql.look.dry_run import dry_run_reembed

    summary = dry_run_reembed(
        options.conninfo_of(args), models.load(args), plan, target=target, calibrate=args.calibrate
    )
    if args.json:
        pass
    elif args.markdown:
        for line in as_markdown(summary):
            output.say(line)
    else:
        for line in as_text(summary, min(output.columns(), 110), every=args.all_steps):
            output.say(line, complete=False)
    output.answer(args, summary.as_json(), page="plan")


def facts(summary: DryRunSummary) -> Iterator[tuple[str, str]]:
    """The lines above the phases, by their names."""
    yield "from", str(summary.current_signature or "no registered model")
    yield "to", str(summary.target_signature)
    if summary.encoding:
        yield "encoding", told(summary.encoding)
    if not summary.phases:
        yield "nothing to do", "the column is in the model's space, and no row lacks its vector"
        return
    yield "way", f"{summary.way}: {summary.way_reason}"
    yield (
        "rows",
        (
            f"{summary.rows_to_update:,} to write, {summary.rows_staged:,} of them staged already; "
            f"{summary.rows_blank:,} without text"
        ),
    )
    if found := summary.calibrated:
        yield "time", f"{span(found.walltime_secs)}, measured on {found.rows_sampled:,} of the table's rows"
        if found.disk_peak_bytes is not None:
            yield "disk", f"{output.size(found.disk_peak_bytes)} more than now at its peak, without WAL"
            yield "WAL", f"about {output.size(found.wal_bytes or 0)}"
        yield from (("precision", str(measured)) for measured in found.precisions)
        yield from (("note", note) for note in found.notes)
    else:
        yield "time", f"{span(summary.estimated_walltime_secs)}, a fixed estimate of 50 rows a second"
    yield from (("note", note) for note in summary.notes)
    yield from (("replicas", text) for text in summary.replicas)
    yield from (("undo", text) for text in summary.undo)


def as_text(summary: DryRunSummary, width: int, *, every: bool) -> Iterator[str]:
    """Return the lines of the plan for a terminal of ``width`` characters.

    Steps that leave the table alone are counted, or listed where ``every`` one is asked for.
    """
    yield f"Plan for {summary.column}"
    yield ""
    for name, text in facts(summary):
        yield from output.wrapped(f"{name:<10}{text}", width, indent=10)
    for number, phase in enumerate(summary.phases, 1):
        yield ""
        yield from output.wrapped(f"{number}. {phase.what}", width, indent=3)
        yield f"   {ending(phase)}"
        shown = [step for step in phase.steps if every or step["touches_target"]]
        longest = max((len(step["file"]) for step in shown), default=0)
        for step in shown:
            mark = {"nobody": " ", "writers": "w", "everybody": "!"}[step["waits"]]
            yield from output.wrapped(
                f"   {mark} {step['file']:<{longest}}  {step['what']}", max(width, longest + 40), indent=longest + 7
            )
        if left := len(phase.steps) - len(shown):
            yield f"     {left} {'more steps' if shown else 'steps'} that leave the table alone: --all-steps"
    if summary.phases:
        yield ""
        yield "w: writers wait.  !: everybody waits."
        yield from output.wrapped(
            "Once vectors are staged, this prints the files with every value filled in: vestige-sql migrate sql",
            width,
            indent=2,
        )


def as_markdown(summary: DryRunSummary) -> Iterator[str]:
    """Return the lines of the plan in GitHub's Markdown."""
    yield f"### Re-embedding of `{summary.column}`"
    yield ""
    yield "| | |"
    yield "|---|---|"
    for name, text in facts(summary):
        yield f"| {name} | {_cell(text)} |"
    for number, phase in enumerate(summary.phases, 1):
        yield ""
        yield f"**{number}. {_cell(phase.what)}** {ending(phase)}"
        yield ""
        yield "<details><summary>steps</summary>"
        yield ""
        yield "| file | what | who waits |"
        yield "|---|---|---|"
        for step in phase.steps:
            yield f"| `{step['file']}` | {_cell(step['what'])} | {step['waits']} |"
        yield ""
        yield "</details>"


def ending(phase: Phase) -> str:
    """Say how long a phase takes, if that was predicted, who waits for it, and how its steps share transactions."""
    waits = {"nobody": "nobody waits", "writers": "writers wait, readers go on", "everybody": "everybody waits"}
    time = "" if phase.secs is None else f"{span(phase.secs)}; "
    return f"{time}{waits[phase.waits]}; {phase.how}"


def _cell(text: str) -> str:
    # What somebody else wrote, such as a name, must not make a cell, a tag or a link of its own.
    return "".join(f"\\{char}" if char in r"\|<>[]*_`" else char for char in " ".join(text.split()))
