"""From a version to the next: a database as 0.1.0 left it, with runs under way, and what a database remembers."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pglast
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support import Conn, FakeEmbedder, Said, check_space, everything, index_definition, seed, typmod, vectors
from support.lint import squawk
from support.step_claims import faults
from support.vestige_sqlite import NEWEST, build, memories

from vestige_sql import (
    ReembedPlan,
    Target,
    abort_reembed,
    apply_reembed,
    apply_staged,
    dry_run_reembed,
    finalize,
    register_model,
    rollback,
    run_reembed,
    search,
    stage_reembed,
    steps,
)
from vestige_sql.database.migrations import Applied, migrate_up
from vestige_sql.encode.embedder import Vectors
from vestige_sql.errors import FilesChanged, ServerError, VersionMismatch, VestigeError
from vestige_sql.look.preview import preview
from vestige_sql.look.script import script_staged
from vestige_sql.look.status import status
from vestige_sql.look.target import ask_gate, probe_target
from vestige_sql.resources import package_version, resource_dir
from vestige_sql.steps import releases
from vestige_sql.vestige.copy import dry_run_copy

FIXTURE = Path(__file__).parents[1] / "data" / "upgrade" / "0.1.0.sql"


class AsItWas(FakeEmbedder):
    """The vectors that an application has which changes texts and leaves the vectors: those of the former texts."""

    def vector(self, text: str) -> Vectors:
        return super().vector(text.removesuffix(", changed"))


OLD, NEW = FakeEmbedder("old", 8), FakeEmbedder("new", 12)
PLAN = ReembedPlan(recall_sample=5)
ONLINE = ReembedPlan(online=True, recall_sample=5)

SQL = resource_dir("sql")
FUNCTIONS = sorted(path.stem for path in (SQL / "functions").glob("*.sql"))
_MADE = "".join(path.read_text("utf-8") for path in (resource_dir("migrations") / "reembed").glob("*_000[236]_*.sql"))
OF_MIGRATIONS = [name for name in FUNCTIONS if f"FUNCTION vestige_sql.{name}(" in _MADE]
"""Those that the migrations make too, with the texts of then."""


def documents(name: str) -> Target:
    return Target(f"app.{name}", "id", "body", "embedding")


def old() -> FakeEmbedder:
    return FakeEmbedder("old", 8)


def new() -> FakeEmbedder:
    return FakeEmbedder("new", 12)


@pytest.fixture
def released(empty_db: str, psql: str) -> str:
    """The conninfo of a database as version 0.1.0 left it."""
    command = [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", empty_db, "-f", FIXTURE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return empty_db


@pytest.fixture
def released_conn(released: str) -> Iterator[Conn]:
    with psycopg.connect(released, autocommit=True) as conn:
        yield conn


def one(conn: Conn, query: str, *values: object) -> Any:
    row = conn.execute(query, values).fetchone()  # type: ignore[arg-type]
    return row[0] if row else None


# --- What is out stays ---

FROZEN = {
    "5e283c8383a6aec8bd3f662c9b95560f32becf5c0bc49c05b4cda5d10d276244": "reembed/reembed_0001_schema.rollback.sql",
    "895e50385bee024d80c8ac040f4cf68bf6fd9247f2033877832538624e2525b3": "reembed/reembed_0001_schema.sql",
    "e4624dea0fb29aa23c4d04c702815b9dbab89b4b680dc381e44f13250891397a": "reembed/reembed_0002_functions.rollback.sql",
    "a314c3de755a71cc47ed2f79f615d7c02a8b900b1c1926415dc2a16df5e4f5f9": "reembed/reembed_0002_functions.sql",
    "af66609937dc4580f423f55e424b7ce01d794d35ab1795751add32e886710034": "reembed/reembed_0003_copy.rollback.sql",
    "9a4ae83e505fe0639ac965038aa768f626a52befd80ced1c9637ad5a17634908": "reembed/reembed_0003_copy.sql",
    "789e8bd94c4336727ad5aa13861757a6f665a9e7c560e1f2e8acdf634be158b2": "vestige/0001_init.rollback.sql",
    "f5000ca5271706b5225be6cb90c3e71a6460a0e02ce093be640b5b7215660639": "vestige/0001_init.sql",
    "fa5dcbff0c988ad2a086e733d239281ba0bed7564097cd8d6a046f776a1dd1d7": "vestige/0002_hnsw.rollback.sql",
    "48db75b1303e357d0cf164632e1a23bb7c1159837b31dd82c7e916eeb322309c": "vestige/0002_hnsw.sql",
}
"""Each migration that is out, below migrations/, by SHA-256."""

RELEASED = {
    "3a462b5ad7d897b22cd71c9fee92d9b1620455dcef58a9729c8fcb3a944c09c4": "0.1.0.sha256",
}
"""The list of the step files of each version that is out, below sql/released/, by SHA-256."""


@pytest.mark.parametrize(("sha256", "name"), FROZEN.items())
def test_a_migration_that_is_out_is_as_it_was(sha256: str, name: str) -> None:
    assert hashlib.sha256((resource_dir("migrations") / name).read_bytes()).hexdigest() == sha256, (
        f"{name} is out, and stays as it is: a change of the schema is a new migration"
    )


@pytest.mark.parametrize(("sha256", "name"), RELEASED.items())
def test_what_was_released_is_as_it_was(sha256: str, name: str) -> None:
    assert hashlib.sha256((SQL / "released" / name).read_bytes()).hexdigest() == sha256


def test_no_migration_is_out_of_the_list_but_the_newest() -> None:
    root = resource_dir("migrations")
    files = {path.relative_to(root).as_posix() for path in root.rglob("*.sql") if path.parent.name != "sqlite"}
    assert files - set(FROZEN.values()) == {
        "reembed/reembed_0004_version.sql",
        "reembed/reembed_0004_version.rollback.sql",
        "reembed/reembed_0005_identity.sql",
        "reembed/reembed_0005_identity.rollback.sql",
        "reembed/reembed_0006_writers.sql",
        "reembed/reembed_0006_writers.rollback.sql",
        "reembed/reembed_0008_encoder.sql",
        "reembed/reembed_0008_encoder.rollback.sql",
        "reembed/reembed_0011_bridge.sql",
        "reembed/reembed_0011_bridge.rollback.sql",
        "reembed/reembed_0012_worker.sql",
        "reembed/reembed_0012_worker.rollback.sql",
        "reembed/reembed_0013_judge.sql",
        "reembed/reembed_0013_judge.rollback.sql",
        "reembed/reembed_0016_partitions.sql",
        "reembed/reembed_0016_partitions.rollback.sql",
        "reembed/reembed_0015_rows.sql",
        "reembed/reembed_0015_rows.rollback.sql",
        "reembed/reembed_0014_expression.sql",
        "reembed/reembed_0014_expression.rollback.sql",
        "reembed/reembed_0019_more_writers.sql",
        "reembed/reembed_0019_more_writers.rollback.sql",
        "reembed/reembed_0009_encoding.sql",
        "reembed/reembed_0009_encoding.rollback.sql",
    }, "a migration that a release has is to be listed here with its hash"
    assert set(RELEASED.values()) == {path.name for path in (SQL / "released").glob("*.sha256")}


SINCE = sorted(
    path.stem
    for path in (resource_dir("migrations") / "reembed").glob("reembed_*.sql")
    if not path.name.endswith(".rollback.sql") and path.name > "reembed_0004"
)
"""The migrations of the package's own schema since 0.1.0."""


