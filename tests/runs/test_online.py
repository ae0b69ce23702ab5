"""Online: nothing stale gets through whoever writes meanwhile, nobody gets an error, and the index is as it was."""

from __future__ import annotations

import random
import re
import struct
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
import pytest
from support import (
    Conn,
    FakeEmbedder,
    Points,
    catalog,
    check_space,
    columns_of,
    everything,
    literal,
    patch_run,
    vectors,
    wait_for,
)
from test_any_table import DOCUMENTS, GRANTS, Role, make, one, quoted, role, run_sql, tablespaces

from vestige_sql import (
    ReembedPlan,
    ReembedReport,
    Target,
    abort_reembed,
    dry_run_reembed,
    register_model,
    run_reembed,
    steps,
)
from vestige_sql.encode.embedder import Vectors
from vestige_sql.errors import CheckFailed, LockNotAvailable, RecallTooLow, TargetError, VestigeError
from vestige_sql.reembed import apply, online, stage
from vestige_sql.reembed.back import finalize
from vestige_sql.reembed.target import probe

__all__ = ["role", "tablespaces"]

OLD = FakeEmbedder("old", 8)
NEW = FakeEmbedder("new", 12)


def escaped(name: str) -> str:
    """``name`` in a statement that takes parameters."""
    return name.replace("%", "%%")


def go_online(db: str, embedder: FakeEmbedder = NEW, target: Target = DOCUMENTS, **plan: Any) -> ReembedReport:
    plan.setdefault("create_index", True)
    return run_reembed(db, embedder, ReembedPlan(online=True, **plan), target=target)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "_FIRST_PAUSE_SECS", 0.05)


# --- A table, its twin, and those who write both ---


@dataclass(frozen=True)
class Layout:
    """A table's names and types, what else it has, and how its writers write."""

    schema: str = "public"
    table: str = "documents"
    id: str = "id"
    text: str = "body"
    vector: str = "embedding"
    key: str = "integer"
    make_key: Callable[[int], Any] = int
    content: str = "text"
    setup: tuple[str, ...] = ()
    trigger: str = ""
    """What the BEFORE UPDATE trigger does besides counting."""
    session: str = ""
    """What each writer's session begins with."""
    isolation: psycopg.IsolationLevel = psycopg.IsolationLevel.READ_COMMITTED
    asks_first: bool = False
    """Whether a writer's transaction asks for the model before it writes and not afterwards."""
    reads_first: bool = False
    """Whether a writer's transaction has read the table, and thought about it, before it writes."""
    pause: float = 0.02

    def target(self, suffix: str = "") -> Target:
        return Target(quoted(self.schema, self.table + suffix), self.id, self.text, self.vector)


ROWS = 240
WRITERS = 3
ANCHORS = 30
"""The first rows, which nobody changes: readers ask for them."""


class Twins:
    """A table, and its twin with the same rows, columns and triggers."""

    def __init__(self, conn: Conn, layout: Layout) -> None:
        self.conn, self.layout = conn, layout
        self.target, self.twin = layout.target(), layout.target(" twin")
        self.columns = {"id": quoted(layout.id), "text": quoted(layout.text), "vector": quoted(layout.vector)}
        run_sql(
            conn,
            "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN NEW.touched := OLD.touched + 1; {layout.trigger} RETURN NEW; END $$",
            f"CREATE SCHEMA IF NOT EXISTS {quoted(layout.schema)}",
            *layout.setup,
        )
        for name in (self.target.table, self.twin.table):
            run_sql(
                conn,
                f"CREATE TABLE {name} ({self.columns['id']} {layout.key} PRIMARY KEY,"
                f" {self.columns['text']} {layout.content}, {self.columns['vector']} vector({OLD.dimension}),"
                " note text, touched integer NOT NULL DEFAULT 0)",
                f"CREATE TRIGGER touch BEFORE UPDATE ON {name} FOR EACH ROW EXECUTE FUNCTION touch()",
            )
            with conn.cursor() as cursor:
                cursor.executemany(
                    f"INSERT INTO {escaped(name)} VALUES (%s, %s, %s)".encode(),
                    [(layout.make_key(n), text(n), literal(OLD.vector(text(n)))) for n in range(ROWS)],
                )
        run_sql(conn, f"CREATE INDEX ON {self.target.table} USING hnsw ({self.columns['vector']} vector_cosine_ops)")

    def rows(self, target: Target) -> dict[str, Any]:
        """Every column of every row but the vectors."""
        columns = f"{self.columns['id']}::text, {self.columns['text']}, note, touched"
        found = self.conn.execute(f"SELECT {columns} FROM {target.table}".encode())
        return {row[0]: row[1:] for row in found}

    def check_same(self, db: str) -> None:
        """The table is as its twin is once that is embedded from scratch, offline."""
        check_space(self.conn, NEW, self.target)
        assert self.rows(self.target) == self.rows(self.twin)
        run_reembed(db, NEW, target=self.twin)
        assert vectors(self.conn, self.target) == vectors(self.conn, self.twin)


def text(n: int) -> str:
    return f"document number {n}"


