"""Load, render and run the SQL step files, as psql would.

A step file is plain SQL with psql's variables: ``:name`` as it is, ``:'name'`` as a literal, ``:"name"`` as an
identifier. As in psql, nothing is replaced inside strings, quoted identifiers, dollar quotes and comments, and a
query that ends in ``\\gexec`` is run, and then each field of its result is run as a statement.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row, tuple_row

from .errors import CheckFailed, ServerError, VestigeError
from .resources import resource_dir

Value = str | int | float | bool | None
"""What a variable may hold. ``None`` renders as NULL."""

CHECK_FAILED = "VS001"
"""The package's own SQLSTATE: vestige_sql.require() raises it where a check does not hold."""

HEADER_FIELDS = ("Locks", "Transaction", "Rewrites", "Fires", "Run again", "Undo", "Variables")
"""The fields of every header, in their order."""

# psql's own reading of SQL text, as far as variables are concerned (psqlscan.l in PostgreSQL's source): what may
# hide a colon comes first, so that a variable is found only where psql finds one. A word is one because it may end in
# $tag$ or E, which begin no string there.
_NAME = r"[A-Za-z0-9_\x80-\U0010ffff]+"
_TOKEN = re.compile(
    rf"""
      (?P<comment> --[^\n]* )
    | (?P<block> /\* )
    | (?P<string> [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' )
    | (?P<quoted> "(?:[^"]|"")*" )
    | (?P<dollar> \$(?P<tag>(?!\d){_NAME})?\$.*?\$(?(tag)(?P=tag))\$ )
    | (?P<word> (?!\d){_NAME}[A-Za-z0-9_$\x80-\U0010ffff]* )
    | (?P<operator> :: | := )
    | :'(?P<literal>{_NAME})'
    | :"(?P<identifier>{_NAME})"
    | :(?P<raw>{_NAME})
    """,
    re.VERBOSE | re.DOTALL,
)


def _block_comment_end(text: str, start: int) -> int:
    """Return the end of the block comment at ``start``; SQL's block comments nest."""
    depth = 0
    for match in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    return len(text)


@lru_cache(maxsize=256)  # a search renders its step anew each time, and finding them takes longer than finding rows
def _variables(text: str) -> tuple[re.Match[str], ...]:
    found = []
    position = 0
    while match := _TOKEN.search(text, position):
        position = match.end()
        if match.group("block"):
            position = _block_comment_end(text, match.start())
        elif match.lastgroup in ("literal", "identifier", "raw"):
            found.append(match)
    return tuple(found)


@dataclass(frozen=True)
class Step:
    """One step file: its name below ``sql/``, and its text."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        """SHA-256 of the file's bytes, 64 hex digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def header(self) -> dict[str, str]:
        """The header's fields by name, in the file's order, and what the step does under the key ``What``."""
        lines = []
        for line in self.text.splitlines():
            if not line.startswith("--"):
                break
            lines.append(line[2:].removeprefix(" "))
        fields: dict[str, str] = {"What": ""}
        current = "What"
        for line in lines:
            name, colon, value = line.partition(":")
            if colon and name in HEADER_FIELDS:
                current = name
                fields[current] = value.strip()
            elif current == "What" or line.startswith(" "):
                fields[current] = (
                    f"{fields[current]}\n{line}" if current == "What" else f"{fields[current]} {line.strip()}"
                )
        fields["What"] = fields["What"].strip()
        return fields

    @cached_property
    def variables(self) -> frozenset[str]:
        """The variables that the text uses."""
        return frozenset(str(m[m.lastgroup or 0]) for m in _variables(self.text))

    @property
    def is_gexec(self) -> bool:
        return self.text.rstrip().endswith("\\gexec")

    def render(self, values: Mapping[str, Value], context: psycopg.abc.AdaptContext | None = None) -> str:
        """Return the text with every variable replaced.

        Raises ``KeyError`` for a variable that ``values`` lacks, and ``ValueError`` where the header's list of
        variables is not what the text uses.
        """
        listed = self.header.get("Variables", "none")
        declared = frozenset() if listed == "none" else frozenset(re.split(r",\s*", listed))
        if declared != self.variables:
            raise ValueError(
                f"sql/{self.name}: the header lists the variables {', '.join(sorted(declared)) or 'none'}, "
                f"the text uses {', '.join(sorted(self.variables)) or 'none'}"
            )
        parts = []
        end = 0
        for match in _variables(self.text):
            kind = match.lastgroup
            name = str(match[kind or 0])
            if name not in values:
                raise KeyError(f"sql/{self.name} needs a value for its variable {name}")
            value = values[name]
            if isinstance(value, bool):
                value = str(value).lower()
            parts.append(self.text[end : match.start()])
            end = match.end()
            if value is None:
                parts.append("NULL")
            elif kind == "literal":
                parts.append(sql.Literal(str(value)).as_string(context))
            elif kind == "identifier":
                parts.append(sql.Identifier(str(value)).as_string(context))
            else:
                parts.append(str(value))
        parts.append(self.text[end:])
        return "".join(parts)


