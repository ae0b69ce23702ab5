"""Copy a Vestige SQLite database into Vestige's PostgreSQL schema.

Each table is copied in batches, each in one transaction. Binary COPY puts a batch into a temporary staging table, whose
columns are text. Then the steps of ``sql/from_sqlite/<table>`` report the faulty rows and insert the others. Rows that
exist
in PostgreSQL stay as they are, so after a killed run the next one inserts only what is missing.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.database.connection import connect
from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.errors import SourceError, TargetError
from vestige_sql.plan import VESTIGE, CopyPlan
from vestige_sql.reembed import pgcopy
from vestige_sql.reembed.pgcopy import integer_field
from vestige_sql.reembed.progress import Progress
from vestige_sql.reembed.session import claimed_session
from vestige_sql.reembed.target import Probed, probe
from vestige_sql.reembed.verbs import register_first
from vestige_sql.steps import plans
from vestige_sql.steps.files import Value
from vestige_sql.vestige.copy_report import BadRow, CopyReport, Counts, summary
from vestige_sql.vestige.source import VERSION, Row, Source, Table, open_source, upgrade
from vestige_sql.vestige.vectors import NEWEST_KNOWN, Kept
from vestige_sql.vestige.whose import NOTHING, said_of_vectors, settle_model

log = logging.getLogger("vestige_sql")


BATCH_BYTES = 8 << 20
"""About how many bytes one batch may have, so that memory stays bounded with long texts."""

_LOG_EVERY_SECS = 10.0

_STATE = (
    "the current batch is rolled back, and those before it stay: once the cause is removed, the same command copies "
    "what is missing"
)


def run_copy(
    conninfo: str,
    path: Path,
    plan: CopyPlan = CopyPlan(),  # noqa: B008  (frozen)
    *,
    signature: ModelSignature | None = None,
    progress: Progress | None = None,
) -> CopyReport:
    """Copy the SQLite database ``path`` into the Vestige schema of ``conninfo``, and report.

    ``signature`` is the model of the source's vectors. It is registered if PostgreSQL has no registered model yet and
    the source does not state the whole signature. Faulty rows are listed in the report, and the others are copied.

    Raises a :class:`VestigeError` before the first write if the two databases do not fit together.
    """
    with ExitStack() as stack:
        source = stack.enter_context(open_source(path))
        _check_version(source, plan)
        conn, probed = stack.enter_context(claimed_session(conninfo, VESTIGE, "copy"))
        stack.enter_context(steps.translated(_STATE))
        _check_tables(conn, probed)
        model, kept = settle_model(conn, source, probed, plan, signature)
        report = _report(conn, source, probed, model, kept)
        if source.version < VERSION:
            source = stack.enter_context(_upgraded(source, in_place=plan.upgrade_in_place))
            report.upgraded = True
        if model is not None and probed.model is None:
            register_first(conn, probed, model)
            log.info("copy: %s is registered for %s", model, probed.column)
        _copy(conn, source, probed, plan, kept, report, progress or Progress())
        return report


def dry_run_copy(
    conninfo: str,
    path: Path,
    plan: CopyPlan = CopyPlan(),  # noqa: B008
    *,
    signature: ModelSignature | None = None,
    progress: Progress | None = None,
) -> CopyReport:
    """Report what :func:`run_copy` would find: check both databases, count the rows, and check each row by itself.

    Writes only to temporary tables, in transactions that are rolled back. It does not check whether the rows that a
    row refers to exist. Raises the same as :func:`run_copy`.
    """
    with steps.translated(NOTHING), open_source(path) as source, connect(conninfo) as conn:
        _check_version(source, plan)
        probed = probe(conn, VESTIGE, verb="copy")
        _check_tables(conn, probed)
        model, kept = settle_model(conn, source, probed, plan, signature)
        report = _report(conn, source, probed, model, kept)
        report.dry_run = True
        _copy(conn, source, probed, plan, kept, report, progress or Progress())
        if source.version < VERSION:
            report.notes.append(f"the source would first be upgraded from version {source.version} to {VERSION}")
        return report


# --- Both databases ---


def _check_version(source: Source, plan: CopyPlan) -> None:
    if source.version < VERSION and not plan.allow_source_upgrade:
        raise SourceError(
            f"{source.path} has version {source.version}, and a copy needs version {VERSION} or newer",
            "open it once with a current Vestige, which upgrades it by itself, or give --allow-source-upgrade, which "
            f"upgrades a temporary copy to the layout of version {VERSION} and leaves the file as it is; {NOTHING}",
        )


def _check_tables(conn: psycopg.Connection[Any], probed: Probed) -> None:
    missing = [row["missing"] for row in steps.query(conn, "from_sqlite/look/10_missing.sql", probed.values)]
    if missing:
        raise TargetError(
            f"this database lacks what a copy needs beside {probed.name}: {', '.join(missing)}",
            f"run: vestige-sql migrate up; {NOTHING}",
        )
    lacking = [row["missing"] for row in steps.query(conn, "from_sqlite/look/05_missing_grants.sql", probed.values)]
    if lacking:
        raise TargetError(
            f"role {probed.server['role']} lacks rights that a copy to {probed.name} needs",
            f"run: {'; '.join(lacking)}; {NOTHING}",
        )


def _report(
    conn: psycopg.Connection[Any], source: Source, probed: Probed, model: ModelSignature | None, kept: Kept | None
) -> CopyReport:
    there = steps.query(conn, "from_sqlite/look/20_count.sql", probed.values)[0]
    report = CopyReport(
        str(source.path),
        source.version,
        tables={name: Counts(in_postgres=rows) for name, rows in there.items()},
        left_behind=source.left_behind,
        columns_left_behind=source.columns_left_behind,
        model=model,
    )
    if model is not None and probed.indexes:
        report.notes.append(
            f"each vector is inserted into {', '.join(index['name'] for index in probed.indexes)}, which takes far "
            "longer than building it afterwards: for many rows drop it first; vestige-sql migrate reembed then builds "
            "it"
        )
    if source.version > NEWEST_KNOWN:
        report.notes.append(
            f"the source has version {source.version}, and {NEWEST_KNOWN} is the newest that is known: its rows are "
            "read by the names of their tables and columns; compare some, or update vestige-sql first"
        )
    if source.vectors is not None:
        report.tables["node_embeddings"].presented = source.vectors.presented(kept)
        with source.reading():
            report.profile, report.vectors_left, notes = said_of_vectors(source, model, kept)
        report.notes += notes
    return report


@contextmanager
def _upgraded(source: Source, *, in_place: bool) -> Iterator[Source]:
    """Upgrade the source to version 15 and yield it: a temporary copy, deleted afterwards, or the file itself."""
    with tempfile.TemporaryDirectory(prefix="vestige-sql-") as folder:
        path = source.path if in_place else Path(folder) / source.path.name
        if in_place:
            source.conn.close()
        upgrade(source, path)
        log.info("copy: upgraded %s from version %d to %d",
                 path if in_place else f"a temporary copy of {source.path}", source.version, VERSION)  # fmt: skip
        with open_source(path) as upgraded:
            yield upgraded


# --- Rows ---


def _copy(
    conn: psycopg.Connection[Any],
    source: Source,
    probed: Probed,
    plan: CopyPlan,
    kept: Kept | None,
    report: CopyReport,
    progress: Progress,
) -> None:
    started = time.monotonic()
    for step in steps.folder("from_sqlite/create"):
        steps.run(conn, step, probed.values)
    if report.dry_run:
        for counts in report.tables.values():
            counts.new = None
    for table in source.tables:
        counts = report.tables[table.name]
        total = source.counts[table.name]
        said = time.monotonic()
        with progress.rows(total, 0, table.name):
            for batch in _read_ahead(_batches(source, table, plan, kept)):
                with conn.transaction(force_rollback=report.dry_run):
                    _stage(conn, table, probed.values, batch, report)
                progress.advance(len(batch.rows))
                if time.monotonic() - said > _LOG_EVERY_SECS:
                    said = time.monotonic()
                    log.info("copy: %s: %s of %s rows", table.name, f"{counts.presented:,}", f"{total:,}")
        log.info("copy: %s: %s", table.name, summary(counts))
    if report.model is not None:
        for key in source.vectors_without_memory():
            _bad(report, BadRow("node_embeddings", key, "the source has no memory with this node_id"))
    if "node_embeddings" in source.columns or source.vectors is not None:
        log.info("copy: node_embeddings: %s", summary(report.tables["node_embeddings"]))
    report.duration_secs = time.monotonic() - started
    if any(row.table == "node_embeddings" for row in report.errors):
        report.notes.append(
            "memories whose vector could not be copied have none yet: vestige-sql migrate reembed encodes them"
        )
    if report.model is not None and not probed.indexes:
        report.notes.append("there is no vector index yet; vestige-sql migrate up builds it")


@dataclass(frozen=True)
class _Batch:
    rows: list[Row]
    stream: bytes


def _read_ahead(batches: Iterator[_Batch]) -> Iterator[_Batch]:
    """Yield the batches. Each is read and put into binary form while the server handles the one before."""
    with ThreadPoolExecutor(1, thread_name_prefix="vestige-sql") as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


def _batches(source: Source, table: Table, plan: CopyPlan, kept: Kept | None) -> Iterator[_Batch]:
    rows: list[Row] = []
    size = 0
    for row in source.rows(table, kept):
        if rows and (len(rows) == plan.batch_size or size + row.size > BATCH_BYTES):
            yield _batch(rows)
            rows, size = [], 0
        rows.append(row)
        size += row.size
    if rows:
        yield _batch(rows)


def _batch(rows: list[Row]) -> _Batch:
    def text(value: str | None) -> bytes | None:
        return None if value is None else value.encode()

    staged = ([integer_field(n), text(row.key), text(row.problem), *row.fields] for n, row in enumerate(rows))
    return _Batch(rows, pgcopy.rows(staged))


def _stage(
    conn: psycopg.Connection[Any], table: Table, values: dict[str, Value], batch: _Batch, report: CopyReport
) -> None:
    """Copy a batch through its staging table into PostgreSQL, in the open transaction."""
    counts = report.tables[table.name]
    values = values | {"staging_table": f"copy_{table.name}"}
    steps.run(conn, steps.load("from_sqlite/batch/10_clear.sql"), values)
    cursor = conn.cursor()
    with cursor.copy(steps.load("from_sqlite/batch/20_copy.sql").render(values, conn)) as copy:
        copy.write(batch.stream)
    counts.presented += cursor.rowcount
    for row in batch.rows:
        if row.bad_vector is not None and table.name == "knowledge_nodes":
            _bad(report, BadRow("node_embeddings", row.key, row.bad_vector))
    for step in plans.load("from-sqlite").steps(table.name, {"dry_run"} if report.dry_run else ()):
        for found in steps.run(conn, step, values).result:
            if "problem" in found:
                _bad(report, BadRow(table.name, found["key"], found["problem"]))
                continue
            counts.new = (counts.new or 0) + found["new"]
            vectors = report.tables["node_embeddings"]
            vectors.new = (vectors.new or 0) + found.get("new_embeddings", 0)


def _bad(report: CopyReport, row: BadRow) -> None:
    report.errors.append(row)
    report.tables[row.table].bad += 1
    log.warning("copy: %s: %s", "would not be copied" if report.dry_run else "not copied", row)
