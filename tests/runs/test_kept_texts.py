"""Former vectors come back to the texts that they were made from, and to no other.

Other people change texts at any time before the switch and after it, with or without the vectors, and with the triggers
off. A rollback brings a former vector back where its text is known to be the row's, leaves NULL, or is refused.
"""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from support import Conn, Points, literal
from test_identity import A, B, Stopped, a, add, b, do, embedded, target, whose

from vestige_sql import (
    ReembedPlan,
    apply_staged,
    finalize,
    rollback,
    run_reembed,
    stage_reembed,
)
from vestige_sql.errors import TargetError
from vestige_sql.look.status import status

ONLINE = ReembedPlan(online=True, recall_sample=0)
KEEP = ReembedPlan(keep_old=True)


def change(conn: Conn, *keys: int) -> Callable[[], None]:
    """What an application does that leaves the vectors to somebody else."""
    return lambda: do(
        conn, f"UPDATE documents SET body = 'changed ' || id WHERE id = ANY ('{{{','.join(map(str, keys))}}}')"
    )


def of_row(conn: Conn, key: int, column: str = "embedding") -> str | None:
    """Whose vector of its text as it is now a row has: the model's name, None for no vector, "?" for another text."""
    row = conn.execute(f"SELECT body, {column}::text FROM documents WHERE id = %s", (key,)).fetchone()  # type: ignore[call-overload]
    assert row is not None
    text, vector = row
    if vector is None:
        return None
    elements = [float(element) for element in vector.strip("[]").split(",")]
    return next((m.model_name for m in (A, B) if literal(m.vector(text)) == literal(elements)), "?")


ONLINE_POINTS = (
    ("lock/briefly/10_commit_at_once.sql", 1),
    ("online/fill/10_fill_batch.sql", 1),
    ("index/concurrently/30_create_indexes.sql", 1),
    ("online/verify/10_note_unfilled.sql", 1),
    ("lock/briefly/10_commit_at_once.sql", 2),
)
"""Steps before which texts change, and which time: all is staged, noted, filled, indexed, about to switch."""


@pytest.mark.parametrize(("point", "time"), ONLINE_POINTS)
def test_texts_that_change_during_an_online_run(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, point: str, time: int
) -> None:
    made = embedded(db, conn, "documents", A)
    done: list[bool] = []
    points = Points(monkeypatch)

    def come() -> None:
        done.append(True)
        if len(done) == time:
            change(conn, 1, 2)()
        else:
            points.before(point, come)

    points.before(point, come)
    run_reembed(db, b(), ONLINE, target=made)
    assert len(done) == time
    assert whose(conn, made) == {"b"}
    report = rollback(db, target=made)
    assert [of_row(conn, key) for key in (1, 2, 3)] == [None, None, "a"]
    assert report.rows_missing == 2
    filled = a()
    run_reembed(db, filled, target=made)
    assert sorted(filled.texts) == ["changed 1", "changed 2"]


