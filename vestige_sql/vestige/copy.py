"""Moves a Vestige SQLite database into Vestige's PostgreSQL schema.

Each table goes in batches: binary COPY into a temporary staging table that takes everything as text, then the steps of
``sql/from_sqlite/<table>`` say what is wrong with which row and insert the others, all in one transaction a batch. A
row that is there stays as it is, so what a killed run has left out is all that the next one inserts.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.database.connection import connect
from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.errors import ModelMismatch, SourceError, TargetError
from vestige_sql.plan import VESTIGE, CopyPlan
from vestige_sql.reembed import pgcopy
from vestige_sql.reembed.decide import check_dimension, count_rows, difference
from vestige_sql.reembed.pgcopy import integer_field
from vestige_sql.reembed.progress import Progress
from vestige_sql.reembed.session import claimed_session
from vestige_sql.reembed.target import Probed, probe
from vestige_sql.steps import plans
from vestige_sql.steps.files import Value
from vestige_sql.vestige.source import VERSION, Row, Source, SourceModel, Table, open_source, upgrade

log = logging.getLogger("vestige_sql")


BATCH_BYTES = 8 << 20
"""About how many bytes one batch may have, so that memory stays bounded when the texts are long."""

_LOG_EVERY_SECS = 10.0

_NOTHING = "nothing was written"
_STATE = (
    "the batch under way is rolled back, and those before it stay: when the cause is gone, the same command copies "
    "what is missing"
)
_ELSE_TEXT = "copy the text alone with --without-embeddings and encode it with one model: vestige-sql migrate reembed"


@dataclass(frozen=True)
class BadRow:
    """A row that stayed behind, or a memory's vector: of which table of the source, its id, and why."""

    table: str
    id: str
    reason: str

    def __str__(self) -> str:
        return f"{self.table} {self.id}: {self.reason}"


@dataclass
class Counts:
    """Of one table of the source: rows ``presented``, ``new`` in PostgreSQL, and ``bad`` ones that stayed behind.

    The others are there already. ``new`` is None in a dry run, and ``in_postgres`` what is there before a run.
    """

    presented: int = 0
    new: int | None = 0
    bad: int = 0
    in_postgres: int = 0


@dataclass
class CopyReport:
    """What a copy did, or would do: counts by table of the source, and every bad row.

    ``left_behind`` are the tables without a place in PostgreSQL, with their rows, and ``columns_left_behind`` the
    columns without one in the other tables. ``model`` is the one that the copied vectors are of, None where none are.
    """

    source: str
    source_version: int
    dry_run: bool = False
    upgraded: bool = False
    tables: dict[str, Counts] = field(default_factory=dict)
    errors: list[BadRow] = field(default_factory=list)
    left_behind: dict[str, int] = field(default_factory=dict)
    columns_left_behind: dict[str, list[str]] = field(default_factory=dict)
    model: ModelSignature | None = None
    notes: list[str] = field(default_factory=list)
    duration_secs: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def run_copy(
    conninfo: str,
    path: Path,
    plan: CopyPlan = CopyPlan(),  # noqa: B008  (frozen)
    *,
    signature: ModelSignature | None = None,
    progress: Progress | None = None,
) -> CopyReport:
    """Copy the SQLite database ``path`` into the Vestige schema of ``conninfo``, and report.

    ``signature`` is the model that the source's vectors are of, to be registered where PostgreSQL has none yet and the
    source does not say it whole. Bad rows are in the report, and the rest moves.

    Raises a :class:`VestigeError` before the first write where the two ends do not fit together.
    """
    with ExitStack() as stack:
        source = stack.enter_context(open_source(path))
        _check_version(source, plan)
        conn, probed = stack.enter_context(claimed_session(conninfo, VESTIGE, "copy"))
        stack.enter_context(steps.translated(_STATE))
        _check_tables(conn, probed)
        model = _settle_model(conn, source, probed, plan, signature)
        report = _report(conn, source, probed, model)
        if source.version < VERSION:
            source = stack.enter_context(_upgraded(source, in_place=plan.upgrade_in_place))
            report.upgraded = True
        if model is not None and probed.model is None:
            _register(conn, probed, model)
        _copy(conn, source, probed, plan, report, progress or Progress())
        return report


def dry_run_copy(
    conninfo: str,
    path: Path,
    plan: CopyPlan = CopyPlan(),  # noqa: B008
    *,
    signature: ModelSignature | None = None,
    progress: Progress | None = None,
) -> CopyReport:
    """Say what :func:`run_copy` would find: both ends are checked, the rows counted, and each is looked at by itself.

    Writes to temporary tables alone, in transactions that are rolled back. What a row refers to is not looked for.
    """
    with steps.translated(_NOTHING), open_source(path) as source, connect(conninfo) as conn:
        _check_version(source, plan)
        probed = probe(conn, VESTIGE, verb="copy")
        _check_tables(conn, probed)
        model = _settle_model(conn, source, probed, plan, signature)
        report = _report(conn, source, probed, model)
        report.dry_run = True
        _copy(conn, source, probed, plan, report, progress or Progress())
        if source.version < VERSION:
            report.notes.append(f"the source would be brought from version {source.version} to {VERSION} first")
        return report


