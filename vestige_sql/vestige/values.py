"""Convert a value of SQLite to what PostgreSQL reads: text, JSON or a vector."""

from __future__ import annotations

import math
from contextlib import suppress

import numpy as np

from vestige_sql.reembed.pgcopy import vector_field

SqliteValue = bytes | int | float | None

PLACED = {"embedding", "centroid", "dimensions", "model"}


def text_of(value: SqliteValue) -> bytes | None:
    """Return ``value`` as text in UTF-8. Raises ``ValueError`` for a text that PostgreSQL cannot store."""
    if value is None:
        return None
    if not isinstance(value, bytes):
        return repr(value).encode()
    try:
        value.decode()
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    if b"\0" in value:
        raise ValueError("contains a NUL character")
    return value


def json_of(value: SqliteValue) -> str | int | float | None:
    """Return ``value`` for JSON. Bytes that PostgreSQL cannot store as text become hexadecimal, as it writes bytea."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if not isinstance(value, bytes):
        return value
    if b"\0" not in value:
        with suppress(UnicodeDecodeError):
            return value.decode()
    return f"\\x{value.hex()}"


def readable(value: SqliteValue) -> str:
    """Return a key as text for people."""
    if isinstance(value, bytes):
        return value.decode(errors="replace").replace("\0", "\\0")
    return "NULL" if value is None else str(value)


def vector_of(value: SqliteValue, dimensions: SqliteValue, expected: int) -> bytes:
    """Return little-endian float32 in pgvector's binary form, bit for bit.

    ``dimensions`` is what the row states, ``expected`` what the vectors have. Raises ``ValueError`` for anything but a
    usable vector of ``expected`` elements.
    """
    if not isinstance(value, bytes):
        raise ValueError("is not a BLOB")
    if len(value) != 4 * expected:
        raise ValueError(f"has {len(value)} bytes, and {expected} dimensions take {4 * expected}")
    if dimensions is not None and dimensions != expected:
        raise ValueError(f"states {readable(dimensions)} dimensions, and has {expected}")
    elements = np.frombuffer(value, "<f4")
    if not np.isfinite(elements).all():
        raise ValueError("contains NaN or infinity")
    if not elements.any():
        raise ValueError("is a zero vector, which cosine distance cannot find")
    return vector_field(elements)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
