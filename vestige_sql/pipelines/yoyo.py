"""A step for yoyo.

steps = [reembed("documents", LOCK)]
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from yoyo import step

from vestige_sql.pipelines.lock import apply_lock
from vestige_sql.plan import ReembedPlan


def reembed(
    table: str,
    lock: Path | str,
    *,
    plan: ReembedPlan = ReembedPlan(),  # noqa: B008
) -> Any:
    """Return a step that puts in place what was staged by ``vestige-sql migrate stage .. --lock LOCK``.

    Its rollback puts the former model's vectors in place, which have to be staged too. A table without text needs
    nothing staged. Applied or rolled back, it raises what :func:`vestige_sql.apply_reembed` raises, and
    :class:`~vestige_sql.errors.UsageError` for a lock file that cannot be read.
    """
    return step(
        lambda connection: apply_lock(connection, table, lock, plan=plan),
        lambda connection: apply_lock(connection, table, lock, back=True, plan=plan),
    )
