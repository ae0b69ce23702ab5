"""Online where the column promises something: NOT NULL holds at every moment, for every reader, and stops no writer."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from typing import Any

import psycopg
import pytest
import support
from support import Conn, FakeEmbedder, Points, check_space, everything, literal
from test_any_table import DOCUMENTS, moved, one, run_sql
from test_any_table import make as make_table

from vestige_sql import (
    ReembedPlan,
    ReembedReport,
    abort_reembed,
    dry_run_reembed,
    register_model,
    rollback,
    run_reembed,
    stage_reembed,
)
from vestige_sql.errors import CheckFailed, TargetError
from vestige_sql.look.script import script_staged
from vestige_sql.reembed.back import finalize

OLD = FakeEmbedder("old", 8)
NEW = FakeEmbedder("new", 12)
TEXTS = [f"document number {n}" for n in range(40)]
INDEX = "CREATE INDEX documents_hnsw ON documents USING hnsw (embedding vector_cosine_ops)"

DURING = (
    "online/fill/10_fill_batch.sql",
    "online/index/10_drop_invalid.sql",
    "online/verify/10_note_unfilled.sql",
)
"""Steps before which an application writes."""


def make(conn: Conn, embedding: str = "vector(8)", rows: int = len(TEXTS)) -> None:
    make_table(conn, embedding=embedding, keys=range(rows), texts=TEXTS)


def catalog(conn: Conn, old: int = 12) -> Any:
    return moved(support.catalog(conn, "documents"), old, 12)


def go_online(db: str, embedder: FakeEmbedder = NEW, **plan: Any) -> ReembedReport:
    return run_reembed(db, embedder, ReembedPlan(online=True, min_recall=0, **plan), target=DOCUMENTS)


def second_column(conn: Conn) -> str:
    return str(
        one(
            conn,
            "SELECT attname FROM pg_attribute WHERE attrelid = 'documents'::regclass"
            " AND attname ~ '^embedding_[0-9a-f]{16}$' AND NOT attisdropped",
        )
    )


class Application:
    """Writes rows in every way that names no second column, each in its old space, and looks for NULL."""

    def __init__(self, db: str, conn: Conn, *, promised: bool = True) -> None:
        self.db, self.conn = db, conn
        self.promised = promised
        self.written = 0
        self.second: set[str] = set()

    def __call__(self) -> None:
        with psycopg.connect(self.db, autocommit=True) as conn:
            n = 1_000 + 10 * self.written
            self.written += 1
            rows = [(n + k, f"text {n + k}") for k in range(3)]
            vectors = [literal(OLD.vector(text)) for _, text in rows]
            conn.execute("INSERT INTO documents (id, body, embedding) VALUES (%s, %s, %s)", (*rows[0], vectors[0]))
            # A row of the table's type has NULL in a column that its writer does not know.
            conn.execute(
                "INSERT INTO documents SELECT r.* FROM jsonb_populate_record(NULL::documents, jsonb_build_object("
                "'id', %s::int, 'body', %s::text, 'embedding', %s::text)) AS r",
                (*rows[1], vectors[1]),
            )
            with conn.cursor().copy("COPY documents (id, body, embedding) FROM STDIN") as copy:
                copy.write_row((*rows[2], vectors[2]))
            text = f"another text {n}"
            conn.execute(
                "UPDATE documents SET body = %s, embedding = %s WHERE id = %s",
                (text, literal(OLD.vector(text)), self.written),
            )
            conn.execute("DELETE FROM documents WHERE id = %s", (20 + self.written,))
            column = second_column(conn)
            conn.execute(f"UPDATE documents SET {column} = NULL WHERE id = %s".encode(), (10 + self.written,))
            assert one(conn, "SELECT count(*) FROM documents WHERE embedding IS NULL") == 0
            if self.promised:
                assert one(conn, f"SELECT count(*) FROM documents WHERE {column} IS NULL") == 0
            self.second.add(column)


@pytest.mark.parametrize("named", [True, False], ids=["named", "plain"])
def test_not_null(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, named: bool) -> None:
    make(conn, embedding="vector(8)" + " CONSTRAINT embedded" * named + " NOT NULL")
    run_sql(conn, INDEX)
    if named and one(conn, "SHOW server_version_num") >= "180000":
        run_sql(conn, "COMMENT ON CONSTRAINT embedded ON documents IS 'always there'")
    before = catalog(conn, 8)
    register_model(db, OLD.signature(), target=DOCUMENTS)
    points, application = Points(monkeypatch), Application(db, conn)
    for step in DURING:
        points.before(step, application)
    report = go_online(db)
    assert application.written == len(DURING)
    assert report.rows_encoded >= len(TEXTS)
    check_space(conn, NEW, DOCUMENTS)
    assert one(conn, "SELECT count(*) FROM documents WHERE embedding IS NULL") == 0

    # A row without a vector is refused as before, and one with a vector needs no former vector.
    with pytest.raises(psycopg.errors.NotNullViolation, match='"embedding"'):
        conn.execute("INSERT INTO documents (id, body) VALUES (5000, 'late')")
    new = literal(NEW.vector("late"))
    conn.execute("INSERT INTO documents (id, body, embedding) VALUES (5000, 'late', %s)", (new,))
    with pytest.raises(TargetError, match=r"documents\.embedding is NOT NULL, and \d+ rows written since"):
        rollback(db, target=DOCUMENTS)
    conn.execute("DELETE FROM documents WHERE id = 5000")
    # Rows that got their text during the run have none of the former model either.
    kept = one(conn, "SELECT attname FROM pg_attribute WHERE attname ~ '^former_embedding_' AND attnum > 0")
    conn.execute(f"DELETE FROM documents WHERE {kept} IS NULL".encode())
    for model in (OLD, NEW):
        rollback(db, target=DOCUMENTS)
        check_space(conn, model, DOCUMENTS)
        with pytest.raises(psycopg.errors.NotNullViolation, match='"embedding"'):
            conn.execute("UPDATE documents SET embedding = NULL WHERE id = 39")
    assert finalize(db, target=DOCUMENTS) is not None
    assert catalog(conn) == before


def test_rows_without_text_are_named_before_and_during_a_run(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(conn, embedding="vector(8) NOT NULL")
    run_sql(conn, INDEX, "UPDATE documents SET body = ' ' WHERE id = 7")
    untouched = everything(conn)
    said = r"documents\.embedding is NOT NULL, and 1 rows have no text to embed, such as that with the key 7\n"
    for begin in (run_reembed, dry_run_reembed):
        model = FakeEmbedder("new", 12)
        with pytest.raises(TargetError, match=said):
            begin(db, model, ReembedPlan(online=True), target=DOCUMENTS)
        assert not model.calls
    assert everything(conn) == untouched

    run_sql(conn, "UPDATE documents SET body = 'a text' WHERE id = 7")
    points = Points(monkeypatch)

    def blank() -> None:
        with psycopg.connect(db, autocommit=True) as other:
            other.execute("UPDATE documents SET body = NULL WHERE id = 9")

    points.before("online/index/10_drop_invalid.sql", blank)
    with pytest.raises(CheckFailed, match=r"NOT NULL, and 1 changed rows have no text to embed, such as .* key 9;"):
        go_online(db)
    assert one(conn, "SELECT count(*) FROM documents WHERE vector_dims(embedding) = 8") == len(TEXTS)
    run_sql(conn, "UPDATE documents SET body = 'a text again' WHERE id = 9")
    go_online(db)
    check_space(conn, NEW, DOCUMENTS)
    assert one(conn, "SELECT count(*) FROM documents WHERE embedding IS NULL") == 0


def test_nothing_stays_of_a_run_that_is_given_up(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    make(conn, embedding="vector(8) NOT NULL")
    run_sql(conn, INDEX)
    before = catalog(conn)
    points = Points(monkeypatch)

    def stop() -> None:
        raise KeyboardInterrupt

    points.before("online/verify/10_note_unfilled.sql", stop)
    with pytest.raises(KeyboardInterrupt):
        go_online(db)
    run_sql(conn, "ALTER TABLE documents ALTER embedding DROP NOT NULL")
    Application(db, conn)()
    abort_reembed(db, target=DOCUMENTS)
    run_sql(conn, "ALTER TABLE documents ALTER embedding SET NOT NULL")
    assert catalog(conn) == before
    go_online(db)
    check_space(conn, NEW, DOCUMENTS)


def test_not_null_that_comes_or_goes_during_the_run(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    make(conn)
    run_sql(conn, INDEX)
    for change, is_not_null in (("SET", True), ("DROP", False)):
        points = Points(monkeypatch)
        points.before(
            "online/verify/10_note_unfilled.sql",
            lambda change=change: run_sql(conn, f"ALTER TABLE documents ALTER embedding {change} NOT NULL"),  # type: ignore[misc]
        )
        go_online(db, NEW if is_not_null else OLD)
        check_space(conn, NEW if is_not_null else OLD, DOCUMENTS)
        finalize(db, target=DOCUMENTS)
        assert (
            one(
                conn,
                "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'documents'::regclass AND attname = 'embedding'",
            )
            is is_not_null
        )
        assert not one(conn, "SELECT count(*) FROM pg_attrdef WHERE adrelid = 'documents'::regclass")


def test_long_vectors_have_a_placeholder_too(db: str, conn: Conn) -> None:
    """A placeholder stands in the catalog, whose rows fit in a page."""
    wide = FakeEmbedder("wide", 16_000)
    make(conn, embedding="vector(8) NOT NULL", rows=3)
    go_online(db, wide)
    check_space(conn, wide, DOCUMENTS)


def test_not_null_not_valid_stays_as_it_is(db: str, conn: Conn) -> None:
    if one(conn, "SHOW server_version_num") < "180000":
        pytest.skip("NOT NULL is no constraint of its own before PostgreSQL 18")
    make(conn)
    run_sql(
        conn,
        INDEX,
        "UPDATE documents SET embedding = NULL WHERE id = 3",
        "ALTER TABLE documents ADD CONSTRAINT there NOT NULL embedding NOT VALID",
    )
    # Nobody can update such a row without giving it a vector.
    untouched, model = everything(conn), FakeEmbedder("new", 12)
    with pytest.raises(
        TargetError, match=r"NOT NULL by a constraint that is NOT VALID, there, and 1 rows have no vector"
    ):
        go_online(db, model)
    assert not model.calls and everything(conn) == untouched
    run_sql(conn, f"UPDATE documents SET embedding = '{literal(OLD.vector(TEXTS[3]))}' WHERE id = 3")
    before = catalog(conn, 8)
    go_online(db)
    check_space(conn, NEW, DOCUMENTS)
    assert one(conn, "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'there'") == (
        "NOT NULL embedding NOT VALID"
    )
    finalize(db, target=DOCUMENTS)
    assert catalog(conn) == before


NOT_NULL = "CONSTRAINT embedding_not_null_check CHECK (embedding IS NOT NULL)"


@pytest.mark.parametrize(
    "checks",
    [
        (NOT_NULL,),
        (
            "CONSTRAINT dims CHECK (vector_dims(embedding) = 8)",
            "CONSTRAINT sound CHECK (vector_norm(embedding) > 0.01)",
        ),
        (
            "NOT NULL CONSTRAINT dims CHECK (embedding IS NULL OR vector_dims(embedding) = 8)",
            f"CONSTRAINT {'sound' * 12} CHECK (vector_norm(embedding) > 0.01)",
        ),
    ],
    ids=["not null", "dimension", "both"],
)
def test_checks_about_the_column_alone(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, checks: tuple[str, ...]
) -> None:
    make(conn, "vector(8) " + " ".join(checks))
    run_sql(
        conn,
        INDEX,
        "ALTER TABLE documents ADD CONSTRAINT late CHECK (vector_dims(embedding) < 99) NOT VALID",
        "COMMENT ON CONSTRAINT late ON documents IS 'of old'",
    )
    before = catalog(conn, 8)
    register_model(db, OLD.signature(), target=DOCUMENTS)
    points = Points(monkeypatch)
    application = Application(db, conn, promised="NOT NULL" in checks[0])
    for step in DURING:
        points.before(step, application)
    go_online(db)
    assert application.written == len(DURING)
    check_space(conn, NEW, DOCUMENTS)
    kept = one(conn, "SELECT attname FROM pg_attribute WHERE attname ~ '^former_embedding_' AND attnum > 0")
    assert not one(
        conn, f"SELECT count(*) FROM pg_constraint WHERE conname ~ 'reembed_' OR pg_get_constraintdef(oid) ~ '{kept}'"
    )
    conn.execute(f"DELETE FROM documents WHERE {kept} IS NULL".encode())
    conn.execute(
        "INSERT INTO documents (id, body, embedding) VALUES (5000, 'late', %s)", (literal(NEW.vector("late")),)
    )
    if "NOT NULL" in checks[0]:
        with pytest.raises(TargetError, match=r"documents\.embedding is NOT NULL, and 1 rows written since"):
            rollback(db, target=DOCUMENTS)
    conn.execute("DELETE FROM documents WHERE id = 5000")
    for model in (OLD, NEW):
        rollback(db, target=DOCUMENTS)
        check_space(conn, model, DOCUMENTS)
        with pytest.raises(psycopg.errors.CheckViolation):
            conn.execute("UPDATE documents SET embedding = embedding - embedding WHERE id = 39") if "sound" in str(
                checks
            ) else conn.execute("UPDATE documents SET embedding = NULL WHERE id = 39")
    finalize(db, target=DOCUMENTS)
    assert catalog(conn) == before


def test_checks_that_come_go_or_stop_the_run(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    make(conn, "vector(8) NOT NULL CONSTRAINT narrow CHECK (vector_norm(embedding) <> 1)")
    for refused, more in (
        (r"is NOT NULL, and narrow lets no placeholder in", "ALTER TABLE documents DROP CONSTRAINT narrow"),
        (
            r"^far of public\.documents\.embedding fails for any vector of 12 dimensions",
            "ALTER TABLE documents DROP CONSTRAINT far",
        ),
        (
            r"constraint of_others on table public\.documents \(a constraint\)",
            "ALTER TABLE documents DROP CONSTRAINT of_others",
        ),
        (
            r"constraint parts on table public\.documents \(about the old dimension\)",
            "ALTER TABLE documents DROP CONSTRAINT parts",
        ),
    ):
        if "others" in more:
            run_sql(conn, "ALTER TABLE documents ADD CONSTRAINT of_others CHECK (embedding IS NOT NULL OR body = '')")
        if "far" in more:
            run_sql(conn, f"ALTER TABLE documents ADD CONSTRAINT far CHECK (embedding <-> '{[1] * 8}' > 0)")
        if "parts" in more:
            run_sql(
                conn,
                "ALTER TABLE documents ADD CONSTRAINT parts CHECK (array_length(embedding::real[], 1) = 8)",
            )
        model = FakeEmbedder("new", 12)
        with pytest.raises(TargetError, match=refused):
            go_online(db, model)
        assert not model.calls
        run_sql(conn, more)
    points = Points(monkeypatch)
    run_sql(conn, "ALTER TABLE documents ADD CONSTRAINT goes CHECK (vector_dims(embedding) = 8)")
    add = "ALTER TABLE documents ADD CONSTRAINT comes CHECK (vector_dims(embedding) = 8)"
    points.before("online/verify/10_note_unfilled.sql", lambda: run_sql(conn, add))
    points.before(
        "online/index/10_drop_invalid.sql", lambda: run_sql(conn, "ALTER TABLE documents DROP CONSTRAINT goes")
    )
    with pytest.raises(CheckFailed, match=r"objects came to depend on .*: constraint comes on table"):
        go_online(db)
    run_sql(conn, "ALTER TABLE documents DROP CONSTRAINT comes")
    go_online(db)
    check_space(conn, NEW, DOCUMENTS)
    assert not one(conn, "SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND conrelid = 'documents'::regclass")


@pytest.mark.parametrize("kind", ["STORED", "VIRTUAL"])
def test_generated_texts_that_change_while_the_second_column_is_filled(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if kind == "VIRTUAL" and conn.info.server_version < 180000:
        pytest.skip("virtual columns came with PostgreSQL 18")
    run_sql(
        conn,
        "CREATE TABLE documents (id int PRIMARY KEY, payload jsonb, apart int,"
        f" body text GENERATED ALWAYS AS (payload ->> 'data') {kind}, embedding vector(8) NOT NULL)",
        INDEX,
    )
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO documents (id, payload, embedding) VALUES (%s, jsonb_build_object('data', %s::text), %s)",
            [(n, text, literal(OLD.vector(text))) for n, text in enumerate(TEXTS)],
        )
    points = Points(monkeypatch)
    for n, step in enumerate(DURING):

        def change(n: int = n) -> None:
            run_sql(
                conn,
                f"""UPDATE documents SET payload = jsonb_set(payload, '{{data}}', '"text {n}"') WHERE id = {n}""",
                f"UPDATE documents SET payload = payload || '{{\"more\": {n}}}', apart = {n} WHERE id = {10 + n}",
                "INSERT INTO documents (id, payload, embedding)"
                f' SELECT {100 + n}, \'{{"data": "late {n}"}}\', embedding FROM documents WHERE id = 30',
            )

        points.before(step, change)
    go_online(db)
    assert one(conn, "SELECT count(*) FROM documents WHERE body ~ '^(text|late) '") == 2 * len(DURING)
    check_space(conn, NEW, DOCUMENTS)


def test_columns_generated_from_the_vectors_are_printed_to_be_made_again(db: str, conn: Conn) -> None:
    make(conn)
    more = ["dims int GENERATED ALWAYS AS (vector_dims(embedding)) STORED"]
    if one(conn, "SELECT to_regtype('halfvec') IS NOT NULL"):
        more.append("half halfvec(8) GENERATED ALWAYS AS (embedding::halfvec(8)) STORED")
    run_sql(conn, *(f"ALTER TABLE documents ADD {column}" for column in more))
    if len(more) > 1:
        run_sql(conn, "CREATE INDEX halves ON documents USING hnsw (half halfvec_cosine_ops)")
    without_name = replace(DOCUMENTS, embedding_column=None)
    for plan in (ReembedPlan(), ReembedPlan(online=True)):
        with pytest.raises(TargetError) as refused:
            run_reembed(db, NEW, plan, target=without_name)
    _, drop, make_again = re.split("These .*:\n", str(refused.value.hint))
    run_sql(conn, *filter(None, drop.splitlines()))
    run_reembed(db, NEW, ReembedPlan(online=True), target=without_name)
    check_space(conn, NEW, DOCUMENTS)
    run_sql(conn, *filter(None, make_again.splitlines()))
    assert one(conn, "SELECT count(*) FROM documents WHERE dims = 12") == len(TEXTS)
    if len(more) > 1:
        assert one(conn, "SELECT count(*) FROM documents WHERE half = embedding::halfvec(12)") == len(TEXTS)
        assert one(conn, "SELECT pg_get_indexdef('halves'::regclass) ~ 'half (public\\.)?halfvec_cosine_ops'")


def test_a_row_with_one_vector_for_each_dimension(db: str, conn: Conn) -> None:
    """A run writes one column, and a CHECK that wants exactly one to have a value is said to be in the way first."""
    run_sql(
        conn,
        "CREATE TABLE documents (id int PRIMARY KEY, body text, embedding vector(8), embedding_12 vector(12),"
        " CONSTRAINT width CHECK (num_nonnulls(embedding, embedding_12) = 1))",
        "INSERT INTO documents SELECT n, 'text ' || n, array_fill(n, ARRAY[8])::vector FROM generate_series(1, 9) n",
    )
    model = FakeEmbedder("new", 12)
    target = replace(DOCUMENTS, embedding_column="embedding_12")
    for plan in (ReembedPlan(), ReembedPlan(online=True)):
        with pytest.raises(TargetError, match=r"width of .*embedding_12 would not hold for 9 rows .* with the key 1\n"):
            run_reembed(db, model, plan, target=target)
    assert not model.calls
    run_sql(conn, "ALTER TABLE documents DROP CONSTRAINT width")
    run_reembed(db, model, target=target)
    check_space(conn, model, target)


SAYS = (
    "ALTER TABLE documents ADD CONSTRAINT dims CHECK (embedding IS NULL OR vector_dims(embedding) = 8) NOT VALID",
    "COMMENT ON CONSTRAINT dims ON documents IS 'as wide as the model'",
    "ALTER TABLE documents ALTER embedding SET DEFAULT array_fill(0.5, ARRAY[8])::vector(8)",
)


@pytest.mark.parametrize("way", ["rewrite", "widen", "online", "script", "plain"])
def test_what_only_says_the_dimension_says_the_new_one(db: str, conn: Conn, way: str, psql: str) -> None:
    make(conn)
    run_sql(conn, INDEX, *SAYS)
    before = catalog(conn, 8)
    register_model(db, OLD.signature(), target=DOCUMENTS)
    if way in ("script", "plain"):
        stage_reembed(db, NEW, target=DOCUMENTS)
        script = script_staged(db, target=DOCUMENTS, plain=way == "plain")
        if way == "plain":
            with conn.transaction():
                conn.execute(script.encode())
        else:
            done = subprocess.run(
                [psql, "-X", db], input=script, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 0, done.stderr
    else:
        plan = ReembedPlan(online=True) if way == "online" else ReembedPlan(apply=way, keep_old=True)
        run_reembed(db, NEW, plan, target=DOCUMENTS)
        for model in (OLD, NEW):
            rollback(db, ReembedPlan() if way == "online" else ReembedPlan(apply=way), target=DOCUMENTS)
            check_space(conn, model, DOCUMENTS)
            width = one(conn, "INSERT INTO documents (id) VALUES (-1) RETURNING vector_dims(embedding)")
            assert width == model.dimension
            run_sql(conn, "DELETE FROM documents WHERE id = -1")
        finalize(db, target=DOCUMENTS)
    check_space(conn, NEW, DOCUMENTS)
    assert catalog(conn) == before
