"""The command line as the runbook's test calls it: it waits for nobody, and pauses where it is told to.

Starting Python for each of the page's fifty commands would be most of the test's time. So one process has everything
loaded (``serve``) and forks for each call, which brings (``call``) arguments, folder, environment and standard files.

``VESTIGE_TEST_PAUSE`` is a step that is about to run, or a number of chunks that are committed: then the command says
"paused" and its process id, and goes on when its stdin ends.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


def call(path: str, arguments: list[str]) -> int:
    """Have the process that listens at ``path`` run the command line, and return its exit code."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        text = json.dumps([arguments, str(Path.cwd()), dict(os.environ)]).encode()
        socket.send_fds(server, [len(text).to_bytes(8, "big")], [0, 1, 2])
        server.sendall(text)
        return server.recv(1)[0]


def serve(path: str) -> None:
    """Run the command line for each call at ``path``, in a process of its own."""
    # Loaded once for all, but for ONNX Runtime: it starts a thread, and with threads no fork is safe.
    import huggingface_hub.utils  # noqa: F401

    assert len(list(Path("/proc/self/task").iterdir())) == 1
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who answer
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        while True:
            caller, _ = listener.accept()
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _answer(caller)
            caller.close()


def _answer(caller: socket.socket) -> None:
    size, files, *_ = socket.recv_fds(caller, 8, 3)
    text = b""
    while len(text) < int.from_bytes(size, "big"):
        text += caller.recv(1 << 16)
    arguments, folder, environment = json.loads(text)
    worker = os.fork()
    if worker == 0:
        caller.close()
        for place, file in enumerate(files):
            os.dup2(file, place)
            os.close(file)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.exit(_main(arguments))
    _, status = os.waitpid(worker, 0)
    with suppress(BrokenPipeError):  # the caller was killed
        caller.send(bytes([os.waitstatus_to_exitcode(status) & 255]))
    os._exit(0)


def _main(arguments: list[str]) -> int:
    import psycopg

    from vestige_sql import cli, steps
    from vestige_sql.cli import output
    from vestige_sql.reembed import apply, session, stage
    from vestige_sql.reembed.progress import Progress
    from vestige_sql.steps import running

    output.BANNER_SECS = 0
    session._CLAIM_SECS = 0.1
    apply._FIRST_PAUSE_SECS = apply._LONGEST_PAUSE_SECS = 0.01
    stage.PAGE_ROWS = 60

    where = os.environ.get("VESTIGE_TEST_PAUSE")
    chunks = 0
    run, advance = steps.run, Progress.advance

    def pause() -> None:
        print("paused", os.getpid(), flush=True)
        sys.stdin.read()

    def pausing_run(
        conn: psycopg.Connection[Any], step: steps.Step, values: Mapping[str, steps.Value]
    ) -> steps.StepRun:
        if step.name == where:
            pause()
        return run(conn, step, values)

    def pausing_advance(self: Progress, rows: int) -> None:
        nonlocal chunks
        advance(self, rows)
        chunks += 1
        if str(chunks) == where:
            pause()

    steps.run = running.run = pausing_run
    Progress.advance = pausing_advance  # type: ignore[method-assign]
    return cli.main(arguments)


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(sys.argv[2])
    sys.exit(call(sys.argv[1], sys.argv[2:]))
