"""The bridge: a question of either model is searched with, before a switch, meanwhile and afterwards, or is refused."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support import HNSW, Conn, FakeEmbedder, granted, literal, seed

from vestige_sql import (
    ModelSignature,
    ReembedPlan,
    Target,
    abort_reembed,
    apply_staged,
    finalize,
    register_model,
    rollback,
    run_reembed,
    stage_reembed,
    steps,
)
from vestige_sql.bridge import bridging
from vestige_sql.bridge.bridging import BridgePlan, bridge
from vestige_sql.bridge.fit import Moments, fitted
from vestige_sql.bridge.recall import distances
from vestige_sql.client.registered import RegisteredModel
from vestige_sql.encode.embedder import Vectors
from vestige_sql.errors import CheckFailed, ModelMismatch, RecallTooLow, UsageError, VestigeError
from vestige_sql.reembed.target import probe
from vestige_sql.resources import resource_dir

SQL = resource_dir("sql")
ROWS = 300
ONLINE = ReembedPlan(online=True, recall_sample=0, pause_secs=0)


class Turned(FakeEmbedder):
    """A space that is a hidden one of 40 dimensions, turned at random, with noise, at length one.

    Spaces of one ``hidden`` name are related. The hidden points lie in groups, as texts do.
    """

    def __init__(self, name: str, dimension: int, *, hidden: str = "one", noise: float = 0.01) -> None:
        super().__init__(name, dimension)
        self.hidden, self.noise = hidden, noise
        self.turn = np.linalg.qr(_normal(f"turn {name}", dimension * dimension).reshape(dimension, dimension))[0]

    def vector(self, text: str) -> Vectors:
        group = hashlib.sha256(f"{self.hidden} {text}".encode()).digest()[0] % 23
        point = _normal(f"{self.hidden} group {group}", 40) + 0.7 * _normal(f"{self.hidden} {text}", 40)
        made = self.turn[:, :40] @ (point / np.linalg.norm(point))
        made += self.noise * _normal(f"{self.model_name} {text}", self.dimension) / np.sqrt(self.dimension)
        return np.asarray(made / np.linalg.norm(made), np.float32)


def _normal(text: str, count: int) -> Any:
    digest = hashlib.sha256(text.encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big")).standard_normal(count)


OLD, NEW, ALIKE = Turned("old", 64), Turned("new", 48), Turned("alike", 64)
QUESTION = "a question that no row has"
TEXTS = [f"memory number {i}" for i in range(ROWS)]


def stage(db: str, conn: Conn, new: FakeEmbedder = NEW, rows: int = ROWS) -> str:
    seed(conn, embedder=OLD, texts=TEXTS[:rows])
    stage_reembed(db, new)
    return db


def asked(conn: Conn, vector: Vectors, model: str | None = None, table: str = "knowledge_nodes") -> Vectors:
    row = conn.execute("SELECT vestige_sql.bridged(%s, %s, %s)::real[]", [table, literal(vector), model]).fetchone()
    assert row is not None
    return np.array(row[0], np.float32)


def found(conn: Conn, vector: Vectors, model: str | None = None) -> set[str]:
    bridged = "vestige_sql.bridged('knowledge_nodes', %s, %s)"
    rows = conn.execute(
        f"SELECT content FROM knowledge_nodes ORDER BY embedding <=> {bridged} LIMIT 10",  # type: ignore[arg-type]
        [literal(vector), model],
    ).fetchall()
    return {text for (text,) in rows}


def nearest(model: FakeEmbedder, vector: Vectors, texts: list[str] = TEXTS) -> set[str]:
    """What an exact search among the model's own vectors finds."""
    return {texts[i] for i in np.argsort(-(model.embed_batch(texts) @ vector))[:10]}


def maps(conn: Conn) -> list[tuple[Any, ...]]:
    """The maps that are there: their models, and how many rows of weights each has."""
    return conn.execute(
        "SELECT b.from_name, b.to_name, (SELECT count(*) FROM vestige_sql.bridge_row r WHERE r.bridge = b.id)"
        " FROM vestige_sql.bridge b WHERE b.dropped_at IS NULL ORDER BY b.id"
    ).fetchall()


