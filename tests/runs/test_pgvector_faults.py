"""Known faults of pgvector are named, and no index is built with parallel workers where that is one of them.

The version is what pg_extension says, so these tests write another one there. The files are the server's own.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import Conn, FakeEmbedder, check_space, seed

from vestige_sql import ReembedPlan, Target, cli, dry_run_reembed, register_model, run_reembed, stage_reembed, steps
from vestige_sql.database.migrations import migrate_up
from vestige_sql.look.script import script_staged
from vestige_sql.look.status import status

OLD, NEW = FakeEmbedder("old", 32), FakeEmbedder("new", 48)

WORKERS = "max_parallel_maintenance_workers"

FAULTS = {
    "0.4.4": [],
    "0.5.1": ["hnsw_vacuum_corruption", "hnsw_vacuum_error"],
    "0.6.0": ["parallel_hnsw_locking", "parallel_hnsw_build", "hnsw_vacuum_corruption", "hnsw_vacuum_error"],
    "0.7.3": ["parallel_hnsw_locking", "parallel_hnsw_build", "hnsw_vacuum_corruption", "hnsw_vacuum_error"],
    "0.7.4": ["parallel_hnsw_build", "hnsw_vacuum_corruption", "hnsw_vacuum_error"],
    "0.8.0": ["parallel_hnsw_build", "hnsw_vacuum_corruption", "hnsw_vacuum_error"],
    "0.8.1": ["parallel_hnsw_build", "hnsw_vacuum_corruption", "hnsw_vacuum_error"],
    "0.8.2": ["hnsw_vacuum_corruption", "hnsw_vacuum_error"],
    "0.8.3": ["hnsw_vacuum_error"],
    "0.8.4": [],
    "0.8.10": [],
    "0.10.0": [],
    "1.0": [],
    # Not numbers alone, as some servers have them.
    "0.8.1-rds": ["parallel_hnsw_build", "hnsw_vacuum_corruption", "hnsw_vacuum_error"],
    "0.8": ["parallel_hnsw_build", "hnsw_vacuum_corruption", "hnsw_vacuum_error"],
    "unpackaged": [],
}


def pretend(conn: Conn, version: str) -> None:
    """Let the database say that it has this version of pgvector."""
    conn.execute("UPDATE pg_extension SET extversion = %s WHERE extname = 'vector'", (version,))


@pytest.mark.parametrize("version", FAULTS)
def test_the_faults_of_a_version_are_named(db: str, conn: Conn, version: str) -> None:
    pretend(conn, version)
    found = steps.query(conn, "probe/pgvector_faults.sql", {})
    assert [fault["code"] for fault in found] == FAULTS[version]
    assert all(fault["installed"] == version and "ALTER EXTENSION vector UPDATE" in fault["hint"] for fault in found)
    # The steps that set the workers have the same versions in mind, however they are called.
    concerned = any(fault["without_workers"] for fault in found)
    seed(conn, 3, OLD)
    values: dict[str, Any] = {
        "schema": "public", "table": "knowledge_nodes", "embedding_column": "embedding", "index_column": "embedding",
        "dimension": 32, "embedding_type": "vector", "index_memory_kb": None, "index_workers": 3,
    }  # fmt: skip
    for name in ("index/create/10_set_build_limits.sql", "index/concurrently/10_set_build_limits.sql",
                 "index/save/05_limit_workers.sql", "session/limit_workers.sql"):  # fmt: skip
        conn.execute(f"SET {WORKERS} = 5")
        with conn.transaction():
            steps.run(conn, steps.load(name), values)
            row = conn.execute(f"SHOW {WORKERS}").fetchone()
        assert row == ("0" if concerned else "3" if "build_limits" in name else "5",)
        conn.execute(f"RESET {WORKERS}")


def test_what_is_on_the_server_already_needs_no_installation(db: str, conn: Conn) -> None:
    row = conn.execute("SELECT default_version FROM pg_available_extensions WHERE name = 'vector'").fetchone()
    assert row is not None
    installed = tuple(map(int, row[0].split(".")))
    pretend(conn, "0.7.3")
    for fault in steps.query(conn, "probe/pgvector_faults.sql", {}):
        enough = installed >= tuple(map(int, fault["fixed_in"].split(".")))
        assert fault["hint"].startswith("ALTER EXTENSION" if enough else f"install pgvector {fault['fixed_in']}")


# --- What people see ---


def test_probe_status_and_the_warning_name_them(db: str, conn: Conn, capsys: pytest.CaptureFixture[str]) -> None:
    seed(conn, 5, OLD)
    pretend(conn, "0.8.1")
    for verb in ("probe", "status"):
        assert cli.main(["migrate", verb, "--postgres-url", db]) == 0
        said = capsys.readouterr().out
        assert "fault       pgvector 0.8.1, fixed in 0.8.2: building an HNSW index with parallel workers" in said
        assert "CVE-2026-3172" in said and "fixed in 0.8.4" in said
        assert cli.main(["migrate", verb, "--postgres-url", db, "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        assert [fault["code"] for fault in answer["pgvector_faults"]] == FAULTS["0.8.1"]
    said = " ".join(dry_run_reembed(db, NEW).notes)
    assert "The installed pgvector 0.8.1 has known faults: " in said and "CVE-2026-3172" in said
    assert "Indexes are built without parallel workers" in said and "All are fixed in 0.8.4" in said
    shown: list[str] = []
    report = run_reembed(db, NEW, before_write=shown.append)
    assert "CVE-2026-3172" in shown[0]
    assert any("CVE-2026-3172" in note for note in report.notes)
    pretend(conn, "0.8.3")
    said = " ".join(dry_run_reembed(db, OLD).notes)
    assert "hnsw graph not repaired" in said and "without parallel workers" not in said
    pretend(conn, "0.8.4")
    assert not any("known faults" in note for note in dry_run_reembed(db, OLD).notes)
    assert status(db)["pgvector_faults"] == []


# --- What is built ---


class Builds:
    """Notes how many workers each statement that builds an index may have."""

    def __init__(self, conn: Conn) -> None:
        conn.execute("CREATE SCHEMA watch; CREATE TABLE watch.build (command text, workers text)")
        conn.execute(
            "CREATE FUNCTION watch.note() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" INSERT INTO watch.build VALUES (tg_tag, current_setting('{WORKERS}')); END $$"
        )
        conn.execute(
            "CREATE EVENT TRIGGER watch ON ddl_command_start"
            " WHEN tag IN ('CREATE INDEX', 'ALTER TABLE') EXECUTE FUNCTION watch.note()"
        )
        self._conn = conn

    def found(self) -> set[tuple[str, str]]:
        """Each kind of statement with the workers that it could have had, since this was called last."""
        found = self._conn.execute("DELETE FROM watch.build RETURNING command, workers").fetchall()
        return {(command, workers) for command, workers in found}


@pytest.fixture
def builds(conn: Conn) -> Iterator[Builds]:
    yield Builds(conn)
    conn.execute("DROP EVENT TRIGGER IF EXISTS watch")


PLANS = {
    "rewrite": ReembedPlan(apply="rewrite"),
    "widen": ReembedPlan(apply="widen"),
    "swap": ReembedPlan(apply="swap"),
    "kept index": ReembedPlan(apply="rewrite", drop_hnsw_first=False),
    "concurrently": ReembedPlan(apply="rewrite", concurrent_index=True),
    "online": ReembedPlan(online=True),
}


@pytest.mark.parametrize(("version", "faulty"), [("0.8.1", True), ("0.8.2", False)])
@pytest.mark.parametrize("plan", PLANS)
def test_no_run_builds_an_index_with_workers_where_that_is_faulty(
    db: str, conn: Conn, builds: Builds, plan: str, version: str, faulty: bool
) -> None:
    conn.execute(f"ALTER DATABASE {conn.info.dbname} SET {WORKERS} = 4")  # type: ignore[arg-type]
    seed(conn, 20, OLD)
    if not faulty:
        # As many rows as make workers worth their start.
        conn.execute("INSERT INTO knowledge_nodes (content) SELECT 'memory ' || i FROM generate_series(1, 1000) i")
    # A rewrite of the table builds another column's index anew.
    conn.execute("ALTER TABLE knowledge_nodes ADD COLUMN other vector(3)")
    conn.execute("UPDATE knowledge_nodes SET other = '[1,2,3]'")
    conn.execute("CREATE INDEX other_hnsw ON knowledge_nodes USING hnsw (other vector_l2_ops)")
    pretend(conn, version)
    builds.found()
    run_reembed(db, NEW, PLANS[plan], target=Target(embedding_column="embedding"))
    check_space(conn, NEW)
    found = builds.found()
    built = {workers for command, workers in found if command == "CREATE INDEX"}
    # What stays is built by ALTER TABLE. Online nobody gets workers, for those who search need the processors.
    assert bool(built) == (plan != "kept index")
    assert built <= ({"0"} if faulty or plan == "online" else {"4"})
    if plan in ("rewrite", "widen", "swap", "kept index"):
        assert {workers for command, workers in found if command == "ALTER TABLE"} == {"0" if faulty else "4"}


def test_a_small_index_is_built_without_workers(db: str, conn: Conn, builds: Builds) -> None:
    conn.execute(f"ALTER DATABASE {conn.info.dbname} SET {WORKERS} = 4")  # type: ignore[arg-type]
    seed(conn, 20, OLD)
    builds.found()
    run_reembed(db, NEW)
    assert {workers for command, workers in builds.found() if command == "CREATE INDEX"} == {"0"}


def test_migrations_build_vestiges_index_without_workers_too(db: str, conn: Conn, builds: Builds) -> None:
    conn.execute(f"ALTER DATABASE {conn.info.dbname} SET {WORKERS} = 4")  # type: ignore[arg-type]
    pretend(conn, "0.8.1")
    register_model(db, OLD.signature())
    builds.found()
    assert migrate_up(db).applied == ["0002_hnsw"]
    assert builds.found() == {("CREATE INDEX", "0")}


def test_the_printed_script_builds_without_workers(
    db: str, conn: Conn, builds: Builds, psql: Path, tmp_path: Path
) -> None:
    conn.execute(f"ALTER DATABASE {conn.info.dbname} SET {WORKERS} = 4")  # type: ignore[arg-type]
    seed(conn, 20, OLD)
    stage_reembed(db, NEW)
    # The script is printed where the fault is not, and run where it is.
    text = script_staged(db)
    pretend(conn, "0.8.1")
    (tmp_path / "script.sql").write_text(text, encoding="utf-8")
    builds.found()
    subprocess.run([psql, "-X", "-q", "-f", tmp_path / "script.sql", db], check=True, capture_output=True)
    assert ("CREATE INDEX", "0") in builds.found()
    check_space(conn, NEW)
