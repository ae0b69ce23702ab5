"""What may not be done: the rows of sql/probe/refusals/ stop the runner and psql by hand with the same words.

For every code there is a table that has it. The runner refuses before it writes, and under the lock where it came in
between; psql by hand refuses under the lock; a dump is as it was. And what the row says takes the reason away, does.
"""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support import Conn, FakeEmbedder, Points, check_space, dsn, granted, literal
from test_any_table import has_halfvec
from test_by_hand import files as planned

from vestige_sql import ReembedPlan, Target, register_model, rollback, run_reembed, stage_reembed, steps
from vestige_sql.errors import CheckFailed, TargetError, VestigeError
from vestige_sql.reembed.refusals import ASK, ask
from vestige_sql.reembed.run import refusal_values
from vestige_sql.reembed.target import probe
from vestige_sql.reembed.verbs import apply_staged
from vestige_sql.resources import resource_dir
from vestige_sql.steps import plans

SQL = resource_dir("sql")
DOCUMENTS = Target("documents", content_column="body")
OLD = FakeEmbedder("old", 8)
WAYS = ("rewrite", "swap", "widen", "fill", "online", "back", "rows")
ALTER = "ALTER TABLE documents ALTER embedding"

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Case:
    """``does`` brings what ``what`` names, in statements that # parts. ``undone`` takes it away where the row itself
    says no way, or more is needed; ``again`` brings it once more where that takes other statements. ``before`` comes
    before staging. ``role``: a plain owner asks. ``once``: there is no way back. ``since``: of this PostgreSQL.
    ``verdict``: GO is required, and there.
    """

    what: str
    does: str
    way: str = "swap"
    undone: str = ""
    again: str = ""
    before: str = ""
    dimension: int = 16
    role: bool = False
    once: bool = False
    since: int = 0
    verdict: bool = False


def plain(what: str, does: str, undone: str, **more: Any) -> Case:
    return Case(what, does, undone=undone, way="rewrite", **more)


SUFFIX = "a40b9f0984a895f8"
"""What names made from public.documents.embedding end with."""

PLANTED = f"CREATE TYPE vestige_sql.kept_{SUFFIX} AS ENUM ()# ALTER TYPE vestige_sql.kept_{SUFFIX} OWNER TO pg_monitor"

ANOTHER = "ALTER TABLE documents RENAME TO away"
AGAIN = "# ALTER TABLE away RENAME TO documents"

PARTITIONED = (
    f"{ANOTHER}# CREATE TABLE documents (id int PRIMARY KEY, body text, embedding vector(8)) PARTITION BY RANGE (id)#"
    "CREATE TABLE part PARTITION OF documents DEFAULT"
)

DENSE = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"
"""A text that no compression makes shorter."""

COPIED = f"{ANOTHER}# CREATE TABLE documents (LIKE away INCLUDING ALL)# INSERT INTO documents SELECT * FROM away"
"""Another table of the name, with the vectors of the one that had it."""