class Writer(threading.Thread):
    """A session that changes rows of its own, each change in both tables, until it sees that the model is another."""

    def __init__(self, db: str, twins: Twins, number: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.db, self.twins, self.number = db, twins, number
        self.random = random.Random(f"{seed} {number}")
        self.commits = 0
        self.error: BaseException | None = None
        self.stop = False
        # Numbers of its own, so that writers do not deadlock with each other.
        self.live = {n for n in range(ANCHORS, ROWS) if n % WRITERS == number}
        self.free = {n for n in range(ROWS, 2 * ROWS) if n % WRITERS == number}

    def run(self) -> None:
        try:
            with psycopg.connect(self.db, autocommit=True) as conn:
                conn.isolation_level = self.twins.layout.isolation
                run_sql(conn, self.twins.layout.session)
                while not self.stop and self._transaction(conn):
                    time.sleep(self.random.random() * self.twins.layout.pause)
        except BaseException as error:
            self.error = error

    def _transaction(self, conn: Conn) -> bool:
        """One transaction; False once it came too late. An application tries again after 40001, and so does this."""
        live, free = set(self.live), set(self.free)
        layout = self.twins.layout
        try:
            with conn.transaction():
                if layout.asks_first:
                    # No switch comes between from here on. LOCK takes no snapshot, so the registry is not older.
                    run_sql(conn, f"LOCK TABLE {self.twins.target.table} IN ROW EXCLUSIVE MODE")
                    if not self._in_old_space(conn):
                        return False
                if layout.reads_first:
                    run_sql(conn, f"SELECT count(*) FROM {self.twins.target.table}")
                    time.sleep(0.01)
                for _ in range(self.random.randint(1, 5)):
                    if self.random.random() < 0.1:
                        with conn.transaction(force_rollback=True):
                            self._change(conn, set(live), set(free))
                    else:
                        self._change(conn, live, free)
                too_late = not layout.asks_first and not self._in_old_space(conn)
                taken_back = too_late or self.random.random() < 0.1
                if taken_back:
                    raise psycopg.Rollback
        except psycopg.errors.SerializationFailure:
            if self.twins.layout.isolation == psycopg.IsolationLevel.READ_COMMITTED:
                raise
            return True
        if not taken_back:
            self.commits += 1
            self.live, self.free = live, free
        return not too_late

    def _in_old_space(self, conn: Conn) -> bool:
        row = conn.execute(
            "SELECT model_name FROM vestige_sql.model"
            " WHERE format('%%I.%%I', table_schema, table_name)::regclass = %s::regclass",
            (self.twins.target.table,),
        ).fetchone()
        return row == (OLD.model_name,)

    def _change(self, conn: Conn, live: set[int], free: set[int]) -> None:
        choose, key = self.random, self.twins.layout.make_key

        def some(of: set[int], most: int) -> list[int]:
            return choose.sample(sorted(of), min(len(of), choose.randint(1, most)))

        what = choose.choice(
            ["insert", "text", "note", "key", "delete", "again", "blank", "back", "case", "range", "upsert"]
        )
        fresh = f"text {choose.randrange(10**9)}"
        if what == "insert":
            for n in some(free, 3):
                # A session that knows the model writes its vector, too.
                vector = literal(OLD.vector(fresh)) if self.twins.layout.asks_first else None
                self._both(
                    conn, "INSERT INTO {table} ({id}, {text}, {vector}) VALUES (%s, %s, %s)", (key(n), fresh, vector)
                )
                live.add(n)
                free.discard(n)
        elif what in ("text", "note", "blank", "back"):
            column = "note" if what == "note" else "{text}"
            for n in some(live, 6):
                value = {"text": fresh, "note": fresh, "blank": choose.choice(["", " \t", None]), "back": text(n)}[what]
                self._both(conn, f"UPDATE {{table}} SET {column} = %s WHERE {{id}} = %s", (value, key(n)))
        elif what == "case":
            keys = [key(n) for n in some(live, 6)]
            self._both(conn, "UPDATE {table} SET {text} = upper({text}::text) WHERE {id} = ANY(%s)", (keys,))
        elif what == "key" and live and free:
            n, other = choose.choice(sorted(live)), choose.choice(sorted(free))
            self._both(conn, "UPDATE {table} SET {id} = %s WHERE {id} = %s", (key(other), key(n)))
            live ^= {n, other}
            free ^= {n, other}
        elif what in ("delete", "again", "range"):
            gone = some(live, 2) if what != "range" else [n for n in live if n % 20 == choose.randrange(20)]
            self._both(conn, "DELETE FROM {table} WHERE {id} = ANY(%s)", ([key(n) for n in gone],))
            live.difference_update(gone)
            free.update(gone)
            for n in gone if what == "again" else []:
                self._both(conn, "INSERT INTO {table} ({id}, {text}) VALUES (%s, %s)", (key(n), fresh))
                live.add(n)
                free.discard(n)
        elif what == "upsert":
            for n in some(live | free, 3):
                self._both(
                    conn,
                    "INSERT INTO {table} AS t ({id}, {text}) VALUES (%s, %s)"
                    " ON CONFLICT ({id}) DO UPDATE SET {text} = excluded.{text}",
                    (key(n), fresh),
                )
                live.add(n)
                free.discard(n)

    def _both(self, conn: Conn, statement: str, values: Sequence[Any]) -> None:
        tables = [self.twins.target.table, self.twins.twin.table]
        for table in tables if self.random.random() < 0.5 else reversed(tables):
            names = {"table": table} | self.twins.columns
            conn.execute(statement.format_map({k: escaped(n) for k, n in names.items()}).encode(), values)


class Reader(threading.Thread):
    """A session that searches: each statement takes the question's vector of the model that it finds registered."""

    def __init__(self, db: str, twins: Twins) -> None:
        super().__init__(daemon=True)
        self.db, self.twins = db, twins
        self.stop = False
        self.searches: dict[str, int] = {}
        self.error: BaseException | None = None

    def run(self) -> None:
        columns, target = self.twins.columns, self.twins.target
        asked = (
            "WITH asked AS MATERIALIZED ("
            " SELECT m.model_name, q.v FROM vestige_sql.model m JOIN questions q USING (model_name)"
            " WHERE format('%%I.%%I', m.table_schema, m.table_name)::regclass = %s::regclass AND q.n = %s) "
        )
        query = (
            f"SELECT {columns['id']}::text, (SELECT model_name FROM asked) FROM {target.table}"
            f" ORDER BY {columns['vector']} <=> (SELECT v FROM asked) LIMIT 1"
        )
        try:
            with psycopg.connect(self.db, autocommit=True) as conn:
                run_sql(conn, "SET enable_seqscan = off", "LOAD 'vector'", "SET hnsw.ef_search = 1000")
                # On a slow machine, more dead versions than that lie near a row that is written all the time.
                run_sql(conn, "SET work_mem = '256MB'")
                conn.execute(
                    "SELECT set_config(name, CASE name WHEN 'hnsw.iterative_scan' THEN 'strict_order' ELSE max_val END,"
                    " false) FROM pg_settings WHERE name IN ('hnsw.iterative_scan', 'hnsw.max_scan_tuples')"
                )
                while not self.stop:
                    n = random.randrange(ANCHORS)
                    row = conn.execute((asked + escaped(query)).encode(), (target.table, n)).fetchone()
                    assert row is not None
                    key, model = row
                    assert key == str(self.twins.layout.make_key(n)), f"{model} does not find row {n}"
                    self.searches[model] = self.searches.get(model, 0) + 1
        except BaseException as error:
            self.error = error


def make_questions(conn: Conn) -> None:
    run_sql(conn, "CREATE TABLE questions (model_name text, n integer, v vector, PRIMARY KEY (model_name, n))")
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO questions VALUES (%s, %s, %s)",
            [(e.model_name, n, literal(e.vector(text(n)))) for e in (OLD, NEW) for n in range(ANCHORS)],
        )


