"""Whose vectors are in a column: the registry knows the table, the column and the database, whatever they are called.

Each case does what other people do to tables and databases, and then asks every verb. Either each vector is known to be
of the model that is registered, or the verb refuses and says how to register it; what it says is then typed, and works.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support import Conn, FakeEmbedder, Points, check_space, connected, literal, seed, table_name

from vestige_sql import (
    VESTIGE,
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
from vestige_sql.errors import ModelMismatch, StagedForAnother, TargetError, VestigeError
from vestige_sql.look.preview import preview
from vestige_sql.look.status import status
from vestige_sql.look.target import ask_gate
from vestige_sql.resources import resource_dir
from vestige_sql.steps import plans
from vestige_sql.vestige.search import search

SQL = resource_dir("sql")
A, B = FakeEmbedder("a", 8), FakeEmbedder("b", 8)
ROWS = 6

Databases = Callable[[], AbstractContextManager[str]]


def a() -> FakeEmbedder:
    """The model A, with its own count of texts."""
    return FakeEmbedder("a", 8)


def b() -> FakeEmbedder:
    return FakeEmbedder("b", 8)


def target(table: str = "documents", **columns: str) -> Target:
    return Target(table, **({"content_column": "body", "embedding_column": "embedding"} | columns))


def make(conn: Conn, table: str = "documents", rows: int = ROWS) -> Target:
    conn.execute(
        f"CREATE TABLE {table} (id int PRIMARY KEY, title text, body text, embedding vector(8))"  # type: ignore[call-overload]
    )
    conn.execute(f"INSERT INTO {table} SELECT g, 't' || g, 'text ' || g FROM generate_series(1, {rows}) g")  # type: ignore[call-overload]
    return target(table)


def embedded(db: str, conn: Conn, table: str, model: FakeEmbedder) -> Target:
    made = make(conn, table)
    run_reembed(db, model, target=made)
    return made


def whose(conn: Conn, of: Target, content: str = "body", column: str = "embedding") -> set[str | None]:
    """The models whose vectors of the rows' very texts are there: None where there is none, "?" for no model."""
    query = sql.SQL("SELECT {}, {}::text FROM {}").format(
        sql.Identifier(content), sql.Identifier(column), table_name(of)
    )

    def of_row(text: str, vector: str | None) -> str | None:
        if vector is None:
            return None
        found = [m.model_name for m in (A, B) if literal(m.vector(text)) == literal(eval(vector))]
        return found[0] if found else "?"

    return {of_row(*row) for row in conn.execute(query)}


def add(conn: Conn, of: Target, key: int = 99, text: str = "a new one") -> None:
    conn.execute(sql.SQL("INSERT INTO {} (id, title, body) VALUES (%s, 't', %s)").format(table_name(of)), (key, text))


def do(conn: Conn, *statements: str) -> None:
    for statement in statements:
        conn.execute(statement)  # type: ignore[call-overload]


def verbs(db: str, model: FakeEmbedder, of: Target) -> dict[str, Callable[[], object]]:
    return {
        "reembed": lambda: run_reembed(db, model, target=of),
        "online": lambda: run_reembed(db, model, ReembedPlan(online=True), target=of),
        "dry run": lambda: dry_run_reembed(db, model, target=of),
        "stage": lambda: stage_reembed(db, model, target=of),
    }


def reembeds(db: str, model: FakeEmbedder, of: Target) -> dict[str, Callable[[], object]]:
    return {"reembed": lambda: run_reembed(db, model, target=of)}


def refused_everywhere(db: str, conn: Conn, of: Target, *, why: str) -> str:
    """Ask each verb, for the model of the registry and for another; return the hint that all of them give."""
    before = whose(conn, of)
    hints = set()
    for model, asks in ((a(), verbs), (FakeEmbedder("c", 16), reembeds)):
        for verb, ask in asks(db, model, of).items():
            with pytest.raises(TargetError, match="nobody knows of which model the vectors") as refused:
                ask()
            assert re.search(why, str(refused.value)), verb
            hints.add(refused.value.hint)
            assert model.calls == 0, verb
    for other in (lambda: ask_gate(db, target=of), lambda: preview(db, sample=3, target=of)):
        with pytest.raises(TargetError, match="nobody knows of which model the vectors"):
            other()
    said = status(db, target=of)
    assert said["model"] is None
    assert [row["what"] for row in said["refused"]] == ["unknown_vectors"]
    assert whose(conn, of) == before
    (hint,) = hints
    return hint


