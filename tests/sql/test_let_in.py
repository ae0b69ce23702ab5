"""Nobody is let in: what a role may do here gives it no right of another role, whoever runs the package next.

Each attack is made as that role, with the grants of docs/privileges.md or CREATE on the database and nothing else. Who
runs the package afterwards is a superuser, and what the attack would have it do is to make the role one too.
"""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support import Conn, FakeEmbedder, check_space, dsn, granted, literal
from test_any_table import run_sql

from vestige_sql import (
    ReembedPlan,
    Target,
    abort_reembed,
    apply_staged,
    finalize,
    register_model,
    rollback,
    run_reembed,
    stage_reembed,
)
from vestige_sql.database.migrations import migrate_up
from vestige_sql.errors import VestigeError
from vestige_sql.look.script import script_staged
from vestige_sql.look.status import status

ROOT = Path(__file__).parents[2]
OLD, NEW = FakeEmbedder("old", 8), FakeEmbedder("new", 12)
DOCS = Target("docs.documents", "id", "body", "embedding")
ONLINE, KEEP = ReembedPlan(online=True), ReembedPlan(keep_old=True)
_numbers = itertools.count(1)

EVIL = (
    "LANGUAGE plpgsql AS $$BEGIN IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN "
    "EXECUTE 'ALTER ROLE {m} SUPERUSER'; END IF; {ends} END$$"
)


@dataclass
class Stage:
    """A database with ``docs.documents``, which a superuser owns, and the role ``name``, which owns nothing."""

    conn: Conn
    name: str

    @property
    def db(self) -> str:
        return dsn(self.conn)

    @property
    def as_mallory(self) -> str:
        return make_conninfo(self.db, user=self.name, password="secret")

    def does(self, *statements: str) -> None:
        """Have the role run ``statements``; what it may not, it may not."""
        with psycopg.connect(self.as_mallory, autocommit=True) as mallory:
            for statement in statements:
                mallory.execute(self.filled(statement))  # type: ignore[call-overload]

    def filled(self, text: str) -> str:
        suffix = self.conn.execute(
            "SELECT left(encode(sha256('docs.documents.embedding'::bytea), 'hex'), 16)"
        ).fetchone()
        assert suffix is not None
        evil = EVIL.replace("{m}", self.name)
        return (
            text.replace("{evil trigger}", evil.replace("{ends}", "RETURN NULL;"))
            .replace("{evil check}", evil.replace("{ends}", "RETURN true;"))
            .replace("{evil}", evil.replace("{ends}", ""))
            .replace("{m}", self.name)
            .replace("{s}", suffix[0])
        )

    def check_out(self) -> None:
        row = self.conn.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", (self.name,)).fetchone()
        assert row == (False,), "the role has become superuser"


def _documents(conn: Conn, table: str = "docs.documents") -> None:
    run_sql(
        conn,
        "CREATE SCHEMA IF NOT EXISTS docs",
        f"CREATE TABLE {table} (id bigint PRIMARY KEY, body text, embedding public.vector)",
    )
    for i in range(12):
        values = (i, f"memory number {i}", literal(OLD.vector(f"memory number {i}")))
        conn.execute(f"INSERT INTO {table} VALUES (%s, %s, %s)", values)  # type: ignore[call-overload]


def _without_schemas(grants: list[str]) -> list[str]:
    return [grant for grant in grants if "SCHEMA docs" not in grant and "SCHEMA extensions" not in grant]


