"""From texts to vectors: a model's files, graph, tokens and calls. Nothing here knows PostgreSQL."""

import os

# A local model tells nobody anything. The wheels of ONNX Runtime, 1.29 and newer, tell Microsoft about each session.
# Where no answer comes, a process waits seconds for it at its end. This is read when the library is imported:
# github.com/microsoft/onnxruntime/pull/27379.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