CASES = [
    # of the server
    Case("package_rights", "REVOKE DELETE ON vestige_sql.saved_index FROM {role}", "rewrite", role=True),
    Case(
        "event_triggers",
        "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        r" RAISE EXCEPTION 'no drops outside of a window'\; END $$#"
        "CREATE EVENT TRIGGER refuse ON sql_drop EXECUTE FUNCTION refuse()",
        "rewrite",
        again="ALTER EVENT TRIGGER refuse ENABLE",
    ),
    # of the table
    plain(
        "partition",
        f"{ANOTHER}# CREATE TABLE parent (id int PRIMARY KEY, body text, embedding vector(8)) PARTITION BY RANGE (id)#"
        "CREATE TABLE documents PARTITION OF parent DEFAULT",
        f"DROP TABLE parent {AGAIN}",
    ),
    plain(
        "foreign_partition",
        f"{ANOTHER}# CREATE FOREIGN DATA WRAPPER far# CREATE SERVER there FOREIGN DATA WRAPPER far#"
        "CREATE TABLE documents (id int, body text, embedding vector(8)) PARTITION BY RANGE (id)#"
        "CREATE FOREIGN TABLE part PARTITION OF documents DEFAULT SERVER there",
        f"DROP TABLE documents# DROP FOREIGN DATA WRAPPER far CASCADE {AGAIN}",
    ),
    plain(
        "partition_detaching",
        f"{PARTITIONED}# UPDATE pg_inherits SET inhdetachpending = true WHERE inhrelid = 'part'::regclass",
        f"DROP TABLE documents, part {AGAIN}",
    ),
    Case("not_owner_of_partitions", f"{PARTITIONED}# ALTER TABLE documents OWNER TO {{role}}", "rewrite",
         f"DROP TABLE documents {AGAIN}", role=True),
    Case(
        "row_security_of_partitions",
        f"{PARTITIONED}# ALTER TABLE documents OWNER TO {{role}}# ALTER TABLE part OWNER TO {{role}}#"
        "ALTER TABLE part ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "rewrite",
        once=True,
        role=True,
    ),
    plain("not_a_table", f"{ANOTHER}# CREATE VIEW documents AS SELECT * FROM away", f"DROP VIEW documents {AGAIN}"),
    plain(
        "typed",
        "CREATE TYPE document AS (id int, body text, embedding vector(8))# ALTER TABLE documents OF document",
        "",
        again="ALTER TABLE documents OF document",
    ),
    plain("inherits", "CREATE TABLE child () INHERITS (documents)", "DROP TABLE child"),
    plain("no_column", "ALTER TABLE documents RENAME body TO text", "ALTER TABLE documents RENAME text TO body"),
    plain(
        "bytes",
        "ALTER TABLE documents ALTER body TYPE bytea USING convert_to(body, 'UTF8')",
        "ALTER TABLE documents ALTER body TYPE text USING convert_from(body, 'UTF8')",
    ),
    plain(
        "not_a_text",
        "ALTER TABLE documents ALTER body TYPE jsonb USING to_jsonb(body)",
        "ALTER TABLE documents ALTER body TYPE text USING jsonb_extract_path_text(body, VARIADIC '{}'::text[])",
    ),
    plain(
        "not_a_vector",
        f"{ALTER} TYPE real[] USING embedding::real[]",
        f"{ALTER} TYPE vector(8) USING embedding::vector(8)",
    ),
    # of what the package makes for the table; pg_monitor stands for a role that nobody trusts
    Case("planted", PLANTED, "rewrite", again=PLANTED),
    plain(
        "altered",
        f"CREATE TRIGGER other BEFORE UPDATE ON vestige_sql.stage_{SUFFIX}"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        f"DROP TRIGGER other ON vestige_sql.stage_{SUFFIX}",
    ),
    plain(
        "no_key",
        "ALTER TABLE documents DROP CONSTRAINT documents_pkey",
        "ALTER TABLE documents ADD PRIMARY KEY (id)",
    ),
    plain(
        "composite_key",
        "ALTER TABLE documents DROP CONSTRAINT documents_pkey, ADD part int DEFAULT 1, ADD PRIMARY KEY (part, id)",
        "ALTER TABLE documents DROP CONSTRAINT documents_pkey, DROP part, ADD PRIMARY KEY (id)",
    ),
    Case(
        "deferrable_key",
        "ALTER TABLE documents DROP CONSTRAINT documents_pkey, ADD PRIMARY KEY (id) DEFERRABLE",
        "rewrite",
        again="DROP INDEX documents_id_idx",
    ),
    Case(
        "not_validated_key",
        "ALTER TABLE documents DROP CONSTRAINT documents_pkey, ADD UNIQUE (id), ALTER id DROP NOT NULL#"
        "ALTER TABLE documents ADD CONSTRAINT there NOT NULL id NOT VALID",
        "rewrite",
        again="ALTER TABLE documents ALTER id DROP NOT NULL#"
        "ALTER TABLE documents ADD CONSTRAINT there NOT NULL id NOT VALID",
        since=18,
    ),
    plain(
        "generated",
        "ALTER TABLE documents DROP embedding,"
        " ADD embedding vector(8) GENERATED ALWAYS AS ('[1,2,3,4,5,6,7,8]') STORED",
        "",
        once=True,
    ),
    Case("not_owner", "ALTER TABLE documents OWNER TO CURRENT_USER# GRANT ALL ON documents TO {role}", "rewrite",
         "ALTER TABLE documents OWNER TO {role}", role=True),
    Case(
        "row_security",
        "ALTER TABLE documents ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        "rewrite",
        before="CREATE POLICY everything ON documents USING (true)",
        role=True,
    ),
    Case("rights", "REVOKE CREATE ON SCHEMA public FROM {role}, PUBLIC", "rewrite", role=True),
    # of the column
    Case("constraint", "ALTER TABLE documents ADD CONSTRAINT sound CHECK (vector_norm(embedding) > 0)#"
         "COMMENT ON CONSTRAINT sound ON documents IS 'what it''s for'"),
    Case("index", "CREATE INDEX plain ON documents (embedding)# COMMENT ON INDEX plain IS 'what it is for'"),
    Case("sequence", "CREATE SEQUENCE counted OWNED BY documents.embedding",
         again="ALTER SEQUENCE counted OWNED BY documents.embedding"),
    Case("statistics", "CREATE STATISTICS pair ON body, embedding FROM documents#"
         "ALTER STATISTICS pair SET STATISTICS 7"),
    Case("publication", "CREATE PUBLICATION pub FOR TABLE documents (id, embedding)", "rewrite",
         "DROP PUBLICATION pub"),
    Case(
        "rule",
        "CREATE TABLE inbox (id int)# CREATE RULE forget AS ON INSERT TO inbox DO ALSO"
        " UPDATE documents SET embedding = NULL WHERE id = NEW.id# ALTER TABLE inbox ENABLE ALWAYS RULE forget",
        "widen",
        again="CREATE RULE forget AS ON INSERT TO inbox DO ALSO"
        " UPDATE documents SET embedding = NULL WHERE id = NEW.id# ALTER TABLE inbox ENABLE ALWAYS RULE forget",
    ),
    Case(
        "policy",
        "CREATE POLICY embedded ON documents AS RESTRICTIVE FOR UPDATE TO PUBLIC, pg_monitor"
        " USING (embedding IS NOT NULL) WITH CHECK (id > 0)# COMMENT ON POLICY embedded ON documents IS 'what for'",
        "rewrite",
    ),
    Case(
        "trigger",
        "CREATE TRIGGER watch BEFORE UPDATE OF embedding ON documents FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()# ALTER TABLE documents ENABLE ALWAYS TRIGGER watch",
        "online",
    ),
    Case(
        "function",
        "CREATE FUNCTION embedded() RETURNS bigint BEGIN ATOMIC SELECT count(embedding) FROM documents\\; END",
        "rewrite",
        "DROP FUNCTION embedded",
    ),
    Case(
        "generated_column",
        "ALTER TABLE documents ADD norm double precision GENERATED ALWAYS AS (vector_norm(embedding)) STORED#"
        "ALTER TABLE documents ADD dims int GENERATED ALWAYS AS (vector_dims(embedding)) STORED NOT NULL#"
        "CREATE INDEX shorts ON documents (dims)# COMMENT ON COLUMN documents.dims IS 'what for'",
        "rewrite",
    ),
    Case(
        "old_dimension",
        "ALTER TABLE documents ADD CONSTRAINT eight CHECK (array_length(embedding::real[], 1) = 8)",
        "rewrite",
    ),
    Case(
        "index_too_long",
        "CREATE INDEX part ON documents USING hnsw ((subvector(embedding, 1, 6)::vector(6)) vector_cosine_ops)",
        "rewrite",
        dimension=4,
    ),
    Case("index_too_large", "CREATE INDEX plain ON documents (embedding)", "rewrite", dimension=700),
    Case(
        "another_object",
        "INSERT INTO pg_depend SELECT 'pg_ts_config'::regclass, 'simple'::regconfig, 0, 'pg_class'::regclass, attrelid,"
        " attnum, 'n' FROM pg_attribute WHERE attrelid = 'documents'::regclass AND attname = 'embedding'",
        "rewrite",
        "DELETE FROM pg_depend WHERE classid = 'pg_ts_config'::regclass AND refobjid = 'documents'::regclass",
    ),
    Case("row_type", "CREATE TABLE history (were documents[])", "rewrite", "DROP TABLE history"),
    Case("storage_plain", f"{ALTER} SET STORAGE PLAIN", "rewrite", dimension=2100),
    Case(
        "another_dimension",
        f"{ALTER} TYPE vector# CREATE INDEX eight ON documents USING hnsw ((embedding::vector(8)) vector_cosine_ops)#"
        "CREATE INDEX five ON documents USING hnsw ((embedding::vector(5)) vector_cosine_ops) WHERE id > 100",
        "rewrite",
        again="CREATE INDEX five ON documents USING hnsw ((embedding::vector(5)) vector_cosine_ops) WHERE id > 100",
    ),
    Case("storage_plain_beside", f"{ALTER} SET STORAGE PLAIN", "swap", dimension=2020),
    Case("default", f"{ALTER} SET DEFAULT '[1,2,3,4,5,6,7,8]'", "rewrite"),
    Case(
        "update_rule",
        "CREATE TABLE log (id int)#"
        "CREATE RULE written AS ON UPDATE TO documents DO ALSO INSERT INTO log VALUES (NEW.id)",
        "fill",
        again="CREATE RULE written AS ON UPDATE TO documents DO ALSO INSERT INTO log VALUES (NEW.id)",
    ),
    Case(
        "published_without_identity",
        "ALTER TABLE documents REPLICA IDENTITY NOTHING# CREATE PUBLICATION pub FOR TABLE documents",
        "fill",
        again="ALTER TABLE documents REPLICA IDENTITY NOTHING",
    ),
    Case(
        "index_not_made",
        "CREATE ACCESS METHOD diskann TYPE INDEX HANDLER hnswhandler#"
        "CREATE OPERATOR CLASS far_ops FOR TYPE vector USING diskann AS OPERATOR 1 <=> (vector, vector) FOR ORDER BY"
        " float_ops, FUNCTION 1 vector_negative_inner_product(vector, vector), FUNCTION 2 vector_norm(vector)#"
        "CREATE INDEX far ON documents USING diskann (embedding far_ops)",
        dimension=2100,
        again="CREATE INDEX far ON documents USING diskann (embedding far_ops)",
    ),
    # of the views
    Case("view", "CREATE VIEW seen AS SELECT * FROM documents# CREATE VIEW above AS SELECT * FROM seen", "back"),
    Case(
        "view_not_made",
        "CREATE VIEW seen AS SELECT * FROM documents#"
        "CREATE FUNCTION of_seen() RETURNS SETOF seen LANGUAGE sql AS 'SELECT * FROM seen'",
        "back",
        undone="DROP FUNCTION of_seen# DROP VIEW seen",
    ),
    # of the second column
    Case("name_taken", f"ALTER TABLE documents ADD embedding_{SUFFIX} int", "swap",
         again=f"ALTER TABLE documents RENAME embedding_{SUFFIX}_aside TO embedding_{SUFFIX}"),
    Case(
        "no_room",
        "ALTER TABLE documents " + ", ".join(f"ADD c{i} bool" for i in range(1597)) + "#"
        "ALTER TABLE documents DROP c1, DROP c2",
        "swap",
        once=True,
    ),
    Case(
        "rows_too_wide",
        "ALTER TABLE documents " + ", ".join(f"ADD c{i} text DEFAULT '{DENSE}'" for i in range(447)),
        "swap",
        "ALTER TABLE documents DROP c445, DROP c446# VACUUM FULL documents",
        again=f"ALTER TABLE documents ADD c445 text DEFAULT '{DENSE}', ADD c446 text DEFAULT '{DENSE}'",
    ),
    Case(
        "fires_triggers",
        "CREATE TRIGGER ever BEFORE UPDATE ON documents FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()# ALTER TABLE documents ENABLE ALWAYS TRIGGER ever",
        "online",
        again="ALTER TABLE documents ENABLE ALWAYS TRIGGER ever",
    ),
    # of the rows
    Case(
        "still_kept",
        "INSERT INTO vestige_sql.kept (table_schema, table_name, column_name, place, model_name, dimension, model_hash,"
        " run_id, kept_at) SELECT 'public', 'documents', 'embedding', 'table', 'older', 8, repeat('a', 64), max(id),"
        " '2026-01-01'"
        " FROM vestige_sql.run",
        "swap",
        "DELETE FROM vestige_sql.kept",
    ),
    Case(
        "rows_without_text",
        f"UPDATE documents SET body = ' ' WHERE id = 2# {ALTER} SET NOT NULL",
        "rewrite",
        f"{ALTER} DROP NOT NULL# UPDATE documents SET body = 'text 2' WHERE id = 2",
    ),
    Case(
        "check_violated",
        "ALTER TABLE documents ADD other int# ALTER TABLE documents ADD CONSTRAINT either"
        " CHECK (num_nonnulls(other, embedding) = 1)# UPDATE documents SET embedding = NULL, other = 1 WHERE id = 2",
        "rewrite",
        again="ALTER TABLE documents ADD CONSTRAINT either CHECK (num_nonnulls(other, embedding) = 1)",
    ),
    Case(
        "placeholder_denied",
        f"{ALTER} SET NOT NULL# ALTER TABLE documents ADD CONSTRAINT narrow CHECK (vector_norm(embedding) <> 1)",
        "online",
        again="ALTER TABLE documents ADD CONSTRAINT narrow CHECK (vector_norm(embedding) <> 1)",
    ),
    Case(
        "check_fails",
        "ALTER TABLE documents ADD CONSTRAINT far CHECK (embedding <-> '[9,9,9,9,9,9,9,9]' > 0)",
        "online",
    ),
    Case(
        "rows_without_vector",
        "UPDATE documents SET embedding = NULL WHERE id = 2#"
        "ALTER TABLE documents ADD CONSTRAINT there NOT NULL embedding NOT VALID",
        again="ALTER TABLE documents ADD CONSTRAINT there NOT NULL embedding NOT VALID",
        since=18,
    ),
    Case(
        "rows_not_kept",
        f"INSERT INTO documents (id, body, embedding) SELECT 9, 'late', embedding FROM documents LIMIT 1#"
        f"{ALTER} SET NOT NULL",
        "back",
        f"{ALTER} DROP NOT NULL# DELETE FROM documents WHERE id = 9",
    ),
    # of the registry
    Case("unknown_vectors", COPIED, "fill", "DROP TABLE documents" + AGAIN, dimension=8),
    Case("run_of_another", f"{COPIED}# UPDATE documents SET embedding = NULL", "rewrite",
         "DROP TABLE documents" + AGAIN),
    Case("kept_of_another", "UPDATE vestige_sql.kept SET table_oid = 'vestige_sql.run'::regclass", "back",
         "UPDATE vestige_sql.kept SET table_oid = 'documents'::regclass"),
    Case("not_guarded", "ALTER TABLE documents DISABLE TRIGGER USER# ALTER TABLE documents ENABLE TRIGGER USER", "back",
         once=True),
    Case("another_text", "UPDATE vestige_sql.model SET content_column = 'title', content_number = NULL", "fill",
         "UPDATE vestige_sql.model SET content_column = 'body', content_number = 2", dimension=8),
    # of some rows
    Case("several_models", "UPDATE vestige_sql.model SET row_filter = '(id < 2)'", "rewrite",
         "UPDATE vestige_sql.model SET row_filter = ''"),
    Case("several_dimensions",
         f"{ALTER} TYPE vector# UPDATE documents SET embedding = '[1,2]' WHERE id = 1",
         "rewrite", f"UPDATE documents SET embedding = NULL WHERE id = 1# {ALTER} TYPE vector(8)"),
    # of the verdict
    Case(
        "no_verdict",
        "UPDATE vestige_sql.judging SET verdict = 'NO-GO'",
        "rewrite",
        "UPDATE vestige_sql.judging SET verdict = 'GO'",
        verdict=True,
    ),
]  # fmt: skip