PHASES = (
    ("after", "stage/copy.sql"),
    ("before", "online/fill/10_fill_batch.sql"),
    ("after", "online/fill/10_fill_batch.sql"),
    ("before", "index/concurrently/30_create_indexes.sql"),
    ("before", "online/catch_up/10_discard_stale.sql"),
    ("before", "online/verify/10_note_unfilled.sql"),
    ("before", "lock/ready/10_set_lock_timeout.sql"),
)
"""Points of a run, with no lock held, at which it waits here until the writers have done something."""


@contextmanager
def working(workers: Sequence[Writer | Reader], writers: Sequence[Writer]) -> Iterator[Callable[[], None]]:
    """Start the workers, give what waits until each writer has committed something, and end them."""

    def wait() -> None:
        marks = [(w, w.commits + 1) for w in writers]
        deadline = time.monotonic() + 10
        while any(w.commits < mark and w.is_alive() for w, mark in marks) and time.monotonic() < deadline:
            time.sleep(0.002)

    for worker in workers:
        worker.start()
    try:
        yield wait
    finally:
        for worker in workers:
            worker.stop = True
        for worker in workers:
            worker.join(20)
    for worker in workers:
        assert not worker.is_alive()
        if worker.error is not None:
            raise worker.error


LAYOUTS = {
    "hot, repeatable read": Layout(
        isolation=psycopg.IsolationLevel.REPEATABLE_READ, asks_first=True, pause=0, key="bigint", content="varchar(60)"
    ),
    "hostile names, serializable": Layout(
        schema="sch:ema",
        table='"%s\\ ta\'ble"',
        id="select",
        text='te"xt %',
        vector="ve:ctor \"'x'\"",
        isolation=psycopg.IsolationLevel.SERIALIZABLE,
        asks_first=True,
    ),
    "as a replica": Layout(
        session="SET session_replication_role = replica",
        reads_first=True,
        pause=0,
        key="uuid",
        make_key=lambda n: uuid.UUID(int=n * 2**97 % 2**128),
    ),
    "text altered by a trigger": Layout(
        key='text COLLATE "C"',
        make_key="k{:04}".format,
        trigger="IF NEW.body <> '' AND length(NEW.body) < 99 THEN NEW.body := NEW.body || '~'; END IF;",
    ),
    "case ignored by a type": Layout(content="citext", setup=("CREATE EXTENSION citext",)),
    "case ignored by a collation": Layout(
        content="text COLLATE ignore_case",
        setup=("CREATE COLLATION ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",),
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_the_table_equals_its_twin(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, layout: Layout) -> None:
    """Writers and readers go on in every phase. None gets an error, and no vector is stale afterwards."""
    twin_run(db, conn, monkeypatch, layout, 1)


def twin_run(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, layout: Layout, seed: int) -> None:
    try:
        twins = Twins(conn, layout)
    except psycopg.errors.FeatureNotSupported as error:
        pytest.skip(str(error))
    make_questions(conn)
    for target in (twins.target, twins.twin):
        register_model(db, OLD.signature(), target=target)
    # Small pages and batches, so that there is something between them.
    monkeypatch.setattr(stage, "PAGE_ROWS", 100)
    monkeypatch.setattr(online, "_FIRST_ROWS", 60)
    monkeypatch.setattr(online, "_MOST_ROWS", 60)
    writers = [Writer(db, twins, number, seed) for number in range(WRITERS)]
    reader = Reader(db, twins)
    points = Points(monkeypatch)
    with working([*writers, reader], writers) as wait:
        for when, step in PHASES:
            getattr(points, when)(step, wait)

        def hook(call: int, _: Sequence[str]) -> None:
            # At last they may be held off, and cannot be waited for.
            if call % 3 == 1 and "lock/writers/20_lock_target.sql" not in points.ran:
                wait()

        embedder = FakeEmbedder("new", 12, hook=hook)
        report = go_online(db, embedder, twins.target, min_recall=0)
        # As long as they go on they wrote until the switch, and not after.
        for writer in writers:
            writer.join(10)
            assert writer.error is not None or not writer.is_alive()
        marks = reader.searches.get("new", 0)
        while reader.is_alive() and reader.searches.get("new", 0) < marks + 5:
            time.sleep(0.01)
    assert report.way == "online"
    assert min(reader.searches["old"], reader.searches["new"]) > 0
    twins.check_same(db)


# --- Whatever is done to the table meanwhile, or to what the run has made ---


def names_of(conn: Conn) -> dict[str, Any]:
    """What the run calls its second column, tables and triggers."""
    return dict(probe(conn, DOCUMENTS).values)


def columns_now(conn: Conn) -> list[str]:
    return [column.name for column in conn.execute("SELECT * FROM documents").description or ()]


FILLED, VERIFIED = "index/save/10_save_definitions.sql", "probe/recall.sql"
"""What runs next then."""


def test_what_is_done_by_hand_to_single_rows(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    make(conn, keys=range(10), texts=[f"document number {i}" for i in range(10)])
    points = Points(monkeypatch)

    def by_hand(*statements: str) -> Callable[[], None]:
        return lambda: run_sql(conn, *(text.format_map(names_of(conn)) for text in statements))

    points.before("online/fill/10_fill_batch.sql", by_hand("DELETE FROM vestige_sql.{staging_table} WHERE id = 0"))
    points.before(
        FILLED,
        by_hand(
            "UPDATE documents SET {new_column} = array_fill(0.5, ARRAY[12]) WHERE id = 1",
            "DELETE FROM vestige_sql.{staging_table} WHERE id = 2",
            "UPDATE documents SET body = 'other' WHERE id = 3",
            "DELETE FROM vestige_sql.{changed_table}",
        ),
    )
    points.before(
        VERIFIED,
        by_hand(
            "UPDATE documents SET {new_column} = array_fill(0.5, ARRAY[12]) WHERE id = 4",
            "UPDATE documents SET {new_column} = NULL WHERE id = 5",
            "DELETE FROM vestige_sql.{staging_table} WHERE id IN (6, 7)",
            "UPDATE documents SET body = 'another' WHERE id = 7",
            "UPDATE documents SET body = '', {new_column} = array_fill(0.5, ARRAY[12]) WHERE id = 8",
        ),
    )
    go_online(db)
    check_space(conn, NEW, DOCUMENTS)


ANEW = {
    "CLUSTER": "CLUSTER documents USING documents_pkey",
    "TRUNCATE": "CREATE TABLE copy AS SELECT id, body FROM documents; TRUNCATE documents;"
    "INSERT INTO documents (id, body) SELECT id, body FROM copy; UPDATE documents SET body = 'other' WHERE id = 2",
}


@pytest.mark.parametrize("statements", ANEW.values(), ids=ANEW.keys())
def test_a_table_that_is_written_anew(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, statements: str) -> None:
    make(conn)
    points = Points(monkeypatch)
    points.before(VERIFIED, lambda: run_sql(conn, *statements.split(";")))
    go_online(db)
    check_space(conn, NEW, DOCUMENTS)
    assert points.ran.count("online/verify/10_note_unfilled.sql") == 2


REFUSED = {
    "all triggers were off for a while": (
        "ALTER TABLE documents DISABLE TRIGGER ALL; UPDATE documents SET body = 'other' WHERE id = 1;"
        "ALTER TABLE documents ENABLE TRIGGER ALL",
        "dropped or disabled",
    ),
    "the type of the text changes": (
        "DROP TRIGGER {update_trigger} ON documents; ALTER TABLE documents ALTER body TYPE varchar USING upper(body)",
        "dropped",
    ),
    "the new index is dropped": ("DROP INDEX {built_as}", "is not built"),
}


@pytest.mark.parametrize("sabotage", REFUSED.values(), ids=REFUSED.keys())
def test_the_switch_is_refused(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, sabotage: tuple[str, str]) -> None:
    make(conn)
    register_model(db, OLD.signature(), target=DOCUMENTS)
    statements, said = sabotage

    def act() -> None:
        names = names_of(conn) | {"built_as": one(conn, "SELECT built_as FROM vestige_sql.saved_index")}
        run_sql(conn, *statements.format_map(names).split(";"))

    Points(monkeypatch).after(VERIFIED, act)
    with pytest.raises(VestigeError, match=said):
        go_online(db)
    assert probe(conn, DOCUMENTS).model == OLD.signature()
    assert one(conn, "SELECT count(*) FROM documents WHERE vector_dims(embedding) <> 8") == 0
    assert abort_reembed(db, target=DOCUMENTS)
    assert columns_now(conn) == ["id", "body", "embedding"]


def test_the_type_of_the_text_cannot_change_unnoticed(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would rewrite every text and fire no trigger."""
    make(conn)
    points = Points(monkeypatch)

    def act() -> None:
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="used in a trigger definition"):
            run_sql(conn, "ALTER TABLE documents ALTER body TYPE varchar USING upper(body)")

    points.before(VERIFIED, act)
    go_online(db)
    check_space(conn, NEW, DOCUMENTS)


# --- The lock ---


def test_a_session_in_the_way_is_waited_for_named_and_left_alone(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(conn)
    register_model(db, OLD.signature(), target=DOCUMENTS)
    with psycopg.connect(db, application_name="a long report") as holder:
        Points(monkeypatch).before(VERIFIED, lambda: run_sql(holder, "SELECT FROM documents"))
        stop = threading.Event()
        waits = {"read": [0.0], "write": [0.0]}

        def work(what: str, statement: str) -> None:
            with psycopg.connect(db, autocommit=True) as one_of_many:
                while not stop.is_set():
                    started = time.monotonic()
                    run_sql(one_of_many, statement)
                    waits[what].append(time.monotonic() - started)
                    time.sleep(0.005)

        threads = [
            threading.Thread(target=work, args=("read", "SELECT count(*) FROM documents")),
            threading.Thread(target=work, args=("write", "UPDATE documents SET embedding = embedding WHERE id = 1")),
        ]
        for thread in threads:
            thread.start()
        try:
            with pytest.raises(
                LockNotAvailable, match=r"in 3 attempts of 0.1 s; in the way: .*a long report"
            ) as caught:
                go_online(db, lock_attempts=3)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert "ends nobody's session" in caught.value.hint
        # Attempts are short, so the others wait no longer than that, and not for the session in the way.
        assert all(len(times) > 10 and max(times) < 1 for times in waits.values()), waits
        assert probe(conn, DOCUMENTS).model == OLD.signature()
        run_sql(holder, "SELECT FROM documents")
    calls = NEW.calls
    assert go_online(db).rows_encoded == 0
    assert NEW.calls == calls
    check_space(conn, NEW, DOCUMENTS)


# --- Texts change faster than they are encoded ---


class Changing:
    """A hook of the encoder that gives ``rows`` rows another text in each call."""

    def __init__(self, db: str, rows: int) -> None:
        self.conn = psycopg.connect(db, autocommit=True)
        self.rows = rows
        self.held_off = 0
        run_sql(self.conn, "SET lock_timeout = '20ms'")

    def __call__(self, call: int, _: Sequence[str]) -> None:
        try:
            self.conn.execute(
                "UPDATE documents SET body = 'call ' || %s || ', row ' || id WHERE id < %s", (call, self.rows)
            )
        except psycopg.errors.LockNotAvailable:
            self.held_off += 1


def test_writers_are_held_off_where_one_always_comes_between(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(conn)
    # It has to be verified again, too.
    Points(monkeypatch).before(VERIFIED, lambda: run_sql(conn, "VACUUM FULL documents"))
    changing = Changing(db, 1)
    embedder = FakeEmbedder("new", 12, hook=changing)
    with changing.conn:
        go_online(db, embedder)
    assert changing.held_off == 1
    check_space(conn, NEW, DOCUMENTS)
    assert one(conn, "SELECT body FROM documents WHERE id = 0") == f"call {embedder.calls - 1}, row 0"


def test_rows_that_cannot_be_written_keep_no_others_from_it(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(conn)
    monkeypatch.setattr(online, "_FIRST_ROWS", 2)
    monkeypatch.setattr(online, "_FEWEST_ROWS", 2)
    monkeypatch.setattr(online, "_MOST_ROWS", 2)
    left: list[Any] = []
    with psycopg.connect(db) as holder:

        def change() -> None:
            for _ in range(3):
                run_sql(conn, *(f"UPDATE documents SET body = body || '!' WHERE id = {i}" for i in range(4)))
            run_sql(holder, "SELECT FROM documents WHERE id IN (0, 1) FOR UPDATE")

        def release() -> None:
            left.append(one(conn, f"SELECT array_agg(DISTINCT id) FROM vestige_sql.{names_of(conn)['changed_table']}"))
            holder.commit()

        points = Points(monkeypatch)
        points.before(FILLED, change)
        points.before(VERIFIED, release)
        go_online(db)
    assert left == [[0, 1]]
    check_space(conn, NEW, DOCUMENTS)


def test_changes_that_cannot_be_caught_up_with(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    make(conn)
    monkeypatch.setattr(online, "_ROUNDS", 2)
    register_model(db, OLD.signature(), target=DOCUMENTS)
    changing = Changing(db, 4)
    with changing.conn, pytest.raises(CheckFailed, match="changes faster than its rows are encoded: more than 2 rows"):
        go_online(db, FakeEmbedder("new", 12, hook=changing), batch_size=2)
    assert probe(conn, DOCUMENTS).model == OLD.signature()
    written = one(conn, "SELECT array_agg(body ORDER BY id) FROM documents")
    # once it is quiet the same command ends it
    calm = FakeEmbedder("new", 12)
    assert go_online(db, calm).rows_encoded <= 4
    check_space(conn, NEW, DOCUMENTS)
    assert one(conn, "SELECT array_agg(body ORDER BY id) FROM documents") == written


def test_filling_leaves_the_indexes_alone_where_it_can(db: str, conn: Conn) -> None:
    """Most updates of full pages are HOT, or each would go into the index in which search goes on."""
    # About five rows to a page.
    make(conn, keys=range(1_000), texts=[f"{random.Random(i).randbytes(750).hex()}" for i in range(1_000)])
    go_online(db)
    updates = "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'documents' AND n_tup_upd >= 1000"
    assert wait_for(conn, updates) == 1_000
    assert one(conn, "SELECT n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'documents'") > 600
    check_space(conn, NEW, DOCUMENTS)


# --- Triggers ---

ON_UPDATE = (
    "TRIGGER before_row BEFORE UPDATE ON documents FOR EACH ROW",
    "TRIGGER after_row AFTER INSERT OR UPDATE OR DELETE ON documents FOR EACH ROW",
    "TRIGGER before_statement BEFORE UPDATE ON documents",
    "TRIGGER after_statement AFTER UPDATE ON documents REFERENCING NEW TABLE AS changed",
    "CONSTRAINT TRIGGER deferred AFTER UPDATE ON documents DEFERRABLE INITIALLY DEFERRED FOR EACH ROW",
)
ON_OTHER_THINGS = (
    "TRIGGER of_text BEFORE UPDATE OF body, id ON documents FOR EACH ROW",
    "TRIGGER of_text_statement AFTER UPDATE OF body ON documents",
    "TRIGGER on_insert AFTER INSERT ON documents FOR EACH ROW",
    "TRIGGER on_delete BEFORE DELETE ON documents",
    "TRIGGER on_truncate BEFORE TRUNCATE ON documents",
)


def make_triggers(conn: Conn, *triggers: str) -> None:
    run_sql(
        conn,
        "CREATE TABLE fired (name text)",
        "CREATE FUNCTION note_firing() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
        " $$ BEGIN INSERT INTO public.fired VALUES (TG_NAME); RETURN coalesce(NEW, OLD); END $$",
        *(f"CREATE {trigger} EXECUTE FUNCTION note_firing()" for trigger in triggers),
    )


def enabled(conn: Conn) -> Any:
    return one(conn, "SELECT json_object_agg(tgname, tgenabled ORDER BY tgname) FROM pg_trigger"
        " WHERE tgrelid = 'documents'::regclass AND tgname !~ 'vestige_sql'")  # fmt: skip


def test_filling_fires_no_trigger(db: str, conn: Conn) -> None:
    make(conn)
    make_triggers(
        conn,
        *ON_UPDATE,
        *ON_OTHER_THINGS,
        "TRIGGER off BEFORE UPDATE ON documents",
        "TRIGGER always BEFORE DELETE ON documents",
    )
    run_sql(conn, "ALTER TABLE documents DISABLE TRIGGER off, ENABLE ALWAYS TRIGGER always")
    before = enabled(conn)
    go_online(db)
    assert one(conn, "SELECT array_agg(DISTINCT name) FROM fired") is None
    assert enabled(conn) == before
    check_space(conn, NEW, DOCUMENTS)


def test_triggers_that_fire_even_so_are_named(db: str, conn: Conn) -> None:
    make(conn)
    make_triggers(
        conn, *(f"TRIGGER {name} BEFORE UPDATE ON documents FOR EACH ROW" for name in ("usual", "ever", "copy"))
    )
    run_sql(conn, "ALTER TABLE documents ENABLE ALWAYS TRIGGER ever, ENABLE REPLICA TRIGGER copy")
    before = everything(conn)
    with pytest.raises(TargetError, match=r"would fire triggers of public.documents: copy, ever(\n|$)") as caught:
        go_online(db)
    assert re.match("copy, ever fire even so: ALTER TABLE public.documents ENABLE TRIGGER", caught.value.hint)
    assert "--fire-triggers" in caught.value.hint
    with pytest.raises(TargetError):
        dry_run_reembed(db, NEW, ReembedPlan(online=True), target=DOCUMENTS)
    assert everything(conn) == before
    go_online(db, fire_triggers=True)
    assert one(conn, "SELECT string_agg(name, ' ' ORDER BY name) FROM fired") == " ".join(["copy"] * 6 + ["ever"] * 6)
    check_space(conn, NEW, DOCUMENTS)


def test_a_trigger_for_replicas_alone_does_not_fire(db: str, conn: Conn) -> None:
    make(conn)
    make_triggers(conn, "TRIGGER copy BEFORE UPDATE ON documents FOR EACH ROW")
    run_sql(conn, "ALTER TABLE documents ENABLE REPLICA TRIGGER copy")
    go_online(db)
    assert one(conn, "SELECT count(*) FROM fired") == 0


def test_a_plain_owner_needs_one_grant_more_where_there_are_triggers(db: str, conn: Conn, role: Role) -> None:
    make(conn)
    run_sql(
        conn,
        *(grant.format(role=role.name) for grant in GRANTS),
        f"ALTER TABLE documents OWNER TO {role.name}",
        f"GRANT CREATE ON SCHEMA public TO {role.name}",
    )
    make_triggers(conn, *ON_OTHER_THINGS)
    go_online(role.conninfo)
    finalize(role.conninfo, target=DOCUMENTS)
    run_sql(conn, *(f"CREATE {trigger} EXECUTE FUNCTION note_firing()" for trigger in ON_UPDATE))

    before = everything(conn)
    names = "after_row, after_statement, before_row, before_statement, deferred"
    with pytest.raises(TargetError, match=rf"would fire triggers of public.documents: {names}(\n|$)") as caught:
        go_online(role.conninfo, OLD)
    grant = f'GRANT SET ON PARAMETER session_replication_role TO "{role.name}"'
    assert re.match(rf"{grant} .*\(PostgreSQL 15 on\).*--fire-triggers.*nothing was written", caught.value.hint)
    assert everything(conn) == before

    if conn.info.server_version >= 150000:
        run_sql(conn, grant)
        go_online(role.conninfo, OLD)
        assert one(conn, "SELECT count(*) FROM fired") == 0
        check_space(conn, OLD, DOCUMENTS)
        finalize(role.conninfo, target=DOCUMENTS)
        run_sql(conn, f"REVOKE SET ON PARAMETER session_replication_role FROM {role.name}")
    go_online(role.conninfo, FakeEmbedder("third", 8), fire_triggers=True)
    check_space(conn, FakeEmbedder("third", 8), DOCUMENTS)
    assert one(conn, "SELECT count(*) FROM fired WHERE name = 'before_row'") == 6


def test_a_trigger_that_takes_redundant_updates_for_none(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that changed and changed back has its vector already, and the note of it goes all the same."""
    make(conn)
    run_sql(
        conn,
        "CREATE TRIGGER same BEFORE UPDATE ON documents FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "ALTER TABLE documents ENABLE ALWAYS TRIGGER same",
    )
    change = [f"UPDATE documents SET body = body || '!' WHERE id = {i}" for i in (1, 2)]
    back = ["UPDATE documents SET body = rtrim(body, '!')"]
    Points(monkeypatch).before(FILLED, lambda: run_sql(conn, *change, *back))
    go_online(db, fire_triggers=True)
    check_space(conn, NEW, DOCUMENTS)


def test_a_trigger_that_alters_the_text_whenever_it_fires(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row that is written gets another text at once, and no vector of it: that is no end, and no switch."""
    make(conn)
    monkeypatch.setattr(online, "_ROUNDS", 2)
    run_sql(
        conn,
        "CREATE FUNCTION alter_text() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.body := NEW.body || '!'; RETURN NEW; END $$",
        "CREATE TRIGGER alter_text BEFORE UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION alter_text()",
        "ALTER TABLE documents ENABLE ALWAYS TRIGGER alter_text",
    )
    with pytest.raises(CheckFailed, match="do not have their new vectors yet"):
        go_online(db, fire_triggers=True)
    assert one(conn, "SELECT count(*) FROM documents WHERE vector_dims(embedding) <> 8") == 0


# --- The recall of the new index ---


class Clustered(FakeEmbedder):
    """Vectors in a few close clusters, among which a poor graph loses its way."""

    def vector(self, text: str) -> Vectors:
        near, far = (
            np.random.default_rng(seed) for seed in (zlib.crc32(text.encode()), zlib.crc32(text.encode()) % 20)
        )
        found: Vectors = (far.normal(size=self.dimension) + 0.15 * near.normal(size=self.dimension)).astype(np.float32)
        return found


def test_a_poor_index_is_not_switched_to(db: str, conn: Conn) -> None:
    make(conn, texts=())
    run_sql(
        conn,
        "INSERT INTO documents SELECT i, 'document number ' || i FROM generate_series(1, 800) AS i",
        "CREATE INDEX poor ON documents USING hnsw (embedding vector_l2_ops) WITH (m = 2, ef_construction = 4)",
    )
    embedder = Clustered("clustered", 8)
    said = r"new index poor .* finds (0\.[0-8]\d*) of .*\(recall@10, 30 questions, hnsw.ef_search = 40\), less than 0.9"
    with pytest.raises(RecallTooLow, match=said) as caught:
        go_online(db, embedder)
    assert all(what in caught.value.hint for what in ("hnsw.ef_search", "ef_construction", "--min-recall"))
    assert probe(conn, DOCUMENTS).model is None
    assert one(conn, "SELECT count(embedding) FROM documents") == 0

    calls = embedder.calls
    report = go_online(db, embedder, min_recall=0)
    assert embedder.calls == calls
    found = re.search(said, str(caught.value))
    assert found is not None
    assert report.recall[0]["name"] == "poor"
    assert report.recall[0]["recall"] == pytest.approx(float(found[1]), abs=0.001)
    check_space(conn, embedder, DOCUMENTS)
    finalize(db, target=DOCUMENTS)

    # Offline it is said, and nothing more.
    report = run_reembed(db, Clustered("offline", 8), target=DOCUMENTS)
    assert 0 < report.recall[0]["recall"] < 0.9
    assert run_reembed(db, NEW, ReembedPlan(recall_sample=0), target=DOCUMENTS).recall == []


def test_the_roles_own_ef_search_counts(db: str, conn: Conn) -> None:
    make(conn)
    setting = f"ALTER ROLE CURRENT_USER IN DATABASE {conn.info.dbname} SET hnsw.ef_search"
    run_sql(conn, "LOAD 'vector'", f"{setting} = 1")
    with pytest.raises(RecallTooLow, match=r"finds 0.000 of .*hnsw.ef_search = 1\)"):
        go_online(db)
    run_sql(conn, f"{setting} = 40")
    assert go_online(db).recall[0]["recall"] == 1
    check_space(conn, NEW, DOCUMENTS)


@dataclass(frozen=True)
class Index:
    key: str
    opclass: str
    operator: str
    distance: Callable[[Any, Any], Any]
    """From one vector to the rows of a matrix."""
    method: str = "hnsw"
    options: str = "m = 2, ef_construction = 4"
    where: str = "true"
    more: str = ""


def _l2(question: Any, matrix: Any) -> Any:
    return np.linalg.norm(matrix - question, axis=1)


def _cosine(question: Any, matrix: Any) -> Any:
    return 1 - matrix @ question / np.linalg.norm(matrix, axis=1) / np.linalg.norm(question)


INDEXES = {
    "cosine": Index("{v}", "vector_cosine_ops", "<=>", _cosine),
    "inner product": Index("{v}", "vector_ip_ops", "<#>", lambda question, matrix: -matrix @ question),
    "l2": Index("{v}", "vector_l2_ops", "<->", _l2, options="m = 3, ef_construction = 8"),
    "ivfflat": Index("{v}", "vector_l2_ops", "<->", _l2, "ivfflat", "lists = 12"),
    "part of the vector": Index("(subvector({v}, 1, 5)::vector(5))", "vector_l2_ops", "<->", _l2),
    "partial": Index(
        "{v}", "vector_cosine_ops", "<=>", _cosine, where="kind = 'rare'", more="CREATE INDEX ON {t} (kind)"
    ),
    "l1": Index("{v}", "vector_l1_ops", "<+>", lambda question, matrix: np.abs(matrix - question).sum(axis=1)),
    "halfvec": Index("({v}::halfvec(8))", "halfvec_cosine_ops", "<=>", _cosine),
    "bits": Index(
        "(binary_quantize({v})::bit(8))",
        "bit_hamming_ops",
        "<~>",
        lambda question, matrix: (matrix != question).sum(axis=1),
    ),
}


@pytest.fixture(scope="module")
def clustered(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[Conn]:
    """A database with a table of odd names, full of clustered vectors."""
    with databases() as db, psycopg.connect(db, autocommit=True) as conn:
        run_sql(conn, f'CREATE TABLE {ODD.table} ("se""lect" text PRIMARY KEY, kind text, "ve:ctor" vector(8))')
        vector = Clustered("clustered", 8).vector
        with conn.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {escaped(ODD.table)} VALUES (%s, %s, %s)".encode(),
                [(f"'{n}'", "usual" if n % 5 else "rare", literal(vector(str(n)))) for n in range(160)],
            )
        run_sql(conn, f"ANALYZE {ODD.table}")
        yield conn


ODD = Target(quoted("ta'b%s le"), 'se"lect', "text", "ve:ctor")


@pytest.mark.parametrize("index", INDEXES.values(), ids=INDEXES.keys())
def test_recall_is_what_python_finds_it_to_be(clustered: Conn, index: Index) -> None:
    conn = clustered
    names = {"v": quoted(columns_of(ODD)[2]), "t": ODD.table}
    key, ident = index.key.format_map(names), quoted(columns_of(ODD)[0])
    with conn.transaction(force_rollback=True):
        try:
            run_sql(
                conn,
                f"CREATE INDEX measured ON {ODD.table} USING {index.method} ({key} {index.opclass})"
                f" WITH ({index.options}) WHERE {index.where}",
                *([index.more.format_map(names)] if index.more else []),
            )
        except (psycopg.errors.UndefinedObject, psycopg.errors.UndefinedFunction) as error:
            pytest.skip(str(error))
        # What a role may have set is no way around the index.
        run_sql(conn, "SET LOCAL enable_indexscan = off", "SET LOCAL hnsw.ef_search = 15")
        found = conn.execute(
            "SELECT * FROM vestige_sql.index_recall('measured', %s, 1000)", (columns_of(ODD)[0],)
        ).fetchone()

        run_sql(
            conn,
            *(f"SET LOCAL {plan}" for plan in ("enable_indexscan = on", "enable_seqscan = off", "enable_sort = off")),
        )
        rows = conn.execute(f"SELECT {ident}, ({key})::text FROM {ODD.table} WHERE {index.where}".encode()).fetchall()
        kind = "bit(8)" if index.key.endswith("bit(8))") else ""
        matrix = np.array([[float(x) for x in (v if kind else v[1:-1].split(","))] for _, v in rows])
        place = {key: i for i, (key, _) in enumerate(rows)}
        shares = []
        for i, (row, question) in enumerate(rows):
            distances = index.distance(matrix[i], matrix)
            farthest = np.sort(np.delete(distances, i))[9]
            cast = kind or ("halfvec" if "halfvec" in index.key else "vector")
            nearest = conn.execute(
                escaped(
                    f"SELECT {ident} FROM {ODD.table} WHERE {index.where} AND {ident} <> $1"
                    f" ORDER BY {key} {index.operator} $2::{cast} LIMIT 10"
                )
                .replace("$1", "%s")
                .replace("$2", "%s")
                .encode(),
                (row, question),
            ).fetchall()
            shares.append(sum(distances[place[key]] <= farthest + 1e-6 for (key,) in nearest) / 10)
        assert found == (pytest.approx(np.mean(shares), abs=0.002), len(rows))
        assert 0 < np.mean(shares) < 0.999


# --- The index is as it was ---

NAMED_LIKE_A_TYPE = Target(quoted("sch:ema", "ta'b%s le"), 'se"lect', "text", "vector")


def live_indexes(conn: Conn, target: Target) -> list[Any]:
    """Name, definition, validity, comment and tablespace of the table's indexes, but for those of kept vectors."""
    return [
        (name, definition, valid, comment, tablespace)
        for name, definition, valid, *_, comment, tablespace, _ in catalog(conn, target.table)["indexes"]
        if "former_embedding_" not in definition
    ]


def test_every_index_comes_along(tablespaces: tuple[str, str], db: str, conn: Conn) -> None:
    run_sql(conn, 'CREATE SCHEMA "sch:ema"')
    target = NAMED_LIKE_A_TYPE
    make(
        conn,
        target,
        more=", note text DEFAULT 'vector', vector2 vector(8) DEFAULT array_fill(0.5, ARRAY[8])::vector(8)",
    )
    on = f"ON {target.table} USING"
    run_sql(
        conn,
        f"CREATE INDEX {quoted('x' * 63)} {on} hnsw (vector vector_cosine_ops) WITH (m = 7, ef_construction = 33)",
        f"COMMENT ON INDEX {quoted('sch:ema', 'x' * 63)} IS 'it''s asked'",
        f"CREATE INDEX {quoted('x' * 62)} {on} hnsw (vector vector_l2_ops) TABLESPACE {tablespaces[0]}",
        f"CREATE INDEX {quoted('x' * 62 + '_')} {on} ivfflat (vector vector_ip_ops) WITH (lists = 2)",
        f"CREATE INDEX {quoted('pa rt')} {on} hnsw (vector vector_ip_ops)"
        " WHERE note = 'vector' AND vector IS NOT NULL AND vector_dims(vector) = 8",
        f"CREATE INDEX whole {on} hnsw (((vector + vector)::vector(8)) vector_l2_ops)",
        f"CREATE INDEX other {on} hnsw (((vector2 + vector2)::vector(8)) vector_l2_ops) WHERE vector IS NOT NULL",
        f"CREATE INDEX plain {on} btree (note)",
    )
    if one(conn, "SELECT to_regtype('halfvec') IS NOT NULL"):
        run_sql(
            conn,
            f"CREATE INDEX part_of_it {on} hnsw ((subvector(vector, 1, 4)::vector(4)) vector_cosine_ops)",
            f"CREATE INDEX half {on} hnsw ((vector::halfvec(8)) halfvec_l2_ops) WITH (m = 5)",
            f"CREATE INDEX bits {on} hnsw ((binary_quantize(vector)::bit(8)) bit_hamming_ops)",
        )
    before = live_indexes(conn, target)
    go_online(db, NEW, target, min_recall=0)
    check_space(conn, NEW, target)
    expected = [
        (
            index[0],
            index[1] if "vector2" in index[1] else re.sub(r"\b(vector|halfvec|bit)\(8\)|= 8\b", grown, index[1]),
            *index[2:],
        )
        for index in before
    ]
    assert live_indexes(conn, target) == expected


def grown(match: re.Match[str]) -> str:
    return match[0].replace("8", "12")


def test_a_first_index_and_dimensions_that_no_index_takes(db: str, conn: Conn) -> None:
    """Above 2,000 dimensions the index is one on halfvec, above 4,000 there is none, and below there is one again."""
    make(conn)
    halfvec = one(conn, "SELECT to_regtype('halfvec') IS NOT NULL")
    definitions = {
        2001: "(((embedding)::halfvec(2001)) halfvec_cosine_ops)" if halfvec else None,
        4001: None,
        12: "(embedding vector_cosine_ops)",
    }
    for dimension, definition in definitions.items():
        embedder = FakeEmbedder("new", dimension)
        report = go_online(db, embedder)
        check_space(conn, embedder, DOCUMENTS)
        assert bool(report.recall) == (definition is not None)
        expected = [
            f"CREATE INDEX idx_documents_embedding_hnsw ON public.documents USING hnsw {definition}"
            " WITH (m='16', ef_construction='64')"
        ]
        assert [i[1] for i in live_indexes(conn, DOCUMENTS) if i[0] != "documents_pkey"] == expected * bool(definition)
        finalize(db, target=DOCUMENTS)


# --- Replicas ---


class Replica:
    """What a standby is to its primary: a session that takes WAL by a slot, and says how far it is when told to."""

    def __init__(self, db: str, conn: Conn) -> None:
        # libpq's own, for psycopg has no streaming replication
        self.pgconn = psycopg.pq.PGconn.connect(psycopg.conninfo.make_conninfo(db, replication="true").encode())
        if self.pgconn.status != psycopg.pq.ConnStatus.OK:
            pytest.skip(self.pgconn.get_error_message())
        made = self.pgconn.exec_(b"CREATE_REPLICATION_SLOT behind TEMPORARY PHYSICAL RESERVE_WAL")
        assert made.status == psycopg.pq.ExecStatus.TUPLES_OK, made.error_message
        restart = one(conn, "SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = 'behind'")
        started = self.pgconn.exec_(f"START_REPLICATION SLOT behind PHYSICAL {restart}".encode())
        assert started.status == psycopg.pq.ExecStatus.COPY_BOTH, started.error_message

    def says_it_has(self, lsn: int) -> None:
        """Send a standby status update: written, flushed and applied up to ``lsn``."""
        self.pgconn.put_copy_data(struct.pack("!cqqqqb", b"r", lsn, lsn, lsn, 0, 0))
        self.pgconn.flush()


def test_filling_waits_for_a_replica_that_is_behind(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    make(conn)
    monkeypatch.setattr(online, "_FIRST_ROWS", 2)
    monkeypatch.setattr(online, "_FEWEST_ROWS", 2)
    monkeypatch.setattr(online, "_MOST_ROWS", 2)
    monkeypatch.setattr(online, "_LAG_POLL_SECS", 0.02)
    replica = Replica(db, conn)
    seen: list[int] = []

    def catches_up() -> None:
        """As soon as a batch is written, and it has been asked for ten times how far it is."""
        filled = one(conn, "SELECT rows_filled FROM vestige_sql.run")
        seen.append(filled)
        if len(seen) > 10:
            replica.says_it_has(int(one(conn, "SELECT pg_current_wal_lsn() - '0/0'")))

    def falls_behind() -> None:
        run_sql(conn, "SELECT pg_logical_emit_message(false, '', repeat('x', 300000))")

    run = steps.run

    def watched(run_on: Conn, step: steps.Step, values: Any) -> steps.StepRun:
        if step.name == "probe/replication.sql":
            catches_up()
        return run(run_on, step, values)

    falls_behind()
    patch_run(monkeypatch, watched)
    go_online(db, max_lag_bytes=200_000)
    replica.pgconn.finish()
    assert seen[:11] == [seen[0]] * 11
    assert seen[0] < seen[-1] == 6
    check_space(conn, NEW, DOCUMENTS)
