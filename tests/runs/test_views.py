"""Views that use the column: --recreate-views drops them and makes them again, exactly, or names what it cannot."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from support import Conn, check_space
from test_any_table import DOCUMENTS, NEW, OLD, has_halfvec, make, one, run_sql
from test_by_hand import files, run_psql

from vestige_sql import (
    ReembedPlan,
    apply_reembed,
    dry_run_reembed,
    finalize,
    register_model,
    rollback,
    run_reembed,
    stage_reembed,
)
from vestige_sql.errors import TargetError, VestigeError
from vestige_sql.look.script import script_staged
from vestige_sql.look.target import ask_gate
from vestige_sql.reembed.verbs import apply_staged
from vestige_sql.resources import resource_dir

Dump = Callable[[str], str]

AGAIN = {"recreate_views": True, "recall_sample": 0}
PLANS = [ReembedPlan(apply=way, **AGAIN) for way in ("rewrite", "widen", "swap")] + [ReembedPlan(online=True, **AGAIN)]  # type: ignore[arg-type]

HEAD = [
    part
    for name in ("transaction/10_set_limits.sql", "variables.psql", "transaction/20_claim_run.sql")
    for part in ("-f", str(resource_dir("sql") / name))
]

# Everything that a view may have. {o} owns one and {r} reads them.
EVERYTHING = """
CREATE SCHEMA "Odd app"
CREATE TABLE noted (id bigint, what text)
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN INSERT INTO public.noted VALUES (NEW.number, TG_OP); RETURN NEW; END'
GRANT CREATE, USAGE ON SCHEMA "Odd app" TO {o}
GRANT SELECT, UPDATE ON documents TO {o} WITH GRANT OPTION
CREATE VIEW "Odd app"."a view" (number, "the ""text", embedding) WITH (security_barrier, check_option = cascaded)
    AS SELECT id, ' ; ' || body, embedding FROM documents WHERE id >= 0
CREATE VIEW live AS SELECT * FROM documents WHERE body <> ''
CREATE VIEW above AS SELECT count(*) AS rows, min(v.number) AS least
    FROM "Odd app"."a view" v JOIN live ON v.number = live.id AND v.embedding = live.embedding
CREATE MATERIALIZED VIEW recent WITH (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_enabled = false)
    AS SELECT id, embedding, body FROM live
CREATE MATERIALIZED VIEW "Odd app".of_recent AS SELECT id, embedding FROM recent WHERE id < 4
CREATE MATERIALIZED VIEW empty AS SELECT embedding FROM live WITH NO DATA
CREATE VIEW last AS SELECT id FROM "Odd app".of_recent
CREATE VIEW aside AS SELECT body FROM documents
ALTER VIEW "Odd app"."a view" OWNER TO {o}
ALTER MATERIALIZED VIEW "Odd app".of_recent OWNER TO {o}
GRANT SELECT ON recent TO {o}
GRANT SELECT, INSERT ON "Odd app"."a view" TO {r}
GRANT UPDATE ON "Odd app"."a view" TO {r} WITH GRANT OPTION
GRANT SELECT (number), UPDATE ("the ""text") ON "Odd app"."a view" TO PUBLIC
GRANT SELECT (id) ON recent TO {r} WITH GRANT OPTION
REVOKE DELETE ON live FROM CURRENT_USER
GRANT ALL ON "Odd app".of_recent TO PUBLIC
COMMENT ON VIEW "Odd app"."a view" IS 'it''s odd; \\ "so"'
COMMENT ON COLUMN "Odd app"."a view"."the ""text" IS 'the text'
COMMENT ON MATERIALIZED VIEW recent IS 'recent'
COMMENT ON COLUMN recent.id IS 'key'
ALTER VIEW live ALTER id SET DEFAULT 7
ALTER VIEW live ALTER body SET DEFAULT 'a;b'
ALTER MATERIALIZED VIEW recent ALTER body SET STORAGE EXTERNAL
ALTER MATERIALIZED VIEW recent ALTER id SET STATISTICS 77
ALTER MATERIALIZED VIEW recent ALTER id SET (n_distinct = -0.5)
CREATE RULE "do ""so" AS ON DELETE TO live
    DO INSTEAD (INSERT INTO noted VALUES (OLD.id, 'a;'); INSERT INTO noted VALUES (2, 'b'))