def typed(hint: str, verb: str) -> Target:
    """The target that the command in the hint names, as a shell reads it."""
    found = re.search(rf"vestige-sql migrate {verb} (.*?);", hint)
    assert found is not None, hint
    words = shlex.split(found[1].replace("--model MODEL", ""))
    options = dict(zip(words[::2], words[1::2], strict=True))
    return Target(
        options["--table"],
        content_column=options.get("--content-column", "content"),
        embedding_column=options.get("--embedding-column", "embedding"),
    )


# --- Tables that change names ---


EXCHANGES = {
    "rename": (
        "ALTER TABLE documents RENAME TO documents_old",
        "ALTER TABLE documents_new RENAME TO documents",
    ),
    "three renames": (
        "ALTER TABLE documents RENAME TO passing",
        "ALTER TABLE documents_new RENAME TO documents",
        "ALTER TABLE passing RENAME TO documents_new",
    ),
    "set schema": (
        "CREATE SCHEMA old",
        "ALTER TABLE documents SET SCHEMA old",
        "ALTER TABLE documents_new RENAME TO documents",
    ),
    "schemas": (
        "CREATE SCHEMA old",
        "ALTER TABLE documents SET SCHEMA old",
        "ALTER TABLE documents_new RENAME TO documents",
        "ALTER TABLE old.documents RENAME TO documents_new",
    ),
}


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_after_an_exchange_each_table_has_its_own_model(db: str, conn: Conn, exchange: str) -> None:
    embedded(db, conn, "documents", A)
    embedded(db, conn, "documents_new", B)
    do(conn, *EXCHANGES[exchange])
    add(conn, target())
    assert status(db, target=target())["model"] == B.signature()

    filled = b()
    run_reembed(db, filled, target=target())
    assert filled.texts == ["a new one"]
    assert whose(conn, target()) == {"b"}

    add(conn, target(), 100, "another")
    run_reembed(db, a(), target=target())
    assert whose(conn, target()) == {"a"}
    other = {"rename": "documents_old", "set schema": "old.documents", "schemas": "old.documents_new"}
    where = target(other.get(exchange, "documents_new"))
    assert status(db, target=where)["model"] == A.signature()
    assert whose(conn, where) == {"a"}
    run_reembed(db, b(), target=where)
    assert (status(db, target=where)["model"], status(db, target=target())["model"]) == (B.signature(), A.signature())


def test_a_table_that_is_renamed_keeps_its_model(db: str, conn: Conn) -> None:
    embedded(db, conn, "documents", A)
    do(conn, "ALTER TABLE documents RENAME TO papers", "ALTER TABLE papers RENAME embedding TO vec",
       "ALTER TABLE papers RENAME body TO words", "CREATE SCHEMA app", "ALTER TABLE papers SET SCHEMA app")  # fmt: skip
    papers = target("app.papers", content_column="words", embedding_column="vec")
    do(conn, "INSERT INTO app.papers VALUES (99, 't', 'a new one')")
    filled = a()
    run_reembed(db, filled, target=papers)
    assert filled.texts == ["a new one"]
    # And a table that gets the name that is free has none.
    fresh = make(conn)
    run_reembed(db, b(), target=fresh)
    assert status(db, target=papers)["model"] == A.signature()
    assert whose(conn, fresh) == {"b"}


def test_two_columns_that_change_names_have_their_own_models(db: str, conn: Conn) -> None:
    made = embedded(db, conn, "documents", A)
    do(conn, "ALTER TABLE documents ADD other vector(8)")
    run_reembed(db, B, target=target(embedding_column="other"))
    do(conn, "ALTER TABLE documents RENAME embedding TO passing", "ALTER TABLE documents RENAME other TO embedding",
       "ALTER TABLE documents RENAME passing TO other")  # fmt: skip
    add(conn, made)
    run_reembed(db, b(), target=made)
    run_reembed(db, a(), target=target(embedding_column="other"))
    assert (whose(conn, made), whose(conn, made, column="other")) == ({"b"}, {"a"})


