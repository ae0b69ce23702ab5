"""A model that OpenVINO computes in bfloat16: the same model, faster, its vectors the same but for rounding."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np

from vestige_sql.encode.embedder import Vectors
from vestige_sql.encode.files import ModelFiles
from vestige_sql.encode.graph import QUANTISED, UNTOUCHED
from vestige_sql.encode.onnx import OnnxEmbedder
from vestige_sql.encode.openvino import OpenVino, check_offered, give_back, version
from vestige_sql.encode.tokens import Tokens
from vestige_sql.encode.window import encode_window
from vestige_sql.errors import ModelUnsupported, UsageError

LEAST_COSINE = 0.9999
"""The vectors of one text in fp32 and in bf16 have at least this cosine, or they are not taken for the same."""

# Before the first call, these are compared, whoever calls.
_TEXTS = (
    "a",
    "Some words, and a number: 1024.",
    "A longer text, with a word \u2603 that few vocabularies have, and several sentences. The second one says nothing "
    "new. Neither does the third, which ends here.",
)

# Twice as much was no faster, and takes more memory; a quarter of it was slower by a sixth: docs/benchmarks.md.
_CALL_TOKENS = 1024


@dataclass(frozen=True)
class Agreement:
    """How far vectors in bf16 are those in fp32: the least cosine of the two of a text, of ``texts`` texts."""

    texts: int
    least_cosine: float


class Bf16Embedder(OnnxEmbedder):
    """A sentence-transformers model whose graph OpenVINO computes in bfloat16 on the processor.

    It is the same model as in fp32, with the same signature. It is loaded and tried out by ONNX Runtime in fp32, as
    :class:`OnnxEmbedder` does. At its first call, or when :meth:`agreement` is asked, OpenVINO takes over, and ONNX
    Runtime's memory is given back. Some texts are compared then.

    Raises ``UsageError`` if OpenVINO is not installed, if the processor has no bfloat16, for "cuda", for a static model
    and for a quantised graph; ``ModelUnsupported`` if OpenVINO cannot load the graph, or if it gives other vectors; and
    what :class:`OnnxEmbedder` raises.
    """

    def __init__(self, files: ModelFiles, *, threads: int | None = None, device: str = "auto") -> None:
        check_offered(device)
        if files.static:
            raise UsageError(
                f"--precision bf16 is for models with a graph, and {files.name} is a table of token vectors, which are "
                "looked up and not computed",
                f"leave --precision bf16 out; {UNTOUCHED}",
            )
        if files.precision in QUANTISED:
            raise UsageError(
                f"--precision bf16 is for graphs in floating point, and {files.graph_name} of {files.name} has weights "
                f"in {files.precision}",
                "leave --precision bf16 out, or pick the fp32 graph with --onnx-file, which is another model; "
                f"{UNTOUCHED}",
            )
        self._begun = False
        self._in_bf16 = False
        self._agrees = False
        self._refused: ModelUnsupported | None = None
        self._beginning = threading.RLock()
        self._threads_asked = threads
        super().__init__(files, threads=threads, device="cpu")
        self._device_asked = device
        self._begun = True

    precision_asked = "bf16"

    profile = False
    """Whether OpenVINO counts the time of each operator, if it is set before the first call: for bench/precision.py."""

    @property
    def precision(self) -> str:
        return "bf16"

    @property
    def runtime(self) -> str:
        return f"OpenVINO {version()}"

    @property
    def call_tokens(self) -> int:
        return _CALL_TOKENS if self._begun else super().call_tokens

    def agreement(self, texts: Sequence[str], batch_size: int = 128) -> Agreement:
        """Encode ``texts``, one or more, in fp32 and in bf16, and return how far they agree. bf16 is used from then on.

        Raises ``ModelUnsupported`` if they do not, or if OpenVINO cannot load the graph.
        """
        with self._beginning:
            if self._refused is not None:
                raise self._refused
            exact = encode_window(self._in_fp32(), texts, batch_size)
            try:
                self._change()
                found = compared(exact, encode_window(self._unasked(), texts, batch_size))
                check(self.model_name, found)
            except BaseException as error:
                self._agrees = False
                self._refused = error if isinstance(error, ModelUnsupported) else None
                raise
            self._agrees = True
            return found

    def _embed(self, tokens: list[Tokens], prompt: str | None = None) -> Vectors:
        if self._begun and not self._agrees:
            with self._beginning:
                if not self._agrees:
                    self.agreement(_TEXTS)
        return super()._embed(tokens, prompt)

    def _in_fp32(self) -> OnnxEmbedder:
        """Return what embeds in fp32: as long as this one has not changed, a twin of it that asks for no comparison."""
        if self._in_bf16:
            return OnnxEmbedder(self._files, threads=self._threads_asked, device="cpu")
        twin = self._unasked()
        twin._begun = False
        return twin

    def _unasked(self) -> Bf16Embedder:
        """Return a twin on the same graph that asks for no comparison. Whoever calls this one meanwhile waits."""
        twin = copy(self)
        twin._agrees = True
        return twin

    def _change(self) -> None:
        """Let OpenVINO compute the graph from here on."""
        if self._in_bf16:
            return
        assert self._graph is not None
        # First of all, so that the weights are not there twice in fp32.
        self._session = self._graph.session = None
        give_back()
        self._graph.compute = OpenVino(
            self._files, self._graph.output, self._calls * self._threads, self._calls, profile=self.profile
        )
        self._in_bf16 = True

    def _length_of_call(self, longest: int) -> int:
        """Return the next of few lengths, at most a sixteenth above.

        OpenVINO compiles for each shape that it meets, and keeps some of it: half a megabyte each for all-MiniLM-L6-v2.
        """
        if not self._in_bf16:
            return longest
        step = max(8, (1 << longest.bit_length()) >> 5)
        length, most = -(-longest // step) * step, self._files.max_tokens
        # Where a text is truncated, a model's table of positions may end.
        return length if most is None else max(longest, min(length, most))


def compared(exact: Vectors, found: Vectors) -> Agreement:
    """Return how far ``found`` agrees with ``exact``, both float32 of shape (texts, dimension)."""
    a, b = exact.astype(np.float64), found.astype(np.float64)
    cosines = (a * b).sum(axis=1) / np.maximum(1e-300, np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    # NaN agrees with nothing.
    cosines = np.nan_to_num(cosines, nan=-1.0)
    return Agreement(len(cosines), float(cosines.min()))


def check(model: str, found: Agreement) -> None:
    """Raise ``ModelUnsupported`` if vectors in bf16 are not those in fp32."""
    if found.least_cosine < LEAST_COSINE:
        raise ModelUnsupported(
            f"the model {model} gives other vectors in bf16 than in fp32: of {found.texts} texts the least cosine is "
            f"{found.least_cosine:.6f}, and {LEAST_COSINE} is needed",
            "run the same command with --precision fp32; nothing was staged, and the table is as it was",
        )
