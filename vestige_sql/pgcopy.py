"""Arrays to PostgreSQL's binary COPY format.

The format is described in the PostgreSQL manual under COPY, "Binary Format"; the wire format of ``vector`` and
``halfvec`` is that of pgvector's ``vector_send`` and ``halfvec_send``: dimension and a reserved zero, both int16,
then the elements, all big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from .embedder import Vectors

_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_TRAILER = struct.pack("!h", -1)
_ELEMENT = {"vector": ">f4", "halfvec": ">f2"}


def staged_rows(ids: Iterable[bytes], hashes: Iterable[bytes], vectors: Vectors, vector_type: str) -> bytes:
    """Return a whole COPY stream of rows (id, content_hash, embedding), ready for one write.

    ``ids`` are in the binary form that the server sent, ``hashes`` are bytea, ``vectors`` is float32 of shape
    (rows, dimension), and ``vector_type`` is "vector" or "halfvec".
    """
    elements = vectors.astype(_ELEMENT[vector_type])
    dimension = vectors.shape[1]
    width = elements.itemsize * dimension
    embedding_prefix = struct.pack("!ihh", 4 + width, dimension, 0)
    raw = memoryview(elements.tobytes())
    parts: list[bytes | memoryview] = [_HEADER]
    for row, (key, content_hash) in enumerate(zip(ids, hashes, strict=True)):
        parts += (
            struct.pack("!hi", 3, len(key)),
            key,
            struct.pack("!i", len(content_hash)),
            content_hash,
            embedding_prefix,
            raw[row * width : (row + 1) * width],
        )
    parts.append(_TRAILER)
    return b"".join(parts)


_NULL = struct.pack("!i", -1)


def rows(fields: Iterable[Sequence[bytes | None]]) -> bytes:
    """Return a whole COPY stream of rows whose fields are in their binary form already; a text's is its UTF-8."""
    parts = [_HEADER]
    for row in fields:
        parts.append(struct.pack("!h", len(row)))
        for field in row:
            parts += (_NULL,) if field is None else (struct.pack("!i", len(field)), field)
    parts.append(_TRAILER)
    return b"".join(parts)


def integer_field(value: int) -> bytes:
    """Return a bigint as a field of binary COPY."""
    return struct.pack("!q", value)


def vector_field(elements: Vectors) -> bytes:
    """Return one vector as a field of binary COPY: float32 of shape (dimension,), bit for bit."""
    return struct.pack("!hh", len(elements), 0) + elements.astype(">f4").tobytes()
