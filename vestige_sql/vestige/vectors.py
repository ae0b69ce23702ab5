"""The vectors of a source: in which table the live ones are, whose they are, and which of them a copy takes.

Up to version 27 of Vestige's schema they are in ``node_embeddings``. From version 28 each embedding profile has its
own in ``embedding_profile_vectors``, ``embedding_profile_state`` names the active profile, and ``node_embeddings`` is
only a mirror, which may be stale. A memory with ``has_embedding = 0`` has no vector, whatever the tables contain.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from vestige_sql.vestige.values import quoted, readable

NEWEST_KNOWN = 35
"""The newest version of Vestige's schema that this package knows: where the live vectors are, and what marks them."""

MIRROR = "node_embeddings"
PROFILED = "embedding_profile_vectors"
_STATE = "embedding_profile_state"
_PROFILES = "embedding_profiles"

PLACED = {MIRROR, PROFILED, _STATE, _PROFILES, "embedding_model"}
"""The tables that a copy of the vectors reads."""

_KNOWN = PLACED | {
    "embedding_profile_manifests",
    "embedding_profile_migrations",
    "embedding_profile_migration_checkpoints",
    "vector_journal",
}


@dataclass(frozen=True)
class SourceModel:
    """The model of some of the source's vectors, as far as the source states it: ``name`` and ``hash`` may be None."""

    name: str | None
    dimension: int
    hash: str | None

    def __str__(self) -> str:
        hashed = f", hash {self.hash[:12]}" if self.hash else ""
        return f"{self.name or 'a model without a name'} ({self.dimension} dimensions{hashed})"

    def same(self, other: SourceModel) -> bool:
        """Return whether name and dimension agree. A name without an owner is the same under any owner."""
        return self.dimension == other.dimension and same_name(self.name, other.name)


def same_name(name: str | None, other: str | None) -> bool:
    """Return whether two names may be of one model: all-MiniLM-L6-v2 is sentence-transformers/all-MiniLM-L6-v2 too."""
    if name is None or other is None or name == other:
        return True
    without_owner = {one.rpartition("/")[2] for one in (name, other)}
    return len(without_owner) == 1 and any("/" not in one for one in (name, other))


@dataclass(frozen=True)
class Profile:
    """The active embedding profile: its id, its model's name, and how it encodes a memory's text."""

    id: str
    model: str
    template: str


@dataclass(frozen=True)
class Kept:
    """The vectors that a copy takes: those of ``dimension`` elements whose model has one of ``names``.

    With ``centroids``, those of the domains too.
    """

    dimension: int
    names: tuple[str | None, ...]
    centroids: bool


@dataclass(frozen=True)
class _Group:
    """Live vectors that state the same model and dimensions. ``whole`` ones have as many bytes as they state."""

    name: str | None
    dimension: int | None
    whole: bool
    rows: int


