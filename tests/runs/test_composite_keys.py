"""Keys of several columns, in every mode; tests/torture has such a table too."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql
from support import Conn, FakeEmbedder, Points, catalog, check_space, dsn, literal, vectors
from test_back import others
from test_by_hand import files, run_psql
from test_worker import cut, worker_for

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
from vestige_sql.cli import main
from vestige_sql.errors import CheckFailed, StagedForAnother, TargetError, UsageError
from vestige_sql.judge.judging import JudgePlan, judge
from vestige_sql.judge.questions import Question
from vestige_sql.look.preview import preview
from vestige_sql.look.script import script_staged
from vestige_sql.look.status import status
from vestige_sql.reembed.target import probe
from vestige_sql.resources import resource_dir

OLD, NEW = FakeEmbedder("old", 8), FakeEmbedder("new", 16)
ROWS = 60

WAYS = ("rewrite", "swap", "widen")

KEYS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "primary key": ("tenant int, id int", "PRIMARY KEY (tenant, id)", ("tenant", "id")),
    "in another order than the columns": (
        'id uuid DEFAULT gen_random_uuid(), "Tenant, or so" text COLLATE "C"',
        'PRIMARY KEY ("Tenant, or so", id)',
        ("Tenant, or so", "id"),
    ),
    "of three columns, without a primary key": (
        "kind varchar(5) NOT NULL, at timestamptz NOT NULL, nr numeric(8, 2) NOT NULL",
        "UNIQUE (kind, nr, at)",
        ("kind", "nr", "at"),
    ),
    "of types without a hash": (
        "flags bit varying NOT NULL, price money NOT NULL",
        "UNIQUE (flags, price)",
        ("flags", "price"),
    ),
}
"""The columns, the constraint, and the key in the order of its index."""

VALUES = {
    "tenant": lambda i: i % 4, "id": lambda i: i, "Tenant, or so": lambda i: f'a "{i % 3}", (b)\\',
    "kind": lambda i: f"k{i % 2}", "at": lambda i: f"2024-01-{1 + i % 28:02} 12:00+01", "nr": lambda i: i / 4,
    "flags": lambda i: f"{i % 8:b}", "price": lambda i: i,
}  # fmt: skip
VALUES["id"] = lambda i: i


def make(
    conn: Conn,
    kind: str = "primary key",
    *,
    embedder: FakeEmbedder | None = OLD,
    table: str = "documents",
    say: str = "document number {i}",
) -> Target:
    """A table with rows of each tenant, among them one without text; returns the target, which names no column."""
    columns, constraint, key = KEYS[kind]
    conn.execute(
        f"CREATE TABLE {table} ({columns}, content text, embedding vector(8), hits int DEFAULT 0,"
        f" {constraint})".encode()
    )
    insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})")
    names = [name for name in key if "uuid" not in columns or name != "id"]
    for i in range(ROWS):
        text = say.format(i=i, third=i // 3) if i != 7 else " "
        row = {name: VALUES[name](i) for name in names}
        row |= {"content": text, "embedding": literal(embedder.vector(text)) if embedder and text.strip() else None}
        conn.execute(
            insert.format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, row)),
                sql.SQL(", ").join(map(sql.Literal, row.values())),
            )
        )
    conn.execute(f"CREATE INDEX ON {table} USING hnsw (embedding vector_cosine_ops)".encode())
    if embedder:
        register_model(dsn(conn), embedder.signature(), target=Target(table))
    return Target(table)


def whole(target: Target, kind: str = "primary key") -> Target:
    return replace(target, id_column=KEYS[kind][2])


def left(conn: Conn) -> list[str]:
    """What a run made in the package's schema and left there."""
    return [
        name
        for (name,) in conn.execute(
            "SELECT typname FROM pg_type"
            "  WHERE typnamespace = 'vestige_sql'::regnamespace AND typname ~ '^[a-z]+_[0-9a-f]{16}$'"
            " UNION SELECT proname FROM pg_proc"
            "  WHERE pronamespace = 'vestige_sql'::regnamespace AND proname ~ '_[0-9a-f]{16}$'"
        )
    ]


def check(conn: Conn, target: Target, embedder: FakeEmbedder, was: dict[str, str], indexes: object) -> None:
    check_space(conn, embedder, target)
    assert others(conn, target) == was
    assert [i["valid"] for i in status(dsn(conn), target=target)["indexes"]] == [True]