def by_hand(psql: str, *arguments: str) -> str:
    done = subprocess.run(
        [psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *arguments],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- Fitting ---


def test_related_spaces_are_bridged_before_during_and_after_an_online_switch(db: str, conn: Conn) -> None:
    stage(db, conn)
    live = conn.execute("SELECT array_agg(embedding::text ORDER BY id) FROM knowledge_nodes").fetchone()
    made = bridge(db)
    assert (made["pairs"], made["held_out"], made["searched"]) == (240, 60, ROWS)
    assert [each["direction"] for each in made["maps"]] == ["new-to-old", "old-to-new"]
    for each in made["maps"]:
        assert each["recall"] >= 0.95, each
        assert each["low"] <= each["recall"] <= each["high"]
        assert each["normalised"]
        assert [tried["method"] for tried in each["tried"]] == ["procrustes", "procrustes", "ridge"]
    assert maps(conn) == [("new", "old", 64), ("old", "new", 48)]
    assert conn.execute("SELECT array_agg(embedding::text ORDER BY id) FROM knowledge_nodes").fetchone() == live

    new, old = NEW.vector(QUESTION), OLD.vector(QUESTION)
    assert np.array_equal(asked(conn, old), old)
    assert OLD.vector(QUESTION) @ asked(conn, new) > 0.999
    assert len(found(conn, new) & nearest(OLD, old)) >= 9

    # The same seed gives the same figures, and the former maps give way.
    assert bridge(db)["maps"] == made["maps"]
    assert maps(conn) == [("new", "old", 64), ("old", "new", 48)]

    seen = []
    during = Turned("new", 48)
    during.hook = lambda call, texts: seen.append(found(conn, new))
    conn.execute("UPDATE knowledge_nodes SET content = content || ' and 3' WHERE content = 'memory number 3'")
    run_reembed(db, during, ONLINE)
    assert seen
    assert all(len(each & nearest(OLD, old)) >= 9 for each in seen)
    # The same statement: the new vectors as they are, and those of old clients through the other map.
    assert np.array_equal(asked(conn, new), new)
    assert NEW.vector(QUESTION) @ asked(conn, old) > 0.999
    assert len(found(conn, old) & nearest(NEW, new)) >= 8
    rollback(db)
    assert np.array_equal(asked(conn, old), old)
    assert OLD.vector(QUESTION) @ asked(conn, new) > 0.999
    report = finalize(db)
    assert report is not None
    assert report.maps == 2
    assert maps(conn) == []
    with pytest.raises(psycopg.Error, match="a vector of 48 dimensions cannot be searched with"):
        asked(conn, new)
    # Each change is in the audit: who wrote and dropped each map, and the steps of the runs.
    history = conn.execute("SELECT count(*), count(dropped_at), count(dropped_by) FROM vestige_sql.bridge").fetchone()
    assert history == (4, 4, 4)
    files = {file for (file,) in conn.execute("SELECT file FROM vestige_sql.step WHERE file LIKE 'bridge/%'")}
    assert files == {
        *(f"bridge/write/{name}" for name in ("10_check_run.sql", "20_drop_former.sql", "30_add_map.sql")),
        *("bridge/write/40_copy_rows.sql", "bridge/write/50_check_rows.sql", "bridge/finalize/10_drop_maps.sql"),
    }


def test_an_offline_switch_and_clients_of_the_former_model(db: str, conn: Conn, vestige: Callable[..., Any]) -> None:
    """The command line writes the maps. They stay after the switch, until finalize says how much they were used."""
    stage(db, conn)
    said = vestige("migrate", "bridge", "--postgres-url", db, "--pairs", "250", "--json")
    assert said.code == 0, said.err
    assert (said.answer["pairs"], said.answer["held_out"]) == (200, 50)
    assert said.answer["maps"][0]["from"]["name"] == "new"
    apply_staged(db, ReembedPlan(recall_sample=0))
    old, new = OLD.vector(QUESTION), NEW.vector(QUESTION)
    conn.execute("SET track_functions = 'pl'")
    assert np.array_equal(asked(conn, new), new)
    for _ in range(3):
        assert NEW.vector(QUESTION) @ asked(conn, old) > 0.999
    conn.execute("SELECT pg_stat_force_next_flush()")
    conn.execute("SELECT 1")
    conn.execute(f"ALTER DATABASE \"{conn.info.dbname}\" SET track_functions = 'pl'")  # type: ignore[arg-type]
    said = vestige("migrate", "finalize", "--postgres-url", db, "--no-confirm")
    assert said.code == 0, said.err
    assert "3 vectors went through a map since" in " ".join(said.err.split())
    assert "2 maps of the bridge are dropped; 3 vectors had gone through a map" in said.err
    assert maps(conn) == []
    assert "nothing to do" in vestige("migrate", "finalize", "--postgres-url", db, "--no-confirm").err


def test_unrelated_spaces_are_refused_and_nothing_is_written(db: str, conn: Conn, vestige: Callable[..., Any]) -> None:
    stage(db, conn, Turned("other", 48, hidden="another"))
    before = conn.execute("SELECT count(*) FROM vestige_sql.step").fetchone()
    with pytest.raises(RecallTooLow, match=r"recall@10 new-to-old: 0\.\d+ \[.*old-to-new: 0\.\d+ .* 0\.9 is asked"):
        bridge(db)
    said = vestige("migrate", "bridge", "--postgres-url", db)
    assert said.code == 1
    assert "no map was written" in said.err
    assert conn.execute("SELECT count(*) FROM vestige_sql.bridge").fetchone() == (0,)
    assert conn.execute("SELECT count(*) FROM vestige_sql.step").fetchone() == before
    # Whoever asks for less gets it.
    assert bridge(db, BridgePlan(min_recall=0, direction="old-to-new"))["maps"][0]["recall"] < 0.5
    assert maps(conn) == [("old", "other", 48)]


def test_what_a_map_is_not_made_for(db: str, conn: Conn) -> None:
    with pytest.raises(CheckFailed, match="no vectors are staged for"):
        bridge(db)
    seed(conn, embedder=OLD, texts=TEXTS[:99])
    stage_reembed(db, NEW)
    with pytest.raises(CheckFailed, match=r"99 rows of .* have a live vector and a staged one"):
        bridge(db)
    conn.execute(
        "INSERT INTO knowledge_nodes (content, embedding) SELECT 'new 1', embedding FROM knowledge_nodes LIMIT 9"
    )
    conn.execute("UPDATE knowledge_nodes SET content = content || ', other 1' WHERE content LIKE '%number 1%'")
    with pytest.raises(CheckFailed, match="99 rows"):
        bridge(db)
    stage_reembed(db, NEW)
    conn.execute("UPDATE knowledge_nodes SET content = content || '!' WHERE content LIKE '%number 2%'")
    with pytest.raises(CheckFailed, match="97 rows"):
        bridge(db)
    abort_reembed(db)
    conn.execute("UPDATE knowledge_nodes SET embedding = NULL WHERE content LIKE '%number 3%'")
    stage_reembed(db, OLD)
    with pytest.raises(CheckFailed, match="are of the registered model"):
        bridge(db)
    for plan in ({"pairs": 99}, {"min_recall": 1.1}, {"direction": "back"}, {"seed": -1}):
        with pytest.raises(UsageError):
            BridgePlan(**plan)  # type: ignore[arg-type]


def test_a_kill_between_fit_and_write_leaves_nothing_half(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    stage(db, conn)
    first = bridge(db, BridgePlan(seed=1))
    before = conn.execute("SELECT jsonb_agg(to_jsonb(b) ORDER BY b.id) FROM vestige_sql.bridge b").fetchone()
    write = bridging._write
    ends: list[Callable[[Any], Any]] = []

    def killed(at: Conn, *rest: Any) -> None:
        if ends:
            ends.pop()(at)
        write(at, *rest)

    def second_map(at: Conn) -> None:
        """The first map is written and not committed."""
        ends.append(lambda at: conn.execute("SELECT pg_terminate_backend(%s)", [at.info.backend_pid]))

    monkeypatch.setattr(bridging, "_write", killed)
    ends.append(second_map)
    with pytest.raises(VestigeError):
        bridge(db, BridgePlan(seed=2))
    assert conn.execute("SELECT jsonb_agg(to_jsonb(b) ORDER BY b.id) FROM vestige_sql.bridge b").fetchone() == before
    assert maps(conn) == [("new", "old", 64), ("old", "new", 48)]
    # Nor is a map written for a run that has ended meanwhile.
    ends.append(lambda at: abort_reembed(db))
    monkeypatch.setattr(bridging, "_check", lambda *_: abort_reembed(db))
    with pytest.raises(CheckFailed, match="has ended meanwhile"):
        bridge(db, BridgePlan(seed=3))
    assert maps(conn) == []
    assert len(first["maps"]) == 2


# --- In SQL ---


def test_equal_dimensions_are_told_apart_by_name_or_hash(db: str, conn: Conn) -> None:
    stage(db, conn, ALIKE)
    bridge(db)
    vector, old = ALIKE.vector(QUESTION), OLD.vector(QUESTION)
    with pytest.raises(
        psycopg.Error, match=r"64 dimensions may be of several models of public\.knowledge_nodes: old"
    ) as caught:
        asked(conn, vector)
    assert caught.value.sqlstate == "VS001"
    assert "say which" in str(caught.value.diag.message_hint)
    for name in ("alike", ALIKE.signature().hash):
        assert old @ asked(conn, vector, name) > 0.999
    assert np.array_equal(asked(conn, old, "old"), old)
    with pytest.raises(psycopg.Error, match=r"64 dimensions of the model third cannot be searched with .*alike \(64"):
        asked(conn, vector, "third")
    with pytest.raises(psycopg.Error, match="a vector of 3 dimensions cannot be searched with"):
        asked(conn, np.ones(3, np.float32))
    assert conn.execute("SELECT vestige_sql.bridged('knowledge_nodes', NULL)").fetchone() == (None,)
    apply_staged(db, ReembedPlan(recall_sample=0))
    assert np.array_equal(asked(conn, vector, "alike"), vector)
    assert vector @ asked(conn, old, "old") > 0.999


def test_the_index_is_used_and_psql_by_hand_gives_the_same(db: str, conn: Conn, psql: str) -> None:
    stage(db, conn)
    bridge(db)
    vector = NEW.vector(QUESTION)
    conn.execute("ANALYZE knowledge_nodes")
    conn.execute("SET enable_seqscan = off")
    for called in ("vestige_sql.bridged('knowledge_nodes', %s)", "(SELECT vestige_sql.bridged('knowledge_nodes', %s))"):
        plan = conn.execute(
            f"EXPLAIN SELECT id FROM knowledge_nodes ORDER BY embedding <=> {called} LIMIT 10",  # type: ignore[arg-type]
            [literal(vector)],
        ).fetchall()
        assert f"Index Scan using {HNSW}" in str(plan)
    row = conn.execute("SELECT provolatile, prosecdef, proconfig FROM pg_proc WHERE proname = 'bridged'").fetchone()
    assert row == ("s", False, ["search_path=pg_catalog, pg_temp"])

    # The weights as anybody may multiply them.
    weights = conn.execute(
        "SELECT r.weights::real[], r.bias FROM vestige_sql.bridge_row r JOIN vestige_sql.bridge b ON b.id = r.bridge"
        " WHERE b.to_name = 'old' ORDER BY r.nr"
    ).fetchall()
    product = np.array([weights_ for weights_, _ in weights]) @ vector + np.array([bias for _, bias in weights])
    assert np.allclose(asked(conn, vector), product / np.linalg.norm(product), atol=1e-6)
    said = by_hand(psql, db, "-c", f"SELECT vestige_sql.bridged('knowledge_nodes', '{literal(vector)}')")
    assert np.allclose(json.loads(said), asked(conn, vector), atol=1e-6)
    variables = (db, "-v", "target=knowledge_nodes", "-f", str(SQL / "variables.psql"))
    shown = by_hand(psql, *variables, "-f", str(SQL / "bridge/80_show.sql")).splitlines()
    assert [line.split("|")[2] for line in shown if "|" in line] == ["new", "old"]
    assert [line.split("|")[-1] for line in shown if "|" in line] == ["t", "f"]

    # Aborted by hand: sql/plan abort has the step that drops the maps.
    plan = subprocess.run(
        [SQL / "plan", "abort", "undo"], capture_output=True, text=True, check=True, timeout=30
    ).stdout.splitlines()
    by_hand(psql, "-1", *variables, *plan)
    assert maps(conn) == []
    dropped = conn.execute("SELECT count(*) FROM vestige_sql.bridge WHERE dropped_by = session_user").fetchone()
    assert dropped == (2,)


def test_two_targets_and_two_columns_are_told_apart(db: str, conn: Conn) -> None:
    stage(db, conn)
    conn.execute('CREATE TABLE "Other" (id bigint PRIMARY KEY, content text, embedding vector(64), title vector(48))')
    for number, text in enumerate(TEXTS[:150]):
        conn.execute('INSERT INTO "Other" VALUES (%s, %s, %s)', [number, text, literal(OLD.vector(text))])
    other = Target('"Other"', embedding_column="embedding")
    register_model(db, OLD.signature(), target=other)
    third = Turned("third", 48)
    stage_reembed(db, third, target=other)
    bridge(db, BridgePlan(min_recall=0.5), target=other)
    bridge(db)
    old = OLD.vector(QUESTION)
    assert old @ asked(conn, third.vector(QUESTION), table='"Other"') > 0.99
    with pytest.raises(psycopg.Error, match="of the model new cannot be searched with in public"):
        asked(conn, NEW.vector(QUESTION), "new", '"Other"')
    register_model(db, NEW.signature(), target=Target('"Other"', embedding_column="title"))
    with pytest.raises(psycopg.Error, match="have a model: embedding, title"):
        asked(conn, old, table='"Other"')
    row = conn.execute(
        "SELECT vestige_sql.bridged('\"Other\"', %s, p_column => 'embedding')::real[]", [literal(old)]
    ).fetchone()
    assert row is not None
    assert np.array_equal(np.array(row[0], np.float32), old)
    # One target's end leaves the other's maps alone.
    abort_reembed(db)
    assert [(origin, goal) for origin, goal, _ in maps(conn)] == [("third", "old"), ("old", "third")]


# --- Roles and clients ---


def test_a_reader_with_the_grants_and_the_client(db: str, conn: Conn) -> None:
    stage(db, conn)
    bridge(db)
    role = f"bridges_{conn.info.dbname}"
    conn.execute(f"CREATE ROLE {role} LOGIN")  # type: ignore[arg-type]
    conn.execute(f"GRANT SELECT ON knowledge_nodes, embedding_model TO {role}")  # type: ignore[arg-type]
    conn.execute(f"ALTER ROLE {role} SET default_transaction_read_only = on")  # type: ignore[arg-type]
    vector = NEW.vector(QUESTION)
    try:
        with psycopg.connect(make_conninfo(db, user=role), autocommit=True) as theirs:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                asked(theirs, vector)
            for statement in granted("bridged", role, str(conn.info.dbname)):
                conn.execute(statement)  # type: ignore[arg-type]
            assert len(found(theirs, vector) & nearest(OLD, OLD.vector(QUESTION))) >= 9
            for statement in granted("RegisteredModel", role, str(conn.info.dbname)):
                conn.execute(statement)  # type: ignore[arg-type]
            loads: Callable[[ModelSignature, object], FakeEmbedder] = lambda wanted, recorded: NEW  # noqa: E731
            with pytest.raises(ModelMismatch, match="what was loaded for it is new"):
                RegisteredModel(theirs, "knowledge_nodes", load=loads).embed_queries([QUESTION])
            model = RegisteredModel(theirs, "knowledge_nodes", load=loads, bridge=True)
            assert np.allclose(model.embed_queries([QUESTION])[0], asked(conn, vector), atol=1e-6)
            # A vector that is stored is never bridged.
            with pytest.raises(ModelMismatch, match="what was loaded for it is new"):
                model.embed_documents([QUESTION])
            find: Callable[[Vectors], set[str]] = lambda given: found(theirs, given)  # noqa: E731
            assert len(model.ask(QUESTION, find) & nearest(OLD, OLD.vector(QUESTION))) >= 9
            apply_staged(db, ReembedPlan(recall_sample=0))
            assert len(model.ask(QUESTION, find) & nearest(NEW, vector)) >= 9
            assert np.array_equal(model.embed_queries([QUESTION])[0], vector)
            loads = lambda wanted, recorded: ALIKE  # noqa: E731
            with pytest.raises(CheckFailed, match=r"64 dimensions of the model .* cannot be searched with"):
                RegisteredModel(theirs, "knowledge_nodes", load=loads, bridge=True).embed_queries([QUESTION])
    finally:
        conn.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")  # type: ignore[arg-type]


def test_a_role_writes_no_map_about_anothers_table(db: str, conn: Conn) -> None:
    stage(db, conn)
    bridge(db)
    role = f"plants_{conn.info.dbname}"
    conn.execute(f"CREATE ROLE {role} LOGIN")  # type: ignore[arg-type]
    try:
        conn.execute(
            f"GRANT USAGE ON SCHEMA vestige_sql TO {role};"  # type: ignore[arg-type]
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON vestige_sql.bridge, vestige_sql.bridge_row TO {role};"
            f"GRANT SELECT ON vestige_sql.run TO {role}"
        )
        with psycopg.connect(make_conninfo(db, user=role), autocommit=True) as theirs:
            for statement in (
                "UPDATE vestige_sql.bridge SET is_normalised = false",
                "DELETE FROM vestige_sql.bridge",
                "UPDATE vestige_sql.bridge_row SET bias = 1",
                "DELETE FROM vestige_sql.bridge_row",
                "INSERT INTO vestige_sql.bridge_row SELECT bridge, nr + 99, bias, weights FROM vestige_sql.bridge_row",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="which is no table of its own"):
                    theirs.execute(statement)  # type: ignore[arg-type]
    finally:
        conn.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")  # type: ignore[arg-type]


# --- Rescoring ---


def test_candidates_are_rescored_by_the_vectors_that_are_staged(db: str, conn: Conn) -> None:
    """Rows without a staged vector keep their places. With all staged it is the order of the new model."""
    stage(db, conn)
    bridge(db)
    vector = NEW.vector(QUESTION)

    def rescored(candidates: int) -> list[dict[str, Any]]:
        probed = probe(conn, Target())
        values = probed.values | {
            "dimension": 48, "vector": literal(vector), "operator": "<=>", "candidates": candidates, "limit": 20,
        }  # fmt: skip
        return steps.query(conn, "search/rescored.sql", values)

    conn.execute("SET hnsw.ef_search = 200")
    exact = [TEXTS[i] for i in np.argsort(-(NEW.embed_batch(TEXTS) @ vector))[:20]]
    assert [row["content"] for row in rescored(100)] == exact
    before = {row["content"]: row for row in rescored(20)}
    staging = probe(conn, Target()).values["staging_table"]
    conn.execute(
        f"DELETE FROM vestige_sql.{staging} s USING knowledge_nodes t WHERE t.id = s.id AND t.content ~ '[02468]$'"  # type: ignore[arg-type]
    )
    half = rescored(20)
    assert {row["content"] for row in half} == set(before)
    kept = [row for row in half if row["new_distance"] is None]
    assert 0 < len(kept) < 20
    assert all(row["rank"] == row["live_rank"] for row in kept)
    told = [row["new_distance"] for row in half if row["new_distance"] is not None]
    assert told == sorted(told)


# --- The arithmetic ---


@pytest.mark.parametrize("operator", ["<=>", "<->", "<#>", "<+>"])
def test_distances_are_pgvectors(conn: Conn, operator: str) -> None:
    if not conn.execute(
        "SELECT FROM pg_operator WHERE oprname = %s AND oprleft = 'vector'::regtype", (operator,)
    ).rowcount:
        pytest.skip(f"this pgvector has no {operator}")
    one, other = 3 * OLD.vector("a 1"), OLD.vector("b 2")
    row = conn.execute(
        f"SELECT %s::vector {operator} %s::vector",
        [literal(one), literal(other)],  # type: ignore[arg-type]
    ).fetchone()
    assert row is not None
    assert np.isclose(distances(operator, one[None], other[None])[0, 0], row[0], atol=1e-5)


def test_what_is_exactly_linear_is_found_exactly() -> None:
    """A rotation with a shift: Procrustes without a centre misses the shift, the other two do not."""
    dice = np.random.default_rng(1)
    old = dice.standard_normal((500, 12)).astype(np.float32)
    turn = np.linalg.qr(dice.standard_normal((12, 12)))[0]
    new = (3 * old @ turn + 0.5).astype(np.float32)
    moments = Moments.empty(12, 12)
    for first in range(0, 400, 100):
        moments.add(old[first : first + 100], new[first : first + 100])
    plain, centred, ridge = fitted(moments, (old[400:], new[400:]))
    assert not plain.normalises
    errors = [np.abs(each(old[400:]) - new[400:]).max() for each in (plain, centred, ridge)]
    assert errors[0] > 0.3
    assert max(errors[1:]) < 1e-3
    back = list(fitted(moments.turned(), (new[400:], old[400:])))[1]
    assert np.abs(back(new[400:]) - old[400:]).max() < 1e-4