EARLY = {"no_pgvector", "encoding", "standby", "read_only", "no_package", "no_table", "package_table", "temporary",
         "one_column_twice", "several_columns", "row_security_of_others", "partitioned_online", "partitioned_rows",
         "run_under_another_name", "kept_under_another_name",
         "of_some_rows", "stays_untyped", "of_all_rows", "rows_of_vestige", "has_a_dimension", "run_of_other_rows",
         "kept_of_other_rows", "one_model", "loses_its_dimension", "expression", "expression_of_worker"}  # fmt: skip
"""Codes of what psql comes to before the gate, or which no run can have been begun with: tests of their own. So have
those of some rows."""


def codes() -> set[str]:
    """Every code that the files can give."""
    text = "".join(file.read_text(encoding="utf-8") for file in (SQL / ASK).glob("[2-7]*.sql"))
    given = re.findall(r"\n +(?:SELECT )?\d+(?: \+ c\.place)?, (CASE [^\n]*? END|'\w+'|k\.what),", text)
    found = {code for one in given for code in re.findall(r"'(\w{3,})'", one)}
    return (found | set(re.findall(r"\(\d+, (?:j\.|true)[^\n]*, '(\w+)', '[^']+'\)", text))) - {"asked"}


def test_every_code_has_a_case() -> None:
    cases = {case.what for case in CASES}
    assert not cases & EARLY
    assert codes() == cases | EARLY


