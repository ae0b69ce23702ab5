"""Make the dump of a database as version 0.1.0 leaves it, with a run of each kind under way: ``0.1.0.sql``.

Run it at the tag v0.1.0, from the root of the checkout, as a superuser of a server whose pg_dump is the oldest that is
supported, so that every server can read the dump (PostgreSQL 16.2 with pgvector 0.6.2, of the wheel pgserver 0.1.4):

    PYTHONPATH=.:tests python tests/data/upgrade/make.py POSTGRES_URL .../bin/pg_dump >tests/data/upgrade/0.1.0.sql

The runs are cut off as by a kill: what is raised is no error that a run would note, and its transaction is rolled back.
``tests/test_upgrade.py`` says how each ends.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support import Conn, FakeEmbedder, Points, literal, seed

from vestige_sql import ReembedPlan, Target, online, register_model, rollback, run_reembed, stage, stage_reembed
from vestige_sql.migrate import migrate_up

NAME = "vestige_sql_0_1_0"
OLD_DIMENSION, NEW_DIMENSION = 8, 12
ROWS = 9


class Killed(BaseException):
    """Stands in for the kill."""


def old() -> FakeEmbedder:
    return FakeEmbedder("old", OLD_DIMENSION)


def new(*, calls: int = 1000) -> FakeEmbedder:
    """The new model, which is killed in the call after so many."""
    return FakeEmbedder("new", NEW_DIMENSION, hook=lambda call, _: die() if call > calls else None)


def die() -> None:
    raise Killed


def documents(name: str) -> Target:
    return Target(f"app.{name}", "id", "body", "embedding")


def fill(conn: Conn, target: Target, *, rows: int = ROWS, without: int = 0, index: bool = True) -> None:
    """Make a table with ``rows`` texts in the space of the old model, ``without`` that lack a vector, and a blank."""
    conn.execute(
        f"CREATE TABLE {target.table} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text,"
        f" embedding vector({OLD_DIMENSION}))"
    )
    name = target.table.partition(".")[2]
    for i in range(rows + without):
        text = f"{name}, text {i}"
        vector = literal(old().vector(text)) if i < rows else None
        conn.execute(f"INSERT INTO {target.table} (body, embedding) VALUES (%s, %s)", (text, vector))
    conn.execute(f"INSERT INTO {target.table} (body) VALUES (' ')")
    if index:
        conn.execute(f"CREATE INDEX {name}_hnsw ON {target.table} USING hnsw (embedding vector_l2_ops) WITH (m = 8)")
    register_model(conn.info.dsn, old().signature(), target=target)


@contextmanager
def killed(step: str = "", *, after: bool = False) -> Iterator[None]:
    """Kill what runs in the block before the step, or after it."""
    with pytest.MonkeyPatch.context() as patch:
        points = Points(patch)
        if step:
            (points.after if after else points.before)(step, die)
        try:
            yield
        except Killed:
            return
    raise AssertionError(f"{step or 'the call of the model'} was not reached")


def make(conn: Conn) -> None:
    db = conn.info.dsn
    migrate_up(db)
    seed(conn, ROWS, old(), index=False)
    migrate_up(db)
    conn.execute("CREATE SCHEMA app")

    def run(name: str, model: FakeEmbedder, **fields: Any) -> Callable[[], object]:
        plan = ReembedPlan(recall_sample=5, **fields)
        return lambda: run_reembed(db, model, plan, target=documents(name))

    for name in (
        "kept_table",
        "kept_column",
        "half_staged",
        "staged",
        "filling",
        "verified",
        "applied",
        "switched",
        "went_back",
    ):
        fill(conn, documents(name))
    fill(conn, documents("lacking"), rows=3, without=6)
    fill(conn, documents("unindexed"), index=False)

    run("kept_table", new(), keep_old=True)()
    run("kept_column", new(), online=True)()

    with killed():
        run_reembed(db, new(calls=1))
    with killed():
        run("half_staged", new(calls=1))()
    stage_reembed(db, new(), target=documents("staged"))
    with killed("lock/writers/20_lock_target.sql"):
        run("lacking", old())()
    with killed("index/concurrently/30_create_indexes.sql"):
        run("unindexed", old(), concurrent_index=True)()
    with killed("online/fill/10_fill_batch.sql", after=True):
        run("filling", new(), online=True)()
    with killed("online/switch/10_check_ready.sql"):
        run("verified", new(), online=True)()
    # Noted by their triggers.
    conn.execute("UPDATE app.filling SET body = body || ', changed' WHERE id IN (2, 8)")
    conn.execute("UPDATE app.verified SET body = body || ', changed' WHERE id IN (2, 8)")
    with killed("index/concurrently/30_create_indexes.sql"):
        run("applied", new(), concurrent_index=True)()
    with killed("online/clean_up/10_count_rows.sql"):
        run("switched", new(), online=True)()
    run("went_back", new(), keep_old=True)()
    with killed("index/concurrently/30_create_indexes.sql"):
        rollback(db, ReembedPlan(concurrent_index=True), target=documents("went_back"))

    # Of whichever machine this runs on.
    conn.execute("UPDATE _yoyo_log SET username = 'dba', hostname = 'example', comment = NULL")


def main(url: str, pg_dump: str) -> None:
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {NAME}")
        db = make_conninfo(url, dbname=NAME)
        stage.PAGE_ROWS = 5
        online._FEWEST_ROWS = online._FIRST_ROWS = online._MOST_ROWS = 4
        try:
            with psycopg.connect(db, autocommit=True) as conn:
                make(conn)
            subprocess.run([pg_dump, "--no-owner", "-d", db], check=True)
        finally:
            server.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


if __name__ == "__main__":
    main(*sys.argv[1:])