COMMENT ON RULE "do ""so" ON live IS 'a rule'
CREATE RULE also AS ON INSERT TO above DO INSTEAD NOTHING
CREATE TRIGGER "instead ""of" INSTEAD OF INSERT ON "Odd app"."a view" FOR EACH ROW EXECUTE FUNCTION note()
CREATE TRIGGER idle INSTEAD OF UPDATE ON live FOR EACH ROW EXECUTE FUNCTION note()
COMMENT ON TRIGGER idle ON live IS 'idle'
CREATE UNIQUE INDEX "recent ""id" ON recent (id) WITH (fillfactor = 60)
CREATE INDEX recent_hnsw ON recent USING hnsw (embedding vector_cosine_ops) WITH (m = 9) WHERE id > 1
CREATE INDEX recent_lower ON recent (lower(body))
ALTER INDEX recent_lower ALTER COLUMN 1 SET STATISTICS 50
COMMENT ON INDEX recent_hnsw IS 'by meaning'
ALTER MATERIALIZED VIEW recent CLUSTER ON "recent ""id"
CREATE STATISTICS both_of ON id, body FROM recent
ALTER STATISTICS both_of SET STATISTICS 33
COMMENT ON STATISTICS both_of IS 'both'
"""


@pytest.fixture
def roles(db: str, conn: Conn) -> Iterator[dict[str, str]]:
    made = {letter: f"vestige_views_{letter}_{os.getpid()}" for letter in "or"}
    for name in made.values():
        run_sql(conn, f"CREATE ROLE {name} LOGIN")
    yield made
    for name in made.values():
        run_sql(conn, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


@pytest.fixture
def viewed(db: str, conn: Conn, roles: dict[str, str]) -> str:
    """A table of which everything is seen that can be seen of it."""
    make(conn)
    run_sql(conn, "CREATE INDEX by_cosine ON documents USING hnsw (embedding vector_cosine_ops)")
    register_model(db, OLD.signature(), target=DOCUMENTS)
    for statement in re.split(r"\n(?! )", EVERYTHING.strip()):
        run_sql(conn, statement.format(**roles))
    return db


def outside(dump: str) -> str:
    """The dump without the package's own schema and rows, and every dimension the same."""
    kept = [part for part in re.split(r"(?m)^(?=-- (?:Data for )?Name: )", dump) if "Schema: vestige_sql" not in part]
    text = "".join(part for part in kept if "Name: vestige_sql" not in part and "FUNCTION documents_" not in part)
    text = re.sub(r"\b(vector)\((8|16)\)", r"\1(N)", text)
    return re.sub(r"\[[-0-9.,e]+\]", "[..]", text)


def check_live(conn: Conn, embedder: Any, populated: bool = True) -> None:
    """What is seen is what there is, through each view and the indexes of the materialized ones."""
    for view, key, where in (
        ('"Odd app"."a view"', "number", ""), ("live", "id", ""), ("recent", "id", ""),
        ('"Odd app".of_recent', "id", "<4"),
    ):  # fmt: skip
        seen = conn.execute(f"SELECT {key}, embedding::real[]::text FROM {view} ORDER BY 1".encode()).fetchall()
        there = conn.execute(
            f"SELECT id, embedding::real[]::text FROM documents WHERE id {where or '>= 0'} ORDER BY 1".encode()
        ).fetchall()
        assert seen == there, view
    assert conn.execute("SELECT rows, least FROM above").fetchone() == (6, 0)
    assert one(conn, "SELECT relispopulated FROM pg_class WHERE relname = 'empty'") is False
    analyzed = "SELECT count(*) FROM pg_stats WHERE tablename = 'recent' AND attname = 'id'"
    assert one(conn, analyzed) == 1
    assert one(conn, "SELECT count(*) FROM pg_statistic_ext_data") == 1


