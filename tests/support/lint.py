"""squawk, and what SQL files except themselves from."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from support.step_claims import Scenario

IGNORE = re.compile(r"^\s*-- squawk-ignore(?:-file)?\b *(?P<rules>[^\n]*?)(?: -- (?P<reason>[^\n]*))?$", re.MULTILINE)
"""An exception: the rules, and after a second ``--`` the reason."""


def squawk(folder: Path, texts: Mapping[str, str], *options: str) -> dict[str, set[str]]:
    """Return the rules that fire, by name of the text."""
    command = shutil.which("squawk", path=str(Path(sys.executable).parent)) or shutil.which("squawk")
    assert command, "squawk is not installed: pip install squawk-cli"
    folder.mkdir(exist_ok=True)
    names = {}
    for number, (name, text) in enumerate(texts.items()):
        path = folder / f"{number}.sql"
        path.write_text(text, encoding="utf-8")
        names[str(path)] = name
    done = subprocess.run(
        [command, "--reporter", "json", "--pg-version", "14", *options, *names],
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1) and not done.stderr, done.stderr
    found: dict[str, set[str]] = defaultdict(set)
    for violation in json.loads(done.stdout or "[]"):
        found[names[violation["file"]]].add(violation["rule_name"])
    return found


def exceptions(text: str) -> dict[str, str]:
    """The rules that a file makes an exception from, with the reasons."""
    return {
        rule.strip(): (match["reason"] or "").strip()
        for match in IGNORE.finditer(text)
        for rule in match["rules"].split(",")
    }


def lint_faults(text: str, fires: set[str], fires_all_the_same: set[str]) -> list[str]:
    """What is wrong with a file's exceptions, given what fires without them and with them."""
    claimed = exceptions(text)
    found = [f"{rule} has no exception" for rule in sorted(fires - set(claimed))]
    found += [f"the exception from {rule} is not needed" for rule in sorted(set(claimed) - fires)]
    found += [
        f"the exception from {rule} gives no reason" for rule, reason in claimed.items() if len(reason.split()) < 3
    ]
    return found + [f"{rule} fires all the same" for rule in sorted(fires_all_the_same)]


def settings(name: str, plans: Iterable[Scenario]) -> str:
    """The limits that a run has set by the time it comes to the step ``name``, in all the plans that have it."""
    limits = ["SET statement_timeout = 0;"]
    before = [
        scenario.names[: scenario.names.index(name)]
        for scenario in plans
        # COMMIT ends what lock/ has set.
        if name in scenario.names and not name.startswith(("index/concurrently/", "index/complete/"))
    ]
    if before and all(any(earlier.startswith("lock/") for earlier in names) for names in before):
        limits.append("SET lock_timeout = '2s';")
    return "\n".join(limits)
