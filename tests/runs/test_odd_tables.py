"""Tables with something that a run would only meet late: it works, or is refused before anything is encoded."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support import Conn, FakeEmbedder, Said, check_space, literal, vectors

from vestige_sql import ReembedPlan, Target, finalize, rollback, run_reembed, stage_reembed
from vestige_sql.database import embedded
from vestige_sql.database.migrations import migrate_up
from vestige_sql.errors import CheckFailed, LockNotAvailable, TargetError
from vestige_sql.look.dry_run import dry_run_reembed
from vestige_sql.look.status import status

ROOT = Path(__file__).parents[2]
DOCUMENTS = Target("documents", content_column="body")
OLD, NEW = FakeEmbedder("old", 8), FakeEmbedder("new", 12)

Vestige = Callable[..., Said]


def do(conn: Conn, *statements: str) -> None:
    for statement in statements:
        conn.execute(statement)  # type: ignore[call-overload]


def make(conn: Conn, rows: int = 6) -> None:
    do(conn, "CREATE TABLE documents (id int PRIMARY KEY, body text, embedding vector(8))")
    for i in range(rows):
        conn.execute("INSERT INTO documents VALUES (%s, %s, NULL)", (i, f"text {i}"))


def check_refused(db: str, plan: ReembedPlan, match: str, target: Target = DOCUMENTS) -> TargetError:
    """A run is refused before anything is encoded, and no run is left open; so does a dry run say."""
    model = FakeEmbedder("another", 16)
    with pytest.raises(TargetError, match=match) as refused:
        run_reembed(db, model, plan, target=target)
    assert model.calls == 0
    assert status(db, target=target)["open_run"] is None
    return refused.value


# --- A generated text ---


@pytest.mark.parametrize("kind", ["STORED", "VIRTUAL"])
def test_a_generated_text(db: str, conn: Conn, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "VIRTUAL" and conn.info.server_version < 180000:
        pytest.skip("virtual columns came with PostgreSQL 18")
    do(
        conn,
        # json has no equality, and the text depends on a column with capitals and quotes.
        'CREATE TABLE documents (id int PRIMARY KEY, "Ti""tle" text, more json, apart int,'
        """ body text GENERATED ALWAYS AS ("Ti""tle" || coalesce(' ' || (more ->> 'x'), '')) """ + kind + ","
        " embedding vector(8))",
        """INSERT INTO documents SELECT i, 'text ' || i, '{"x": "more"}' FROM generate_series(1, 8) i""",
    )
    run_reembed(db, OLD, target=DOCUMENTS)
    check_space(conn, OLD, DOCUMENTS)

    def change() -> None:
        do(conn, """UPDATE documents SET "Ti""tle" = 'changed while filling' WHERE id = 1""")

    model = FakeEmbedder("new", 12, hook=lambda call, texts: change() if call == 1 else None)
    run_reembed(db, model, ReembedPlan(online=True), target=DOCUMENTS)
    check_space(conn, NEW, DOCUMENTS)

    do(
        conn,
        """UPDATE documents SET "Ti""tle" = 'changed' WHERE id < 3""",
        """UPDATE documents SET more = '{"x": "changed"}' WHERE id = 3""",
        "UPDATE documents SET more = NULL WHERE id = 4",
        "UPDATE documents SET apart = 1",
    )
    rollback(db, target=DOCUMENTS)
    found = vectors(conn, DOCUMENTS)
    assert [found[key][1] for key in ("1", "2", "3", "4")] == [None] * 4
    for key in ("5", "6", "7", "8"):
        text, vector = found[key]
        assert vector == list(OLD.vector(text)), key
    run_reembed(db, OLD, target=DOCUMENTS)
    check_space(conn, OLD, DOCUMENTS)


# --- Event triggers ---

LOGS = """CREATE FUNCTION logs() RETURNS event_trigger LANGUAGE plpgsql AS $$ DECLARE r record; BEGIN
    FOR r IN SELECT * FROM pg_event_trigger_ddl_commands() LOOP
        INSERT INTO {} VALUES (r.command_tag); END LOOP; END $$"""
REFUSES = """CREATE FUNCTION refuses() RETURNS event_trigger LANGUAGE plpgsql AS $$ DECLARE r record; BEGIN
    FOR r IN SELECT * FROM {} x WHERE {} LOOP RAISE EXCEPTION 'not outside of a window'; END LOOP; END $$"""
DROPPED, MADE = "pg_event_trigger_dropped_objects()", "pg_event_trigger_ddl_commands()"


@pytest.mark.parametrize(
    ("function", "event", "said"),
    [
        (LOGS.format("ddl_log"), "ddl_command_end", 'relation "ddl_log" does not exist'),
        (REFUSES.format(DROPPED, "true"), "sql_drop", "not outside of a window"),
        (REFUSES.format(DROPPED, "x.object_type = 'index'"), "sql_drop", "not outside"),
        (REFUSES.format(DROPPED, "x.schema_name = 'public'"), "sql_drop", "not outside"),
        (REFUSES.format("generate_series(1, 1)", "tg_tag = 'COMMENT'"), "ddl_command_start", "not outside"),
        (REFUSES.format("generate_series(1, 1)", "true"), "table_rewrite", "not outside"),
        (REFUSES.format(MADE, "x.command_tag = 'CREATE TRIGGER'"), "ddl_command_end", "not outside"),
    ],
)
def test_an_event_trigger_that_fails(
    db: str, conn: Conn, function: str, event: str, said: str, vestige: Vestige
) -> None:
    online = event == "ddl_command_end"
    make(conn)
    name = "logs" if "logs()" in function else "refuses"
    do(
        conn,
        "CREATE TABLE public.ddl_log (tag text)",
        "CREATE FUNCTION fine() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "CREATE EVENT TRIGGER fine ON ddl_command_start EXECUTE FUNCTION fine()",
        function,
        f'CREATE EVENT TRIGGER "{name} it" ON {event} EXECUTE FUNCTION {name}()',
    )
    refused = check_refused(db, ReembedPlan(online=online), said)
    assert f"of {name} it, see what the function does" in refused.hint
    assert "fine" not in refused.hint
    with pytest.raises(TargetError, match=said):
        stage_reembed(db, NEW, target=DOCUMENTS)
    # Who only looks tries nothing, and is answered.
    assert dry_run_reembed(db, NEW, target=DOCUMENTS).rows_to_update == 6
    assert (
        vestige("migrate", "probe", "--postgres-url", db, "--table", "documents", "--content-column", "body").code == 0
    )
    if name == "logs":
        do(conn, "ALTER FUNCTION logs() SET search_path = public")
    else:
        do(conn, 'ALTER EVENT TRIGGER "refuses it" DISABLE')
    run_reembed(db, NEW, ReembedPlan(online=online), target=DOCUMENTS)
    check_space(conn, NEW, DOCUMENTS)


def test_an_event_trigger_that_comes_later_is_named(db: str, conn: Conn) -> None:
    make(conn)

    def comes(call: int, texts: object) -> None:
        do(
            conn,
            REFUSES.format("generate_series(1, 1)", "tg_tag = 'CREATE INDEX'"),
            "CREATE EVENT TRIGGER late ON ddl_command_start EXECUTE FUNCTION refuses()",
        )

    model = FakeEmbedder("new", 12, hook=comes)
    with pytest.raises(CheckFailed, match=r"an event trigger of database .* fails .*: not outside of a window"):
        run_reembed(db, model, target=DOCUMENTS)
    do(conn, "ALTER EVENT TRIGGER late DISABLE")
    run_reembed(db, NEW, target=DOCUMENTS)
    check_space(conn, NEW, DOCUMENTS)


# --- Publications ---


@pytest.mark.parametrize(
    ("before", "publication", "refused"),
    [
        ("REPLICA IDENTITY NOTHING", "FOR TABLE documents", True),
        ("REPLICA IDENTITY NOTHING", "FOR ALL TABLES", True),
        ("REPLICA IDENTITY NOTHING", "FOR TABLE documents WITH (publish = 'insert, delete')", False),
        ("DROP CONSTRAINT documents_pkey, ADD UNIQUE (id)", "FOR TABLE documents", True),
        ("DROP CONSTRAINT documents_pkey, ADD UNIQUE (id), REPLICA IDENTITY FULL", "FOR TABLE documents", False),
        ("DROP CONSTRAINT documents_pkey, ADD UNIQUE (id), REPLICA IDENTITY USING INDEX documents_id_key",
         "FOR ALL TABLES", False),
        ("REPLICA IDENTITY DEFAULT", "FOR TABLE documents", False),
        ("REPLICA IDENTITY DEFAULT", "FOR TABLE documents (id, body)", False),
        ("REPLICA IDENTITY DEFAULT", "FOR TABLE documents (body)", True),
        ("REPLICA IDENTITY FULL", "FOR TABLE documents (id, body)", True),
        ("REPLICA IDENTITY DEFAULT", "FOR TABLE documents WHERE (id > 2)", False),
        ("REPLICA IDENTITY DEFAULT", "FOR TABLE documents WHERE (body > 'a')", True),
        ("REPLICA IDENTITY FULL", "FOR TABLE documents WHERE (body > 'a')", False),
    ],
)  # fmt: skip
def test_a_published_table_that_nobody_can_update(
    db: str, conn: Conn, before: str, publication: str, refused: bool
) -> None:
    make(conn)
    do(
        conn,
        "SET client_min_messages = error",
        f"ALTER TABLE documents {before}",
        f"CREATE PUBLICATION p {publication}",
    )
    # The server's own word for it.
    if refused:
        with pytest.raises(psycopg.Error, match="cannot update table"):
            do(conn, "UPDATE documents SET body = body WHERE false")
        for plan in (ReembedPlan(online=True), ReembedPlan(apply="swap"), ReembedPlan(apply="widen")):
            check_refused(db, plan, r"documents is published by p, .* nobody can update its rows")
        run_reembed(db, NEW, target=DOCUMENTS)
    else:
        run_reembed(db, NEW, ReembedPlan(online=True), target=DOCUMENTS)
    check_space(conn, NEW, DOCUMENTS)


# --- Casts ---

LENGTHS = """CREATE TABLE documents (id int PRIMARY KEY, body text, n int, "the ""v(1)" vector);
    CREATE INDEX eight ON documents USING hnsw (("the ""v(1)"::vector(8)) vector_cosine_ops) WHERE n = 8;
    INSERT INTO documents VALUES (1, 'text 1', 5, '[1,2,3,4,5]'), (2, 'text 2', 8, '[1,2,3,4,5,6,7,8]')"""


def test_an_index_for_one_dimension_of_several(db: str, conn: Conn) -> None:
    """A column of several dimensions is refused as a whole. Once it is of one, so are its indexes afterwards."""
    do(conn, *LENGTHS.split(";"))
    target = Target("documents", content_column="body", embedding_column='the "v(1)')
    do(conn, 'CREATE INDEX five ON documents USING hnsw (("the ""v(1)"::vector(5)) vector_l2_ops) WHERE n = 5')
    plans = (ReembedPlan(), ReembedPlan(apply="widen"), ReembedPlan(apply="swap"), ReembedPlan(online=True))
    for plan in plans:
        refused = check_refused(db, plan, r"vectors of several dimensions: 5 \(1 rows\), 8 \(1 rows\)", target)
        assert "--where \"n = '5'\" or --where \"n = '8'\"" in refused.hint
    do(conn, 'UPDATE documents SET "the ""v(1)" = NULL WHERE n = 5')
    for plan in plans:
        refused = check_refused(db, plan, r"index public\.(eight|five) .* of another dimension", target)
        assert "DROP INDEX public.five;" in refused.hint
    do(conn, "DROP INDEX five")
    run_reembed(db, NEW, target=target)
    check_space(conn, NEW, target)
    assert status(db, target=target)["indexes"][0]["name"] == "eight"
    run_reembed(db, OLD, ReembedPlan(online=True), target=target)
    check_space(conn, OLD, target)


# --- Row security ---


@pytest.fixture
def watcher(db: str, conn: Conn) -> Iterator[str]:
    """The conninfo of a role that may look at the table and the package."""
    role = f"vestige_watcher_{os.getpid()}"
    do(
        conn,
        f"CREATE ROLE {role} LOGIN PASSWORD 'secret'",
        f"GRANT USAGE ON SCHEMA vestige_sql TO {role}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA vestige_sql TO {role}",
    )
    yield make_conninfo(db, user=role, password="secret")
    do(conn, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_row_security_that_is_not_forced(db: str, conn: Conn, watcher: str, psql: str) -> None:
    make(conn)
    user = str(psycopg.conninfo.conninfo_to_dict(watcher)["user"])
    do(conn, f"GRANT SELECT ON documents TO {user}", "ALTER TABLE documents ENABLE ROW LEVEL SECURITY")
    with pytest.raises(TargetError) as refused:
        status(watcher, target=DOCUMENTS)
    assert str(refused.value) == f"public.documents has row level security, which may hide rows from role {user}"
    assert "run as its owner, " in refused.value.hint
    files = [a for name in ("20_of_the_server", "30_of_the_table") for a in ("-f", f"sql/probe/refusals/{name}.sql")]
    said = subprocess.run(
        [psql, "-XAtq1", "-v", "target=public.documents", "-v", "content_column=body", "-v", "verb=look",
         "-f", "sql/target.psql", *files, watcher],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert f"|row_security_of_others|public.documents|{refused.value}|{refused.value.hint}|" in said
    # Its owner is not held up.
    run_reembed(db, NEW, target=DOCUMENTS)
    check_space(conn, NEW, DOCUMENTS)


def test_a_vector_that_fits_beside_no_other(db: str, conn: Conn) -> None:
    """PLAIN vectors of a middle size: rewrite has room for one, and no other way has room for two."""
    model = FakeEmbedder("another", 1000)
    make(conn, 2)
    do(conn, "ALTER TABLE documents ALTER embedding TYPE vector(1100), ALTER embedding SET STORAGE PLAIN")
    conn.execute("UPDATE documents SET embedding = %s", (literal(FakeEmbedder("first", 1100).vector("x")),))
    for plan in (ReembedPlan(online=True), ReembedPlan(apply="swap")):
        with pytest.raises(TargetError, match="STORAGE PLAIN, and a row has no room for a vector of 1000 dimensions"):
            run_reembed(db, model, plan, target=DOCUMENTS)
    assert model.calls == 0
    run_reembed(db, model, target=DOCUMENTS)
    check_space(conn, model, DOCUMENTS)
    query = "SELECT attstorage::text FROM pg_attribute WHERE attrelid = 'documents'::regclass AND attname = 'embedding'"
    assert conn.execute(query).fetchone() == ("p",)


# --- Prepared transactions ---


def test_a_prepared_transaction_in_the_way_is_named(
    primary: tuple[str, Path], vestige: Vestige, monkeypatch: pytest.MonkeyPatch, psql: str
) -> None:
    url, folder = primary
    with psycopg.connect(url, autocommit=True) as server:
        do(server, "ALTER SYSTEM SET max_prepared_transactions = 2", "CREATE DATABASE prepared")
    embedded.stop(folder)
    db = make_conninfo(embedded.start(folder), dbname="prepared")
    monkeypatch.setattr("vestige_sql.reembed.apply._LONGEST_PAUSE_SECS", 0.01)
    monkeypatch.setattr("vestige_sql.reembed.apply._FIRST_PAUSE_SECS", 0.01)
    migrate_up(db, vestige=False)
    try:
        with psycopg.connect(db, autocommit=True) as conn:
            make(conn)
            do(conn, "BEGIN", "UPDATE documents SET body = body", "PREPARE TRANSACTION 'order-4711'")
            with pytest.raises(LockNotAvailable, match=r"prepared transaction 'order-4711' \(") as caught:
                run_reembed(db, NEW, ReembedPlan(lock_timeout_secs=0.02), target=DOCUMENTS)
            assert "COMMIT PREPARED or ROLLBACK PREPARED" in caught.value.hint
            at = ("--postgres-url", db, "--table", "documents", "--content-column", "body")
            assert "prepared    'order-4711' (" in vestige("migrate", "probe", *at).out
            said = subprocess.run(
                [psql, "-XAt", "-v", "target=documents", "-f", "sql/target.psql", "-f", "sql/probe/sessions.sql", db],
                cwd=ROOT, capture_output=True, text=True, check=True,
            ).stdout  # fmt: skip
            assert "|prepared transaction|prepared|RowExclusiveLock|t|" in said
            assert said.rstrip().endswith("|order-4711")
            do(conn, "COMMIT PREPARED 'order-4711'")
            run_reembed(db, NEW, target=DOCUMENTS)
            check_space(conn, NEW, DOCUMENTS)
    finally:
        with psycopg.connect(url, autocommit=True) as server:
            do(server, "DROP DATABASE prepared WITH (FORCE)")


# --- What REINDEX CONCURRENTLY leaves behind ---


def left_over(conn: Conn) -> None:
    """Indexes as a REINDEX CONCURRENTLY leaves them that fails while it builds, and before it drops the former one."""
    do(conn, "CREATE INDEX ix ON documents USING hnsw (embedding vector_cosine_ops)")
    for name in ("ix_ccnew", "ix_ccnew1", "ix_ccold"):
        do(
            conn,
            f"CREATE INDEX {name} ON documents USING hnsw (embedding vector_cosine_ops)",
            f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{name}'::regclass",
        )


def vector_indexes(conn: Conn, column: str = "embedding") -> list[str]:
    query = (
        "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid ="
    )
    query += f" 'documents'::regclass AND pg_get_indexdef(indexrelid) LIKE '%hnsw ({column} %' ORDER BY 1"
    return [name for (name,) in conn.execute(query)]  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "plan",
    [ReembedPlan(apply=way) for way in ("rewrite", "swap", "widen")]
    + [ReembedPlan(concurrent_index=True), ReembedPlan(drop_hnsw_first=False), ReembedPlan(online=True)],
    ids=["rewrite", "swap", "widen", "concurrent index", "indexes stay", "online"],
)
def test_an_index_that_a_reindex_left_over_is_not_built_again(
    db: str, conn: Conn, plan: ReembedPlan, vestige: Vestige
) -> None:
    make(conn)
    run_reembed(db, OLD, ReembedPlan(recall_sample=0), target=DOCUMENTS)
    do(conn, "DROP INDEX IF EXISTS idx_documents_embedding_hnsw")
    left_over(conn)
    # It is no index that is missing.
    assert run_reembed(db, OLD, target=DOCUMENTS).nothing_to_do
    at = ("--postgres-url", db, "--table", "documents", "--content-column", "body")
    said = vestige("migrate", "status", *at).out
    assert "index       ix (hnsw, valid)" in said
    assert "index       ix_ccold (hnsw, INVALID, left by a REINDEX CONCURRENTLY that failed: drop it)" in said
    run_reembed(db, NEW, plan, target=DOCUMENTS)
    check_space(conn, NEW, DOCUMENTS)
    assert vector_indexes(conn) == ["ix"]
    if plan.online:
        rollback(db, target=DOCUMENTS)
        check_space(conn, OLD, DOCUMENTS)
        run_names = vector_indexes(conn)
        assert "ix" in run_names
        assert finalize(db, target=DOCUMENTS) is not None
        run_reembed(db, NEW, target=DOCUMENTS)
        assert vector_indexes(conn) == ["ix"]


def test_an_index_of_such_a_name_that_stands_alone_is_an_index(db: str, conn: Conn) -> None:
    make(conn)
    do(conn, "CREATE INDEX my_ccnew ON documents USING hnsw (embedding vector_cosine_ops)")
    do(conn, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'my_ccnew'::regclass")
    run_reembed(db, NEW, target=DOCUMENTS)
    assert vector_indexes(conn) == ["my_ccnew"]
    assert conn.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'my_ccnew'::regclass").fetchone() == (True,)