def test_texts_that_change_with_their_vectors_during_an_online_run(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The former vector is of the new text, so it is kept. So is that of a row that comes meanwhile."""
    made = embedded(db, conn, "documents", A)

    def both() -> None:
        vector = literal(A.vector("theirs"))
        do(conn, f"UPDATE documents SET body = 'theirs', embedding = '{vector}' WHERE id = 1",
           f"INSERT INTO documents VALUES (50, 't', 'theirs', '{vector}')")  # fmt: skip

    points = Points(monkeypatch)
    points.before("online/verify/10_note_unfilled.sql", both)
    run_reembed(db, b(), ONLINE, target=made)
    rollback(db, target=made)
    assert [of_row(conn, key) for key in (1, 50)] == ["a", "a"]


def test_a_text_column_that_is_renamed_meanwhile_stops_no_write(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = embedded(db, conn, "documents", A)

    def rename_and_back() -> None:
        do(conn, "ALTER TABLE documents RENAME body TO words", "UPDATE documents SET words = 'changed' WHERE id = 1",
           "ALTER TABLE documents RENAME words TO body")  # fmt: skip

    Points(monkeypatch).before("online/verify/10_note_unfilled.sql", rename_and_back)
    run_reembed(db, b(), ONLINE, target=made)
    assert whose(conn, made) == {"b"}
    rollback(db, target=made)
    assert [of_row(conn, key) for key in (1, 2)] == [None, "a"]


def test_a_run_that_died_after_the_switch_lets_them_go_first(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = embedded(db, conn, "documents", A)

    def stop() -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        points = Points(patch)
        points.before("online/verify/10_note_unfilled.sql", change(conn, 1))
        points.before("online/forget/10_forget_outdated.sql", stop)
        with pytest.raises(Stopped):
            run_reembed(db, b(), ONLINE, target=made)
    assert status(db, target=made)["phase"] == "switched"
    rollback(db, target=made)
    assert [of_row(conn, key) for key in (1, 2)] == [None, "a"]


def test_no_trigger_of_the_tables_own_fires_when_they_are_let_go(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = embedded(db, conn, "documents", A)
    do(conn, "CREATE TABLE fired (id int)", "CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS"
       " $$ BEGIN INSERT INTO fired VALUES (NEW.id); RETURN NEW; END $$")  # fmt: skip
    do(conn, "CREATE TRIGGER fires BEFORE UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION fires()")
    Points(monkeypatch).before("online/verify/10_note_unfilled.sql", change(conn, 1))
    run_reembed(db, b(), ONLINE, target=made)
    assert conn.execute("SELECT id FROM fired").fetchall() == [(1,)]
    rollback(db, target=made)
    assert of_row(conn, 1) is None


@pytest.mark.parametrize("way", ["rewrite", "swap", "widen"])
def test_texts_that_change_between_staging_and_applying(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """One is staged again, and one changes after all was staged and before the table is locked."""
    made = embedded(db, conn, "documents", A)
    stage_reembed(db, b(), target=made)
    change(conn, 1)()
    Points(monkeypatch).before("lock/ready/03_wait_for_vacuum.sql", change(conn, 2))
    run_reembed(db, b(), ReembedPlan(keep_old=True, apply=way), target=made)
    assert whose(conn, made) == {"b"}
    rollback(db, ReembedPlan(apply=way), target=made)
    assert [of_row(conn, key) for key in (1, 2, 3)] == [None, None, "a"]


def test_staged_twice_and_applied_apart(db: str, conn: Conn) -> None:
    made = embedded(db, conn, "documents", A)
    stage_reembed(db, b(), target=made)
    change(conn, 1)()
    stage_reembed(db, b(), target=made)
    apply_staged(db, KEEP, target=made)
    rollback(db, target=made)
    assert [of_row(conn, key) for key in (1, 2)] == [None, "a"]


def test_there_and_back_and_there_again(db: str, conn: Conn) -> None:
    """A text that changes after an offline run: neither model's vector of its former text comes back."""
    made = embedded(db, conn, "documents", A)
    run_reembed(db, b(), KEEP, target=made)
    change(conn, 1)()
    assert of_row(conn, 1) == "?"
    rollback(db, target=made)
    assert [of_row(conn, key) for key in (1, 2)] == [None, "a"]
    rollback(db, target=made)
    assert [of_row(conn, key) for key in (1, 2)] == [None, "b"]


def test_nothing_is_kept_that_was_made_from_another_column(db: str, conn: Conn) -> None:
    made = embedded(db, conn, "documents", A)
    titles = target(content_column="title")
    with pytest.raises(TargetError, match="were made from the column body"):
        run_reembed(db, b(), ONLINE, target=titles)
    run_reembed(db, b(), KEEP, target=titles)
    do(conn, "UPDATE documents SET body = 'changed', embedding = NULL WHERE id = 1")
    rollback(db, target=titles)
    assert whose(conn, made) == {None}


# --- The trigger that guards them ---


OFF = {
    "user": ("DISABLE TRIGGER USER", "ENABLE TRIGGER USER"),
    "all": ("DISABLE TRIGGER ALL", "ENABLE TRIGGER ALL"),
    "off": ("DISABLE TRIGGER {trigger}",),
    "replica": ("ENABLE REPLICA TRIGGER {trigger}",),
    "off and always": ("DISABLE TRIGGER {trigger}", "ENABLE ALWAYS TRIGGER {trigger}"),
}


@pytest.mark.parametrize("how", OFF)
def test_a_guard_that_was_off_is_noticed(db: str, conn: Conn, how: str) -> None:
    made = embedded(db, conn, "documents", A)
    run_reembed(db, b(), ONLINE, target=made)
    row = conn.execute("SELECT tgname FROM pg_trigger WHERE tgname ~ 'forget_stale'").fetchone()
    assert row is not None
    first, *then = (statement.format(trigger=row[0]) for statement in OFF[how])
    with psycopg.connect(db) as other:
        other.execute(f"ALTER TABLE documents {first}")  # type: ignore[call-overload]
        other.execute("UPDATE documents SET body = 'changed' WHERE id = 1")
        for statement in then:
            other.execute(f"ALTER TABLE documents {statement}")  # type: ignore[call-overload]
    with pytest.raises(TargetError, match="was dropped, disabled or altered"):
        rollback(db, target=made)
    assert [of_row(conn, key) for key in (1, 2)] == ["?", "b"]
    assert [refused["what"] for refused in status(db, target=made)["refused"]] == ["not_guarded"]
    assert finalize(db, target=made) is not None
    run_reembed(db, a(), target=made)
    assert whose(conn, made) == {"a"}


@pytest.mark.parametrize("plan", [ONLINE, ReembedPlan(apply="swap"), ReembedPlan(apply="widen")], ids=lambda p: p.apply)
def test_a_guard_stands_in_no_other_columns_way_and_stays(db: str, conn: Conn, plan: ReembedPlan) -> None:
    made = embedded(db, conn, "documents", A)
    run_reembed(db, b(), ONLINE, target=made)
    do(conn, "ALTER TABLE documents ADD other vector(8)")
    second = target(embedding_column="other")
    run_reembed(db, a(), target=second)
    run_reembed(db, b(), plan, target=second)
    assert whose(conn, second, column="other") == {"b"}
    change(conn, 1)()
    rollback(db, target=made)
    assert [of_row(conn, key) for key in (1, 2)] == [None, "a"]
    add(conn, made)
    run_reembed(db, a(), target=made)
    assert whose(conn, made) == {"a"}