# --- The modes ---


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("way", [*WAYS, "online"])
def test_there_and_back(db: str, conn: Conn, kind: str, way: str) -> None:
    target = make(conn, kind)
    key = whole(target, kind)
    was, before = others(conn, key), catalog(conn, "documents")
    plan = ReembedPlan(online=True) if way == "online" else ReembedPlan(apply=way, keep_old=True)
    report = run_reembed(db, NEW, plan, target=target)
    assert (report.rows_updated, report.rows_blank) == (ROWS - 1, 1)
    check(conn, key, NEW, was, before)
    assert run_reembed(db, NEW, target=target).nothing_to_do
    rollback(db, plan if way != "online" else ReembedPlan(), target=target)
    check(conn, key, OLD, was, before)
    assert catalog(conn, "documents") == before or way != "rewrite"
    rollback(db, target=target)
    check(conn, key, NEW, was, before)
    finalize(db, target=target)
    assert left(conn) == []
    check(conn, key, NEW, was, before)


@pytest.mark.parametrize("kind", KEYS)
def test_the_first_embedding_and_rows_that_lack_a_vector(db: str, conn: Conn, kind: str) -> None:
    target = make(conn, kind, embedder=None)
    key = whole(target, kind)
    assert run_reembed(db, OLD, target=target).rows_updated == ROWS - 1
    conn.execute("UPDATE documents SET embedding = NULL WHERE content LIKE '%3'")
    conn.execute("UPDATE documents SET content = 'another text', embedding = NULL WHERE content LIKE '%4'")
    assert run_reembed(db, OLD, target=target).rows_updated == 12
    check_space(conn, OLD, key)
    assert left(conn) == []


@pytest.mark.parametrize("online", [False, True])
def test_rows_and_keys_that_change_meanwhile(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, online: bool
) -> None:
    target = make(conn)

    def change(call: int, _: object) -> None:
        if call == 1:
            conn.execute(
                "INSERT INTO documents VALUES (1, 1000, 'inserted'), (2, 1000, 'inserted'), (9, 1, 'inserted')"
            )
            conn.execute("UPDATE documents SET content = 'changed', embedding = NULL WHERE id IN (3, 5)")
            # two rows change places, and one moves to another tenant
            conn.execute("UPDATE documents SET id = -id WHERE tenant = 1")
            conn.execute("UPDATE documents SET tenant = 7 WHERE id = 20")
            conn.execute("DELETE FROM documents WHERE id IN (2, 30)")

    points = Points(monkeypatch)
    if online:
        points.after("online/verify/20_remember_verified.sql", lambda: change(1, None))
        embedder = NEW
    else:
        embedder = FakeEmbedder("new", 16, hook=change)
    run_reembed(db, embedder, ReembedPlan(online=online), target=target)
    check_space(conn, NEW, whole(target))
    assert len(vectors(conn, whole(target))) == ROWS + 1
    if online:
        # no row's former vector outlives its text or its key
        conn.execute("UPDATE documents SET content = 'after the switch', embedding = NULL WHERE id = 9")
        rollback(db, target=target)
        now = vectors(conn, whole(target))
        assert now["(1,9)" if "(1,9)" in now else "(1,-9)"]
        run_reembed(db, OLD, target=target)
        check_space(conn, OLD, whole(target))


def stopping(*_: object) -> None:
    raise CheckFailed("stopped")


@pytest.mark.parametrize("online", [False, True])
def test_abort_and_go_on(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, online: bool) -> None:
    target = make(conn)
    was, before = others(conn, whole(target)), catalog(conn, "documents")
    stage_reembed(db, NEW, target=target)
    with pytest.raises(StagedForAnother, match="begun with --id-column tenant, id"):
        conn.execute("CREATE UNIQUE INDEX other ON documents (id, tenant, hits)")
        conn.execute("ALTER TABLE documents ALTER hits SET NOT NULL")
        run_reembed(db, NEW, target=replace(target, id_column="id,tenant,hits"))
    conn.execute("DROP INDEX other")
    conn.execute("ALTER TABLE documents ALTER hits DROP NOT NULL")
    abort_reembed(db, target=target)
    assert (left(conn), catalog(conn, "documents")) == ([], before)
    with monkeypatch.context() as patch, pytest.raises(CheckFailed):
        Points(patch).before("online/verify/10_note_unfilled.sql" if online else "registry/10_set_model.sql", stopping)
        run_reembed(db, NEW, ReembedPlan(online=online), target=target)
    # the columns may be named in any order, and one after another
    again = FakeEmbedder("new", 16)
    if online:
        abort_reembed(db, target=target)
        assert (left(conn), catalog(conn, "documents")) == ([], before)
    run_reembed(db, again, ReembedPlan(online=online), target=replace(target, id_column=["id", "tenant"]))
    assert online or again.texts == []
    check(conn, whole(target), NEW, was, before)


