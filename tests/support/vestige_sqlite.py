"""Builds Vestige SQLite databases of any version, for the tests of the copy."""

from __future__ import annotations

import json
import sqlite3
import struct
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vestige_sql.resources import resource_dir

NEWEST = 40
"""A version with all that a newer Vestige may have, tenancy included."""

# Of each table its columns, each after the version that it came with.
_COLUMNS = {
    "knowledge_nodes": """
        1 id TEXT PRIMARY KEY; 1 content TEXT NOT NULL; 1 node_type TEXT NOT NULL DEFAULT 'fact';
        1 created_at TEXT NOT NULL;
        1 updated_at TEXT NOT NULL; 1 last_accessed TEXT NOT NULL; 1 stability REAL DEFAULT 1.0;
        1 difficulty REAL DEFAULT 5.0; 1 reps INTEGER DEFAULT 0; 1 lapses INTEGER DEFAULT 0;
        1 retrieval_strength REAL DEFAULT 1.0; 1 retention_strength REAL DEFAULT 1.0;
        1 sentiment_score REAL DEFAULT 0.0;
        1 next_review TEXT; 1 source TEXT; 1 tags TEXT DEFAULT '[]'; 2 valid_from TEXT; 2 valid_until TEXT;
        4 scope TEXT DEFAULT 'user'; 9 flashbulb BOOLEAN DEFAULT FALSE; 14 protected INTEGER DEFAULT 0;
        14 superseded_by TEXT; 16 domains TEXT NOT NULL DEFAULT '[]'; 16 domain_scores TEXT NOT NULL DEFAULT '{}';
        40 metadata TEXT; 40 codebase TEXT; 40 owner_user_id TEXT; 40 visibility TEXT; 40 shared_with_groups TEXT""",
    "node_embeddings": """
        1 node_id TEXT PRIMARY KEY; 1 embedding BLOB; 1 dimensions INTEGER NOT NULL; 1 model TEXT; 1 created_at TEXT;
        4 version INTEGER DEFAULT 1""",
    "memory_connections": """
        3 source_id TEXT; 3 target_id TEXT; 3 strength REAL; 3 link_type TEXT; 3 created_at TEXT; 3 last_activated TEXT;
        3 activation_count INTEGER DEFAULT 0""",
    "intentions": "3 id TEXT PRIMARY KEY; 3 content TEXT NOT NULL",
    "embedding_model": "16 id INTEGER PRIMARY KEY; 16 name TEXT; 16 dimension INTEGER; 16 hash TEXT",
    "domains": """
        16 id TEXT PRIMARY KEY; 16 label TEXT; 16 centroid BLOB; 16 top_terms TEXT DEFAULT '[]';
        16 memory_count INTEGER DEFAULT 0; 16 created_at TEXT; 40 color TEXT""",
    "users": "40 id TEXT PRIMARY KEY; 40 handle TEXT; 40 display_name TEXT; 40 created_at TEXT; 40 email TEXT",
    "groups": "40 id TEXT PRIMARY KEY; 40 handle TEXT; 40 display_name TEXT; 40 created_at TEXT; 40 metadata TEXT",
    "group_memberships": "40 user_id TEXT; 40 group_id TEXT; 40 role TEXT; 40 joined_at TEXT",
    "review_events": """
        40 id INTEGER PRIMARY KEY; 40 memory_id TEXT; 40 timestamp TEXT; 40 rating INTEGER; 40 prior_state TEXT;
        40 new_state TEXT""",
}

MODEL = "acme/tiny"
DIMENSION = 4


def columns(table: str, version: int) -> list[str]:
    """The declarations of a table's columns in a version."""
    entries = [entry.split(None, 1) for entry in _COLUMNS[table].split(";")]
    return [declaration.strip() for since, declaration in entries if int(since) <= version]


def build(path: Path, version: int = 15, tables: Mapping[str, Iterable[Mapping[str, Any]]] | None = None) -> Path:
    """Make the database ``path`` of ``version`` with the given rows; a value for a column that it lacks is left out."""
    conn = sqlite3.connect(path)
    conn.execute("CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL)")
    conn.execute("INSERT INTO schema_version VALUES (?, '2025-01-01')", (version,))
    for table in _COLUMNS:
        declared = columns(table, version)
        if not declared:
            continue
        conn.execute(f"CREATE TABLE {table} ({', '.join(declared)})")
        names = {declaration.split()[0] for declaration in declared}
        for row in (tables or {}).get(table, ()):
            given = {name: value for name, value in row.items() if name in names}
            marks = ", ".join("?" * len(given))
            conn.execute(f"INSERT INTO {table} ({', '.join(given)}) VALUES ({marks})", tuple(given.values()))
    conn.execute("CREATE VIRTUAL TABLE knowledge_fts USING fts5(id, content)")
    conn.commit()
    conn.close()
    return path