def load(name: str) -> Step:
    """Return the step file ``sql/<name>``."""
    return Step(name, (resource_dir("sql") / name).read_text(encoding="utf-8"))


def folder(name: str) -> list[Step]:
    """Return the step files of ``sql/<name>``, in the order of their numbers. The folder is the plan."""
    path = resource_dir("sql") / name
    found = [load(file.relative_to(resource_dir("sql")).as_posix()) for file in sorted(path.glob("*.sql"))]
    if not found:
        raise FileNotFoundError(f"there is no step in sql/{name}")
    return found


def execute(conn: psycopg.Connection[Any], text: str) -> psycopg.Cursor[dict[str, Any]]:
    """Run SQL text that came from a file under ``sql/``, with every value in it quoted by psycopg."""
    return conn.cursor(row_factory=dict_row).execute(text, prepare=False)


@dataclass(frozen=True)
class StepRun:
    """What became of one step: rows that its last statement counted, and seconds."""

    step: Step
    rows: int | None
    seconds: float
    result: list[dict[str, Any]]


def statements(conn: psycopg.Connection[Any], step: Step, values: Mapping[str, Value]) -> list[str]:
    """Return what ``step`` runs, in order: its own text, or the statements that its ``\\gexec`` query returns."""
    text = step.render(values, conn)
    if not step.is_gexec:
        return [text]
    # Tuples: columns of a query that makes statements need no names, and a dict would keep one of those without.
    query = conn.cursor(row_factory=tuple_row).execute(text.rstrip().removesuffix("\\gexec"), prepare=False)
    return [field for row in query for field in row if field is not None]


def run(conn: psycopg.Connection[Any], step: Step, values: Mapping[str, Value]) -> StepRun:
    """Run ``step`` on ``conn`` and return what it did. PostgreSQL's errors pass through."""
    started = time.monotonic()
    rows: int | None = None
    result: list[dict[str, Any]] = []
    try:
        for text in statements(conn, step, values):
            cursor = execute(conn, text)
            if cursor.description is not None:
                result = cursor.fetchall()
            rows = (rows or 0) + cursor.rowcount if cursor.rowcount >= 0 else rows
    except psycopg.Error as error:
        error.add_note(f"in sql/{step.name}")
        raise
    return StepRun(step, rows, time.monotonic() - started, result)


def query(conn: psycopg.Connection[Any], name: str, values: Mapping[str, Value]) -> list[dict[str, Any]]:
    """Run the read-only question ``sql/<name>`` and return its rows."""
    return run(conn, load(name), values).result


def query_one(conn: psycopg.Connection[Any], name: str, values: Mapping[str, Value]) -> dict[str, Any] | None:
    """As :func:`query`, for a question with at most one row."""
    rows = query(conn, name, values)
    return rows[0] if rows else None


_STATE = (
    "the open transaction is rolled back: the column is in the space of the registered model, and what is staged "
    "stays; see vestige-sql migrate status, and run again when the cause is gone"
)


@contextmanager
def translated(state: str = _STATE) -> Iterator[None]:
    """Turn PostgreSQL's errors into this package's. ``state`` says what state the data is in, and what to do next."""
    try:
        yield
    except psycopg.Error as error:
        raise _from_postgres(error, state) from error


def _from_postgres(error: psycopg.Error, state: str) -> VestigeError:
    message = error.diag.message_primary or str(error).strip()
    where = "".join(f" ({note})" for note in getattr(error, "__notes__", []))
    if error.sqlstate == CHECK_FAILED:
        return CheckFailed(message, error.diag.message_hint or "")
    details = "; ".join(filter(None, (error.diag.message_detail, error.diag.message_hint)))
    return ServerError(
        f"PostgreSQL says: {message}{where}" + (f"; {details}" if details else ""),
        state,
    )