@pytest.mark.parametrize("plan", PLANS, ids=["rewrite", "widen", "swap", "online"])
def test_every_view_is_as_it_was(viewed: str, conn: Conn, pg_dump: Dump, plan: ReembedPlan) -> None:
    before = outside(pg_dump(viewed))
    # A default privilege of the role that runs leaves no trace on what it makes.
    run_sql(conn, "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC")
    assert dry_run_reembed(viewed, NEW, plan, target=DOCUMENTS).way in (plan.apply, "online")
    summary = dry_run_reembed(viewed, NEW, plan, target=DOCUMENTS)
    assert "dropped and made again: view" in str(summary.notes)
    assert "sql/views/create/10_create_views.sql" in str(summary.phases)
    run_reembed(viewed, NEW, plan, target=DOCUMENTS)
    check_space(conn, NEW, DOCUMENTS)
    check_live(conn, NEW)
    if plan.online:
        rollback(viewed, ReembedPlan(**AGAIN), target=DOCUMENTS)  # type: ignore[arg-type]
        check_space(conn, OLD, DOCUMENTS)
        check_live(conn, OLD)
        rollback(viewed, ReembedPlan(**AGAIN), target=DOCUMENTS)  # type: ignore[arg-type]
        finalize(viewed, target=DOCUMENTS)
        check_live(conn, NEW)
    run_sql(conn, "ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM PUBLIC")
    after = outside(pg_dump(viewed))
    # swap and online put the column last in the table
    assert sorted(after.splitlines()) == sorted(before.splitlines())
    run_sql(conn, 'INSERT INTO "Odd app"."a view" VALUES (9, \'t\', NULL)', "DELETE FROM live WHERE id = 3")
    assert one(conn, "SELECT count(*) FROM noted") == 3


def test_without_the_option_it_is_named_and_stage_needs_none(
    viewed: str, conn: Conn, pg_dump: Dump, vestige: Any
) -> None:
    before = outside(pg_dump(viewed))
    for plan in (ReembedPlan(), ReembedPlan(apply="widen"), ReembedPlan(online=True)):
        with pytest.raises(TargetError, match=r"view public\.live") as refused:
            run_reembed(viewed, NEW, plan, target=DOCUMENTS)
        assert "with --recreate-views" in refused.value.hint
        assert "nothing was written" in refused.value.hint
    stage_reembed(viewed, NEW, target=DOCUMENTS)
    at = ("--postgres-url", viewed, "--table", "documents", "--content-column", "body")
    said = vestige("migrate", "gate", *at)
    assert said.code == 1
    assert "--recreate-views" in said.err
    assert vestige("migrate", "gate", *at, "--recreate-views").code == 0
    assert "gate/20_staged_is_complete.sql" in str(ask_gate(viewed, target=DOCUMENTS, recreate_views=True))
    with pytest.raises(VestigeError, match=r"view public\.live"):
        apply_staged(viewed, target=DOCUMENTS)
    assert outside(pg_dump(viewed)) == before
    apply_staged(viewed, ReembedPlan(keep_old=True, **AGAIN), target=DOCUMENTS)  # type: ignore[arg-type]
    check_live(conn, NEW)
    assert outside(pg_dump(viewed)) == before
    rollback(viewed, ReembedPlan(**AGAIN), target=DOCUMENTS)  # type: ignore[arg-type]
    check_space(conn, OLD, DOCUMENTS)
    check_live(conn, OLD)
    assert outside(pg_dump(viewed)) == before


