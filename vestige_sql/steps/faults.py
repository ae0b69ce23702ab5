"""Turn PostgreSQL's errors into this package's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from vestige_sql.errors import CheckFailed, ServerError, VestigeError

CHECK_FAILED = "VS001"
"""The package's own SQLSTATE: vestige_sql.require() raises it if a check fails."""

_STATE = (
    "the open transaction is rolled back: the column is in the space of the registered model, and the staged vectors "
    "stay; see vestige-sql migrate status, correct the cause, and run the same command again"
)


@contextmanager
def translated(state: str = _STATE) -> Iterator[None]:
    """Raise :class:`CheckFailed` or :class:`ServerError` for PostgreSQL's errors inside the block.

    ``state`` becomes the hint of the latter: what state the data is in, and what to do next.
    """
    try:
        yield
    except psycopg.Error as error:
        raise _from_postgres(error, state) from error


def _from_postgres(error: psycopg.Error, state: str) -> VestigeError:
    message = error.diag.message_primary or str(error).strip()
    where = "".join(f" ({note})" for note in getattr(error, "__notes__", []))
    if error.sqlstate == CHECK_FAILED:
        return CheckFailed(message, error.diag.message_hint or "")
    details = "; ".join(filter(None, (error.diag.message_detail, error.diag.message_hint)))
    return ServerError(
        f"PostgreSQL says: {message}{where}" + (f"; {details}" if details else ""),
        state,
    )
