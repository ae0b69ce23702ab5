"""Several models in one column: a target of some rows, by every way there is, and what is refused of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import Conn, FakeEmbedder, dsn, literal
from test_any_table import has_halfvec
from test_by_hand import files, run_psql

from vestige_sql import (
    ReembedPlan,
    Target,
    abort_reembed,
    apply_staged,
    dry_run_reembed,
    finalize,
    register_model,
    rollback,
    run_reembed,
    stage_reembed,
)
from vestige_sql.errors import CheckFailed, StagedForAnother, TargetError
from vestige_sql.look.nearest import nearest
from vestige_sql.look.script import script_staged
from vestige_sql.look.status import status
from vestige_sql.resources import resource_dir

ENGLISH, GERMAN, NEW = FakeEmbedder("english", 16), FakeEmbedder("german", 40), FakeEmbedder("new", 24)
EN = Target("docs", content_column="document", where="collection = 'english'")
DE = Target("docs", content_column="document", where="collection = 'german'")


def make(conn: Conn, *, indexed: bool = True) -> None:
    """Two collections of two models in a column without a dimension, as LangChain has them; one row has no text."""
    conn.execute(
        "CREATE TABLE docs (id text PRIMARY KEY, collection text NOT NULL, embedding vector, document text,"
        " touched int NOT NULL DEFAULT 0)"
    )
    conn.execute(
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN NEW.touched := NEW.touched + 1; RETURN NEW; END$$"
    )
    for collection, embedder, rows in (("english", ENGLISH, 40), ("german", GERMAN, 20)):
        for i in range(rows):
            text = f"document {i} in {collection}" if i != 7 else " "
            vector = literal(embedder.vector(text)) if i not in (7, 8) else None
            conn.execute(
                "INSERT INTO docs (id, collection, document, embedding) VALUES (%s, %s, %s, %s)",
                (f"{collection[0]}{i}", collection, text, vector),
            )
        if indexed:
            conn.execute(
                f"CREATE INDEX docs_{collection} ON docs USING hnsw ((embedding::vector({embedder.dimension}))"
                f" vector_cosine_ops) WHERE collection = '{collection}'".encode()
            )
    conn.execute("CREATE TRIGGER touch BEFORE UPDATE ON docs FOR EACH ROW EXECUTE FUNCTION touch()")


def others(conn: Conn, collection: str = "english") -> list[Any]:
    """Every row that is not of the collection, to the byte, with the transaction that wrote it."""
    return conn.execute(
        "SELECT id, xmin::text, ctid::text, docs::text FROM docs WHERE collection <> %s ORDER BY id", (collection,)
    ).fetchall()


def check(conn: Conn, embedder: FakeEmbedder, collection: str = "english", *, but: str = "") -> None:
    """Each row of the collection has the vector of its text, and none without; nothing else was touched."""
    found = conn.execute(
        "SELECT document, embedding::text, touched FROM docs WHERE collection = %s AND id <> %s", (collection, but)
    ).fetchall()
    for text, vector, touched in found:
        assert touched == 0
        if not text.strip():
            assert vector is None
        else:
            assert [float(x) for x in vector.strip("[]").split(",")] == pytest.approx(
                embedder.vector(text).tolist(), abs=1e-3
            ), text


def models(conn: Conn) -> dict[str, str]:
    return dict(conn.execute("SELECT row_filter, model_name FROM vestige_sql.registered('docs')").fetchall())


def indexes(conn: Conn) -> dict[str, tuple[str, int]]:
    """The definition of each vector index, and its number, which a new one has not."""
    found = conn.execute(
        "SELECT c.relname, pg_get_indexdef(i.indexrelid), i.indexrelid FROM pg_index i"
        " JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = 'docs'::regclass AND i.indisvalid"
        " AND NOT i.indisunique"
    )
    return {name: (definition, oid) for name, definition, oid in found}


def test_one_collection_changes_its_model(conn: Conn) -> None:
    make(conn)
    db = dsn(conn)
    for target, embedder in ((EN, ENGLISH), (DE, GERMAN)):
        register_model(db, embedder.signature(), target=target)
    before, indexed = others(conn), indexes(conn)
    would = dry_run_reembed(db, NEW, target=EN)
    assert (would.rows_to_update, would.rows_blank, would.way, would.would_alter_typmod) == (39, 1, "rows", False)

    report = run_reembed(db, NEW, target=EN)

    assert (report.rows_updated, report.way, report.previous_model) == (39, "rows", ENGLISH.signature())
    check(conn, NEW)
    assert others(conn) == before
    assert models(conn) == {
        "(collection = 'english'::text)": "new",
        "(collection = 'german'::text)": "german",
    }
    now = indexes(conn)
    assert now["docs_german"] == indexed["docs_german"]
    assert now["docs_english"][0] == indexed["docs_english"][0].replace("(16)", "(24)")
    assert now["docs_english"][1] != indexed["docs_english"][1]
    assert run_reembed(db, NEW, target=EN).nothing_to_do
    found = nearest(db, "document 5 in english", NEW, target=EN, limit=3)["results"]
    assert (found[0]["key"], {row["key"][0] for row in found}) == ("e5", {"e"})
    conn.execute("INSERT INTO docs (id, collection, document) VALUES ('e99', 'english', 'one more')")
    more = run_reembed(db, NEW, target=EN)
    assert (more.rows_updated, more.way) == (1, "fill")
    check(conn, NEW)
    assert others(conn) == before


def test_psql_alone_does_the_same(conn: Conn, psql: Path, tmp_path: Path) -> None:
    """What is staged is put in place by the printed script, and by the step files by hand; a killed build goes on."""
    make(conn)
    db = dsn(conn)
    before, indexed = others(conn), indexes(conn)
    stage_reembed(db, NEW, target=EN)
    assert (before, indexed) == (others(conn), indexes(conn))
    script = tmp_path / "apply.sql"
    script.write_text(script_staged(db, target=EN))
    run_psql(psql, db, "-f", str(script))
    check(conn, NEW)
    assert others(conn) == before
    assert list(models(conn).values()) == ["new"]
    assert indexes(conn)["docs_english"][0] == indexed["docs_english"][0].replace("(16)", "(24)")
    assert indexes(conn)["docs_german"] == indexed["docs_german"]
    assert conn.execute("SELECT state FROM vestige_sql.run").fetchall() == [("done",)]

    other = FakeEmbedder("other", 30)
    stage_reembed(db, other, target=DE)
    now = others(conn, "german")
    by_hand = (
        "-v",
        "target=docs",
        "-v",
        "run_state=applied",
        "-f",
        str(resource_dir("sql") / "transaction/10_set_limits.sql"),
    )
    begin = (
        "-f",
        str(resource_dir("sql") / "variables.psql"),
        "-f",
        str(resource_dir("sql") / "transaction/20_claim_run.sql"),
    )
    run_psql(psql, db, "-1", *by_hand, *begin, *files("rows"))
    check(conn, other, "german")
    assert others(conn, "german") == now
    assert set(models(conn).values()) == {"new", "other"}
    assert "docs_german" not in indexes(conn)
    # searches scan until the same command, or psql, has built it
    assert status(db, target=DE)["phase"] == "applied"
    assert run_reembed(db, other, target=DE).rows_updated == 0
    assert indexes(conn)["docs_german"][0] == indexed["docs_german"][0].replace("(40)", "(30)")


def test_there_and_back(conn: Conn) -> None:
    """The former vectors of some rows are kept, come back, go forth again, and are let go of."""
    make(conn)
    db = dsn(conn)
    register_model(db, ENGLISH.signature(), target=EN)
    before, indexed = others(conn), indexes(conn)
    run_reembed(db, NEW, ReembedPlan(keep_old=True), target=EN)
    check(conn, NEW)
    with pytest.raises(TargetError, match=r"former vectors that are kept of .* are of the rows WHERE .*english"):
        stage_reembed(db, NEW, target=DE)
    # the run says itself which rows are meant
    here = Target("docs", content_column="document")
    assert status(db, target=here)["phase"] == "kept"
    with pytest.raises(StagedForAnother, match=r"about the rows WHERE .*english.*about all rows"):
        run_reembed(db, GERMAN, target=here)
    back = rollback(db, target=here)
    assert (back.model, back.previous_model, back.way) == (ENGLISH.signature(), NEW.signature(), "rows")
    # it had no vector before
    check(conn, ENGLISH, but="e8")
    assert conn.execute("SELECT embedding FROM docs WHERE id = 'e8'").fetchall() == [(None,)]
    assert indexes(conn)["docs_english"][0] == indexed["docs_english"][0]
    rollback(db, target=EN)
    check(conn, NEW)
    assert others(conn) == before and indexes(conn)["docs_german"] == indexed["docs_german"]
    finalize(db, target=here)
    assert status(db, target=EN)["phase"] == "at rest"
    assert set(models(conn).values()) == {"new"}


def test_rows_that_come_and_go_while_a_run_is_staged(conn: Conn) -> None:
    make(conn)
    db = dsn(conn)
    stage_reembed(db, NEW, target=EN)
    conn.execute("ALTER TABLE docs DISABLE TRIGGER touch")
    conn.execute("UPDATE docs SET collection = 'german', embedding = NULL WHERE id = 'e1'")
    with pytest.raises(CheckFailed, match=r"1 staged vectors are for texts that their rows .* no longer have"):
        apply_staged(db, target=EN)
    conn.execute("UPDATE docs SET collection = 'english', embedding = NULL WHERE id = 'g1'")
    with pytest.raises(CheckFailed, match=r"1 rows of public.docs have text but no staged vector"):
        apply_staged(db, target=EN)
    conn.execute("ALTER TABLE docs ENABLE TRIGGER touch")
    before = others(conn)
    assert run_reembed(db, NEW, target=EN).rows_encoded == 1
    check(conn, NEW)
    assert others(conn) == before


def test_what_is_not_some_rows_of_such_a_column(conn: Conn) -> None:
    """All that is refused is refused before a text is encoded, and says what to type."""
    make(conn)
    db = dsn(conn)
    everything = Target("docs", content_column="document")

    def refused(what: str, hint: str = "", target: Target = EN, plan: ReembedPlan = ReembedPlan()) -> None:  # noqa: B008
        with pytest.raises((TargetError, StagedForAnother), match=what) as caught:
            run_reembed(db, NEW, plan, target=target)
        assert hint in caught.value.hint
        assert not NEW.calls

    NEW.calls = 0
    several = r"vectors of several dimensions: 16 \(38 rows\), 40 \(18 rows\)"
    refused(several, "--where \"collection = 'english'\"", everything)
    refused(several, "--where", everything, ReembedPlan(keep_untyped=True))
    refused("only an UPDATE of them", "leave out --apply and --online", plan=ReembedPlan(online=True))
    refused("only an UPDATE of them", "leave out --apply and --online", plan=ReembedPlan(apply="swap"))
    register_model(db, GERMAN.signature(), target=DE)
    with pytest.raises(CheckFailed, match=r"38 vectors of .*english.* do not have 40 dimensions"):
        register_model(db, GERMAN.signature(), target=EN)
    refused("a registered model for some of its rows: WHERE .*german", "forget_model", everything)
    with pytest.raises(CheckFailed, match=r"a registered model for some of its rows"):
        conn.execute("UPDATE docs SET embedding = NULL WHERE collection = 'english'")
        register_model(db, GERMAN.signature(), target=everything)
    other = FakeEmbedder("other", 30)
    stage_reembed(db, other, target=DE)
    refused("run 1 to other is open on .*german.* about the rows WHERE .*english", "migrate abort")
    with pytest.raises(StagedForAnother, match=r"run 1 to other is open on .*german"):
        apply_staged(db, target=EN)
    refused("is about the rows WHERE .*german.* about all rows", "--where", everything)
    assert abort_reembed(db, target=everything)


def test_a_column_that_has_a_dimension(conn: Conn) -> None:
    """With --keep-untyped it loses it, so that rows of another dimension fit in."""
    make(conn, indexed=False)
    conn.execute("DELETE FROM docs WHERE collection = 'german'")
    conn.execute("ALTER TABLE docs ALTER embedding TYPE vector(16)")
    db = dsn(conn)
    everything = Target("docs", content_column="document")
    register_model(db, ENGLISH.signature(), target=everything)
    conn.execute("CREATE VIEW seen AS SELECT embedding FROM docs")
    half = Target("docs", content_column="document", where="id < 'e3'")
    with pytest.raises(TargetError, match=r"english is registered for all rows of .*WHERE") as caught:
        run_reembed(db, NEW, target=half)
    conn.execute(caught.value.hint.partition('psql "$DATABASE_URL" -c "')[2].partition('";')[0].encode())
    with pytest.raises(TargetError, match=r"has 16 dimensions, and these rows would have 24") as caught:
        run_reembed(db, NEW, target=half)
    assert "--keep-untyped" in caught.value.hint
    plan = ReembedPlan(keep_untyped=True)
    with pytest.raises(TargetError, match=r"view public.seen"):
        run_reembed(db, NEW, plan, target=half)
    plan = ReembedPlan(keep_untyped=True, recreate_views=True, create_index=True)
    assert dry_run_reembed(db, NEW, plan, target=half).would_alter_typmod
    assert run_reembed(db, NEW, plan, target=half).rows_updated == 23
    assert conn.execute(
        "SELECT DISTINCT vector_dims(embedding) FROM seen WHERE embedding IS NOT NULL ORDER BY 1"
    ).fetchall() == [(16,), (24,)]
    (definition,) = (d for d, _ in indexes(conn).values())
    assert "((embedding)::vector(24)) vector_cosine_ops" in definition and definition.endswith(
        "WHERE (id < 'e3'::text)"
    )
    register_model(db, ENGLISH.signature(), target=Target("docs", content_column="document", where="id >= 'e3'"))
    assert set(models(conn).values()) == {"new", "english"}


def test_indexes_of_rows_and_of_others(conn: Conn, psql: Path) -> None:
    """An index that says the dimension by a column, as WeKnora's, and one of all rows: refused, with what to type."""
    kind = "halfvec" if has_halfvec(conn) else "vector"
    conn.execute(
        f"CREATE TABLE docs (id serial PRIMARY KEY, content text, dimension int NOT NULL, embedding {kind})".encode()
    )
    for embedder in (ENGLISH, GERMAN):
        for i in range(12):
            conn.execute(
                "INSERT INTO docs (content, dimension, embedding) VALUES (%s, %s, %s)",
                (
                    f"text {i} {embedder.dimension}",
                    embedder.dimension,
                    literal(embedder.vector(f"text {i} {embedder.dimension}")),
                ),
            )
        conn.execute(
            f"CREATE INDEX docs_{embedder.dimension} ON docs USING hnsw ((embedding::{kind}({embedder.dimension}))"
            f" {kind}_cosine_ops) WHERE (dimension = {embedder.dimension})".encode()
        )
    db = dsn(conn)
    target = Target("docs", where="dimension = 16")
    with pytest.raises(TargetError, match=r"index public.docs_16 .*by another column") as caught:
        run_reembed(db, NEW, target=target)
    said = caught.value.hint
    drop = said.partition("remove it")[2].partition("\n")[2].partition("\nThese make")[0]
    again = said.partition("make it again afterwards:\n")[2]
    conn.execute(drop.encode())
    run_reembed(db, NEW, target=target)
    conn.execute(again.encode())
    assert f"{kind}(24)" in indexes(conn)["docs_16"][0] and "dimension = 24" in indexes(conn)["docs_16"][0]
    assert conn.execute("SELECT dimension, count(*) FROM docs GROUP BY 1 ORDER BY 1").fetchall() == [(24, 12), (40, 12)]
    # one index of rows of two targets, which have one dimension by now
    conn.execute("DROP INDEX docs_16")
    half = (
        f"CREATE INDEX half ON docs USING hnsw ((embedding::{kind}(24)) {kind}_cosine_ops) WHERE (dimension = 24)"
    ).encode()
    conn.execute(half)
    of_some = Target("docs", where="id < 6")
    with pytest.raises(TargetError, match=r"index public.half .*of other rows too"):
        run_reembed(db, ENGLISH, target=of_some)
    # one that comes in between is refused under the lock, and by psql alone in the same words
    conn.execute("DROP INDEX half")
    stage_reembed(db, ENGLISH, target=of_some)
    conn.execute(half)
    with pytest.raises(TargetError) as refused:
        apply_staged(db, target=of_some)
    limits = str(resource_dir("sql") / "transaction/10_set_limits.sql")
    variables = str(resource_dir("sql") / "variables.psql")
    said = run_psql(psql, db, "-1", "-v", "target=docs", "-f", limits, "-f", variables, *files("rows"), ok=False)
    assert f"ERROR:  {refused.value}\nHINT:  {refused.value.hint}" in said
    abort_reembed(db, target=of_some)
    before = indexes(conn)["half"]
    another = FakeEmbedder("another", 24)
    run_reembed(db, another, target=of_some)
    assert indexes(conn)["half"] == before