@dataclass(frozen=True)
class Vectors:
    """The live vectors of a source.

    ``table`` is the table that they are in, and ``columns`` its columns. ``stated`` is the model that the source says
    is theirs: the active profile's, or the registered one. ``models`` are those that they have, most vectors first.
    """

    table: str
    columns: tuple[str, ...]
    flagged: bool
    profile: Profile | None
    stated: SourceModel | None
    groups: tuple[_Group, ...]
    orphans: int
    unflagged: int
    """How many vectors are of memories with ``has_embedding = 0``."""
    elsewhere: dict[str, int]
    """How many vectors other profiles have."""

    @property
    def models(self) -> dict[SourceModel, int]:
        whole = [group for group in self.groups if group.whole and group.dimension]
        counted: Counter[SourceModel] = Counter()
        # If no vector is whole, the dimension that they state counts. Each faulty vector is reported when it is read.
        for group in whole or self.groups:
            counted[self._model(group)] += group.rows
        return dict(counted.most_common())

    def _model(self, group: _Group) -> SourceModel:
        model = SourceModel(group.name, group.dimension or 1, None)
        if self.stated is not None and self.stated.same(model):
            return replace(model, hash=self.stated.hash)
        return model

    def kept(self, models: list[SourceModel]) -> Kept:
        """Return what of the vectors is taken if those of ``models`` are, which are all of one dimension."""
        names = tuple({model.name for model in models})
        return Kept(models[0].dimension, names, centroids=len(self.models) == 1)

    def presented(self, kept: Kept | None) -> int:
        """Return how many vectors a copy looks at: the live ones, of one model if one is kept."""
        return self.orphans + sum(group.rows for group in self.groups if kept is None or _taken(group, kept))

    def left(self, kept: Kept) -> dict[str, int]:
        """Return how many vectors stay behind, by the reason."""
        found = {
            str(replace(self._model(group), hash=None)): group.rows for group in self.groups if not _taken(group, kept)
        }
        if self.unflagged:
            found["has_embedding = 0"] = self.unflagged
        return found | {f"profile {name}": rows for name, rows in self.elsewhere.items()}

    # --- SQL ---

    def live(self, memory: str, vector: str) -> str:
        """Return the SQL condition under which the row ``vector`` has the live vector of the row ``memory``."""
        conditions = [f"{vector}.node_id = {memory}.id", self.own(vector)]
        if self.flagged:
            conditions.append(f"coalesce({memory}.has_embedding, 0) <> 0")
        return " AND ".join(conditions)

    def own(self, vector: str) -> str:
        """Return the SQL condition under which the row ``vector`` is of the active profile."""
        return "1" if self.profile is None else f"{vector}.profile_id = {literal(self.profile.id)}"

    def taken(self, vector: str, kept: Kept) -> str:
        """Return the SQL condition under which ``kept`` takes the row ``vector``.

        A faulty vector of the model is taken, so that it gets reported. One that is whole but of another dimension is
        that of another model.
        """
        name, dimension, whole = self.of(vector)
        names = ", ".join(literal(one) for one in kept.names if one is not None)
        named = [f"{name} IN ({names})"] if names else []
        unnamed = [f"{name} IS NULL"] if None in kept.names else []
        return f"({' OR '.join(named + unnamed)}) AND NOT coalesce({whole} AND ({dimension}) <> {kept.dimension}, 0)"

    def of(self, vector: str) -> tuple[str, str, str]:
        """Return SQL for the name of a vector's model, for its dimension, and for whether it is whole."""
        stated = f"{vector}.dimensions" if "dimensions" in self.columns else "NULL"
        size = f"length(CAST({vector}.embedding AS BLOB))"
        name = f"{vector}.model" if "model" in self.columns else "NULL"
        if self.profile is not None:
            # A profile's own runtime writes the profile's id where the model's name was before.
            name = f"nullif({name}, {literal(self.profile.id)})"
        if self.stated is not None and self.stated.name is not None:
            # The stated name counts for vectors without one. If vectors have another name, there are two models.
            name = f"coalesce({name}, {literal(self.stated.name)})"
        dimension = f"CASE WHEN typeof({stated}) = 'integer' THEN {stated} ELSE {size} / 4 END"
        whole = f"(typeof({vector}.embedding) = 'blob' AND {size} > 0 AND {size} = 4 * ({dimension}))"
        return name, dimension, whole


def _taken(group: _Group, kept: Kept) -> bool:
    return group.name in kept.names and not (group.whole and group.dimension != kept.dimension)


def literal(text: str) -> str:
    """Return ``text`` as a literal of SQLite."""
    return "'" + text.replace("'", "''") + "'"


def find(
    conn: sqlite3.Connection, columns: Mapping[str, list[str]], counts: Mapping[str, int]
) -> tuple[Vectors | None, str | None]:
    """Return the live vectors, None if there are none, and what keeps them from being read, None if nothing does.

    ``columns`` and ``counts`` (rows) are by the table's name. ``conn`` gives text as ``str``.
    """
    active = None
    if {_STATE, _PROFILES, PROFILED} <= set(columns):
        row = conn.execute(f"SELECT active_profile_id FROM {_STATE} LIMIT 1").fetchone()
        active = row and row[0]
    registered = _registered(conn, columns)
    table, profile, stated = MIRROR, None, registered
    if active is not None:
        table = PROFILED
        row = conn.execute(
            f"SELECT model_id, embedding_dimension, document_encoding_template FROM {_PROFILES} WHERE profile_id = ?",
            (active,),
        ).fetchone()
        if row is None:
            return None, f"{_STATE} names the active profile {active}, and {_PROFILES} has none of that name"
        profile = Profile(active, row[0], row[2])
        stated = SourceModel(row[0], row[1], None)
        if registered is not None and registered.same(stated):
            stated = replace(stated, hash=registered.hash)
    if table not in columns:
        return None, None
    missing = {"node_id", "embedding"} - set(columns[table])
    if missing:
        return None, f"{table} has no columns node_id and embedding"
    found = Vectors(
        table, tuple(columns[table]), "has_embedding" in columns["knowledge_nodes"], profile, stated, (), 0, 0, {}
    )
    found = _counted(conn, found, counts)
    return (found if found.groups or found.orphans or found.unflagged else None), None


