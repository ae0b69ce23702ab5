"""Asks the questions of ``sql/doctor/``, ``probe/refusals/`` and ``probe/pgvector_faults.sql`` about one column."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.checks import check_number
from vestige_sql.database.connection import connect
from vestige_sql.database.installed import check_version
from vestige_sql.errors import TargetError, VersionMismatch
from vestige_sql.plan import VESTIGE, Target
from vestige_sql.reembed.refusals import ASK, OF_THE_SERVER, OF_THE_TABLE, TRY_EXPRESSIONS, read_expressions
from vestige_sql.reembed.target import (
    CONTENT,
    MAX_DIMENSION,
    NAMES,
    VECTOR_TYPES,
    expressions_read,
    find_columns,
    find_rows,
    find_table,
)
from vestige_sql.steps import Step, Value

SEVERITIES = ("error", "warning", "note")
"""The gravest first. An error makes searches wrong now, a warning is to be looked at, a note is good to know."""

RECALL = "doctor/package/40_recall.sql"
LIMITS = "doctor/10_set_limits.sql"
MEASURE = "doctor/20_measure.sql"
FAULTS = "probe/pgvector_faults.sql"
OF_THE_ROWS = "probe/refusals/70_of_the_rows.sql"
BY_REFUSALS = "doctor/70_refusals.sql"

_UNASKED = {
    "57014": "it took longer than it may",
    "55P03": "another session keeps the table locked",
    "42501": "the role may not ask it",
}
"""Why a question has no answer, by the SQLSTATE of the error."""

_WAYS_OUT = {
    "57014": "give it more time: vestige-sql migrate doctor --question-timeout",
    "55P03": "ask again later; sql/probe/sessions.sql says who holds the lock",
    "42501": "docs/privileges.md has the grants of vestige-sql migrate doctor",
}


@dataclass(frozen=True)
class DoctorPlan:
    """How much the doctor looks at, and for how long.

    ``sample_rows`` is about how many rows are looked at, in pages drawn from the whole table. ``question_timeout_secs``
    is the longest that one question may run, ``recall_timeout_secs`` the same for the recall of the indexes. That is
    measured with ``recall_sample`` rows, each of which takes a scan of the table, unless the table has more than
    ``recall_bytes``. An index that nobody has searched with for ``unused_days`` is unused. ``dimension`` is that of the
    planned model, by default the column's own.
    """

    sample_rows: int = 10_000
    question_timeout_secs: float = 20.0
    recall_sample: int = 5
    recall_timeout_secs: float = 60.0
    recall_bytes: int = 2 << 30
    unused_days: int = 30
    dimension: int | None = None

    def __post_init__(self) -> None:
        check_number("sample_rows", self.sample_rows, 1)
        check_number("question_timeout_secs", self.question_timeout_secs, 0.001, whole=False)
        check_number("recall_sample", self.recall_sample, 0)
        check_number("recall_timeout_secs", self.recall_timeout_secs, 0.001, whole=False)
        check_number("recall_bytes", self.recall_bytes, 0, 1 << 60)
        check_number("unused_days", self.unused_days, 0)
        if self.dimension is not None:
            check_number("dimension", self.dimension, 1, MAX_DIMENSION)


@dataclass(frozen=True)
class Finding:
    """One thing that was found: ``code`` is stable, ``severity`` one of :data:`SEVERITIES`.

    ``what`` is found of ``object``, ``why`` says what it does, and ``do`` has what to type or to decide.
    """

    code: str
    severity: str
    object: str
    what: str
    why: str
    do: str


def doctor(conninfo: str, plan: DoctorPlan = DoctorPlan(), *, target: Target = VESTIGE) -> dict[str, Any]:
    """Return what is wrong with the target's column, and what a change of its model would meet. Writes nothing.

    ``findings`` has dictionaries with the fields of :class:`Finding`, the gravest first. ``sample`` says what share of
    the table was looked at, ``asked`` which SQL files, and ``found`` how many findings there are of each severity. A
    question that fails becomes a finding ``not_asked``.

    Raises :class:`TargetError` where there is no such table or no such column of vectors.
    """
    started = time.monotonic()
    # The connection begins it READ ONLY.
    with steps.translated("nothing was written"), connect(conninfo, read_only=True) as conn:
        read = _read_expressions(conn, target)
        with conn.transaction():
            examination = _Examination(conn, plan, target, read)
            examination.ask_everything()
    findings = sorted(examination.findings, key=lambda f: (SEVERITIES.index(f.severity), f.code, f.object))
    return {
        "target": examination.column,
        "server": examination.server,
        "sample": examination.sample,
        "found": {severity: sum(f.severity == severity for f in findings) for severity in SEVERITIES},
        "findings": [asdict(finding) for finding in findings],
        "asked": examination.asked,
        "seconds": round(time.monotonic() - started, 3),
    }


def _may_ask_for_runs(conn: psycopg.Connection[Any]) -> bool:
    row = conn.execute(
        "SELECT bool_and(has_function_privilege(f.oid, 'EXECUTE')) FROM pg_proc f"
        " JOIN pg_namespace n ON n.oid = f.pronamespace"
        " WHERE n.nspname = 'vestige_sql' AND f.proname = 'checked_author'"
    ).fetchone()
    return bool(row and row[0])


def _read_expressions(conn: psycopg.Connection[Any], target: Target) -> str:
    server = steps.query_one(conn, "probe/server.sql", {})
    assert server is not None
    begun = bool(server["package_functions_exist"]) and _may_ask_for_runs(conn)
    place = find_table(conn, target, server["role"])
    named = place | find_columns(conn, target, place, begun=begun)
    named |= {"expressions_read": "", "row_condition": find_rows(conn, target, named, begun=begun)[0]}
    with read_expressions(conn, named):
        return expressions_read(conn)


class _Examination:
    """The questions about one column, in one transaction that is open already."""

    def __init__(self, conn: psycopg.Connection[Any], plan: DoctorPlan, target: Target, read: str) -> None:
        self.conn = conn
        self.plan = plan
        self.findings: list[Finding] = []
        self.asked: list[str] = []
        steps.run(conn, steps.load(LIMITS), {"question_timeout": _milliseconds(plan.question_timeout_secs)})
        server = steps.query_one(conn, "probe/server.sql", {})
        assert server is not None
        self.server = server
        # What this version knows of the package's schema is only true of its own.
        self.package = bool(server["package_functions_exist"]) and self._fits()
        values: dict[str, Value] = {"verb": "online", "only_asking": True, "target": target.table}
        none: dict[str, Value] = dict.fromkeys(NAMES, "")
        self._check(OF_THE_SERVER, values | none, "no_pgvector", "encoding")
        place = find_table(conn, target, server["role"])
        begun = self.package and _may_ask_for_runs(conn)
        values |= place | find_columns(conn, target, place, begun=begun)
        values |= {
            "expressions_read": read,
            "row_condition": find_rows(conn, target, values, begun=begun)[0],
            "keep_untyped": False,
        }
        steps.run(conn, steps.load(TRY_EXPRESSIONS), values)
        self._check(OF_THE_TABLE, values, "no_table", "package_table")
        content = steps.query_one(conn, CONTENT, values)
        assert content is not None
        values |= content
        values |= steps.query_one(conn, "probe/row_filter.sql", {}) or {}
        values |= steps.query_one(conn, "probe/chosen.sql", values) or {}
        try:
            table = steps.query_one(conn, "probe/target.sql", values)
        except psycopg.errors.LockNotAvailable as error:
            raise TargetError(
                f"another session keeps {place['schema']}.{place['table']} locked, so nothing of it can be looked at",
                "ask again once the lock is gone; sql/probe/sessions.sql says who holds it; nothing was written",
            ) from error
        key = steps.query_one(conn, "probe/key.sql", values)
        assert table is not None and key is not None
        values |= key
        if table["embedding_type"] not in VECTOR_TYPES or not table["embedding_is_pgvectors"]:
            self._check(OF_THE_TABLE, values, "no_column", "several_columns", "not_a_vector")
        self.table = table
        self.column: str = table["column"]
        dimension = plan.dimension or table["typmod"] or 0
        values |= {
            "oid": table["oid"],
            "dimension": dimension,
            "from_dimension": table["typmod"],
            "fire_triggers": False,
            "require_verdict": False,
            "recreate_views": False,
            "sample_rows": plan.sample_rows,
            "recall_sample": plan.recall_sample,
            "recall_bytes": plan.recall_bytes,
            "unused_days": plan.unused_days,
            "question_timeout": _milliseconds(plan.question_timeout_secs),
        }
        measured = steps.query_one(conn, MEASURE, values)
        assert measured is not None
        self.values = values | measured
        self.sample = {
            "rows": plan.sample_rows,
            "percent": float(measured["sample_percent"]),
            "estimated_rows": measured["estimated_rows"],
            "pages": measured["pages"],
            "table_bytes": measured["table_bytes"],
            "is_analyzed": measured["is_analyzed"],
        }

    def ask_everything(self) -> None:
        self._ask_refusals()
        self._ask_faults()
        folders = ["doctor"]
        # The rows of anything else cannot be sampled: views and foreign tables.
        if self.table["kind"] in ("r", "p", "m"):
            folders.append("doctor/vectors")
            if self.table["content_type"] is not None and self.values["content"]:
                folders.append("doctor/texts")
            if self.package:
                folders.append("doctor/package")
        for folder in folders:
            for step in steps.folder(folder):
                if step.name not in (LIMITS, MEASURE) and (step.name != RECALL or self.plan.recall_sample):
                    self.findings += (Finding(**row) for row in self._rows(step))

    def _ask_refusals(self) -> None:
        for step in steps.folder(ASK):
            # It reads the whole table.
            if step.name != OF_THE_ROWS or self.sample["percent"] == 100:
                self._rows(step)

    def _ask_faults(self) -> None:
        for row in self._rows(steps.load(FAULTS)):
            what = f"pgvector {row['installed']} has a fault that {row['fixed_in']} has not: {row['what']}"
            why = f"It is a known fault of the versions from {row['since']} on ({row['code']})."
            self.findings.append(
                Finding("pgvector_version", "warning", "extension vector", what, why, row["hint"]),
            )

    def _rows(self, step: Step) -> list[dict[str, Any]]:
        """Return what the step finds. What stops it is a finding of its own, and stops no other step."""
        timeout = self.plan.recall_timeout_secs if step.name == RECALL else self.plan.question_timeout_secs
        try:
            with self._limited(timeout):
                rows = steps.run(self.conn, step, self.values).result
        except psycopg.Error as error:
            if self.conn.closed:
                raise
            self._not_asked(step, error)
        else:
            self.asked.append(step.name)
            return rows
        return []

    @contextmanager
    def _limited(self, seconds: float) -> Iterator[None]:
        values: dict[str, Value] = {"question_timeout": _milliseconds(seconds)}
        with self.conn.transaction():
            steps.run(self.conn, steps.load(LIMITS), values)
            yield

    def _not_asked(self, step: Step, error: psycopg.Error) -> None:
        state = error.sqlstate or ""
        said = error.diag.message_primary or str(error).strip()
        reason = _UNASKED.get(state, "the server refused it")
        self.findings.append(
            Finding(
                "not_asked",
                "note",
                f"sql/{step.name}",
                f"sql/{step.name} has no answer: {reason} ({said})",
                "What it would have found is not known.",
                _WAYS_OUT.get(state, "run it with psql to see more: sql/README.md says how"),
            )
        )

    def _fits(self) -> bool:
        try:
            check_version(self.conn, self.server)
        except VersionMismatch as error:
            what = "The registered model, runs and kept vectors were not looked at."
            self.findings.append(
                Finding("package_version", "warning", "schema vestige_sql", str(error), what, error.hint)
            )
            return False
        return True

    def _check(self, name: str, values: dict[str, Value], *without: str) -> None:
        """Raise :class:`TargetError` for the first row of the refusals in ``name`` that is one of ``without``."""
        for row in steps.query(self.conn, name, values):
            if row["what"] in without:
                raise TargetError(row["message"], row["hint"])


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(1000 * seconds))}ms"
