"""A graph in OpenVINO, computed in bfloat16 on a processor that can."""

from __future__ import annotations

import ctypes
import sys
import threading
from functools import cache
from typing import Any

import numpy as np

from vestige_sql.encode.embedder import Vectors
from vestige_sql.encode.files import ModelFiles
from vestige_sql.encode.graph import UNTOUCHED
from vestige_sql.encode.session import Past
from vestige_sql.errors import EncoderError, ModelUnsupported, UsageError

# What OpenVINO calls bfloat16 among a device's abilities.
_ABILITY = "BF16"

_TELEMETRY = "openvino_telemetry"


class OpenVino:
    """An ONNX graph in OpenVINO, in bfloat16. Any thread may call it; ``streams`` calls run at the same time.

    Only ``output`` is computed. Raises ``ModelUnsupported`` if OpenVINO cannot read or compile the graph.
    """

    def __init__(self, files: ModelFiles, output: str, threads: int, streams: int, *, profile: bool = False) -> None:
        openvino = _openvino()
        self._files = files
        self._output = output
        config = {
            "INFERENCE_PRECISION_HINT": "bf16",
            "NUM_STREAMS": str(streams),
            "INFERENCE_NUM_THREADS": str(threads),
            # Several workers may run on one machine, and each would pin its threads to the same cores.
            "ENABLE_CPU_PINNING": False,
            "PERF_COUNT": profile,
        }
        try:
            core = openvino.Core()
            model = core.read_model(str(files.graph))
            wanted = [result for result in model.outputs if output in result.names]
            only = openvino.Model([result.node for result in wanted], model.get_parameters(), "one output")
            self._model = core.compile_model(only, "CPU", config)
        # OpenVINO raises RuntimeError, and others where Python's side of it fails.
        except Exception as error:
            raise ModelUnsupported(
                f"OpenVINO {version()} cannot load {files.graph}: {error}",
                f"leave --precision bf16 out, so that ONNX Runtime runs it in fp32; {UNTOUCHED}",
            ) from error
        self._requests = threading.local()

    def __call__(self, output: str, feed: dict[str, Any], past: Past) -> Vectors:
        """Return ``output`` for one call, float32. Raises ``EncoderError`` if OpenVINO fails."""
        assert output == self._output
        try:
            request = getattr(self._requests, "own", None)
            if request is None:
                request = self._requests.own = self._model.create_infer_request()
            given = request.infer(feed | {name: array for name, (array, _) in past.items()}, share_inputs=True)
            # A copy: the request's memory is that of its next call too.
            return np.array(given[self._model.outputs[0]], np.float32)
        except Exception as error:
            texts, tokens = feed["input_ids"].shape
            raise EncoderError(
                f"OpenVINO {version()} failed on a call of {texts} texts of up to {tokens} tokens with "
                f"{self._files.graph}: {error}",
                "if memory ran out, lower --batch-size; else leave --precision bf16 out, which resumes in fp32; "
                "nothing was put in place",
            ) from error


def check_offered(device: str = "auto") -> None:
    """Raise ``UsageError`` unless OpenVINO is installed, and says that this processor computes in bfloat16."""
    if device == "cuda":
        raise UsageError(
            "--precision bf16 is for a processor, and --device cuda was given", f"leave one of them out; {UNTOUCHED}"
        )
    try:
        openvino = _openvino()
    except ImportError as error:
        raise UsageError(
            f"--precision bf16 needs OpenVINO, which cannot be imported: {error}",
            f"install it with pip install 'vestige-sql[openvino]', or leave --precision bf16 out; {UNTOUCHED}",
        ) from error
    try:
        core = openvino.Core()
        abilities = list(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
        name = str(core.get_property("CPU", "FULL_DEVICE_NAME")).strip()
    except RuntimeError as error:
        raise UsageError(
            f"--precision bf16 needs OpenVINO's plugin for processors, which cannot be loaded: {error}",
            "install OpenVINO again: pip install --force-reinstall openvino, or leave --precision bf16 out; "
            f"{UNTOUCHED}",
        ) from error
    if _ABILITY not in abilities:
        raise UsageError(
            f"--precision bf16 needs a processor that computes in bfloat16, and OpenVINO {version()} says that this "
            f"one, {name}, computes in {', '.join(abilities)}",
            "leave --precision bf16 out, or run the command on a processor with AMX or AVX512_BF16 (grep -c "
            f"avx512_bf16 /proc/cpuinfo); {UNTOUCHED}",
        )


def is_offered() -> bool:
    """Whether :func:`check_offered` raises nothing."""
    try:
        check_offered()
    except UsageError:
        return False
    return True


@cache
def version() -> str:
    """Return OpenVINO's version, such as 2026.4.1."""
    return str(_openvino().get_version()).partition("-")[0]


def give_back() -> None:
    """Give freed memory back to the system, where the C library keeps it for itself."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _openvino() -> Any:
    """Import OpenVINO, without its telemetry.

    Importing it would send a message to its maker's counters, and write a number for this user into the home
    directory. Without the package that does this it uses an empty one of its own.
    """
    if "openvino" not in sys.modules and _TELEMETRY not in sys.modules:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
        try:
            import openvino
        finally:
            del sys.modules[_TELEMETRY]
    import openvino

    return openvino
