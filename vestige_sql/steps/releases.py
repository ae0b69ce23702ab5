"""The step files of the versions that are out: their bytes, and where they are today."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from vestige_sql.resources import package_version, resource_dir
from vestige_sql.steps.files import load

DROPPED = "-"
"""What ``sql/released/moved`` has in the place of a file that is no more."""


def is_unedited(file: str, sha256: str, version: str) -> bool:
    """Whether a run of ``version`` of this package that has run the step ``file``, of these bytes, may go on with what
    stands in its place today.

    It may where the bytes are today's, wherever the file has moved to; and where they are those that another version
    was released with, for then this version knows what it takes over. Of this very version they are today's, or
    somebody has edited them.
    """
    if version != package_version() and (f"sql/{file}", sha256) in _released(_folder(), version):
        return True
    today = today_of(file)
    try:
        return today is not None and load(today).sha256 == sha256
    except FileNotFoundError:
        return False


def today_of(file: str) -> str | None:
    """Return where the step ``file`` of an earlier version stands today, None where it was dropped."""
    moved, seen = _moved(_folder()), {file}
    while file in moved:
        file = moved[file]
        if file == DROPPED:
            return None
        if file in seen:
            raise ValueError(f"sql/released/moved goes in a circle from {file}")
        seen.add(file)
    return file


def _folder() -> Path:
    return resource_dir("sql") / "released"


@cache
def _released(folder: Path, version: str) -> frozenset[tuple[str, str]]:
    """Return the step files that a version was released with, each with its SHA-256; none where that is not known."""
    try:
        text = (folder / f"{version}.sha256").read_text(encoding="utf-8")
    except FileNotFoundError:
        return frozenset()
    return frozenset((file, sha256) for sha256, file in (line.split("  ", 1) for line in text.splitlines()))


@cache
def _moved(folder: Path) -> dict[str, str]:
    lines = (folder / "moved").read_text(encoding="utf-8").splitlines()
    pairs = (line.split() for line in lines if line.strip() and not line.startswith("#"))
    return {old.removeprefix("sql/"): new.removeprefix("sql/") for old, new in pairs}
