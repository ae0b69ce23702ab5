"""The lock file: which vectors a migration applies, written by ``stage --lock`` and kept beside the migration.

The file is JSON, made for a repository: the same run writes the same bytes. It holds no secret and no text of a row.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.errors import UsageError
from vestige_sql.plan import ReembedPlan, Target
from vestige_sql.reembed.inside import apply_reembed
from vestige_sql.report import ReembedReport

_STAGE = "write the file again: vestige-sql migrate stage .. --lock"


@dataclass(frozen=True)
class Lock:
    """What ``stage`` was run with: the table, the model staged, and the model that was registered before, if any."""

    target: Target
    model: ModelSignature
    former: ModelSignature | None

    def as_text(self) -> str:
        """Return the text of the file."""
        content = vars(self.target) | {"model": vars(self.model), "former": self.former and vars(self.former)}
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    def expected(self, *, back: bool) -> ModelSignature:
        """Return the model that a migration forward, or ``back``, puts in place.

        Raises :class:`UsageError` for ``back`` where no model was registered before.
        """
        if not back:
            return self.model
        if self.former is None:
            raise UsageError(
                f"the lock file of {self.target.table} names no former model: none was registered when it was written",
                "nothing was written; register the former model, and write the file again with vestige-sql migrate "
                "stage .. --lock; or restore the table from a backup",
            )
        return self.former


def write_lock(path: Path, target: Target, report: ReembedReport) -> Lock:
    """Write what ``stage`` did to ``path``, and return it.

    Where the staged model is registered already, the former model that the file names stays: staging once more after
    the migration must not make it forget the way back.

    Raises :class:`UsageError` where the file cannot be read or written.
    """
    assert report.model is not None
    former = report.previous_model
    if former == report.model:
        former = read_lock(path).former if path.exists() else None
    lock = Lock(target, report.model, None if former == report.model else former)
    try:
        path.write_text(lock.as_text(), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"the lock file {path} cannot be written: {error}",
            "the vectors are staged; name another file, and run the same command again: it encodes nothing twice",
        ) from error
    return lock


def read_lock(path: Path | str) -> Lock:
    """Return what the lock file at ``path`` says. Raises :class:`UsageError` where it cannot be read."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        former = content.pop("former")
        return Lock(
            model=ModelSignature(**content.pop("model")),
            former=None if former is None else ModelSignature(**former),
            target=Target(**content),
        )
    except OSError as error:
        raise UsageError(
            f"the lock file {path} cannot be read: {error}", f"nothing was written; {_STAGE} {path}"
        ) from error
    # RecursionError: lists in lists. The others: not UTF-8, not JSON, not an object, or not our keys and values.
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, UsageError) as error:
        raise UsageError(f"{path} is no lock file: {error}", f"nothing was written; {_STAGE} {path}") from error


def apply_lock(
    connection: psycopg.Connection[Any],
    table: str,
    lock: Path | str,
    *,
    back: bool = False,
    plan: ReembedPlan = ReembedPlan(),  # noqa: B008
    columns: dict[str, Any] | None = None,
) -> ReembedReport:
    """Put what ``lock`` names in place in ``table``, inside the transaction of ``connection``.

    ``back`` puts the former model's vectors in place. ``columns`` are fields of :class:`Target` that differ from the
    file's. Raises :class:`UsageError` for a file that cannot be read, and what :func:`apply_reembed` raises.
    """
    found = read_lock(lock)
    wanted = found.expected(back=back)
    return apply_reembed(connection, replace(found.target, table=table, **columns or {}), plan, expect=wanted)
