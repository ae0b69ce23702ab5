"""A pass over the table as it lies on disk: every row is met, none collides with itself, and it begins where it may."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support import Conn, FakeEmbedder, connected

from vestige_sql import Target, steps
from vestige_sql.reembed import stage
from vestige_sql.reembed.stage import Stager
from vestige_sql.reembed.target import probe
from vestige_sql.steps.files import Value

NEW = FakeEmbedder("new", 3)


@pytest.fixture
def staging(db: str, conn: Conn) -> Callable[..., Stager]:
    """What makes a table of so many notes, its staging table, and a stager for them."""

    def make(rows: int, *, padding: int = 0, page_rows: int = 5) -> Stager:
        conn.execute("CREATE TABLE notes (id integer PRIMARY KEY, content text, embedding vector(2))")
        conn.execute("ALTER TABLE notes ALTER content SET STORAGE plain")
        conn.execute(
            "INSERT INTO notes SELECT i, format('note %%s %%s', i, repeat('.', %s)) FROM generate_series(1, %s) i",
            (padding, rows),
        )
        values: dict[str, Value] = probe(conn, Target("notes")).values | {"only_missing": False, "dimension": 3}
        for step in steps.folder("stage/create"):
            steps.run(conn, step, values)
        return Stager(FakeEmbedder("new", 3), values, 128, "notes", page_rows=page_rows)

    return make


def staged(conn: Conn, stager: Stager) -> list[int]:
    table = stager.values["staging_table"]
    return [row[0] for row in conn.execute(f"SELECT id FROM vestige_sql.{table} ORDER BY ctid")]  # type: ignore[arg-type]


def test_blocks_without_rows_and_blocks_with_few(
    db: str, conn: Conn, staging: Callable[..., Stager], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "_FIRST_BLOCKS", 1)
    stager = staging(1_000, padding=700, page_rows=50)
    conn.execute("DELETE FROM notes WHERE id BETWEEN 101 AND 900 AND id NOT BETWEEN 500 AND 510")
    conn.execute("INSERT INTO notes SELECT i, 'short' || i FROM generate_series(2000, 2400) i")
    left = [row[0] for row in conn.execute("SELECT id FROM notes ORDER BY ctid")]
    with connected(db) as reader, connected(db) as writer:
        assert stager.run(writer, stager.in_place(reader)) == len(left)
        assert staged(conn, stager) == left
        assert stager.run(writer, stager.in_place(reader)) == 0
    assert conn.execute("SELECT max(ctid) > '(80,0)' FROM notes").fetchone() == (True,)


def test_pages_are_as_large_as_asked_for(conn: Conn, staging: Callable[..., Stager]) -> None:
    stager = staging(1_000, padding=200, page_rows=60)
    assert [len(page.ids) for page in stager.in_place(conn)] == [60] * 16 + [40]


def test_keys_in_random_order_are_staged_as_the_table_lies(db: str, conn: Conn, staging: Callable[..., Stager]) -> None:
    stager = staging(300)
    conn.execute("UPDATE notes SET id = 1000 + id * 7919 % 1009")
    with connected(db) as reader, connected(db) as writer:
        stager.run(writer, stager.in_place(reader))
    assert staged(conn, stager) == [row[0] for row in conn.execute("SELECT id FROM notes ORDER BY ctid")]


@pytest.mark.parametrize("pages_on_their_way", [1, 2])
def test_a_row_that_moves_while_it_is_on_its_way_costs_the_others_nothing(
    db: str, conn: Conn, staging: Callable[..., Stager], pages_on_their_way: int
) -> None:
    stager = staging(5 * pages_on_their_way + 2)
    pages = stager.in_place(conn)
    on_their_way = [next(pages) for _ in range(pages_on_their_way)]
    conn.execute("UPDATE notes SET content = 'changed' WHERE id = 1")
    (behind,) = list(pages)
    assert behind.keys[-1] == "1"
    with connected(db) as writer:
        stager.run(writer, iter([*on_their_way, behind]))
    assert staged(conn, stager) == list(range(1, stager.rows + 1))
    assert stager.rows == 5 * pages_on_their_way + 2


@pytest.mark.parametrize("many", [1, 4_000])
def test_a_run_that_goes_on_begins_behind_what_was_staged_last(
    db: str, conn: Conn, staging: Callable[..., Stager], many: int
) -> None:
    stager = staging(many + 5, page_rows=max(5, many))
    pages = stager.in_place(conn)
    with connected(db) as writer:
        stager.run(writer, iter([next(pages)]))
    last = staged(conn, stager)[-1]
    after = steps.query(conn, "stage/extent.sql", stager.values)[0]["after"]
    assert conn.execute("SELECT ctid FROM notes WHERE id = %s", (last,)).fetchone() == (after,)
    met = [id_ for page in stager.in_place(conn, going_on=True) for id_ in page.keys]
    assert met == [str(row[0]) for row in conn.execute("SELECT id FROM notes WHERE id > %s ORDER BY 1", (last,))]


def test_where_nothing_is_staged_a_pass_begins_at_the_beginning(conn: Conn, staging: Callable[..., Stager]) -> None:
    stager = staging(3)
    (extent,) = steps.query(conn, "stage/extent.sql", stager.values)
    assert (extent["blocks"], extent["after"]) == (1, None)
    assert sum(len(page.ids) for page in stager.in_place(conn, going_on=True)) == 3


def test_nobody_has_to_note_later_that_staged_rows_are_committed(
    db: str, conn: Conn, staging: Callable[..., Stager]
) -> None:
    stager = staging(400, page_rows=150)
    with connected(db) as reader, connected(db) as writer:
        # As servers have it; one that has it off can note that only once it has flushed the commit.
        writer.execute("SET synchronous_commit = on")
        stager.run(writer, stager.in_place(reader))
    conn.execute("CHECKPOINT")
    plan: Any = conn.execute(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT json) SELECT count(*) FROM vestige_sql.{stager.values['staging_table']}"  # type: ignore[arg-type]
    ).fetchone()
    node = plan[0][0]["Plan"]
    assert node["Shared Hit Blocks"] > 0
    assert node["Shared Dirtied Blocks"] == 0
