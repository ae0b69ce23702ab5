"""Texts that are an expression over a row's columns, in every mode."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support import Conn, FakeEmbedder, Points, catalog, dsn, literal
from test_by_hand import run_psql
from test_composite_keys import by_hand, left

from vestige_sql import (
    ReembedPlan,
    Target,
    abort_reembed,
    dry_run_reembed,
    finalize,
    register_model,
    rollback,
    run_reembed,
    stage_reembed,
)
from vestige_sql.doctor.examining import doctor
from vestige_sql.errors import StagedForAnother, TargetError, UsageError
from vestige_sql.look.preview import preview
from vestige_sql.look.script import script_staged
from vestige_sql.look.status import status
from vestige_sql.worker.plan import WorkerPlan
from vestige_sql.worker.working import run_worker

OLD, NEW = FakeEmbedder("old", 8), FakeEmbedder("new", 16)
ROWS = 40

TEXTS = {
    "title and body": "title || E'\\n' || coalesce(body, '')",
    "a key of a JSON": "payload ->> 'data'",
    "what psql and others would read otherwise": "title || $$ it's 100% :id :'id' \"größe\" \\n\n {} $$ "
    "|| \"odd: 'name' %s\"",
    "a case": "CASE WHEN n % 2 = 0 THEN title ELSE payload #>> '{data}' END",
    "a function of one's own": "public.spoken(documents.title)",
}


def target(expression: str = TEXTS["title and body"], **more: Any) -> Target:
    return Target("documents", content_expression=expression, **more)


def make(conn: Conn, expression: str, *, embedder: FakeEmbedder | None = OLD) -> None:
    """A table whose texts are an expression; some have none."""
    conn.execute("CREATE FUNCTION public.spoken(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''say '' || $1'")
    conn.execute(
        "CREATE TABLE documents (id bigint PRIMARY KEY, title varchar(60), body text, payload jsonb, n int,"
        " \"odd: 'name' %s\" text DEFAULT 'odd', embedding vector(8), touched timestamptz DEFAULT now())"
    )
    conn.execute(
        "INSERT INTO documents (id, title, body, payload, n) SELECT i, 'title ' || i,"
        " CASE WHEN i %% 3 > 0 THEN 'body ' || i END,"
        " jsonb_build_object('data', 'key ' || i, 'more', i), i FROM generate_series(1, %s) i",
        (ROWS,),
    )
    conn.execute("UPDATE documents SET title = NULL, payload = payload - 'data' WHERE id IN (7, 8)")
    if embedder is not None:
        for key, text in texts(conn, expression):
            if text:
                conn.execute("UPDATE documents SET embedding = %s WHERE id = %s", (literal(embedder.vector(text)), key))
        register_model(dsn(conn), embedder.signature(), target=target(expression))
    conn.execute("CREATE INDEX ON documents USING hnsw (embedding vector_cosine_ops)")
    conn.execute(
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN NEW.touched := clock_timestamp(); RETURN NEW; END'"
    )
    conn.execute("CREATE TRIGGER touch BEFORE UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION touch()")


def texts(conn: Conn, expression: str) -> list[tuple[int, str]]:
    return conn.execute(f"SELECT id, {expression} FROM documents ORDER BY id".encode()).fetchall()


def check(conn: Conn, embedder: FakeEmbedder, expression: str) -> None:
    """Every row with text has the model's vector of that text, every other none."""
    rows = conn.execute(f"SELECT id, {expression}, embedding::real[] FROM documents".encode()).fetchall()
    assert len(rows) >= ROWS - 2
    for key, text, vector in rows:
        assert vector == (list(embedder.vector(text)) if text and text.strip() else None), (key, text)