# What the versions after 15 changed of what a copy reads, table by table as Vestige's own migrations leave them.
_SINCE = {
    16: """
        CREATE TABLE embedding_model (
            id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT NOT NULL, dimension INTEGER NOT NULL, hash TEXT NOT NULL,
            created_at TEXT NOT NULL);
        ALTER TABLE knowledge_nodes ADD COLUMN domains TEXT NOT NULL DEFAULT '[]';
        ALTER TABLE knowledge_nodes ADD COLUMN domain_scores TEXT NOT NULL DEFAULT '{}';
        CREATE TABLE domains (
            id TEXT PRIMARY KEY, label TEXT NOT NULL, centroid BLOB, top_terms TEXT NOT NULL DEFAULT '[]',
            memory_count INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL);""",
    17: """
        ALTER TABLE knowledge_nodes ADD COLUMN source_system TEXT;
        ALTER TABLE knowledge_nodes ADD COLUMN source_id TEXT;
        ALTER TABLE knowledge_nodes ADD COLUMN source_url TEXT;
        ALTER TABLE knowledge_nodes ADD COLUMN source_updated_at TEXT;
        ALTER TABLE knowledge_nodes ADD COLUMN content_hash TEXT;
        ALTER TABLE knowledge_nodes ADD COLUMN synced_at TEXT;
        ALTER TABLE knowledge_nodes ADD COLUMN source_project TEXT;
        ALTER TABLE knowledge_nodes ADD COLUMN source_type TEXT;
        ALTER TABLE knowledge_nodes ADD COLUMN source_author TEXT;""",
    28: """
        CREATE TABLE embedding_profiles (
            profile_id TEXT PRIMARY KEY, model_id TEXT NOT NULL, immutable_model_revision TEXT NOT NULL,
            verified_model_artifact_hashes TEXT NOT NULL DEFAULT '[]', runtime_backend TEXT NOT NULL,
            embedding_dimension INTEGER NOT NULL CHECK (embedding_dimension > 0), normalization_method TEXT NOT NULL,
            document_encoding_template TEXT NOT NULL, query_encoding_template TEXT NOT NULL,
            maximum_token_limit INTEGER NOT NULL CHECK (maximum_token_limit > 0), chunking_strategy TEXT NOT NULL,
            status TEXT NOT NULL, installed_at TEXT, last_verified_at TEXT, runtime_metadata TEXT,
            verification TEXT NOT NULL DEFAULT '{}', evaluation TEXT, failure TEXT, created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL);
        CREATE TABLE embedding_profile_state (
            singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
            active_profile_id TEXT NOT NULL REFERENCES embedding_profiles (profile_id), previous_profile_id TEXT,
            activated_at TEXT NOT NULL, updated_at TEXT NOT NULL);
        CREATE TABLE embedding_profile_vectors (
            profile_id TEXT NOT NULL REFERENCES embedding_profiles (profile_id) ON DELETE CASCADE,
            node_id TEXT NOT NULL REFERENCES knowledge_nodes (id) ON DELETE CASCADE, embedding BLOB NOT NULL,
            dimensions INTEGER NOT NULL CHECK (dimensions > 0), model TEXT NOT NULL, created_at TEXT NOT NULL,
            PRIMARY KEY (profile_id, node_id));
        CREATE TABLE embedding_profile_manifests (
            profile_id TEXT PRIMARY KEY REFERENCES embedding_profiles (profile_id) ON DELETE CASCADE,
            manifest_json TEXT NOT NULL, manifest_hash TEXT NOT NULL,
            vector_count INTEGER NOT NULL DEFAULT 0 CHECK (vector_count >= 0),
            index_member_count INTEGER NOT NULL DEFAULT 0 CHECK (index_member_count >= 0), index_integrity_hash TEXT,
            updated_at TEXT NOT NULL);""",
    32: """
        CREATE TABLE vector_journal (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, profile_id TEXT NOT NULL, node_id TEXT NOT NULL,
            op TEXT NOT NULL CHECK (op IN ('upsert', 'delete')),
            at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')));
        CREATE TRIGGER trg_vector_journal_insert AFTER INSERT ON embedding_profile_vectors BEGIN
            INSERT INTO vector_journal (profile_id, node_id, op) VALUES (NEW.profile_id, NEW.node_id, 'upsert');
        END;""",
}

LEGACY_PROFILE = "nomic-v1.5-legacy-raw-256"


