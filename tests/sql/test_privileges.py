"""Who may do what: each verb as a role with the grants of docs/privileges.md and no other, and under hostile names."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support import HNSW, Conn, FakeEmbedder, check_search, check_space, dsn, granted, rows, seed
from support.vestige_sqlite import NEWEST, build, memories
from test_any_table import DOCUMENTS, NEW, OLD, make, one, run_sql
from test_by_hand import files
from test_copy import SIGNATURE

from vestige_sql import (
    ReembedPlan,
    Target,
    abort_reembed,
    apply_reembed,
    apply_staged,
    dry_run_reembed,
    finalize,
    register_model,
    rollback,
    run_reembed,
    search,
    stage_reembed,
)
from vestige_sql.bridge.bridging import BridgePlan, bridge
from vestige_sql.database.migrations import migrate_up
from vestige_sql.errors import TargetError, VestigeError
from vestige_sql.judge.judging import JudgePlan, judge
from vestige_sql.look.preview import preview
from vestige_sql.look.script import script_staged
from vestige_sql.look.status import status
from vestige_sql.look.target import ask_gate, probe_target
from vestige_sql.vestige.copy import run_copy
from vestige_sql.worker.plan import WorkerPlan
from vestige_sql.worker.working import drop_trigger, run_worker

ROOT = Path(__file__).parents[2]
DOCS = Target("docs.documents", "id", "body", "embedding")
ONLINE, KEEP = ReembedPlan(online=True), ReembedPlan(keep_old=True)
THIRD = FakeEmbedder("third", 12)
_numbers = itertools.count(1)

Databases = Callable[[], AbstractContextManager[str]]


@dataclass
class Stand:
    """A database with ``docs.documents``, and a role that may log in and is nothing else."""

    conn: Conn
    role: str
    scratch: Path
    taken: list[str] = field(default_factory=list)

    @property
    def db(self) -> str:
        """The role's conninfo."""
        return make_conninfo(dsn(self.conn), user=self.role, password="secret")

    @contextmanager
    def trusted(self) -> Iterator[None]:
        """For what comes before the verb: the role owns what it makes, and may do everything."""
        run_sql(self.conn, f"ALTER ROLE {self.role} SUPERUSER")
        yield
        run_sql(self.conn, f"ALTER ROLE {self.role} NOSUPERUSER")


