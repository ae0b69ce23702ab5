"""Reads the weights of a module with numpy alone: safetensors, and what torch.save wrote."""

from __future__ import annotations

import json
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vestige_sql.encode.graph import AGAIN
from vestige_sql.errors import ModelUnsupported

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
"""The files that a module may keep its weights in, the preferred one first."""

Weights = dict[str, NDArray[Any]]

# The types of https://huggingface.co/docs/safetensors. bfloat16 is the upper half of a float32.
_TYPES: dict[str, str] = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?",
}  # fmt: skip

# The storages of torch that hold numbers, by the types above.
_STORAGES = {
    "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8",
}  # fmt: skip

PRECISIONS = {"F64": "fp64", "F32": "fp32", "F16": "fp16", "BF16": "bf16", "I8": "int8", "U8": "int8"}


def weights_file(folder: Path) -> Path | None:
    """Return the file with the weights of the module in ``folder``, or None if there is none."""
    return next((folder / name for name in WEIGHT_FILES if (folder / name).is_file()), None)


def read_weights(path: Path) -> Weights:
    """Return the tensors of a file by name. Those of half precision come as float32.

    Raises ``ModelUnsupported`` if the file is damaged, or holds anything but tensors of numbers. Nothing in it is run.
    """
    try:
        return _safetensors(path) if path.suffix == ".safetensors" else _torch(path)
    except OSError as error:
        raise ModelUnsupported(f"{path} cannot be read: {error}", AGAIN) from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError, OverflowError, RecursionError,
            MemoryError, pickle.UnpicklingError, zipfile.BadZipFile) as error:  # fmt: skip
        raise ModelUnsupported(f"{path} does not hold a model's weights: {error}", AGAIN) from error


def stored_precision(path: Path, tensor: str) -> str:
    """Return the precision that a safetensors file has ``tensor`` in, such as fp32."""
    if path.suffix != ".safetensors":
        return "fp32"
    try:
        return PRECISIONS.get(_header(path)[0][tensor]["dtype"], "unknown")
    except (OSError, ValueError, KeyError, TypeError):
        return "unknown"


def as_numbers(data: bytes | memoryview, kind: str) -> NDArray[Any]:
    """Return the numbers of type ``kind`` in ``data``, with half precision as float32."""
    array = np.frombuffer(data, _TYPES[kind])
    if kind == "BF16":
        return bf16(array)
    return array.astype(np.float32) if kind == "F16" else array


def bf16(halves: NDArray[Any]) -> NDArray[np.float32]:
    """Return the float32 numbers whose upper halves are the 16-bit integers given."""
    return (halves.astype(np.uint32) << np.uint32(16)).view(np.float32)


# --- safetensors: 8 bytes of length, a JSON object, the bytes ---


def _header(path: Path) -> tuple[dict[str, Any], int]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= path.stat().st_size - 8:
            raise ValueError("its header is longer than the file")
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    header.pop("__metadata__", None)
    return header, 8 + length


def _safetensors(path: Path) -> Weights:
    header, start = _header(path)
    # Mapped, so that a large table of embeddings is read once.
    data = np.memmap(path, np.uint8, "r")
    tensors = {}
    for name, told in header.items():
        first, last = told["data_offsets"]
        shape = tuple(told["shape"])
        size = math.prod(shape) * np.dtype(_TYPES[told["dtype"]]).itemsize
        if not 0 <= first <= last <= len(data) - start or last - first != size:
            raise ValueError(f"the tensor {name} is not where its header says")
        tensors[name] = as_numbers(data[start + first : start + last].tobytes(), told["dtype"]).reshape(shape)
    return tensors


# --- torch.save: a zip archive with a pickle, and the bytes of each storage ---


class _Unpickler(pickle.Unpickler):
    """Reads a pickle of tensors. It knows no names but those that make one, so a pickle can run nothing else."""

    def __init__(self, file: Any, read: Callable[[str], bytes]) -> None:
        super().__init__(file)
        self._read = read

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _STORAGES:
            return partial(_Storage, _STORAGES[name])
        raise ValueError(f"it holds {module}.{name}, and only tensors are read")

    def persistent_load(self, pid: Any) -> Any:
        kind, storage, key, _, count = pid
        if kind != "storage" or not isinstance(storage, partial):
            raise ValueError("it holds something else than tensors")
        return as_numbers(self._read(f"data/{key}"), storage.args[0])[: int(count)]


class _Storage:
    """A storage's type, which a pickle names before its numbers. Nothing makes one."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


def _tensor(numbers: NDArray[Any], offset: int, shape: Any, strides: Any, *_: Any) -> NDArray[Any]:
    shape, strides = tuple(map(int, shape)), tuple(map(int, strides))
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) if all(shape) else offset
    if offset < 0 or min(strides, default=0) < 0 or last >= max(1, len(numbers)):
        raise ValueError("a tensor reaches beyond its storage")
    steps = [s * numbers.itemsize for s in strides]
    return np.array(np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps, writeable=False))


def _torch(path: Path) -> Weights:
    with zipfile.ZipFile(path) as archive:
        (pickled,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        top = pickled.removesuffix("data.pkl")
        with archive.open(pickled) as file:
            tensors = _Unpickler(file, lambda name: archive.read(top + name)).load()
    if not isinstance(tensors, dict) or not all(isinstance(t, np.ndarray) for t in tensors.values()):
        raise ValueError("it holds something else than tensors by name")
    return dict(tensors)
