"""What the headers of the step files claim, and what a server says to it.

:func:`faults` holds a header against its grammar. :func:`walk` brings a small table, with HNSW index, counting triggers
and staged vectors, through a plan step by step, and notes at each what it does. :func:`lies` holds the one against the
other. Every step is committed by itself, so that a lock found in ``pg_locks`` is the step's own and no earlier one's.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from support import HNSW, FakeEmbedder, literal, seed
from vestige_sql import VESTIGE, ReembedPlan, run_reembed, stage_reembed, steps
from vestige_sql.reembed.apply import folders_of
from vestige_sql.reembed.pgcopy import rows as copy_rows
from vestige_sql.reembed.pgcopy import staged_rows, vector_field
from vestige_sql.reembed.target import probe
from vestige_sql.resources import resource_dir
from vestige_sql.steps import plans
from vestige_sql.steps.files import HEADER_FIELDS, OPTIONAL_FIELDS, Step, Value
from vestige_sql.steps.psql import variables_in

Conn = psycopg.Connection[Any]

MODES = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
"""PostgreSQL's table locks, the weakest first, as in the table of its documentation."""

KEEPS_WRITERS_OFF = MODES[MODES.index("SHARE") :]

_MODE = "|".join(MODES)
_VESTIGES = ("users", "groups", "group_memberships", "domains", "scheduling", "edges", "review_events")
_OTHER_LOCK = rf"({_MODE}) on (the staging table|embedding_model|{'|'.join(_VESTIGES)})|one advisory lock"

GRAMMAR = {
    "Locks": rf"(?P<mode>none|{_MODE}) on the target(?P<held>, to the end of the transaction)?(, ({_OTHER_LOCK}))*",
    "Transaction": "required|either|alone|forbidden",
    "Rewrites": "heap and every index of the target(, unless .+)?",
    "Fires": "no triggers, while (triggers/disable/ has|online/quiet/ keeps) them off|INSERT triggers",
    "Run again": "(safe|refused)(, .+)?",
    "Undo": ".+",
    "Variables": r"none|\w+(, \w+)*",
}
"""What each field may say, as regular expressions over the whole field."""

WITHOUT = {"Rewrites": "nothing", "Fires": "no triggers"}
"""What a header says that lacks an optional field. To say it in words is a fault."""

READ_ONLY = "safe, it only reads"


def all_steps() -> list[Step]:
    """Every step file there is: test_functions.py has the files that make functions."""
    root = resource_dir("sql")
    names = [file.relative_to(root).as_posix() for file in sorted(root.rglob("*.sql"))]
    return [steps.load(name) for name in names if not name.startswith("functions/")]


def faults(step: Step) -> list[str]:
    """What is wrong with the header as it stands, before any server is asked."""
    found = []
    header = step.header
    if list(header) != ["What", *(name for name in HEADER_FIELDS if name in header or name not in OPTIONAL_FIELDS)]:
        found.append(f"its fields are {', '.join(list(header)[1:])}")
    if not re.match(r"-- [A-Z]", step.text) or not re.match(r".+?\.(\s|$)", header["What"], re.DOTALL):
        found.append("it does not begin with a sentence")
    for name, grammar in GRAMMAR.items():
        if name in OPTIONAL_FIELDS and name not in header:
            continue
        if not re.fullmatch(grammar, header.get(name, "")):
            found.append(f"{name} says {header.get(name)!r}")
    used = list(dict.fromkeys(str(m[m.lastgroup or 0]) for m in variables_in(step.text)))
    if header.get("Variables") != (", ".join(used) or "none"):
        found.append(
            f"Variables says {header.get('Variables')!r}, in the order of their use they are {', '.join(used)}"
        )
    if (locks := re.fullmatch(GRAMMAR["Locks"], header.get("Locks", ""))) and header.get("Transaction") != "forbidden":
        held = locks["mode"] in KEEPS_WRITERS_OFF
        if held != bool(locks["held"]):
            found.append(f"Locks {'lacks' if held else 'has no need of'} 'to the end of the transaction'")
    return found


# --- The plans ---


@dataclass(frozen=True)
class Scenario:
    """Steps in the order in which they run, on a table prepared as ``state`` says."""

    name: str
    state: str
    names: tuple[str, ...]
    values: tuple[tuple[str, Value], ...] = ()
    """Values of its own; "@name" is that of another variable."""
    before: tuple[tuple[str, str], ...] = ()
    """What others do to the table, as SQL, before a step."""

    @property
    def folders(self) -> list[str]:
        return list(dict.fromkeys(name.rpartition("/")[0] for name in self.names))


def _files(*entries: str) -> tuple[str, ...]:
    """The step files of folders, or files by themselves."""
    return tuple(step.name for entry in entries for step in steps.folder(entry))


def _part(plan: str, part: str | None = None, *when: str) -> tuple[str, ...]:
    """The step files of a plan's part, or of all its parts."""
    return tuple(step.name for step in plans.load(plan).steps(part, when))


_OF_ONE_STATE = {
    "probe/changed.sql",
    "probe/recall.sql",
    "probe/kept_column_size.sql",
    "probe/kept_column_missing.sql",
    "probe/kept_table_size.sql",
    "probe/kept_table_missing.sql",
}
"""Questions about what is there only while a run is online, or after it."""


_AS_PGVECTOR_0_7 = """DO $do$ BEGIN
IF NOT EXISTS (SELECT FROM pg_proc WHERE proname = 'subvector') THEN
    CREATE FUNCTION public.subvector(v vector, f integer, n integer) RETURNS vector LANGUAGE sql
    AS 'SELECT (v::real[])[f:f + n - 1]::public.vector';
    CREATE FUNCTION public.l2_normalize(v vector) RETURNS vector LANGUAGE sql
    AS 'SELECT array_agg((x / public.vector_norm(v))::real)::public.vector FROM unnest(v::real[]) AS x';
END IF; END $do$"""
"""What stage/shorten.sql calls, on a server whose pgvector lacks it: the runner does not run the step there."""

_PRINTED = "session/check_database.sql"
"""What only a printed script does, while the run that it is for is open."""

_AT_THE_END = ("session/release_claims.sql", "session/reset_settings.sql")
"""What a session does last."""


