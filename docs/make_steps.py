"""Writes docs/steps.md, the table of all step files, from their headers. ``make docs`` runs it."""

from __future__ import annotations

import re
from pathlib import Path

from vestige_sql import ReembedPlan, steps
from vestige_sql.reembed.apply import phases
from vestige_sql.resources import resource_dir
from vestige_sql.steps.files import HEADER_FIELDS, Step
from vestige_sql.vestige.source import TABLES

HERE = Path(__file__).parent

INTRODUCTION = """\
# The steps

Every file under [sql/](../sql), in the order in which they run, with what its header says; the functions that they call
are the files of [sql/functions](../sql/functions), one each. This page is made from the headers by `make docs`, and the
tests hold each claim against a server: the strongest lock on the target from `pg_locks`, what is rewritten from
`relfilenode`, the triggers from triggers that count, the transaction and running
again by doing so. [sql/README.md](../sql/README.md) is the manual for running them by hand.

- **Locks** are those on the target, and on other tables that an application may use; the package's own tables are
  left out, but for locks that keep everybody off.
- **Transaction**: *required* steps belong into the one transaction with all the others of their run; *either* may run
  in it or by themselves; *alone* ones are one short transaction each; *forbidden* ones refuse to run in any.
- **Fires** is about the target's own triggers. Event triggers see DDL, from whomever it comes.
- **Run again**: *safe* steps leave things as after the first time, *refused* ones are stopped by the server.
"""

SECTIONS: dict[str, list[str]] = {
    "Look, and claim the target": ["probe", "session"],
    "Watch": ["monitor"],
    "Stage: nothing live is touched": ["run", "stage/create", "stage"],
    "Look before the switch": ["preview"],
    "Predict a run": ["calibrate", "calibrate/create", "calibrate/fill", "calibrate/unlogged"],
    "Begin inside a migration tool's transaction": ["transaction"],
    "Apply, in one transaction": [],
    "Build the index afterwards, or alone": ["index/drop_invalid", "index/concurrently"],
    "Change the model online, with the index built by index/concurrently": [
        "online/quiet",
        "online/prepare",
        "online/fill",
        "online/index",
        "online/catch_up",
        "online/write_changed",
        "online/verify",
        "lock/briefly",
        "lock/beside",
        "lock/at_once",
        "online/switch",
        "online/close",
        "online/clean_up",
    ],
    "Go back to the former vectors, or let them go": [
        "rollback/open",
        "rollback/column",
        "rollback/close",
        "rollback/table",
        "finalize/index",
        "finalize/column",
        "finalize",
    ],
    "First registration": ["register"],
    "Undo the run that is under way": ["abort/index", "abort/column", "abort"],
    "Bring a database to this version, after its migrations and sql/functions": ["upgrade"],
    "Search": ["search"],
    "Copy from SQLite, a batch a transaction": [
        *("copy/look", "copy/create", "copy/batch"),
        *(f"copy/{table.name}/{folder}" for table in TABLES for folder in ("check", "insert")),
    ],
}


def folders() -> dict[str, list[str]]:
    """Return every folder with step files, by section, in the order in which they run.

    Raises ``SystemExit`` for a folder whose place nothing says.
    """
    root = resource_dir("sql")
    ways = sorted(path.name for path in (root / "apply").iterdir() if path.is_dir())
    found = {section: list(names) for section, names in SECTIONS.items()}
    found["Apply, in one transaction"] = _merged(
        [
            phases(way, ReembedPlan(drop_hnsw_first=drop, keep_old=keep))
            for way in ways
            for drop in (True, False)
            for keep in (True, False)
        ]
    )
    placed = {name for names in found.values() for name in names}
    there = {path.parent.relative_to(root).as_posix() for path in root.rglob("*.sql")} - {"functions"}
    if missing := sorted(there - placed):
        raise SystemExit(f"docs/make_steps.py does not know when these run: {', '.join(missing)}")
    return {section: [name for name in names if name in there] for section, names in found.items()}


def _merged(orders: list[list[str]]) -> list[str]:
    """Return all folders of ``orders``, each before those that it comes before in any of them."""
    merged: list[str] = []
    left = [list(order) for order in orders]
    while any(left):
        heads = [order[0] for order in left if order]
        first = next(head for head in heads if not any(head in order[1:] for order in left))
        merged.append(first)
        left = [order[1:] if order and order[0] == first else order for order in left]
    return merged


def page() -> str:
    """Return the text of docs/steps.md."""
    parts = [INTRODUCTION]
    for section, names in folders().items():
        parts.append(f"\n## {section}\n\n| step | what it does | {' | '.join(HEADER_FIELDS)} |\n")
        parts.append(f"|---|---|{'---|' * len(HEADER_FIELDS)}\n")
        parts += [_row(step) for name in names for step in steps.folder(name)]
    return "".join(parts)


def _row(step: Step) -> str:
    sentence = re.split(r"(?<=\.)\s", step.header["What"], maxsplit=1)[0].replace("\n", " ")
    cells = [f"[{step.name}](../sql/{step.name})", sentence, *(step.header[name] for name in HEADER_FIELDS)]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    (HERE / "steps.md").write_text(page(), encoding="utf-8")
