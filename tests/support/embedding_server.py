"""Servers of ``/v1/embeddings`` on loopback: one that serves a model folder, and one that fails as it is told.

As a program it serves the ONNX model of a folder: ``python -m support.embedding_server FOLDER NAME`` prints its URL. As
Text Embeddings Inference does, it refuses more than 32 texts in one request, and texts that are too long.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import numpy as np

MOST_TEXTS = 32


class Answer(NamedTuple):
    """What is said instead of vectors. ``status`` 0 hangs up without a word."""

    status: int
    body: Any = None
    headers: dict[str, str] = {}  # noqa: RUF012


class Asked(NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]
    body: Any


class Stub:
    """A service with one model, whose vectors ``vector`` gives. ``faults`` are said first, one for each request."""

    def __init__(self, vector: Callable[[str], Any], *, most_texts: int = 10_000, tokens: bool = True) -> None:
        self.vector = vector
        self.most_texts = most_texts
        self.tokens = tokens
        self.faults: deque[Answer | None] = deque()
        self.requests: list[Asked] = []
        self.most_at_once = 0
        self.refuses: Callable[[str], bool] = lambda _: False
        self.hook: Callable[[int], None] = lambda _: None
        self._lock = threading.Lock()
        self._at_once = 0
        stub = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = stub.answer(Asked(self.path, headers, body))
                if answer.status == 0:
                    self.close_connection = True
                    return
                raw = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(raw)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # Clients that hang up are part of the tests.
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    @property
    def texts(self) -> list[str]:
        """Every text that was sent."""
        return [text for asked in self.requests for text in asked.body["input"]]

    def answer(self, asked: Asked) -> Answer:
        with self._lock:
            self.requests.append(asked)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            fault = self.faults.popleft() if self.faults else None
            number = len(self.requests)
        try:
            self.hook(number)
            return fault or self.embed(asked.body)
        finally:
            with self._lock:
                self._at_once -= 1

    def embed(self, body: Any) -> Answer:
        texts = body["input"]
        if len(texts) > self.most_texts:
            message = f"batch size {len(texts)} > maximum allowed batch size {self.most_texts}"
            return Answer(422, {"error": message, "error_type": "Validation"})
        if any(map(self.refuses, texts)):
            return Answer(413, {"error": {"message": "the input is too long", "type": "invalid_request_error"}})
        vectors = [[float(x) for x in self.vector(text)] for text in texts]
        # As the specification allows, in any order.
        data = [{"object": "embedding", "index": i, "embedding": v} for i, v in reversed([*enumerate(vectors)])]
        used = sum(map(len, texts))
        answer = {"object": "list", "model": body["model"], "data": data}
        return Answer(200, answer | ({"usage": {"prompt_tokens": used, "total_tokens": used}} if self.tokens else {}))


@contextmanager
def serving(stub: Stub) -> Iterator[Stub]:
    thread = threading.Thread(target=stub.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.server.shutdown()
        stub.server.server_close()
        thread.join(5)


class _Model(Stub):
    """A service with the ONNX model of a folder."""

    def __init__(self, folder: str, name: str) -> None:
        from vestige_sql.encoder import load_embedder

        super().__init__(lambda _: None, most_texts=MOST_TEXTS)
        self.name = name
        self.model = load_embedder(folder, threads=1)

    def embed(self, body: Any) -> Answer:
        if body["model"] != self.name:
            return Answer(404, {"error": {"message": f"The model `{body['model']}` does not exist."}})
        texts: Sequence[str] = body["input"]
        if len(texts) > self.most_texts:
            return Answer(422, {"error": f"batch size {len(texts)} > maximum allowed batch size {self.most_texts}"})
        counts = self.model.token_counts(texts)
        vectors = self.model.embed_batch(texts)
        assert vectors.dtype == np.float32
        data = [{"object": "embedding", "index": i, "embedding": v.tolist()} for i, v in enumerate(vectors)]
        usage = {"prompt_tokens": sum(counts), "total_tokens": sum(counts)}
        return Answer(200, {"object": "list", "model": self.name, "data": data, "usage": usage})


if __name__ == "__main__":
    served = _Model(*sys.argv[1:])
    print(served.url, flush=True)
    served.server.serve_forever()
