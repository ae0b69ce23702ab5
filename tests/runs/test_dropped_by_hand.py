"""What an ORM drops because it does not know it: the application's writes go on, and every verb leads out."""

from __future__ import annotations

import pytest
from support import Conn, FakeEmbedder, Points, check_space, registered, seed

from vestige_sql import ReembedPlan, abort_reembed, finalize, rollback, run_reembed
from vestige_sql.errors import CheckFailed, TargetError
from vestige_sql.look.status import status

OLD, NEW, THIRD = FakeEmbedder("old", 8), FakeEmbedder("new", 12), FakeEmbedder("third", 10)
ONLINE, KEEP = ReembedPlan(online=True), ReembedPlan(keep_old=True)
WRITE = "UPDATE knowledge_nodes SET content = 'another text', embedding = NULL WHERE content = 'memory number 3'"


def _drop(conn: Conn, pattern: str, how: str) -> None:
    """Drop what an attribute or a table of this name is."""
    name = conn.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'knowledge_nodes'::regclass AND attname ~ %(p)s"
        " AND NOT attisdropped UNION SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ %(p)s",
        {"p": pattern},
    ).fetchone()
    assert name is not None
    conn.execute(how.format(name[0]))  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("plan", "pattern", "how"),
    [
        (ONLINE, "^former_embedding_", "ALTER TABLE knowledge_nodes DROP COLUMN {}"),
        (KEEP, "^kept_[0-9a-f]{16}$", "DROP TABLE vestige_sql.{}"),
    ],
    ids=["column", "table"],
)
def test_kept_vectors(db: str, conn: Conn, plan: ReembedPlan, pattern: str, how: str) -> None:
    seed(conn, embedder=OLD)
    run_reembed(db, NEW, plan)
    _drop(conn, pattern, how)
    conn.execute(WRITE)
    said = status(db)
    assert "are gone" in said["left"][0]
    assert "finalize" in said["next"][0]
    with pytest.raises(CheckFailed, match=r"are gone: the (column|table) that kept them was dropped by hand"):
        rollback(db)
    run_reembed(db, NEW)
    with pytest.raises(TargetError, match="still kept") as caught:
        run_reembed(db, THIRD, plan)
    assert "clears up where they were dropped by hand" in caught.value.hint
    done = finalize(db)
    assert done is not None
    assert done.vectors == 0
    assert status(db)["phase"] == "at rest"
    conn.execute(WRITE.replace("3'", "4'"))
    run_reembed(db, NEW)
    run_reembed(db, THIRD, plan)
    check_space(conn, THIRD)
    assert rollback(db).model == NEW.signature()
    check_space(conn, NEW)


@pytest.mark.parametrize(
    ("pattern", "how", "gone"),
    [
        ("^embedding_[0-9a-f]{16}$", "ALTER TABLE knowledge_nodes DROP COLUMN {} CASCADE", "its column embedding_"),
        ("^changed_[0-9a-f]{16}$", "DROP TABLE vestige_sql.{}", "the table vestige_sql.changed_"),
    ],
    ids=["second column", "notes"],
)
def test_an_online_run(db: str, conn: Conn, pattern: str, how: str, gone: str) -> None:
    seed(conn, embedder=OLD)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        Points(patch).before("online/verify/10_note_unfilled.sql", stop)
        with pytest.raises(KeyboardInterrupt):
            run_reembed(db, NEW, ONLINE)
    _drop(conn, pattern, how)
    conn.execute(WRITE)
    said = status(db)
    assert gone in said["left"][0]
    assert "abort" in said["next"][0]
    with pytest.raises(CheckFailed, match=f"was dropped by hand: {gone}"):
        run_reembed(db, NEW, ONLINE)
    assert registered(conn) is not None
    assert abort_reembed(db)
    conn.execute(WRITE.replace("3'", "4'"))
    run_reembed(db, NEW, ONLINE)
    check_space(conn, NEW)
