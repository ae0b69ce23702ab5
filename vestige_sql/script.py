"""The run of this database as one psql script, every value filled in: what the runner would do, for people to read."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import psycopg

from . import steps
from .apply import phases
from .report import ReembedPlan
from .steps import Step, Value
from .target import Probed

_RULE = "-- " + "=" * 100


def script(
    conn: psycopg.Connection[Any],
    probed: Probed,
    plan: ReembedPlan,
    values: dict[str, Value],
    way: tuple[str, str],
    facts: list[tuple[str, str]],
) -> str:
    """Return the psql script that applies what is staged, as the runner would, audit included.

    ``facts`` are the lines of the preamble, by their names. Nothing of it is run here but the queries whose
    results are statements, so that each can be shown.
    """
    return "\n".join(_lines(conn, probed, plan, values, way, facts)) + "\n"


def _lines(
    conn: psycopg.Connection[Any],
    probed: Probed,
    plan: ReembedPlan,
    values: dict[str, Value],
    way: tuple[str, str],
    facts: list[tuple[str, str]],
) -> Iterator[str]:
    assert probed.open_run is not None
    folders = phases(way[0], plan)
    known, definitions = _generated(conn, folders, values)
    facts = [*facts, ("Indexes", "\n".join(f"{_one_line(d)};" for d in definitions) or "none is built")]
    yield _RULE
    yield f"-- Re-embedding of {_one_line(probed.column)}, put in place by {way[0]}: {way[1]}"
    yield "--"
    for name, fact in facts:
        first, *more = fact.splitlines()
        yield f"-- {name + ':':<14}{first}"
        yield from (f"-- {'':<14}{line}" for line in more)
    yield "--"
    yield "-- Run it with psql, in the database that it was printed for:  psql -X -f THIS_FILE"
    yield "-- It stops at the first error, and then nothing of the transaction has happened."
    yield "-- Under each file's name stand its SHA-256, its header, and its statements as they run here."
    yield _RULE
    yield "\\set ON_ERROR_STOP on"
    yield "\\set QUIET on"
    yield "\\pset tuples_only on"
    yield ""
    recorder = _Recorder(conn, probed.open_run["id"])
    for name in ("session/10_set_limits.sql", "session/claim_run.sql"):
        yield from _step(conn, steps.load(name), values)
    yield "BEGIN;"
    yield ""
    yield recorder.clock("began")
    yield ""
    for folder in folders:
        if folder == "finish":
            yield "-- Keep in the audit how the run went."
            yield recorder.report(way, index_built="index/create" in folders)
            yield ""
        if folder == "index/create":
            yield recorder.clock("index_began")
        for step in steps.folder(folder):
            yield recorder.clock("step_began")
            yield from _step(conn, step, values, known.get(step.name))
            yield recorder.record(step)
            yield ""
        if folder == "index/create":
            yield recorder.clock("index_ended")
    yield "COMMIT;"
    yield ""
    if plan.concurrent_index and way[0] != "fill":
        yield "-- The vectors are in place. The index is built outside any transaction: readers and writers go on."
        for step in steps.folder("index/concurrently"):
            yield recorder.clock("step_began")
            yield from _step(conn, step, values)
            yield recorder.record(step)
            yield ""
        yield from _step(conn, steps.load("run/finish.sql"), values)
    yield "\\echo done"


def _step(
    conn: psycopg.Connection[Any], step: Step, values: dict[str, Value], known: list[str] | None = None
) -> Iterator[str]:
    yield f"-- {'-' * 100}"
    yield f"\\echo sql/{step.name}"
    yield f"-- sql/{step.name}"
    yield f"-- SHA-256 {step.sha256}"
    yield "--"
    if known is not None:
        yield "-- As things are now, it runs:"
        yield from (f"--   {_one_line(statement)};" for statement in known or ["nothing"])
        yield "--"
    yield step.render(values, conn).rstrip()


def _generated(
    conn: psycopg.Connection[Any], folders: list[str], values: dict[str, Value]
) -> tuple[dict[str, list[str]], list[str]]:
    """Return what the steps that generate statements would run, by step, and the indexes that would be built.

    Found in a transaction that is rolled back, in which only steps run that touch nothing but the package's own
    tables, so that no lock is taken on the target.
    """
    found = {}
    with conn.transaction(force_rollback=True):
        for folder in folders:
            for step in steps.folder(folder):
                if folder in ("index/save", "triggers/disable") and not step.is_gexec:
                    steps.run(conn, step, values)
                elif step.is_gexec and folder in ("index/drop", "triggers/disable", "triggers/enable"):
                    found[step.name] = steps.statements(conn, step, values)
        saved = steps.query(conn, "probe/saved_indexes.sql", values)
    return found, [row["definition"] for row in saved]


class _Recorder:
    """The statements that keep the audit, with psql's variables for what is known only while the script runs."""

    def __init__(self, conn: psycopg.Connection[Any], run_id: int) -> None:
        self._conn = conn
        self._run_id = run_id

    def clock(self, variable: str) -> str:
        return f"SELECT clock_timestamp() AS {variable} \\gset"

    def record(self, step: Step) -> str:
        return self._render(
            "run/record_step.sql",
            {
                "run_id": self._run_id,
                "file": step.name,
                "sha256": step.sha256,
                "rows_affected": ":ROW_COUNT",
                "duration_secs": "extract(epoch FROM clock_timestamp() - :'step_began'::timestamptz)",
            },
        )

    def report(self, way: tuple[str, str], *, index_built: bool) -> str:
        literal = psycopg.sql.Literal
        return self._render(
            "run/record_report.sql",
            {
                "run_id": self._run_id,
                "way": literal(way[0]).as_string(self._conn),
                "way_reason": literal(way[1]).as_string(self._conn),
                "duration_secs": "extract(epoch FROM clock_timestamp() - :'began'::timestamptz)",
                "index_secs": "extract(epoch FROM :'index_ended'::timestamptz - :'index_began'::timestamptz)"
                if index_built
                else "0",
            },
        )

    def _render(self, name: str, values: dict[str, Value]) -> str:
        """The statement alone: the header is printed with steps that do something to the target."""
        text = steps.load(name).render(values, self._conn)
        return "\n".join(line for line in text.splitlines() if line and not line.startswith("--"))


def _one_line(text: str) -> str:
    """A comment ends with its line, whatever a name in it holds."""
    return textwrap.shorten(" ".join(text.split()), 400, placeholder=" ...")
