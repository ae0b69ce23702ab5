"""Prints what the runner would do in this database as one script that people can read, with every value filled in.

It is a psql script, or plain SQL for a tool that knows no psql commands and brings its own transaction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.database.connection import connect
from vestige_sql.encode.told import told
from vestige_sql.errors import UsageError
from vestige_sql.look.head import head, one_line
from vestige_sql.look.outline import touches_target
from vestige_sql.plan import VESTIGE, ReembedPlan, Target
from vestige_sql.reembed.apply import folders_of
from vestige_sql.reembed.decide import find_staged, notes, settle_way, verb_of
from vestige_sql.reembed.encoding import recorded_encoding
from vestige_sql.reembed.precision import recorded_computed
from vestige_sql.reembed.rows import column_becomes
from vestige_sql.reembed.run import Run
from vestige_sql.reembed.target import probe
from vestige_sql.resources import package_version
from vestige_sql.steps import plans
from vestige_sql.steps.files import Step, Value
from vestige_sql.steps.psql import condensed, without_comments


def script_staged(
    conninfo: str,
    plan: ReembedPlan = ReembedPlan(),  # noqa: B008
    *,
    target: Target = VESTIGE,
    plain: bool = False,
    brief: bool = False,
) -> str:
    """Return the psql script that does what :func:`apply_staged` would do now, with every value filled in.

    ``plain`` gives SQL alone, for a migration tool that brings the connection and the transaction: no psql commands,
    no BEGIN and COMMIT. It is not tied to the run that is open now. It applies what is staged for the same model in
    the database in which it runs. On a table without text it needs nothing staged.

    ``brief`` leaves out the comments. Checks and the audit's statements take one line each. The script does the same.

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
        run, facts = staged_run(conn, plan, target)
        if plain and run.in_place:
            raise UsageError(
                f"--plain is one transaction, and the indexes of {run.probed.rows_meant} are built after it, "
                "concurrently",
                "leave out --plain: psql runs the script as it is; nothing was written",
            )
        return script(run, facts, target, plain=plain, brief=brief)


def staged_run(conn: psycopg.Connection[Any], plan: ReembedPlan, target: Target) -> tuple[Run, list[tuple[str, str]]]:
    """Return the run that would put in place what is staged for ``target``, and what a script says of it at its top."""
    probed = probe(conn, target, verb=verb_of(plan))
    signature, work = find_staged(conn, probed, plan)
    run = Run(conn, probed, signature, plan, work)
    run.encoding = recorded_encoding(conn, run.values, signature)
    settle_way(run)
    computed = recorded_computed(conn, run.values, signature, probed.open_run.id if probed.open_run else None)
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
        ("Column", column_becomes(run)),
        ("Model", f"{probed.model or 'none registered'}\nbecomes {signature}"),
        *([("Encoding", told(run.encoding))] if run.encoding else []),
        *([("Computed", f"in {', then in '.join(computed)}")] if computed else []),
        ("Locks", f"from the first step to COMMIT, {waiting}"),
        *(("Note", note) for note in notes(run)),
    ]
    run.values |= {"scope": work.scope, "way": run.way, "package_version": package_version()}
    return run, facts


RULE = "-- " + "=" * 100
_CREATE_INDEXES = "index/create/20_create_indexes.sql"
_CREATE_CONCURRENTLY = "index/concurrently/30_create_indexes.sql"
_CREATE_PARTITIONED = "index/concurrently/40_create_partitioned.sql"
_ATTACH = ("index/create/30_attach_indexes.sql", "index/concurrently/50_attach_indexes.sql")
_PARTITIONED = re.compile(r'CREATE INDEX ("(?:[^"]|"")*"|[^" ]+) ON ONLY ')


def script(
    run: Run, facts: list[tuple[str, str]], target: Target = VESTIGE, *, plain: bool = False, brief: bool = False
) -> str:
    """Return the script that applies what is staged, as the runner would, audit included.

    ``facts`` are the lines of the preamble, by their names. Only queries whose results are statements are run here, so
    that each statement can be shown. In the ``plain`` form the statements stand in place of the query.
    """
    folders = folders_of(run.way, run.plan)
    later = later_of(run)
    known, lines = top(run, facts, target, plain=plain)
    lines = [RULE, *lines, *_preamble(plain=plain, brief=brief)]
    print_all = _Plain(run, known, brief=brief) if plain else Psql(run, known, brief=brief)
    lines += print_all.script(folders, later)
    return "\n".join(lines) + "\n"


def later_of(run: Run) -> list[str]:
    """Return the folders that follow the transaction."""
    return plans.load("concurrent-index").folders() if run.plan.concurrent_index and run.way != "fill" else []


