"""A graph in ONNX Runtime: what it takes and gives, and one call of it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vestige_sql.encode.embedder import Vectors
from vestige_sql.encode.files import ModelFiles
from vestige_sql.encode.graph import AGAIN, UNTOUCHED
from vestige_sql.encode.modules import SENTENCE
from vestige_sql.encode.weights import bf16
from vestige_sql.errors import BadEmbedding, EncoderError, ModelUnsupported, UsageError
from vestige_sql.plan import DEVICES, PRECISIONS

if TYPE_CHECKING:
    import onnxruntime as ort

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

_INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
# Without a mask a text's vector would depend on the padding, and therefore on the texts beside it.
_NEEDED = ("input_ids", "attention_mask")
_BF16 = "tensor(bfloat16)"
_FLOATS = ("tensor(float)", "tensor(float16)", "tensor(double)", _BF16)
_OUTPUTS = ("last_hidden_state", "token_embeddings", SENTENCE)
_BF16_OF_ONNX = 16

# What a decoder keeps of the tokens before these, and whether it uses it: nothing, and no.
_PAST, _USE_PAST = "past_key_values.", "use_cache_branch"


Past: TypeAlias = Mapping[str, tuple[NDArray[Any], str]]
"""Arrays of no tokens by the names of their inputs, each with ONNX's name for its type."""

Compute: TypeAlias = Callable[[str, dict[str, Any], Past], Vectors]
"""What returns a named output as float32, for arrays by the names of their inputs, and for the past."""


class Graph:
    """An ONNX graph, loaded. ``output`` is the one that is asked of it, and ``outputs`` are all that it has.

    ``fixed_texts`` is how many texts each call has to have, if the graph says so.

    Raises ``ModelUnsupported`` if the graph cannot be loaded, has unknown inputs or outputs, or lacks a needed one, and
    ``UsageError`` for "cuda" without a usable GPU, and for an unknown device.
    """

    def __init__(self, files: ModelFiles, threads: int, device: str) -> None:
        self._files = files
        session = _session(files, threads, device)
        self.session: ort.InferenceSession | None = session
        self.compute: Compute = self._call
        nodes = session.get_inputs()
        self._past = {node.name: _past(files, node) for node in nodes if node.name.startswith(_PAST)}
        self._flags = [node.name for node in nodes if node.name == _USE_PAST and node.type == "tensor(bool)"]
        others = [node for node in nodes if node.name not in self._past and node.name not in self._flags]
        self._inputs = {node.name: _integer(files, node) for node in others}
        for needed in _NEEDED:
            if needed not in self._inputs:
                raise ModelUnsupported(
                    f"the graph {files.graph} has no input {needed}: it has {', '.join(self._inputs) or 'none'}", AGAIN
                )
        first = next(node for node in nodes if node.name == "input_ids").shape[:1]
        self.fixed_texts = first[0] if first and isinstance(first[0], int) else None
        outputs = {node.name: node for node in session.get_outputs()}
        self.outputs = tuple(name for name in _OUTPUTS if name in outputs)
        if not self.outputs:
            raise ModelUnsupported(
                f"the graph {files.graph} has the outputs {', '.join(outputs)}, and the encoder understands "
                f"{', '.join(_OUTPUTS)}",
                AGAIN,
            )
        self.output = self.outputs[0]
        self._kinds = {name: outputs[name].type for name in self.outputs}
        if (kind := self._kinds[self.output]) not in _FLOATS:
            raise ModelUnsupported(
                f"the graph {files.graph} returns {self.output} as {kind}, and the encoder takes {', '.join(_FLOATS)}",
                f"pick a graph that returns floating-point vectors with --onnx-file; {UNTOUCHED}",
            )

    @property
    def on_cuda(self) -> bool:
        return self.session is not None and CUDA in self.session.get_providers()

    def run(self, ids: NDArray[np.int64], types: NDArray[np.int64], present: NDArray[np.bool_],
            output: str | None = None) -> Vectors:  # fmt: skip
        """Return ``output`` for texts padded on the right: float32, shape (texts, tokens, dimension) or without tokens.

        Raises ``EncoderError`` if ONNX Runtime fails, and ``BadEmbedding`` if the graph returns the wrong shape.
        """
        output, shape = output or self.output, present.shape
        arrays = {
            "input_ids": ids,
            "attention_mask": present.astype(np.int64),
            "token_type_ids": types,
            # Padding stands on the right: each text's positions are those that it has alone.
            "position_ids": np.broadcast_to(np.arange(shape[1]), shape),
        }
        feed: dict[str, Any] = {name: arrays[name].astype(dtype, copy=False) for name, dtype in self._inputs.items()}
        feed |= {name: np.zeros((1,), np.bool_) for name in self._flags}
        past = {name: (np.zeros((shape[0], *rest), dtype), kind) for name, (rest, dtype, kind) in self._past.items()}
        try:
            given = self.compute(output, feed, past)
        except EncoderError:
            raise
        # ONNX Runtime's exceptions have no base of their own.
        except Exception as error:
            raise EncoderError(
                f"ONNX Runtime failed on a call of {shape[0]} texts of up to {shape[1]} tokens "
                f"with {self._files.graph}: {error}",
                "if memory ran out, lower --batch-size; if the graph takes only shorter texts, lower --max-tokens, or "
                "max_seq_length in sentence_bert_config.json; nothing was put in place",
            ) from error
        due = shape[:1] if output == SENTENCE else shape
        if given.shape[:-1] != due:
            raise BadEmbedding(
                f"the graph {self._files.graph} returned {output} of shape {given.shape} for {shape[0]} texts "
                f"of up to {shape[1]} tokens, where {(*due, 'dimension')} was due",
                "export the graph again; nothing was put in place",
            )
        return given

    def _call(self, output: str, feed: dict[str, Any], past: Past) -> Vectors:
        import onnxruntime as ort

        assert self.session is not None

        if self._kinds[output] != _BF16 and not any(kind == _BF16 for _, kind in past.values()):
            given = self.session.run([output], feed | {name: array for name, (array, _) in past.items()})[0]
            return np.asarray(given, np.float32)
        # numpy has no bfloat16, so these arrays cross as what ONNX Runtime holds.
        values = {name: ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array)) for name, array in feed.items()}
        for name, (array, kind) in past.items():
            if kind == _BF16:
                values[name] = ort.OrtValue.ortvalue_from_numpy_with_onnx_type(array, _BF16_OF_ONNX)
            else:
                values[name] = ort.OrtValue.ortvalue_from_numpy(array)
        value = self.session.run_with_ort_values([output], values)[0]
        if self._kinds[output] != _BF16:
            return np.asarray(value.numpy(), np.float32)
        shape = tuple(value.shape())
        halves = (ctypes.c_uint16 * int(np.prod(shape))).from_address(value.data_ptr())
        # A copy, since the value's memory goes with it.
        return bf16(np.ctypeslib.as_array(halves).copy()).reshape(shape)