# --- Both ends ---


def _check_version(source: Source, plan: CopyPlan) -> None:
    if source.version < VERSION and not plan.allow_source_upgrade:
        raise SourceError(
            f"{source.path} is of version {source.version}, and a copy takes version {VERSION} or newer",
            "open it once with a current Vestige, which upgrades it by itself; or give --allow-source-upgrade: a "
            f"temporary copy is brought to the layout of version {VERSION}, and the file stays as it is; {_NOTHING}",
        )


def _check_tables(conn: psycopg.Connection[Any], probed: Probed) -> None:
    missing = [row["missing"] for row in steps.query(conn, "from_sqlite/look/10_missing.sql", probed.values)]
    if missing:
        raise TargetError(
            f"beside {probed.name} this database lacks what a copy needs: {', '.join(missing)}",
            f"run: vestige-sql migrate up; {_NOTHING}",
        )
    lacking = [row["missing"] for row in steps.query(conn, "from_sqlite/look/05_missing_grants.sql", probed.values)]
    if lacking:
        raise TargetError(
            f"role {probed.server['role']} lacks rights that a copy to {probed.name} needs",
            f"{'; '.join(lacking)}; {_NOTHING}",
        )


def _settle_model(
    conn: psycopg.Connection[Any], source: Source, probed: Probed, plan: CopyPlan, offered: ModelSignature | None
) -> ModelSignature | None:
    """Return the model that the vectors to copy are of, None where none are to be copied.

    A column never holds vectors of two models, or of another than the registered one. SQLite says a model's name, and a
    hash only where it has a registry with one. A name is no signature, so that where neither PostgreSQL nor the source
    has the hash, somebody has to say which model it was; nothing is made up.
    """
    model = source.model
    if not plan.embeddings or model is None:
        return None
    if len(source.models) > 1:
        raise ModelMismatch(
            f"the vectors of {source.path} come from several models: "
            + ", ".join(f"{name or 'unnamed'} ({rows:,})" for name, rows in source.models.items()),
            f"vectors of several models do not mix: {_ELSE_TEXT}; {_NOTHING}",
        )
    if probed.table["embedding_type"] != "vector":
        raise TargetError(
            f"{probed.column} is of type {probed.table['embedding_full_type']}, which cannot hold float32 bit for bit",
            f"{_ELSE_TEXT}; {_NOTHING}",
        )
    if offered is None and model.name is None:
        raise ModelMismatch(
            f"{source.path} does not say which model its vectors are of",
            f"say it with --model NAME_OR_DIR, or {_ELSE_TEXT}; {_NOTHING}",
        )
    if offered is not None and not _is(model, offered):
        raise ModelMismatch(
            f"the vectors of {source.path} are of {model}, and --model is {offered}",
            f"name the model that made them, or {_ELSE_TEXT}; {_NOTHING}",
        )
    registered = probed.model
    if registered is not None:
        if not _is(model, registered):
            raise ModelMismatch(
                f"the vectors of {source.path} are of {model}, and {probed.column} is registered under {registered}",
                f"{_ELSE_TEXT}; {_NOTHING}",
            )
        if offered is not None and offered != registered:
            raise ModelMismatch(
                f"{probed.column} is registered under {registered}, and --model is {offered}: "
                + difference(registered, offered),
                f"leave --model out, or {_ELSE_TEXT}; {_NOTHING}",
            )
        return registered
    counts = count_rows(conn, probed)
    if counts["rows_with_text"] > counts["rows_missing"]:
        raise ModelMismatch(
            f"{probed.column} has vectors, and nothing says of which model: none is registered",
            f"say it first: vestige-sql migrate register --model NAME_OR_DIR; {_NOTHING}",
        )
    signature = offered or _said_by(model)
    if signature is None:
        raise ModelMismatch(
            f"no model is registered for {probed.column}, and {source.path} says of its own only: {model}",
            "name the model that made the vectors, and the copy registers it: --model NAME_OR_DIR (or register it "
            f"with: vestige-sql migrate register); or {_ELSE_TEXT}; {_NOTHING}",
        )
    check_dimension(signature)
    return signature


def _is(model: SourceModel, signature: ModelSignature) -> bool:
    """Whether nothing that the source says of its model speaks against ``signature``.

    A model from a folder has no owner in its name, so all-MiniLM-L6-v2 is sentence-transformers/all-MiniLM-L6-v2.
    """
    names = (model.name or signature.name, signature.name)
    without_owner = {name.rpartition("/")[2] for name in names}
    same_name = names[0] == names[1] or (len(without_owner) == 1 and any("/" not in name for name in names))
    return same_name and model.dimension == signature.dimension and model.hash in (None, signature.hash)


