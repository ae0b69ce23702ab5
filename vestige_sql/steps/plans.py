"""The order of the steps: a file below ``sql/plans/`` for each way of doing things, which the runner and people read.

A plan has a comment, and then parts. ``[part]`` begins one and says how it is run. Each line below names a folder of
step files under ``sql/``, or one step file, and after ``if`` or ``unless`` the conditions, with ``or`` between them, of
one that is optional. ``sql/plan`` is the same for psql.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from itertools import takewhile

from vestige_sql.resources import resource_dir
from vestige_sql.steps.files import Step, folder

CONDITIONS = {
    "keep_old": "the former vectors are kept in a table",
    "keep_indexes": "vector indexes stay, but for those that say the dimension",
    "concurrent_index": "the index is built afterwards, with CREATE INDEX CONCURRENTLY",
    "recreate_views": "views that use the column are dropped and made again",
    "drop_invalid": "an index that an earlier build left INVALID is there",
    "quiet": "the role may keep the table's own triggers from firing",
    "beside_lock": "another session of the run keeps writers off",
    "writers_held": "this transaction keeps writers off already",
    "filling": "an online run has added its second column",
    "swap": "by swap",
    "widen": "by widen",
    "rows": "by an UPDATE of some rows",
    "only_missing": "only rows that lack a vector are to get one",
    "only_index": "only the index is to be built",
    "some_rows": "the target is some rows of the column",
    "dry_run": "nothing is to be inserted",
}
"""The conditions that a plan may have, and what each says."""

HOW = ("one transaction", "a transaction a batch, until nothing is left", "no transaction")
"""How a part is run."""

ROLES = {
    "lock": re.compile(r"(lock/|probe/refusals/50_of_the_views\.sql$|views/(save|drop)$)"),
    "ask": re.compile(r"(probe/refusals|gate/03_nothing_refuses\.sql)$"),
    "gate": re.compile(r"gate$"),
    "apply": re.compile(r"apply/"),
    "verify": re.compile(r"online/verify$"),
    "build": re.compile(r"index/(create|concurrently|complete)$"),
    "report": re.compile(r"run/record_applied\.sql$"),
    "drop": re.compile(r"stage/drop\.sql$"),
    "remember": re.compile(r"(index/save|triggers/disable|partitions/remember)$"),
    "close": re.compile(r"run/close\.sql$"),
    "registry": re.compile(r"registry$"),
}
"""What the runner does something of its own around, and what a trial leaves out, by the names of the folders.

