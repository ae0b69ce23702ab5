"""Step files: their name below ``sql/``, header and text, and the text with every variable replaced."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import psycopg
from psycopg import sql

from vestige_sql.resources import resource_dir
from vestige_sql.steps.psql import variables_in

Value = str | int | float | bool | None
"""The types of a variable's value. ``None`` renders as NULL."""

HEADER_FIELDS = ("Locks", "Transaction", "Rewrites", "Fires", "Run again", "Undo", "Variables")
"""The fields of a header, in their order."""

OPTIONAL_FIELDS = ("Rewrites", "Fires")
"""Those that a header has only where there is something to say. One without them says that nothing is rewritten, and
that no trigger of the target fires.
"""


@dataclass(frozen=True)
class Step:
    """One step file: its name below ``sql/`` and its text."""

    name: str
    text: str

    @cached_property
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
        return frozenset(str(m[m.lastgroup or 0]) for m in variables_in(self.text))

    @property
    def is_gexec(self) -> bool:
        return self.text.rstrip().endswith("\\gexec")

    def render(self, values: Mapping[str, Value], context: psycopg.abc.AdaptContext | None = None) -> str:
        """Return the text with every variable replaced, and without a ``\\gset`` at its end, which is for psql alone.

        Raises ``KeyError`` for a variable that ``values`` lacks, and ``ValueError`` if the header lists other
        variables than the text uses.
        """
        listed = self.header.get("Variables", "none")
        declared = frozenset() if listed == "none" else frozenset(re.split(r",\s*", listed))
        if declared != self.variables:
            raise ValueError(
                f"sql/{self.name}: the header lists the variables {', '.join(sorted(declared)) or 'none'}, and "
                f"the text uses {', '.join(sorted(self.variables)) or 'none'}"
            )
        parts = []
        end = 0
        for match in variables_in(self.text):
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
        parts.append(self.text[end:].removesuffix("\\gset\n"))
        return "".join(parts)


def load(name: str) -> Step:
    """Return the step file ``sql/<name>``."""
    path = resource_dir("sql") / name
    now = path.stat()
    return _read(name, path, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)


# A run asks for some two hundred files, several of them often. One that was edited meanwhile is another file.
@lru_cache(maxsize=1024)
def _read(name: str, path: Path, *_: int) -> Step:
    return Step(name, path.read_text(encoding="utf-8"))


def folder(name: str) -> list[Step]:
    """Return the step files of ``sql/<name>`` in the order of their numbers, or the one file if ``name`` ends in .sql.

    Raises ``FileNotFoundError`` if there is none.
    """
    if name.endswith(".sql"):
        return [load(name)]
    path = resource_dir("sql") / name
    found = [load(file.relative_to(resource_dir("sql")).as_posix()) for file in sorted(path.glob("*.sql"))]
    if not found:
        raise FileNotFoundError(f"there is no step in sql/{name}")
    return found