@pytest.mark.parametrize("how", ["psql", "script", "plain", "inside"])
def test_by_hand_and_inside(viewed: str, conn: Conn, pg_dump: Dump, psql: Any, tmp_path: Any, how: str) -> None:
    before = outside(pg_dump(viewed))
    stage_reembed(viewed, NEW, target=DOCUMENTS)
    plan = ReembedPlan(apply="rewrite", **AGAIN)  # type: ignore[arg-type]
    if how == "inside":
        with psycopg.connect(viewed) as within:
            apply_reembed(within, DOCUMENTS, plan)
    elif how == "psql":
        # What rules the way out stops psql too.
        named = ("-1", "-v", "target=documents", *HEAD)
        assert "--recreate-views" in run_psql(psql, viewed, *named, *files("rewrite"), ok=False)
        assert outside(pg_dump(viewed)) == before
        run_psql(psql, viewed, "-v", "recreate_views=true", *named, *files("rewrite", "recreate_views"))
    else:
        text = script_staged(viewed, plan, target=DOCUMENTS, plain=how == "plain")
        assert "DROP VIEW public.live" in text
        assert "REFRESH MATERIALIZED VIEW public.recent" in text
        path = tmp_path / "apply.sql"
        path.write_text(text, encoding="utf-8")
        run_psql(psql, viewed, *(["-1"] if how == "plain" else []), "-f", str(path))
    check_space(conn, NEW, DOCUMENTS)
    check_live(conn, NEW)
    assert outside(pg_dump(viewed)) == before


NOT_MADE = {
    "which is used by function": "CREATE FUNCTION seen_of() RETURNS SETOF seen LANGUAGE sql AS 'SELECT * FROM seen'",
    "which is used by policy": "ALTER TABLE other ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY p ON other USING (id IN (SELECT id FROM seen))",
    "which says the old dimension": "CREATE VIEW cast_of AS SELECT embedding::halfvec(8) AS half FROM documents",
    "says the old dimension": "CREATE MATERIALIZED VIEW m AS SELECT id, embedding FROM documents;"
    "CREATE INDEX m_i ON m USING hnsw ((embedding::halfvec(8)) halfvec_l2_ops)",
    "with grants of": "GRANT SELECT ON seen TO {o} WITH GRANT OPTION; SET ROLE {o};"
    "GRANT SELECT ON seen TO {r}; RESET ROLE",
    "with a replica identity": "CREATE MATERIALIZED VIEW m AS SELECT id, embedding FROM documents;"
    "ALTER TABLE m REPLICA IDENTITY FULL",
    "with grants on its type": "GRANT USAGE ON TYPE seen TO {r}",
    "which belongs to the extension vector": "ALTER EXTENSION vector ADD VIEW seen",
    "which compares by USING": "CREATE VIEW cast_of AS SELECT 1 FROM documents JOIN documents b USING (embedding)",
    "by USING, IS DISTINCT": "CREATE VIEW cast_of AS SELECT id FROM documents WHERE embedding IS DISTINCT FROM '[1]'",
    "temporary": "CREATE TEMPORARY VIEW passing AS SELECT embedding FROM documents",
    "is INVALID": "CREATE MATERIALIZED VIEW m AS SELECT id, embedding FROM documents; CREATE INDEX m_i ON m (id);"
    "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'm_i'::regclass",
}


def test_what_cannot_be_made_again_is_named_before_the_encoding(
    db: str, conn: Conn, roles: dict[str, str], pg_dump: Dump
) -> None:
    make(conn)
    run_sql(conn, "CREATE VIEW seen AS SELECT * FROM documents", "CREATE TABLE other (id bigint)")
    for reason, does in NOT_MADE.items():
        if "halfvec" in does and not has_halfvec(conn):
            continue
        with conn.transaction():
            for statement in does.split(";"):
                run_sql(conn, statement.format(**roles))
        before = pg_dump(db)
        calls = NEW.calls
        for plan in (PLANS[0], PLANS[3]):
            with pytest.raises(TargetError, match=re.escape(reason)):
                run_reembed(db, NEW, plan, target=DOCUMENTS)
        with pytest.raises(TargetError, match=re.escape(reason)):
            stage_reembed(db, NEW, target=DOCUMENTS)
        assert NEW.calls == calls
        assert pg_dump(db) == before
        run_sql(
            conn,
            *(["ALTER EXTENSION vector DROP VIEW seen"] if "EXTENSION" in does else []),
            "DROP VIEW seen CASCADE", "DROP VIEW IF EXISTS cast_of", "DROP VIEW IF EXISTS pg_temp.passing",
            "DROP MATERIALIZED VIEW IF EXISTS m", "DROP POLICY IF EXISTS p ON other",
            "CREATE VIEW seen AS SELECT * FROM documents",
        )  # fmt: skip