# --- By script and by hand ---


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("means", ["files", "script", "plain script"])
def test_in_psql(db: str, conn: Conn, psql: Path, tmp_path: Path, kind: str, means: str) -> None:
    target = make(conn, kind)
    was = others(conn, whole(target, kind))
    stage_reembed(db, NEW, target=target)
    plan = ReembedPlan(apply=WAYS[len(kind) % 3], keep_old=means != "plain script")
    if means == "files":
        by_hand(psql, db, plan.apply, "keep_old", one=True)
    else:
        script = tmp_path / "script.sql"
        script.write_text(script_staged(db, plan, target=target, plain=means != "script"))
        run_psql(psql, db, *(["-1"] if means != "script" else []), "-f", str(script))
    check(conn, whole(target, kind), NEW, was, None)
    assert run_reembed(db, NEW, target=target).nothing_to_do
    if plan.keep_old:
        by_hand(psql, db, "rollback-table", one=True)
        check(conn, whole(target, kind), OLD, was, None)
        by_hand(psql, db, "finalize-table", one=True)
    assert left(conn) == []


def by_hand(psql: Path, db: str, *plan: str, one: bool, more: tuple[str, ...] = (), claims: bool = True) -> str:
    """Run a plan's files, in ``one`` transaction or in many."""
    head = ["transaction/10_set_limits.sql"] if one else []
    head += ["variables.psql", *(["transaction/20_claim_run.sql"] if one else [])]
    common = ["-q", "-A", "-t", *(["-1"] if one else []), "-v", "target=documents", *more]
    return run_psql(
        psql, db, *common, *(a for name in head for a in ("-f", str(resource_dir("sql") / name))), *files(*plan)
    )


def test_online_by_hand(db: str, conn: Conn, psql: Path) -> None:
    target = make(conn)
    was = others(conn, whole(target))
    stage_reembed(db, NEW, target=target)
    soon = ("-v", "lock_timeout=100ms")
    by_hand(psql, db, "online", "prepare", one=True, more=soon)
    conn.execute("UPDATE documents SET content = 'changed' WHERE id IN (4, 5)")
    for _ in range(17):
        by_hand(psql, db, "online", "fill", "quiet", one=False)
    by_hand(psql, db, "online", "save", one=True)
    by_hand(psql, db, "online", "index", one=False)
    by_hand(psql, db, "online", "verify", one=True)
    stage_reembed(db, NEW, target=target)
    by_hand(psql, db, "online", "write", "quiet", one=False)
    by_hand(psql, db, "online", "switch", one=True, more=soon)
    by_hand(psql, db, "online", "forget", "quiet", one=False)
    by_hand(psql, db, "online", "clear", one=False)
    check_space(conn, NEW, whole(target))
    assert left(conn) == ["forget_stale_" + str(probe(conn, target).values["new_column"]).removeprefix("embedding_")]
    conn.execute("UPDATE documents SET content = 'document number ' || id, embedding = NULL WHERE id IN (4, 5)")
    by_hand(psql, db, "rollback-column", one=True, more=soon)
    run_reembed(db, OLD, target=target)
    check(conn, whole(target), OLD, was, None)


@pytest.mark.parametrize("point", ["online/forget/10_forget_outdated.sql", "run/close.sql"])
@pytest.mark.parametrize("kind", KEYS)
def test_a_changed_row_loses_its_former_vector(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, kind: str, point: str
) -> None:
    """The run is killed after the switch, where it forgets such vectors or has cleared its objects away."""
    target = make(conn, kind)
    online = ReembedPlan(online=True, recall_sample=0)
    with monkeypatch.context() as patch:
        points = Points(patch)
        points.before(
            "online/verify/10_note_unfilled.sql",
            lambda: conn.execute("UPDATE documents SET content = 'changed' WHERE content LIKE '% 1_'"),
        )
        points.before(point, stopping)
        with pytest.raises(CheckFailed, match="stopped"):
            run_reembed(db, NEW, online, target=target)
    run_reembed(db, NEW, online, target=target)
    check_space(conn, NEW, whole(target, kind))
    assert rollback(db, target=target).rows_missing == 10
    row = conn.execute("SELECT count(*), count(embedding) FROM documents WHERE content = 'changed'").fetchone()
    assert row == (10, 0)