def _registered(conn: sqlite3.Connection, columns: Mapping[str, list[str]]) -> SourceModel | None:
    """Return the model in the source's registry, whose columns may be called name or model_name, hash or model_hash."""
    registry = set(columns.get("embedding_model", []))
    if not registry:
        return None
    fields = [f"model_{one}" if f"model_{one}" in registry else one for one in ("name", "hash")]
    select = ", ".join(quoted(one) if one in registry else "NULL" for one in (*fields, "dimension"))
    name, hashed, dimension = conn.execute(f"SELECT {select} FROM embedding_model LIMIT 1").fetchone() or (None,) * 3
    return SourceModel(name, dimension, hashed) if name is not None and isinstance(dimension, int) else None


def _counted(conn: sqlite3.Connection, vectors: Vectors, counts: Mapping[str, int]) -> Vectors:
    if not counts[vectors.table]:
        return vectors
    name, dimension, whole = vectors.of("e")
    groups = conn.execute(
        f"SELECT {name}, {dimension}, {whole}, count(*) FROM {vectors.table} AS e"
        f" JOIN knowledge_nodes AS t ON {vectors.live('t', 'e')} GROUP BY 1, 2, 3 ORDER BY 4 DESC"
    ).fetchall()
    own = f"FROM {vectors.table} AS e WHERE {vectors.own('e')}"
    of_nobody = "NOT EXISTS (SELECT 1 FROM knowledge_nodes AS t WHERE t.id = e.node_id)"
    (orphans,) = conn.execute(f"SELECT count(*) {own} AND {of_nobody}").fetchone()
    unflagged = 0
    if vectors.flagged:
        (unflagged,) = conn.execute(
            f"SELECT count(*) {own} AND EXISTS"
            " (SELECT 1 FROM knowledge_nodes AS t WHERE t.id = e.node_id AND coalesce(t.has_embedding, 0) = 0)"
        ).fetchone()
    elsewhere = {}
    if vectors.profile is not None:
        elsewhere = dict(
            conn.execute(
                f"SELECT profile_id, count(*) FROM {vectors.table} AS e WHERE NOT {vectors.own('e')} GROUP BY 1"
            ).fetchall()
        )
    return replace(
        vectors,
        groups=tuple(_Group(name, dimension, bool(whole), rows) for name, dimension, whole, rows in groups),
        orphans=orphans,
        unflagged=unflagged,
        elsewhere=elsewhere,
    )


def of_no_memory(conn: sqlite3.Connection, vectors: Vectors) -> Iterator[str]:
    """Yield the ids of the live vectors' table that no memory has."""
    for (key,) in conn.execute(
        f"SELECT e.node_id FROM {vectors.table} AS e WHERE {vectors.own('e')}"
        " AND NOT EXISTS (SELECT 1 FROM knowledge_nodes AS t WHERE t.id = e.node_id)"
    ):
        yield readable(key)


def older_than_their_memory(conn: sqlite3.Connection, vectors: Vectors, kept: Kept) -> int:
    """Return how many of the vectors that a copy takes were made before their memory last changed.

    Vestige does not note which text a vector was made from. It sets ``updated_at`` for other changes, too.
    """
    if "created_at" not in vectors.columns:
        return 0
    (older,) = conn.execute(
        f"SELECT count(*) FROM {vectors.table} AS e JOIN knowledge_nodes AS t"
        f" ON {vectors.live('t', 'e')} AND {vectors.taken('e', kept)}"
        " WHERE julianday(e.created_at) < julianday(t.updated_at)"
    ).fetchone()
    return int(older)


def centroids(conn: sqlite3.Connection, columns: Mapping[str, list[str]]) -> int:
    """Return how many domains have a centroid."""
    if "centroid" not in columns.get("domains", []):
        return 0
    (domains,) = conn.execute("SELECT count(centroid) FROM domains").fetchone()
    return int(domains)


def unknown_tables(conn: sqlite3.Connection, columns: Mapping[str, list[str]]) -> list[str]:
    """Return the tables that this package does not know and that may have vectors: a name says so."""
    blobs = {
        table: [name for (name,) in conn.execute("SELECT name FROM pragma_table_info(?) WHERE type = 'BLOB'", (table,))]
        for table in columns
        if table not in _KNOWN and table not in ("knowledge_nodes", "domains")
    }
    return sorted(
        table
        for table, names in blobs.items()
        if any(word in name.lower() for name in (table, *names) for word in ("embedding", "vector"))
    )
