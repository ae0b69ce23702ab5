"""Which files beside an ONNX graph contain its weights, and in which precision, read from the graph's own bytes."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from vestige_sql.errors import ModelUnsupported

# --- The graph ---

UNTOUCHED = "nothing was written"
AGAIN = f"download or export the model again; {UNTOUCHED}"

# The fields of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) that lead from a model to a
# tensor: message -> field number -> the message in it.
_MESSAGES = {
    "Model": {7: "Graph", 25: "Function"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "ExternalData"},
}


def external_data(graph: Path) -> tuple[str, ...]:
    """Return the files that an ONNX graph keeps weights in, as it names them: relative to its folder, sorted.

    Only the graph says which files these are. This walks through the protobuf and skips everything that does not lead
    to ``TensorProto.external_data``. The file is memory-mapped, so no weights are loaded.

    Raises ``ModelUnsupported`` if the file is not an ONNX graph, or names a file outside its folder.
    """
    try:
        if graph.stat().st_size == 0:
            raise ModelUnsupported(f"{graph} is empty, not an ONNX graph", AGAIN)
        with graph.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            locations = set(_locations(data, 0, len(data), "Model"))
    except OSError as error:
        raise ModelUnsupported(f"{graph} cannot be read: {error}", AGAIN) from error
    except (IndexError, KeyError, ValueError, RecursionError) as error:
        raise ModelUnsupported(f"{graph} is not an ONNX graph: {error}", AGAIN) from error
    for location in locations:
        if not inside(location):
            raise ModelUnsupported(
                f"{graph} names external data outside its folder: {location!r}",
                f"export it again with the data beside the graph; nothing outside the folder was read; {UNTOUCHED}",
            )
    return tuple(sorted(locations))


# TensorProto.DataType of onnx.proto, by the names that people use.
_PRECISIONS = {1: "fp32", 10: "fp16", 11: "fp64", 16: "bf16", 2: "int8", 3: "int8", 21: "int4", 22: "int4"}
_PRECISIONS |= {17: "fp8", 18: "fp8", 19: "fp8", 20: "fp8", 23: "fp4"}
# The operator that multiplies with weights of 4 bits, which it keeps as bytes.
_FOUR_BITS = b"MatMulNBits"
# Smaller tensors are scales, shapes and the like.
_WEIGHT_ELEMENTS = 1 << 10

QUANTISED = ("int8", "int4", "fp8", "fp4")


def precision(graph: Path) -> str:
    """Return what an ONNX graph keeps its weights in, such as "fp32" or "int8": the smallest type that holds any.

    A graph without weights of some size is "fp32". Raises what :func:`external_data` raises.
    """
    try:
        with graph.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = {_PRECISIONS.get(kind, "") for kind in _types(data, 0, len(data), "Model")}
    except OSError as error:
        raise ModelUnsupported(f"{graph} cannot be read: {error}", AGAIN) from error
    except (IndexError, KeyError, ValueError, RecursionError) as error:
        raise ModelUnsupported(f"{graph} is not an ONNX graph: {error}", AGAIN) from error
    smallest_first = ("int4", "fp4", "int8", "fp8", "bf16", "fp16", "fp32", "fp64")
    return next((name for name in smallest_first if name in found), "fp32")


def _types(data: mmap.mmap, start: int, end: int, message: str) -> Iterator[int]:
    """Yield the data type of each tensor of some size."""
    if message == "Tensor":
        # TensorProto: dims is field 1, packed or not; data_type is field 2.
        elements, kind = 1, 0
        for field, first, last in _fields(data, start, end, numbers=True):
            if field == 1:
                at = first
                while at < last:
                    size, at = _varint(data, at)
                    elements *= size
            elif field == 2:
                kind, _ = _varint(data, first)
        if elements >= _WEIGHT_ELEMENTS:
            yield kind
        return
    for field, first, last in _fields(data, start, end):
        if message == "Node" and field == 4 and data[first:last] == _FOUR_BITS:
            yield 22
        inner = _MESSAGES[message].get(field)
        if inner and inner != "ExternalData":
            yield from _types(data, first, last, inner)


def _locations(data: mmap.mmap, start: int, end: int, message: str) -> Iterator[str]:
    for field, first, last in _fields(data, start, end):
        inner = _MESSAGES[message].get(field)
        if inner == "ExternalData":
            # A StringStringEntryProto: key is field 1, value field 2.
            entry = {number: data[a:b] for number, a, b in _fields(data, first, last)}
            if entry.get(1) == b"location":
                yield entry[2].decode()
        elif inner:
            yield from _locations(data, first, last, inner)


def _fields(data: mmap.mmap, start: int, end: int, *, numbers: bool = False) -> Iterator[tuple[int, int, int]]:
    """Yield the length-delimited fields of a protobuf message: number, first byte, byte after the last.

    With ``numbers`` also those that are one number of variable length.

    The wire format: https://protobuf.dev/programming-guides/encoding/
    """
    at = start
    while at < end:
        tag, at = _varint(data, at)
        match tag & 7:
            case 0:
                first = at
                _, at = _varint(data, at)
                if numbers:
                    yield tag >> 3, first, at
            case 1:
                at += 8
            case 2:
                length, at = _varint(data, at)
                if at + length > end:
                    raise ValueError("a field is longer than its message")
                yield tag >> 3, at, at + length
                at += length
            case 5:
                at += 4
            case kind:
                raise ValueError(f"unknown wire type {kind}")


def _varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number is longer than 64 bits")


def inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and "\\" not in path
