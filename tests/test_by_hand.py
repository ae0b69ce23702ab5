"""What a person does with psql and the step files gives what the runner gives."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from support import FakeEmbedder, catalog, check_search, check_space, registered, rows, seed

from vestige_sql import ReembedPlan, apply_staged, run_reembed, stage_reembed
from vestige_sql.apply import phases
from vestige_sql.reembed import script_staged

ROOT = Path(__file__).parent.parent
OLD, NEW = FakeEmbedder("old", 24), FakeEmbedder("new", 32)
WAYS = ["rewrite", "widen", "swap"]

CopyOf = Callable[[str], str]


@pytest.fixture
def copy_of(server_url: str) -> Iterator[CopyOf]:
    """Makes a copy of a database that nobody is connected to, and returns its conninfo."""
    copies = []

    def copy(conninfo: str) -> str:
        name = conninfo_to_dict(conninfo)["dbname"]
        copies.append(f"{name}_copy")
        with psycopg.connect(server_url, autocommit=True) as admin:
            admin.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(copies[-1]), sql.Identifier(str(name)))
            )
        return conninfo.replace(f"/{name}", f"/{copies[-1]}")

    yield copy
    with psycopg.connect(server_url, autocommit=True) as admin:
        for name in copies:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def staged(db: str) -> str:
    """A database with 30 rows in the old space, one of them blank, and all vectors of the new model staged."""
    with psycopg.connect(db, autocommit=True) as conn:
        seed(conn, embedder=OLD, texts=[*(f"memory number {i}" for i in range(29)), " "])
        conn.execute("COMMENT ON INDEX idx_knowledge_nodes_embedding_hnsw IS 'for search'")
    stage_reembed(db, NEW)
    return db


def files(*folders: str) -> list[str]:
    """psql's arguments for the step files of some folders, as the shell function of sql/README.md gives them."""
    return [
        arg for folder in folders for file in sorted((ROOT / "sql" / folder).glob("*.sql")) for arg in ("-f", str(file))
    ]


def run_psql(psql: Path, conninfo: str, *arguments: str, ok: bool = True) -> str:
    done = subprocess.run(
        [psql, "-X", "-v", "ON_ERROR_STOP=1", *arguments, conninfo],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode == 0) == ok, done.stderr
    return done.stderr