# --- Before migrate up ---

VERBS: dict[str, Callable[[str, Path], object]] = {
    "status": lambda db, _: status(db, target=documents("staged")),
    "probe": lambda db, _: probe_target(db, target=documents("staged")),
    "gate": lambda db, _: ask_gate(db, target=documents("staged")),
    "preview": lambda db, _: preview(db, sample=2, target=documents("staged")),
    "stage": lambda db, _: stage_reembed(db, new(), target=documents("half_staged")),
    "apply": lambda db, _: apply_staged(db, target=documents("staged")),
    "sql": lambda db, _: script_staged(db, target=documents("staged")),
    "reembed": lambda db, _: run_reembed(db, new()),
    "reembed --online": lambda db, _: run_reembed(db, new(), ONLINE, target=documents("filling")),
    "reembed --dry-run": lambda db, _: dry_run_reembed(db, new()),
    "register": lambda db, _: register_model(db, OLD.signature()),
    "abort": lambda db, _: abort_reembed(db, target=documents("staged")),
    "rollback": lambda db, _: rollback(db, target=documents("kept_table")),
    "finalize": lambda db, _: finalize(db, target=documents("kept_column")),
    "copy": lambda db, folder: dry_run_copy(db, build(folder / "vestige.db", NEWEST, memories(3))),
    "in a migration": lambda db, _: in_a_migration(db),
}
"""Every verb but ``up``, where there is something for it to do."""


def in_a_migration(db: str) -> None:
    with psycopg.connect(db) as conn:
        apply_reembed(conn, documents("staged"), expect=NEW.signature())


@pytest.mark.parametrize("verb", VERBS)
def test_a_database_that_is_older_says_so(released: str, released_conn: Conn, tmp_path: Path, verb: str) -> None:
    before = everything(released_conn)
    with pytest.raises(VersionMismatch, match=rf"is at version 0\.1\.0 of.*this is {package_version()}") as caught:
        VERBS[verb](released, tmp_path)
    assert "vestige-sql migrate up" in caught.value.hint
    assert everything(released_conn) == before