# --- Tables and columns that are made anew ---


COPIED = "SELECT id, title, body, embedding FROM loaded"

ANEW = {
    "drop and create": (
        "DROP TABLE documents",
        "CREATE TABLE documents (LIKE loaded INCLUDING ALL)",
        f"INSERT INTO documents {COPIED}",
    ),
    "create table as": (
        "DROP TABLE documents",
        f"CREATE TABLE documents AS {COPIED}",
        "ALTER TABLE documents ADD PRIMARY KEY (id)",
    ),
    "a column made anew": (
        "ALTER TABLE documents DROP embedding, ADD embedding vector(8)",
        "UPDATE documents d SET embedding = l.embedding FROM loaded l WHERE l.id = d.id",
    ),
    "a column renamed away": (
        "ALTER TABLE documents RENAME embedding TO former",
        "ALTER TABLE documents ADD embedding vector(8)",
        "UPDATE documents d SET embedding = l.embedding FROM loaded l WHERE l.id = d.id",
    ),
    "a table renamed away": (
        "ALTER TABLE documents RENAME TO former",
        f"CREATE TABLE documents AS {COPIED}",
        "ALTER TABLE documents ADD PRIMARY KEY (id)",
    ),
}

WHY = {
    "drop and create": "a table of this name that is gone",
    "create table as": "a table of this name that is gone",
    "a column made anew": "a column of this name that was here before",
    "a column renamed away": "a column of this name that was here before",
    "a table renamed away": r"the table that is called public\.former by now",
}


def anew(db: str, conn: Conn, case: str) -> Target:
    """A table of which the registry says A, with vectors of B that the application brought."""
    made = embedded(db, conn, "documents", A)
    embedded(db, conn, "loaded", B)
    do(conn, *ANEW[case])
    assert whose(conn, made) == {"b"}
    return made


@pytest.mark.parametrize("case", ANEW)
def test_what_is_made_anew_is_refused_until_it_is_registered(db: str, conn: Conn, case: str) -> None:
    made = anew(db, conn, case)
    hint = refused_everywhere(db, conn, made, why=WHY[case])
    said = typed(hint, "register")
    assert (said.table, said.content_column, said.embedding_column) == ("public.documents", "body", "embedding")
    assert register_model(db, B.signature(), target=said)
    assert not register_model(db, B.signature(), target=said)
    with pytest.raises(ModelMismatch):
        register_model(db, A.signature(), target=said)
    add(conn, made)
    run_reembed(db, b(), target=made)
    assert whose(conn, made) == {"b"}


@pytest.mark.parametrize("case", ["drop and create", "a column renamed away"])
def test_what_is_forgotten_is_embedded_anew(db: str, conn: Conn, case: str) -> None:
    made = anew(db, conn, case)
    hint = refused_everywhere(db, conn, made, why=WHY[case])
    found = re.search(r'psql "\$DATABASE_URL" -c "(.*)"; nothing was written', hint)
    assert found is not None
    do(conn, found[1])
    run_reembed(db, a(), target=made)
    assert whose(conn, made) == {"a"}


def test_a_table_made_anew_without_vectors_is_as_one_that_nobody_registered(db: str, conn: Conn) -> None:
    embedded(db, conn, "documents", A)
    do(conn, "DROP TABLE documents")
    made = make(conn)
    assert status(db, target=made)["refused"] == []
    run_reembed(db, b(), target=made)
    assert whose(conn, made) == {"b"}
    assert status(db, target=made)["model"] == B.signature()


def test_truncate_and_every_way_keep_what_is_known(db: str, conn: Conn) -> None:
    made = embedded(db, conn, "documents", A)
    do(conn, "TRUNCATE documents")
    add(conn, made)
    run_reembed(db, a(), target=made)
    model, other = b(), a()
    for way in ("rewrite", "swap", "widen"):
        run_reembed(db, model, ReembedPlan(apply=way), target=made)
        assert run_reembed(db, model, target=made).nothing_to_do
        model, other = other, model
    run_reembed(db, model, ReembedPlan(online=True, recall_sample=0), target=made)
    assert status(db, target=made)["model"] == model.signature()
    rollback(db, target=made)
    assert status(db, target=made)["model"] == other.signature()
    do(conn, "VACUUM FULL documents", "VACUUM FULL vestige_sql.home", "VACUUM (FREEZE) vestige_sql.home")
    assert run_reembed(db, other, target=made).nothing_to_do


