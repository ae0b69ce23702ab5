"""What a run will do, in order: its phases as the plans have them, who waits, how it is undone, what replicas see."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.reembed.apply import conditions
from vestige_sql.reembed.run import Run
from vestige_sql.report import Calibration, Phase
from vestige_sql.steps import plans
from vestige_sql.steps.files import Step, folder

_WAITS = ("nobody", "writers", "everybody")


def phases(run: Run, pending: int, calibrated: Calibration | None) -> list[Phase]:
    """Return the phases of ``run``, whose way is settled. ``pending`` rows have to be encoded."""
    when = conditions(run.plan)
    later = run.plan.concurrent_index and run.way != "online"
    encoding = applying = indexing = None
    if calibrated:
        encoding = calibrated.encoding_secs + calibrated.copying_secs
        indexing = calibrated.index_secs
        applying = calibrated.gate_secs + calibrated.apply_secs + (0.0 if later else indexing)
    found = []
    if run.way != "index":
        what = f"Encode {pending:,} rows, and put their vectors into a staging table."
        found.append(replace(_phase("stage", None, when, encoding), what=what))
    if run.way == "online":
        found += _online(when, calibrated)
    elif run.way != "index":
        found.append(_phase(run.way, "apply", when, applying))
    elif not later:
        more = {"drop_invalid"} if run.probed.invalid_indexes else set()
        found.append(_phase("index", "build", when | more, indexing))
    if later:
        found.append(_phase("concurrent-index", "build", when, indexing))
    return found


_ONLINE = {
    "prepare": "Add the second column, and the trigger that notes which rows change.",
    "fill": "Fill the second column in short batches.",
    "save": "Remember the definitions of the indexes.",
    "index": "Build the indexes of the second column, concurrently.",
    "catch-up": "Look for the rows that changed meanwhile.",
    "write": "Write the vectors of the rows that changed.",
    "verify": "Compare every row with its staged vector.",
    "switch": "Let the two columns change names, and update the registry.",
    "forget": "Let the rows whose text changed meanwhile go of their former vectors.",
    "clear": "Drop what the run made for itself. The former vectors stay.",
}


def _online(when: set[str], calibrated: Calibration | None) -> list[Phase]:
    secs = {"fill": calibrated.apply_secs, "index": calibrated.index_secs} if calibrated else {}
    return [
        replace(_phase("online", part, when | {"quiet"}, secs.get(part)), what=what) for part, what in _ONLINE.items()
    ]


def _phase(name: str, part: str | None, when: set[str], secs: float | None) -> Phase:
    """Return the phase that is ``part`` of the plan ``name``, or all of it."""
    plan = plans.load(name)
    known = when & plan.conditions
    parts = [each for each in plan.parts if part in (None, each.name)]
    steps: list[dict[str, Any]] = []
    for each in parts:
        waits = "nobody"
        for folder_name in plan.folders(each.name, known):
            for step in folder(folder_name):
                here = _waits(step)
                steps.append(
                    {
                        "file": f"sql/{step.name}",
                        "what": _title(step),
                        "waits": max(here, waits, key=_WAITS.index),
                        "touches_target": touches_target(step),
                    }
                )
                if each.how == "one transaction":
                    # Locks last to the end of it.
                    waits = max(here, waits, key=_WAITS.index)
    most = max((step["waits"] for step in steps), key=_WAITS.index, default="nobody")
    return Phase(part or name, _titles(plan.name), parts[0].how if part else "short transactions", most, steps, secs)


def _titles(name: str) -> str:
    """Return the first sentence of a plan's comment."""
    return plans.load(name).comment.partition(". ")[0].rstrip(".") + "."


def lock_on_target(step: Step) -> str:
    """Return the lock on the target that a step's header names, "" for none."""
    lock, named, _ = step.header["Locks"].partition(" on the target")
    return lock if named and lock != "none" else ""


def touches_target(step: Step) -> bool:
    """Return whether a step does more with the target than to read it."""
    return lock_on_target(step) not in ("", "ACCESS SHARE")


def _waits(step: Step) -> str:
    """Return who waits for a step by itself."""
    lock = lock_on_target(step)
    if lock == "ACCESS EXCLUSIVE":
        return "everybody"
    return "writers" if lock in ("SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE") else "nobody"


def _title(step: Step) -> str:
    return " ".join(step.header["What"].split("\n\n")[0].split())


def undo(run: Run) -> list[str]:
    """Return how to go back, before the vectors are in place and after it."""
    if run.way == "index":
        return ["Drop the index: nothing else changes."]
    before = "Before the vectors are in place: vestige-sql migrate abort. Nothing live has changed by then."
    if run.way == "fill":
        return [before, "Afterwards there is nothing to undo: no vector is replaced, and the model stays."]
    if run.way == "online":
        return [
            before,
            "After the switch: vestige-sql migrate rollback, in milliseconds. The former vectors are kept until "
            "vestige-sql migrate finalize.",
        ]
    if run.plan.keep_old:
        return [
            before,
            "Afterwards: vestige-sql migrate rollback, under a lock like that of this run. The former vectors are kept "
            "until vestige-sql migrate finalize.",
        ]
    return [before, f"Afterwards: {_again(run.probed.model)} With --keep-old or --online the former vectors stay."]


def _again(former: ModelSignature | None) -> str:
    if former is None:
        return "there is no way back without a backup, since no model is registered for the former vectors."
    of_model = shlex.join(("--model", former.name, "--dimension", str(former.dimension)))
    return f"vestige-sql migrate reembed {of_model}, which encodes every row again."


def replicas(run: Run, calibrated: Calibration | None) -> list[str]:
    """Return what standbys and logical subscribers see of the run."""
    said = []
    if calibrated and calibrated.wal_bytes:
        said.append(f"A standby replays about {calibrated.wal_bytes / 1e6:,.0f} MB of WAL.")
    if run.way == "online":
        said.append(
            f"The filling waits while a replica is more than {run.plan.max_lag_bytes / 1e6:,.0f} MB of WAL behind."
        )
    elif run.way not in ("fill", "index"):
        said.append(
            "A standby replays the lock too: queries there that use the table wait, or are cancelled after "
            "max_standby_streaming_delay."
        )
    if run.probed.table["publications"]:
        said.append(
            f"Logical replication ({run.probed.table['publications']}) does not carry the change of the column: change "
            "the subscribers too."
        )
    return said
