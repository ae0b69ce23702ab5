"""Prints what the runner would do in this database as one script that people can read, with every value filled in.

It is a psql script, or plain SQL for a tool that knows no psql commands and brings its own transaction.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.database.connection import connect
from vestige_sql.encode.told import told
from vestige_sql.errors import UsageError
from vestige_sql.plan import VESTIGE, ReembedPlan, Target
from vestige_sql.reembed.apply import folders_of
from vestige_sql.reembed.decide import find_staged, notes, settle_way, verb_of
from vestige_sql.reembed.encoding import recorded_encoding
from vestige_sql.reembed.run import Run
from vestige_sql.reembed.target import Probed, probe
from vestige_sql.resources import package_version
from vestige_sql.steps import plans
from vestige_sql.steps.files import Step, Value


def script_staged(
    conninfo: str,
    plan: ReembedPlan = ReembedPlan(),  # noqa: B008
    *,
    target: Target = VESTIGE,
    plain: bool = False,
) -> str:
    """Return the psql script that does what :func:`apply_staged` would do now, with every value filled in.

    ``plain`` gives SQL alone, for a migration tool that brings the connection and the transaction: no psql commands,
    no BEGIN and COMMIT. It is not tied to the run that is open now. It applies what is staged for the same model in
    the database in which it runs. On a table without text it needs nothing staged.

    Raises :class:`UsageError` for ``plain`` if the index is built afterwards or kept, and for ``online``.
    """
    if plan.online:
        raise UsageError("an online run is no one script; sql/README.md says how to run its parts by hand")
    if plain and (plan.concurrent_index or not plan.drop_hnsw_first):
        raise UsageError(
            "--plain drops the vector indexes first and builds them in the same transaction, so it takes neither "
            "--concurrent-index nor --no-drop-hnsw-first"
        )
    with steps.translated(), connect(conninfo) as conn:
        probed = probe(conn, target, verb=verb_of(plan))
        signature, work = find_staged(conn, probed, plan)
        run = Run(conn, probed, signature, plan, work)
        run.encoding = recorded_encoding(conn, run.values, signature)
        settle_way(run)
        table, server = probed.table, probed.server
        staged = steps.query(conn, "probe/staged.sql", probed.values)[0]["rows_staged"]
        waiting = "writers wait" if run.way == "fill" else "everybody else waits for the table"
        facts = [
            (
                "Database",
                f"{server['database']}, PostgreSQL {server['server_version']}, pgvector {server['pgvector_version']}",
            ),
            ("Rows", f"{work.rows_total:,}, {work.rows_blank:,} of them without text; {staged:,} vectors are staged"),
            ("Size", f"table {table['table_bytes']:,} bytes, indexes {table['index_bytes']:,} bytes"),
            ("Column", f"{table['embedding_full_type']} becomes {table['vector_type']}({signature.dimension})"),
            ("Model", f"{probed.model or 'none registered'}\nbecomes {signature}"),
            *([("Encoding", told(run.encoding))] if run.encoding else []),
            ("Locks", f"from the first step to COMMIT, {waiting}"),
            *(("Note", note) for note in notes(run)),
        ]
        run.values |= {"scope": work.scope, "way": run.way, "package_version": package_version()}
        return script(run, facts, plain=plain)


_RULE = "-- " + "=" * 100
_CREATE_INDEXES = "index/create/20_create_indexes.sql"


def script(run: Run, facts: list[tuple[str, str]], *, plain: bool = False) -> str:
    """Return the script that applies what is staged, as the runner would, audit included.

    ``facts`` are the lines of the preamble, by their names. Only queries whose results are statements are run here, so
    that each statement can be shown. In the ``plain`` form the statements stand in place of the query.
    """
    return "\n".join(_lines(run, facts, plain)) + "\n"


def _lines(run: Run, facts: list[tuple[str, str]], plain: bool) -> Iterator[str]:
    conn, values, way = run.conn, run.values, (run.way, run.reason)
    assert run.probed.open_run is not None
    folders = folders_of(run.way, run.plan)
    inside = plans.load("inside")
    known, definitions = _generated(conn, [*plans.load("stage").folders("create"), *folders], values)
    facts = [*facts, ("Indexes", "\n".join(f"{_one_line(d)};" for d in definitions) or "none is built")]
    yield from _preamble(run.probed, way, facts, plain)
    if plain:
        recorder: _Recorder = _PlainRecorder(conn)
        for step in [*inside.steps("settings"), *inside.steps("begin")]:
            yield from _plain_step(conn, step, values, known.get(step.name))
            yield ""
        yield from _transaction(conn, folders, values, way, recorder, known, _plain_step)
        # The rest of the transaction is the tool's.
        for step in inside.steps("end"):
            yield from _plain_step(conn, step, values)
        return
    recorder = _Recorder(conn, str(run.probed.open_run.id))
    yield "\\set ON_ERROR_STOP on"
    yield "\\set QUIET on"
    yield "\\pset tuples_only on"
    yield ""
    yield "BEGIN;"
    yield ""
    here = values | steps.query(conn, "probe/database.sql", values)[0]
    check = steps.load("session/check_database.sql")
    # What these set, and the claim, end with the transaction.
    for step in [*inside.steps("settings"), check, steps.load("transaction/20_claim_run.sql")]:
        yield from _step(conn, step, here)
        yield ""
    yield from _transaction(conn, folders, values, way, recorder, known, _step)
    yield "COMMIT;"
    yield ""
    if run.plan.concurrent_index and run.way != "fill":
        yield "-- The vectors are in place. The index is built outside any transaction: readers and writers continue."
        for step in plans.load("session").steps():
            yield from _step(conn, step, values)
        for folder in plans.load("concurrent-index").folders():
            for step in steps.folder(folder):
                if plans.role(folder) == "close":
                    yield from _step(conn, step, values)
                    continue
                yield recorder.clock("step_began")
                yield from _step(conn, step, values)
                yield recorder.record(step)
                yield ""
    yield "\\echo done"


def _preamble(probed: Probed, way: tuple[str, str], facts: list[tuple[str, str]], plain: bool) -> Iterator[str]:
    yield _RULE
    yield f"-- Re-embedding of {_one_line(probed.column)}, put in place by {way[0]}: {way[1]}"
    yield "--"
    for name, fact in facts:
        first, *more = fact.splitlines()
        yield f"-- {name + ':':<14}{first}"
        yield from (f"-- {'':<14}{line}" for line in more)
    yield "--"
    if plain:
        yield "-- Run it in one transaction, which it neither begins nor commits, in any database in which vectors of"
        yield "-- this model are staged, or the table has no text yet. It stops if something else hangs on the column"
        yield "-- than when it was printed."
    else:
        yield "-- Run it with psql, in the database that it was printed for:  psql -X -f THIS_FILE"
        yield "-- It stops at the first error. Then the transaction has changed nothing."
    yield "-- Under each file's name stand its SHA-256, its header, and its statements as they run here."
    yield _RULE


def _transaction(
    conn: psycopg.Connection[Any],
    folders: list[str],
    values: dict[str, Value],
    way: tuple[str, str],
    recorder: _Recorder,
    known: dict[str, list[str]],
    print_step: Callable[..., Iterator[str]],
) -> Iterator[str]:
    yield recorder.clock("began")
    yield ""
    index_built = "build" in map(plans.role, folders)
    for role, group in groupby(folders, plans.role):
        if role == "report":
            yield "-- Keep in the audit how the run went."
            yield recorder.report(way, index_built=index_built)
            yield ""
        if role == "build":
            yield recorder.clock("index_began")
        for step in (step for folder in group for step in steps.folder(folder)):
            yield recorder.clock("step_began")
            yield from print_step(conn, step, values, known.get(step.name))
            yield recorder.record(step)
            yield ""
        if role == "build":
            yield recorder.clock("index_ended")


def _step(
    conn: psycopg.Connection[Any], step: Step, values: dict[str, Value], known: list[str] | None = None
) -> Iterator[str]:
    yield f"-- {'-' * 100}"
    yield f"\\echo sql/{step.name}"
    yield f"-- sql/{step.name}"
    yield f"-- SHA-256 {step.sha256}"
    yield "--"
    if known is not None and step.name != _CREATE_INDEXES:
        yield "-- When this was printed, it would have run:"
        yield from (f"--   {_one_line(statement)};" for statement in known or ["nothing"])
        yield "--"
    yield step.render(values, conn).rstrip()


def _plain_step(
    conn: psycopg.Connection[Any], step: Step, values: dict[str, Value], known: list[str] | None = None
) -> Iterator[str]:
    """Print a step without psql. A query that writes statements becomes these, and a check that it still gives them."""
    yield f"-- {'-' * 100}"
    yield f"-- sql/{step.name}"
    yield f"-- SHA-256 {step.sha256}"
    yield "--"
    text = step.render(values, conn).rstrip()
    if not step.is_gexec:
        yield text
        return
    header, _, query = text.removesuffix("\\gexec").rstrip().partition("\n\n")
    statements = ", ".join(psycopg.sql.Literal(statement).as_string(conn) for statement in known or [])
    hint = "print this script again: vestige-sql migrate sql --plain; the transaction is undone"
    yield header
    yield ""
    yield "SELECT vestige_sql.require("
    yield "ARRAY("
    yield query
    yield f") = ARRAY[{statements}]::text[],"
    yield f"'sql/{step.name} has other statements to run here than when this script was printed', '{hint}');"
    yield from (f"{statement};" for statement in known or [])


def _generated(
    conn: psycopg.Connection[Any], folders: list[str], values: dict[str, Value]
) -> tuple[dict[str, list[str]], list[str]]:
    """Return the statements that the generating steps would run, by step, and the indexes that would be built.

    They are found in a transaction that is rolled back. It runs only steps that touch the package's own tables, so no
    lock is taken on the target.
    """
    found = {}
    with conn.transaction(force_rollback=True):
        for folder in folders:
            for step in steps.folder(folder):
                if plans.role(folder) == "remember" and not step.is_gexec:
                    steps.run(conn, step, values)
                elif step.is_gexec:
                    found[step.name] = steps.statements(conn, step, values)
        saved = [row["definition"] for row in steps.query(conn, "probe/saved_indexes.sql", values)]
    # Its query looks for missing indexes, and none was dropped here.
    found[_CREATE_INDEXES] = saved
    return found, saved


class _Recorder:
    """The statements that write the audit, with psql's variables for what is known only while the script runs."""

    rows_affected = ":ROW_COUNT"

    def __init__(self, conn: psycopg.Connection[Any], run_id: str) -> None:
        self._conn = conn
        self._run_id = run_id

    def clock(self, variable: str) -> str:
        return f"SELECT clock_timestamp() AS {variable} \\gset"

    def at(self, variable: str) -> str:
        return f":'{variable}'::timestamptz"

    def record(self, step: Step) -> str:
        return self._render(
            "run/record_step.sql",
            {
                "run_id": self._run_id,
                "file": step.name,
                "sha256": step.sha256,
                "rows_affected": self.rows_affected,
                "duration_secs": f"extract(epoch FROM clock_timestamp() - {self.at('step_began')})",
            },
        )

    def report(self, way: tuple[str, str], *, index_built: bool) -> str:
        literal = psycopg.sql.Literal
        return self._render(
            "run/record_report.sql",
            {
                "run_id": self._run_id,
                "way": way[0],
                "way_reason": literal(way[1]).as_string(self._conn),
                "duration_secs": f"extract(epoch FROM clock_timestamp() - {self.at('began')})",
                "index_secs": f"extract(epoch FROM {self.at('index_ended')} - {self.at('index_began')})"
                if index_built
                else "0",
            },
        )

    def _render(self, name: str, values: dict[str, Value]) -> str:
        """Return the statement without its header, which is printed only for steps that act on the target."""
        text = steps.load(name).render(values, self._conn)
        return "\n".join(line for line in text.splitlines() if line and not line.startswith("--"))


class _PlainRecorder(_Recorder):
    """The same with settings of the transaction, for any client. Only the client knows how many rows were affected."""

    rows_affected = "NULL"

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        super().__init__(conn, "current_setting('vestige_sql.run_id')::bigint")

    def clock(self, variable: str) -> str:
        return f"SELECT pg_catalog.set_config('vestige_sql.{variable}', clock_timestamp()::text, true);"

    def at(self, variable: str) -> str:
        return f"current_setting('vestige_sql.{variable}')::timestamptz"


def _one_line(text: str) -> str:
    """Put ``text`` on one line: a comment ends with its line, whatever a name in it contains."""
    return textwrap.shorten(" ".join(text.split()), 400, placeholder=" ...")