def scenarios() -> list[Scenario]:
    """Every plan of the runner, from the folders as they are now."""
    ways = [name for name in plans.names() if (resource_dir("sql") / "apply" / name).is_dir()]
    probes = tuple(step.name for step in steps.folder("probe") if step.name not in _OF_ONE_STATE)
    of_old = (("from_name", "'old'"), ("from_hash", f"'{OLD.signature().hash}'"))
    found = [
        Scenario(
            "stage",
            "registered",
            (
                *(name for name in _files("session") if name not in (*_AT_THE_END, _PRINTED)),
                *_files("run/open.sql"),
                *_part("stage"),
                *_files(
                    "run/record_step.sql", "run/record_report.sql", "run/record_error.sql", "run/record_encoding.sql"
                ),
                *_files("run/record_computed.sql"),
                *_files("run/record_encoder.sql"),
                *probes,
                *_files("monitor"),
                *_part("gate"),
                *_part("abort", "undo"),
            ),
        ),
        Scenario(
            "search",
            "registered",
            # rescored by what is staged
            tuple(name for name in _files("search") if name != "search/rescored.sql"),
            (("dimension", OLD.dimension), ("model_name", OLD.model_name), ("model_hash", OLD.signature().hash)),
        ),
        Scenario(
            "shorten",
            "registered",
            (*_part("stage", "create"), *_files("stage/shorten.sql")),
            (("dimension", 4),),
            (("stage/shorten.sql", _AS_PGVECTOR_0_7),),
        ),
        Scenario(
            "doctor",
            "staged",
            _files("doctor", "doctor/vectors", "doctor/texts", "doctor/package"),
            before=(
                # A table that says when its vectors were made.
                (
                    "doctor/texts/30_older.sql",
                    "ALTER TABLE knowledge_nodes ADD COLUMN embedded_at timestamptz DEFAULT '2024-01-01'",
                ),
            ),
        ),
        Scenario(
            "client",
            "registered",
            _files("client"),
            (("target", "public.knowledge_nodes"), ("model_hash", OLD.signature().hash)),
        ),
        Scenario(
            "bridge",
            "staged",
            (*(f"bridge/{name}" for name in ("10_count.sql", "20_sample.sql", "30_searched.sql")), *_part("bridge")),
            of_old,
        ),
        Scenario(
            "bridge: used and dropped",
            "online",
            (
                *_part("bridge"),
                *("bridge/80_show.sql", "bridge/90_usage.sql", "search/rescored.sql"),
                *_files(
                    "bridge/write/20_drop_former.sql", "bridge/write/30_add_map.sql", "bridge/write/40_copy_rows.sql"
                ),
                *_files("bridge/finalize"),
                *_part("abort", "undo"),
            ),
            (*of_old, ("vector", literal(NEW.vector("memory")))),
        ),
        Scenario("preview", "staged", (_PRINTED, *_files("preview"))),
        Scenario(
            "judge",
            "staged",
            # the second column comes with an online run
            tuple(name for name in _files("judge") if name != "judge/56_rank_online.sql"),
        ),
        Scenario(
            "worker",
            "online",
            (
                *_files("probe/refusals/10_may_keep_triggers_quiet.sql", "worker/ready"),
                *_part("worker", "open"),
                *_files("probe/worker.sql"),
                *_part("worker", "note"),
                *_part("worker", "sweep"),
                *_part("worker", "claim"),
                *_part("worker", "write", "quiet"),
                *_part("worker", "settle"),
                *_files("monitor/worker.sql"),
                *_part("worker", "unnote"),
            ),
            (("dimension", OLD.dimension), ("model_name", OLD.model_name), ("model_hash", OLD.signature().hash)),
        ),
        Scenario("upgrade", "registered", _files("upgrade")),
        Scenario("the end of a session", "registered", _AT_THE_END),
        Scenario(
            "calibrate",
            "registered",
            (
                *_files("calibrate/sample.sql"),
                *_part("trial", None, "only_missing"),
                *_files("calibrate/size.sql"),
            ),
        ),
        Scenario(
            "online",
            "online",
            (
                *_part("online", "prepare"),
                # each of its passes
                *_part("online", "fill", "quiet") * 16,
                *_part("online", "save"),
                *_files("index/concurrently"),
                *_files("probe/changed.sql"),
                *_part("online", "catch-up", "beside_lock"),
                *_files("stage/changed_page.sql"),
                *_part("online", "write", "quiet"),
                *_part("online", "verify"),
                *_files("probe/recall.sql"),
                *_files("judge/10_open.sql", "judge/24_pair.sql", "judge/56_rank_online.sql"),
                *_part("online", "switch"),
                *_part("online", "forget", "quiet"),
                *_part("online", "clear"),
            ),
            (("index_column", "@new_column"), ("way", "online")),
            (
                (
                    "probe/changed.sql",
                    "UPDATE knowledge_nodes SET content = '' WHERE content LIKE '%number 7';"
                    "UPDATE knowledge_nodes SET content = content || '!' WHERE content LIKE '%number 8';"
                    "UPDATE knowledge_nodes SET content = rtrim(content, '!') WHERE content LIKE '%number 8!';"
                    "INSERT INTO knowledge_nodes (content, embedding) VALUES ('gone', NULL);"
                    "DELETE FROM knowledge_nodes WHERE content = 'gone'",
                ),
            ),
        ),
        Scenario(
            "online, aborted",
            "online",
            (
                *_part("online", "hold-writers"),
                *_files("lock/at_once"),
                *_part("online", "prepare"),
                *_part("online", "fill", "quiet"),
                *_part("online", "save"),
                *_files("index/concurrently"),
                *_part("online", "index"),
                *_part("online", "verify"),
                *_part("abort", None, "filling"),
            ),
            (("index_column", "@new_column"), ("way", "online")),
            (
                (
                    "online/prepare/03_gated.sql",
                    "DELETE FROM knowledge_nodes WHERE embedding IS NULL;"
                    "ALTER TABLE knowledge_nodes ALTER COLUMN embedding SET NOT NULL,"
                    " ADD CONSTRAINT sound CHECK (vector_norm(embedding) > 0.01)",
                ),
                (
                    "online/index/10_drop_invalid.sql",
                    "UPDATE pg_index i SET indisvalid = false FROM vestige_sql.saved_index s"
                    " WHERE i.indexrelid = s.built_as::regclass",
                ),
            ),
        ),
        Scenario(
            "back",
            "kept",
            (
                *_files("probe/kept_column_size.sql"),
                *_files("probe/kept_column_missing.sql"),
                *_part("rollback-column"),
                *_part("finalize-column"),
            ),
            (("dimension", OLD.dimension), ("verb", "back"), ("way", "back"), ("second_column", "@kept_column")),
        ),
        Scenario(
            "back, from a table",
            "kept in a table",
            (
                *_files("probe/kept_table_size.sql"),
                *_files("probe/kept_table_missing.sql"),
                *_part("rollback-table"),
                *_part("finalize-table"),
            ),
            (("dimension", OLD.dimension), ("verb", "back")),
            (
                (
                    "rollback/open/10_open_run.sql",
                    "UPDATE knowledge_nodes SET content = 'other' WHERE content LIKE '%number 8'",
                ),
            ),
        ),
        Scenario("rewrite, former vectors kept", "staged", _part("rewrite", None, "keep_old")),
        Scenario(
            "views made again",
            "staged",
            _part("rewrite", None, "recreate_views"),
            (("way", "rewrite"), ("recreate_views", True)),
            (
                (
                    "lock/ready/03_wait_for_vacuum.sql",
                    "CREATE VIEW seen AS SELECT * FROM knowledge_nodes;"
                    "CREATE MATERIALIZED VIEW kept AS SELECT id, embedding FROM seen;"
                    "CREATE UNIQUE INDEX ON kept (id);",
                ),
            ),
        ),
        Scenario("in a caller's transaction", "registered", _files("transaction")),
        Scenario(
            "a column that is NOT NULL, and a verdict is required",
            "registered",
            _files("probe/refusals"),
            (("require_verdict", True), ("content_expression", "node_type || content"), ("content_column", "metadata")),
            (
                (
                    "probe/refusals/10_may_keep_triggers_quiet.sql",
                    "DELETE FROM knowledge_nodes WHERE embedding IS NULL;"
                    "ALTER TABLE knowledge_nodes ALTER COLUMN embedding SET NOT NULL",
                ),
            ),
        ),
        Scenario(
            "rewrite, where a constraint and a default say the dimension",
            "staged",
            _part("rewrite"),
            (),
            (
                (
                    "dimension/save/10_save.sql",
                    f"ALTER TABLE knowledge_nodes ADD CONSTRAINT dims CHECK (vector_dims(embedding) = {OLD.dimension}),"
                    f" ALTER embedding SET DEFAULT array_fill(1, ARRAY[{OLD.dimension}])::vector",
                ),
            ),
        ),
        Scenario("register", "plain", _part("register")),
        Scenario("register some rows", "plain", _files("first_model/05_check_dimension.sql")),
        Scenario("first", "first", _part("rewrite")),
        Scenario(
            "concurrently",
            "staged",
            (*_part("rewrite", None, "concurrent_index"), *_part("concurrent-index")),
            (("run_state", "applied"),),
        ),
        Scenario(
            "copy: stage",
            "registered",
            (*_part("from-sqlite", "look"), *_part("from-sqlite", "batch")),
            (("staging_table", "copy_users"),),
        ),
        Scenario(
            "copy: insert",
            "copying",
            tuple(name for part in plans.load("from-sqlite").parts[2:] for name in _part("from-sqlite", part.name)),
        ),
        Scenario("index", "unindexed", _part("index")),
        Scenario("invalid", "invalid", _part("index", None, "drop_invalid")),
    ]
    for way in ways:
        only_missing = way == "fill"
        found.append(
            Scenario(
                way,
                "missing" if only_missing else "staged",
                _files(*folders_of(way, ReembedPlan())),
                (("only_missing", only_missing), ("way", way), ("keep_untyped", way == "rows")),
                # An index on a column that loses its dimension is refused; the one on the cast to it is not.
                ((_files(*folders_of(way, ReembedPlan()))[0], f"DROP INDEX {HNSW}"),) if way == "rows" else (),
            )
        )
        # With the index in place the server refuses widen another dimension, and the runner goes on with swap.
        if way not in ("fill", "rows") and plans.load(way).falls_back_to is None:
            kept = ReembedPlan(drop_hnsw_first=False)
            found.append(Scenario(f"{way}, index kept", "staged", _files(*folders_of(way, kept)), (("way", way),)))
    return found


