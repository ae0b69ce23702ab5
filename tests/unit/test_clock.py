"""Where the time of a run goes: the phases of the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import psycopg
import pytest
from support import Conn, FakeEmbedder, Points, seed

from vestige_sql import ReembedPlan, ReembedReport, run_reembed
from vestige_sql.reembed.clock import ACTIVITIES, Clock
from vestige_sql.reembed.inside import apply_reembed
from vestige_sql.reembed.verbs import apply_staged, stage_reembed

LONG = 0.15


def timed(run: Callable[[], ReembedReport]) -> dict[str, float]:
    """Return the phases of ``run``, which sum to what it took as seen from outside."""
    started = time.monotonic()
    spent = run().spent
    whole = time.monotonic() - started
    assert set(spent) == set(ACTIVITIES)
    assert min(spent.values()) >= 0
    # The connections are closed after the report is made.
    assert whole - 0.25 < sum(spent.values()) <= whole
    return spent


def sleep(*_: object) -> None:
    time.sleep(LONG)


def test_a_block_counts_less_what_is_inside_it() -> None:
    spent = Clock()
    with spent.on("apply"):
        with spent.on("index"):
            sleep()
        sleep()
        with pytest.raises(ValueError), spent.on("waiting"):
            sleep()
            raise ValueError
    sleep()
    found = spent.so_far()
    for phase in ("apply", "index", "waiting", "other"):
        assert found[phase] >= LONG
    assert sum(found.values()) < 5 * LONG


class Counting(FakeEmbedder):
    def token_counts(self, texts: Sequence[str]) -> list[int]:
        sleep()
        return [len(text) for text in texts]


@pytest.mark.parametrize(
    ("options", "at"),
    [
        ({}, {"gate": "gate/20_staged_is_complete.sql", "apply": "apply/rewrite/20_rewrite_column.sql",
              "index": "index/create/20_create_indexes.sql", "waiting": "lock/exclusive/20_lock_target.sql"}),
        ({"concurrent_index": True}, {"apply": "registry/10_set_model.sql",
                                      "index": "index/concurrently/30_create_indexes.sql"}),
        ({"online": True}, {"gate": "online/verify/10_note_unfilled.sql", "apply": "online/fill/10_fill_batch.sql",
                            "index": "index/concurrently/30_create_indexes.sql",
                            "waiting": "lock/exclusive/20_lock_target.sql"}),
    ],
    ids=("offline", "concurrent", "online"),
)  # fmt: skip
def test_the_phases_of_a_run(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, options: dict[str, bool], at: dict[str, str]
) -> None:
    seed(conn, 20, FakeEmbedder("old"))
    for step in at.values():
        Points(monkeypatch).after(step, sleep)
    spent = timed(lambda: run_reembed(db, Counting("new", hook=sleep), ReembedPlan(**options), before_write=sleep))
    for phase in ("tokenizing", "encoding", "waiting", *at):
        assert spent[phase] >= LONG, phase
    for phase in ("reading", "copying", "other"):
        assert spent[phase] > 0, phase


def test_staging_and_applying_apart(db: str, conn: Conn) -> None:
    seed(conn, 20, FakeEmbedder("old"))
    new = FakeEmbedder("new", hook=sleep)
    staged = timed(lambda: stage_reembed(db, new))
    assert staged["encoding"] >= LONG
    assert max(staged[phase] for phase in ("waiting", "gate", "apply", "index")) < 0.01
    applied = timed(lambda: apply_staged(db))
    assert applied["encoding"] == applied["copying"] == 0
    assert min(applied[phase] for phase in ("waiting", "gate", "apply", "index")) > 0
    nothing = timed(lambda: run_reembed(db, new))
    assert nothing["other"] == sum(nothing.values())


def test_inside_the_callers_transaction(db: str, conn: Conn) -> None:
    seed(conn, 20, FakeEmbedder("old"))
    stage_reembed(db, FakeEmbedder("new"))
    with psycopg.connect(db) as caller:
        spent = timed(lambda: apply_reembed(caller))
    assert min(spent[phase] for phase in ("waiting", "gate", "apply", "index")) > 0