# --- Databases ---


def restored(db: str, empty: str, pg_dump: Callable[[str], str], psql: str) -> None:
    # A newer pg_dump says what an older server does not know.
    script = re.sub(r"(?m)^SET transaction_timeout = 0;$", "", pg_dump(db))
    done = subprocess.run(
        [psql, "-Xq", "-v", "ON_ERROR_STOP=1", empty], input=script, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_came_by_dump_and_restore_is_registered_again(
    db: str, conn: Conn, empty_db: str, pg_dump: Callable[[str], str], psql: str
) -> None:
    made = embedded(db, conn, "documents", A)
    restored(db, empty_db, pg_dump, psql)
    with connected(empty_db) as there:
        hint = refused_everywhere(
            empty_db, there, made, why="the registry says a, and it came here by dump and restore"
        )
        assert "--model a --dimension 8" in hint
        assert register_model(empty_db, A.signature(), target=typed(hint.replace("--model a", ""), "register"))
        add(there, made)
        run_reembed(empty_db, a(), target=made)
        assert whose(there, made) == {"a"}
        assert run_reembed(empty_db, a(), target=made).nothing_to_do
    # The database that it came from is as it was.
    assert run_reembed(db, a(), target=made).nothing_to_do


def test_a_whole_database_that_came_from_one_dump(
    db: str, conn: Conn, empty_db: str, pg_dump: Callable[[str], str], psql: str
) -> None:
    """A person's word does for all of its tables, open runs and kept vectors."""
    made = embedded(db, conn, "documents", A)
    run_reembed(db, b(), ReembedPlan(keep_old=True), target=made)
    other = embedded(db, conn, "others", A)
    half_way(db, other, online=True)
    restored(db, empty_db, pg_dump, psql)
    with connected(empty_db) as there:
        with pytest.raises(TargetError, match="came here by dump and restore") as refused:
            run_reembed(empty_db, b(), target=made)
        with pytest.raises(TargetError, match="came here by dump and restore"):
            rollback(empty_db, target=made)
        found = re.search(r'if the whole database .*? -c "(.*?)"; ', refused.value.hint)
        assert found is not None
        assert sorted(row[0] for row in there.execute(found[1])) == [  # type: ignore[call-overload]
            "public.documents.embedding",
            "public.others.embedding",
        ]
        assert run_reembed(empty_db, b(), target=made).nothing_to_do
        rollback(empty_db, target=made)
        assert whose(there, made) == {"a"}
        run_reembed(empty_db, b(), ReembedPlan(online=True, recall_sample=0), target=other)
        assert whose(there, other) == {"b"}
        rollback(empty_db, target=other)
        assert whose(there, other) == {"a"}


def test_rows_of_another_moment_are_not_vouched_for(
    db: str, conn: Conn, pg_dump: Callable[[str], str], psql: str
) -> None:
    """The table alone is restored, from before the model changed, into the database that went on."""
    made = embedded(db, conn, "documents", A)
    dumped = pg_dump(db)
    run_reembed(db, b(), target=made)
    do(conn, "DROP TABLE documents")
    begin = dumped.index("CREATE TABLE public.documents")
    data = re.search(r"(?ms)^COPY public\.documents .*?^\\\.$", dumped)
    assert data is not None
    table = dumped[begin : dumped.index(";", begin) + 1]
    subprocess.run([psql, "-Xq", db], input=f"{table}\n{data[0]}\n", text=True, check=True, capture_output=True)
    do(conn, "ALTER TABLE documents ADD PRIMARY KEY (id)")
    assert whose(conn, made) == {"a"}
    refused_everywhere(db, conn, made, why="b is registered for a table of this name that is gone")


def test_the_registry_alone_restored_is_not_believed(
    db: str, conn: Conn, databases: Databases, pg_dump: Callable[[str], str], psql: str
) -> None:
    """Rows of vestige_sql come from another database, into tables that migrate up made here."""
    embedded(db, conn, "documents", A)
    copies = re.findall(r"(?ms)^COPY vestige_sql\.(?:home|model) .*?^\\\.$", pg_dump(db))
    assert len(copies) == 2
    with databases() as here, connected(here) as there:
        made = make(there)
        there.execute("UPDATE documents SET embedding = %s", (literal(B.vector("x")),))
        text = "\n".join(["DELETE FROM vestige_sql.model;", "DELETE FROM vestige_sql.home;", *copies, ""])
        subprocess.run([psql, "-Xq", here], input=text, text=True, check=True, capture_output=True)
        refused_everywhere(here, there, made, why="by dump and restore")


def test_a_copy_of_the_files_is_known(server_url: str, db: str, conn: Conn) -> None:
    """CREATE DATABASE .. TEMPLATE copies table and registry in one piece, as a base backup or pg_upgrade does."""
    made = embedded(db, conn, "documents", A)
    stage_reembed(db, b(), target=made)
    conn.close()
    name = conninfo_to_dict(db)["dbname"]
    copy = f"{name}_copy"
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            (name,),
        )
        server.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{name}"')  # type: ignore[call-overload]
        try:
            there = make_conninfo(db, dbname=copy)
            assert status(there, target=made)["model"] == A.signature()
            apply_staged(there, target=made)
            with connected(there) as other:
                assert whose(other, made) == {"b"}
        finally:
            server.execute(f'DROP DATABASE "{copy}" WITH (FORCE)')  # type: ignore[call-overload]


