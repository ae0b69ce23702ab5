"""Seconds a row and memory from ten thousand rows to a million, and how long it takes to start: the help, a run with
nothing to do, and one that goes on.

The encoder costs nothing: it hands out vectors that are ready. Each run is a process of its own, so that its memory is
its own, on a server with PostgreSQL's defaults but for autovacuum, which would come and go, and what --set says. The
tables have an id, a text and an embedding; their HNSW index is an empty one (WHERE false), so that its build costs
nothing.

What the machine does by itself is measured beside each run: as many ids, hashes and vectors by one binary COPY into a
table without indexes, in one transaction. What that is slower by at a million rows, for the files no longer fit into
memory that is at hand, a run cannot make up for.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psycopg
from own_server import server_with

from vestige_sql import ModelSignature, ReembedPlan, Target, register_model, run_reembed, stage_reembed, steps
from vestige_sql.database.migrations import migrate_up
from vestige_sql.encode.embedder import Vectors
from vestige_sql.reembed.clock import ACTIVITIES
from vestige_sql.reembed.pgcopy import integer_field, rows, staged_rows, vector_field
from vestige_sql.reembed.target import probe

PARTS = ("help", "idle", "run", "resume")
CHUNK = 10_000
BARE = "bare"
SHOWN = [activity for activity in ACTIVITIES if activity not in ("tokenizing", "index")]


class Free:
    """A model whose vectors are there already. After ``stop_after`` rows it stops the run as Ctrl-C does.

    ``first`` is when it was first asked, in seconds since the epoch.
    """

    def __init__(self, signature: ModelSignature, stop_after: int | None = None) -> None:
        self.model_name, self.dimension = signature.name, signature.dimension
        self.first: float | None = None
        self._signature = signature
        self._left = stop_after
        self._vectors = np.random.default_rng(0).standard_normal(
            (ReembedPlan.batch_size, self.dimension), dtype=np.float32
        )

    def signature(self) -> ModelSignature:
        return self._signature

    def embed_batch(self, texts: Sequence[str]) -> Vectors:
        self.first = self.first or time.time()
        if self._left is not None:
            if self._left <= 0:
                raise KeyboardInterrupt
            self._left -= len(texts)
        return self._vectors[: len(texts)]


def model(name: str, dimension: int) -> ModelSignature:
    return ModelSignature(name, dimension, "0" * 64)


# --- The process that is measured ---


def peak_mb() -> float:
    """The most memory that this process ever had resident, in MB of 2^20 bytes.

    Not from getrusage() where it can be helped: ru_maxrss is inherited from the process that started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status.read_text(), re.MULTILINE)
        return int(peak) / 1024
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def child(told: dict[str, Any]) -> None:
    """Run as ``told`` and print what it took as JSON."""
    embedder = Free(ModelSignature(*told["signature"]), told["stop_after"])
    answer: dict[str, Any] = {"imports_mb": peak_mb()}
    verb = stage_reembed if told["verb"] == "stage" else run_reembed
    began = time.perf_counter()
    try:
        report = verb(told["conninfo"], embedder, target=Target(told["table"]))
        answer |= {"rows": report.rows_updated, "duration": report.duration_secs, "nothing_to_do": report.nothing_to_do}
        answer |= report.spent
    except KeyboardInterrupt:
        assert told["stop_after"] is not None
    answer |= {"call": time.perf_counter() - began, "peak_mb": peak_mb(), "first": embedder.first}
    print(json.dumps(answer))