"remember" writes down what later steps make statements of, and touches nothing else.
"""

REMEMBERS = re.compile(
    r"(index/save|triggers/disable|partitions/remember|views/save|dimension/save|"
    r"probe/refusals/50_of_the_views\.sql)$"
)
"""What writes down what later steps make statements of, and touches nothing else, by the names of the folders."""

_HEADING = re.compile(r"\[([a-z][a-z_-]*)\] (.+)")
_WAY = re.compile(r"way (\S+)")
_FALLS_BACK = re.compile(r"falls back to (\S+)")
_LINE = re.compile(r"(?P<folder>[\w/.]+)(?:\s+(?P<word>if|unless)\s+(?P<conditions>\w+(?: or \w+)*))?")


def role(name: str) -> str | None:
    """Return what a folder of a plan is to the runner: lock, gate, remember, apply, build, ..., or None."""
    return next((found for found, pattern in ROLES.items() if pattern.match(name)), None)


@dataclass(frozen=True)
class Line:
    """A folder of a part, or one step file; optional where it has ``conditions``, of which any counts."""

    folder: str
    word: str = "if"
    conditions: frozenset[str] = frozenset()

    def holds(self, when: Collection[str]) -> bool:
        """Whether it is run under the conditions ``when``."""
        return not self.conditions or (not self.conditions.isdisjoint(when)) == (self.word == "if")


@dataclass(frozen=True)
class Part:
    """What is run in one go: its name, how it is run (one of :data:`HOW`), and its lines."""

    name: str
    how: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Plan:
    """One way of doing things: ``sql/plans/<name>``.

    ``way`` is the one that the gate is asked about, where no folder of ``apply/`` says it. ``comment`` is the text at
    its top.
    """

    name: str
    parts: tuple[Part, ...]
    falls_back_to: str | None = None
    way: str | None = None
    comment: str = ""

    @property
    def conditions(self) -> frozenset[str]:
        """The conditions that its lines name."""
        return frozenset().union(*(line.conditions for part in self.parts for line in part.lines))

    def folders(self, part: str | None = None, when: Collection[str] = ()) -> list[str]:
        """Return the folders and step files of ``part``, or of all parts, in order, that are run under ``when``.

        Raises ``ValueError`` for a condition that no plan knows and for two ways to put vectors in place, and
        ``KeyError`` for a part that this one lacks.
        """
        if unknown := sorted(set(when) - set(CONDITIONS)):
            raise ValueError(f"no plan knows the condition {', '.join(unknown)}")
        if part is not None and part not in (names := [each.name for each in self.parts]):
            raise KeyError(f"sql/plans/{self.name} has no part {part}; it has {', '.join(names)}")
        found = [
            line.folder for each in self.parts if part in (None, each.name) for line in each.lines if line.holds(when)
        ]
        if len(ways := [name for name in found if role(name) == "apply"]) > 1:
            raise ValueError(f"sql/plans/{self.name}: only one way at a time, not {' and '.join(ways)}")
        return found

    def steps(self, part: str | None = None, when: Collection[str] = ()) -> list[Step]:
        """Return the step files of :meth:`folders`, in order. The arguments are the same."""
        return [step for name in self.folders(part, when) for step in folder(name)]


def names() -> list[str]:
    """Return the names of all plans, in the order of the alphabet."""
    return sorted(path.name for path in (resource_dir("sql") / "plans").iterdir())


def load(name: str) -> Plan:
    """Return the plan ``sql/plans/<name>``.

    Raises ``FileNotFoundError`` where there is none, and ``ValueError`` with file and line for a line that does not
    read as one of a plan, an unknown condition, and a folder or file without steps.
    """
    path = resource_dir("sql") / "plans" / name
    if not path.is_file():
        raise FileNotFoundError(f"there is no plan {name}; there are {', '.join(names())}")
    parts: list[tuple[str, str, list[Line]]] = []
    falls_back_to = way = None
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, text in enumerate(lines, 1):
        where = f"sql/plans/{name}:{number}"
        if not text.strip() or text.startswith("#"):
            continue
        if heading := _HEADING.fullmatch(text):
            if heading[2] not in HOW:
                raise ValueError(f"{where}: a part is run in one of these ways: {'; '.join(HOW)}")
            if heading[1] in CONDITIONS or heading[1] in (part for part, _, _ in parts):
                raise ValueError(f"{where}: {heading[1]} is a condition's name, or another part's")
            parts.append((heading[1], heading[2], []))
        elif not parts and (other := _FALLS_BACK.fullmatch(text)):
            if not (path.parent / other[1]).is_file():
                raise ValueError(f"{where}: there is no plan {other[1]}")
            falls_back_to = other[1]
        elif not parts and (named := _WAY.fullmatch(text)):
            way = named[1]
        elif parts and (match := _LINE.fullmatch(text)):
            parts[-1][2].append(_line(match, where))
        else:
            raise ValueError(f"{where}: this is no line of a plan: {text}")
    if not parts or not all(found for _, _, found in parts):
        raise ValueError(f"sql/plans/{name}: it has no part, or one without a line")
    comment = " ".join(line[1:].strip() for line in takewhile(lambda line: line.startswith("#"), lines))
    return Plan(name, tuple(Part(part, how, tuple(found)) for part, how, found in parts), falls_back_to, way, comment)


def _line(match: re.Match[str], where: str) -> Line:
    conditions = frozenset(match["conditions"].split(" or ")) if match["conditions"] else frozenset()
    if unknown := sorted(conditions - set(CONDITIONS)):
        raise ValueError(f"{where}: unknown condition {', '.join(unknown)}")
    there = resource_dir("sql") / match["folder"]
    if not (there.is_file() if there.suffix == ".sql" else any(there.glob("*.sql"))):
        raise ValueError(f"{where}: there is no step in sql/{match['folder']}")
    return Line(match["folder"], match["word"] or "if", conditions)
