"""PgBouncer before the tests' server, for the tests that need it. Debian has it: apt-get install pgbouncer."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

_PORT = 6543


@contextmanager
def pgbouncer(conninfo: str, mode: str, size: int, **more: object) -> Iterator[str]:
    """Start PgBouncer in ``mode`` with ``size`` sessions, and yield the conninfo of the same database by way of it.

    The test is skipped where the program is missing.
    """
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed: apt-get install pgbouncer")
    parts = conninfo_to_dict(conninfo)
    server = " ".join(f"{key}={parts[key]}" for key in ("host", "port", "user", "password") if parts.get(key))
    folder = Path(tempfile.mkdtemp(prefix="vestige-pgb-"))
    settings = {
        "unix_socket_dir": folder,
        "listen_addr": "",
        "listen_port": _PORT,
        "auth_type": "any",
        "pool_mode": mode,
        "default_pool_size": size,
        "logfile": folder / "log",
        "ignore_startup_parameters": "extra_float_digits",
        **more,
    }
    lines = [f"{key} = {value}" for key, value in settings.items()]
    (folder / "ini").write_text("\n".join(["[databases]", f"* = {server}", "[pgbouncer]", *lines, ""]))
    # It refuses to be root, and the server's socket may be for the server's own user alone.
    user = None
    if os.getuid() == 0:
        host = str(parts.get("host", ""))
        user = pwd.getpwuid(Path(host).stat().st_uid).pw_name if host.startswith("/") else "nobody"
        user = "nobody" if user == "root" else user
        for path in (folder, folder / "ini"):
            shutil.chown(path, user)
    process = subprocess.Popen([program, "-q", folder / "ini"], user=user, stderr=subprocess.DEVNULL, cwd="/")
    through = make_conninfo("", host=str(folder), port=_PORT, dbname=parts["dbname"], user=parts["user"])
    try:
        for _ in range(100):
            try:
                psycopg.connect(through).close()
                break
            except psycopg.OperationalError:
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
        yield through
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)
