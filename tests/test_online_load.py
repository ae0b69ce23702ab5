"""The model changes online under load, goes back and forward again: no statement fails, and no row is left stale.

The load and the checks are those of bench/online.py: pgbench with the scripts in bench/load/, and a writer in Python.
"""

from __future__ import annotations

import pytest
from online import Changes, HashEncoder, load, make_table, pgbench

from vestige_sql import ReembedPlan
from vestige_sql.errors import UsageError

OLD = HashEncoder("old", 16)
NEW = HashEncoder("new", 24)
ROWS, KNOWN = 5_000, 300


@pytest.fixture(autouse=True)
def _pgbench() -> None:
    try:
        pgbench()
    except UsageError as error:
        pytest.skip(str(error))


def test_forth_back_and_forth_again_under_load(db: str) -> None:
    make_table(db, OLD, NEW, ROWS, KNOWN)
    changes = Changes(db, ReembedPlan(online=True))
    with load(db, ROWS, KNOWN, clients=3, rate=200) as work:
        changes.online(NEW, "the switch")
        changes.back(OLD, "the rollback")
        changes.back(NEW, "the second switch")
    assert work.failed == []
    assert all(work.done.values()), work.done
    for change in changes.changes:
        assert (change.stale, change.lost) == (0, 0), change
    assert changes.fill(NEW) == (0, 0)
