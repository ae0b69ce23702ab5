"""A proxy before PostgreSQL that drops a connection where it is told to."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Drop:
    """Where a connection is dropped, which of its bytes get through up to there, and none of the others.

    ``what`` is "bytes" (once ``number`` bytes went through the proxy either way), "copy" (in the CopyData message
    ``number``, of which the share ``part`` goes through), "commit" (when the server has carried out COMMIT ``number``,
    before the client is told), or "answer" (the same, for whatever leaves the session outside a transaction).
    """

    what: str
    number: int
    part: float = 0.0


class Proxy:
    """Listens on a port of this machine and passes PostgreSQL's messages to the server's Unix socket and back.

    ``seen`` counts what :class:`Drop` can be about, and ``dropped`` how many connections were dropped.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self.arm(None)
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, drop: Drop | None) -> None:
        """Count from nought, and drop the next connection that comes to ``drop``."""
        with self._lock:
            self._drop = drop
            self.dropped = 0
            self.seen: Counter[str] = Counter()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                try:
                    server.connect(self._upstream)
                except OSError:
                    # As without a proxy, where no server is.
                    _close(client)
                    continue
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for args in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pump, args=args, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, outward: bool) -> None:
        try:
            for message in _messages(source, begins_without_type=outward):
                through = self._passes(message, outward)
                sink.sendall(message[:through])
                if through < len(message):
                    break
        except OSError:
            pass
        _close(source)
        _close(sink)

    def _passes(self, message: bytes, outward: bool) -> int:
        """How many bytes of the message go through: all of them, or those before the connection is dropped."""
        with self._lock:
            before = self.seen["bytes"]
            self.seen["bytes"] += len(message)
            # CopyData, CommandComplete and ReadyForQuery: https://www.postgresql.org/docs/current/protocol-message-formats.html
            what = "bytes"
            if outward and message[:1] == b"d":
                what = "copy"
            elif not outward and message[:1] == b"C" and message[5:] == b"COMMIT\0":
                what = "commit"
            elif not outward and message[:1] == b"Z" and message[5:] == b"I":
                what = "answer"
            if what != "bytes":
                self.seen[what] += 1
            drop = self._drop
            if drop is None:
                return len(message)
            if drop.what == "bytes":
                through = max(0, drop.number - before)
            elif drop.what == what and self.seen[what] == drop.number:
                # The last byte stays back, so that no message is whole.
                through = min(int(drop.part * len(message)), len(message) - 1)
            else:
                return len(message)
            if through < len(message):
                self._drop = None
                self.dropped += 1
            return min(through, len(message))


def _messages(source: socket.socket, *, begins_without_type: bool) -> Iterator[bytes]:
    """The messages that come, each as a whole; a client's first has a length and no type."""
    buffer = b""
    header = 0 if begins_without_type else 1
    while True:
        while len(buffer) >= header + 4:
            length = header + struct.unpack_from("!i", buffer, header)[0]
            if len(buffer) < length:
                break
            yield buffer[:length]
            buffer = buffer[length:]
            header = 1
        received = source.recv(1 << 16)
        if not received:
            return
        buffer += received


def _close(one: socket.socket) -> None:
    """Also for the thread that waits for what comes of it."""
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
