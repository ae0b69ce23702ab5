"""Write arrays in PostgreSQL's binary COPY format.

The PostgreSQL manual describes the format under COPY, "Binary Format". The wire format of ``vector`` and ``halfvec`` is
that of pgvector's ``vector_send`` and ``halfvec_send``: the dimension and a reserved zero, both int16, then the
elements, all big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from vestige_sql.encode.embedder import Vectors

_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_TRAILER = struct.pack("!h", -1)
_ELEMENT = {"vector": ">f4", "halfvec": ">f2"}
_PIECE_ROWS = 256


def staged_rows(
    ids: Sequence[bytes], hashes: Sequence[bytes], vectors: Vectors, vector_type: str
) -> Iterator[bytes | memoryview]:
    """Yield a whole COPY stream of rows (id, content_hash, embedding), in pieces to be written one after another.

    ``ids`` are in the binary form that the server sent, ``hashes`` are bytea, ``vectors`` is float32 of shape
    (rows, dimension), and ``vector_type`` is "vector" or "halfvec". Rows with keys of the same width come together, in
    the given order. A piece is made when it is asked for, so the server can read one while the next is made.
    """
    dimension = vectors.shape[1]
    element = np.dtype(_ELEMENT[vector_type])
    alike: dict[tuple[int, int], list[int]] = {}
    for row, (key, content_hash) in enumerate(zip(ids, hashes, strict=True)):
        alike.setdefault((len(key), len(content_hash)), []).append(row)
    yield _HEADER
    for (key_width, hash_width), rows_alike in alike.items():
        layout = np.dtype(
            [
                ("fields", ">i2"),
                ("id_width", ">i4"),
                ("id", np.void, key_width),
                ("hash_width", ">i4"),
                ("hash", np.void, hash_width),
                ("embedding_width", ">i4"),
                ("dimension", ">i2"),
                ("reserved", ">i2"),
                ("embedding", element, (dimension,)),
            ]
        )
        for first in range(0, len(rows_alike), _PIECE_ROWS):
            piece = rows_alike[first : first + _PIECE_ROWS]
            made = np.empty(len(piece), layout)
            made["fields"] = 3
            made["id_width"] = key_width
            if key_width:
                made["id"] = np.frombuffer(b"".join([ids[row] for row in piece]), layout["id"])
            made["hash_width"] = hash_width
            made["hash"] = np.frombuffer(b"".join([hashes[row] for row in piece]), layout["hash"])
            made["embedding_width"] = 4 + element.itemsize * dimension
            made["dimension"] = dimension
            made["reserved"] = 0
            made["embedding"] = vectors[piece]
            yield made.view(np.uint8).data
    yield _TRAILER


_NULL = struct.pack("!i", -1)


def rows(fields: Iterable[Sequence[bytes | None]]) -> bytes:
    """Return a whole COPY stream of rows whose fields are already in binary form. For text, that is UTF-8."""
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