# --- Vestige's own table, whose registry is beside it ---


def test_vestiges_table_exchanged_for_another(db: str, conn: Conn) -> None:
    seed(conn, 5, A)
    do(conn, "CREATE TABLE knowledge_nodes_new (LIKE knowledge_nodes INCLUDING ALL)",
       "INSERT INTO knowledge_nodes_new (id, content) SELECT id, content FROM knowledge_nodes")  # fmt: skip
    new = Target("knowledge_nodes_new", content_column="content")
    run_reembed(db, b(), target=new)
    do(conn, "ALTER TABLE knowledge_nodes RENAME TO knowledge_nodes_old",
       "ALTER TABLE knowledge_nodes_new RENAME TO knowledge_nodes")  # fmt: skip
    hint = refused_everywhere_vestige(db, conn)
    assert register_model(db, B.signature(), target=typed(hint, "register"))
    check_space(conn, B)
    assert [r.content for r in search(db, "memory number 2", b(), mode="vector", limit=1)] == ["memory number 2"]


def test_vestiges_registry_restored_from_another_moment(db: str, conn: Conn) -> None:
    seed(conn, 5, A)
    before = conn.execute("SELECT model_name, model_hash FROM embedding_model").fetchone()
    run_reembed(db, b())
    conn.execute("UPDATE embedding_model SET model_name = %s, model_hash = %s", before)
    hint = refused_everywhere_vestige(db, conn)
    assert register_model(db, B.signature(), target=typed(hint, "register"))
    check_space(conn, B)


def test_vestiges_own_registration_holds(db: str, conn: Conn) -> None:
    """What Vestige itself wrote, and the package never, is believed."""
    seed(conn, 5)
    for row in conn.execute("SELECT id, content FROM knowledge_nodes").fetchall():
        conn.execute("UPDATE knowledge_nodes SET embedding = %s WHERE id = %s", (literal(A.vector(row[1])), row[0]))
    do(conn, "ALTER TABLE knowledge_nodes ALTER embedding TYPE vector(8)")
    signature = A.signature()
    conn.execute(
        "INSERT INTO embedding_model (id, model_name, dimension, model_hash) VALUES (1, %s, %s, %s)",
        (signature.name, signature.dimension, signature.hash),
    )
    assert status(db)["model"] == signature
    assert search(db, "memory number 2", a(), mode="vector", limit=1)
    run_reembed(db, b())
    check_space(conn, B)


def refused_everywhere_vestige(db: str, conn: Conn) -> str:
    for model in (a(), b()):
        for verb, ask in verbs(db, model, VESTIGE).items():
            with pytest.raises(TargetError, match="nobody knows of which model the vectors") as refused:
                ask()
            assert model.calls == 0, verb
        for mode in ("vector", "hybrid"):
            with pytest.raises(
                VestigeError, match=r"nobody knows of which model the vectors|and the registered model of"
            ):
                search(db, "memory number 2", model, mode=mode)
    assert status(db)["model"] is None
    with connected(db) as there:
        row = there.execute("SELECT content FROM knowledge_nodes LIMIT 1").fetchone()
    assert row is not None
    return refused.value.hint


