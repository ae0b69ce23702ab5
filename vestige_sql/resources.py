"""What is installed: the version, and the SQL files, beside the package in a checkout and inside it in a wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ._version import VERSION


@cache
def resource_dir(name: str) -> Path:
    """Return the folder ``name``: ``"sql"`` or ``"migrations"``.

    Raises ``FileNotFoundError`` where the installation lacks it.
    """
    package = Path(__file__).resolve().parent
    for parent in (package, package.parent):
        if (parent / name).is_dir():
            return parent / name
    raise FileNotFoundError(f"vestige-sql is not installed whole: no folder {name} in {package} or beside it")


def package_version() -> str:
    """Return the version of this package, of an installation as of a checkout."""
    return VERSION