def test_a_column_that_is_not_null(conn: Conn) -> None:
    """A row without text stands in the way of a target that has it, and of no other; so it does on the way back."""
    make(conn, indexed=False)
    zero = literal([1.0] * 16)
    conn.execute("UPDATE docs SET embedding = %s WHERE embedding IS NULL", (zero,))
    conn.execute("ALTER TABLE docs ALTER embedding SET NOT NULL")
    conn.execute("UPDATE docs SET touched = 0")
    conn.execute("ALTER TABLE docs DISABLE TRIGGER touch")
    conn.execute("UPDATE docs SET touched = 0")
    db = dsn(conn)
    with pytest.raises(TargetError, match=r"is NOT NULL, and 1 rows have no text to embed.* e7"):
        run_reembed(db, NEW, target=EN)
    some = Target("docs", content_column="document", where="collection = 'english' AND id <> 'e7'")
    register_model(db, ENGLISH.signature(), target=some)
    before = others(conn)
    run_reembed(db, NEW, ReembedPlan(keep_old=True), target=some)
    check(conn, NEW, but="e7")
    rollback(db, target=some)
    assert conn.execute("SELECT embedding = %s FROM docs WHERE id IN ('e7', 'e8')", (zero,)).fetchall() == [(True,)] * 2
    assert others(conn) == before
