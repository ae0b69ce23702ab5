"""Where the SQL files lie: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path


def resource_dir(name: str) -> Path:
    """Return the folder ``name`` (``"sql"``, ``"migrations"``, or the package's own ``"sqlite"``).

    Raises ``FileNotFoundError`` where the installation lacks it.
    """
    package = Path(__file__).resolve().parent
    for parent in (package, package.parent):
        if (parent / name).is_dir():
            return parent / name
    raise FileNotFoundError(f"vestige-sql is not installed whole: no folder {name} in {package} or beside it")