# --- What else reads keys ---


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("size", [1, 13])
def test_ranges_of_keys(db: str, conn: Conn, kind: str, size: int) -> None:
    target = make(conn, kind)
    with pytest.raises(CheckFailed, match="stopped"):
        stage_reembed(db, FakeEmbedder("new", 16, hook=stopping), target=target)
    # the rows of a page that a range ends in are staged by nobody else
    keys = cut(conn, probe(conn, target).values, size)
    names = sql.SQL(", ").join(map(sql.Identifier, KEYS[kind][2]))
    ordered = conn.execute(sql.SQL("SELECT ROW({})::text FROM documents ORDER BY {}").format(names, names)).fetchall()
    assert keys == [key for (key,) in ordered][size - 1 :: size]
    worker = worker_for(conn, FakeEmbedder("new", 16), target=target)
    ranges = list(itertools.pairwise([None, *keys, None]))
    met = [worker.stage(after, until)[0] for after, until in ranges]
    worker.close()
    assert sum(met) == ROWS - 1
    again = FakeEmbedder("new", 16)
    run_reembed(db, again, target=target)
    assert again.texts == []
    check_space(conn, NEW, whole(target, kind))


def test_a_range_is_read_from_the_keys_index(db: str, conn: Conn) -> None:
    conn.execute("CREATE TABLE many (tenant int, id int, content text, embedding vector(8), PRIMARY KEY (tenant, id))")
    conn.execute("INSERT INTO many SELECT i % 3, i, 'text' FROM generate_series(1, 20000) i")
    conn.execute("VACUUM ANALYZE many")
    from vestige_sql import steps

    values = probe(conn, Target("many")).values | {"after": "'(1,5000)'", "range_rows": 100}
    text = steps.load("stage/range.sql").render(values | {"id_sql_type": "record_of_key"}, conn)
    conn.execute("CREATE TYPE record_of_key AS (f1 int, f2 int)")
    conn.execute("SET search_path = public")
    text = text.replace(str(values["id_sql_type"]), "record_of_key")
    plan = "\n".join(row[0] for row in conn.execute(("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + text).encode()))
    assert "Index Cond: (ROW(tenant, id) > ROW(1, 5000))" in plan
    assert "rows=100.00" in plan or "rows=100 " in plan


@pytest.mark.parametrize("kind", KEYS)
def test_looking(db: str, conn: Conn, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    target = make(conn, kind)
    embedder = FakeEmbedder("new", 16)
    dry = dry_run_reembed(db, embedder, target=target)
    assert (dry.rows_to_update, embedder.calls) == (ROWS - 1, 0)
    for resumes in (False, True):
        dry = dry_run_reembed(db, embedder, target=target, calibrate=True)
        assert dry.rows_to_update == ROWS - 1, resumes
        stage_reembed(db, NEW, target=target)
    assert main(["migrate", "gate", "--postgres-url", db, "--table", "documents"]) == 0
    keys = set(vectors(conn, whole(target, kind)))
    found = preview(db, "document number 5", NEW, OLD, target=target, sample=3, limit=5)
    assert found["question"]["new"][0]["text"] == found["question"]["old"][0]["text"] == "document number 5"
    assert found["question"]["new"][0]["key"] in keys
    assert preview(db, "document number 5", NEW, target=target)["question"]["stand_in"] in keys
    assert len(found["overlap"]["rows"]) == 3
    assert all({row["key"], *row["old_nearest"], *row["new_nearest"]} <= keys for row in found["overlap"]["rows"])
    abort_reembed(db, target=target)
    assert left(conn) == []


@pytest.mark.parametrize("kind", ["primary key", "in another order than the columns"])
def test_a_verdict(db: str, conn: Conn, kind: str) -> None:
    target = make(conn, kind, say="rare{third} twin{third} number{i} of them")
    stage_reembed(db, NEW, target=target)
    texts = {text: key for key, (text, _) in vectors(conn, whole(target, kind)).items() if text.strip()}
    asked = [Question(text, {key: 1.0}) for text, key in list(texts.items())[:8]]
    found = judge(db, JudgePlan(questions=asked, min_questions=5), NEW, OLD, target=target)
    assert found["asked"] == 8
    # each question is the text of its answer, so both models find it first
    found_first = conn.execute(
        "SELECT DISTINCT ON (f.space, f.nr) f.space, a.key = f.key FROM vestige_sql.judge_found f"
        "  JOIN vestige_sql.judge_answer a USING (judging, nr) ORDER BY f.space, f.nr, f.distance"
    ).fetchall()
    assert found_first == [("new", True)] * 8 + [("old", True)] * 8
    assert judge(db, JudgePlan(derive=10), NEW, OLD, target=target)["asked"] == 10
    assert judge(db, JudgePlan(derive=10), target=target)["verdict"]
    with pytest.raises(UsageError, match="no key of"):
        judge(db, JudgePlan(questions=[Question("text", {"1": 1.0})]), NEW, OLD, target=target)


# --- What is refused ---


def test_what_is_no_key_of_several_columns(db: str, conn: Conn) -> None:
    target = make(conn)
    for named, said in {
        "tenant": "is only a part of the composite key \\(tenant, id\\)",
        "tenant,hits": "\\(tenant, hits\\) is no key",
        "tenant, id, hits": "\\(tenant, id, hits\\) is no key",
        "tenant,nothing": "has no column nothing",
        "tenant,": "has no column",
        "id,embedding": "both the embedding column and the key",
    }.items():
        with pytest.raises(TargetError, match=said):
            run_reembed(db, NEW, target=replace(target, id_column=named))


def test_a_key_that_is_altered_during_a_run(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    target = make(conn)
    stage_reembed(db, NEW, target=target)
    conn.execute("ALTER TABLE documents ALTER id TYPE bigint")
    with pytest.raises(CheckFailed, match="f2 is integer and should be bigint"):
        apply_staged(db, target=target)
    conn.execute("ALTER TABLE documents ALTER id TYPE int")
    conn.execute("ALTER TABLE documents RENAME id TO nr")
    with pytest.raises((TargetError, StagedForAnother), match="id"):
        apply_staged(db, target=target)
    conn.execute("ALTER TABLE documents RENAME nr TO id")

    def drop() -> None:
        conn.execute("ALTER TABLE documents DROP CONSTRAINT documents_pkey")

    with monkeypatch.context() as patch, pytest.raises(CheckFailed, match="\\(tenant, id\\) is no key any more"):
        Points(patch).before("online/index/10_drop_invalid.sql", drop)
        run_reembed(db, NEW, ReembedPlan(online=True), target=target)
    conn.execute("ALTER TABLE documents ADD PRIMARY KEY (tenant, id)")
    run_reembed(db, NEW, ReembedPlan(online=True), target=target)
    check_space(conn, NEW, whole(target))


OPERATORS = """
CREATE SCHEMA app;
CREATE OPERATOR app.= (LEFTARG = int, RIGHTARG = int, FUNCTION = pg_catalog.int4eq, COMMUTATOR = OPERATOR(app.=),
    RESTRICT = eqsel, JOIN = eqjoinsel, MERGES, HASHES);
CREATE OPERATOR app.< (LEFTARG = int, RIGHTARG = int, FUNCTION = pg_catalog.int4lt);
CREATE OPERATOR app.<= (LEFTARG = int, RIGHTARG = int, FUNCTION = pg_catalog.int4le);
CREATE OPERATOR app.> (LEFTARG = int, RIGHTARG = int, FUNCTION = pg_catalog.int4gt);
CREATE OPERATOR app.>= (LEFTARG = int, RIGHTARG = int, FUNCTION = pg_catalog.int4ge);
CREATE OPERATOR CLASS app.own FOR TYPE int USING btree AS OPERATOR 1 app.<, OPERATOR 2 app.<=, OPERATOR 3 app.=,
    OPERATOR 4 app.>=, OPERATOR 5 app.>, FUNCTION 1 pg_catalog.btint4cmp(int, int);
CREATE OPERATOR CLASS app.own_hash FOR TYPE int USING hash AS OPERATOR 1 app.=, FUNCTION 1 pg_catalog.hashint4(int);
"""


def test_operators_of_several_schemas(db: str, conn: Conn) -> None:
    """As citext has in a key with other columns."""
    conn.execute(OPERATORS.encode())
    target = make(conn)
    conn.execute(
        "ALTER TABLE documents DROP CONSTRAINT documents_pkey, ALTER tenant SET NOT NULL, ALTER id SET NOT NULL"
    )
    conn.execute("CREATE UNIQUE INDEX ON documents (tenant app.own, id)")
    values = probe(conn, target).values
    assert values["key_is_k"] == "t.tenant OPERATOR(app.=) (k.id).f1 AND t.id OPERATOR(pg_catalog.=) (k.id).f2"
    with pytest.raises(CheckFailed, match="stopped"):
        stage_reembed(db, FakeEmbedder("new", 16, hook=stopping), target=target)
    keys = cut(conn, values, 7)
    assert len(keys) == ROWS // 7
    worker = worker_for(conn, NEW, target=target)
    met = [worker.stage(after, until)[0] for after, until in itertools.pairwise([None, *keys, None])]
    worker.close()
    assert sum(met) == ROWS - 1
    run_reembed(db, NEW, ReembedPlan(online=True), target=target)
    check_space(conn, NEW, whole(target))
    run_reembed(db, OLD, ReembedPlan(apply="swap"), target=target) if finalize(db, target=target) else None
    check_space(conn, OLD, whole(target))