def others(conn: Conn) -> list[tuple[Any, ...]]:
    return conn.execute(
        "SELECT id, title, body, payload, n, \"odd: 'name' %s\", touched FROM documents ORDER BY id"
    ).fetchall()


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("way", ["rewrite", "swap", "widen", "online"])
def test_there_and_back(db: str, conn: Conn, kind: str, way: str) -> None:
    expression = TEXTS[kind]
    make(conn, expression)
    was, before = others(conn), catalog(conn, "documents")
    plan = ReembedPlan(online=True) if way == "online" else ReembedPlan(apply=way, keep_old=True)
    report = run_reembed(db, NEW, plan, target=target(expression))
    assert report.rows_updated + report.rows_blank == ROWS
    check(conn, NEW, expression)
    assert others(conn) == was
    assert run_reembed(db, NEW, target=target(expression)).nothing_to_do
    # Where nothing is named, the kept vectors say what the text is.
    rollback(db, target=Target("documents"))
    check(conn, OLD, expression)
    rollback(db, target=target(expression))
    check(conn, NEW, expression)
    finalize(db, target=Target("documents", content_column="title"))
    assert (others(conn), left(conn)) == (was, [])
    assert catalog(conn, "documents")["triggers"] == before["triggers"]


@pytest.mark.parametrize("online", [False, True])
def test_what_changes_meanwhile(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, online: bool) -> None:
    expression = "CASE WHEN n % 2 = 0 THEN title ELSE payload #>> '{data}' END || coalesce(body, '')"
    make(conn, expression)

    def change() -> None:
        for assignment in (
            "title = 'another' WHERE id IN (2, 4)",
            'payload = \'{"data": "new key"}\' WHERE id = 3',
            # what it reads, and the text stays
            "payload = payload || '{\"more\": 0}' WHERE id = 5",
            "n = n + 1 WHERE id = 6",
            "body = NULL WHERE id = 10",
            "title = NULL, payload = NULL WHERE id = 11",
            # what it does not read
            "\"odd: 'name' %s\" = 'changed' WHERE id = 12",
            "id = 1000 WHERE id = 13",
        ):
            conn.execute(f"UPDATE documents SET {assignment}".encode())
        conn.execute("INSERT INTO documents (id, title, n) VALUES (2000, 'inserted', 2)")
        conn.execute("DELETE FROM documents WHERE id = 14")

    if online:
        Points(monkeypatch).after("online/verify/20_remember_verified.sql", change)
        embedder = NEW
    else:
        embedder = FakeEmbedder("new", 16, hook=lambda call, _: change() if call == 1 else None)
    run_reembed(db, embedder, ReembedPlan(online=online, keep_old=not online), target=target(expression))
    check(conn, NEW, expression)
    # No former vector outlives its text.
    conn.execute("UPDATE documents SET title = 'after the switch' WHERE id IN (20, 21)")
    rollback(db, target=target(expression))
    found = conn.execute("SELECT id FROM documents WHERE embedding IS NULL ORDER BY id").fetchall()
    stale = {key for (key,) in found}
    assert {20, 2, 3, 4} <= stale
    run_reembed(db, OLD, target=target(expression))
    check(conn, OLD, expression)


