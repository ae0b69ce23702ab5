"""Writes docs/steps.md, the table of all step files, from their headers. ``make docs`` runs it."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

from vestige_sql import steps
from vestige_sql.resources import resource_dir
from vestige_sql.steps import plans
from vestige_sql.steps.files import HEADER_FIELDS, Step

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
- **Rewrites** is empty where no file of the target is written anew.
- **Fires** is about the target's own triggers, and empty where none fires. Event triggers see all DDL.
- **Run again**: *safe* steps leave things as after the first time, *refused* ones are stopped by the server.
"""

_WAYS = "Apply, in one transaction"

SECTIONS: dict[str, tuple[str, ...]] = {
    "Look, and claim the target": ("session",),
    "Watch": (),
    "Look for what is wrong": (),
    "Stage: nothing live is touched": ("stage",),
    "Look before the switch": (),
    "Judge before the switch": (),
    "Bridge the two spaces": ("bridge",),
    "Predict a run": ("trial",),
    "Begin inside a migration tool's transaction": ("inside",),
    _WAYS: (),
    "Build the index afterwards, or alone": ("index", "concurrent-index"),
    "Change the model online": ("online",),
    "Go back to the former vectors": ("rollback-column", "rollback-table"),
    "Let go of the former vectors": ("finalize-column", "finalize-table"),
    "Keep vectors up to date": ("worker",),
    "First registration": ("register",),
    "Undo the run that is under way": ("abort",),
    "Bring a database to this version, after its migrations and sql/functions": ("up",),
    "Search": (),
    "Copy from SQLite, a batch a transaction": ("from-sqlite",),
}
"""The plans that each section has. The ways to put vectors in place are found: they have a folder in apply/."""

BESIDE: dict[str, str] = {
    "probe": "Look, and claim the target",
    "session": "Look, and claim the target",
    "monitor": "Watch",
    "doctor": "Look for what is wrong",
    "doctor/vectors": "Look for what is wrong",
    "doctor/texts": "Look for what is wrong",
    "doctor/package": "Look for what is wrong",
    "run": "Stage: nothing live is touched",
    "stage": "Stage: nothing live is touched",
    "preview": "Look before the switch",
    "judge": "Judge before the switch",
    "calibrate": "Predict a run",
    "search": "Search",
    "client": "Search",
    "bridge": "Bridge the two spaces",
    "worker": "Keep vectors up to date",
}
"""The section of folders whose files run in no order, such as questions; those that a plan names stand there."""


def files() -> dict[str, list[str]]:
    """Return every step file, by section, in the order in which they run.

    Raises ``SystemExit`` for a folder whose place nothing says.
    """
    root = resource_dir("sql")
    sections = SECTIONS | {_WAYS: tuple(name for name in plans.names() if (root / "apply" / name).is_dir())}
    if missing := sorted(set(plans.names()) - {name for those in sections.values() for name in those} - {"gate"}):
        raise SystemExit(f"docs/make_steps.py has no section for the plans {', '.join(missing)}")
    orders = {section: [_names(plans.load(name)) for name in names] for section, names in sections.items()}
    # Several ways of one thing are one section, in which what they share stands once.
    found = {_WAYS: _merged(orders[_WAYS])}
    placed = set(found[_WAYS])
    for section, those in orders.items():
        if section != _WAYS:
            found[section] = [name for name in dict.fromkeys(chain(*those)) if name not in placed]
            placed.update(found[section])
    for section in SECTIONS:
        beside = [
            step.name
            for folder, where in BESIDE.items()
            if where == section
            for step in steps.folder(folder)
            if step.name not in placed
        ]
        found[section] = beside + found[section]
        placed.update(beside)
    # The functions are no steps: steps call them.
    there = {path.relative_to(root).as_posix() for path in root.rglob("*.sql") if path.parent.name != "functions"}
    if missing := sorted({name.rpartition("/")[0] for name in there - placed}):
        raise SystemExit(f"docs/make_steps.py does not know when these run: {', '.join(missing)}")
    return {section: found[section] for section in SECTIONS}


def _names(plan: plans.Plan) -> list[str]:
    """Return the step files of all lines of a plan, under whatever condition."""
    lines = [line for part in plan.parts for line in part.lines if line.folder != "functions"]
    return [step.name for line in lines for step in steps.folder(line.folder)]


def _merged(orders: list[list[str]]) -> list[str]:
    """Return all names of ``orders``, each before those that it comes before in any of them."""
    merged: list[str] = []
    # What runs twice stands where it runs last.
    left = [list(dict.fromkeys(reversed(order)))[::-1] for order in orders]
    while any(left):
        heads = [order[0] for order in left if order]
        first = next(head for head in heads if not any(head in order[1:] for order in left))
        merged.append(first)
        left = [order[1:] if order and order[0] == first else order for order in left]
    return merged


def page() -> str:
    """Return the text of docs/steps.md."""
    parts = [INTRODUCTION]
    for section, names in files().items():
        parts.append(f"\n## {section}\n\n| step | what it does | {' | '.join(HEADER_FIELDS)} |\n")
        parts.append(f"|---|---|{'---|' * len(HEADER_FIELDS)}\n")
        parts += [_row(steps.load(name)) for name in names]
    return "".join(parts)


def _row(step: Step) -> str:
    sentence = re.split(r"(?<=\.)\s", step.header["What"], maxsplit=1)[0].replace("\n", " ")
    cells = [f"[{step.name}](../sql/{step.name})", sentence, *(step.header.get(name, "") for name in HEADER_FIELDS)]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    (HERE / "steps.md").write_text(page(), encoding="utf-8")