def unplanned() -> list[str]:
    """The step files that stand in no plan."""
    planned = {name for scenario in scenarios() for name in scenario.names}
    return [step.name for step in all_steps() if step.name not in planned]


# --- A table for each state ---

OLD = FakeEmbedder("old", 8)
NEW = FakeEmbedder("new", 12)
_TEXTS = [f"memory number {i}" for i in range(22)] + ["", "  \t"]
_TARGET = "public.knowledge_nodes"


def prepare(conn: Conn, conninfo: str, state: str) -> None:
    """Fill ``knowledge_nodes`` and bring it to ``state``."""
    seed(conn, embedder=None if state in ("plain", "first") else OLD, texts=_TEXTS, index=state != "unindexed")
    if state in ("staged", "missing", "invalid", "registered", "online"):
        conn.execute(f"COMMENT ON INDEX {HNSW} IS 'searched by everybody'")
    if state == "invalid":
        conn.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", (HNSW,))
    if state == "missing":
        conn.execute("UPDATE knowledge_nodes SET embedding = NULL WHERE content LIKE '%7'")
    # What a column may have, so that copying it has something to do.
    conn.execute("COMMENT ON COLUMN knowledge_nodes.embedding IS 'what it means'")
    conn.execute("ALTER TABLE knowledge_nodes ALTER COLUMN embedding SET STATISTICS 50")
    conn.execute("ALTER TABLE knowledge_nodes ALTER COLUMN embedding SET STORAGE MAIN")
    conn.execute("ALTER TABLE knowledge_nodes ALTER COLUMN embedding SET (n_distinct = -0.5)")
    conn.execute("GRANT SELECT (embedding) ON knowledge_nodes TO PUBLIC")
    # A sequence counts what a rollback would take back.
    conn.execute("CREATE SEQUENCE fired MINVALUE 0 START 0")
    conn.execute("SELECT nextval('fired')")
    conn.execute(
        "CREATE FUNCTION count_firing() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM nextval('public.fired'); RETURN coalesce(NEW, OLD); END $$"
    )
    for when in ("BEFORE", "AFTER"):
        for level in ("ROW", "STATEMENT"):
            conn.execute(
                f"CREATE TRIGGER {when}_{level} {when} INSERT OR UPDATE OR DELETE ON knowledge_nodes"
                f" FOR EACH {level} EXECUTE FUNCTION count_firing()"
            )
        conn.execute(
            f"CREATE TRIGGER {when}_truncate {when} TRUNCATE ON knowledge_nodes"
            " FOR EACH STATEMENT EXECUTE FUNCTION count_firing()"
        )
    if state not in ("online", "kept", "kept in a table"):
        conn.execute("ALTER TABLE knowledge_nodes ENABLE ALWAYS TRIGGER after_row")
    if state == "copying":
        _stage_rows(conn)
    if state == "missing":
        stage_reembed(conninfo, OLD)
    elif state in ("staged", "first", "online"):
        stage_reembed(conninfo, NEW)
    elif state.startswith("kept"):
        run_reembed(conninfo, NEW, ReembedPlan(online=state == "kept", keep_old=state != "kept"))
    if state in ("staged", "online"):
        # An index that says the dimension.
        conn.execute(
            "CREATE INDEX doubled ON knowledge_nodes USING hnsw (((embedding + embedding)::vector(8)) vector_l2_ops)"
        )