def test_a_plain_owner_and_another_roles_view(db: str, conn: Conn, roles: dict[str, str]) -> None:
    """What another role wrote is never run with the rights of who runs. A view that cannot be given back is refused."""
    make(conn)
    run_sql(
        conn,
        "CREATE TABLE who (name text)",
        "GRANT INSERT ON who TO PUBLIC",
        f"GRANT SELECT ON documents TO {roles['o']}",
        f"GRANT CREATE, USAGE ON SCHEMA public TO {roles['o']}",
        f"SET ROLE {roles['o']}",
        "CREATE FUNCTION spy(v vector) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$BEGIN"
        ' PERFORM set_config(\'vestige_sql.views\', \'{"of": "public.documents.embedding", "views": [{"restore":'
        ' ["ALTER ROLE CURRENT_USER SUPERUSER;"]}]}\', false);'
        " RAISE LOG 'spied'; IF current_user <> session_user AND current_user !~ 'views_o' THEN"
        " RAISE EXCEPTION 'as %', current_user; END IF; IF current_user !~ 'views_o' THEN"
        " RAISE EXCEPTION 'as %', current_user; END IF; RETURN 1; END$$",
        "CREATE MATERIALIZED VIEW theirs AS SELECT id, spy(embedding) AS spied, embedding FROM documents",
        "CREATE INDEX theirs_i ON theirs (spy(embedding))",
        "CREATE MATERIALIZED VIEW theirs_too AS SELECT id, spy(embedding) AS spied FROM theirs",
        "RESET ROLE",
    )
    for embedder, plan in ((NEW, PLANS[0]), (OLD, PLANS[3])):
        run_reembed(db, embedder, plan, target=DOCUMENTS)
        if plan.online:
            finalize(db, target=DOCUMENTS)
        assert one(conn, "SELECT count(*) FROM theirs_too WHERE spied = 1") == 6
        assert one(conn, "SELECT relowner::regrole::text FROM pg_class WHERE relname = 'theirs'") == roles["o"]
        assert not one(conn, f"SELECT rolsuper FROM pg_roles WHERE rolname = '{roles['o']}'")
    # The table's owner, who is no superuser and no member of the other role.
    run_sql(conn, f"ALTER TABLE documents OWNER TO {roles['r']}", f"GRANT CREATE ON SCHEMA public TO {roles['r']}")
    with psycopg.connect(db, autocommit=True) as limited:
        run_sql(limited, f"SET ROLE {roles['r']}")
        found = limited.execute(
            "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE relname = 'theirs'"
        ).fetchone()
        assert found == (False,)


def test_readers_of_a_view_and_the_run_do_not_wait_for_each_other(db: str, conn: Conn) -> None:
    """Whoever reads a view holds it, and then waits for the table: nobody is ended, and nothing is lost.

    Each thread ends with its event, after the run, so nothing depends on the machine's speed.
    """
    make(conn)
    register_model(db, OLD.signature(), target=DOCUMENTS)
    run_sql(conn, "CREATE VIEW seen AS SELECT * FROM documents")
    stop, failed, seen = threading.Event(), [], []

    def read() -> None:
        with psycopg.connect(db, autocommit=True, prepare_threshold=None, options="-c statement_timeout=20s") as reader:
            while not stop.is_set():
                try:
                    row = reader.execute("SELECT count(*) FROM seen").fetchone()
                    assert row is not None
                    seen.append(row[0])
                except psycopg.Error as error:
                    failed.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for embedder, plan in ((NEW, PLANS[0]), (OLD, PLANS[3])):
            run_reembed(db, embedder, plan, target=DOCUMENTS)
            check_space(conn, embedder, DOCUMENTS)
    finally:
        stop.set()
        for reader in readers:
            reader.join(timeout=60)
    assert set(seen) == {6}
    # The one thing that may happen: the view was looked up by its name, and was another by the time that it was locked.
    assert not [error for error in failed if not isinstance(error, psycopg.errors.UndefinedTable)]
