"""The migrations: what they make, by whichever command, and that an interrupted run can be run again."""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from vestige_sql.database.migrations import Applied, migrate_up
from vestige_sql.errors import ServerError, UsageError
from vestige_sql.resources import resource_dir

VESTIGE = str(resource_dir("migrations") / "vestige")
REEMBED = str(resource_dir("migrations") / "reembed")
LOCAL_USER = "00000000-0000-0000-0000-000000000001"

# Of every column: type, "not null" or nothing, default.
COLUMNS = {
    "users": """
        id uuid not null gen_random_uuid()
        handle text not null
        display_name text
        created_at timestamptz not null now()
        metadata jsonb not null '{}'::jsonb
    """,
    "groups": """
        id uuid not null gen_random_uuid()
        handle text not null
        display_name text
        created_at timestamptz not null now()
        metadata jsonb not null '{}'::jsonb
    """,
    "group_memberships": """
        user_id uuid not null
        group_id uuid not null
        role text not null 'member'::text
        joined_at timestamptz not null now()
    """,
    "embedding_model": """
        id integer not null 1
        model_name text not null
        dimension integer not null
        model_hash text not null
        created_at timestamptz not null now()
        updated_at timestamptz not null now()
    """,
    "domains": """
        id text not null
        label text not null
        centroid vector
        top_terms text[] not null '{}'::text[]
        memory_count integer not null 0
        created_at timestamptz not null now()
        metadata jsonb not null '{}'::jsonb
    """,
    "knowledge_nodes": """
        id uuid not null gen_random_uuid()
        content text not null
        node_type text not null 'general'::text
        tags text[] not null '{}'::text[]
        metadata jsonb not null '{}'::jsonb
        domains text[] not null '{}'::text[]
        domain_scores jsonb not null '{}'::jsonb
        embedding vector
        codebase text
        owner_user_id uuid not null '00000000-0000-0000-0000-000000000001'::uuid
        visibility text not null 'private'::text
        shared_with_groups uuid[] not null '{}'::uuid[]
        created_at timestamptz not null now()
        updated_at timestamptz not null now()
        search_vec tsvector stored
    """,
    "scheduling": """
        memory_id uuid not null
        stability double precision
        difficulty double precision
        retrievability double precision
        last_review timestamptz
        next_review timestamptz
        reps integer not null 0
        lapses integer not null 0
    """,
    "edges": """
        source_id uuid not null
        target_id uuid not null
        edge_type text not null 'related'::text
        weight double precision not null 1.0
        created_at timestamptz not null now()
    """,
    "review_events": """
        id bigint not null nextval('review_events_id_seq'::regclass)
        memory_id uuid not null
        timestamp timestamptz not null now()
        rating smallint not null
        prior_state jsonb
        new_state jsonb
    """,
}

CONSTRAINTS = {
    "users: PRIMARY KEY (id)",
    "users: UNIQUE (handle)",
    "groups: PRIMARY KEY (id)",
    "groups: UNIQUE (handle)",
    "group_memberships: PRIMARY KEY (user_id, group_id)",
    "group_memberships: FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE",
    "group_memberships: FOREIGN KEY (group_id) REFERENCES groups(id) ON DELETE CASCADE",
    "group_memberships: CHECK ((role = ANY (ARRAY['member'::text, 'admin'::text])))",
    "embedding_model: PRIMARY KEY (id)",
    "embedding_model: CHECK ((id = 1))",
    "embedding_model: CHECK ((dimension > 0))",
    "domains: PRIMARY KEY (id)",
    "knowledge_nodes: PRIMARY KEY (id)",
    "knowledge_nodes: FOREIGN KEY (owner_user_id) REFERENCES users(id)",
    "knowledge_nodes: CHECK ((visibility = ANY (ARRAY['private'::text, 'group'::text, 'public'::text])))",
    "scheduling: PRIMARY KEY (memory_id)",
    "scheduling: FOREIGN KEY (memory_id) REFERENCES knowledge_nodes(id) ON DELETE CASCADE",
    "edges: PRIMARY KEY (source_id, target_id, edge_type)",
    "edges: FOREIGN KEY (source_id) REFERENCES knowledge_nodes(id) ON DELETE CASCADE",
    "edges: FOREIGN KEY (target_id) REFERENCES knowledge_nodes(id) ON DELETE CASCADE",
    "review_events: PRIMARY KEY (id)",
    "review_events: FOREIGN KEY (memory_id) REFERENCES knowledge_nodes(id) ON DELETE CASCADE",
}

