"""The worker: what it keeps up with, across switches, crashes and other people's hands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support import Conn, FakeEmbedder, check_space, literal, rows, vectors
from support.embedding_server import Stub, serving

from vestige_sql import ModelSignature, ReembedPlan, Target, finalize, register_model, rollback, run_reembed, steps
from vestige_sql.encode.embedder import Vectors
from vestige_sql.encode.endpoint import Endpoint
from vestige_sql.encode.remote import EndpointEmbedder
from vestige_sql.errors import CheckFailed, EncoderError, LimitReached, ModelMismatch, TargetError, UsageError
from vestige_sql.reembed.target import probe
from vestige_sql.worker.plan import Kept, WorkerPlan
from vestige_sql.worker.working import drop_trigger, run_worker

OLD, NEW, ALIKE = FakeEmbedder("old", 16), FakeEmbedder("new", 32), FakeEmbedder("alike", 16)
DOCS = Target("docs")
ONCE, NOTED = WorkerPlan(once=True), WorkerPlan(once=True, install=True)
ONLINE = ReembedPlan(online=True, recall_sample=0)
QUICK = WorkerPlan(poll_secs=0.1, retry_secs=0.1, give_up_secs=20)
DEADLINE_SECS = 30


class Loads:
    """Loads the stand-ins by their signatures."""

    def __init__(self, *models: FakeEmbedder) -> None:
        self.models = {each.signature(): each for each in (OLD, NEW, ALIKE, *models)}

    def __call__(self, wanted: ModelSignature, _: object) -> FakeEmbedder:
        return self.models[wanted]


@pytest.fixture
def docs(db: str, conn: Conn) -> str:
    """A table whose vectors are there, and a trigger that would stamp each UPDATE of it."""
    conn.execute(
        "CREATE TABLE docs (id bigint PRIMARY KEY, content text, embedding vector(16), updated_at timestamptz);"
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END $$;"
        "CREATE TRIGGER touch BEFORE UPDATE ON docs FOR EACH ROW EXECUTE FUNCTION touch()"
    )
    fill(conn, 20)
    register_model(db, OLD.signature(), target=DOCS)
    return db


def fill(conn: Conn, count: int) -> None:
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO docs VALUES (%s, %s, %s)",
            [(number, f"text {number}", literal(OLD.vector(f"text {number}"))) for number in range(count)],
        )


def once(conninfo: str, plan: WorkerPlan = ONCE, load: Any = None, target: Target = DOCS) -> Kept:
    return run_worker(conninfo, load or Loads(), plan, targets=[(target, None)])[0]


@contextmanager
def working(conninfo: str, plan: WorkerPlan = QUICK, load: Any = None, count: int = 1) -> Iterator[list[Exception]]:
    """Workers at work, and the errors that ended any of them."""
    stop, errors = threading.Event(), list[Exception]()

    def work() -> None:
        try:
            run_worker(conninfo, load or Loads(), plan, targets=[(DOCS, None)], stop=stop)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield errors
    finally:
        stop.set()
        for thread in threads:
            thread.join(DEADLINE_SECS)
            assert not thread.is_alive()


def until(holds: Callable[[], Any], errors: Sequence[Exception] = ()) -> None:
    """Wait until something holds, and fail if it never does."""
    deadline = time.monotonic() + DEADLINE_SECS
    while not holds():
        assert not errors, errors
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.02)


def in_state(conn: Conn, state: str) -> bool:
    """Whether a process of the worker says that it is in ``state``."""
    return bool(conn.execute("SELECT 1 FROM vestige_sql.worker_process WHERE state = %s", [state]).fetchone())


def waiting(conn: Conn) -> int:
    row = conn.execute("SELECT count(*) FROM vestige_sql.pending('docs')").fetchone()
    assert row is not None
    return int(row[0])


def has(conn: Conn, key: int, embedder: FakeEmbedder, text: str) -> bool:
    return vectors(conn, DOCS).get(str(key)) == (text, list(embedder.vector(text)))


# --- What changes, and what does not ---


@pytest.mark.parametrize("plan", [ONCE, NOTED], ids=["looking", "noting"])
def test_it_keeps_up(docs: str, conn: Conn, plan: WorkerPlan) -> None:
    before = rows(conn, DOCS)
    kept = once(docs, plan)
    assert (kept.embedded, kept.adopted, kept.failed) == (0, 20, 0)
    conn.execute("INSERT INTO docs VALUES (100, 'new'), (101, '  ')")
    conn.execute("UPDATE docs SET content = 'changed' WHERE id = 3")
    conn.execute("UPDATE docs SET content = ' ' WHERE id = 4")
    conn.execute("UPDATE docs SET content = content WHERE id = 6")
    conn.execute("UPDATE docs SET id = 107 WHERE id = 7")
    conn.execute("DELETE FROM docs WHERE id = 5")
    stamps = rows(conn, DOCS)
    assert {row[1] for row in conn.execute("SELECT key, why FROM vestige_sql.pending('docs')")} >= {
        "no_vector", "stale", "no_text",
    }  # fmt: skip
    kept = once(docs, plan)
    assert (kept.embedded, kept.cleared, kept.failed) == (3, 1, 0)
    check_space(conn, OLD, DOCS)
    assert rows(conn, DOCS) == stamps, "nothing but the embedding changes"
    assert stamps.keys() ^ before.keys() == {"5", "7", "100", "101", "107"}
    kept = once(docs, plan)
    assert (kept.embedded, kept.cleared, kept.waiting, waiting(conn)) == (0, 0, 0, 0), "its own writes are no changes"
    # what an application takes away comes back with the next look at every row
    conn.execute("UPDATE docs SET embedding = NULL WHERE id < 2")
    assert once(docs, WorkerPlan(once=True, sweep_secs=0.01)).embedded == 2
    check_space(conn, OLD, DOCS)
    assert conn.execute("SELECT count(*) FROM vestige_sql.worker_text").fetchone() == (19,), "rows that are gone go"


def test_it_is_told_within_seconds(docs: str, conn: Conn) -> None:
    plan = WorkerPlan(poll_secs=DEADLINE_SECS * 10, install=True)
    with working(docs, plan) as errors:
        until(lambda: in_state(conn, "waiting"), errors)
        conn.execute("INSERT INTO docs VALUES (100, 'told')")
        until(lambda: has(conn, 100, OLD, "told"), errors)
        health = steps.query(conn, "monitor/worker.sql", {})
        assert [(row["target"], row["is_well"]) for row in health] == [("public.docs.embedding", True)]
    assert conn.execute("SELECT state FROM vestige_sql.worker_process").fetchall() == [("stopped",)]


def test_vectors_of_unknown_texts_are_embedded_if_asked(docs: str, conn: Conn) -> None:
    conn.execute("UPDATE docs SET content = 'another' WHERE id = 3")
    kept = once(docs, WorkerPlan(once=True, unknown="embed"))
    assert (kept.adopted, kept.embedded) == (0, 20)
    check_space(conn, OLD, DOCS)


@pytest.mark.parametrize("gone", ["DROP TRIGGER {} ON docs", "ALTER TABLE docs DISABLE TRIGGER {}"])
def test_without_its_trigger_it_looks_itself(docs: str, conn: Conn, gone: str) -> None:
    once(docs, NOTED)
    row = conn.execute("SELECT tgname FROM pg_trigger WHERE tgname ~ '^vestige_sql_note'").fetchone()
    assert row is not None
    conn.execute(gone.format(row[0]))  # type: ignore[arg-type]
    conn.execute("UPDATE docs SET content = 'unnoted' WHERE id = 3")
    assert once(docs).embedded == 1
    once(docs, NOTED)
    conn.execute("UPDATE docs SET content = 'noted' WHERE id = 3")
    assert conn.execute("SELECT count(*) FROM vestige_sql.worker_note").fetchone() == (1,), "--install has it back"
    assert once(docs).embedded == 1
    drop_trigger(docs, DOCS)
    assert conn.execute("SELECT FROM pg_trigger WHERE tgname ~ '^vestige_sql_note'").fetchone() is None
    check_space(conn, OLD, DOCS)


def test_its_trigger_is_in_nobodys_way(docs: str, conn: Conn) -> None:
    """Columns are renamed and altered, and notes dropped, and no write of the application fails."""
    once(docs, NOTED)
    conn.execute("ALTER TABLE docs ALTER content TYPE varchar; ALTER TABLE docs RENAME content TO body")
    conn.execute("UPDATE docs SET body = 'renamed' WHERE id = 1")
    conn.execute("INSERT INTO docs (id, body) VALUES (100, 'more')")
    target = Target("docs", None, "body")
    assert once(docs, target=target).embedded == 2
    check_space(conn, OLD, target)
    conn.execute("ALTER TABLE docs RENAME id TO number")
    conn.execute("UPDATE docs SET body = 'key' WHERE number = 2")
    target = Target("docs", "number", "body")
    assert once(docs, WorkerPlan(once=True, sweep_secs=0.01), target=target).embedded == 1
    check_space(conn, OLD, target)
    conn.execute("DROP TABLE vestige_sql.worker_note")
    conn.execute("UPDATE docs SET body = 'unnoted' WHERE number = 2")


# --- Switches ---


@pytest.mark.parametrize("way", [ReembedPlan(), ONLINE], ids=["offline", "online"])
@pytest.mark.parametrize("plan", [ONCE, NOTED], ids=["looking", "noting"])
def test_a_switch_in_mid_batch_never_mixes(docs: str, conn: Conn, way: ReembedPlan, plan: WorkerPlan) -> None:
    """The text is being embedded with the former model while the switch comes, to a model of the same dimension."""
    once(docs, plan)
    conn.execute("UPDATE docs SET content = 'changed' WHERE id = 3")

    def switch(call: int, _: Sequence[str]) -> None:
        if call == 1:
            run_reembed(docs, ALIKE, way, target=DOCS)

    slow = FakeEmbedder("old", 16, hook=switch)
    once(docs, plan, Loads(slow))
    assert slow.texts == ["changed"]
    check_space(conn, ALIKE, DOCS)
    # the notes are of then, and the model is of now
    conn.execute("UPDATE docs SET content = 'once more' WHERE id = 4")
    conn.execute("INSERT INTO docs VALUES (100, 'new')")
    once(docs, plan)
    check_space(conn, ALIKE, DOCS)
    assert waiting(conn) == 0


def test_it_goes_on_across_switches_and_back(docs: str, conn: Conn) -> None:
    """A worker and a writer are at work all the time."""
    stop = threading.Event()

    def write() -> None:
        with psycopg.connect(docs, autocommit=True) as writer:
            for number in range(1_000_000):
                if stop.is_set():
                    return
                key = number % 25
                writer.execute(
                    "INSERT INTO docs (id, content) VALUES (%s, %s)"
                    " ON CONFLICT (id) DO UPDATE SET content = excluded.content",
                    (key, f"written {number}"),
                )
                time.sleep(0.01)

    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    try:
        with working(docs, WorkerPlan(poll_secs=0.1, install=True)) as errors:
            for model in (NEW, ALIKE):
                run_reembed(docs, model, ONLINE, target=DOCS)
                if model is ALIKE:
                    rollback(docs, target=DOCS)
                finalize(docs, target=DOCS)
            run_reembed(docs, OLD, target=DOCS)
            stop.set()
            writing.join(DEADLINE_SECS)
            until(lambda: waiting(conn) == 0, errors)
            check_space(conn, OLD, DOCS)
    finally:
        stop.set()


def test_a_model_that_cannot_be_had_ends_it(docs: str, conn: Conn) -> None:
    once(docs)
    run_reembed(docs, NEW, target=DOCS)
    conn.execute("UPDATE docs SET content = 'changed' WHERE id = 3")
    with pytest.raises(ModelMismatch, match=r"docs.embedding is registered with new .* what was loaded for it is old"):
        once(docs, load=lambda wanted, recorded: OLD)
    assert vectors(conn, DOCS)["3"][1] == list(NEW.vector("text 3"))
    conn.execute("SELECT vestige_sql.forget_model('docs', 'embedding')")
    with pytest.raises(ModelMismatch, match=r"no model is registered for public\.docs\.embedding"):
        once(docs)


# --- Names ---


def test_it_follows_a_rename_and_no_exchange(docs: str, conn: Conn) -> None:
    with working(docs) as errors:
        until(lambda: in_state(conn, "waiting"), errors)
        conn.execute("ALTER TABLE docs RENAME TO papers")
        conn.execute("INSERT INTO papers VALUES (100, 'renamed')")
        papers = Target("papers")
        until(lambda: vectors(conn, papers)["100"][1] is not None, errors)
        check_space(conn, OLD, papers)
        conn.execute("CREATE TABLE docs (LIKE papers INCLUDING ALL); ALTER TABLE papers RENAME TO books")
        conn.execute("ALTER TABLE docs RENAME TO papers; INSERT INTO papers VALUES (1, 'another table')")
        until(lambda: errors)
    assert isinstance(errors[0], TargetError), errors
    assert "public.papers is another table by now" in str(errors[0])
    assert vectors(conn, papers) == {"1": ("another table", None)}
    # what was known of the texts is known under the new name
    kept = once(docs, target=Target("books"))
    assert (kept.embedded, kept.adopted) == (0, 0)


HOSTILE = "we\"ird (k.key)[1] '; DROP TABLE x; --"


def test_keys_of_any_type_and_columns_of_any_name(db: str, conn: Conn) -> None:
    quoted = '"' + HOSTILE.replace('"', '""') + '"'
    row = conn.execute("SELECT coalesce(to_regtype('halfvec'), 'vector')::text").fetchone()
    assert row is not None
    conn.execute(
        f'CREATE TABLE docs ({quoted} timestamptz, day date, code char(5), {quoted[:-1]} 2" text, v {row[0]}(16),'  # type: ignore[arg-type]
        f" PRIMARY KEY ({quoted}, day, code)); SET timezone = 'Asia/Tokyo'; SET datestyle = 'German'"
    )
    target = Target("docs", None, f"{HOSTILE} 2", "v")
    register_model(db, OLD.signature(), target=target)
    insert = "INSERT INTO docs VALUES ('2026-01-02 03:04:05+00', '2026-03-04', %s, %s)"
    conn.execute(insert, ("a", "before"))
    kept = once(db, NOTED, target=target)
    assert kept.embedded == 1
    conn.execute(insert, ("b", "after"))
    assert conn.execute("SELECT key FROM vestige_sql.worker_note").fetchall() == [
        (["2026-01-02 03:04:05+00", "2026-03-04", "b"],)
    ], "whatever the writer's session has set"
    kept = once(db, NOTED, target=target)
    assert kept.embedded == 1
    found = conn.execute("SELECT code, v::real[] FROM docs ORDER BY code").fetchall()
    assert found == [("a    ", list(OLD.vector("before"))), ("b    ", list(OLD.vector("after")))]
    assert waiting(conn) == 0


# --- Several of them, and those that die ---


@pytest.mark.parametrize("install", [False, True], ids=["looking", "noting"])
def test_several_share_the_work(docs: str, conn: Conn, install: bool) -> None:
    once(docs)
    models: list[FakeEmbedder] = []

    def load(wanted: ModelSignature, _: object) -> FakeEmbedder:
        models.append(FakeEmbedder("old", 16, hook=lambda *_: time.sleep(0.02)))
        return models[-1]

    with working(docs, WorkerPlan(poll_secs=0.05, batch_rows=5, install=install), load, count=3) as errors:
        conn.execute("INSERT INTO docs (id, content) SELECT 100 + i, 'shared ' || i FROM generate_series(1, 120) i")
        until(lambda: waiting(conn) == 0, errors)
    texts = [text for model in models for text in model.texts]
    assert len(texts) == len(set(texts)) == 120, "none is embedded twice"
    check_space(conn, OLD, DOCS)


def _die(conninfo: str, at: str) -> None:
    from vestige_sql.worker.keeper import Keeper

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if at == "settled":
        Keeper.release = die  # type: ignore[assignment]
    model = FakeEmbedder("old", 16, hook=die if at == "embedding" else None)
    run_worker(conninfo, lambda *_: model, WorkerPlan(once=True, batch_rows=2), targets=[(DOCS, None)])


@pytest.mark.parametrize("at", ["embedding", "settled"])
def test_one_that_is_killed_leaves_nothing_behind(docs: str, conn: Conn, victims: Any, at: str) -> None:
    once(docs)
    conn.execute("UPDATE docs SET content = content || '!' WHERE id < 6")
    if at == "settled":
        # the sweep releases its claim too, and would die there
        conn.execute(
            "INSERT INTO vestige_sql.worker_note (worker, key) SELECT 1, ARRAY[i::text] FROM generate_series(0, 5) i"
        )
        once(docs, NOTED, Loads())
        conn.execute("UPDATE docs SET content = content || '!' WHERE id < 6")
    process = victims.Process(target=_die, args=(docs, at))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    left = waiting(conn)
    assert left == (6 if at == "embedding" else 4)
    model = FakeEmbedder("old", 16)
    until(lambda: once(docs, load=Loads(model)) and waiting(conn) == 0)
    assert len(model.texts) == left, "what was committed is not embedded again"
    check_space(conn, OLD, DOCS)


def test_a_lost_connection_comes_back(docs: str, conn: Conn) -> None:
    ended = "SELECT pg_terminate_backend(backend_pid) FROM vestige_sql.worker_process WHERE state = 'waiting'"
    with working(docs) as errors:
        until(lambda: conn.execute(ended).fetchall(), errors)
        conn.execute("INSERT INTO docs VALUES (100, 'new')")
        until(lambda: has(conn, 100, OLD, "new"), errors)
    assert conn.execute("SELECT count(*) FROM vestige_sql.worker_process").fetchone() == (1,)


# --- What cannot be embedded ---


class Picky(FakeEmbedder):
    """Refuses some texts, and while it is ``down`` all of them."""

    down = False

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        if self.down or any("refused" in text for text in texts):
            raise EncoderError("the service refuses the text")
        found = super().embed_batch(texts)
        return np.stack([0 * row if "empty" in text else row for text, row in zip(texts, found, strict=True)])


def test_a_text_that_cannot_be_embedded_waits_and_the_others_go_on(docs: str, conn: Conn) -> None:
    once(docs, NOTED)
    conn.execute(
        "INSERT INTO docs VALUES (100, 'refused'), (101, 'fine'), (102, 'empty'), (103, 'unwanted'), (104, 'good')"
    )
    # at the start it would be refused by name
    check = "ALTER TABLE docs ADD CONSTRAINT unwanted CHECK (id <> 103 OR embedding IS NULL)"
    model = Picky("old", 16, hook=lambda call, _: conn.execute(check) if call == 1 else None)
    load, plan = Loads(model), WorkerPlan(once=True, retry_secs=3600)
    kept = once(docs, plan, load)
    assert (kept.embedded, kept.failed, kept.waiting) == (2, 3, 3)
    conn.execute("ALTER TABLE docs DROP CONSTRAINT unwanted")
    said = conn.execute("SELECT key, why, attempts, error FROM vestige_sql.pending('docs') ORDER BY key").fetchall()
    assert [(key[0], why, attempts) for key, why, attempts, _ in said] == [
        (key, "no_vector", 1) for key in ("100", "102", "103")
    ]
    for (*_, error), wanted in zip(said, ("refuses the text", "a zero vector", "check constraint"), strict=True):
        assert wanted in error
    kept = once(docs, plan, load)
    assert (kept.embedded, kept.failed) == (0, 0), "it is not tried at once"
    conn.execute("UPDATE docs SET content = 'mended' WHERE id = 100")
    kept = once(docs, plan, load)
    assert (kept.embedded, kept.failed, kept.waiting) == (1, 0, 2), "another text is tried at once"
    conn.execute("UPDATE vestige_sql.worker_note SET due_at = now()")
    kept = once(docs, plan, load)
    assert (kept.embedded, kept.failed) == (1, 1)
    assert conn.execute("SELECT key, attempts FROM vestige_sql.worker_note").fetchall() == [(["102"], 2)]


def test_a_model_that_fails_is_waited_for(docs: str, conn: Conn) -> None:
    model = Picky("old", 16)
    model.down = True
    once(docs, NOTED)
    conn.execute("INSERT INTO docs (id, content) SELECT 100 + i, 'text ' || i FROM generate_series(1, 9) i")
    with working(docs, QUICK, Loads(model)) as errors:
        until(lambda: in_state(conn, "failing"), errors)
        assert conn.execute("SELECT count(*) FROM vestige_sql.worker_note WHERE error IS NOT NULL").fetchone() == (0,)
        model.down = False
        until(lambda: waiting(conn) == 0, errors)
    model.down = True
    conn.execute("INSERT INTO docs (id, content) SELECT 200 + i, 'text ' || i FROM generate_series(1, 9) i")
    with working(docs, WorkerPlan(poll_secs=0.1, give_up_secs=0.01), Loads(model)) as errors:
        until(lambda: errors)
    assert isinstance(errors[0], EncoderError)

    def limit(*_: object) -> None:
        raise LimitReached("enough was spent")

    with pytest.raises(LimitReached):
        once(docs, load=Loads(FakeEmbedder("old", 16, hook=limit)))
    check_space_of_known(conn)


def check_space_of_known(conn: Conn) -> None:
    for text, vector in vectors(conn, DOCS).values():
        assert vector in (None, list(OLD.vector(text)))


def test_a_locked_row_keeps_no_other_from_its_vector(docs: str, conn: Conn) -> None:
    once(docs, NOTED)
    with psycopg.connect(docs) as other:
        conn.execute("INSERT INTO docs (id, content) SELECT 100 + i, 'text ' || i FROM generate_series(1, 9) i")
        other.execute("SELECT FROM docs WHERE id < 104 FOR UPDATE")
        kept = once(docs, WorkerPlan(once=True, batch_rows=2))
        assert (kept.embedded, kept.waiting) == (6, 3)
    assert once(docs).embedded == 3
    check_space(conn, OLD, DOCS)


def test_a_column_that_is_not_null_keeps_the_vector_of_a_former_text(docs: str, conn: Conn) -> None:
    conn.execute("ALTER TABLE docs ALTER embedding SET NOT NULL")
    once(docs, NOTED)
    conn.execute("UPDATE docs SET content = '' WHERE id = 3")
    kept = once(docs)
    assert (kept.cleared, kept.waiting) == (0, 0)
    assert conn.execute("SELECT key, why FROM vestige_sql.pending('docs')").fetchall() == [(["3"], "no_text")]
    assert once(docs, WorkerPlan(once=True, sweep_secs=0.01)).waiting == 0


def test_triggers_that_would_fire_are_named(docs: str, conn: Conn) -> None:
    conn.execute("ALTER TABLE docs ENABLE ALWAYS TRIGGER touch")
    with pytest.raises(CheckFailed, match=r"writing a vector into public\.docs would fire its triggers: touch"):
        once(docs)
    plan = WorkerPlan(once=True, fire_triggers=True, retry_secs=3600)
    once(docs, plan)
    conn.execute(
        "CREATE FUNCTION keep_off() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN CASE WHEN NEW.id = 3 AND current_setting('vestige_sql.search_path', true) <> '' THEN NULL"
        " ELSE NEW END; END $$;"
        "CREATE TRIGGER keep_off BEFORE UPDATE ON docs FOR EACH ROW EXECUTE FUNCTION keep_off();"
        "ALTER TABLE docs ENABLE ALWAYS TRIGGER keep_off"
    )
    conn.execute("UPDATE docs SET content = 'changed' WHERE id IN (3, 4)")
    kept = once(docs, plan)
    assert (kept.embedded, kept.failed) == (1, 1)
    assert conn.execute("SELECT error FROM vestige_sql.pending('docs')").fetchone() == (
        "a trigger of the table's own kept the row from being written",
    )


def test_it_takes_plain_tables_and_whole_texts(docs: str, conn: Conn) -> None:
    conn.execute("CREATE TABLE parted (LIKE docs) PARTITION BY LIST (id); CREATE TABLE child () INHERITS (docs)")
    for table in ("parted", "docs"):
        with pytest.raises(psycopg.DatabaseError, match=f"and public.{table} is partitioned or inherits"):
            steps.query(conn, "worker/ready/20_check_table.sql", {"schema": "public", "table": table})

    conn.execute("DROP TABLE child")
    with pytest.raises(TargetError, match="a worker is for all rows of"):
        once(docs, target=Target("docs", where="id > 3"))

    composed = Target("docs", content_expression="content || id")
    with pytest.raises(UsageError, match="the worker does not take --content-expression"):
        once(docs, target=composed)
    with pytest.raises(TargetError, match=r"the text of public\.docs is an expression, and the worker reads a column"):
        probe(conn, composed, verb="worker")


def test_of_a_long_text_only_what_the_model_uses_is_read(
    docs: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vestige_sql.worker.keeper._TEXT_CHARACTERS", 10)
    once(docs, NOTED)
    long = ["short", "twenty characters ..", "a" * 5_000, "b" * 100]
    for key, text in enumerate(long):
        conn.execute("UPDATE docs SET content = %s WHERE id = %s", [text, key])
    model = FakeEmbedder("old", 16)
    once(docs, load=Loads(model))
    assert sorted(model.texts) == sorted(long)
    check_space(conn, OLD, DOCS)

    class Truncates(FakeEmbedder):
        def is_enough(self, beginning: str) -> bool:
            return len(beginning) >= 80

        def vector(self, text: str) -> Vectors:
            return super().vector(text[:80])

    for key, text in enumerate(long):
        conn.execute("UPDATE docs SET content = %s WHERE id = %s", [text + "!", key])
    truncates = Truncates("old", 16)
    once(docs, load=Loads(truncates))
    assert sorted(map(len, truncates.texts)) == [6, 21, 80, 80]
    assert waiting(conn) == 0


# --- Who may what ---


def test_who_may_not_read_the_table_sees_nothing_of_it(docs: str, conn: Conn) -> None:
    once(docs, NOTED)
    conn.execute("UPDATE docs SET content = 'secret' WHERE id = 3")
    conn.execute(
        "CREATE ROLE stranger LOGIN PASSWORD 'secret'; GRANT USAGE ON SCHEMA vestige_sql TO stranger;"
        "GRANT SELECT ON ALL TABLES IN SCHEMA vestige_sql TO stranger;"
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA vestige_sql TO stranger"
    )
    try:
        with psycopg.connect(make_conninfo(docs, user="stranger", password="secret"), autocommit=True) as stranger:
            for table in ("worker", "worker_text", "worker_note", "worker_process"):
                found = stranger.execute(f"SELECT count(*) FROM vestige_sql.{table}").fetchone()  # type: ignore[arg-type]
                assert found == (0,), table
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                stranger.execute("SELECT * FROM vestige_sql.pending('docs')")
            conn.execute("GRANT SELECT ON docs TO stranger")
            assert stranger.execute("SELECT key, why FROM vestige_sql.pending('docs')").fetchall() == [(["3"], "stale")]
            with pytest.raises(TargetError, match="role stranger lacks rights"):
                once(make_conninfo(docs, user="stranger", password="secret"))
            conn.execute("ALTER TABLE docs ENABLE ROW LEVEL SECURITY")
            assert stranger.execute("SELECT count(*) FROM vestige_sql.worker_note").fetchone() == (0,)
    finally:
        conn.execute("DROP OWNED BY stranger; DROP ROLE stranger")


# --- The command ---

TOML = """
[targets.docs]
table = "docs"
embedder = "stand_in:make"
[targets.notes]
table = "notes"
embedder = "stand_in:make"
"""
STAND_IN = "from support import FakeEmbedder\n\n\ndef make():\n    return FakeEmbedder('old', 16)\n"


def test_the_command(docs: str, conn: Conn, vestige: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vestige.toml").write_text(TOML)
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    conn.execute("CREATE TABLE notes (id int PRIMARY KEY, content text, embedding vector(16))")
    register_model(docs, OLD.signature(), target=Target("notes"))
    conn.execute("INSERT INTO notes VALUES (1, 'a note'); INSERT INTO docs VALUES (100, 'a text')")
    said = vestige("worker", "docs", "notes", "--postgres-url", docs, "--once", "--install")
    assert said.code == 0, said.err
    assert "worker: public.docs.embedding: 1 rows embedded, 0 cleared, 0 wait" in said.err
    check_space(conn, OLD, DOCS)
    check_space(conn, OLD, Target("notes"))
    conn.execute("UPDATE docs SET content = 'changed' WHERE id = 3")
    said = vestige("worker", "docs", "--postgres-url", docs, "--once", "--json")
    lines = [__import__("json").loads(line) for line in said.out.splitlines()]
    assert [(line["embedded"], line.get("ended")) for line in lines] == [(1, None), (1, True)]
    said = vestige("worker", "docs", "notes", "--postgres-url", docs, "--uninstall")
    assert said.code == 0, said.err
    assert conn.execute("SELECT FROM pg_trigger WHERE tgname ~ '^vestige_sql_note'").fetchone() is None
    said = vestige("worker", "docs", "--postgres-url", docs, "--once", "--poll", "0")
    assert said.code == 2
    with pytest.raises(UsageError, match="unknown must be keep or embed"):
        WorkerPlan(unknown="guess")


def test_sigterm_ends_it_with_what_it_began_committed(docs: str, conn: Conn, tmp_path: Path) -> None:
    (tmp_path / "stand_in.py").write_text(STAND_IN.replace("16)", "16, hook=lambda *_: __import__('time').sleep(0.5))"))
    command = [sys.executable, "-m", "vestige_sql", "worker", "--table", "docs", "--embedder", "stand_in:make"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*sys.path, str(tmp_path)])}
    once(docs)
    conn.execute("INSERT INTO docs VALUES (100, 'a text')")
    process = subprocess.Popen(
        [*command, "--postgres-url", docs, "--poll", "0.1"],
        cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        until(lambda: in_state(conn, "working"))
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=DEADLINE_SECS)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert "told to stop" in said
    assert has(conn, 100, OLD, "a text")


@pytest.mark.usefixtures("_nowhere")
def test_a_model_behind_an_endpoint_within_its_limits(db: str, conn: Conn, vestige: Any) -> None:
    conn.execute("CREATE TABLE docs (id bigint PRIMARY KEY, content text, embedding vector(32))")
    with serving(Stub(NEW.vector)) as stub:
        model = EndpointEmbedder(Endpoint(stub.url, "new", 32))
        register_model(db, model.signature(), target=DOCS, embedder=model)
        command = ("worker", "--table", "docs", "--endpoint", stub.url, "--postgres-url", db, "--once", "--install")
        conn.execute("INSERT INTO docs VALUES (1, 'one'), (2, 'two')")
        said = vestige(*command)
        assert said.code == 0, said.err
        check_space(conn, NEW, DOCS)
        conn.execute("INSERT INTO docs SELECT 100 + i, 'text ' || i FROM generate_series(1, 200) i")
        said = vestige(*command, "--token-limit", "60")
        assert said.code == 1
        assert "60" in said.err
        assert 0 < waiting(conn) <= 200
        # another model under the same name
        stub.vector = FakeEmbedder("other", 32).vector
        said = vestige(*command)
        assert said.code == 1
        assert "is another than on" in said.err
        assert waiting(conn) > 0


def test_by_hand(docs: str, conn: Conn, psql: str) -> None:
    """A DBA makes the trigger, looks for changes, reads what waits and drops the trigger, with psql alone."""
    once(docs)
    root = Path(__file__).parents[2]

    def run(*command: object) -> str:
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, check=False, timeout=60, cwd=root
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def hand(part: str, *options: str, **given: object) -> str:
        variables = [word for name, value in given.items() for word in ("-v", f"{name}={value}")]
        before = ("-f", "sql/worker/session.sql", "-f", "sql/target.psql", "-f", "sql/probe/worker.sql")
        order = run("sql/plan", "worker", part).splitlines()
        return run(
            psql, "-X", "-v", "ON_ERROR_STOP=1", "-v", "target=docs", *options, *variables, *before, *order, docs
        )

    hand("check", "-1")
    hand("note", "-1", lock_timeout="2s")
    conn.execute("UPDATE docs SET content = 'noted' WHERE id = 3")
    assert conn.execute("SELECT key FROM vestige_sql.worker_note").fetchall() == [(["3"],)]
    conn.execute("DELETE FROM vestige_sql.worker_note")
    model: dict[str, object] = {"model_name": "old", "model_hash": OLD.signature().hash}
    blocks: dict[str, object] = {"first_block": 0, "end_block": 1000, "since": "NULL", "adopt": "false"}
    said = hand("sweep", **model, **blocks, swept_xid=0, is_whole="false", epoch=1, guard="")
    assert "rows_noted" in said
    assert conn.execute("SELECT key FROM vestige_sql.worker_note").fetchall() == [(["3"],)]
    said = hand("claim", after_note=0, batch_rows=5, rows='[{"key": ["3"]}]', page_bytes=1000, text_characters=9)
    assert '["3"]' in said
    assert "noted" in said
    hand("unnote", "-1", lock_timeout="2s")
    assert once(docs).embedded == 1
    check_space(conn, OLD, DOCS)
