"""The exit codes, as each command's help says them. docs/errors.md has the same table, which the tests compare."""

from __future__ import annotations

EVERY = {0: "done, or nothing to do", 1: "failed", 2: "wrong usage"}
"""What a code says of every command, unless the command has a word of its own for it."""

OWN = {
    "check": {0: "applied", 3: "staged: can run now", 4: "lacks staged vectors"},
    "doctor": {1: "failed, or --fail-on found such"},
    "judge": {0: "GO", 3: "NO-GO", 4: "INCONCLUSIVE"},
}
"""What a code says of single commands."""


def of(verb: str | None = None) -> dict[int, str]:
    """Return the codes of ``verb``, or those of every command, with what each says."""
    return dict(sorted((EVERY | OWN.get(verb or "", {})).items()))


def said(verb: str | None = None) -> str:
    """Return the line of the help that has them."""
    return "exit codes: " + "; ".join(f"{code} {what}" for code, what in of(verb).items())