def top(
    run: Run, facts: list[tuple[str, str]], target: Target, *, plain: bool
) -> tuple[dict[str, list[str]], list[str]]:
    """Return the statements of the steps that write their own, by step, and what a script says at its top of a run."""
    folders, later = folders_of(run.way, run.plan), later_of(run)
    known, definitions = _generated(run.conn, [*plans.load("stage").folders("create"), *folders], run.values)
    lines = [f"-- Re-embedding of {one_line(run.probed.column)}, put in place by {run.way}: {run.reason}", "--"]
    transaction, after = ([step for name in names for step in steps.folder(name)] for names in (folders, later))
    lines += head(run, transaction, after, known, target, plain=plain)
    if not definitions:
        facts = [*facts, ("Indexes", "none is built")]
    lines.append("--")
    for name, fact in facts:
        first, *more = fact.splitlines()
        lines.append(f"-- {name + ':':<14}{first}")
        lines += (f"-- {'':<14}{line}" for line in more)
    return known, lines


def _preamble(*, plain: bool, brief: bool) -> Iterator[str]:
    yield "--"
    if plain:
        yield "-- Run it in one transaction, which it neither begins nor commits, in any database in which vectors of"
        yield "-- this model are staged, or the table has no text yet. It stops if something else hangs on the column"
        yield "-- than when it was printed."
    else:
        yield "-- Run it with psql, in the database that it was printed for:  psql -X -f THIS_FILE"
        yield "-- It stops at the first error. Then the transaction has changed nothing."
    if brief:
        yield "-- Under each file's name stand its statements as they run here. Checks and the audit take a line each."
        yield "-- Without --brief the script does the same, and explains each."
    else:
        yield "-- Under each file's name stand its SHA-256, its header, and its statements as they run here."
    yield RULE


class Psql:
    """Prints a script for psql. ``known`` are the statements of those steps that write their own."""

    rows_affected = ":ROW_COUNT"

    def __init__(self, run: Run, known: dict[str, list[str]], *, brief: bool) -> None:
        assert run.probed.open_run is not None
        self.run = run
        self.conn, self.values, self.known, self.brief = run.conn, run.values, known, brief
        self.run_id = str(run.probed.open_run.id)
        self.inside = plans.load("inside")

    def script(self, folders: list[str], later: list[str]) -> Iterator[str]:
        """Return the lines: ``folders`` in one transaction, and after it those of ``later``."""
        yield from self.begin()
        yield from self.claim()
        yield from self.transaction(folders)
        yield "COMMIT;"
        yield ""
        yield from self.after(later)
        yield "\\echo done"

    def begin(self) -> Iterator[str]:
        """Return the lines up to the transaction's settings, which end with it."""
        yield "\\set ON_ERROR_STOP on"
        yield "\\set QUIET on"
        yield "\\pset tuples_only on"
        yield ""
        yield "BEGIN;"
        yield from self.blank()
        self.values = self.values | steps.query(self.conn, "probe/database.sql", self.values)[0]
        for step in [*self.inside.steps("settings"), steps.load("session/check_database.sql")]:
            yield from self.step(step)
            yield from self.blank()

    def claim(self) -> Iterator[str]:
        """Return the lines of the claim on the target, which ends with the transaction."""
        yield from self.step(steps.load("transaction/20_claim_run.sql"))
        yield from self.blank()

    def after(self, later: list[str]) -> Iterator[str]:
        """Return the lines that follow COMMIT."""
        if later:
            yield from self.comment(
                "The vectors are in place. The index is built outside any transaction: readers and writers continue."
            )
            for step in plans.load("session").steps():
                yield from self.step(step)
            for folder in later:
                for step in steps.folder(folder):
                    if plans.role(folder) == "close":
                        yield from self.step(step)
                    else:
                        yield from self.recorded(step)

    def transaction(self, folders: list[str]) -> Iterator[str]:
        """Return the lines of ``folders``, with the audit's between them."""
        yield self.clock("began")
        yield from self.blank()
        index_built = "build" in map(plans.role, folders)
        for role, group in groupby(folders, plans.role):
            if role == "report":
                yield from self.comment("Keep in the audit how the run went.")
                yield self.report(index_built=index_built)
                yield from self.blank()
            if role == "build":
                yield self.clock("index_began")
            for step in (step for folder in group for step in steps.folder(folder)):
                yield from self.recorded(step)
            if role == "build":
                yield self.clock("index_ended")

    def recorded(self, step: Step) -> Iterator[str]:
        """Return the lines of a step, and of what the audit keeps of it."""
        yield self.clock("step_began")
        yield from self.step(step)
        yield self.record(step)
        yield from self.blank()

    def step(self, step: Step) -> Iterator[str]:
        """Return the lines of a step."""
        yield from self.title(step)
        if not self.brief and step.is_gexec and step.name in self.known:
            yield "-- When this was printed, it would have run:"
            yield from (f"--   {one_line(statement)};" for statement in self.known[step.name] or ["nothing"])
            yield "--"
        yield self.text(step, step.render(self.values, self.conn).rstrip())

    def title(self, step: Step) -> Iterator[str]:
        if not self.brief:
            yield f"-- {'-' * 100}"
        yield f"\\echo sql/{step.name}"
        if not self.brief:
            yield f"-- sql/{step.name}"
            yield f"-- SHA-256 {step.sha256}"
            yield "--"

    def text(self, step: Step, text: str) -> str:
        """Return ``text`` of a step. In the brief form only a statement on the table takes more than a line."""
        if not self.brief:
            return text
        if touches_target(step) and not step.is_gexec:
            return without_comments(text)
        return condensed(text, formats=True)

    def blank(self) -> Iterator[str]:
        yield ""

    def comment(self, text: str) -> Iterator[str]:
        if not self.brief:
            yield f"-- {text}"

    def clock(self, variable: str) -> str:
        return f"SELECT clock_timestamp() AS {variable} \\gset"

    def at(self, variable: str) -> str:
        return f":'{variable}'::timestamptz"

    def record(self, step: Step) -> str:
        return self._render(
            "run/record_step.sql",
            {
                "run_id": self.run_id,
                "file": step.name,
                "sha256": step.sha256,
                "rows_affected": self.rows_affected,
                "duration_secs": f"extract(epoch FROM clock_timestamp() - {self.at('step_began')})",
            },
        )

    def report(self, *, index_built: bool) -> str:
        ended, index_began = self.at("index_ended"), self.at("index_began")
        return self._render(
            "run/record_report.sql",
            {
                "run_id": self.run_id,
                "way": self.run.way,
                "way_reason": psycopg.sql.Literal(self.run.reason).as_string(self.conn),
                "duration_secs": f"extract(epoch FROM clock_timestamp() - {self.at('began')})",
                "index_secs": f"extract(epoch FROM {ended} - {index_began})" if index_built else "0",
            },
        )

    def _render(self, name: str, values: dict[str, Value]) -> str:
        """Return the statement without its header, which is printed only for steps that act on the target."""
        text = steps.load(name).render(values, self.conn)
        return condensed(text) if self.brief else without_comments(text)