@contextmanager
def stand_in(conninfo: str, scratch: Path) -> Iterator[Stand]:
    name = f"vestige_app_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(conninfo, autocommit=True) as conn:
        run_sql(conn, f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
        try:
            yield Stand(conn, name, scratch)
        finally:
            run_sql(conn, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


@pytest.fixture
def stand(db: str, tmp_path: Path) -> Iterator[Stand]:
    with stand_in(db, tmp_path) as made:
        yield made


# --- Each verb with its grants, and without one of them ---


def _stage(at: Stand) -> None:
    register_model(at.db, OLD.signature(), target=DOCS)
    stage_reembed(at.db, NEW, target=DOCS)


def _switch(at: Stand) -> None:
    register_model(at.db, OLD.signature(), target=DOCS)
    run_reembed(at.db, NEW, ONLINE, target=DOCS)


def _look(at: Stand) -> None:
    status(at.db, target=DOCS)
    probe_target(at.db, target=DOCS)


def _before_the_switch(at: Stand) -> None:
    ask_gate(at.db, target=DOCS)
    preview(at.db, sample=2, target=DOCS)


def _judge(at: Stand) -> object:
    judge(at.db, JudgePlan(derive=5, speed=True), NEW, OLD, target=DOCS)
    found = judge(at.db, JudgePlan(derive=5, slice="id % 2", rules=()), NEW, OLD, target=DOCS)
    with pytest.raises(TargetError, match=f"judging {found['judging']} of .* says INCONCLUSIVE"):
        ask_gate(at.db, target=DOCS, require_verdict=True)
    return found


def _stage_many(at: Stand) -> None:
    at.conn.execute(
        "INSERT INTO docs.documents (id, body, embedding) SELECT 1000 + i, 'text ' || i,"
        " (SELECT array_agg(sin(i * j)) FROM generate_series(1, 8) j) FROM generate_series(1, 120) i"
    )
    _stage(at)


def _bridge(at: Stand) -> object:
    return bridge(at.db, BridgePlan(min_recall=0), target=DOCS)


def _every_way(at: Stand) -> None:
    apply_staged(at.db, target=DOCS)
    for way, model in (("swap", OLD), ("widen", NEW), ("rewrite", THIRD)):
        run_reembed(at.db, model, ReembedPlan(apply=way, concurrent_index=way == "swap"), target=DOCS)
        check_space(at.conn, model, DOCS)
    found = dry_run_reembed(at.db, OLD, target=DOCS, calibrate=True).calibrated
    assert found is not None and not found.notes
    stage_reembed(at.db, OLD, target=DOCS)
    script_staged(at.db, target=DOCS)
    with psycopg.connect(at.db) as conn:
        apply_reembed(conn, DOCS)
    check_space(at.conn, OLD, DOCS)


def _back(at: Stand) -> None:
    rollback(at.db, target=DOCS)
    finalize(at.db, target=DOCS)
    with at.trusted():
        run_reembed(at.db, NEW, KEEP, target=DOCS)
    rollback(at.db, target=DOCS)
    check_space(at.conn, OLD, DOCS)
    finalize(at.db, target=DOCS)
    for plan in (ReembedPlan(), ONLINE):
        with at.trusted():
            stage_reembed(at.db, NEW, plan, target=DOCS)
        assert abort_reembed(at.db, target=DOCS)


def _work(at: Stand) -> object:
    found = run_worker(at.db, lambda *_: OLD, WorkerPlan(once=True, fire_triggers=True), targets=[(DOCS, None)])
    check_space(at.conn, OLD, DOCS)
    return found


def _install(at: Stand) -> None:
    """Whoever writes to the table needs no right to the notes."""
    _work(at)
    run_sql(at.conn, f"GRANT CREATE ON SCHEMA vestige_sql TO {at.role}")
    plan = WorkerPlan(once=True, fire_triggers=True, install=True)
    run_worker(at.db, lambda *_: OLD, plan, targets=[(DOCS, None)])
    run_sql(at.conn, f"REVOKE CREATE ON SCHEMA vestige_sql FROM {at.role}")
    with at.conn.transaction(force_rollback=True):
        writer = f"{at.role}_writer"
        run_sql(
            at.conn,
            f"CREATE ROLE {writer}",
            f"GRANT USAGE ON SCHEMA docs TO {writer}",
            f"GRANT SELECT, INSERT ON docs.documents TO {writer}",
            f"SET LOCAL ROLE {writer}",
            "INSERT INTO docs.documents (id, body) VALUES (10000, 'written')",
            "RESET ROLE",
        )
        assert one(at.conn, "SELECT key FROM vestige_sql.worker_note") == ["10000"]
    drop_trigger_of(at)


def drop_trigger_of(at: Stand) -> None:
    with pytest.raises(TargetError, match="lacks rights"):
        drop_trigger(at.db, DOCS)
    with at.trusted():
        drop_trigger(at.db, DOCS)


def _copy(at: Stand) -> object:
    return run_copy(at.db, build(at.scratch / f"{next(_numbers)}.db", NEWEST, memories(3)))


@dataclass(frozen=True)
class Verb:
    """``one`` of a heading's verbs is refused without any of its grants, and ``run`` does all of them."""

    one: Callable[[Stand], object]
    run: Callable[[Stand], object] | None = None
    prepare: Callable[[Stand], object] = lambda at: None
    owner: bool = True


VERBS: Mapping[str, Verb] = {
    "probe, status": Verb(lambda at: status(at.db, target=DOCS), _look, owner=False),
    "gate, preview": Verb(lambda at: ask_gate(at.db, target=DOCS), _before_the_switch, _stage, owner=False),
    "judge": Verb(_judge, None, _stage, owner=False),
    "stage": Verb(lambda at: stage_reembed(at.db, NEW, target=DOCS)),
    "apply": Verb(lambda at: apply_staged(at.db, target=DOCS), _every_way, _stage),
    "apply --keep-old": Verb(lambda at: apply_staged(at.db, KEEP, target=DOCS), None, _stage),
    "online": Verb(lambda at: run_reembed(at.db, NEW, ONLINE, target=DOCS), None, _stage),
    "rollback, finalize, abort": Verb(lambda at: rollback(at.db, target=DOCS), _back, _switch),
    "bridge": Verb(_bridge, None, _stage_many),
    "worker": Verb(_work, _install, lambda at: register_model(at.db, OLD.signature(), target=DOCS)),
    "copy": Verb(_copy, None, lambda at: register_model(at.db, SIGNATURE)),
    "search": Verb(lambda at: search(at.db, "memory", OLD), None, lambda at: seed(at.conn, 3, OLD), owner=False),
}


def test_the_page_has_each_verb() -> None:
    # tests/runs/test_client.py tries the grants of RegisteredModel, and tests/runs/test_bridge.py those of bridged.
    headings = re.findall(r"^## (.*)", (ROOT / "docs" / "privileges.md").read_text(encoding="utf-8"), re.M)
    assert [heading for heading in headings if granted(heading)] == ["migrate up", *VERBS, "RegisteredModel", "bridged"]


@pytest.fixture(scope="module", params=list(VERBS))
def verb(request: pytest.FixtureRequest, databases: Databases, tmp_path_factory: Any) -> Iterator[tuple[str, Stand]]:
    """A verb, a role with its grants, and all that it needs besides."""
    heading = request.param
    with databases() as db, stand_in(db, tmp_path_factory.mktemp("verb")) as at:
        run_sql(
            at.conn,
            "CREATE SCHEMA docs",
            "CREATE SCHEMA extensions",
            "ALTER EXTENSION vector SET SCHEMA extensions",
            "SET search_path = public, extensions",
            f'REVOKE TEMPORARY ON DATABASE "{at.conn.info.dbname}" FROM PUBLIC',
        )
        make(at.conn, DOCS)
        run_sql(at.conn, "CREATE INDEX by_ip ON docs.documents USING hnsw (embedding vector_ip_ops)")
        if VERBS[heading].owner:
            table = "knowledge_nodes" if heading == "copy" else DOCS.table
            run_sql(at.conn, f"ALTER TABLE {table} OWNER TO {at.role}")
        with at.trusted():
            VERBS[heading].prepare(at)
        run_sql(at.conn, *granted(heading, at.role, at.conn.info.dbname))
        yield heading, at


VESTIGES = (
    r"(?<![\w.])"
    r"(users|groups|group_memberships|domains|scheduling|edges|review_events\w*|embedding_model|knowledge_nodes)"
)


def single(statement: str) -> list[tuple[str, str, str]]:
    """A GRANT as (right, object, rest), one of each."""
    found = re.fullmatch(r"GRANT (.+?) ON (.+) (TO .+)", statement)
    assert found is not None
    rights, objects, rest = found.groups()
    return [(right, name, rest) for right in rights.split(", ") for name in objects.split(", ")]


def test_each_grant_is_needed_and_named(verb: tuple[str, Stand]) -> None:
    heading, at = verb
    refused = 0
    for statement in granted(heading, at.role, at.conn.info.dbname):
        for right, name, rest in single(statement):
            run_sql(at.conn, f"REVOKE {right} ON {name} FROM {at.role}")
            before = one(at.conn, "SELECT count(*) FROM vestige_sql.step")
            with pytest.raises(VestigeError) as caught:
                VERBS[heading].one(at)
            # as the page has it, but that a table is named with its schema
            with_schema = re.sub(VESTIGES, r"public.\1", name)
            wanted = f"GRANT {right} ON {with_schema} {rest}".replace('"', "")
            assert wanted in caught.value.hint.replace('"', ""), f"{wanted}: {caught.value} {caught.value.hint}"
            assert one(at.conn, "SELECT count(*) FROM vestige_sql.step") == before
            run_sql(at.conn, f"GRANT {right} ON {name} {rest}")
            refused += 1
    assert refused >= 5


def test_the_grants_are_enough(verb: tuple[str, Stand]) -> None:
    heading, at = verb
    texts = "SELECT jsonb_object_agg(id, body) FROM docs.documents"
    before = one(at.conn, texts)
    (VERBS[heading].run or VERBS[heading].one)(at)
    assert one(at.conn, texts) == before


def test_migrate_up_with_its_grants(empty_db: str, tmp_path: Path) -> None:
    with stand_in(empty_db, tmp_path) as at:
        run_sql(at.conn, "CREATE EXTENSION vector", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        grants = granted("migrate up", at.role, at.conn.info.dbname)
        for left_out in grants:
            run_sql(at.conn, *(grant for grant in grants if grant != left_out))
            with pytest.raises(VestigeError) as caught:
                migrate_up(at.db)
            assert left_out.partition(" ON ")[0] + " ON " + left_out.split()[3] in caught.value.hint
            for grant in grants:
                run_sql(at.conn, grant.replace("GRANT", "REVOKE", 1).replace(" TO ", " FROM "))
            run_sql(at.conn, f"DROP OWNED BY {at.role} CASCADE")
        run_sql(at.conn, *grants)
        assert "reembed_0002_functions" in migrate_up(at.db).applied


def test_a_status_for_a_role_that_did_not_begin_the_run(stand: Stand) -> None:
    """What it lacks while vectors are staged is named as well."""
    run_sql(stand.conn, "CREATE SCHEMA docs")
    make(stand.conn, DOCS)
    stage_reembed(dsn(stand.conn), NEW, target=DOCS)
    run_sql(stand.conn, *granted("probe, status", stand.role, stand.conn.info.dbname))
    with pytest.raises(VestigeError, match="lacks rights") as caught:
        status(stand.db, target=DOCS)
    (grant,) = re.findall(r"GRANT SELECT ON vestige_sql\.stage_\w+ TO \w+", caught.value.hint)
    run_sql(stand.conn, grant)
    assert status(stand.db, target=DOCS)["open_run"]["rows_staged"] == len(rows(stand.conn, DOCS))


# --- Those who write to the table ---


def test_a_writer_needs_no_grant_of_the_packages(stand: Stand) -> None:
    """During an online run, after its switch and after a rollback; a search_path of its own makes no difference."""
    conn, db = stand.conn, dsn(stand.conn)
    make(conn)
    run_sql(
        conn,
        "CREATE SCHEMA evil",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON documents TO {stand.role}",
        f"ALTER ROLE {stand.role} SET search_path = evil, public",
    )
    keys = itertools.count(100)

    def write() -> None:
        with psycopg.connect(stand.db, autocommit=True) as writer:
            key = next(keys)
            writer.execute("INSERT INTO documents VALUES (%s, 'written', NULL)", (key,))
            writer.execute("UPDATE documents SET body = 'again', embedding = NULL WHERE id = %s", (key,))
            writer.execute("INSERT INTO documents VALUES (%s, 'gone', NULL)", (-key,))
            writer.execute("DELETE FROM documents WHERE id = %s", (-key,))
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                writer.execute("SELECT FROM vestige_sql.run")

    register_model(db, OLD.signature(), target=DOCUMENTS)
    stage_reembed(db, NEW, target=DOCUMENTS)
    during = FakeEmbedder(NEW.model_name, NEW.dimension, hook=lambda call, _: write() if call < 3 else None)
    write()
    run_reembed(db, during, ONLINE, target=DOCUMENTS)
    assert next(keys) > 101
    check_space(conn, NEW, DOCUMENTS)
    write()
    rollback(db, target=DOCUMENTS)
    write()


# --- The package's functions ---


def test_functions_are_pinned_and_their_owners_alone(db: str, conn: Conn) -> None:
    """By a SET clause, a body that is read when it is made, or names in full for what is called forty times a row."""
    found = conn.execute(
        "SELECT p.proname, p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0),"
        " coalesce(p.proconfig::text LIKE '%search_path=pg_catalog, pg_temp%', false) OR p.prosqlbody IS NOT NULL,"
        " p.prosecdef, p.prosrc"
        " FROM pg_proc p WHERE p.pronamespace = 'vestige_sql'::regnamespace"
    ).fetchall()
    assert len(found) > 20
    assert [name for name, is_open, *_ in found if is_open] == []
    assert [name for name, _, _, definer, _ in found if definer] == []
    loose = {name: source for name, _, pinned, _, source in found if not pinned}
    assert set(loose) == {"read_uuid", "read_number", "read_integer", "read_timestamp", "read_json"}
    for name, source in loose.items():
        names = r"(?<![.\w])(?:uuid|text|jsonb|timestamptz|lower|trunc|substr|concat|translate)\b"
        assert not re.findall(names, source), name


def test_the_functions_that_are_asked_for_every_row_stand_in_the_query(conn: Conn) -> None:
    seed(conn, 3)
    plan = conn.execute(
        "EXPLAIN (VERBOSE, COSTS OFF) SELECT vestige_sql.content_hash(content) FROM knowledge_nodes"
        " WHERE vestige_sql.has_text(content)"
    ).fetchall()
    assert "vestige_sql" not in str(plan)
    assert "sha256(" in str(plan)


# --- Hostile names ---

LOOK_ALIKES = (
    ("sha256(bytea)", "bytea", "'\\x00'"),
    ("convert_to(text, name)", "bytea", "'\\x00'"),
    ("octet_length(text)", "integer", "0"),
    ("btrim(text, text)", "text", "''"),
    ("length(text)", "integer", "0"),
    ("format(text, VARIADIC text[])", "text", "''"),
    ("quote_ident(text)", "text", "'evil'"),
    ("to_jsonb(anyelement)", "jsonb", "'{}'"),
    ("current_setting(text)", "text", "''"),
    ("set_config(text, text, boolean)", "text", "''"),
    ("current_database()", "name", "'evil'"),
    ("hashtext(text)", "integer", "0"),
    ("concat_ws(text, VARIADIC text[])", "text", "''"),
    ("make_interval(double precision)", "interval", "NULL"),
    ("clock_timestamp()", "timestamptz", "NULL"),
    ("num_nulls(VARIADIC text[])", "integer", "0"),
    ("row_number()", "bigint", "0"),
    ("now()", "timestamptz", "NULL"),
)
OPERATORS = (
    ("=", "text", "text"), ("=", "varchar", "varchar"), ("=", "name", "text"), ("=", "name", "name"),
    ("=", "uuid", "uuid"),
    ("=", "bytea", "bytea"), ("=", "oid", "oid"), ("=", "oid", "regclass"), ("=", "bigint", "bigint"),
    ("=", "bigint", "integer"), ("=", "integer", "integer"), ("=", "boolean", "boolean"),
    ("<>", "text", "text"), ("<>", "bytea", "bytea"), ("<>", "integer", "integer"),
    ("<", "double precision", "integer"),
    (">", "integer", "integer"), (">", "uuid", "uuid"), ("<=", "uuid", "uuid"), ("~", "text", "text"),
    ("=", "vector", "vector"), ("&&", "text[]", "text[]"), ("@@", "tsvector", "tsquery"),
)  # fmt: skip


def haunt(conn: Conn, role: str) -> None:
    """Look-alikes in ``evil``, which stands before everything else on the role's search_path, and in ``public``.

    Each counts its calls by the role, and gives a wrong answer.
    """
    run_sql(
        conn,
        "CREATE SCHEMA evil",
        "CREATE SEQUENCE evil.calls MINVALUE 0 START 0",
        "SELECT nextval('evil.calls')",
        "GRANT USAGE ON SCHEMA evil TO PUBLIC",
        "GRANT ALL ON SEQUENCE evil.calls TO PUBLIC",
        "CREATE FUNCTION evil.gotcha() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS"
        f" $$ BEGIN IF session_user = '{role}' THEN PERFORM nextval('evil.calls'); END IF; END $$",
    )
    body = "LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN PERFORM evil.gotcha(); RETURN {}; END $$"
    for number, (operator, left, right) in enumerate(OPERATORS):
        function = f"evil.gotcha_{number}"
        where = "public." if left == "vector" else ""
        run_sql(
            conn, f"CREATE FUNCTION {function}({where}{left}, {where}{right}) RETURNS boolean {body.format('false')}"
        )
        for schema in ("evil", "public"):
            # what the checks of the tests themselves would run into is in evil alone
            if schema == "evil" or left not in ("vector", "oid"):
                sides = f"LEFTARG = {where}{left}, RIGHTARG = {where}{right}"
                run_sql(conn, f"CREATE OPERATOR {schema}.{operator} (FUNCTION = {function}, {sides})")
    for schema in ("evil", "public"):
        for signature, result, value in LOOK_ALIKES:
            run_sql(conn, f"CREATE FUNCTION {schema}.{signature} RETURNS {result} {body.format(value)}")
    for name in ("pg_class", "pg_attribute", "pg_settings", "pg_namespace", "pg_index", "run", "embedding_model"):
        run_sql(conn, f"CREATE VIEW evil.{name} AS SELECT 1 / 0 AS oid, 1 / 0 AS id")
    for name in ("text", "vector", "uuid", "regclass", "jsonb"):
        run_sql(conn, f"CREATE DOMAIN evil.{name} AS pg_catalog.text CHECK (evil.gotcha() IS NULL)")
    run_sql(
        conn,
        f"ALTER ROLE {role} SET search_path = evil, public, pg_catalog",
        f"ALTER TABLE knowledge_nodes OWNER TO {role}",
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        *granted("rollback, finalize, abort", role, conn.info.dbname, only="vestige_sql"),
        *granted("apply", role, conn.info.dbname, only="vestige_sql"),
        *granted("probe, status", role, only="vestige_sql"),
        *(grant for grant in granted("copy", role, conn.info.dbname) if "SCHEMA extensions" not in grant),
    )


def called(conn: Conn) -> bool:
    return bool(one(conn, "SELECT is_called AND last_value > 0 FROM evil.calls"))


@pytest.fixture
def haunted(stand: Stand) -> Iterator[Stand]:
    stand.conn.execute("SET search_path = pg_catalog, public, pg_temp")
    seed(stand.conn, 12, OLD)
    haunt(stand.conn, stand.role)
    with psycopg.connect(stand.db, autocommit=True) as conn:
        # the trap is one
        conn.execute("SELECT 'a'::pg_catalog.text = 'a'::pg_catalog.text")
    assert called(stand.conn)
    stand.conn.execute("SELECT setval('evil.calls', 0)")
    yield stand
    assert not called(stand.conn)


def test_every_way_under_a_hostile_search_path(haunted: Stand) -> None:
    conn, db = haunted.conn, haunted.db
    models = itertools.cycle((NEW, OLD))
    ways = [ReembedPlan(apply=way) for way in ("rewrite", "swap", "widen")]
    for plan in (*ways, ReembedPlan(concurrent_index=True), KEEP):
        model = next(models)
        before = rows(conn)
        run_reembed(db, model, plan)
        assert rows(conn) == before
        check_space(conn, model)
        check_search(conn, model, ["memory number 3"])
        assert run_reembed(db, model, plan).nothing_to_do
    rollback(db)
    finalize(db)
    assert one(conn, f"SELECT indisvalid FROM pg_index WHERE indexrelid = 'public.{HNSW}'::regclass")
    assert not called(conn)


def test_an_online_run_and_back_under_a_hostile_search_path(haunted: Stand) -> None:
    conn, db = haunted.conn, haunted.db

    def write(call: int, texts: object) -> None:
        conn.execute(
            "UPDATE knowledge_nodes SET content = 'changed', embedding = NULL WHERE content = 'memory number 7'"
        )

    stage_reembed(db, NEW)
    ask_gate(db)
    preview(db, "memory", NEW, sample=3)
    abort_reembed(db)
    plan = ReembedPlan(online=True, fire_triggers=True)
    run_reembed(db, FakeEmbedder(NEW.model_name, NEW.dimension, hook=write), plan)
    check_space(conn, NEW)
    status(db)
    probe_target(db)
    rollback(db)
    assert one(conn, "SELECT count(*) FROM knowledge_nodes WHERE embedding IS NULL") == 1
    run_reembed(db, OLD)
    finalize(db)
    check_space(conn, OLD)


def test_search_and_copy_under_a_hostile_search_path(haunted: Stand) -> None:
    conn, db = haunted.conn, haunted.db
    for mode in ("text", "vector", "hybrid"):
        found = search(db, "memory number 3", OLD, mode=mode, tags=["seeded"], min_retrievability=None)
        assert "memory number 3" in [result.content for result in found]
        with psycopg.connect(db) as mine:
            path = mine.execute("SHOW search_path").fetchone()
            assert search(mine, "memory number 3", OLD, mode=mode) != []
            assert mine.execute("SHOW search_path").fetchone() == path
    run_sql(conn, "DELETE FROM knowledge_nodes", "DELETE FROM embedding_model",
            f"DROP INDEX {HNSW}", "ALTER TABLE knowledge_nodes ALTER COLUMN embedding TYPE vector")  # fmt: skip
    register_model(db, SIGNATURE)
    report = _copy(haunted)
    assert one(conn, "SELECT count(embedding) FROM knowledge_nodes") == 3, report


def test_inside_a_transaction_with_temporary_tables_of_the_catalogs_names(haunted: Stand) -> None:
    """The caller's session has its search_path and its tables, before and after."""
    stage_reembed(haunted.db, NEW)
    with psycopg.connect(haunted.db) as mine:
        for name in ("run", "pg_class", "pg_attribute", "pg_settings", "knowledge_nodes_x"):
            mine.execute(f"CREATE TEMPORARY TABLE {name} (oid pg_catalog.int4, id pg_catalog.int4)".encode())
        path = mine.execute("SHOW search_path").fetchone()
        haunted.conn.execute("SELECT setval('evil.calls', 0)")
        apply_reembed(mine, Target("public.knowledge_nodes"))
        assert mine.execute("SHOW search_path").fetchone() == path
    check_space(haunted.conn, NEW)


def test_by_hand_under_a_hostile_search_path(haunted: Stand, psql: str) -> None:
    db = haunted.db
    stage_reembed(db, NEW)

    common = [psql, "-X", "-q", db, "-v", "ON_ERROR_STOP=1", "-v", "target=public.knowledge_nodes"]
    limits = ["-f", str(ROOT / "sql/session/10_set_limits.sql"), "-f", str(ROOT / "sql/variables.psql")]
    asked = ("target.psql", "probe/indexes.sql", "probe/target.sql", "monitor/health.sql")
    look = [argument for name in asked for argument in ("-f", str(ROOT / "sql" / name))]
    claim = ["-f", str(ROOT / "sql/session/claim_run.sql")]
    apply = files("rewrite")
    find = ["-v", "text=memory number 3", "-f", str(ROOT / "sql/search.psql"), "-f", str(ROOT / "sql/search/text.sql")]
    gate = ["-v", "way=rewrite", "-f", str(ROOT / "sql/variables.psql"), *files("gate")]
    for arguments in (look, ["-1", *gate], ["-1", *limits, *claim, *apply], find):
        done = subprocess.run([*common, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert "memory number 3" in done.stdout
    check_space(haunted.conn, NEW)


def without_extensions(heading: str, role: str) -> list[str]:
    """Where pgvector is in public."""
    return [grant for grant in granted(heading, role) if "SCHEMA extensions" not in grant]


def test_a_name_is_read_along_the_roles_search_path(stand: Stand) -> None:
    """``documents`` is the role's ``docs.documents``, and one on the path before it is meant where there is one."""
    run_sql(stand.conn, "CREATE SCHEMA docs", f"CREATE SCHEMA first AUTHORIZATION {stand.role}")
    make(stand.conn, DOCS)
    run_sql(
        stand.conn,
        f"ALTER TABLE docs.documents OWNER TO {stand.role}",
        f"ALTER ROLE {stand.role} SET search_path = first, docs",
        *granted("probe, status", stand.role),
    )
    assert probe_target(stand.db, target=DOCUMENTS)["target"] == "docs.documents.embedding"
    with psycopg.connect(stand.db) as mine:
        mine.execute("CREATE TABLE first.documents (id int PRIMARY KEY, body text, embedding public.vector(8))")
        mine.commit()
    assert probe_target(stand.db, target=DOCUMENTS)["target"] == "first.documents.embedding"
    found = probe_target(make_conninfo(stand.db, options="-c search_path=docs"), target=DOCUMENTS)
    assert found["target"] == "docs.documents.embedding"


def test_triggers_fired_online_see_the_roles_search_path(stand: Stand) -> None:
    conn = stand.conn
    run_sql(conn, f"CREATE SCHEMA docs AUTHORIZATION {stand.role}")
    make(conn, DOCS)
    run_sql(
        conn,
        "CREATE TABLE docs.log (id bigint)",
        "CREATE FUNCTION docs.note() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO log SELECT NEW.id; RETURN NULL; END $$",
        "CREATE TRIGGER note AFTER UPDATE ON docs.documents FOR EACH ROW EXECUTE FUNCTION docs.note()",
        f"ALTER TABLE docs.documents OWNER TO {stand.role}",
        f"ALTER TABLE docs.log OWNER TO {stand.role}",
        f"ALTER ROLE {stand.role} SET search_path = docs, public",
        *without_extensions("online", stand.role),
    )
    register_model(stand.db, OLD.signature(), target=DOCUMENTS)
    run_reembed(stand.db, NEW, ReembedPlan(online=True, fire_triggers=True), target=DOCUMENTS)
    check_space(conn, NEW, DOCS)
    assert one(conn, "SELECT count(DISTINCT id) FROM docs.log") == len(rows(conn, DOCS))


@pytest.mark.parametrize("way", ["rewrite", "swap", "widen", "online"])
def test_a_key_whose_operators_are_an_extensions(db: str, conn: Conn, way: str) -> None:
    """As those of citext: compared as text, its keys would stand in another order, and rows would be passed over."""
    run_sql(conn, "CREATE SCHEMA extensions", "ALTER EXTENSION vector SET SCHEMA extensions")
    keys = [f"[{i}]" for i in (9, 10, 100, 8, -1, 20)]
    make(conn, key="extensions.vector(1) PRIMARY KEY", keys=keys, embedding="extensions.vector(8)")
    register_model(db, OLD.signature(), target=DOCUMENTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vestige_sql.reembed.stage.PAGE_ROWS", 2)
        run_reembed(db, NEW, ONLINE if way == "online" else ReembedPlan(apply=way), target=DOCUMENTS)
    check_space(conn, NEW, DOCUMENTS)
    if way == "online":
        run_sql(conn, "UPDATE documents SET body = 'other', embedding = NULL WHERE id::text = '[10]'")
        assert rollback(db, target=DOCUMENTS).rows_missing == 1
