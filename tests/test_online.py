"""Online: nothing stale gets through whoever writes meanwhile, nobody gets an error, and the index is as it was."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support import Conn, FakeEmbedder, Points, check_space, literal, vectors

from vestige_sql import ReembedPlan, Target, apply, online, register_model, run_reembed, stage

OLD = FakeEmbedder("old", 8)
NEW = FakeEmbedder("new", 12)
DOCUMENTS = Target("documents", "id", "body", "embedding")


def run_sql(conn: Conn, *statements: str) -> None:
    for text in statements:
        conn.execute(text.encode())


def quoted(*parts: str) -> str:
    return sql.Identifier(*parts).as_string()


def escaped(name: str) -> str:
    """``name`` in a statement that takes parameters."""
    return name.replace("%", "%%")


def one(conn: Conn, query: str) -> Any:
    row = conn.execute(query.encode()).fetchone()
    return row and row[0]


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
                    # Until it commits no switch comes between. LOCK takes no snapshot, so that the registry is not older.
                    run_sql(conn, f"LOCK TABLE {self.twins.target.table} IN ROW EXCLUSIVE MODE")
                    if not self._in_old_space(conn):
                        return False
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

        what = choose.choice(["insert", "text", "note", "key", "delete", "again", "blank", "back", "case", "range", "upsert"])
        fresh = f"text {choose.randrange(10**9)}"
        if what == "insert":
            for n in some(free, 3):
                # A session that knows the model writes its vector, too.
                vector = literal(OLD.vector(fresh)) if self.twins.layout.asks_first else None
                self._both(conn, "INSERT INTO {table} ({id}, {text}, {vector}) VALUES (%s, %s, %s)", (key(n), fresh, vector))
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
        elif what == "key" and free:
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
        query = (
            f"SELECT {columns['id']}::text, (SELECT model_name FROM asked) FROM {target.table}"
            f" ORDER BY {columns['vector']} <=> (SELECT v FROM asked) LIMIT 1"
        )
        asked = (
            "WITH asked AS MATERIALIZED (SELECT m.model_name, q.v FROM vestige_sql.model m"
            " JOIN questions q USING (model_name) WHERE format('%%I.%%I', m.table_schema, m.table_name)::regclass = %s::regclass AND q.n = %s) "
        )
        try:
            with psycopg.connect(self.db, autocommit=True) as conn:
                run_sql(conn, "SET enable_seqscan = off", "LOAD 'vector'", "SET hnsw.ef_search = 400")
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
    ("before", "lock/exclusive/10_set_lock_timeout.sql"),
)
"""Points of a run, with no lock held, at which it waits here until the writers have done something."""


@contextmanager
def working(
    workers: Sequence[Writer | Reader], writers: Sequence[Writer]
) -> Iterator[Callable[[], None]]:
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
    "plain": Layout(),
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
        session="SET session_replication_role = replica", key="uuid", make_key=lambda n: uuid.UUID(int=n * 2**97 % 2**128)
    ),
    "text altered by a trigger": Layout(
        key='text COLLATE "C"',
        make_key="k{:04}".format,
        trigger="IF NEW.body <> '' AND length(NEW.body) < 99 THEN NEW.body := NEW.body || '~'; END IF;",
    ),
    "case ignored by a type": Layout(content="citext", setup=("CREATE EXTENSION citext",)),
    "case ignored by a collation": Layout(
        content="text COLLATE ignore_case",
        setup=(
            "CREATE COLLATION ignore_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        ),
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
    monkeypatch.setattr(apply, "_FIRST_PAUSE_SECS", 0.05)
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
        report = run_reembed(db, embedder, ReembedPlan(online=True, min_recall=0), target=twins.target)
        # As long as they go on they wrote until the switch, and not after.
        for writer in writers:
            writer.join(10)
            assert writer.error is not None or not writer.is_alive()
        marks = reader.searches.get("new", 0)
        while reader.is_alive() and reader.searches.get("new", 0) < marks + 5:
            time.sleep(0.01)
    assert report.way == "online"
    assert min(reader.searches["old"], reader.searches["new"]) > 0
    print("commits", [w.commits for w in writers], "searches", reader.searches, "calls", embedder.calls, "attempts", points.ran.count("lock/exclusive/10_set_lock_timeout.sql"), points.ran.count("lock/writers/10_set_lock_timeout.sql"), "lock", report.lock_held_secs)
    twins.check_same(db)