class _Plain(Psql):
    """Prints plain SQL, for any client and inside its transaction, with settings in place of psql's variables.

    Only the client knows how many rows were affected.
    """

    rows_affected = "NULL"

    def __init__(self, run: Run, known: dict[str, list[str]], *, brief: bool) -> None:
        super().__init__(run, known, brief=brief)
        self.run_id = "current_setting('vestige_sql.run_id')::bigint"

    def script(self, folders: list[str], later: list[str]) -> Iterator[str]:
        for step in [*self.inside.steps("settings"), *self.inside.steps("begin")]:
            yield from self.step(step)
            yield from self.blank()
        yield from self.transaction(folders)
        # The rest of the transaction is the tool's.
        for step in self.inside.steps("end"):
            yield from self.step(step)

    def step(self, step: Step) -> Iterator[str]:
        """Return the lines of a step. A query that writes statements becomes these, and a check that it still does."""
        yield from self.title(step)
        text = step.render(self.values, self.conn).rstrip()
        if not step.is_gexec:
            yield self.text(step, text)
            return
        header, _, query = text.removesuffix("\\gexec").rstrip().partition("\n\n")
        known = self.known.get(step.name, [])
        statements = ", ".join(psycopg.sql.Literal(statement).as_string(self.conn) for statement in known)
        hint = "print this script again: vestige-sql migrate sql --plain; the transaction is undone"
        check = [
            "SELECT vestige_sql.require(",
            "ARRAY(",
            query,
            f") = ARRAY[{statements}]::text[],",
            f"'sql/{step.name} has other statements to run here than when this script was printed', '{hint}');",
        ]
        if self.brief:
            yield condensed("\n".join(check))
        else:
            yield header
            yield ""
            yield from check
        yield from (f"{statement};" for statement in known)

    def title(self, step: Step) -> Iterator[str]:
        if self.brief:
            yield f"-- sql/{step.name}"
        else:
            yield from (line for line in super().title(step) if not line.startswith("\\echo"))

    def clock(self, variable: str) -> str:
        return f"SELECT pg_catalog.set_config('vestige_sql.{variable}', clock_timestamp()::text, true);"

    def at(self, variable: str) -> str:
        return f"current_setting('vestige_sql.{variable}')::timestamptz"


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
                if plans.REMEMBERS.match(folder) and not step.is_gexec:
                    steps.run(conn, step, values)
                elif step.is_gexec:
                    found[step.name] = steps.statements(conn, step, values)
        indexes = steps.query(conn, "probe/saved_indexes.sql", values)
    saved = [row["definition"] for row in indexes]
    # Their queries look for missing indexes, and none was dropped here.
    found[_CREATE_INDEXES] = saved
    found[_CREATE_CONCURRENTLY] = [
        text.replace("CREATE INDEX ", "CREATE INDEX CONCURRENTLY ", 1) for text in saved if not _PARTITIONED.match(text)
    ]
    found[_CREATE_PARTITIONED] = [text for text in saved if _PARTITIONED.match(text)]
    found |= {name: [row["attaching"] for row in indexes if row["attaching"]] for name in _ATTACH}
    return found, saved