@contextmanager
def _stage(conninfo: str) -> Iterator[Stage]:
    name = f"vestige_mallory_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(conninfo, autocommit=True) as conn:
        run_sql(conn, f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
        try:
            yield Stage(conn, name)
        finally:
            run_sql(conn, f"ALTER ROLE {name} NOSUPERUSER", f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


@pytest.fixture
def stage(db: str) -> Iterator[Stage]:
    with _stage(db) as made:
        _documents(made.conn)
        register_model(db, OLD.signature(), target=DOCS)
        database = made.conn.info.dbname
        for heading in ("stage", "apply", "apply --keep-old", "rollback, finalize, abort"):
            grants = (
                g for g in granted(heading, made.name, database) if "SCHEMA docs" not in g and "extensions" not in g
            )
            run_sql(made.conn, *grants)
        yield made


def _every_verb(at: Stage, psql: str) -> list[VestigeError]:
    """Have a superuser do everything to the table, and return what was refused."""
    refused = []
    for verb in (
        lambda: status(at.db, target=DOCS),
        lambda: migrate_up(at.db, vestige=False),
        lambda: stage_reembed(at.db, NEW, target=DOCS),
        lambda: script_staged(at.db, target=DOCS),
        lambda: apply_staged(at.db, KEEP, target=DOCS),
        lambda: run_reembed(at.db, NEW, target=DOCS),
        lambda: rollback(at.db, target=DOCS),
        lambda: finalize(at.db, target=DOCS),
        lambda: run_reembed(at.db, OLD, ReembedPlan(concurrent_index=True), target=DOCS),
        lambda: run_reembed(at.db, NEW, ONLINE, target=DOCS),
        lambda: rollback(at.db, target=DOCS),
        lambda: finalize(at.db, target=DOCS),
        lambda: abort_reembed(at.db, target=DOCS),
    ):
        try:
            verb()
        except VestigeError as error:
            refused.append(error)
        at.check_out()
    plan = subprocess.run(["sql/plan", "rewrite"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    with suppress(VestigeError):
        stage_reembed(at.db, OLD, target=DOCS)
    head = [psql, "-X", "-1", at.db, "-v", "ON_ERROR_STOP=1", "-v", "target=docs.documents"]
    subprocess.run([*head, "-f", "sql/variables.psql", *plan], cwd=ROOT, capture_output=True, text=True, check=False)
    at.check_out()
    return refused


_ROW = "'docs', 'documents', 'embedding'"
_RUN = "(table_schema, table_name, column_name, scope, to_name, to_dimension, to_hash, package_version, variables)"
_RUN_VALUES = f"VALUES ({_ROW}, 'all', 'x', 12, repeat('0', 64), '0'"


def test_a_role_writes_only_about_tables_of_its_own(stage: Stage, psql: str) -> None:
    run_sql(stage.conn, f"GRANT USAGE ON SCHEMA docs TO {stage.name}")
    for statement in (
        f"INSERT INTO vestige_sql.saved_index VALUES ({_ROW}, 'zz', 'zz', 'ALTER ROLE {{m}} SUPERUSER')",
        f"INSERT INTO vestige_sql.model VALUES ({_ROW}, 'evil', 8, repeat('0', 64))",
        "UPDATE vestige_sql.model SET model_name = 'evil'",
        "UPDATE vestige_sql.model SET table_name = 'away'",
        f"INSERT INTO vestige_sql.run {_RUN} {_RUN_VALUES}, '{{}}')",
        f"INSERT INTO vestige_sql.run {_RUN} {_RUN_VALUES.replace('documents', 'later')}, '{{}}')",
        "INSERT INTO vestige_sql.kept (table_schema, table_name, column_name, place, run_id)"
        f" VALUES ({_ROW}, 'table', 1)",
        "SELECT vestige_sql.set_model('docs.documents', 'embedding', 'evil', 8, repeat('0', 64))",
        "INSERT INTO vestige_sql.encoding"
        f" VALUES ({_ROW}, 'evil', 8, repeat('0', 64), jsonb_build_object('query_prompt', 'evil: '))",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no table of its own"):
            stage.does(statement)
    assert _every_verb(stage, psql) == []
    check_space(stage.conn, OLD, DOCS)


@pytest.mark.parametrize(
    ("statement", "is_granted"),
    [
        ("UPDATE vestige_sql.home SET place = 0", True),
        ("UPDATE vestige_sql.home SET id = gen_random_uuid()", True),
        ("UPDATE vestige_sql.home SET made_at = 'infinity', written_by = xmin", True),
        ("DELETE FROM vestige_sql.home", False),
    ],
)
def test_where_the_registry_is_at_home_is_not_changed(stage: Stage, statement: str, is_granted: bool) -> None:
    if not is_granted:
        run_sql(stage.conn, f"GRANT DELETE ON vestige_sql.home TO {stage.name}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="may not change where the registry"):
        stage.does(statement)
    # It may note a home of its own making, which vouches for nothing that is registered.
    stage.does("INSERT INTO vestige_sql.home (id, place) SELECT id, place FROM vestige_sql.home")
    assert run_reembed(stage.db, OLD, target=DOCS).rows_updated == 0
    check_space(stage.conn, OLD, DOCS)


def test_after_a_restore_no_role_vouches_for_another_s_tables(stage: Stage) -> None:
    # What dump and restore do to the row: it has another xmin.
    run_sql(stage.conn, "UPDATE vestige_sql.home SET made_at = made_at")
    with pytest.raises(VestigeError, match="nobody knows of which model"):
        run_reembed(stage.db, OLD, target=DOCS)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="may not change where the registry"):
        stage.does("UPDATE vestige_sql.home SET place = tableoid, written_by = xmin")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no table of its own"):
        stage.does("SELECT vestige_sql.came_in_one_piece()")
    with pytest.raises(VestigeError, match="nobody knows of which model"):
        run_reembed(stage.db, OLD, target=DOCS)


_JUDGING = (
    "INSERT INTO vestige_sql.judging (table_oid, table_schema, table_name, column_name, run_id, to_name, to_dimension,"
    " to_hash, place, questions, asked_by, fingerprint, package_version, verdict, started_by)"
    " SELECT 'docs.documents'::regclass, table_schema, table_name, column_name, id, to_name, to_dimension, to_hash,"
    " 'staged', 'given', 'model', 'x', '0', 'GO', 'postgres' FROM vestige_sql.run"
)


def test_whoever_may_judge_writes_of_its_own_judgings_alone(stage: Stage) -> None:
    stage_reembed(stage.db, NEW, target=DOCS)
    run_sql(stage.conn, "CREATE SCHEMA extensions", *granted("judge", stage.name, stage.conn.info.dbname))
    run_sql(stage.conn, _JUDGING.replace("'GO', 'postgres'", "'NO-GO', session_user"))
    run_sql(stage.conn, "INSERT INTO vestige_sql.judge_question VALUES (1, 1, 'what?')")
    run_sql(stage.conn, "INSERT INTO vestige_sql.judge_answer VALUES (1, 1, '3')")
    for statement in (
        "UPDATE vestige_sql.judging SET verdict = 'GO'",
        "UPDATE vestige_sql.judging SET started_by = session_user",
        "UPDATE vestige_sql.judge_question SET question = 'why?'",
        "DELETE FROM vestige_sql.judge_question",
        "DELETE FROM vestige_sql.judge_answer",
        "INSERT INTO vestige_sql.judge_answer VALUES (1, 1, '4')",
        "INSERT INTO vestige_sql.judge_found VALUES (1, 1, 'new', '4', 0)",
        "INSERT INTO vestige_sql.judge_measure VALUES (1, '', 'nDCG@10', 100, 0, 1, 1, 1, 1)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no table of its own"):
            stage.does(statement)
    # A judging of its own says whose it is.
    stage.does(
        _JUDGING,
        "INSERT INTO vestige_sql.judge_question VALUES (2, 1, 'what?')",
        "DELETE FROM vestige_sql.judge_question WHERE judging = 2",
    )
    found = stage.conn.execute("SELECT id, verdict, started_by FROM vestige_sql.judging ORDER BY id").fetchall()
    assert found == [(1, "NO-GO", stage.conn.info.user), (2, "GO", stage.name)]


def test_what_a_model_answered_is_not_changed(stage: Stage) -> None:
    run_sql(stage.conn, f"GRANT SELECT, INSERT, UPDATE, DELETE ON vestige_sql.encoder_probe TO {stage.name}")
    answer = (
        "INSERT INTO vestige_sql.encoder_probe VALUES ('{}', 2, repeat('0', 64), 'one', '{{1,2}}', now(), 'postgres')"
    )
    run_sql(stage.conn, answer.format("first"))
    for statement in ("UPDATE vestige_sql.encoder_probe SET vector = '{2,1}'", "DELETE FROM vestige_sql.encoder_probe"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="may not change what a model answered"):
            stage.does(statement)
    stage.does(answer.format("second").replace("{{", "{").replace("}}", "}"))
    found = stage.conn.execute("SELECT model_name, remembered_by FROM vestige_sql.encoder_probe ORDER BY 1").fetchall()
    assert found == [("first", "postgres"), ("second", stage.name)]


def test_steps_of_another_role_s_run_are_not_written(stage: Stage) -> None:
    stage_reembed(stage.db, NEW, target=DOCS)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no table of its own"):
        stage.does(
            "INSERT INTO vestige_sql.step (run_id, file, sha256, started_at, duration_secs)"
            " SELECT id, 'stage/page.sql', repeat('0', 64), now(), 0 FROM vestige_sql.run"
        )
    for change in ("state = 'applied'", 'variables = \'{"id_type": "x"}\'', "table_name = 'mine'"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no table of its own"):
            stage.does(f"UPDATE vestige_sql.run SET {change}")
    apply_staged(stage.db, target=DOCS)
    check_space(stage.conn, NEW, DOCS)


_VECTORS = "(id bigint PRIMARY KEY, content_hash bytea NOT NULL, embedding public.vector NOT NULL"
_HARMLESS_NAME = "vestige_sql.note_changed_0123456789abcdef"
"""As a function of a run on another table is called."""

PLANTED = {
    "a staging table with a trigger": (
        f"CREATE TABLE vestige_sql.stage_{{s}} {_VECTORS})",
        "CREATE FUNCTION vestige_sql.evil() RETURNS trigger {evil trigger}",
        "CREATE TRIGGER evil AFTER INSERT ON vestige_sql.stage_{s} EXECUTE FUNCTION vestige_sql.evil()",
    ),
    "a view in the staging table's place": (
        f"CREATE FUNCTION {_HARMLESS_NAME}() RETURNS boolean {{evil check}}",
        "CREATE VIEW vestige_sql.stage_{s} AS SELECT 1::bigint AS id, ''::bytea AS content_hash,"
        f" NULL::public.vector(12) AS embedding WHERE {_HARMLESS_NAME}()",
    ),
    "a staging table with a check": (
        f"CREATE FUNCTION {_HARMLESS_NAME}() RETURNS boolean {{evil check}}",
        f"CREATE TABLE vestige_sql.stage_{{s}} {_VECTORS}, CHECK ({_HARMLESS_NAME}()))",
    ),
    "a table of kept vectors": (
        f"CREATE TABLE vestige_sql.kept_{{s}} {_VECTORS})",
        f"CREATE FUNCTION {_HARMLESS_NAME}() RETURNS trigger {{evil trigger}}",
        f"CREATE TRIGGER evil BEFORE INSERT ON vestige_sql.kept_{{s}} EXECUTE FUNCTION {_HARMLESS_NAME}()",
    ),
    "a table of changes": ("CREATE TABLE vestige_sql.changed_{s} (change bigint PRIMARY KEY, id bigint)",),
    "the trigger function of an online run": (
        "CREATE FUNCTION vestige_sql.note_changed_{s}() RETURNS trigger {evil trigger}",
    ),
    "the trigger function of kept vectors": (
        "CREATE FUNCTION vestige_sql.forget_stale_{s}() RETURNS trigger {evil trigger}",
    ),
    "the lookup function": (
        "CREATE FUNCTION vestige_sql.staged_embedding_{s}(bigint) RETURNS public.vector LANGUAGE sql"
        " AS 'SELECT NULL::public.vector'",
    ),
    "an overload that fits better": (
        "CREATE FUNCTION vestige_sql.index_definitions(regclass, text, integer, name DEFAULT NULL)"
        " RETURNS TABLE (index_name text, definition text, index_comment text, built_as text) {evil}",
    ),
    "an overload of the check": ("CREATE FUNCTION vestige_sql.require(boolean, text) RETURNS void {evil}",),
    "a table of the next version": ("CREATE TABLE vestige_sql.promises (id bigint)",),
    "a function of the next version": ("CREATE FUNCTION vestige_sql.promise() RETURNS void {evil}",),
    "a table for the trial": ("CREATE TABLE vestige_sql.try_stage_{s} (id bigint)",),
    "a type in the staging table's place": ("CREATE TYPE vestige_sql.stage_{s} AS ENUM ('evil')",),
    "a sequence": ("CREATE SEQUENCE vestige_sql.changed_{s}_change_seq1",),
    "a domain": ("CREATE DOMAIN vestige_sql.vector AS text",),
}


@pytest.mark.parametrize("what", PLANTED)
def test_what_is_planted_in_the_schema_is_refused_by_name(stage: Stage, psql: str, what: str) -> None:
    stage.does(*PLANTED[what])
    refused = _every_verb(stage, psql)
    assert any(stage.name in str(error) for error in refused)
    assert all(error.hint for error in refused)
    check_space(stage.conn, OLD, DOCS)


def test_a_trigger_on_a_table_of_the_package(stage: Stage, psql: str) -> None:
    """More than the page grants, and given away all the same: GRANT ALL ON ALL TABLES."""
    run_sql(stage.conn, f"GRANT ALL ON ALL TABLES IN SCHEMA vestige_sql TO {stage.name}")
    stage.does(
        f"CREATE FUNCTION {_HARMLESS_NAME}() RETURNS trigger {{evil trigger}}",
        f"CREATE TRIGGER evil AFTER INSERT ON vestige_sql.run EXECUTE FUNCTION {_HARMLESS_NAME}()",
    )
    refused = _every_verb(stage, psql)
    assert any("trigger evil on run" in str(error) for error in refused)


_INDEX = "CREATE INDEX zz ON docs.documents USING hnsw (embedding public.vector_cosine_ops)"


@pytest.mark.parametrize(
    "definition",
    [
        "ALTER ROLE {m} SUPERUSER",
        f"{_INDEX}; ALTER ROLE {{m}} SUPERUSER",
        # to a reader that takes e' for the beginning of a string, the rest stands in it
        f"{_INDEX} WHERE xe'\\'; ALTER ROLE {{m}} SUPERUSER; --'",
        f"{_INDEX} /* */",
        "CREATE INDEX zz ON docs.documents USING btree (public.evil(body))",
        _INDEX.replace("documents", "others"),
    ],
)
def test_a_saved_definition_is_what_it_says(stage: Stage, psql: str, definition: str) -> None:
    """By a role that owned the table once, or could be its owner: the definition itself is looked at too."""
    definition = definition.replace("{m}", stage.name)
    stage.conn.execute(
        f"INSERT INTO vestige_sql.saved_index VALUES ({_ROW}, 'zz', 'zz', %s)",  # type: ignore[call-overload]
        (definition,),
    )
    refused = _every_verb(stage, psql)
    assert any("not one CREATE INDEX on that table" in str(error) for error in refused)
    check_space(stage.conn, OLD, DOCS)


def test_a_saved_definition_counts_by_who_wrote_it(stage: Stage, psql: str) -> None:
    """The table was the role's, and is another's by now: its name is the same."""
    conn = stage.conn
    run_sql(conn, f"GRANT CREATE, USAGE ON SCHEMA docs TO {stage.name}", "ALTER TABLE docs.documents RENAME TO real")
    stage.does(
        "CREATE TABLE docs.documents (id int)",
        f"INSERT INTO vestige_sql.saved_index VALUES ({_ROW}, 'zz', 'zz',"
        " 'CREATE INDEX zz ON docs.documents USING hnsw (embedding public.vector_cosine_ops) WHERE docs.evil()')",
        "DROP TABLE docs.documents",
    )
    run_sql(conn, "ALTER TABLE docs.real RENAME TO documents")
    refused = _every_verb(stage, psql)
    assert any(f"role {stage.name} wrote the definition of index zz" in str(error) for error in refused)


# --- The schema itself ---


@pytest.fixture
def bare(empty_db: str) -> Iterator[Stage]:
    """A database without the package, in which a role may create schemas."""
    with _stage(empty_db) as made:
        run_sql(
            made.conn, "CREATE EXTENSION vector", f"GRANT CREATE ON DATABASE {made.conn.info.dbname} TO {made.name}"
        )
        _documents(made.conn)
        yield made


def test_a_planted_schema_is_refused(bare: Stage, psql: str) -> None:
    bare.does("CREATE SCHEMA vestige_sql")
    with pytest.raises(VestigeError, match=f"the schema vestige_sql belongs to role {bare.name}"):
        migrate_up(bare.db, vestige=False)
    assert all(bare.name in str(error) for error in _every_verb(bare, psql))


def test_a_schema_that_the_role_has_set_up_is_refused_to_a_superuser(bare: Stage, psql: str) -> None:
    run_sql(bare.conn, f"GRANT CREATE ON SCHEMA public TO {bare.name}")
    migrate_up(bare.as_mallory, vestige=False)
    bare.does(
        "DROP FUNCTION vestige_sql.require",
        "CREATE FUNCTION vestige_sql.require(boolean, text, text DEFAULT '') RETURNS void {evil}",
    )
    refused = _every_verb(bare, psql)
    assert len(refused) == 13
    assert all("belongs to role" in str(error) for error in refused)


def test_who_set_it_up_may_use_it(bare: Stage) -> None:
    """The role itself, on a table of its own; and a role that says that it trusts this one."""
    run_sql(bare.conn, f"GRANT CREATE ON SCHEMA public TO {bare.name}", f"ALTER SCHEMA docs OWNER TO {bare.name}")
    run_sql(bare.conn, f"ALTER TABLE docs.documents OWNER TO {bare.name}")
    migrate_up(bare.as_mallory, vestige=False)
    register_model(bare.as_mallory, OLD.signature(), target=DOCS)
    run_reembed(bare.as_mallory, NEW, target=DOCS)
    check_space(bare.conn, NEW, DOCS)


@pytest.mark.parametrize(
    "more",
    [
        "",
        "GRANT pg_read_all_data TO {login}",
        "GRANT SELECT ON docs.secret TO {login}",
        "ALTER TABLE docs.secret OWNER TO {login}",
        "ALTER ROLE {login} CREATEROLE",
        "ALTER ROLE {login} SUPERUSER",
    ],
    ids=["nothing", "a role", "a grant", "a table", "CREATEROLE", "SUPERUSER"],
)
def test_a_login_that_is_nothing_but_a_member_of_the_role_that_it_sets(bare: Stage, more: str) -> None:
    """As Vault's are. Code of that role may RESET ROLE, and so it counts what the login may do besides."""
    conn, login = bare.conn, f"{bare.name}_login"
    run_sql(
        conn,
        f"GRANT CREATE ON SCHEMA public TO {bare.name}",
        f"ALTER SCHEMA docs OWNER TO {bare.name}",
        f"ALTER TABLE docs.documents OWNER TO {bare.name}",
        "CREATE TABLE docs.secret ()",
        f"CREATE ROLE {login} LOGIN PASSWORD 'secret' NOINHERIT IN ROLE {bare.name}",
        f"ALTER ROLE {login} SET role = {bare.name}",
        f"GRANT CONNECT ON DATABASE {conn.info.dbname} TO {login}",
    )
    through = make_conninfo(bare.db, user=login, password="secret")
    try:
        migrate_up(bare.as_mallory, vestige=False)
        run_sql(conn, more.format(login=login) or "SELECT")
        if more:
            with pytest.raises(VestigeError, match=f"the schema vestige_sql belongs to role {bare.name}") as refused:
                run_reembed(through, NEW, target=DOCS)
            assert f"GRANT {bare.name} TO {bare.name}" not in refused.value.hint
        else:
            assert migrate_up(through, vestige=False).applied == []
            register_model(through, OLD.signature(), target=DOCS)
            run_reembed(through, NEW, ONLINE, target=DOCS)
            rollback(through, target=DOCS)
            finalize(through, target=DOCS)
            run_reembed(through, NEW, KEEP, target=DOCS)
            check_space(conn, NEW, DOCS)
            owners = "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class"
            owners += " WHERE relnamespace = 'vestige_sql'::regnamespace"
            assert conn.execute(owners).fetchall() == [(bare.name,)]
    finally:
        run_sql(conn, "DROP TABLE docs.secret", f"DROP OWNED BY {login} CASCADE", f"DROP ROLE {login}")


def test_the_database_s_owner_is_trusted_by_those_who_are_no_superuser(bare: Stage) -> None:
    """As on managed servers, where the administrator is none either."""
    conn, app = bare.conn, f"{bare.name}_app"
    run_sql(
        conn, f"ALTER DATABASE {conn.info.dbname} OWNER TO {bare.name}", f"CREATE ROLE {app} LOGIN PASSWORD 'secret'"
    )
    try:
        run_sql(conn, f"ALTER TABLE docs.documents OWNER TO {app}", f"GRANT USAGE, CREATE ON SCHEMA docs TO {app}")
        migrate_up(bare.as_mallory, vestige=False)
        grants = [
            g for g in granted("apply", app, conn.info.dbname) if "SCHEMA docs" not in g and "extensions" not in g
        ]
        bare.does(*grants)
        as_app = make_conninfo(bare.db, user=app, password="secret")
        register_model(as_app, OLD.signature(), target=DOCS)
        run_reembed(as_app, NEW, target=DOCS)
        check_space(conn, NEW, DOCS)
        run_sql(conn, f"ALTER DATABASE {conn.info.dbname} OWNER TO {conn.info.user}")
        with pytest.raises(VestigeError, match=f"belongs to role {bare.name}") as caught:
            status(as_app, target=DOCS)
        run_sql(conn, caught.value.hint.split("may act as this role: ")[1].split(";")[0])
        status(as_app, target=DOCS)
    finally:
        run_sql(conn, f"DROP OWNED BY {app} CASCADE", f"DROP ROLE {app}")


def test_a_run_counts_by_who_began_it(stage: Stage, psql: str) -> None:
    """The table was the role's, and is another's by now; psql puts the variables of the run in as they are."""
    conn = stage.conn
    run_sql(conn, f"GRANT CREATE, USAGE ON SCHEMA docs TO {stage.name}", "ALTER TABLE docs.documents RENAME TO real")
    stage.does(
        "CREATE TABLE docs.documents (id int)",
        f"INSERT INTO vestige_sql.run {_RUN} {_RUN_VALUES}, jsonb_build_object('oid', {{o}}, 'schema', 'docs', 'table',"
        " 'documents', 'embedding_column', 'embedding', 'id_column', 'id', 'content_column', 'body', 'id_schema',"
        " 'pg_catalog', 'staging_table', 'run', 'new_column', 'body', 'kept_column', 'body', 'id_type',"
        " 'int); ALTER ROLE {m} SUPERUSER; --', 'dimension', '12); ALTER ROLE {m} SUPERUSER; --', 'only_missing',"
        " 'true); ALTER ROLE {m} SUPERUSER; --', 'lock_timeout', '1s', 'vector_type', 'public.vector'))".replace(
            "{o}",
            str(conn.execute("SELECT 'docs.real'::regclass::oid").fetchone()[0]),  # type: ignore[index]
        ),
        "DROP TABLE docs.documents",
    )
    run_sql(conn, "ALTER TABLE docs.real RENAME TO documents")
    refused = _every_verb(stage, psql)
    assert any(f"role {stage.name} began or changed the open run" in str(error) for error in refused)
    run_sql(
        conn,
        "UPDATE vestige_sql.run SET table_name = 'before', table_oid = 'docs.documents'::regclass,"
        " home = vestige_sql.this_home() WHERE state = 'staging'",
    )
    refused = _every_verb(stage, psql)
    assert any(f"role {stage.name} began or changed the open run" in str(error) for error in refused)
    assert conn.execute("SELECT count(body) FROM docs.documents").fetchone() == (12,)


@pytest.mark.parametrize(
    "statements",
    [
        (
            "CREATE TABLE public.yoyo_lock (locked int PRIMARY KEY, ctime timestamp, pid int NOT NULL)",
            "CREATE FUNCTION public.evil() RETURNS trigger {evil trigger}",
            "CREATE TRIGGER evil AFTER INSERT ON public.yoyo_lock EXECUTE FUNCTION public.evil()",
        ),
        ("CREATE VIEW public._yoyo_migration AS SELECT 1 AS x",),
        ("CREATE TABLE public.users (id uuid)",),
        (
            "CREATE FUNCTION public.same(varchar, varchar) RETURNS boolean {evil check}",
            "CREATE OPERATOR public.= (FUNCTION = public.same, LEFTARG = varchar, RIGHTARG = varchar)",
        ),
        ("CREATE FUNCTION public.to_tsvector(text, text) RETURNS tsvector LANGUAGE sql AS 'SELECT NULL::tsvector'",),
    ],
    ids=["a lock table", "a view of migrations", "a table of Vestige's", "an operator", "a function"],
)
def test_what_is_planted_on_the_path_is_refused_by_name(bare: Stage, statements: tuple[str, ...]) -> None:
    run_sql(bare.conn, f"GRANT CREATE ON SCHEMA public TO {bare.name}")
    bare.does(*statements)
    with pytest.raises(VestigeError, match=f"does not trust: (table|operator|function) public.* of {bare.name}"):
        migrate_up(bare.db)
    bare.check_out()
    assert bare.conn.execute("SELECT to_regnamespace('vestige_sql')").fetchone() == (None,)