# --- Runs that are open, and vectors that are kept ---


@pytest.mark.parametrize("online", [False, True])
def test_a_run_of_a_table_that_was_exchanged(db: str, conn: Conn, online: bool) -> None:
    """Both tables say where the run is; it is undone under the table's own name, and both go on."""
    embedded(db, conn, "documents", A)
    embedded(db, conn, "documents_new", A)
    half_way(db, target(), online)
    do(conn, *EXCHANGES["rename"])
    for plan in (ReembedPlan(), ReembedPlan(online=True)):
        with pytest.raises(
            TargetError, match=r"is open under the name .*, and it was begun on the table that is called"
        ) as no:
            run_reembed(db, b(), plan, target=target())
    with pytest.raises(TargetError, match="is open under the name"):
        abort_reembed(db, target=target())
    assert typed(no.value.hint, "abort").table == "public.documents_old"
    with pytest.raises(StagedForAnother, match="is under way on"):
        run_reembed(db, b(), target=target("documents_old"))
    assert abort_reembed(db, target=typed(no.value.hint, "abort"))
    for table in ("documents", "documents_old"):
        run_reembed(db, b(), target=target(table))
        assert whose(conn, target(table)) == {"b"}
    assert second_columns(conn) == []


@pytest.mark.parametrize("online", [False, True])
def test_a_run_of_a_table_that_is_gone(db: str, conn: Conn, online: bool) -> None:
    embedded(db, conn, "documents", A)
    half_way(db, target(), online)
    do(conn, "DROP TABLE documents")
    make(conn)
    with pytest.raises(TargetError, match="it was begun on a table of this name that is gone") as refused:
        run_reembed(db, b(), target=target())
    assert abort_reembed(db, target=typed(refused.value.hint, "abort"))
    run_reembed(db, b(), target=target())
    assert whose(conn, target()) == {"b"}


def test_runs_of_two_tables_that_changed_names(db: str, conn: Conn) -> None:
    """Each of the two names has the other table's run."""
    embedded(db, conn, "documents", A)
    embedded(db, conn, "documents_new", A)
    for table in ("documents", "documents_new"):
        half_way(db, target(table), online=True)
    do(conn, *EXCHANGES["three renames"])
    for table in ("documents", "documents_new"):
        assert abort_reembed(db, target=target(table))
    assert second_columns(conn) == []
    for table in ("documents", "documents_new"):
        run_reembed(db, b(), target=target(table))


def half_way(db: str, of: Target, online: bool) -> None:
    """Stop a run to B once all is staged, or online once its second column is filled."""
    if not online:
        stage_reembed(db, b(), target=of)
        return

    def stop() -> None:
        raise Stopped

    with pytest.MonkeyPatch.context() as patch:
        Points(patch).before("online/verify/10_note_unfilled.sql", stop)
        with pytest.raises(Stopped):
            run_reembed(db, b(), ReembedPlan(online=True), target=of)


class Stopped(Exception):
    """What a run is stopped by: nothing that it knows."""


def second_columns(conn: Conn) -> list[Any]:
    """What runs have added to tables."""
    return conn.execute(
        "SELECT attrelid::regclass::text, attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid"
        " WHERE attname ~ '^(former_)?embedding_' AND relkind = 'r' AND NOT attisdropped"
        " UNION ALL SELECT tgrelid::regclass::text, tgname FROM pg_trigger"
        " WHERE NOT tgisinternal AND tgname ~ 'vestige_sql' ORDER BY 1, 2"
    ).fetchall()