def test_a_search_on_the_command_line_says_so_and_that_of_an_application_goes_on(
    released: str, vestige: Callable[..., Said]
) -> None:
    said = vestige("search", "memory", "--mode", "text", "--postgres-url", released)
    assert said.code == 1
    assert "is at version 0.1.0" in said.err and "vestige-sql migrate up" in said.err
    assert search(released, "memory", old())


def test_on_the_command_line(released: str, vestige: Callable[..., Said]) -> None:
    status_of_runs = (
        "migrate",
        "status",
        "--table",
        "app.staged",
        "--content-column",
        "body",
        "--postgres-url",
        released,
    )
    said = vestige(*status_of_runs)
    assert said.code == 1
    assert "vestige-sql migrate up" in said.err
    said = vestige("migrate", "up", "--json", "--postgres-url", released)
    assert (said.code, said.answer["functions"]) == (0, FUNCTIONS)
    assert vestige(*status_of_runs).code == 0


# --- After it, each run to its end ---


@pytest.fixture
def upgraded(released: str, released_conn: Conn) -> str:
    done = migrate_up(released)
    assert done.applied == SINCE
    assert done.functions == FUNCTIONS
    assert one(released_conn, "SELECT version FROM vestige_sql.package") == package_version()
    return released


def check_done(
    conn: Conn, model: FakeEmbedder, name: str, index: str | None = None, method: str = "vector_l2_ops"
) -> None:
    """The column is in the space of the model, its index is there, and nothing is left of a run."""
    target = documents(name)
    check_space(conn, model, target)
    definition = index_definition(conn, index or f"{name}_hnsw")
    assert definition is not None and f"app.{name} USING hnsw (embedding {method})" in definition
    found = "SELECT (model_name, dimension, model_hash) = (%s, %s, %s) FROM vestige_sql.model WHERE table_name = %s"
    signature = model.signature()
    assert one(conn, found, signature.name, signature.dimension, signature.hash, name)
    assert one(conn, "SELECT count(*) FROM vestige_sql.saved_index WHERE table_name = %s", name) == 0
    left = "SELECT state FROM vestige_sql.run WHERE table_name = %s AND state NOT IN ('done', 'aborted')"
    assert one(conn, left, name) is None
    for kind in ("stage", "changed"):
        assert _there(conn, kind, name) == []


def _there(conn: Conn, kind: str, name: str) -> list[Any]:
    suffix = hashlib.sha256(f"app.{name}.embedding".encode()).hexdigest()[:16]
    return conn.execute("SELECT relname FROM pg_class WHERE relname = %s", (f"{kind}_{suffix}",)).fetchall()


def test_half_staged_of_vestiges_table(upgraded: str, released_conn: Conn) -> None:
    model = new()
    assert run_reembed(upgraded, model).run_id == 3
    # What version 0.1.0 staged is not encoded again.
    assert len(model.texts) == 4
    check_space(released_conn, NEW)
    assert "USING hnsw" in str(index_definition(released_conn))


def test_half_staged(upgraded: str, released_conn: Conn) -> None:
    model = new()
    stage_reembed(upgraded, model, target=documents("half_staged"))
    assert len(model.texts) == 4
    apply_staged(upgraded, target=documents("half_staged"))
    check_done(released_conn, NEW, "half_staged")


def test_staged(upgraded: str, released_conn: Conn) -> None:
    assert len(ask_gate(upgraded, target=documents("staged"))) > 3
    assert apply_staged(upgraded, target=documents("staged")).rows_updated == 9
    check_done(released_conn, NEW, "staged")


def test_staged_and_applied_in_a_migration(upgraded: str, released_conn: Conn) -> None:
    in_a_migration(upgraded)
    check_done(released_conn, NEW, "staged")