def _a_key(conn: Conn) -> str:
    """A row with a vector, which answers a question."""
    row = conn.execute("SELECT id::text FROM public.knowledge_nodes WHERE embedding IS NOT NULL LIMIT 1").fetchone()
    return row[0] if row else "00000000-0000-4000-8000-000000000000"


def _printed(conn: Conn) -> dict[str, str]:
    """What a printed script says of the server, and of the run that is open."""
    row = conn.execute(
        "SELECT (SELECT system_identifier FROM pg_control_system())::text, (SELECT format('%s of %s', id,"
        " extract(epoch FROM started_at)) FROM vestige_sql.run WHERE state IN ('staging', 'filling', 'applied'))"
    ).fetchone()
    assert row is not None
    return {"system_identifier": row[0], "run_begun": row[1] or ""}


def step_values(conn: Conn) -> dict[str, Value]:
    """A value for every variable that a step takes."""
    probed = probe(conn, VESTIGE)
    signature = OLD.signature() if probed.open_run and probed.open_run.scope == "missing" else NEW.signature()
    return probed.values | {
        "dimension": signature.dimension,
        "model_name": signature.name,
        "model_hash": signature.hash,
        "old_dimension": OLD.dimension,
        "only_asking": False,
        "fire_triggers": False,
        "only_missing": False,
        "vestige": True,
        "second_column": probed.values["new_column"],
        "lock_timeout": "2s",
        "run_state": "done",
        "index_workers": 0,
        "index_memory_kb": None,
        "scope": "all",
        "from_name": "'old'",
        "from_dimension": OLD.dimension,
        "from_hash": None,
        "rows_total": len(_TEXTS),
        "variables": json.dumps({"staging_table": probed.values["staging_table"]}),
        "package_version": "1.0",
        "last_migration": "reembed_9999_last",
        # One of them has no file any more, and another has changed.
        "function_files": "\n".join(
            f"{'0' * 64 if step.name == 'functions/require.sql' else step.sha256}  sql/{step.name}"
            for step in steps.folder("functions")
            if step.name != "functions/complaint.sql"
        ),
        "probe_text": "a text",
        "probe_vector": "{1,0.5}",
        "run_id": probed.open_run.id if probed.open_run else 0,
        "database_name": conn.info.dbname,
        **_printed(conn),
        "file": "a/10_step.sql",
        "sha256": "0" * 64,
        "rows_affected": 1,
        "duration_secs": "0.5",
        "index_secs": "0.5",
        "way": "rewrite",
        "way_reason": "'as asked for'",
        "error": "what went wrong",
        "text_bytes": 3,
        "encoding": json.dumps({"prompt": "passage: "}),
        "last_runs": 5,
        "name": "lock_timeout",
        "value": "3s",
        "after": None,
        "until": None,
        "order_key": "t.ctid",
        "read_schema": probed.values["schema"],
        "read_table": probed.values["table"],
        "order_columns": "t.ctid",
        "order_type": "tid",
        "is_after_k": "t.ctid OPERATOR(pg_catalog.>) k.id",
        "is_up_to_u": "t.ctid OPERATOR(pg_catalog.<=) u.id",
        "pages": 10,
        "range_rows": 7,
        "copies": 3,
        "copy_table": "try_copy",
        "percent": 100,
        "resumes": False,
        "staged": f"(SELECT t.id FROM {probed.name} t)",
        "distance": 10,
        "sample_texts": 5,
        "sample_blocks": 64,
        "precision": "bf16",
        "runtime": "OpenVINO 2026.4.1",
        "page_rows": 100,
        "page_bytes": 1_000_000,
        "text_characters": 5,
        "first_character": 6,
        "tuple": "(0,1)",
        "version": "0 (0,1) 0",
        "batch_rows": 100,
        "after_change": 0,
        "recall_sample": 5,
        "limit": 5,
        "filtered": True,
        "search_type": probed.values["vector_type"],
        "domains": None,
        "node_types": "'{fact,event}'",
        "tags": None,
        "min_retrievability": None,
        "sample": 3,
        "operator": "<=>",
        "text": "memory",
        "vector": literal(OLD.vector("memory")),
        "require_verdict": False,
        "create_index": False,
        "recreate_views": False,
        "question_timeout": "10s",
        "sample_rows": 100,
        "sample_percent": 100,
        "estimated_rows": 24,
        "key_expression": "t.id::text",
        "recall_bytes": 1_000_000_000,
        "unused_days": 30,
        "place": "staged",
        "questions": "given",
        "asked_by": "model",
        "settings": "{}",
        "judging": 0,
        "keep_judging": 0,
        "question_list": json.dumps([{"question": "which", "relevant": {_a_key(conn): 1}}]),
        "questions_table": "(SELECT 'which' AS question) ",
        "derive": 10,
        "seed": 1,
        "slice": "node_type",
        "space": "old",
        "vectors": json.dumps({"1": [1.0] * OLD.dimension}),
        "depth": 10,
        "new_index": "(SELECT pg_catalog.format('public.%I', s.built_as)::regclass FROM vestige_sql.saved_index s"
        f" WHERE s.index_name = '{HNSW}')",
        "index_oid": f"(SELECT 'public.{HNSW}'::regclass)",
        "setting_values": "10, 40",
        "resamples": 100,
        "confidence": "0.95",
        "rules": json.dumps([{"kind": "max_drop", "measure": "ndcg@10", "slice": "", "value": 1}]),
        "min_questions": 1,
        "pairs": 10,
        "held_out": 2,
        "first_block": 0,
        "last_block": 10,
        "candidates": 5,
        "column": "embedding",
        "map_from_name": NEW.model_name,
        "map_from_dimension": NEW.dimension,
        "map_from_hash": NEW.signature().hash,
        "map_to_name": OLD.model_name,
        "map_to_dimension": OLD.dimension,
        "map_to_hash": OLD.signature().hash,
        "method": "ridge",
        "is_centred": True,
        "is_normalised": True,
        "recall": "0.95",
        "recall_low": "0.9",
        "recall_high": "1",
        "bridge": 0,
        "old_vector": literal(OLD.vector("memory")),
        "new_vector": literal(NEW.vector("memory")),
        **_of_the_worker(conn, probed.values),
    }