def test_an_expression_that_fails_fails_no_write(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application's rows are written whatever the expression makes of them."""
    expression = "title || ' ' || (100 / n)::text"
    make(conn, expression)
    points = Points(monkeypatch)
    points.after(
        "online/verify/20_remember_verified.sql",
        lambda: conn.execute("UPDATE documents SET n = 0 WHERE id = 5"),
    )
    with pytest.raises(Exception, match="division by zero"):
        run_reembed(db, NEW, ReembedPlan(online=True), target=target(expression))
    assert conn.execute("SELECT n FROM documents WHERE id = 5").fetchone() == (0,)
    conn.execute("UPDATE documents SET n = 5 WHERE id = 5")
    run_reembed(db, NEW, ReembedPlan(online=True), target=target(expression))
    check(conn, NEW, expression)
    conn.execute("UPDATE documents SET n = 0 WHERE id = 6")


@pytest.mark.parametrize("means", ["files", "script", "plain script", "online"])
def test_in_psql(db: str, conn: Conn, psql: Path, tmp_path: Path, means: str) -> None:
    kind = "what psql and others would read otherwise"
    expression = TEXTS[kind]
    make(conn, expression)
    was = others(conn)
    stage_reembed(db, NEW, target=target(expression))
    if means == "files":
        by_hand(psql, db, "rewrite", "keep_old", one=True, more=("-v", "id=:'gotcha'"))
    elif means == "online":
        soon = ("-v", "lock_timeout=100ms")
        by_hand(psql, db, "online", "prepare", one=True, more=soon)
        conn.execute("UPDATE documents SET title = 'changed' WHERE id IN (4, 5)")
        for _ in range(3):
            by_hand(psql, db, "online", "fill", "quiet", one=False)
        by_hand(psql, db, "online", "save", one=True)
        by_hand(psql, db, "online", "index", one=False)
        by_hand(psql, db, "online", "verify", one=True)
        stage_reembed(db, NEW, target=Target("documents"))
        by_hand(psql, db, "online", "write", "quiet", one=False)
        by_hand(psql, db, "online", "switch", one=True, more=soon)
        by_hand(psql, db, "online", "forget", "quiet", one=False)
        by_hand(psql, db, "online", "clear", one=False)
    else:
        script = tmp_path / "script.sql"
        script.write_text(
            script_staged(db, ReembedPlan(apply="swap"), target=target(expression), plain=means != "script")
        )
        run_psql(psql, db, *(["-1"] if means != "script" else []), "-f", str(script))
    check(conn, NEW, expression)
    assert means == "online" or others(conn) == was
    assert run_reembed(db, NEW, target=target(expression)).nothing_to_do
    if means == "files":
        by_hand(psql, db, "rollback-table", one=True)
        check(conn, OLD, expression)
    elif means == "online":
        by_hand(psql, db, "rollback-column", one=True, more=soon)
        run_reembed(db, OLD, target=target(expression))
        check(conn, OLD, expression)


def test_another_text_is_noticed(db: str, conn: Conn) -> None:
    given = TEXTS["title and body"]
    make(conn, given)
    said = r"(?s)were made from the expression .*title.*, and this command reads the "
    for another in (target("title || body"), Target("documents", content_column="title")):
        with pytest.raises(TargetError, match=said) as refused:
            run_reembed(db, OLD, target=another)
        assert (
            "fill what is missing with --content-expression '(((title)::text || '\\''\n'\\''::text)"
            in refused.value.hint
        )
    # The same in other words, and after a column has got another name.
    same = "documents.\"title\" ||\n E'\\n' || COALESCE(body, '') -- both"
    assert run_reembed(db, OLD, target=target(same)).nothing_to_do
    conn.execute("ALTER TABLE documents RENAME title TO heading")
    conn.execute("ALTER TABLE documents RENAME body TO title")
    assert run_reembed(db, OLD, target=target("heading || E'\\n' || coalesce(title, '')")).nothing_to_do
    with pytest.raises(TargetError, match="were made from the expression"):
        run_reembed(db, OLD, target=target("title || E'\\n' || coalesce(heading, '')"))
    # A plain column is the same by either name.
    run_reembed(db, NEW, target=Target("documents", content_column="title"))
    assert run_reembed(db, NEW, target=target("title")).nothing_to_do
    with pytest.raises(TargetError, match="were made from the column title, and this command reads the expression"):
        run_reembed(db, NEW, target=target(given.replace("title", "heading").replace("body", "title")))


def test_a_run_goes_on_with_its_own_text(db: str, conn: Conn) -> None:
    given = TEXTS["a key of a JSON"]
    make(conn, given)
    stage_reembed(db, NEW, target=target(given))
    for another in (target("title"), Target("documents", content_column="title")):
        with pytest.raises(
            StagedForAnother, match=r"was begun with --content-expression .payload ->> 'data'::text., and this"
        ) as refused:
            run_reembed(db, NEW, target=another)
        assert "--content-expression '(payload ->> '\"'\"'data'\"'\"'::text)'" in refused.value.hint
    again = FakeEmbedder("new", 16)
    run_reembed(db, again, target=Target("documents"))
    assert again.texts == []
    check(conn, NEW, given)
    stage_reembed(db, OLD, target=target(given))
    abort_reembed(db, target=Target("documents"))
    assert left(conn) == []


def test_the_other_verbs(db: str, conn: Conn, vestige: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = TEXTS["title and body"]
    make(conn, given)
    options = ("--postgres-url", db, "--table", "documents", "--content-expression", given)
    found = vestige("migrate", "status", *options, "--json")
    assert (found.code, json.loads(found.out)["refused"]) == (0, [])
    assert dry_run_reembed(db, NEW, target=target(given)).rows_to_update == ROWS - 2
    findings = {finding["code"] for finding in doctor(db, target=target(given))["findings"]}
    assert not findings & {"not_asked", "vector_without_text", "missing_vector"}
    stage_reembed(db, NEW, target=target(given))
    assert preview(db, sample=5, target=target(given))["overlap"]
    assert vestige("migrate", "gate", *options).code == 0
    said = vestige("migrate", "sql", *options)
    assert said.code == 0, said.err
    assert "coalesce" in said.out.lower()
    # The worker keeps columns up to date.
    with pytest.raises(UsageError, match="the worker does not take --content-expression"):
        run_worker(db, lambda *_: OLD, WorkerPlan(once=True), targets=[(target(given), None)])
    with pytest.raises(psycopg.errors.DatabaseError, match=r"the text of public.documents is an expression"):
        conn.execute("SELECT * FROM vestige_sql.pending('documents')")
    # The text is one or the other.
    said = vestige("migrate", "status", *options, "--content-column", "title")
    assert (said.code, "either --content-column or --content-expression" in said.err) == (2, True)
    Path("vestige.toml").write_text(
        f'[targets.docs]\ntable = "documents"\ncontent_expression = {json.dumps(given)}\nmodel = "x"\ndimension = 16\n'
    )
    assert vestige("migrate", "gate", "docs", "--postgres-url", db).code == 0
    said = vestige("migrate", "gate", "docs", "--postgres-url", db, "--content-column", "title")
    assert "was begun with --content-expression" in said.err


def test_what_cannot_be_a_text(db: str, conn: Conn) -> None:
    make(conn, TEXTS["title and body"], embedder=None)
    new = FakeEmbedder("new", 16)
    for wrong in (
        "format('%s', title)",
        "title; DROP TABLE documents",
        "(SELECT title FROM documents LIMIT 1)",
        "n",
        "nothing",
    ):
        for ask in (dry_run_reembed, run_reembed, stage_reembed):
            with pytest.raises(TargetError, match=r"^--content-expression '.*' cannot be used: ") as refused:
                ask(db, new, target=target(wrong))
            assert refused.value.hint.endswith("nothing was written")
        with pytest.raises(TargetError, match="cannot be used"):
            status(db, target=target(wrong))
    for wrong in ("", " ", "a\0b"):
        with pytest.raises(UsageError):
            target(wrong)
    assert new.texts == []


def test_a_column_that_is_no_text_says_which_expression_is(db: str, conn: Conn) -> None:
    make(conn, TEXTS["a key of a JSON"], embedder=None)
    conn.execute(
        """ALTER TABLE documents ADD j json DEFAULT '{"b": 1, "it''s \\"said\\"": "so many words"}',"""
        " ADD x xml, ADD tags text[] DEFAULT '{a,b}', ADD bare jsonb"
    )
    for column, kind, option in (
        ("payload", "jsonb", """--content-expression "payload ->> 'data'"; its keys are more, data;"""),
        (
            "j",
            "json",
            r"""--content-expression 'j ->> '\''it'\'''\''s "said"'\'''; its keys are b, it's "said"; nothing""",
        ),
        ("bare", "jsonb", """--content-expression "bare ->> 'KEY'"; nothing was written"""),
        ("x", "xml", '--content-expression "x::text", or another'),
        ("tags", "text[]", '--content-expression "public.joined(tags)", with a function of your own such as CREATE'),
    ):
        for ask in (dry_run_reembed, run_reembed, stage_reembed):
            new = FakeEmbedder("new", 16)
            with pytest.raises(TargetError, match=r"is of type .*, which is no text") as refused:
                ask(db, new, target=Target("documents", content_column=column))
            assert str(refused.value) == f"public.documents.{column} is of type {kind}, which is no text"
            assert option in refused.value.hint, refused.value.hint
            assert new.texts == []
    assert run_reembed(db, NEW, target=target("""j ->> 'it''s "said"'""")).rows_updated == ROWS
