"""Change the model of one table under a light load, with this package and with its peers, each on a server of its own.

The peers are VecShift 0.4.0 and pgsemantic 0.4.0, from PyPI in environments of their own, and the script that people
write. All get their vectors from one encoder that costs nothing, a process that speaks Ollama's and OpenAI's protocol.
A vector says which text it is of, so that a wrong one is found. Each contender also runs once more: it is killed when
half of its time is over, and then started again as its manual says.

A writer changes every fiftieth row and adds some, and a reader reads rows by their key. From the switch on it is the
application that brings the vectors of what it writes, so rows written since then do not count as wrong or missing.
Where a contender has a program that brings changed rows up to date afterwards, it gets ``--settle-secs`` for it.

pgsemantic is installed without sentence-transformers, openai, mcp and its web server, which this does not use. It takes
a row's vectors to a table of their own, so its application has to change its queries; that is not measured.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from own_server import server_with
from pgvector.psycopg import register_vector

from vestige_sql import ModelSignature, ReembedPlan, Target, register_model, run_reembed
from vestige_sql.database.migrations import migrate_up
from vestige_sql.encode.embedder import Vectors

OLD, NEW = 384, 768
PORT = 11434
"""Ollama's: pgsemantic's worker asks for no other."""

REQUIREMENTS = {
    "vecshift": ["vecshift==0.4.0"],
    "pgsemantic": ["typer<1", "rich<14", "psycopg[binary]<4", "pgvector<1", "httpx<1", "python-dotenv<2"],
}
ALONE = {"pgsemantic": "pgsemantic==0.4.0"}
"""What is installed without the packages that it asks for."""

SERVER = {
    "shared_buffers": "512MB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "8GB",
    "autovacuum": "off",
    "fsync": "off",
}

# --- The encoder ---

_TAILS = [[((row * 7 + column * 13) % 257 - 128) / 128 for column in range(NEW - 8)] for row in range(256)]


def head_of(text: str) -> list[float]:
    """The first numbers of a text's vector, which no other text has."""
    return [byte - 127.5 for byte in hashlib.blake2b(text.encode(), digest_size=8).digest()]


def vector_of(text: str, dimension: int = NEW) -> list[float]:
    head = head_of(text)
    return [*head, *_TAILS[int(head[0] + 127.5)]][:dimension]