def _of_the_worker(conn: Conn, values: Mapping[str, Value]) -> dict[str, Value]:
    """Values for the worker's steps: some rows, one without a text, that are claimed and have their vectors."""
    found = conn.execute(
        "SELECT id::text, content, encode(sha256(convert_to(content, 'UTF8')), 'hex') FROM public.knowledge_nodes"
        " WHERE content ~ '^(memory number [1-5]| *)$' ORDER BY content"
    ).fetchall()
    claimed = [
        {
            "key": [key],
            "content_hash": digest if text.strip() else None,
            "embedding": literal(OLD.vector(text)) if text.strip() else None,
            "note": 1_000_000,
            "error": "what went wrong",
        }
        for key, text, digest in found
    ]
    return steps.query(conn, "probe/worker.sql", values)[0] | {
        "rows": json.dumps(claimed),
        "first_block": 0,
        "end_block": 100,
        "since": None,
        "adopt": False,
        "after_note": 0,
        "retry_secs": 10,
        "epoch": 1,
        "swept_xid": 1000,
        "is_whole": True,
        "guard": "1 2",
        "process_id": "b0000000-0000-4000-8000-000000000000",
        "process": "host:1",
        "state": "waiting",
        "embedded": 1,
        "cleared": 0,
        "failed": 0,
    }


def _chunk(conn: Conn) -> bytes:
    """What the runner would stream into the staging table: every row that has text."""
    rows = conn.execute(
        "SELECT id, content, sha256(convert_to(content, 'UTF8')) FROM public.knowledge_nodes WHERE btrim(content) <> ''"
    ).fetchall()
    vectors = NEW.embed_batch([text for _, text, _ in rows])
    pieces = staged_rows([key.bytes for key, _, _ in rows], [bytes(found) for _, _, found in rows], vectors, "vector")
    return b"".join(pieces)


def _weights(values: dict[str, Value]) -> bytes:
    """The rows of a map from the new model's space to the old one's."""
    number = int(str(values["bridge"])).to_bytes(8, "big")
    fields = [
        (number, nr.to_bytes(4, "big"), bytes(8), vector_field(NEW.vector(str(nr))))
        for nr in range(1, OLD.dimension + 1)
    ]
    return copy_rows(fields)


_STAGED = {
    "users": "id, handle, created_at, columns",
    "groups": "id, handle, created_at, columns",
    "group_memberships": "user_id, group_id, joined_at",
    "domains": "id, label, created_at, columns",
    "knowledge_nodes": "id, content, owner_user_id, created_at, columns",
    "memory_connections": "source_id, target_id, created_at",
    "review_events": "memory_id, rating, timestamp",
}


def _stage_rows(conn: Conn) -> None:
    """Fill the staging tables of a copy, each with a good row, which refers to those before it, and a bad one."""
    for step in steps.folder("from_sqlite/create"):
        steps.run(conn, step, step_values(conn))
    new = "b0000000-0000-4000-8000-000000000000"
    row = conn.execute("SELECT id::text FROM public.knowledge_nodes ORDER BY id LIMIT 1").fetchone()
    assert row is not None
    value = {"id": new, "user_id": new, "group_id": new, "owner_user_id": new, "source_id": new, "target_id": row[0],
             "memory_id": new, "columns": '{"more": 1}', "rating": "3"}  # fmt: skip
    for table, columns in _STAGED.items():
        names = columns.split(", ")
        good = [value.get(name, "2024-05-06T07:08:09Z" if name.endswith(("_at", "stamp")) else "new") for name in names]
        bad = ["none" if name.endswith("id") else None for name in names]
        for place, fields in enumerate((good, bad)):
            conn.execute(
                sql.SQL("INSERT INTO {} (place, key, {}) VALUES ({})").format(
                    sql.Identifier(f"copy_{table}"),
                    sql.SQL(", ").join(map(sql.Identifier, names)),
                    sql.SQL(", ").join(map(sql.Literal, [place, "key", *fields])),
                )
            )


def _copied(conn: Conn) -> bytes:
    """What the runner of a copy would stream into its staging table of users."""
    with conn.cursor().copy(
        "COPY (SELECT 0::bigint, 'key', NULL::text, 'b', 'handle', NULL::text, NULL::text, NULL::text, '{}')"
        " TO STDOUT (FORMAT binary)"
    ) as copy:
        return b"".join(map(bytes, copy))


# --- What a step does ---


@dataclass
class Seen:
    """What the server said of one step in one scenario."""

    step: Step
    scenario: str
    locks: dict[str, str] = field(default_factory=dict)
    """The strongest lock on "the target", "the staging table", and other tables by their names."""
    advisory_locks: int = 0
    rewritten: set[str] = field(default_factory=set)
    """Of "heap" and the indexes' names, those whose file is another one afterwards."""
    not_rewritten: set[str] = field(default_factory=set)
    rewritten_again: set[str] = field(default_factory=set)
    fired: int = 0
    fired_with_triggers_on: int = 0
    refuses_transaction: bool = False
    needs_transaction: bool = False
    """Outside a transaction it fails, or has no effect, or another one."""
    changes_live: bool = False
    """The target, or the registry that says which model it is in, is not as it was."""
    changes_anything: bool = False
    again: str | None = None
    """The error of the second time, or what differs after it; None where it is as after the first."""
    again_error: bool = False
    refuses_read_only: bool = False
    undone: bool = True
    sent: list[str] = field(default_factory=list)
    """The SQL: the file's own, and the statements that a ``\\gexec`` query makes."""


def strongest(modes: Sequence[str]) -> str:
    return max(modes, key=MODES.index, default="none")