def test_staged_and_applied_by_the_script(upgraded: str, released_conn: Conn, psql: str) -> None:
    script = script_staged(upgraded, target=documents("staged"))
    done = subprocess.run([psql, "-X", "-d", upgraded], input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    check_done(released_conn, NEW, "staged")


@pytest.mark.parametrize("name", ["half_staged", "staged", "filling", "verified"])
def test_aborted(upgraded: str, released_conn: Conn, name: str) -> None:
    assert abort_reembed(upgraded, target=documents(name))
    check_done(released_conn, AsItWas("old", 8), name)


def test_rows_that_lack_a_vector(upgraded: str, released_conn: Conn) -> None:
    model = old()
    assert run_reembed(upgraded, model, PLAN, target=documents("lacking")).rows_updated == 6
    assert model.texts == []
    check_done(released_conn, OLD, "lacking")


def test_an_index_alone(upgraded: str, released_conn: Conn) -> None:
    assert run_reembed(upgraded, old(), PLAN, target=documents("unindexed")).way == "index"
    check_done(released_conn, OLD, "unindexed", "idx_unindexed_embedding_hnsw", "vector_cosine_ops")


@pytest.mark.parametrize("name", ["filling", "verified"])
def test_filling(upgraded: str, released_conn: Conn, name: str) -> None:
    model = new()
    assert run_reembed(upgraded, model, ONLINE, target=documents(name)).way == "online"
    # Those whose text changed after they were staged.
    assert sorted(model.texts) == [f"{name}, text 1, changed", f"{name}, text 7, changed"]
    check_done(released_conn, NEW, name)
    # Their former vectors were of other texts.
    assert rollback(upgraded, target=documents(name)).rows_missing == 2
    former = old()
    run_reembed(upgraded, former, target=documents(name))
    assert sorted(former.texts) == sorted(model.texts)
    check_done(released_conn, OLD, name)


@pytest.mark.parametrize("plan", [PLAN, ReembedPlan(concurrent_index=True)], ids=["locked", "concurrently"])
def test_applied_with_the_index_to_build(upgraded: str, released_conn: Conn, plan: ReembedPlan) -> None:
    model = new()
    assert run_reembed(upgraded, model, plan, target=documents("applied")).way == "index"
    assert model.texts == []
    check_done(released_conn, NEW, "applied")


def test_switched_with_something_to_clear_away(upgraded: str, released_conn: Conn) -> None:
    assert run_reembed(upgraded, new(), ONLINE, target=documents("switched")).nothing_to_do
    check_done(released_conn, NEW, "switched")
    finalize(upgraded, target=documents("switched"))
    assert one(released_conn, "SELECT count(*) FROM vestige_sql.kept WHERE table_name = 'switched'") == 0


@pytest.mark.parametrize("name", ["kept_table", "kept_column"])
def test_kept(upgraded: str, released_conn: Conn, name: str) -> None:
    check_done(released_conn, NEW, name)
    assert rollback(upgraded, target=documents(name)).rows_missing == 0
    check_done(released_conn, OLD, name)
    assert rollback(upgraded, target=documents(name)).model == NEW.signature()
    check_done(released_conn, NEW, name)
    report = finalize(upgraded, target=documents(name))
    assert report is not None and report.vectors == 9
    check_done(released_conn, NEW, name)


def test_gone_back_with_the_index_to_build(upgraded: str, released_conn: Conn) -> None:
    assert run_reembed(upgraded, old(), PLAN, target=documents("went_back")).way == "index"
    check_done(released_conn, OLD, "went_back")
    rollback(upgraded, target=documents("went_back"))
    check_done(released_conn, NEW, "went_back")


def test_all_one_after_another_and_the_schema_is_that_of_a_new_database(
    upgraded: str, released_conn: Conn, databases: Any, psql: str
) -> None:
    before = {name: vectors(released_conn, documents(name)) for name in ("kept_table", "applied")}
    run_reembed(upgraded, new())
    for name in ("half_staged", "staged", "filling", "verified", "applied", "switched"):
        plan = ONLINE if name in ("filling", "verified", "switched") else PLAN
        run_reembed(upgraded, new(), plan, target=documents(name))
        check_done(released_conn, NEW, name)
    for name in ("lacking", "unindexed", "went_back"):
        run_reembed(upgraded, old(), PLAN, target=documents(name))
    for name in ("filling", "verified", "switched", "kept_table", "kept_column", "went_back"):
        finalize(upgraded, target=documents(name))
    assert one(released_conn, "SELECT count(*) FROM vestige_sql.run WHERE state NOT IN ('done', 'aborted')") == 0
    assert {name: vectors(released_conn, documents(name)) for name in before} == before
    with databases() as fresh:
        assert schema(upgraded, psql) == schema(fresh, psql)


def schema(db: str, psql: str) -> str:
    """The definitions of all that is in the package's schema, grants included."""
    pg_dump = Path(psql).with_name("pg_dump")
    command = [pg_dump, "--schema-only", "--no-owner", "--schema", "vestige_sql", "-d", db]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "server version mismatch" in done.stderr:
        pytest.skip("pg_dump is older than the server")
    assert done.returncode == 0, done.stderr
    return re.sub(r"(?m)^\\(un)?restrict .*$", "", done.stdout)


# --- What a database remembers, against what is here ---


def remember(conn: Conn, version: str) -> None:
    conn.execute("UPDATE vestige_sql.package SET version = %s", (version,))  # type: ignore[arg-type]


def other(place: int, by: int) -> str:
    """This version with one of its numbers, from the left, changed by so much."""
    numbers = [int(number) for number in package_version().split(".")]
    numbers[place] += by
    return ".".join(map(str, numbers))


@pytest.mark.parametrize("version", [other(0, 1), other(1, 1), "0.10.0", f"{other(1, 8)}.dev3"])
def test_a_database_that_is_newer_says_so(db: str, conn: Conn, version: str) -> None:
    remember(conn, version)
    before = everything(conn)
    for what in (lambda: status(db), lambda: migrate_up(db), lambda: run_reembed(db, new())):
        with pytest.raises(VersionMismatch, match=rf"is at version {re.escape(version)} of.*and this is") as caught:
            what()
        assert f"pip install 'vestige-sql=={version}'" in caught.value.hint
        assert package_version() in str(caught.value)
    assert everything(conn) == before


@pytest.mark.parametrize("by", [1, 10])
def test_the_last_number_makes_no_difference(db: str, conn: Conn, by: int) -> None:
    seed(conn, 3, old())
    remember(conn, other(2, by))
    assert status(db)["phase"] == "at rest"
    run_reembed(db, new())
    check_space(conn, NEW)
    # unless something else is other too
    conn.execute("UPDATE vestige_sql.function_file SET sha256 = repeat('0', 64) WHERE name = 'set_model'")
    with pytest.raises(VersionMismatch, match="is at version") as caught:
        status(db)
    assert "pip install" in caught.value.hint


def test_another_minor_version_does(db: str, conn: Conn) -> None:
    remember(conn, other(1, -1))
    with pytest.raises(VersionMismatch, match="which is newer") as caught:
        status(db)
    assert "vestige-sql migrate up" in caught.value.hint
    assert migrate_up(db) == Applied([], {"0002_hnsw": migrate_up(db).waiting["0002_hnsw"]})
    assert one(conn, "SELECT version FROM vestige_sql.package") == package_version()


def test_migrations_alone_are_no_version(db: str, conn: Conn) -> None:
    conn.execute("DELETE FROM vestige_sql.package")
    with pytest.raises(VersionMismatch, match="is at no version") as caught:
        status(db)
    assert "vestige-sql migrate up" in caught.value.hint


def test_a_migration_that_is_not_there_is_told(db: str, conn: Conn) -> None:
    conn.execute("UPDATE vestige_sql.package SET last_migration = 'reembed_0003_copy'")
    with pytest.raises(VersionMismatch, match="differs in its migrations"):
        status(db)


def test_what_a_role_may_not_read_is_named_as_a_grant(db: str, conn: Conn) -> None:
    conn.execute("CREATE ROLE reader_of_versions LOGIN PASSWORD 'reader'")
    try:
        conn.execute("GRANT USAGE ON SCHEMA vestige_sql TO reader_of_versions")
        with pytest.raises(VestigeError, match="lacks rights") as caught:
            status(make_conninfo(db, user="reader_of_versions", password="reader"))
        assert "GRANT SELECT ON vestige_sql.package TO reader_of_versions" in caught.value.hint
        assert "GRANT SELECT ON vestige_sql.function_file TO reader_of_versions" in caught.value.hint
    finally:
        conn.execute("DROP OWNED BY reader_of_versions; DROP ROLE reader_of_versions")


# --- Functions ---


@pytest.fixture
def doctored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of sql/ that the package takes for its own."""
    shutil.copytree(SQL, tmp_path / "sql")
    for module in ("files", "releases"):
        monkeypatch.setattr(f"vestige_sql.steps.{module}.resource_dir", lambda name: tmp_path / name)
    return tmp_path / "sql"


def edit(path: Path, old_text: str, new_text: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old_text in text
    path.write_text(text.replace(old_text, new_text), encoding="utf-8")


def answer(conn: Conn) -> str:
    return str(one(conn, "SELECT vestige_sql.complaint('a', 'number', 'x')"))


def test_a_function_with_another_text_is_applied_again_and_no_other(db: str, conn: Conn, doctored: Path) -> None:
    assert answer(conn) == "a is no number: 'x'"
    edit(doctored / "functions" / "complaint.sql", "'%s is no %s: %s'", "'%s is not a %s: %s'")
    with pytest.raises(VersionMismatch, match=r"as this is, and differs in complaint(\n|$)") as caught:
        status(db)
    assert "vestige-sql migrate up" in caught.value.hint
    was = dict(conn.execute("SELECT name, applied_at FROM vestige_sql.function_file").fetchall())
    assert migrate_up(db).functions == ["complaint"]
    now = dict(conn.execute("SELECT name, applied_at FROM vestige_sql.function_file").fetchall())
    assert [name for name in now if now[name] != was[name]] == ["complaint"]
    assert answer(conn) == "a is not a number: 'x'"
    assert migrate_up(db).functions == []
    status(db)


def test_a_function_that_is_new_is_nobodys_to_call(db: str, conn: Conn, doctored: Path) -> None:
    text = (doctored / "functions" / "complaint.sql").read_text(encoding="utf-8")
    (doctored / "functions" / "lament.sql").write_text(text.replace("complaint", "lament"), encoding="utf-8")
    assert migrate_up(db).functions == ["lament"]
    for role in ("PUBLIC", "pg_monitor"):
        assert not one(
            conn, f"SELECT has_function_privilege('{role.lower()}', 'vestige_sql.lament(text, text, text)', 'EXECUTE')"
        )


def test_a_function_without_a_file_is_dropped(db: str, conn: Conn, doctored: Path) -> None:
    (doctored / "functions" / "complaint.sql").unlink()
    conn.execute("CREATE FUNCTION vestige_sql.of_somebody_else() RETURNS integer RETURN 1")
    with pytest.raises(VersionMismatch, match=r"differs in complaint(\n|$)"):
        status(db)
    assert migrate_up(db).functions == []
    assert one(conn, "SELECT to_regproc('vestige_sql.complaint')") is None
    assert one(conn, "SELECT count(*) FROM vestige_sql.function_file WHERE name = 'complaint'") == 0
    assert one(conn, "SELECT vestige_sql.of_somebody_else()") == 1
    status(db)


def test_what_depends_on_a_function_stops_its_drop_and_all_else(db: str, conn: Conn, doctored: Path) -> None:
    conn.execute("CREATE VIEW mine AS SELECT vestige_sql.complaint('a', 'b', 'c') AS said")
    (doctored / "functions" / "complaint.sql").unlink()
    edit(doctored / "functions" / "set_model.sql", "BEGIN", "BEGIN -- anew")
    before = everything(conn)
    with pytest.raises(ServerError, match=r"upgrade/10_drop_gone.sql.*other objects depend on it"):
        migrate_up(db)
    assert everything(conn) == before


def test_a_function_that_cannot_be_made_leaves_all_as_it_was(db: str, conn: Conn, doctored: Path) -> None:
    edit(doctored / "functions" / "complaint.sql", "'%s is no %s: %s'", "'%s is not a %s: %s'")
    edit(doctored / "functions" / "set_model.sql", "RETURNS void", "RETURNS integer")
    with pytest.raises(ServerError, match=r"functions/set_model.sql: cannot change return type"):
        migrate_up(db)
    assert answer(conn) == "a is no number: 'x'"
    with pytest.raises(VersionMismatch, match="differs in complaint, set_model"):
        status(db)


def test_a_function_that_was_lost_is_made_again(db: str, conn: Conn) -> None:
    conn.execute("DROP FUNCTION vestige_sql.complaint")
    assert migrate_up(db).functions == ["complaint"]


def test_functions_of_another_owner_are_an_error_that_says_whose_turn_it_is(db: str, conn: Conn) -> None:
    conn.execute("CREATE ROLE not_the_owner LOGIN PASSWORD 'not'")
    try:
        conn.execute("GRANT ALL ON SCHEMA public, vestige_sql TO not_the_owner")
        conn.execute("GRANT ALL ON ALL TABLES IN SCHEMA public, vestige_sql TO not_the_owner")
        conn.execute("UPDATE vestige_sql.function_file SET sha256 = NULL WHERE name = 'complaint'")
        with pytest.raises(
            ServerError, match=r"functions/complaint.sql: must be owner of function complaint"
        ) as caught:
            migrate_up(make_conninfo(db, user="not_the_owner", password="not"))
        assert "as the role that owns" in caught.value.hint
    finally:
        conn.execute("DROP OWNED BY not_the_owner; DROP ROLE not_the_owner")


def test_migrations_that_ran_once_more_have_every_function_made_again(db: str, conn: Conn) -> None:
    """They make functions with the texts of then."""
    for name in ("reembed_0002_functions", "reembed_0003_copy", *SINCE):
        conn.execute((resource_dir("migrations") / "reembed" / f"{name}.sql").read_text(encoding="utf-8"))  # type: ignore[arg-type]
    assert len(OF_MIGRATIONS) > 20
    assert migrate_up(db).functions == OF_MIGRATIONS


def test_rolled_back_and_applied_again(db: str, conn: Conn, doctored: Path) -> None:
    text = (doctored / "functions" / "complaint.sql").read_text(encoding="utf-8")
    (doctored / "functions" / "lament.sql").write_text(text.replace("complaint", "lament"), encoding="utf-8")
    migrate_up(db)
    folder = resource_dir("migrations") / "reembed"
    for name in reversed(SINCE):
        conn.execute((folder / f"{name}.rollback.sql").read_text(encoding="utf-8"))  # type: ignore[arg-type]
    assert one(conn, "SELECT to_regproc('vestige_sql.lament')") is None
    assert one(conn, "SELECT to_regproc('vestige_sql.complaint')") is not None
    conn.execute("DELETE FROM _yoyo_migration WHERE migration_id = ANY (%s)", (SINCE,))
    with pytest.raises(VersionMismatch, match=r"is at version 0\.1\.0"):
        status(db)
    done = migrate_up(db)
    assert (done.applied, done.functions) == (SINCE, sorted([*FUNCTIONS, "lament"]))


def test_by_hand(empty_db: str, psql: str) -> None:
    """psql alone, with the command of sql/README.md."""
    root = SQL.parent
    with psycopg.connect(empty_db, autocommit=True) as conn:
        for path in sorted((root / "migrations" / "reembed").glob("*.sql")):
            if not path.name.endswith(".rollback.sql"):
                conn.execute(path.read_text(encoding="utf-8"))  # type: ignore[arg-type]
        readme = (SQL / "README.md").read_text(encoding="utf-8")
        (command,) = re.findall(r"^    (psql .*function_files(?:.*\\\n)+.*\$\(sql/plan up\))$", readme, re.MULTILINE)
        command = command.replace("vestige-sql --version", f"{sys.executable} -m vestige_sql.cli --version")
        command = re.sub(r"^psql", psql, command)
        for _ in range(2):
            done = subprocess.run(
                ["bash", "-ec", command],
                cwd=root, env={"DATABASE_URL": empty_db, "PATH": "/usr/bin:/bin", "PYTHONPATH": str(root)},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
        assert one(conn, "SELECT version FROM vestige_sql.package") == package_version()
        conn.execute("CREATE TABLE documents (id bigint PRIMARY KEY, body text, embedding vector(8))")
        target = Target("documents", "id", "body", "embedding")
        run_reembed(empty_db, new(), target=target)
        assert typmod(conn, target) == NEW.dimension
    # yoyo's books do not have what another hand did, so that it is done once more.
    assert migrate_up(empty_db, vestige=False).functions == OF_MIGRATIONS
    assert migrate_up(empty_db, vestige=False).functions == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_file_makes_the_function_that_it_is_named_after(name: str) -> None:
    step = steps.load(f"functions/{name}.sql")
    assert faults(step) == []
    *before, made, revoked = (statement.stmt for statement in pglast.parse_sql(step.text))
    assert isinstance(made, pglast.ast.CreateFunctionStmt) and made.replace
    assert [part.sval for part in made.funcname] == ["vestige_sql", name]
    assert isinstance(revoked, pglast.ast.GrantStmt) and not revoked.is_grant
    assert [[part.sval for part in named.objname] for named in revoked.objects] == [["vestige_sql", name]]
    for statement in before:
        assert isinstance(statement, pglast.ast.DropStmt) and statement.missing_ok
        assert [[part.sval for part in named.objname] for named in statement.objects] == [["vestige_sql", name]]


def test_the_functions_pass_squawk(tmp_path: Path) -> None:
    limits = "SET statement_timeout = 0;\nSET lock_timeout = '2s';\n"
    texts = {name: limits + steps.load(f"functions/{name}.sql").text for name in FUNCTIONS}
    assert squawk(tmp_path / "squawk", texts, "--assume-in-transaction") == {}


def test_functions_bring_the_same_again(db: str, conn: Conn) -> None:
    """As each header says: no lock on any table but the package's own, and the same the second time."""
    before = conn.execute(
        "SELECT oid, proname, proacl::text, pg_get_functiondef(oid) FROM pg_proc"
        " WHERE pronamespace = 'vestige_sql'::regnamespace ORDER BY 2"
    ).fetchall()
    with conn.transaction():
        for name in FUNCTIONS:
            steps.run(conn, steps.load(f"functions/{name}.sql"), {})
        locks = conn.execute(
            "SELECT relation::regclass::text, mode FROM pg_locks JOIN pg_class c ON c.oid = relation"
            " WHERE pid = pg_backend_pid()"
            " AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'pg_toast', 'vestige_sql')"
        ).fetchall()
    assert locks == []
    assert (
        before
        == conn.execute(
            "SELECT oid, proname, proacl::text, pg_get_functiondef(oid) FROM pg_proc"
            " WHERE pronamespace = 'vestige_sql'::regnamespace ORDER BY 2"
        ).fetchall()
    )


# --- Step files that moved, were edited or dropped ---

PAGE = "stage/page.sql"


def restage(db: str) -> FakeEmbedder:
    model = new()
    run_reembed(db, model, PLAN, target=documents("half_staged"))
    return model


def move(folder: Path, old_name: str, new_name: str | None) -> None:
    """Have a file in another place, or none, as a release would."""
    text = (folder / old_name).read_text(encoding="utf-8")
    if new_name is not None:
        (folder / new_name).parent.mkdir(exist_ok=True)
        (folder / new_name).write_text(text, encoding="utf-8")
    (folder / old_name).unlink()
    with (folder / "released" / "moved").open("a", encoding="utf-8") as moved:
        moved.write(f"sql/{old_name} {f'sql/{new_name}' if new_name else '-'}\n")
    releases._moved.cache_clear()


# Once staged, no run comes to it again.
UNUSED = "stage/create/20_describe_staging_table.sql"


@pytest.mark.parametrize("place", ["stage/describe.sql", None], ids=["moved", "dropped"])
def test_a_released_file_may_move_and_change_and_go(
    upgraded: str, released_conn: Conn, doctored: Path, place: str | None
) -> None:
    if place:
        edit(doctored / UNUSED, "\n\n", "\n\n-- edited\n")
    move(doctored, UNUSED, place)
    assert len(restage(upgraded).texts) == 4
    check_done(released_conn, NEW, "half_staged")


def test_a_file_that_was_edited_before_the_upgrade_is_refused(upgraded: str, released_conn: Conn) -> None:
    released_conn.execute("UPDATE vestige_sql.step SET sha256 = repeat('a', 64) WHERE file = %s", (PAGE,))
    with pytest.raises(FilesChanged, match=rf"by other step files: sql/{PAGE}(\n|$)") as caught:
        restage(upgraded)
    assert "vestige-sql 0.1.0" in caught.value.hint
    check_space(released_conn, OLD, documents("half_staged"))
    run_reembed(
        upgraded, new(), ReembedPlan(recall_sample=5, accept_edited_files=True), target=documents("half_staged")
    )
    check_done(released_conn, NEW, "half_staged")


def test_a_file_of_this_version_that_was_edited_is_refused(upgraded: str, released_conn: Conn, doctored: Path) -> None:
    """Though a release had the bytes that the run has run: this is no upgrade."""
    released_conn.execute("UPDATE vestige_sql.run SET package_version = %s", (package_version(),))
    edit(doctored / PAGE, "\n\n", "\n\n-- edited\n")
    with pytest.raises(FilesChanged, match=f"sql/{PAGE}"):
        restage(upgraded)


@pytest.mark.parametrize("places", [["stage/read.sql"], ["stage/a.sql", "read/b.sql"]], ids=["once", "twice"])
def test_a_file_that_moved_with_its_bytes_is_unedited(doctored: Path, places: list[str]) -> None:
    sha256 = steps.load(PAGE).sha256
    assert releases.is_unedited(PAGE, sha256, package_version())
    name = PAGE
    for place in places:
        move(doctored, name, place)
        name = place
    assert releases.today_of(PAGE) == places[-1]
    assert releases.is_unedited(PAGE, sha256, package_version())
    edit(doctored / places[-1], "\n\n", "\n\n-- edited\n")
    assert not releases.is_unedited(PAGE, sha256, package_version())


def test_a_file_that_was_dropped_is_unedited_only_as_released(doctored: Path) -> None:
    (sha256,) = re.findall(rf"(?m)^(\w+)  sql/{PAGE}$", (doctored / "released" / "0.1.0.sha256").read_text("utf-8"))
    move(doctored, PAGE, None)
    assert releases.is_unedited(PAGE, sha256, "0.1.0")
    assert not releases.is_unedited(PAGE, "0" * 64, "0.1.0")
    assert not releases.is_unedited(PAGE, sha256, "0.0.9")
    assert not releases.is_unedited(PAGE, sha256, package_version())


def test_a_circle_of_moves_is_an_error(doctored: Path) -> None:
    (doctored / "released" / "moved").write_text("sql/a.sql sql/b.sql\nsql/b.sql sql/a.sql\n", encoding="utf-8")
    with pytest.raises(ValueError, match="in a circle"):
        releases.today_of("a.sql")


def test_every_file_that_was_released_is_somewhere_or_said_to_be_gone() -> None:
    lines = (SQL / "released" / "0.1.0.sha256").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 230
    for line in lines:
        file = line.split("  ", 1)[1].removeprefix("sql/")
        today = releases.today_of(file)
        assert today is None or (SQL / today).is_file(), f"sql/{file} is gone: sql/released/moved is to say where to"


def test_the_fixture_has_run_released_files_alone(released_conn: Conn) -> None:
    ran = released_conn.execute("SELECT DISTINCT file, sha256 FROM vestige_sql.step").fetchall()
    assert len(ran) > 80
    assert [file for file, sha256 in ran if not releases.is_unedited(file, sha256, "0.1.0")] == []
