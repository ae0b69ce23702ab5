"""Functions that know the table as it was are named before a run, and do what was said of them."""

from __future__ import annotations

import psycopg
import pytest
from support import Conn, FakeEmbedder, literal

from vestige_sql import ReembedPlan, Target, dry_run_reembed, finalize, register_model, run_reembed

OLD, NEW = FakeEmbedder("old", 16), FakeEmbedder("new", 24)
DOCS = Target("documents")

_ROWS = "d.id, d.content, d.metadata, d.embedding FROM documents d ORDER BY d.embedding <=> asked LIMIT 3"
_MAKE = f"""
CREATE TABLE documents (id bigserial PRIMARY KEY, content text, metadata jsonb, embedding vector(16));
INSERT INTO documents (content) SELECT 'text ' || i FROM generate_series(1, 9) i;
CREATE FUNCTION listed(asked vector) RETURNS SETOF documents LANGUAGE plpgsql STABLE AS
    $$ BEGIN RETURN QUERY SELECT {_ROWS}; END $$;
CREATE FUNCTION starred(asked vector) RETURNS SETOF documents LANGUAGE sql STABLE AS
    $$ SELECT * FROM documents d ORDER BY d.embedding <=> asked LIMIT 3 $$;
CREATE FUNCTION as_table(asked vector) RETURNS TABLE (id bigint, content text) LANGUAGE sql STABLE AS
    $$ SELECT d.id, d.content FROM documents d ORDER BY d.embedding <=> asked LIMIT 3 $$;
CREATE FUNCTION says_it(asked text) RETURNS bigint LANGUAGE plpgsql STABLE AS
    $$ BEGIN RETURN (SELECT d.id FROM documents d ORDER BY d.embedding <=> asked::vector(16) LIMIT 1); END $$;
"""


@pytest.fixture
def docs(conn: Conn, db: str) -> str:
    conn.execute(_MAKE)  # type: ignore[arg-type]
    for number in range(1, 10):
        conn.execute(
            "UPDATE documents SET embedding = %s WHERE id = %s", [literal(OLD.vector(f"text {number}")), number]
        )
    register_model(db, OLD.signature(), target=DOCS)
    return db


def found(conn: Conn, function: str, model: FakeEmbedder) -> list[int]:
    rows = conn.execute(f"SELECT id FROM {function}(%s)", [literal(model.vector("text 4"))])  # type: ignore[arg-type]
    return [row[0] for row in rows]


def test_online_names_the_functions_of_the_row_type_and_they_come_back(conn: Conn, docs: str) -> None:
    warned: list[str] = []
    report = run_reembed(docs, NEW, ReembedPlan(online=True), target=DOCS, before_write=warned.append)
    for said in (warned[0], "\n".join(report.notes)):
        listed, starred = "function public.listed(public.vector)", "function public.starred(public.vector)"
        assert f"These take or return rows of public.documents: {listed}, {starred}. " in said
        assert "These say 16 dimensions, and fail on vectors of 24: function public.says_it(text). " in said
        assert "as_table" not in said
    with pytest.raises(psycopg.errors.DatatypeMismatch):
        found(conn, "listed", NEW)
    for function in ("starred", "as_table"):
        assert found(conn, function, NEW)[0] == 4
    with pytest.raises(psycopg.errors.DataException):
        conn.execute("SELECT says_it(%s)", [literal(NEW.vector("text 4"))])
    finalize(docs, target=DOCS)
    assert found(conn, "listed", NEW)[0] == 4


def test_offline_the_row_type_stays(conn: Conn, docs: str) -> None:
    notes = dry_run_reembed(docs, NEW, target=DOCS).notes
    assert not any("take or return rows" in note for note in notes)
    assert sum("fail on vectors of 24: function public.says_it(text)" in note for note in notes) == 1
    assert any(
        "take or return rows" in note
        for note in dry_run_reembed(docs, NEW, ReembedPlan(online=True), target=DOCS).notes
    )
    # It is known afterwards too, to who was not warned.
    assert any("fail on vectors of 24" in note for note in run_reembed(docs, NEW, target=DOCS).notes)
    for function in ("listed", "starred", "as_table"):
        assert found(conn, function, NEW)[0] == 4
    # The same dimension leaves nobody behind.
    again = FakeEmbedder("newer", 24)
    assert not any("dimensions, and fail" in note for note in dry_run_reembed(docs, again, target=DOCS).notes)