def lies(step: Step, seen: Sequence[Seen]) -> list[str]:
    """Which claims of the header the server did not bear out."""
    found = []
    header = WITHOUT | step.header

    def check(holds: bool, field_name: str, but: str) -> None:
        if not holds:
            found.append(f"{field_name} says {header[field_name]!r}, but {but}")

    # Locks: the strongest in any state. Tables that are neither the target's nor the package's are to be named.
    named = {m[2]: m[1] for m in re.finditer(rf"({_MODE}) on (the target|the staging table|\w+)", header["Locks"])}
    for table in {*named, *(table for s in seen for table in s.locks)}:
        held = strongest([s.locks[table] for s in seen if table in s.locks])
        if table in named or table != "the staging table" or held == "ACCESS EXCLUSIVE":
            check(named.get(table, "none") == held, "Locks", f"pg_locks has {held} on {table}")
    advisory = max(s.advisory_locks for s in seen)
    check(("one advisory lock" in header["Locks"]) == (advisory == 1), "Locks", f"there are {advisory} advisory locks")

    rewrites = header["Rewrites"]
    for s in seen:
        if rewrites == "nothing":
            check(not s.rewritten, "Rewrites", f"{', '.join(s.rewritten)} lie in new files")
        else:
            check(not s.not_rewritten, "Rewrites", f"{', '.join(s.not_rewritten)} lie where they were")
        if "unless" in rewrites:
            check(not s.rewritten_again, "Rewrites", "it rewrites them the second time too")

        fires = header["Fires"]
        if fires == "INSERT triggers":
            check(s.fired > 0, "Fires", "none fired")
        else:
            check(s.fired == 0, "Fires", f"triggers fired {s.fired} times")
            check("while" in fires or s.fired_with_triggers_on == 0, "Fires", "they would, were they on")

        transaction = header["Transaction"]
        check((transaction == "forbidden") == s.refuses_transaction, "Transaction",
              "it refuses one" if s.refuses_transaction else "it runs in one")  # fmt: skip
        if transaction == "either":
            check(not s.needs_transaction, "Transaction", "without one it fails or does something else")
            check(not s.changes_live, "Transaction", "it changes what others see")
            check(s.locks.get("the target") not in KEEPS_WRITERS_OFF, "Transaction", "its lock is only of use in one")

        again = header["Run again"]
        if again.startswith("refused"):
            check(s.again_error, "Run again", f"the second time: {s.again or 'nothing happens'}")
        elif "goes on" in again:
            check(not s.again_error, "Run again", f"the second time: {s.again}")
        else:
            check(s.again is None, "Run again", f"the second time: {s.again}")
        if again == READ_ONLY:
            check(not s.refuses_read_only and not s.changes_anything, "Run again", "it writes")
        if header["Undo"].startswith("ROLLBACK"):
            check(s.undone, "Undo", "a ROLLBACK does not bring back what was")
        if header["Undo"] == "nothing to undo":
            check(not s.changes_live, "Undo", "it changes what others see")
    if "while" in header["Fires"]:
        check(any(s.fired_with_triggers_on for s in seen), "Fires", "none fire when they are on")
    return list(dict.fromkeys(found))


def walk(conninfo: str, scenario: Scenario) -> Iterator[Seen]:
    """Bring the table through the scenario's steps and yield what each did."""
    with (
        psycopg.connect(conninfo, autocommit=True) as conn,
        psycopg.connect(conninfo, autocommit=True) as watcher,
    ):
        prepare(conn, conninfo, scenario.state)
        if scenario.names != _AT_THE_END:
            # As every session of the runner; and names are printed alike before and after.
            steps.run(conn, steps.load("session/05_pin_search_path.sql"), {})
        values = step_values(conn)
        own = {name: values[v[1:]] if str(v).startswith("@") else v for name, v in scenario.values}
        chunk = _copied(conn) if scenario.name.startswith("copy") else _chunk(conn)
        walker = _Walker(conn, watcher, scenario, values | own, chunk)
        before = dict(scenario.before)
        for name in scenario.names:
            if name in before:
                watcher.execute(before[name])
            if name.endswith(("_copy_column_properties.sql", "second_column/copy_properties.sql")):
                # A default takes a lock to copy. No earlier, for the gate refuses one of another dimension.
                watcher.execute(
                    "ALTER TABLE public.knowledge_nodes ALTER embedding SET DEFAULT array_fill(0.5, ARRAY[12])"
                )
            yield walker.observe(steps.load(name))


class Walks:
    """What was seen of each step, one walk a scenario, each begun when first asked for."""

    def __init__(self, databases: Callable[[], AbstractContextManager[str]]) -> None:
        self._databases = databases
        # As they are now: to put them together takes a while, and each step asks.
        self.scenarios = scenarios()
        self._seen: dict[str, dict[str, Seen] | Exception] = {}

    def seen(self, name: str) -> list[Seen]:
        """What was seen of the step ``name``, wherever it runs.

        Raises what stopped the walk of any scenario that it is in.
        """
        found = [self._walk(scenario)[name] for scenario in self.scenarios if name in scenario.names]
        assert found, f"{name} stands in no plan"
        return found

    def _walk(self, scenario: Scenario) -> dict[str, Seen]:
        if scenario.name not in self._seen:
            try:
                with self._databases() as conninfo:
                    self._seen[scenario.name] = {seen.step.name: seen for seen in walk(conninfo, scenario)}
            except Exception as error:
                error.add_note(f'in the scenario "{scenario.name}"')
                self._seen[scenario.name] = error
        seen = self._seen[scenario.name]
        if isinstance(seen, Exception):
            raise seen
        return seen