def state(conninfo: str) -> dict[str, object]:
    """All that must be the same: rows, catalog, registry, audit, and what is left in the package's schema."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        check_space(conn, NEW)
        check_search(conn, NEW, ["memory number 7"])
        return {
            "rows": rows(conn),
            "catalog": catalog(conn),
            "registry": registered(conn),
            "run": conn.execute(
                "SELECT scope, from_name, to_name, to_dimension, to_hash, state, rows_total, rows_written, rows_blank"
                "  FROM vestige_sql.run"
            ).fetchall(),
            "saved": conn.execute("SELECT * FROM vestige_sql.saved_index").fetchall(),
            "left": conn.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'vestige_sql'::regnamespace ORDER BY 1"
            ).fetchall(),
        }


def audit(conninfo: str) -> list[tuple[str, str]]:
    with psycopg.connect(conninfo) as conn:
        return conn.execute("SELECT file, sha256 FROM vestige_sql.step ORDER BY id").fetchall()


@pytest.mark.parametrize("way", WAYS)
def test_psql_with_the_files_does_what_the_runner_does(staged: str, copy_of: CopyOf, psql: Path, way: str) -> None:
    by_hand = copy_of(staged)
    apply_staged(staged, ReembedPlan(apply=way))
    head = ["session/10_set_limits.sql", "variables.psql", "session/claim_run.sql"]
    run_psql(
        psql,
        by_hand,
        "-1",
        *(arg for name in head for arg in ("-f", str(ROOT / "sql" / name))),
        *files(*phases(way, ReembedPlan())),
    )
    assert state(by_hand) == state(staged)


def test_psql_with_the_files_builds_the_index_afterwards(staged: str, copy_of: CopyOf, psql: Path) -> None:
    by_hand = copy_of(staged)
    plan = ReembedPlan(concurrent_index=True)
    apply_staged(staged, plan)
    limits, variables = (["-f", str(ROOT / "sql" / name)] for name in ("session/10_set_limits.sql", "variables.psql"))
    run_psql(psql, by_hand, "-1", "-v", "run_state=applied", *limits, *variables, *files(*phases("rewrite", plan)))
    run_psql(
        psql, by_hand, *limits, *variables, *files("index/concurrently"), "-f", str(ROOT / "sql" / "run" / "finish.sql")
    )
    assert state(by_hand) == state(staged)


def test_a_dump_goes_on_where_it_was_taken(staged: str, empty_db: str, psql: Path) -> None:
    """Without what is staged, which is encoded again; and the table has another number there than here."""
    pg_dump = Path(psql).with_name("pg_dump")
    dump = subprocess.run([pg_dump, "--exclude-table-data=vestige_sql.stage_*", staged], capture_output=True, text=True)  # noqa: PLW1510
    if "server version mismatch" in dump.stderr:
        pytest.skip("pg_dump is older than the server")
    script = re.sub(r"(?m)^SET transaction_timeout = 0;$", "", dump.stdout)
    with psycopg.connect(empty_db) as conn:
        conn.execute("CREATE TABLE another ()")
        conn.execute("DROP TABLE another")
    subprocess.run([psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", empty_db], input=script, text=True, check=True)
    asked = [f"-f{ROOT / 'sql' / name}" for name in ("variables.psql", "probe/indexes.sql", "monitor/staleness.sql")]
    said = subprocess.run([psql, "-XAt", *asked, empty_db], capture_output=True, text=True, check=True).stdout
    assert "idx_knowledge_nodes_embedding_hnsw|hnsw|t|" in said
    assert said.splitlines()[-1] == "0|0|0|29"
    report = run_reembed(empty_db, FakeEmbedder(NEW.model_name, NEW.dimension))
    assert (report.run_id, report.rows_encoded) == (1, 29)
    apply_staged(staged)
    with psycopg.connect(staged) as here, psycopg.connect(empty_db) as there:
        assert (rows(here), catalog(here)) == (rows(there), catalog(there))


def test_the_gate_stops_psql_and_says_what_to_do(staged: str, psql: Path) -> None:
    with psycopg.connect(staged, autocommit=True) as conn:
        conn.execute("UPDATE knowledge_nodes SET content = 'another text' WHERE content = 'memory number 3'")
        before = rows(conn), catalog(conn), registered(conn)
        head = ["-f", str(ROOT / "sql" / "variables.psql")]
        said = run_psql(psql, staged, "-1", *head, *files(*phases("rewrite", ReembedPlan())), ok=False)
        assert "1 rows of public.knowledge_nodes have text but no staged vector" in said
        assert "run vestige-sql migrate stage again" in said
        assert (rows(conn), catalog(conn), registered(conn)) == before


@pytest.mark.parametrize(("way", "concurrent"), [*((way, False) for way in WAYS), ("rewrite", True)])
def test_the_printed_script_does_what_the_runner_does(
    staged: str, copy_of: CopyOf, psql: Path, tmp_path: Path, way: str, concurrent: bool
) -> None:
    plan = ReembedPlan(apply=way, concurrent_index=concurrent)
    script = tmp_path / "reembed.sql"
    script.write_text(script_staged(staged, plan))
    by_script = copy_of(staged)
    apply_staged(staged, plan)
    run_psql(psql, by_script, "-f", str(script))
    assert state(by_script) == state(staged)
    assert audit(by_script) == audit(staged)


def test_printing_the_script_changes_nothing(staged: str) -> None:
    with psycopg.connect(staged, autocommit=True) as conn:
        before = rows(conn), catalog(conn), conn.execute("SELECT * FROM vestige_sql.saved_index").fetchall()
        script_staged(staged, ReembedPlan(apply="widen"))
        assert (rows(conn), catalog(conn), conn.execute("SELECT * FROM vestige_sql.saved_index").fetchall()) == before


def test_the_script_shows_what_a_reviewer_asks_for(staged: str) -> None:
    script = script_staged(staged, ReembedPlan(apply="swap"))
    preamble = script.split("\\set")[0]
    assert "30, 1 of them without text; 29 vectors are staged" in preamble
    assert "vector(24) becomes public.vector(32)" in preamble
    assert "old (24 dimensions" in preamble
    assert "new (32 dimensions" in preamble
    assert "CREATE INDEX idx_knowledge_nodes_embedding_hnsw ON public.knowledge_nodes USING hnsw" in preamble
    # A variable of ours that was left unfilled would be psql's to fill; psql's own are those that the script sets.
    code = re.sub(r"--[^\n]*|'(?:[^']|'')*'|\"[^\"]*\"", "", script)
    assert set(re.findall(r"(?<![:\w]):'?(\w+)", code)) <= {"ROW_COUNT"}
    for name in ("lock/exclusive/20_lock_target.sql", "apply/swap/40_drop_old_column.sql"):
        assert f"-- sql/{name}\n-- SHA-256 " in script
    assert "--   DROP INDEX public.idx_knowledge_nodes_embedding_hnsw;" in script


def test_another_run_is_kept_out_by_the_script(staged: str, psql: Path, tmp_path: Path) -> None:
    script = tmp_path / "reembed.sql"
    script.write_text(script_staged(staged))
    claims = (ROOT / "sql" / "session" / "claim_run.sql").read_text()
    with psycopg.connect(staged, autocommit=True) as other:
        key = "public.knowledge_nodes.embedding"
        assert "hashtext('vestige_sql')" in claims
        other.execute("SELECT pg_advisory_lock(hashtext('vestige_sql'), hashtext(%s))", (key,))
        assert f"another run is at work on {key}" in run_psql(psql, staged, "-f", str(script), ok=False)
    run_psql(psql, staged, "-f", str(script))
    assert state(staged)["registry"] == (NEW.model_name, NEW.dimension, NEW.signature().hash)


def test_the_runner_finds_nothing_to_do_after_psql(staged: str, psql: Path, tmp_path: Path) -> None:
    script = tmp_path / "reembed.sql"
    script.write_text(script_staged(staged))
    run_psql(psql, staged, "-f", str(script))
    again = FakeEmbedder(NEW.model_name, NEW.dimension)
    assert run_reembed(staged, again).nothing_to_do
    assert again.calls == 0