def build_real(path: Path, version: int, tables: Mapping[str, Iterable[Mapping[str, Any]]]) -> Path:
    """Make the database ``path`` with the tables of Vestige's own ``version``, 15 or newer, and the given rows.

    Only what a copy reads is there of the versions after 15. A value for a column that the version lacks is left out.
    """
    conn = sqlite3.connect(path)
    conn.executescript((resource_dir("migrations") / "sqlite" / "version_15.sql").read_text(encoding="utf-8"))
    for since, statements in _SINCE.items():
        if since <= version:
            conn.executescript(statements)
    conn.execute("INSERT INTO schema_version VALUES (?, '2026-01-01')", (version,))
    for table, rows in tables.items():
        names = {name for (name,) in conn.execute("SELECT name FROM pragma_table_info(?)", (table,))}
        for row in rows:
            given = {name: value for name, value in row.items() if name in names}
            marks = ", ".join("?" * len(given))
            conn.execute(f"INSERT INTO {table} ({', '.join(given)}) VALUES ({marks})", tuple(given.values()))
    conn.commit()
    conn.close()
    return path


def profile(name: str, model: str, dimension: int, **values: Any) -> dict[str, Any]:
    """A row of ``embedding_profiles``."""
    return {
        "profile_id": name,
        "model_id": model,
        "immutable_model_revision": "0" * 40,
        "runtime_backend": "onnx",
        "embedding_dimension": dimension,
        "normalization_method": "l2",
        "document_encoding_template": "search_document: {content}",
        "query_encoding_template": "search_query: {query}",
        "maximum_token_limit": 8192,
        "chunking_strategy": "none",
        "status": "ready",
        "created_at": "2026-01-01",
        "updated_at": "2026-01-01",
    } | values


def active(name: str) -> list[dict[str, Any]]:
    """The rows of ``embedding_profile_state``, with ``name`` as the active profile."""
    return [
        {"singleton": 1, "active_profile_id": name, "activated_at": "2026-01-01", "updated_at": "2026-01-01"},
    ]


def vectors(vector: Sequence[float], **values: Any) -> dict[str, Any]:
    """The columns of a row of either table of vectors that say what ``vector`` is."""
    return {
        "embedding": blob(vector),
        "dimensions": len(vector),
        "model": MODEL,
        "created_at": "2026-01-02T03:04:05+00:00",
    } | values


def change(path: Path, statement: str, *values: Any) -> None:
    """Run one statement on the database ``path``."""
    conn = sqlite3.connect(path)
    conn.execute(statement, values)
    conn.commit()
    conn.close()


def key(number: int) -> str:
    """The id of memory ``number``."""
    return str(uuid.UUID(int=0xA000_0000_0000_4000_8000_0000_0000_0000 + number))


def memory(number: int, **values: Any) -> dict[str, Any]:
    """A row of ``knowledge_nodes``; ``values`` stand in for its own."""
    return {
        "id": key(number),
        "content": f"memory number {number}",
        "node_type": "decision",
        "created_at": f"2024-01-02T03:04:05.{number:06}+00:00",
        "updated_at": f"2024-02-03T04:05:06.{number:06}+00:00",
        "last_accessed": "2024-03-04T05:06:07+00:00",
        "stability": 2.5 + number,
        "difficulty": 0.1,
        "reps": 3,
        "lapses": 1,
        "retrieval_strength": 0.75,
        "retention_strength": 0.5,
        "sentiment_score": -0.25,
        "next_review": "2024-04-05T06:07:08Z",
        "source": "a chat",
        "tags": json.dumps(["one", "größe 🐘"]),
        "valid_from": "2024-01-01",
        "scope": "agent",
        "protected": 1,
        "superseded_by": None,
        "domains": '["work"]',
        "domain_scores": '{"work": 0.5}',
    } | values


def elements(number: int) -> list[float]:
    """The vector of memory ``number``, with a negative zero and a denormal float32 in it."""
    return [0.1 + number, -0.0, 1e-42, -3.4e38]


def blob(vector: Sequence[float]) -> bytes:
    """``vector`` as Vestige stores it: little-endian float32."""
    return struct.pack(f"<{len(vector)}f", *vector)


def embedding(number: int, **values: Any) -> dict[str, Any]:
    """A row of ``node_embeddings``."""
    return {
        "node_id": key(number),
        "embedding": blob(elements(number)),
        "dimensions": DIMENSION,
        "model": MODEL,
        "created_at": "2024-01-02T03:04:06+00:00",
    } | values


def connection(source: int, target: int, **values: Any) -> dict[str, Any]:
    """A row of ``memory_connections``."""
    return {
        "source_id": key(source),
        "target_id": key(target),
        "strength": 0.5,
        "link_type": "semantic",
        "created_at": "2024-05-06 07:08:09",
    } | values


def memories(count: int) -> dict[str, list[dict[str, Any]]]:
    """``count`` memories with vectors and a chain of connections, for :func:`build`."""
    return {
        "knowledge_nodes": [memory(n) for n in range(count)],
        "node_embeddings": [embedding(n) for n in range(count)],
        "memory_connections": [connection(n, n + 1) for n in range(count - 1)],
    }