@dataclass
class _Walker:
    conn: Conn
    watcher: Conn
    scenario: Scenario
    values: dict[str, Value]
    chunk: bytes

    def observe(self, step: Step) -> Seen:
        seen = Seen(step, self.scenario.name)
        before = self._snapshot()
        files, fired, tables = self._files(), self._fired(), self._tables()
        advisory = sum(locktype == "advisory" for locktype, _, _ in self._locks())
        inside: dict[str, Any] = {}
        seen.sent = [step.render(self.values, self.conn).rstrip().removesuffix("\\gexec").rstrip()]
        if step.is_gexec:
            seen.sent += steps.statements(self.conn, step, self.values)
        try:
            with self.conn.transaction(force_rollback=True):
                self._perform(step)
                locks = self._locks()
                self._note_locks(seen, tables, locks)
                seen.advisory_locks = sum(locktype == "advisory" for locktype, _, _ in locks) - advisory
                inside = self._snapshot()
                self._note_files(seen, files)
                self._run_again(seen, inside)
        except psycopg.errors.ActiveSqlTransaction:
            seen.refuses_transaction = True
        seen.undone = self._snapshot() == before

        if seen.refuses_transaction:
            self._observe_alone(seen, files, tables)
        else:
            try:
                with self.conn.transaction(force_rollback=True):
                    self.conn.execute("SET TRANSACTION READ ONLY")
                    self._perform(step)
            except psycopg.errors.ReadOnlySqlTransaction:
                seen.refuses_read_only = True
            seen.fired = self._fired() - fired
            self._note_firing_when_on(seen)
            self._go_on(seen, inside)
        after = self._snapshot()
        seen.changes_live = any(after[key] != before[key] for key in _LIVE)
        seen.changes_anything = after != before
        return seen

    def _perform(self, step: Step) -> None:
        if "FROM STDIN" in step.text:
            with self.conn.cursor().copy(step.render(self.values, self.conn)) as copy:
                copy.write(_weights(self.values) if step.name.startswith("bridge/") else self.chunk)
            return
        done = steps.run(self.conn, step, self.values)
        if step.name == "run/open.sql":
            self.values["run_id"] = done.result[0]["id"]
        if step.name == "worker/open/10_open.sql":
            self.values["worker"] = done.result[0]["worker"]
        if step.name == "probe/worker.sql":
            # The trigger's function has the number of the worker.
            self.values |= done.result[0]
        if step.name == "bridge/write/30_add_map.sql":
            self.values["bridge"] = done.result[0]["id"]
        if step.name == "judge/10_open.sql":
            self.values["judging"] = done.result[0]["id"]
            # A question that a row answers, or there is none to ask.
            row = self.conn.execute(
                "SELECT id::text FROM public.knowledge_nodes WHERE embedding IS NOT NULL"
            ).fetchone()
            assert row is not None
            self.values["question_list"] = json.dumps([{"question": "which", "relevant": {row[0]: 1}}])

    def _run_again(self, seen: Seen, first: dict[str, Any]) -> None:
        """Run it a second time, with its first time still uncommitted."""
        files = self._files()
        try:
            with self.conn.transaction():
                self._perform(seen.step)
                second = self._snapshot()
        except psycopg.Error as error:
            seen.again, seen.again_error = str(error), True
            return
        seen.rewritten_again = {
            name for oid, (name, file) in self._files().items() if files.get(oid, (name, file))[1] != file
        }
        if different := [key for key in first if first[key] != second[key]]:
            seen.again = f"{', '.join(different)} differ from after the first"

    def _note_firing_when_on(self, seen: Seen) -> None:
        """What would fire had ``triggers/disable/`` not been run."""
        fired = self._fired()
        with self.conn.transaction(force_rollback=True):
            self.conn.execute("SET LOCAL session_replication_role = origin")
            for when in ("before", "after"):
                for what in ("row", "statement", "truncate"):
                    self.conn.execute(f"ALTER TABLE public.knowledge_nodes ENABLE TRIGGER {when}_{what}")  # type: ignore[arg-type]
            self._perform(seen.step)
        seen.fired_with_triggers_on = self._fired() - fired

    def _go_on(self, seen: Seen, inside: dict[str, Any]) -> None:
        """Run it for good, without a transaction if that does the same."""
        try:
            self._perform(seen.step)
            seen.needs_transaction = self._snapshot() != inside
        except psycopg.errors.NoActiveSqlTransaction:
            seen.needs_transaction = True
        if seen.needs_transaction:
            with self.conn.transaction():
                self._perform(seen.step)
                remembered = self.conn.execute(_REMEMBERED, (list(_FOR_THE_TRANSACTION),)).fetchall()
            # The walk commits each step by itself, so what is remembered for the transaction is carried over.
            for name, value in remembered:
                self.conn.execute("SELECT set_config(%s, %s, false)", (name, value))

    def _observe_alone(self, seen: Seen, files: dict[int, tuple[str, int]], tables: dict[int, str]) -> None:
        """Run a step that takes no transaction, held up by another session's while its locks are looked at."""
        fired = self._fired()
        done = threading.Thread(target=self._perform, args=(seen.step,))
        with self._writer_under_way():
            done.start()
            deadline = time.monotonic() + 10
            while done.is_alive() and time.monotonic() < deadline:
                self._note_locks(seen, tables, self._locks(self.watcher))
                waiting = self.watcher.execute(
                    "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s",
                    (self.conn.info.backend_pid,),
                ).fetchone()
                if waiting == (True,):
                    break
                time.sleep(0.005)
            self._note_locks(seen, tables, self._locks(self.watcher))
        done.join()
        self._note_files(seen, files)
        seen.fired = self._fired() - fired
        self._run_again(seen, self._snapshot())

    @contextmanager
    def _writer_under_way(self) -> Iterator[None]:
        with psycopg.connect(self.watcher.info.dsn, password=self.watcher.info.password or None) as writer:
            writer.execute("LOCK TABLE knowledge_nodes IN ROW EXCLUSIVE MODE")
            yield
            writer.rollback()

    # --- Looking ---

    def _tables(self) -> dict[int, str]:
        """The tables that others may know: the target, the staging table, and those that are not the package's."""
        rows = self.conn.execute(
            """
            SELECT c.oid::bigint, CASE
                WHEN c.oid = %s::regclass THEN 'the target'
                WHEN c.relname = %s THEN 'the staging table'
                ELSE c.relname END
            FROM pg_class c
            WHERE c.relkind = 'r' AND (c.relnamespace = 'public'::regnamespace OR c.relname = %s)
            """,
            (_TARGET, self.values["staging_table"], self.values["staging_table"]),
        ).fetchall()
        return dict(rows)

    def _locks(self, conn: Conn | None = None) -> list[tuple[str, int, str]]:
        return (conn or self.conn).execute(
            """
            SELECT locktype, relation::bigint, mode FROM pg_locks
            WHERE pid = %s AND locktype IN ('relation', 'advisory') AND granted
            """,
            (self.conn.info.backend_pid,),
        ).fetchall()  # fmt: skip

    def _note_locks(self, seen: Seen, tables: dict[int, str], locks: list[tuple[str, int, str]]) -> None:
        for locktype, relation, lock in locks:
            if locktype == "relation" and relation in tables:
                mode = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", lock.removesuffix("Lock")).upper()
                table = tables[relation]
                seen.locks[table] = strongest([mode, seen.locks.get(table, mode)])

    def _files(self) -> dict[int, tuple[str, int]]:
        rows = self.conn.execute(
            """
            SELECT c.oid, CASE c.oid WHEN %(t)s::regclass THEN 'heap' ELSE c.relname END, pg_relation_filenode(c.oid)
            FROM pg_class c
            WHERE c.oid = %(t)s::regclass OR c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = %(t)s::regclass)
            """,
            {"t": _TARGET},
        ).fetchall()
        return {oid: (name, file) for oid, name, file in rows}

    def _note_files(self, seen: Seen, before: dict[int, tuple[str, int]]) -> None:
        for oid, (name, file) in self._files().items():
            if oid in before:
                (seen.not_rewritten if before[oid][1] == file else seen.rewritten).add(name)

    def _fired(self) -> int:
        row = self.conn.execute("SELECT last_value FROM public.fired").fetchone()
        assert row is not None
        return int(row[0])

    def _snapshot(self) -> dict[str, Any]:
        """Everything that a step may change, less clocks, keys from sequences, and the audit of steps."""
        staging = str(self.values["staging_table"])
        there = self.conn.execute("SELECT to_regclass(format('vestige_sql.%%I', %s::text))", (staging,)).fetchone()
        staged = sql.Identifier("vestige_sql", staging) if there and there[0] else sql.SQL("(SELECT) AS")
        row = self.conn.execute(
            sql.SQL(_SNAPSHOT).format(staged=staged),  # type: ignore[arg-type]
            {"target": _TARGET, "settings": list(_SETTINGS)},
        ).fetchone()
        assert row is not None
        return dict(row[0])