def _said_by(model: SourceModel) -> ModelSignature | None:
    """The signature that the source has whole, or None."""
    try:
        return ModelSignature(model.name or "", model.dimension, model.hash or "")
    except ValueError:
        return None


def _report(conn: psycopg.Connection[Any], source: Source, probed: Probed, model: ModelSignature | None) -> CopyReport:
    there = steps.query(conn, "from_sqlite/look/20_count.sql", probed.values)[0]
    report = CopyReport(
        str(source.path),
        source.version,
        tables={name: Counts(in_postgres=rows) for name, rows in there.items()},
        left_behind=source.left_behind,
        columns_left_behind=source.columns_left_behind,
        model=model,
    )
    if vectors := source.counts.get("node_embeddings"):
        report.tables["node_embeddings"].presented = vectors
        if model is None:
            report.notes.append("vectors are not copied; vestige-sql migrate reembed encodes the memories")
    if model is not None and probed.indexes:
        report.notes.append(
            f"each vector goes through {', '.join(index['name'] for index in probed.indexes)}, which takes far longer "
            "than building it afterwards: for many rows drop it first, then vestige-sql migrate reembed builds it"
        )
    return report


@contextmanager
def _upgraded(source: Source, *, in_place: bool) -> Iterator[Source]:
    """Yield the source at version 15: a temporary copy of it, gone afterwards, or the file itself."""
    with tempfile.TemporaryDirectory(prefix="vestige-sql-") as folder:
        path = source.path if in_place else Path(folder) / source.path.name
        if in_place:
            source.conn.close()
        upgrade(source, path)
        log.info("copy: brought %s from version %d to %d",
                 path if in_place else "a temporary copy of it", source.version, VERSION)  # fmt: skip
        with open_source(path) as upgraded:
            yield upgraded


def _register(conn: psycopg.Connection[Any], probed: Probed, model: ModelSignature) -> None:
    values: dict[str, Value] = probed.values | {
        "dimension": model.dimension,
        "model_name": model.name,
        "model_hash": model.hash,
        "lock_timeout": "10s",
    }
    with conn.transaction():
        for step in plans.load("register").steps():
            steps.run(conn, step, values)
    log.info("copy: %s is in the space of %s", probed.column, model)


# --- Rows ---


def _copy(
    conn: psycopg.Connection[Any],
    source: Source,
    probed: Probed,
    plan: CopyPlan,
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
            for batch in _read_ahead(_batches(source, table, plan, report)):
                with conn.transaction(force_rollback=report.dry_run):
                    _stage(conn, table, probed.values, batch, report)
                progress.advance(len(batch.rows))
                if time.monotonic() - said > _LOG_EVERY_SECS:
                    said = time.monotonic()
                    log.info("copy: %s: %s of %s rows", table.name, f"{counts.presented:,}", f"{total:,}")
        log.info("copy: %s: %s", table.name, summary(counts))
    if report.model is not None:
        for key in source.vectors_without_memory():
            _bad(report, BadRow("node_embeddings", key, "node_id is no memory of the source"))
    if "node_embeddings" in source.columns:
        log.info("copy: node_embeddings: %s", summary(report.tables["node_embeddings"]))
    report.duration_secs = time.monotonic() - started
    if any(row.table == "node_embeddings" for row in report.errors):
        report.notes.append("memories whose vector stayed behind are there without one: vestige-sql migrate reembed")
    if report.model is not None and not probed.indexes:
        report.notes.append("there is no vector index yet: vestige-sql migrate up builds it")


@dataclass(frozen=True)
class _Batch:
    rows: list[Row]
    stream: bytes


def _read_ahead(batches: Iterator[_Batch]) -> Iterator[_Batch]:
    """Yield the batches, each read and put into binary form while the server is at work on the one before."""
    with ThreadPoolExecutor(1, thread_name_prefix="vestige-sql") as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


def _batches(source: Source, table: Table, plan: CopyPlan, report: CopyReport) -> Iterator[_Batch]:
    rows: list[Row] = []
    size = 0
    for row in source.rows(table, report.model.dimension if report.model else None):
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
    """Bring a batch through its staging table into PostgreSQL, in the transaction that is open."""
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
    log.warning("copy: %s: %s", "would stay behind" if report.dry_run else "stays behind", row)


def summary(counts: Counts) -> str:
    """Return the counts of one table, for people."""
    new = f"{counts.in_postgres:,} in PostgreSQL now" if counts.new is None else f"{counts.new:,} new"
    return f"{counts.presented:,} presented, {new}" + (f", {counts.bad:,} bad" if counts.bad else "")