# --- Both means ---


def do(conn: Conn, statements: str, role: str = "") -> None:
    for statement in statements.split("#"):
        if statement.strip():
            conn.execute(statement.replace("\\;", ";").replace("{role}", role))  # type: ignore[call-overload]


@pytest.fixture
def by_hand(psql: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the files of a way with psql, as sql/README.md says, in the order of the run."""

    def run(conninfo: str, way: str, *folders: str, verdict: bool = False) -> subprocess.CompletedProcess[str]:
        plan = {"online": ("online", "prepare"), "back": ("rollback-column",)}.get(way, (way,))
        head = ("transaction/10_set_limits.sql", "variables.psql", "transaction/20_claim_run.sql")
        names = [*head, *(step.name for folder in folders for step in steps.folder(folder))]
        files = [argument for name in names for argument in ("-f", str(SQL / name))]
        files += [] if folders else planned(*plan)
        options = ["-v", "ON_ERROR_STOP=1", "-v", "target=public.documents", "-v", f"way={way}"]
        options += ["-v", "require_verdict=true"] if verdict else []
        return subprocess.run(
            [psql, "-X", "-1", *options, *files, conninfo], capture_output=True, text=True, check=False
        )

    return run


@contextmanager
def owner(db: str, conn: Conn, wanted: bool) -> Iterator[tuple[str, str]]:
    """The conninfo of a plain role that owns the table, and its name; or the superuser's."""
    if not wanted:
        yield db, ""
        return
    role = f"vestige_owner_{os.getpid()}_{next(_numbers)}"
    conn.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")  # type: ignore[call-overload]
    try:
        for heading in ("apply", "rollback, finalize, abort"):
            for grant in granted(heading, role, only="vestige_sql"):
                conn.execute(grant)  # type: ignore[call-overload]
        conn.execute(f"GRANT CREATE ON SCHEMA public TO {role}")  # type: ignore[call-overload]
        conn.execute(f"ALTER TABLE documents OWNER TO {role}")  # type: ignore[call-overload]
        yield make_conninfo(db, user=role, password="secret"), role
    finally:
        do(conn, "REASSIGN OWNED BY {role} TO CURRENT_USER# DROP OWNED BY {role} CASCADE# DROP ROLE {role}", role)


def make(conn: Conn) -> None:
    conn.execute("CREATE TABLE documents (id int PRIMARY KEY, body text, embedding vector(8))")
    for i in range(4):
        text = f"text {i}"
        conn.execute("INSERT INTO documents VALUES (%s, %s, %s)", (i, text, literal(OLD.vector(text))))


def begin(conninfo: str, conn: Conn, case: Case) -> FakeEmbedder:
    """Bring the table to where the way begins, and return the model that it leads to."""
    register_model(conninfo, OLD.signature(), target=DOCUMENTS)
    if case.way == "fill":
        conn.execute("UPDATE documents SET embedding = NULL WHERE id = 3")
        stage_reembed(conninfo, FakeEmbedder("old", 8), target=DOCUMENTS)
        return OLD
    new = FakeEmbedder("new", case.dimension)
    if case.way == "back":
        run_reembed(conninfo, new, ReembedPlan(online=True), target=DOCUMENTS)
        return OLD
    stage_reembed(conninfo, new, target=DOCUMENTS)
    if case.verdict:
        conn.execute(
            "INSERT INTO vestige_sql.judging (table_oid, table_schema, table_name, column_name, run_id, to_name,"
            " to_dimension, to_hash, place, questions, asked_by, fingerprint, verdict, package_version)"
            " SELECT 'documents'::regclass, table_schema, table_name, column_name, id, to_name, to_dimension, to_hash,"
            f" 'staged', 'given', 'model', vestige_sql.staged_fingerprint('vestige_sql.stage_{SUFFIX}'), 'GO', ''"
            " FROM vestige_sql.run WHERE state = 'staging'"
        )
    return new


def carry_out(conninfo: str, way: str, verdict: bool = False) -> object:
    if way == "back":
        return rollback(conninfo, target=DOCUMENTS)
    plan = ReembedPlan(
        online=way == "online",
        apply=way if way in ("rewrite", "swap", "widen") else "auto",
        lock_attempts=1,
        require_verdict=verdict,
    )
    return apply_staged(conninfo, plan, target=DOCUMENTS)


@pytest.fixture
def dump(pg_dump: Callable[[str], str]) -> Callable[[str], str]:
    """A dump, but for how far the counters of rolled back transactions got."""
    return lambda conninfo: re.sub(r"(?m)^SELECT pg_catalog\.setval\(.*$", "", pg_dump(conninfo))


def unaudited(dumped: str) -> list[str]:
    """The lines of a dump without the steps that the audit has, in any order."""
    return sorted(re.sub(r"(?ms)^COPY vestige_sql\.step .*?^\\\.$", "", dumped).splitlines())


def check_words(said: subprocess.CompletedProcess[str], error: VestigeError) -> None:
    assert said.returncode != 0, said.stdout
    assert f"ERROR:  {error}\nHINT:  {error.hint}" in said.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_runner_and_psql_refuse_with_the_same_words(
    db: str,
    conn: Conn,
    dump: Callable[[str], str],
    by_hand: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
    case: Case,
) -> None:
    if "subvector" in case.does and not has_halfvec(conn):
        pytest.skip("subvector came with pgvector 0.7")
    if conn.info.server_version < case.since * 10000:
        pytest.skip(f"this came with PostgreSQL {case.since}")
    make(conn)
    with owner(db, conn, case.role) as (conninfo, role):
        do(conn, case.before, role)
        model = begin(conninfo, conn, case)
        with psycopg.connect(conninfo, autocommit=True) as there:
            probed = probe(there, DOCUMENTS, verb="back" if case.way == "back" else "apply")
            plan = ReembedPlan(require_verdict=case.verdict)
            values = probed.values | refusal_values(probed, model.dimension, plan)
            assert probed.values["new_column"] == f"embedding_{SUFFIX}"
            assert not [row for row in ask(there, values).rows if case.way in row["rules_out"]]
            do(conn, case.does, role)
            rows = [row for row in ask(there, values).rows if row["what"] == case.what]
        assert rows
        assert all(case.way in row["rules_out"] and set(row["rules_out"]) <= set(WAYS) for row in rows)

        before = dump(db)
        with pytest.raises(TargetError) as refused:
            carry_out(conninfo, case.way, case.verdict)
        check_words(by_hand(conninfo, case.way, verdict=case.verdict), refused.value)
        assert dump(db) == before

        if case.once:
            return
        undo = case.undone.split("#") if case.undone else [text for row in reversed(rows) for text in row["remove"]]
        assert undo, "a row that says no way out has none in its case"
        for statement in undo:
            do(conn, statement, role)
        # It comes in between: the gate refuses under the lock.
        Points(monkeypatch).before("lock/ready/03_wait_for_vacuum.sql", lambda: do(conn, case.again or case.does, role))
        with pytest.raises(CheckFailed) as between:
            carry_out(conninfo, case.way, case.verdict)
        assert (str(between.value), between.value.hint) == (str(refused.value), refused.value.hint)
        conn.execute("UPDATE vestige_sql.run SET last_error = NULL")
        assert unaudited(dump(db)) == unaudited(before)

        for statement in undo:
            do(conn, statement, role)
        carry_out(conninfo, case.way, case.verdict)
        check_space(conn, model, DOCUMENTS)
        for row in rows:
            for statement in row["restore"]:
                do(conn, statement, role)


# --- What comes before the gate ---


def asked(psql: str, conninfo: str, *options: str) -> str:
    """What the query says to psql, which knows no run: a row a refusal, the message behind the object."""
    files = ["-f", str(SQL / "target.psql"), *(a for step in steps.folder(ASK) for a in ("-f", str(SQL / step.name)))]
    common = ["-XAtq", "-1", "-v", "target=public.documents", "-v", "content_column=body", "-v", "only_asking=false"]
    done = subprocess.run([psql, *common, *options, *files, conninfo], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_early(psql: str, conninfo: str, what: str, *options: str, target: Target = DOCUMENTS) -> None:
    with pytest.raises(TargetError) as refused:
        run_reembed(conninfo, FakeEmbedder("new", 16), target=target)
    said = asked(psql, conninfo, *options)
    assert re.search(
        rf"(?m)^\d+\|{what}\|[^|]*\|{re.escape(str(refused.value))}\|{re.escape(refused.value.hint)}\|", said
    )
    # And so does what is said of each way.
    assert len(re.findall(rf"(?m)^\w+\|f\|t\|[^|]*\|{re.escape(str(refused.value))}\|", said)) == len(WAYS)


def test_without_pgvector(empty_db: str, psql: str) -> None:
    with psycopg.connect(empty_db, autocommit=True) as conn:
        conn.execute("CREATE TABLE documents (id int PRIMARY KEY, body text, embedding real[])")
    check_early(psql, empty_db, "no_pgvector")


def test_without_the_package(empty_db: str, psql: str) -> None:
    with psycopg.connect(empty_db, autocommit=True) as conn:
        conn.execute("CREATE EXTENSION vector")
        make(conn)
    check_early(psql, empty_db, "no_package")


def test_another_encoding(server_url: str, psql: str) -> None:
    name = f"vestige_test_{os.getpid()}_latin"
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")  # type: ignore[call-overload]
        db = make_conninfo(server_url, dbname=name)
        try:
            with psycopg.connect(db, autocommit=True) as conn:
                conn.execute("CREATE EXTENSION vector")
                make(conn)
            check_early(psql, db, "encoding")
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload]


def test_a_standby(standby: tuple[str, str], psql: str) -> None:
    db, replica = standby
    with psycopg.connect(db, autocommit=True) as conn:
        conn.execute("CREATE EXTENSION vector")
        make(conn)
        position = conn.execute("SELECT pg_current_wal_lsn()::text").fetchone()
    with psycopg.connect(replica, autocommit=True) as there:
        assert position is not None
        while not there.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", position).fetchone()[0]:  # type: ignore[index]
            pass
    check_early(psql, replica, "standby")


def test_read_only_transactions(db: str, conn: Conn, psql: str, by_hand: Callable[..., Any], dump: Any) -> None:
    make(conn)
    stage_reembed(db, FakeEmbedder("new", 16), target=DOCUMENTS)
    conn.execute(f"ALTER DATABASE {conn.info.dbname} SET default_transaction_read_only = on")  # type: ignore[call-overload]
    before = dump(db)
    check_early(psql, db, "read_only")
    assert by_hand(db, "rewrite").returncode != 0
    assert dump(db) == before


def test_tables_that_no_run_can_have_been_begun_with(db: str, conn: Conn, psql: str) -> None:
    check_early(psql, db, "no_table", target=Target("public.documents", content_column="body"))
    make(conn)
    same = Target("public.documents", content_column="embedding")
    check_early(psql, db, "one_column_twice", "-v", "content_column=embedding", target=same)
    conn.execute("ALTER TABLE documents ADD title text, ADD short vector(4)")
    several = Target("public.documents", embedding_column="embedding")
    check_early(
        psql, db, "several_columns", "-v", "content_column=", "-v", "embedding_column=embedding", target=several
    )
    texts = Target("public.documents", content_column="body")
    check_early(psql, db, "several_columns", target=texts)
    conn.execute("ALTER TABLE documents DROP title, DROP short")
    package = Target("vestige_sql.run", content_column="body")
    check_early(psql, db, "package_table", "-v", "target=vestige_sql.run", target=package)
    conn.execute("CREATE TEMP TABLE passing (id int PRIMARY KEY, body text, embedding vector(8))")
    row = conn.execute("SELECT relnamespace::regnamespace FROM pg_class WHERE oid = 'passing'::regclass").fetchone()
    assert row is not None
    name = f"{row[0]}.passing"
    check_early(psql, db, "temporary", "-v", f"target={name}", target=Target(name, content_column="body"))


# --- The gate ---


BEFORE_APPLYING = plans.load("swap").folders()[: plans.load("swap").folders().index("gate") + 1]
"""What stands before all that changes a table: its lock, the questions, and the gate."""


def gated(conn: Conn) -> FakeEmbedder:
    """A table with vectors of its own dimension staged: nothing but the gate is in the way of any way."""
    make(conn)
    model = FakeEmbedder("new", 16)
    stage_reembed(dsn(conn), model, target=DOCUMENTS)
    return model


def test_nobody_asked(db: str, conn: Conn, by_hand: Callable[..., Any], dump: Callable[[str], str]) -> None:
    gated(conn)
    before = dump(db)
    before_asking, after_asking = BEFORE_APPLYING[: BEFORE_APPLYING.index(ASK)], ["gate"]
    not_all_of_it = [step.name for step in steps.folder(ASK) if "of_the_views" not in step.name]
    for asking in ([], not_all_of_it):
        said = by_hand(db, "swap", *before_asking, *asking, *after_asking)
        assert said.returncode != 0
        message = "this transaction has not looked for what rules out swap of public.documents.embedding; "
        assert f"ERROR:  {message}the table is as it was\nHINT:  run the files of sql/probe/refusals/" in said.stderr
    assert dump(db) == before


@pytest.mark.parametrize("let_through", ["rewrite", "swap"])
@pytest.mark.parametrize("way", ["rewrite", "widen", "swap", "fill", "online", "back"])
def test_what_was_let_through_is_what_is_done(staged: str, by_hand: Any, let_through: str, way: str) -> None:
    folder = {"online": "online/prepare", "back": "rollback/column"}.get(way, f"apply/{way}")
    if way == let_through:
        pytest.skip("that is let through")
    said = by_hand(staged, let_through, *BEFORE_APPLYING, folder)
    assert said.returncode != 0
    message = f"the gate has not let {way} of public.documents.embedding through in this transaction"
    assert f"ERROR:  {message}; the table is as it was\nHINT:  " in said.stderr
    assert f"-v way={way}" in said.stderr
    with psycopg.connect(staged) as conn:
        check_space(conn, OLD, DOCUMENTS)


@pytest.fixture(scope="module")
def staged(databases: Any) -> Iterator[str]:
    """A database in which vectors are staged, which no test changes."""
    with databases() as db, psycopg.connect(db, autocommit=True) as conn:
        gated(conn)
        yield db


def test_widen_goes_on_with_swap_only_where_swap_may_be_taken(db: str, conn: Conn, dump: Callable[[str], str]) -> None:
    """A CHECK and an ordinary index rule swap out, and widen keeps them: where that is refused, nothing is lost."""
    make(conn)
    do(
        conn,
        "ALTER TABLE documents ADD CONSTRAINT sound CHECK (vector_norm(embedding) > 0)#"
        "CREATE INDEX plain ON documents (embedding)#"
        "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        r" IF current_query() ~ 'TYPE [a-z.]*vector[\;,]' THEN RAISE EXCEPTION 'no widening here'\; END IF\; END $$#"
        "CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION refuse()",
    )
    stage_reembed(db, FakeEmbedder("new", 16), target=DOCUMENTS)
    before = dump(db)
    with pytest.raises(CheckFailed, match=r"swap cannot keep what hangs on public\.documents\.embedding") as refused:
        apply_staged(db, ReembedPlan(apply="widen"), target=DOCUMENTS)
    assert "sound" in str(refused.value)
    assert "plain" in str(refused.value)
    conn.execute("UPDATE vestige_sql.run SET last_error = NULL")
    assert unaudited(dump(db)) == unaudited(before)


def test_rows_are_looked_at_only_where_the_column_is_not_null(db: str, conn: Conn) -> None:
    make(conn)
    with psycopg.connect(db, autocommit=True) as there:
        steps.run(there, steps.load("session/05_pin_search_path.sql"), {})
        probed = probe(there, DOCUMENTS)
        values = probed.values | refusal_values(probed, 16, ReembedPlan())
        question = steps.load("probe/refusals/70_of_the_rows.sql")

        def explained() -> str:
            (text,) = steps.statements(there, question, values)
            return "\n".join(line for (line,) in there.execute(f"EXPLAIN {text}"))  # type: ignore[call-overload]

        assert "Scan on documents" not in explained()
        conn.execute("ALTER TABLE documents ALTER embedding SET NOT NULL")
        assert "Scan on documents" in explained()