def cores_here() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_device(device: str) -> None:
    """Raise ``UsageError`` unless ``device`` is one of ``DEVICES``."""
    if device not in DEVICES:
        raise UsageError(f"device must be one of {', '.join(DEVICES)}, not {device!r}", UNTOUCHED)


def check_precision(precision: str, device: str) -> None:
    """Raise ``UsageError`` unless ``precision`` is one of ``PRECISIONS``, and on offer here on ``device``."""
    if precision not in PRECISIONS:
        raise UsageError(f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}", UNTOUCHED)
    if precision == "bf16":
        from vestige_sql.encode.openvino import check_offered

        check_offered(device)


def _session(files: ModelFiles, threads: int, device: str) -> ort.InferenceSession:
    # Imported here because verbs without a model do not need it, and it starts a thread.
    import onnxruntime as ort

    check_device(device)
    offered = CUDA in ort.get_available_providers()
    if device == "cuda" and not offered:
        raise UsageError(
            f"device cuda was asked for, and the installed ONNX Runtime {ort.__version__} does not offer it",
            "uninstall the package onnxruntime and then install onnxruntime-gpu, in this order because they share a "
            f"folder, or ask for cpu; {UNTOUCHED}",
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    # ONNX Runtime would keep a pattern for every shape, and here nearly every call has a new shape.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    why = "ONNX Runtime fell back to the CPU"
    if offered and device != "cpu":
        try:
            # TensorFloat-32 keeps 10 bits of a product, so vectors from a GPU would differ from those of a CPU.
            # Without enable_fallback=0 a failed call would silently continue on the CPU.
            session = ort.InferenceSession(
                str(files.graph), options, [(CUDA, {"use_tf32": "0"}), CPU], enable_fallback=0
            )
            if device == "auto" or CUDA in session.get_providers():
                return session
        # As in run. If the graph is at fault, the CPU cannot load it either, and says so below.
        except Exception as error:
            why = str(error)
    try:
        session = ort.InferenceSession(str(files.graph), options, [CPU])
    except Exception as error:
        raise ModelUnsupported(
            f"ONNX Runtime cannot load {files.graph}: {error}",
            f"if it does not know an opset or operator, install a newer onnxruntime, else {AGAIN}",
        ) from error
    if device == "cuda":
        raise UsageError(
            f"device cuda was asked for, and ONNX Runtime {ort.__version__} cannot start it: {why}",
            "check that nvidia-smi lists a GPU, and that the CUDA and cuDNN that this ONNX Runtime is built for are "
            f"installed (pip install 'onnxruntime-gpu[cuda,cudnn]'), or ask for cpu; {UNTOUCHED}",
        )
    return session


def _integer(files: ModelFiles, node: Any) -> type[np.int64] | type[np.int32]:
    """Return the integer type of one of the graph's inputs."""
    types: dict[str, type[np.int64] | type[np.int32]] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
    if node.name not in _INPUTS or node.type not in types:
        raise ModelUnsupported(
            f"the graph {files.graph} asks for the input {node.name} of type {node.type}, and the encoder gives "
            f"{', '.join(_INPUTS)} as integers",
            f"export it with these inputs only; {UNTOUCHED}",
        )
    return types[node.type]


def _past(files: ModelFiles, node: Any) -> tuple[tuple[int, ...], Any, str]:
    """Return shape without texts, numpy's type and ONNX's of an input for what came before the text: nothing."""
    numpy_types = {"tensor(float)": np.float32, "tensor(float16)": np.float16, _BF16: np.uint16}
    # Texts, heads, tokens before, dimension of a head: only the tokens may vary.
    varies = [at for at, size in enumerate(node.shape) if not isinstance(size, int)]
    if node.type not in numpy_types or len(node.shape) != 4 or varies not in ([0, 2], [2]):
        raise ModelUnsupported(
            f"the graph {files.graph} asks for the input {node.name} of type {node.type} and shape {node.shape}, which "
            "cannot be left empty",
            f"export it without a cache of past tokens; {UNTOUCHED}",
        )
    return (node.shape[1], 0, node.shape[3]), numpy_types[node.type], node.type