def serve(port: int) -> None:
    """Answer requests for embeddings until the process is ended."""
    tails = [json.dumps(tail)[1:] for tail in _TAILS]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(b"Ollama is running")

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
            heads = [head_of(text) for text in texts]
            vectors = [f"[{', '.join(map(str, head))}, {tails[int(head[0] + 127.5)]}" for head in heads]
            if self.path.endswith("/api/embed"):
                body = f'{{"embeddings": [{", ".join(vectors)}]}}'
            else:
                data = (f'{{"index": {n}, "embedding": {vector}}}' for n, vector in enumerate(vectors))
                body = f'{{"data": [{", ".join(data)}], "usage": {{"prompt_tokens": {len(texts)}}}}}'
            self._answer(body.encode())

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def asked(texts: Sequence[str]) -> list[list[float]]:
    """The vectors of ``texts`` from the encoder."""
    body = json.dumps({"model": "free", "input": list(texts)}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/api/embed", body) as answer:
        found: list[list[float]] = json.load(answer)["embeddings"]
        return found


class FreeEmbedder:
    """The encoder, for this package."""

    model_name = "free"
    dimension = NEW
    calls_at_once = 4

    def signature(self) -> ModelSignature:
        return ModelSignature(self.model_name, NEW, hashlib.sha256(b"free").hexdigest())

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        return np.array(asked(texts), np.float32)


# --- The contenders ---


def run_this_package(conninfo: str) -> None:
    run_reembed(
        conninfo, FreeEmbedder(), ReembedPlan(online=True), target=Target("documents", content_column="body")
    )  # fmt: skip


def run_the_script(conninfo: str) -> None:
    """What people write: a second column, batches of rows that lack a vector, an index, and two names exchanged."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        register_vector(conn)
        conn.execute(f"ALTER TABLE documents ADD COLUMN IF NOT EXISTS embedding_new vector({NEW})")
        while rows := conn.execute(
            "SELECT id, body FROM documents WHERE embedding_new IS NULL ORDER BY id LIMIT 128"
        ).fetchall():
            vectors = asked([body for _, body in rows])
            with conn.transaction():
                conn.cursor().executemany(
                    "UPDATE documents SET embedding_new = %s WHERE id = %s",
                    [(np.array(vector, np.float32), id_) for vector, (id_, _) in zip(vectors, rows, strict=True)],
                )
        conn.execute("DROP INDEX IF EXISTS documents_embedding_new")
        conn.execute("SET maintenance_work_mem = '512MB'")
        conn.execute(
            "CREATE INDEX CONCURRENTLY documents_embedding_new ON documents"
            " USING hnsw (embedding_new vector_cosine_ops)"
        )
        with conn.transaction():
            conn.execute("ALTER TABLE documents RENAME COLUMN embedding TO embedding_old")
            conn.execute("ALTER TABLE documents RENAME COLUMN embedding_new TO embedding")


INSIDE = {"this package": run_this_package, "the script": run_the_script}


@dataclass(frozen=True)
class Contender:
    """``commands`` change the model, one after the other; ``before`` come before the clock starts.

    ``settle`` brings changed rows up to date afterwards, until it is ended. ``vectors`` is the query of the vectors,
    and ``switched`` asks whether they are the new ones.
    """

    name: str
    commands: list[list[str]]
    env: dict[str, str] = field(default_factory=dict)
    before: list[list[str]] = field(default_factory=list)
    settle: list[str] = field(default_factory=list)
    vectors: str = "SELECT id, embedding FROM documents"
    switched: str = (
        f"SELECT count(*) > 0 FROM pg_attribute WHERE attrelid = 'documents'::regclass"
        f" AND attname = 'embedding' AND atttypmod = {NEW}"
    )


def contenders(conninfo: str, environments: Path) -> Iterator[Contender]:
    for name in INSIDE:
        yield Contender(name, [[sys.executable, __file__, "--inside", name, "--postgres-url", conninfo]])
    vecshift = str(environments / "vecshift" / "bin" / "vecshift")
    model = f"ollama/free-{NEW},dims={NEW}"
    yield Contender(
        "VecShift 0.4.0",
        [[vecshift, "apply", "--yes"], [vecshift, "cutover", "--yes"]],
        env={"VECSHIFT_DSN": conninfo},
        before=[[vecshift, "init", "--table", "public.documents", "--model", model]],
    )
    pgsemantic = str(environments / "pgsemantic" / "bin" / "pgsemantic")
    yield Contender(
        "pgsemantic 0.4.0",
        [[pgsemantic, "migrate", "--table", "documents", "--model", "ollama"]],
        env={"DATABASE_URL": conninfo},
        before=[[pgsemantic, "apply", "--table", "documents", "--column", "body", "--model", "local"]],
        settle=[pgsemantic, "worker"],
        vectors="SELECT row_id::bigint, embedding FROM pgsemantic_embeddings_documents",
        switched="SELECT to_regclass('pgsemantic_embeddings_documents') IS NOT NULL",
    )


def install(environments: Path) -> None:
    for name, requirements in REQUIREMENTS.items():
        folder = environments / name
        if folder.is_dir():
            continue
        venv.create(folder, with_pip=True)
        pip = [str(folder / "bin" / "pip"), "install", "--quiet"]
        subprocess.run([*pip, *requirements], check=True)
        if name in ALONE:
            subprocess.run([*pip, "--no-deps", ALONE[name]], check=True)


# --- The table and its load ---


def make_table(conninfo: str, rows: int) -> None:
    migrate_up(conninfo, vestige=False)
    with psycopg.connect(conninfo, autocommit=True) as conn:
        register_vector(conn)
        conn.execute(f"""
            CREATE TABLE documents (
                id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, body text NOT NULL, note text,
                embedding vector({OLD}), updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
            CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql
                AS 'BEGIN NEW.updated_at := clock_timestamp(); RETURN NEW; END';
            CREATE TRIGGER touch BEFORE UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION touch()""")
        with conn.cursor().copy("COPY documents (body, note, embedding) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["text", "text", "vector"])
            for number in range(rows):
                body = f"document number {number}, with some words that nobody reads"
                copy.write_row((body, f"note {number}", np.array(vector_of(body, OLD), np.float32)))
        conn.execute("CREATE INDEX idx_documents_embedding_hnsw ON documents USING hnsw (embedding vector_cosine_ops)")
        conn.execute("CREATE TABLE before AS SELECT id, note, updated_at FROM documents")
        conn.execute("VACUUM ANALYZE")
    register_model(
        conninfo, ModelSignature("former", OLD, "0" * 64), target=Target("documents", content_column="body")
    )  # fmt: skip


class Load(threading.Thread):
    """Reads and writes rows, and looks for the lock that keeps everybody out, until it is stopped."""

    def __init__(self, conninfo: str, rows: int, switched: str, what: str) -> None:
        super().__init__(name=what)
        self._conninfo, self._rows, self._switched, self._what = conninfo, rows, switched, what
        self._stopped = threading.Event()
        self.secs: list[float] = []
        self.failed = 0
        self.longest_lock = 0.0
        self.switched: float | None = None
        self.written: dict[int, float] = {}

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def run(self) -> None:
        with psycopg.connect(self._conninfo, autocommit=True) as conn:
            conn.prepare_threshold = None
            chance = random.Random(1)
            while not self._stopped.wait({"read": 0.01, "write": 0.05, "watch": 0.002}[self._what]):
                began = time.monotonic()
                try:
                    getattr(self, self._what)(conn, chance)
                except psycopg.Error:
                    self.failed += 1
                self.secs.append(time.monotonic() - began)

    def read(self, conn: psycopg.Connection[Any], chance: random.Random) -> None:
        conn.execute("SELECT body, note FROM documents WHERE id = %s", (chance.randint(1, self._rows),))

    def write(self, conn: psycopg.Connection[Any], chance: random.Random) -> None:
        number, text = 50 * chance.randint(1, self._rows // 50), f"changed to {chance.random()}"
        if chance.random() < 0.7:
            row = conn.execute("UPDATE documents SET body = %s WHERE id = %s RETURNING id", (text, number)).fetchone()
        else:
            row = conn.execute("INSERT INTO documents (body) VALUES (%s) RETURNING id", (text,)).fetchone()
        if row is not None:
            self.written[row[0]] = time.monotonic()

    _since: float | None = None

    def watch(self, conn: psycopg.Connection[Any], chance: random.Random) -> None:
        row = conn.execute(
            "SELECT count(*) FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock'"
            " AND relation = to_regclass('documents')"
        ).fetchone()
        now = time.monotonic()
        if row is not None and row[0]:
            self._since = self._since or now
            self.longest_lock = max(self.longest_lock, now - self._since)
        else:
            self._since = None
            # Not while it is locked, for the question waits then.
            if self.switched is None and one(conn, self._switched):
                self.switched = time.monotonic()


# --- One run ---

SWITCH_SECS = 0.1
"""What was written so long before the switch was seen does not count either."""


def started(command: Sequence[str], contender: Contender, folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command, cwd=folder, env=os.environ | {"COLUMNS": "120"} | contender.env, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def run(contender: Contender, folder: Path, kill_after: float | None) -> str | None:
    """Run the commands, and kill them after ``kill_after`` seconds. Return why they failed, None if they did not."""
    until = None if kill_after is None else time.monotonic() + kill_after
    for command in contender.commands:
        process = started(command, contender, folder)
        try:
            code = process.wait(None if until is None else max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return "killed"
        if code:
            return f"{' '.join(command[1:3])} exited {code}: {(folder / 'log').read_text(errors='replace')[-300:]}"
    return None


@contextmanager
def loaded(conninfo: str, rows: int, switched: str) -> Iterator[dict[str, Load]]:
    loads = {what: Load(conninfo, rows, switched, what) for what in ("read", "write", "watch")}
    for load in loads.values():
        load.start()
    try:
        yield loads
    finally:
        for load in loads.values():
            load.stop()


def one(conn: psycopg.Connection[Any], query: str) -> Any:
    row = conn.execute(query).fetchone()  # type: ignore[call-overload]
    assert row is not None
    return row[0]


def measure(
    contender: Contender, conninfo: str, rows: int, kill_after: float | None, settle_secs: float
) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory(prefix="vestige-versus-") as name,
        psycopg.connect(conninfo, autocommit=True) as conn,
    ):
        folder = Path(name)
        for command in contender.before:
            if started(command, contender, folder).wait():
                return {"failed": (folder / "log").read_text(errors="replace")[-300:]}
        conn.execute("CHECKPOINT")
        wal = one(conn, "SELECT pg_current_wal_lsn()")
        with loaded(conninfo, rows, contender.switched) as loads:
            began = time.monotonic()
            failed = run(contender, folder, kill_after)
            if failed == "killed":
                failed = run(contender, folder, None)
            secs = time.monotonic() - began
        found: dict[str, Any] = {
            "secs": secs,
            "failed": failed,
            "wal_mb": float(one(conn, f"SELECT pg_current_wal_lsn() - '{wal}'")) / 1e6,
            "longest_lock_ms": loads["watch"].longest_lock * 1e3,
        }
        for what in ("read", "write"):
            found[f"{what}_p99_ms"] = float(np.percentile(loads[what].secs, 99)) * 1e3
            found[f"{what}s_failed"] = loads[what].failed
        if contender.settle:
            process = started(contender.settle, contender, folder)
            time.sleep(settle_secs)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        # A write that was on its way at the switch may have been before it or after it.
        since = (loads["watch"].switched or time.monotonic()) - SWITCH_SECS
        late = {id_ for id_, when in loads["write"].written.items() if when >= since}
        return look(contender, conn, late) | found


def look(contender: Contender, conn: psycopg.Connection[Any], late: set[int]) -> dict[str, Any]:
    """What is left in the table: dead rows, changed columns, and vectors that are wrong or missing.

    The rows of ``late`` were written after the switch.
    """
    conn.execute("SELECT pg_stat_force_next_flush()")
    register_vector(conn)
    texts = {id_: text for id_, text in conn.execute("SELECT id, body FROM documents") if id_ not in late}
    try:
        vectors = {id_: vector for id_, vector in conn.execute(contender.vectors) if vector is not None}  # type: ignore[call-overload]
    except psycopg.errors.UndefinedTable:
        vectors = {}  # it failed before it had switched
    wrong = 0
    for id_, text in texts.items():
        if id_ in vectors:
            given, due = np.asarray(vectors[id_], np.float64), np.asarray(vector_of(text))
            same = len(given) == NEW and given @ due > 0.999999 * np.linalg.norm(given) * np.linalg.norm(due)
            wrong += not same
    return {
        "dead_rows": one(conn, "SELECT sum(n_dead_tup)::bigint FROM pg_stat_user_tables WHERE relname <> 'before'"),
        "others_changed": one(
            conn,
            "SELECT count(*) FROM before b LEFT JOIN documents d USING (id) WHERE b.id % 50 <> 0"
            " AND (d.note, d.updated_at) IS DISTINCT FROM (b.note, b.updated_at)",
        ),
        "wrong": wrong,
        "missing": len(texts.keys() - vectors.keys()),
        "rows": len(texts),
    }


COLUMNS = {
    "secs": "s",
    "longest_lock_ms": "longest lock, ms",
    "read_p99_ms": "reads p99, ms",
    "write_p99_ms": "writes p99, ms",
    "reads_failed": "reads failed",
    "writes_failed": "writes failed",
    "wal_mb": "WAL, MB",
    "dead_rows": "dead rows",
    "others_changed": "other columns changed",
    "wrong": "wrong",
    "missing": "missing",
}


def shown(found: dict[str, Any]) -> str:
    cells = (found.get(column, "") for column in COLUMNS)
    return " | ".join(f"{cell:,.1f}" if isinstance(cell, float) else str(cell) for cell in cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--environments", type=Path, default=Path(".versus"), help="where the peers are installed")
    parser.add_argument("--only", nargs="*", help="contenders whose names contain one of these")
    parser.add_argument("--settle-secs", type=float, default=30.0)
    parser.add_argument("--without-kill", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--inside", choices=INSIDE, help=argparse.SUPPRESS)
    parser.add_argument("--postgres-url", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        INSIDE[args.inside](args.postgres_url)
        return
    install(args.environments.absolute())
    encoder = get_context("spawn").Process(target=serve, args=(PORT,), daemon=True)
    encoder.start()
    answers: dict[str, dict[str, Any]] = {}
    print(f"| | {' | '.join(COLUMNS.values())} |\n|---|{'---:|' * len(COLUMNS)}")
    try:
        for name in [contender.name for contender in contenders("", args.environments)]:
            if args.only and not any(part in name for part in args.only):
                continue
            whole: float | None = None
            for killed in (False,) if args.without_kill else (False, True):
                with server_with(SERVER) as conninfo:
                    make_table(conninfo, args.rows)
                    contender = next(c for c in contenders(conninfo, args.environments.absolute()) if c.name == name)
                    kill_after = whole / 2 if killed and whole is not None else None
                    found = measure(contender, conninfo, args.rows, kill_after, args.settle_secs)
                whole = found.get("secs")
                label = name + (", killed" if killed else "")
                answers[label] = found
                print(f"| {label} | {shown(found)} |", flush=True)
                if found.get("failed"):
                    print(f"{label}: {found['failed']}", file=sys.stderr)
    finally:
        encoder.kill()
        if args.json:
            args.json.write_text(json.dumps(answers, indent=1))


if __name__ == "__main__":
    main()
