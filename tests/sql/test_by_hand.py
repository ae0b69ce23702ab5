"""What a person does with psql and the step files gives what the runner gives."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from demo.minilm import build_tiny
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from support import FakeEmbedder, catalog, check_search, check_space, everything, registered, rows, seed, vectors

from vestige_sql import ReembedPlan, Target, abort_reembed, apply_staged, finalize, rollback, run_reembed, stage_reembed
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.look.script import script_staged

ROOT = Path(__file__).parents[2]
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


def files(*arguments: str) -> list[str]:
    """psql's arguments for a plan, as ``sql/plan`` gives them."""
    done = subprocess.run([ROOT / "sql" / "plan", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


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
    head = ["transaction/10_set_limits.sql", "variables.psql", "transaction/20_claim_run.sql"]
    run_psql(
        psql,
        by_hand,
        "-1",
        "-v",
        f"way={way}",
        *(arg for name in head for arg in ("-f", str(ROOT / "sql" / name))),
        *files(way),
    )
    assert state(by_hand) == state(staged)


def test_psql_with_the_files_builds_the_index_afterwards(staged: str, copy_of: CopyOf, psql: Path) -> None:
    by_hand = copy_of(staged)
    plan = ReembedPlan(concurrent_index=True)
    apply_staged(staged, plan)
    limits, variables = (["-f", str(ROOT / "sql" / name)] for name in ("session/10_set_limits.sql", "variables.psql"))
    run_psql(psql, by_hand, "-1", "-v", "run_state=applied", *limits, *variables, *files("rewrite", "concurrent_index"))
    run_psql(psql, by_hand, *limits, *variables, *files("concurrent-index"))
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
        said = run_psql(psql, staged, "-1", *head, *files("rewrite"), ok=False)
        assert "1 rows of public.knowledge_nodes have text but no staged vector" in said
        assert "run vestige-sql migrate stage again" in said
        assert (rows(conn), catalog(conn), registered(conn)) == before


@pytest.mark.parametrize(("way", "concurrent"), [*((way, False) for way in WAYS), ("rewrite", True)])
def test_the_printed_script_does_what_the_runner_does(
    staged: str, copy_of: CopyOf, psql: Path, tmp_path: Path, way: str, concurrent: bool
) -> None:
    plan = ReembedPlan(apply=way, concurrent_index=concurrent, keep_old=concurrent)
    script = tmp_path / "reembed.sql"
    script.write_text(script_staged(staged, plan))
    by_runner = copy_of(staged)
    apply_staged(by_runner, plan)
    run_psql(psql, staged, "-f", str(script))
    assert state(by_runner) == state(staged)
    assert audit(by_runner) == audit(staged)


@pytest.mark.parametrize("brief", [False, True])
def test_the_script_runs_in_the_database_that_it_was_printed_for_alone(
    staged: str, copy_of: CopyOf, psql: Path, tmp_path: Path, databases: Any, brief: bool
) -> None:
    script = tmp_path / "reembed.sql"
    script.write_text(script_staged(staged, brief=brief))
    name = psycopg.conninfo.conninfo_to_dict(staged)["dbname"]
    # A copy has the same run and the same staged vectors; another database has the package alone.
    with databases() as another:
        for other in (copy_of(staged), another):
            with psycopg.connect(other, autocommit=True) as conn:
                before = everything(conn)
                said = run_psql(psql, other, "-f", str(script), ok=False)
                assert f"printed for the database {name}, and this is " in said
                assert everything(conn) == before
    text = script.read_text()
    assert "of another server" in text
    with psycopg.connect(staged) as conn:
        row = conn.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
    assert row is not None
    elsewhere = tmp_path / "elsewhere.sql"
    elsewhere.write_text(text.replace(f"'{row[0]}'", "'1234567890'"))
    assert f"printed for the database {name} of another server" in run_psql(
        psql, staged, "-f", str(elsewhere), ok=False
    )
    # The run has ended, and another is open, which the script knows nothing of.
    abort_reembed(staged)
    stage_reembed(staged, NEW)
    said = run_psql(psql, staged, "-f", str(script), ok=False)
    assert "the run that this script was printed for is not open any more" in said
    script.write_text(script_staged(staged, brief=brief))
    run_psql(psql, staged, "-f", str(script))
    assert "not open any more" in run_psql(psql, staged, "-f", str(script), ok=False)


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


@pytest.mark.parametrize("brief", [False, True])
def test_a_script_says_first_what_touches_the_table(staged: str, brief: bool) -> None:
    def said(plan: ReembedPlan) -> list[str]:
        lines = script_staged(staged, plan, brief=brief).splitlines()
        assert lines[3].startswith("-- What touches public.knowledge_nodes, in order")
        return lines[4 : lines.index("--", 4)]

    name = "idx_knowledge_nodes_embedding_hnsw"
    table, create = "public.knowledge_nodes", f"INDEX {name} ON public.knowledge_nodes USING hnsw"
    titles, *rows, commit, before, after = said(ReembedPlan(apply="rewrite"))
    assert titles.split() == ["--", "lock", "undo", "statement"]
    assert [row.split()[1] for row in rows] == [str(number) for number in range(1, len(rows) + 1)]
    statements = [re.split(r"  +", row[7:]) for row in rows]
    assert all(undo == "ROLLBACK" for _, undo, text in statements if not text.startswith("ANALYZE"))
    shown = [(lock, text.replace('"', "")) for lock, _, text in statements]
    assert shown[:3] == [
        ("SHARE UPDATE EXCLUSIVE", f"LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE;"),
        ("ACCESS EXCLUSIVE", f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE;"),
        ("ACCESS EXCLUSIVE", f"DROP INDEX public.{name};"),
    ]
    assert shown[3][1].startswith(f"ALTER TABLE {table} ALTER COLUMN embedding TYPE public.vector(32) USING")
    assert shown[4][0] == "SHARE" and shown[4][1].startswith(f"CREATE {create}")
    assert shown[5:] == [("SHARE UPDATE EXCLUSIVE", f"ANALYZE {table} (embedding);")]
    assert "vestige-sql migrate abort" in before
    assert commit == "--     COMMIT" and "vestige-sql migrate reembed --model old --dimension 24" in after
    # What follows the transaction stands after COMMIT, and what keeps the old vectors says how to go back to them.
    rows = said(ReembedPlan(apply="swap", concurrent_index=True, keep_old=True))
    build = rows[rows.index("--     COMMIT") + 1]
    assert f"CREATE INDEX CONCURRENTLY {name}" in build and "  DROP INDEX CONCURRENTLY  " in build
    assert "vestige-sql migrate rollback" in rows[-1]
    assert sum("CREATE INDEX" in row for row in rows) == 1


def test_a_brief_script_leaves_out_what_explains(staged: str) -> None:
    long, brief = (script_staged(staged, brief=brief) for brief in (False, True))
    code = brief[brief.index("\\set") :]
    assert not re.search(r"^--", code, re.MULTILINE)
    assert 10 * len(code.splitlines()) < len(long.splitlines())
    # What changes the table is laid out as in its file.
    assert '\n    ALTER COLUMN "embedding" TYPE public.vector(32)\n    USING' in code
    assert code.count("INSERT INTO vestige_sql.step ") == long.count("INSERT INTO vestige_sql.step ")
    files = re.findall(r"^\\echo (sql/.*)$", long, re.MULTILINE)
    assert re.findall(r"^\\echo (sql/.*)$", brief, re.MULTILINE) == files


ODD = Target('app."Doc\'s -- ""x"" /* $$ ;\n\n  -- y"', "id", "the text", "embedding")


@pytest.fixture
def odd(db: str) -> str:
    """A staged database whose table has a name that is not to be read as anything else, triggers and two indexes."""
    with psycopg.connect(db, autocommit=True) as conn:
        conn.execute("CREATE SCHEMA app")
        conn.execute(
            f'CREATE TABLE {ODD.table} (id int PRIMARY KEY, "the text" text, embedding vector(24), at timestamptz);'  # type: ignore[arg-type]
            f"INSERT INTO {ODD.table} SELECT i, 'text ' || i FROM generate_series(1, 20) i;"
            f"CREATE INDEX one ON {ODD.table} USING hnsw (embedding vector_cosine_ops);"
            f"CREATE INDEX two ON {ODD.table} USING hnsw (embedding vector_l2_ops) WITH (m = 8) WHERE id > 3;"
            "COMMENT ON INDEX app.two IS 'it''s -- one';"
            "CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN NEW.at := now(); RETURN NEW; END $$;"
            f"CREATE TRIGGER touch BEFORE UPDATE ON {ODD.table} FOR EACH ROW EXECUTE FUNCTION app.touch();"
            f"ALTER TABLE {ODD.table} ENABLE ALWAYS TRIGGER touch;"
        )
    stage_reembed(db, NEW, target=ODD)
    return db


def dumped(conninfo: str, psql: Path) -> str:
    """What pg_dump says of the database, and the audit but for its times."""
    done = subprocess.run(
        [
            Path(psql).with_name("pg_dump"),
            *(f"--exclude-table-data=vestige_sql.{name}" for name in ("run", "step", "kept", "model")),
            conninfo,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if "server version mismatch" in done.stderr:
        pytest.skip("pg_dump is older than the server")
    assert done.returncode == 0, done.stderr
    times = "{id,started_at,finished_at,applied_at,kept_at,created_at,updated_at,duration_secs,index_secs}"
    order = {"run": "id", "step": "id", "kept": "run_id", "model": "table_name"}
    with psycopg.connect(conninfo) as conn:
        kept = [
            conn.execute(
                f"SELECT to_jsonb(x) - '{times}'::text[] FROM vestige_sql.{name} x ORDER BY {order[name]}"  # type: ignore[arg-type]
            ).fetchall()
            for name in order
        ]
    assert kept[0] and kept[1]
    # pg_dump writes two lines with a random word.
    return "\n".join(line for line in done.stdout.splitlines() if not re.match(r"\\(un)?restrict ", line)) + str(kept)


@pytest.mark.parametrize(
    ("plan", "plain"),
    [
        (ReembedPlan(apply="rewrite", concurrent_index=True, keep_old=True), False),
        (ReembedPlan(apply="widen"), False),
        (ReembedPlan(apply="swap", keep_old=True), False),
        (ReembedPlan(apply="swap"), True),
    ],
    ids=lambda value: getattr(value, "apply", "plain" if value else "psql"),
)
def test_a_brief_script_does_what_the_long_one_does(
    odd: str, copy_of: CopyOf, psql: Path, tmp_path: Path, plan: ReembedPlan, plain: bool
) -> None:
    another = copy_of(odd)
    script = tmp_path / "reembed.sql"
    found = []
    for conninfo, brief in ((odd, False), (another, True)):
        before = dumped(conninfo, psql)
        script.write_text(script_staged(conninfo, plan, target=ODD, plain=plain, brief=brief))
        run_psql(psql, conninfo, *(["-1"] if plain else []), "-f", str(script))
        found.append(dumped(conninfo, psql))
        assert found[-1] != before
        with psycopg.connect(conninfo) as conn:
            check_space(conn, NEW, ODD)
    assert found[0] == found[1]


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


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ("UPDATE knowledge_nodes SET content = 'another' WHERE content = 'memory number 3'", "no staged vector"),
        ("CREATE VIEW seen AS SELECT embedding FROM knowledge_nodes", "view public.seen"),
        (
            "CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not so'; END $$;"
            "CREATE EVENT TRIGGER no ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION no()",
            "not so",
        ),
    ],
    ids=["text", "view", "event trigger"],
)
def test_a_brief_script_refuses_what_the_long_one_refuses(
    staged: str, psql: Path, tmp_path: Path, change: str, refusal: str
) -> None:
    script = tmp_path / "reembed.sql"
    scripts = [script_staged(staged, brief=brief) for brief in (False, True)]
    with psycopg.connect(staged, autocommit=True) as conn:
        conn.execute(change)  # type: ignore[call-overload]
        before = rows(conn), catalog(conn), registered(conn)
        said = []
        for text in scripts:
            script.write_text(text)
            # The numbers of the lines differ.
            said.append(re.sub(r"(?m)^psql:[^:]*:\d+: ", "", run_psql(psql, staged, "-f", str(script), ok=False)))
            assert (rows(conn), catalog(conn), registered(conn)) == before
        errors = [[line for line in text.splitlines() if re.match(r"ERROR|HINT", line)] for text in said]
        assert errors[0] == errors[1]
        assert refusal in " ".join(errors[1])


def test_the_runner_finds_nothing_to_do_after_psql(staged: str, psql: Path, tmp_path: Path) -> None:
    script = tmp_path / "reembed.sql"
    script.write_text(script_staged(staged))
    run_psql(psql, staged, "-f", str(script))
    again = FakeEmbedder(NEW.model_name, NEW.dimension)
    assert run_reembed(staged, again).nothing_to_do
    assert again.calls == 0


# --- The manual's own commands ---

DOCUMENTS = Target("app.documents")


def blocks(heading: str) -> list[str]:
    """The commands of a section of sql/README.md, a text a block."""
    manual = (ROOT / "sql" / "README.md").read_text()
    section = re.search(rf"^### {re.escape(heading)}.*?\n(.*?)(?=^##)", manual, re.MULTILINE | re.DOTALL)
    assert section is not None
    return [re.sub("(?m)^    ", "", block) for block in re.findall(r"(?m)(?:^    .*\n)+", section[1])]


@pytest.fixture
def bash(tmp_path: Path, psql: Path) -> Callable[[str, str], str]:
    """Runs commands of the manual on a database, in the shell of its reader, and returns what they print."""
    tiny = build_tiny(tmp_path / "tiny", dimension=32)
    command = tmp_path / "bin" / "vestige-sql"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vestige_sql.cli "$@"\n')
    command.chmod(0o755)
    manual = (ROOT / "sql" / "README.md").read_text()
    functions = re.findall(r"(?m)^    (\w+\(\) \{.*(?:\n      .*)*\})$", manual)
    assert [function.partition("(")[0] for function in functions] == ["again"]

    def run(conninfo: str, commands: str) -> str:
        commands = commands.replace("MODEL", str(tiny)).replace("--dimension N", "--dimension 32")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join([*functions, commands])],
            cwd=ROOT,
            env=os.environ
            | {
                "PATH": os.pathsep.join([str(command.parent), str(Path(psql).parent), os.environ["PATH"]]),
                "DATABASE_URL": conninfo,
                "PYTHONPATH": str(ROOT),
                "HF_HUB_OFFLINE": "1",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def described(conninfo: str) -> dict[str, object]:
    """All that must be the same of app.documents, but for its vectors: what a run leaves, and how its audit ended."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        asked = {
            "registry": "SELECT model_name, dimension, model_hash FROM vestige_sql.model",
            "runs": "SELECT scope, state, from_name, to_name, rows_total, rows_written, rows_blank"
            "  FROM vestige_sql.run WHERE state <> 'aborted' ORDER BY id",
            "kept": "SELECT place, model_name, dimension, index_names FROM vestige_sql.kept",
            "saved": "SELECT * FROM vestige_sql.saved_index",
            "relations": "SELECT relname FROM pg_class WHERE relnamespace = 'vestige_sql'::regnamespace ORDER BY 1",
            "functions": "SELECT proname FROM pg_proc WHERE pronamespace = 'vestige_sql'::regnamespace ORDER BY 1",
        }
        found: dict[str, object] = {what: conn.execute(query).fetchall() for what, query in asked.items()}
        return found | {"catalog": catalog(conn, DOCUMENTS.table)}


def check_same(one: str, other: str) -> None:
    """Two databases are in the same state, and the vectors of app.documents are the same but for rounding."""
    assert described(one) == described(other)
    with psycopg.connect(one) as here, psycopg.connect(other) as there:
        mine, theirs = vectors(here, DOCUMENTS), vectors(there, DOCUMENTS)
    assert {key: text for key, (text, _) in mine.items()} == {key: text for key, (text, _) in theirs.items()}
    for key, (_, vector) in mine.items():
        expected = theirs[key][1]
        assert (vector is None) == (expected is None)
        assert vector is None or np.allclose(vector, expected, atol=1e-5)


def change(conninfo: str) -> None:
    """What an application does meanwhile."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute("UPDATE app.documents SET content = 'another', embedding = NULL WHERE id = 3")
        conn.execute("DELETE FROM app.documents WHERE id = 4")
        conn.execute("UPDATE app.documents SET content = ' ' WHERE id = 5")
        conn.execute("INSERT INTO app.documents VALUES (26, 'late')")


def test_online_by_the_manual(
    db: str, copy_of: CopyOf, psql: Path, bash: Callable[[str, str], str], tmp_path: Path
) -> None:
    with psycopg.connect(db, autocommit=True) as conn:
        conn.execute("CREATE SCHEMA app")
        conn.execute("CREATE TABLE app.documents (id int PRIMARY KEY, content text, embedding vector(24))")
        conn.execute("INSERT INTO app.documents SELECT i, 'document ' || i FROM generate_series(1, 25) AS i")
        conn.execute("COMMENT ON COLUMN app.documents.embedding IS 'what it means'")
    run_reembed(db, OLD, ReembedPlan(create_index=True), target=DOCUMENTS)
    _, prepare, fill, index, *rest = blocks("online")
    # Several batches.
    fill = fill.replace("batch_rows=500", "batch_rows=10")
    untouched = described(db)
    model = load_embedder(tmp_path / "tiny")
    stage_reembed(db, model, target=DOCUMENTS)

    runner = copy_of(undone := copy_of(db))
    bash(undone, prepare)
    bash(undone, fill)
    bash(undone, index)
    for block in blocks("Undo"):
        bash(undone, block)
    assert described(undone) == untouched

    change(runner)
    run_reembed(runner, model, ReembedPlan(online=True), target=DOCUMENTS)
    for block in (prepare, fill, index):
        bash(db, block)
    change(db)
    said = [bash(db, block) for block in rest]
    assert re.search(r"documents_embedding_hnsw \| reembed_\w+ +\| +1 \|", said[0]), "the recall of the new index"
    check_same(db, runner)

    # Nothing is switched under the name of a run that is open.
    with psycopg.connect(db, autocommit=True) as conn:
        conn.execute("INSERT INTO app.documents VALUES (99, 'later')")
        stage_reembed(db, model, target=DOCUMENTS)
        files_of_back = files("rollback-column")
        variables = ["-v", "target=app.documents", "-f", str(ROOT / "sql" / "variables.psql")]
        assert "a run is open on app.documents.embedding" in run_psql(
            psql, db, "-1", *variables, *files_of_back, ok=False
        )
        abort_reembed(db, target=DOCUMENTS)
        conn.execute("DELETE FROM app.documents WHERE id = 99")
    check_same(db, runner)

    back, let_go, back_from_table = blocks("Back, and for good")
    for there in (False, True):
        with psycopg.connect(db, autocommit=True) as here, psycopg.connect(runner, autocommit=True) as other:
            for conn in (here, other):
                conn.execute("UPDATE app.documents SET content = content || '!', embedding = NULL WHERE id = 7")
        bash(db, back)
        rollback(runner, target=DOCUMENTS)
        check_same(db, runner)
        assert there == (described(db)["registry"][0][1] == 32)  # type: ignore[index]
    bash(db, let_go)
    finalize(runner, target=DOCUMENTS)
    check_same(db, runner)

    # And where an offline run has kept them.
    for conninfo in (db, runner):
        run_reembed(conninfo, OLD, ReembedPlan(keep_old=True), target=DOCUMENTS)
    bash(db, back_from_table)
    rollback(runner, target=DOCUMENTS)
    finalize(runner, target=DOCUMENTS)
    check_same(db, runner)