_SNAPSHOT = """
SELECT jsonb_build_object(
    'columns', (
        SELECT jsonb_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attstorage,
            a.attstattarget, a.attoptions::text, a.attacl::text, a.attcompression, pg_get_expr(d.adbin, d.adrelid),
            col_description(a.attrelid, a.attnum)) ORDER BY a.attname)
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = %(target)s::regclass AND a.attnum > 0 AND NOT a.attisdropped),
    'indexes', (
        SELECT jsonb_agg(concat(pg_get_indexdef(indexrelid), indisvalid) ORDER BY indexrelid::regclass::text)
        FROM pg_index WHERE indrelid = %(target)s::regclass),
    'comments of indexes', (
        SELECT jsonb_agg(obj_description(indexrelid, 'pg_class') ORDER BY indexrelid::regclass::text)
        FROM pg_index WHERE indrelid = %(target)s::regclass),
    'triggers', (
        SELECT jsonb_agg(concat(tgname, ' ', tgenabled) ORDER BY tgname)
        FROM pg_trigger WHERE tgrelid = %(target)s::regclass),
    'views', (
        SELECT jsonb_agg(c.relname || pg_get_viewdef(c.oid) ORDER BY c.relname) FROM pg_class c
        WHERE c.relkind IN ('v', 'm') AND c.relnamespace = 'public'::regnamespace),
    'constraints', (
        SELECT jsonb_agg(conname || pg_get_constraintdef(oid) ORDER BY conname)
        FROM pg_constraint WHERE conrelid = %(target)s::regclass),
    'rows', (SELECT jsonb_agg(to_jsonb(t) ORDER BY t.id) FROM public.knowledge_nodes t),
    'other tables of vestige', jsonb_build_array(
        (SELECT jsonb_agg(to_jsonb(t) ORDER BY t.id) FROM public.users t),
        (SELECT jsonb_agg(to_jsonb(t) ORDER BY t.id) FROM public.groups t),
        (SELECT jsonb_agg(to_jsonb(t)) FROM public.group_memberships t),
        (SELECT jsonb_agg(to_jsonb(t) ORDER BY t.id) FROM public.domains t),
        (SELECT jsonb_agg(to_jsonb(t) ORDER BY t.memory_id) FROM public.scheduling t),
        (SELECT jsonb_agg(to_jsonb(t) ORDER BY t.source_id, t.target_id) FROM public.edges t),
        (SELECT jsonb_agg(to_jsonb(t) - 'id' ORDER BY t.id) FROM public.review_events t)),
    'registry of vestige', (SELECT jsonb_agg(to_jsonb(m) - 'updated_at') FROM public.embedding_model m),
    'registry', (SELECT jsonb_agg(to_jsonb(m) - '{{created_at,updated_at}}'::text[]) FROM vestige_sql.model m),
    'runs', (
        SELECT jsonb_agg(to_jsonb(r) - '{{id,started_at,applied_at,finished_at,verified_at}}'::text[] ORDER BY r.id)
        FROM vestige_sql.run r),
    'saved indexes', (
        SELECT jsonb_agg(to_jsonb(s) - 'saved_at' ORDER BY s.index_name) FROM vestige_sql.saved_index s),
    'version', (SELECT jsonb_agg(to_jsonb(p) - 'migrated_at') FROM vestige_sql.package p),
    'functions remembered', (
        SELECT jsonb_agg(to_jsonb(f) - 'applied_at' ORDER BY f.name) FROM vestige_sql.function_file f),
    'encodings', (SELECT jsonb_agg(to_jsonb(e) - 'recorded_at') FROM vestige_sql.encoding e),
    'maps', (
        SELECT jsonb_agg(to_jsonb(b) - '{{id,run_id,made_at,dropped_at}}'::text[] ORDER BY b.id)
        FROM vestige_sql.bridge b),
    'rows of maps', (SELECT jsonb_agg(to_jsonb(r) - 'bridge' ORDER BY r.bridge, r.nr) FROM vestige_sql.bridge_row r),
    'kept', (SELECT jsonb_agg(to_jsonb(k) - '{{run_id,kept_at}}'::text[]) FROM vestige_sql.kept k),
    'workers', (
        SELECT jsonb_agg(to_jsonb(w) - '{{id,swept_at,made_at}}'::text[] ORDER BY w.id) FROM vestige_sql.worker w),
    'texts of workers', (SELECT jsonb_agg(to_jsonb(x) - 'worker' ORDER BY x.key) FROM vestige_sql.worker_text x),
    'notes of workers', (
        SELECT jsonb_agg(to_jsonb(n) - '{{worker,note,noted_at,due_at}}'::text[] ORDER BY n.key)
        FROM vestige_sql.worker_note n),
    'processes of workers', (
        SELECT jsonb_agg(to_jsonb(p) - '{{worker,started_at,passed_at}}'::text[] ORDER BY p.id)
        FROM vestige_sql.worker_process p),
    'tables and functions', (
        SELECT jsonb_agg(o.name ORDER BY o.name)
        FROM (SELECT relname FROM pg_class WHERE relnamespace = 'vestige_sql'::regnamespace AND relkind = 'r'
              UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'vestige_sql'::regnamespace) AS o (name)),
    'staged vectors', (SELECT jsonb_agg(to_jsonb(s) ORDER BY to_jsonb(s)) FROM {staged} s),
    'advisory locks', (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
    'settings', (
        SELECT jsonb_object_agg(s, coalesce(current_setting(s, true), '')) FROM unnest(%(settings)s::text[]) AS s)
)
"""

_LIVE = (
    *("columns", "indexes", "triggers", "constraints", "rows", "views"),
    *("other tables of vestige", "registry of vestige", "registry"),
)
"""What the others see of the target: a step that changes it stands in the one transaction with all the others."""

_FOR_THE_TRANSACTION = (
    *("vestige_sql.triggers", "vestige_sql.triggers_quiet", "vestige_sql.run_id"),
    *("vestige_sql.refusals", "vestige_sql.refused", "vestige_sql.gated", "session_replication_role"),
    *("vestige_sql.views", "vestige_sql.expressions", "vestige_sql.set_aside"),
)
"""What steps remember for the steps after them."""

_REMEMBERED = "SELECT name, coalesce(current_setting(name, true), '') FROM unnest(%s::text[]) AS name"

_SETTINGS = (
    "statement_timeout",
    "idle_in_transaction_session_timeout",
    "lock_timeout",
    "row_security",
    "default_tablespace",
    "client_min_messages",
    "maintenance_work_mem",
    "max_parallel_maintenance_workers",
    "min_parallel_table_scan_size",
    "hnsw.ef_search",
    "hnsw.iterative_scan",
    "jit",
    *_FOR_THE_TRANSACTION,
)