def in_process(
    conninfo: str, table: str, signature: ModelSignature, verb: str = "run", stop_after: int | None = None
) -> dict[str, Any]:
    """Run a child, and return its answer, with the seconds from when it was started to the end and to the first row."""
    told = {"conninfo": conninfo, "table": table, "verb": verb, "stop_after": stop_after}
    told["signature"] = [signature.name, signature.dimension, signature.hash]
    began, clock = time.time(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--child", json.dumps(told)], stdout=subprocess.PIPE, text=True, check=True
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    answer["process"] = time.perf_counter() - clock
    answer["to_first"] = answer["first"] and answer["first"] - began
    return answer


# --- Tables ---


def make_table(conn: psycopg.Connection, conninfo: str, table: str, count: int, key: str, old: ModelSignature) -> None:
    """Make and fill a table under an old model."""
    conn.execute(f"DROP TABLE IF EXISTS {table}")
    conn.execute("DELETE FROM vestige_sql.model WHERE table_name = %s", (table,))
    conn.execute(f"CREATE TABLE {table} (id {key} PRIMARY KEY, content text NOT NULL, embedding vector)")
    register_model(conninfo, old, target=Target(table))
    conn.execute(f"CREATE INDEX {table}_hnsw ON {table} USING hnsw (embedding vector_cosine_ops) WHERE false")
    rng = np.random.default_rng(0)
    vectors = [vector_field(vector) for vector in rng.standard_normal((1_024, old.dimension), np.float32)]

    def fields(first: int) -> Iterator[tuple[bytes, bytes, bytes]]:
        for number in range(first, min(first + CHUNK, count)):
            id_ = integer_field(number) if key == "bigint" else uuid.UUID(bytes=rng.bytes(16), version=4).bytes
            # As long as a note of a sentence or two.
            yield id_, f"memory number {number}: {'of this and that ' * 6}".encode(), vectors[number % len(vectors)]

    for first in range(0, count, CHUNK):
        with conn.cursor().copy(f"COPY {table} (id, content, embedding) FROM STDIN (FORMAT binary)") as copy:
            copy.write(rows(fields(first)))
    conn.execute(f"VACUUM (ANALYZE) {table}")


def copy_alone(conn: psycopg.Connection, count: int, dimension: int) -> float:
    """Bring rows as a run stages them into a table without indexes, and return the seconds."""
    conn.execute(f"CREATE TABLE {BARE} (id bigint, content_hash bytea, embedding vector({dimension}))")
    ids, hashes = [integer_field(number) for number in range(CHUNK)], [bytes(32)] * CHUNK
    vectors = np.random.default_rng(0).standard_normal((CHUNK, dimension), dtype=np.float32)
    header, *pieces, trailer = staged_rows(ids, hashes, vectors, "vector")
    conn.execute("CHECKPOINT")
    began = time.perf_counter()
    with conn.cursor().copy(f"COPY {BARE} FROM STDIN (FORMAT binary)") as copy:
        copy.write(header)
        for _ in range(0, count, CHUNK):
            for piece in pieces:
                copy.write(piece)
        copy.write(trailer)
    seconds = time.perf_counter() - began
    conn.execute(f"DROP TABLE {BARE}")
    return seconds


def one(conn: psycopg.Connection, query: str, *parameters: object) -> Any:
    row = conn.execute(query, parameters or None).fetchone()
    assert row is not None
    return row[0]


def megabytes(conn: psycopg.Connection, table: str) -> str:
    return f"{one(conn, 'SELECT pg_total_relation_size(%s::regclass)', table) / 1e6:,.0f} MB"


# --- The parts ---


def timed(command: Sequence[str], times: int) -> tuple[float, float]:
    """Return the medians of a command's seconds by the clock, and of those of the processor."""
    wall, cpu = [], []
    for _ in range(times):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        wall.append(time.perf_counter() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return median(wall), median(cpu)


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "vestige_sql.cli", *arguments]


def measure_help() -> None:
    print("\n| a process | seconds | of its processor |\n|---|---:|---:|")
    for name, command in (
        ("python -c pass", [sys.executable, "-c", "pass"]),
        ("vestige-sql --help", command_line("--help")),
        ("vestige-sql migrate reembed --help", command_line("migrate", "reembed", "--help")),
    ):
        wall, cpu = timed(command, 10)
        print(f"| `{name}` | {wall:.2f} | {cpu:.2f} |", flush=True)


@dataclass
class Scale:
    """The measurements on one server."""

    conn: psycopg.Connection
    conninfo: str
    told: argparse.Namespace
    old: ModelSignature

    def __post_init__(self) -> None:
        self.new = model("new", self.told.new)
        self.medians: dict[int, dict[str, float]] = {}
        self.lines: list[str] = []

    def runs(self, count: int, times: int, table: str) -> None:
        """Re-embed ``table`` ``times`` times. It is there for the first, and made anew for the others."""
        results = []
        for turn in range(times):
            if turn:
                make_table(self.conn, self.conninfo, table, count, self.told.key, self.old)
            # So that each run writes what it dirties itself, and nothing else.
            self.conn.execute("CHECKPOINT")
            result = in_process(self.conninfo, table, self.new)
            assert result["rows"] == count
            result["copy"] = copy_alone(self.conn, count, self.told.new)
            say(f"{count:,} rows, {turn + 1} of {times}: {result['duration']:.1f} s, {result['peak_mb']:.0f} MB")
            for part in ("duration", "call", "copy", *SHOWN):
                result[part] *= 1e6 / count
            results.append(result)
        middle = {key: median(r[key] for r in results) for key in ("duration", "call", "copy", "imports_mb", *SHOWN)}
        middle["peak_mb"] = max(r["peak_mb"] for r in results)
        self.medians[count] = middle
        durations = [r["duration"] for r in results]
        self.lines.append(
            f"| {count:,} | {times} | {middle['duration']:.1f} | {min(durations):.1f} to {max(durations):.1f} | "
            + " | ".join(f"{middle[phase]:.1f}" for phase in SHOWN)
            + f" | {middle['call']:.1f} | {middle['copy']:.1f} | {middle['imports_mb']:.0f} | {middle['peak_mb']:.0f} |"
        )

    def compare(self) -> None:
        columns = (
            "rows",
            "runs",
            "µs a row",
            "in all runs",
            *SHOWN,
            "the whole call",
            "COPY alone",
            "RSS after imports, MB",
        )
        print("\n| " + " | ".join(columns) + " | peak RSS, MB |\n|" + "---:|" * (len(columns) + 1))
        print("\n".join(self.lines))
        few, many = min(self.medians), max(self.medians)
        slower, higher, copying = (
            self.medians[many][key] / self.medians[few][key] for key in ("duration", "peak_mb", "copy")
        )
        print(
            f"\nOf {many:,} rows each takes {slower:.2f} times as long as of {few:,}, where COPY alone takes "
            f"{copying:.2f} times as long, and the peak of memory is {higher:.2f} times as high.",
            flush=True,
        )

    def idle(self, table: str) -> None:
        """A run with nothing to do."""
        print("\n| nothing to do | seconds |\n|---|---:|")
        results = [in_process(self.conninfo, table, self.old) for _ in range(3)]
        assert all(result["nothing_to_do"] for result in results)
        print(f"| `run_reembed()` | {median(r['call'] for r in results):.2f} |")
        print(f"| a process that imports and calls it | {median(r['process'] for r in results):.2f} |")
        if self.told.model:
            load = f"from vestige_sql.encoder import load_embedder; load_embedder({self.told.model!r}).signature()"
            print(f"| a process that loads the model | {timed([sys.executable, '-c', load], 3)[0]:.2f} |")
            named = ("--postgres-url", self.conninfo, "--table", table, "--model", self.told.model)
            command = command_line("migrate", "reembed", *named, "--dimension", str(self.old.dimension))
            print(f"| `vestige-sql migrate reembed` | {timed(command, 3)[0]:.2f} |")

    def resume(self, table: str, count: int) -> None:
        """A run that goes on where nine tenths are staged, up to the first new row."""
        newer = model("newer", self.told.new)
        stopped = in_process(self.conninfo, table, newer, "stage", count * 9 // 10)
        say(f"stopped after {stopped['call']:.0f} s, with a peak of {stopped['peak_mb']:.0f} MB")
        values = probe(self.conn, Target(table)).values
        staged = steps.query(self.conn, "probe/staged.sql", values)[0]["rows_staged"]
        staging = megabytes(self.conn, f"vestige_sql.{values['staging_table']}")
        results = [in_process(self.conninfo, table, newer, "run", 0) for _ in range(3)]
        print(f"\n| going on, {staged:,} of {count:,} rows staged ({staging}) | seconds |\n|---|---:|")
        print(f"| from the start of the process to the first new row | {median(r['to_first'] for r in results):.2f} |")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="the largest table (%(default)s)")
    parser.add_argument("--old", type=int, default=384, metavar="DIMENSION", help="%(default)s")
    parser.add_argument("--new", type=int, default=768, metavar="DIMENSION", help="%(default)s")
    parser.add_argument("--key", choices=("bigint", "uuid"), default="bigint", help="uuid: in random order")
    parser.add_argument("--model", metavar="DIR", help="a model of --old dimensions, for the command line's own start")
    parser.add_argument("--only", choices=PARTS, action="append", help="one part, and again for another (all)")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each table but the largest (%(default)s)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the server, as max_wal_size=16GB"
    )
    parser.add_argument("--json", action="store_true", help="end with the runs' medians as a line of JSON")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.child:
        child(json.loads(told.child))
        return
    parts = told.only or PARTS
    old = model("old", told.old)
    if told.model:
        from vestige_sql.encode.onnx import load_embedder

        old = load_embedder(told.model).signature()
        if old.dimension != told.old:
            parser.error(f"the model has {old.dimension} dimensions: --old {old.dimension}")

    settings = {"autovacuum": "off"} | dict(setting.split("=", 1) for setting in told.set)
    with server_with(settings) as conninfo:
        migrate_up(conninfo, vestige=False)
        with psycopg.connect(conninfo, autocommit=True) as conn:
            postgresql = one(conn, "SHOW server_version")
            pgvector = one(conn, "SELECT extversion FROM pg_extension WHERE extname = 'vector'")
            set_to = ", ".join(f"{name} = {value}" for name, value in settings.items())
            print(
                f"{told.rows:,} rows, a {told.key} key, vector({told.old}) to vector({told.new}). "
                f"PostgreSQL {postgresql}, pgvector {pgvector}, psycopg {psycopg.__version__}, Python "
                f"{platform.python_version()}, {os.cpu_count()} cores, {set_to}, otherwise PostgreSQL's defaults.\n\n"
                f"    {shlex.join(['python', *sys.argv])}",
                flush=True,
            )
            if "help" in parts:
                measure_help()
            if {"run", "idle", "resume"} & set(parts):
                on_a_server(Scale(conn, conninfo, told, old), parts)


def on_a_server(scale: Scale, parts: Sequence[str]) -> None:
    told = scale.told
    for count in (10_000, 100_000):
        if "run" in parts and count < told.rows:
            make_table(scale.conn, scale.conninfo, "few", count, told.key, scale.old)
            scale.runs(count, told.repeats, "few")
    began = time.monotonic()
    make_table(scale.conn, scale.conninfo, "many", told.rows, told.key, scale.old)
    before = megabytes(scale.conn, "many")
    say(f"{told.rows:,} rows made in {time.monotonic() - began:.0f} s")
    if "idle" in parts:
        scale.idle("many")
    if "run" in parts:
        scale.runs(told.rows, 1, "many")
        scale.compare()
        print(f"The table and its indexes took {before}, and take {megabytes(scale.conn, 'many')}.", flush=True)
    if "resume" in parts:
        scale.resume("many", told.rows)
    if told.json:
        medians = {count: scale.medians[count] for count in (min(scale.medians), max(scale.medians))}
        print(json.dumps(medians))


if __name__ == "__main__":
    main()