INDEXES = {
    "knowledge_nodes USING gin (search_vec)",
    "knowledge_nodes USING gin (domains)",
    "knowledge_nodes USING gin (tags)",
    "knowledge_nodes USING gin (shared_with_groups)",
    "knowledge_nodes USING btree (node_type)",
    "knowledge_nodes USING btree (created_at)",
    "knowledge_nodes USING btree (updated_at)",
    "knowledge_nodes USING btree (owner_user_id)",
    "knowledge_nodes USING btree (codebase) WHERE (codebase IS NOT NULL)",
    "scheduling USING btree (next_review)",
    "scheduling USING btree (last_review)",
    "edges USING btree (target_id)",
    "edges USING btree (source_id)",
    "edges USING btree (edge_type)",
    "review_events USING btree (memory_id)",
    'review_events USING btree ("timestamp")',
}

HNSW = "knowledge_nodes USING hnsw (embedding vector_cosine_ops) WITH (m='16', ef_construction='64')"


def rows(conninfo: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(conninfo, autocommit=True) as conn:
        cursor = conn.execute(query, values)
        return cursor.fetchall() if cursor.description else []


def columns(conninfo: str) -> dict[str, str]:
    described = rows(
        conninfo,
        """
        SELECT relname,
               string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod),
                                    CASE WHEN attnotnull THEN 'not null' END,
                                    CASE attgenerated WHEN 's' THEN 'stored'
                                                      ELSE pg_get_expr(adbin, adrelid) END),
                          E'\n' ORDER BY attnum)
          FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped
          LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
         WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND relname !~ 'yoyo'
         GROUP BY relname
        """,
    )
    return {name: text.replace("timestamp with time zone", "timestamptz") for name, text in described}


def constraints(conninfo: str) -> set[str]:
    # 18 keeps NOT NULL here too; the columns have it already.
    found = rows(
        conninfo,
        """
        SELECT conrelid::regclass || ': ' || pg_get_constraintdef(oid)
          FROM pg_constraint
         WHERE connamespace = current_schema()::regnamespace AND contype <> 'n'
           AND conrelid::regclass::text !~ 'yoyo'
        """,
    )
    return {row[0] for row in found}


def indexes(conninfo: str) -> set[str]:
    """Those that no constraint made."""
    found = rows(
        conninfo,
        """
        SELECT regexp_replace(pg_get_indexdef(indexrelid), '^CREATE INDEX \\S+ ON (\\S+\\.)?', '')
          FROM pg_index
          JOIN pg_class c ON c.oid = indrelid AND relnamespace = current_schema()::regnamespace
         WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
        """,
    )
    return {row[0] for row in found}


def tables(conninfo: str) -> set[str]:
    return set(columns(conninfo))


def has_the_schema(conninfo: str) -> bool:
    expected = {
        table: "\n".join(" ".join(line.split()) for line in text.strip().splitlines())
        for table, text in COLUMNS.items()
    }
    assert columns(conninfo) == expected
    assert constraints(conninfo) == CONSTRAINTS
    assert indexes(conninfo) - {HNSW} == INDEXES
    assert rows(conninfo, "SELECT id::text, handle FROM users") == [(LOCAL_USER, "local")]
    return True


def set_dimension(conninfo: str, dimension: int) -> None:
    rows(conninfo, f"ALTER TABLE knowledge_nodes ALTER COLUMN embedding TYPE vector({dimension})")


def yoyo(conninfo: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the stock command."""
    parts = conninfo_to_dict(conninfo)
    database = parts.pop("dbname")
    url = f"postgresql+psycopg:///{database}?{urlencode(parts)}"
    command, *rest = arguments
    return subprocess.run(
        [sys.executable, "-m", "yoyo", command, "--batch", "--no-config-file", "--database", url, *rest],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def up_in_a_process(conninfo: str) -> subprocess.Popen[str]:
    program = (
        "import json, sys; from vestige_sql.migrate import migrate_up;"
        " print(json.dumps(migrate_up(sys.argv[1]).applied))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, conninfo],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(conninfo: str, condition: str) -> int:
    """Wait for a session of this database that meets ``condition``, and return its pid."""
    query = f"SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND {condition}"
    for _ in range(200):
        if found := rows(conninfo, query):
            return int(found[0][0])
        time.sleep(0.05)
    raise AssertionError(f"no session came to {condition}")


# What they make


def test_the_schema_is_that_of_the_contract(empty_db: str, capsys: pytest.CaptureFixture[str]) -> None:
    done = migrate_up(empty_db)
    assert done.applied[0] == "0001_init"
    assert list(done.waiting) == ["0002_hnsw"]
    assert has_the_schema(empty_db)
    # Standard output is for JSON, and yoyo would print what a SELECT returns.
    assert capsys.readouterr() == ("", "")


def test_a_second_run_has_nothing_to_do(empty_db: str) -> None:
    migrate_up(empty_db)
    assert migrate_up(empty_db).applied == []


def test_tables_of_another_making_need_only_our_own_schema(empty_db: str) -> None:
    done = migrate_up(empty_db, vestige=False)
    assert done.applied and all(name.startswith("reembed_") for name in done.applied)
    assert done.waiting == {}
    assert tables(empty_db) == set()
    assert "0001_init" in migrate_up(empty_db).applied


def test_a_user_without_a_name_may_migrate(empty_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers run under numbers that no passwd file knows."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)

    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    migrate_up(empty_db)
    assert rows(empty_db, "SELECT DISTINCT username FROM _yoyo_log") == [(f"uid {os.getuid()}",)]
    assert "LOGNAME" not in os.environ


def test_it_goes_where_search_path_says(empty_db: str) -> None:
    rows(empty_db, "CREATE SCHEMA memory")
    there = make_conninfo(empty_db, options="-c search_path=memory,public")
    migrate_up(there)
    assert has_the_schema(there)
    assert rows(empty_db, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [(0,)]


def test_an_update_sets_updated_at(conn: psycopg.Connection) -> None:
    conn.execute("INSERT INTO knowledge_nodes (content, updated_at) VALUES ('a', 'yesterday'), ('b', 'yesterday')")
    conn.execute("UPDATE knowledge_nodes SET content = 'c' WHERE content = 'a'")
    changed = conn.execute("SELECT content FROM knowledge_nodes WHERE updated_at > 'today'").fetchall()
    assert changed == [("c",)]


def test_deleting_a_memory_takes_what_hangs_on_it(conn: psycopg.Connection) -> None:
    conn.execute(
        """
        WITH a AS (INSERT INTO knowledge_nodes (content) VALUES ('a') RETURNING id),
             b AS (INSERT INTO knowledge_nodes (content) VALUES ('b') RETURNING id),
             s AS (INSERT INTO scheduling (memory_id) SELECT id FROM a),
             r AS (INSERT INTO review_events (memory_id, rating) SELECT id, 3 FROM a)
        INSERT INTO edges (source_id, target_id)
        SELECT a.id, b.id FROM a, b UNION ALL SELECT b.id, a.id FROM a, b UNION ALL SELECT b.id, b.id FROM b
        """
    )
    conn.execute("DELETE FROM knowledge_nodes WHERE content = 'a'")
    left = conn.execute(
        "SELECT (SELECT count(*) FROM scheduling), (SELECT count(*) FROM review_events),"
        "       (SELECT count(*) FROM edges)"
    ).fetchone()
    assert left == (0, 0, 1)


def test_deleting_a_user_or_a_group_ends_the_membership(conn: psycopg.Connection) -> None:
    conn.execute("INSERT INTO users (handle) VALUES ('ann'), ('bob')")
    conn.execute("INSERT INTO groups (handle) VALUES ('g'), ('h')")
    conn.execute(
        "INSERT INTO group_memberships (user_id, group_id)"
        " SELECT u.id, g.id FROM users u, groups g WHERE u.handle IN ('ann', 'bob')"
    )
    conn.execute("DELETE FROM users WHERE handle = 'ann'")
    conn.execute("DELETE FROM groups WHERE handle = 'g'")
    left = conn.execute(
        "SELECT u.handle, g.handle FROM group_memberships"
        "  JOIN users u ON u.id = user_id JOIN groups g ON g.id = group_id"
    ).fetchall()
    assert left == [("bob", "h")]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO embedding_model (id, model_name, dimension, model_hash) VALUES (2, 'm', 3, 'h')",
        "INSERT INTO embedding_model (model_name, dimension, model_hash) VALUES ('m', 0, 'h')",
        "INSERT INTO knowledge_nodes (content, visibility) VALUES ('a', 'secret')",
        "INSERT INTO group_memberships (user_id, group_id, role) SELECT u.id, g.id, 'boss' FROM users u, groups g",
    ],
)
def test_what_must_not_be_is_refused(conn: psycopg.Connection, statement: str) -> None:
    conn.execute("INSERT INTO groups (handle) VALUES ('g')")
    with pytest.raises(psycopg.errors.CheckViolation):
        conn.execute(statement)


def test_search_weighs_content_over_type_over_tags(conn: psycopg.Connection) -> None:
    conn.execute(
        "INSERT INTO knowledge_nodes (content, node_type, tags) VALUES"
        " ('running', 'x', '{}'), ('x', 'running', '{}'), ('x', 'x', '{other,running}'), ('x', 'x', '{}')"
    )
    ranked = conn.execute(
        "SELECT content, node_type FROM knowledge_nodes, to_tsquery('english', 'runs') AS q"
        " WHERE search_vec @@ q ORDER BY ts_rank(search_vec, q) DESC"
    ).fetchall()
    assert ranked == [("running", "x"), ("x", "running"), ("x", "x")]


def test_a_dump_can_be_restored(db: str, empty_db: str, psql: str) -> None:
    """Generated columns that call functions are where restores fail, for their search_path is empty."""
    rows(db, "INSERT INTO knowledge_nodes (content, tags) VALUES ('a', '{b,c}')")
    pg_dump = Path(psql).with_name("pg_dump")
    dump = subprocess.run([pg_dump, "--dbname", db], capture_output=True, text=True, check=False)
    if "server version mismatch" in dump.stderr:
        pytest.skip("pg_dump is older than the server")
    assert dump.returncode == 0, dump.stderr
    restore = [psql, "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", empty_db]
    # Of a newer pg_dump, which an older server need not know.
    script = re.sub(r"(?m)^SET transaction_timeout = 0;$", "", dump.stdout)
    restored = subprocess.run(restore, input=script, capture_output=True, text=True, check=False)
    assert restored.returncode == 0, restored.stderr
    assert has_the_schema(empty_db)
    assert rows(empty_db, "SELECT search_vec::text FROM knowledge_nodes") == [("'b':2C 'c':3C 'general':1B",)]


# The index


def test_the_index_comes_once_there_is_a_dimension(db: str) -> None:
    waiting = migrate_up(db).waiting
    assert "no dimension yet" in waiting["0002_hnsw"]
    assert "vestige-sql migrate register" in waiting["0002_hnsw"]
    set_dimension(db, 8)
    assert migrate_up(db) == Applied(["0002_hnsw"], {})
    assert HNSW in indexes(db)


def test_above_2000_dimensions_it_waits_and_says_so(db: str) -> None:
    set_dimension(db, 2001)
    waiting = migrate_up(db).waiting["0002_hnsw"]
    assert "has 2001 dimensions" in waiting and "halfvec" in waiting
    assert migrate_up(db).applied == []


def test_an_index_that_is_there_stays(db: str) -> None:
    set_dimension(db, 8)
    rows(
        db,
        "CREATE INDEX idx_knowledge_nodes_embedding_hnsw ON knowledge_nodes"
        " USING hnsw (embedding vector_l2_ops) WITH (m = 8)",
    )
    before = rows(db, "SELECT 'idx_knowledge_nodes_embedding_hnsw'::regclass::oid")
    assert migrate_up(db) == Applied(["0002_hnsw"], {})
    assert rows(db, "SELECT 'idx_knowledge_nodes_embedding_hnsw'::regclass::oid") == before


def test_an_invalid_index_is_not_taken_for_a_good_one(db: str) -> None:
    set_dimension(db, 8)
    rows(db, "INSERT INTO knowledge_nodes (content) VALUES ('twice'), ('twice')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        rows(
            db,
            "CREATE UNIQUE INDEX CONCURRENTLY idx_knowledge_nodes_embedding_hnsw ON knowledge_nodes (content)",
        )
    with pytest.raises(ServerError, match="INVALID") as caught:
        migrate_up(db)
    assert "DROP INDEX idx_knowledge_nodes_embedding_hnsw;" in caught.value.hint
    rows(db, "DROP INDEX idx_knowledge_nodes_embedding_hnsw")
    assert migrate_up(db).applied == ["0002_hnsw"]


def test_a_name_that_is_taken_by_something_else_is_an_error(db: str) -> None:
    set_dimension(db, 8)
    rows(db, "CREATE INDEX idx_knowledge_nodes_embedding_hnsw ON users (display_name)")
    with pytest.raises(ServerError, match="no index on knowledge_nodes"):
        migrate_up(db)


# The stock command


def test_the_stock_command_applies_and_rolls_back(empty_db: str) -> None:
    run = yoyo(empty_db, "apply", VESTIGE, REEMBED)
    assert run.returncode != 0
    assert "Register a model first" in run.stderr
    assert has_the_schema(empty_db)

    set_dimension(empty_db, 8)
    run = yoyo(empty_db, "apply", VESTIGE, REEMBED)
    assert run.returncode == 0, run.stderr
    assert HNSW in indexes(empty_db)
    functions = sorted(path.stem for path in (resource_dir("sql") / "functions").glob("*.sql"))
    assert migrate_up(empty_db) == Applied([], {}, functions), "both keep the same books"
    assert migrate_up(empty_db) == Applied([], {})

    run = yoyo(empty_db, "rollback", "--revision", "0002_hnsw", VESTIGE)
    assert run.returncode == 0, run.stderr
    assert HNSW not in indexes(empty_db)

    run = yoyo(empty_db, "rollback", "--all", VESTIGE, REEMBED)
    assert run.returncode == 0, run.stderr
    assert tables(empty_db) == set()
    assert rows(empty_db, "SELECT count(*) FROM pg_extension WHERE extname = 'vector'") == [(1,)]
    assert "0001_init" in migrate_up(empty_db).applied


def test_rolling_back_stops_at_what_depends_on_the_tables(db: str) -> None:
    rows(db, "CREATE VIEW mine AS SELECT content FROM knowledge_nodes")
    run = yoyo(db, "rollback", "--revision", "0001_init", VESTIGE)
    assert run.returncode != 0
    assert "view mine depends on table knowledge_nodes" in run.stderr
    assert tables(db) == set(COLUMNS)


# Interrupted


def test_killed_between_a_migration_and_its_mark(empty_db: str) -> None:
    migrate_up(empty_db, vestige=False)
    with psycopg.connect(empty_db) as blocker:
        blocker.execute("LOCK TABLE _yoyo_log IN ACCESS EXCLUSIVE MODE")
        process = up_in_a_process(empty_db)
        wait_for(empty_db, "wait_event_type = 'Lock' AND query ~ 'INSERT INTO \"_yoyo_log\"'")
        process.kill()
        process.communicate()
    assert has_the_schema(empty_db)
    rows(empty_db, "INSERT INTO knowledge_nodes (content) VALUES ('kept')")
    assert migrate_up(empty_db).applied == ["0001_init"]
    assert has_the_schema(empty_db)
    assert rows(empty_db, "SELECT content FROM knowledge_nodes") == [("kept",)]


class HeldUp(NamedTuple):
    """A run that waits halfway through 0001_init for a table that another transaction is creating."""

    process: subprocess.Popen[str]
    session: int
    blocker: psycopg.Connection


@pytest.fixture
def held_up(empty_db: str) -> Iterator[HeldUp]:
    with psycopg.connect(empty_db) as blocker:
        blocker.execute("CREATE TABLE edges ()")
        process = up_in_a_process(empty_db)
        yield HeldUp(process, wait_for(empty_db, "wait_event_type = 'Lock' AND query ~ 'CREATE TABLE'"), blocker)
        process.kill()
        process.communicate()
        blocker.rollback()


def test_killed_in_the_middle_of_a_migration(empty_db: str, held_up: HeldUp) -> None:
    held_up.process.kill()
    held_up.process.communicate()
    assert tables(empty_db) == set()
    # The session of the dead process goes on for a statement before it notices, beside the next run.
    held_up.blocker.rollback()
    migrate_up(empty_db)
    assert has_the_schema(empty_db)


def test_a_connection_that_is_cut_is_one_clear_error(empty_db: str, held_up: HeldUp) -> None:
    rows(empty_db, "SELECT pg_terminate_backend(%s)", held_up.session)
    _, said = held_up.process.communicate(timeout=30)
    assert "ServerError: migration 0001_init: terminating connection due to administrator command" in said
    assert tables(empty_db) == set()


def test_killed_at_any_moment(empty_db: str) -> None:
    """Wherever the kill falls, whole migrations are there afterwards, and the next run does the rest."""
    for delay in (0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6):
        process = up_in_a_process(empty_db)
        time.sleep(delay)
        process.kill()
        process.communicate()
        assert tables(empty_db) in (set(), set(COLUMNS))
    migrate_up(empty_db)
    assert has_the_schema(empty_db)


def test_the_books_may_be_lost(db: str) -> None:
    """As after a kill between a migration and its mark, but with a dimension and data by now."""
    set_dimension(db, 3)
    rows(db, "INSERT INTO knowledge_nodes (content, embedding) VALUES ('kept', '[1,2,3]')")
    assert yoyo(db, "unmark", VESTIGE).returncode == 0
    assert migrate_up(db).applied == ["0001_init", "0002_hnsw"]
    assert rows(db, "SELECT content, embedding::text FROM knowledge_nodes") == [("kept", "[1,2,3]")]


# Together with others


def test_runs_at_once_share_the_work(empty_db: str) -> None:
    processes = [up_in_a_process(empty_db) for _ in range(3)]
    applied: list[str] = []
    for process in processes:
        answer, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        applied += json.loads(answer)
    assert sorted(applied) == sorted(set(applied))
    assert has_the_schema(empty_db)


def test_the_lock_that_a_dead_yoyo_left_is_told_and_can_be_broken(db: str) -> None:
    rows(db, "INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, '2024-02-29 12:00:00', 4711)")
    with pytest.raises(ServerError, match="process 4711, since 2024-02-29 12:00:00 UTC") as caught:
        migrate_up(db)
    assert "yoyo break-lock" in caught.value.hint
    assert yoyo(db, "break-lock").returncode == 0
    migrate_up(db)


def test_a_stock_yoyo_waits_for_us(empty_db: str) -> None:
    migrate_up(empty_db, vestige=False)
    with psycopg.connect(empty_db) as blocker:
        blocker.execute("LOCK TABLE _yoyo_log IN ACCESS EXCLUSIVE MODE")
        ours = up_in_a_process(empty_db)
        wait_for(empty_db, "wait_event_type = 'Lock' AND query ~ 'INSERT INTO \"_yoyo_log\"'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            rows(
                make_conninfo(empty_db, options="-c lock_timeout=100"),
                "INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 4711)",
            )
    _, said = ours.communicate(timeout=60)
    assert ours.returncode == 0, said


def test_tables_of_the_same_names_are_left_alone(empty_db: str) -> None:
    rows(empty_db, "CREATE TABLE users (name text); INSERT INTO users VALUES ('theirs')")
    done = migrate_up(empty_db)
    assert "did not make: users" in done.waiting["0001_init"]
    assert done.waiting["0002_hnsw"] == "it needs 0001_init"
    assert "reembed_0001_schema" in done.applied
    assert tables(empty_db) == {"users"}
    assert rows(empty_db, "SELECT name FROM users") == [("theirs",)]


# Refused


@pytest.fixture
def owner(server_url: str, empty_db: str) -> Iterator[str]:
    """The conninfo of ``empty_db`` as a user who owns it and is no superuser."""
    database = sql.Identifier(str(conninfo_to_dict(empty_db)["dbname"]))
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute("DROP ROLE IF EXISTS vestige_owner")
        conn.execute("CREATE ROLE vestige_owner LOGIN PASSWORD 'owner'")
        conn.execute(sql.SQL("ALTER DATABASE {} OWNER TO vestige_owner").format(database))
        yield make_conninfo(empty_db, user="vestige_owner", password="owner")
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
        conn.execute("DROP ROLE vestige_owner")


def test_the_owner_of_the_database_is_enough(empty_db: str, owner: str) -> None:
    rows(empty_db, "CREATE EXTENSION vector")
    migrate_up(owner)
    assert has_the_schema(owner)


def test_who_may_not_create_the_extension_learns_what_to_do(owner: str) -> None:
    with pytest.raises(ServerError, match="permission denied to create extension") as caught:
        migrate_up(owner)
    assert "CREATE EXTENSION vector;" in caught.value.hint
    assert tables(owner) == set()


def test_who_may_not_create_anything_learns_that(empty_db: str, owner: str) -> None:
    rows(empty_db, "REVOKE CREATE ON SCHEMA public FROM PUBLIC, pg_database_owner")
    with pytest.raises(ServerError, match="permission denied for schema public"):
        migrate_up(owner)


def test_a_server_without_pgvector_is_one_clear_error(empty_db: str, server_url: str) -> None:
    with psycopg.connect(server_url) as conn:
        if conn.info.server_version < 180000:
            pytest.skip("only 18 can be told to look for extensions elsewhere")
    nowhere = make_conninfo(empty_db, options="-c extension_control_path=/nowhere")
    for vestige in (True, False):
        with pytest.raises(ServerError, match='extension "vector" is not available') as caught:
            migrate_up(nowhere, vestige=vestige)
        assert "install pgvector" in caught.value.hint


def test_no_server_is_one_clear_error() -> None:
    with pytest.raises(ServerError, match=r"host 127\.0\.0\.1, port 1, dbname d, user u") as caught:
        migrate_up("postgresql://u:hunter2@127.0.0.1:1/d")
    assert "hunter2" not in str(caught.value)


def test_no_such_database_is_one_clear_error(empty_db: str) -> None:
    with pytest.raises(ServerError, match='database "no_such" does not exist'):
        migrate_up(make_conninfo(empty_db, dbname="no_such"))


def test_a_string_that_libpq_cannot_read_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        migrate_up("postgresql://u:hunter%2@h/d")
    assert "hunter" not in str(caught.value)