@pytest.mark.parametrize("plan", [ReembedPlan(online=True, recall_sample=0), ReembedPlan(keep_old=True)])
def test_vectors_kept_of_a_table_that_was_exchanged(db: str, conn: Conn, plan: ReembedPlan) -> None:
    embedded(db, conn, "documents", A)
    run_reembed(db, b(), plan, target=target())
    embedded(db, conn, "documents_new", A)
    do(conn, *EXCHANGES["rename"])
    for ask in (
        lambda: rollback(db, target=target()),
        lambda: finalize(db, target=target()),
        lambda: run_reembed(db, b(), target=target()),
    ):
        with pytest.raises(
            TargetError, match=r"former vectors are kept under the name .* the table that is called"
        ) as refused:
            ask()
    with pytest.raises(TargetError, match=r"are kept under the name public.documents.embedding, which it had then"):
        rollback(db, target=target("documents_old"))
    assert (whose(conn, target()), whose(conn, target("documents_old"))) == ({"a"}, {"b"})
    assert typed(refused.value.hint, "finalize").table == "public.documents_old"
    done = finalize(db, target=target("documents_old"))
    assert done is not None and (done.model, done.vectors) == (A.signature(), ROWS)
    assert second_columns(conn) == []
    assert finalize(db, target=target()) is None
    run_reembed(db, b(), plan, target=target())
    rollback(db, target=target())
    assert whose(conn, target()) == {"a"}


def test_vectors_kept_of_a_table_that_is_gone(db: str, conn: Conn) -> None:
    embedded(db, conn, "documents", A)
    run_reembed(db, b(), ReembedPlan(keep_old=True), target=target())
    do(conn, "DROP TABLE documents")
    make(conn)
    with pytest.raises(TargetError, match="of a table of this name that is gone"):
        rollback(db, target=target())
    assert finalize(db, target=target()) is not None
    run_reembed(db, a(), ReembedPlan(keep_old=True), target=target())


# --- Another text ---


@pytest.mark.parametrize("missing", [True, False])
def test_another_content_column_is_noticed_at_rest(db: str, conn: Conn, missing: bool) -> None:
    made = embedded(db, conn, "documents", A)
    if missing:
        add(conn, made)
    titles = target(content_column="title")
    for ask in verbs(db, a(), titles).values():
        with pytest.raises(
            TargetError, match="were made from the column body, and this command reads the column title"
        ):
            ask()
    assert [row["what"] for row in status(db, target=titles)["refused"]] == ["another_text"]
    assert whose(conn, made) == ({"a", None} if missing else {"a"})
    # Another model may read another column: then every row is made from it.
    noted = run_reembed(db, b(), target=titles).notes
    assert any("were made from the column body" in note for note in noted)
    assert whose(conn, titles, "title") == {"b"}
    with pytest.raises(TargetError, match="were made from the column title, and this command reads the column body"):
        run_reembed(db, b(), target=made)


def test_a_content_column_that_is_renamed_is_the_same(db: str, conn: Conn) -> None:
    embedded(db, conn, "documents", A)
    do(conn, "ALTER TABLE documents RENAME body TO words")
    assert run_reembed(db, a(), target=target(content_column="words")).nothing_to_do
    do(conn, "ALTER TABLE documents RENAME title TO body")
    with pytest.raises(TargetError, match="were made from the column words, and this command reads the column body"):
        run_reembed(db, a(), target=target())


# --- By psql alone ---


def by_hand(psql: str, db: str, plan: str, *options: str, table: str = "documents") -> subprocess.CompletedProcess[str]:
    names = ["session/10_set_limits.sql", "variables.psql", "session/claim_run.sql"]
    names += [step.name for step in plans.load(plan).steps()]
    files = [argument for name in names for argument in ("-f", str(SQL / name))]
    return subprocess.run(
        [psql, "-X", "-1", "-v", "ON_ERROR_STOP=1", "-v", f"target={table}", *options, *files, db],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("plan", ["rewrite", "rollback-table", "finalize-table"])
def test_psql_refuses_a_table_that_was_exchanged(db: str, conn: Conn, psql: str, plan: str) -> None:
    embedded(db, conn, "documents", A)
    if plan == "rewrite":
        stage_reembed(db, b(), target=target())
    else:
        run_reembed(db, b(), ReembedPlan(keep_old=True), target=target())
    embedded(db, conn, "documents_new", A)
    do(conn, *EXCHANGES["rename"])
    said = by_hand(psql, db, plan, "-v", "way=rewrite")
    assert said.returncode != 0
    assert "the table that is called public.documents_old by now" in said.stderr
    assert whose(conn, target()) == {"a"}
