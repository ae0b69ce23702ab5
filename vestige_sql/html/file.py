"""The file of a report: whether it can be written is known before the work, and it is written whole or not at all."""

from __future__ import annotations

import errno
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vestige_sql.errors import ReportNotWritten, UsageError


def check(path: Path) -> None:
    """Raise :class:`UsageError` where a report cannot be written to ``path``, or what makes it is not installed."""
    try:
        from vestige_sql.html.page import FIRST_LINE
    except ImportError as error:
        raise UsageError(
            f"--report needs Jinja2 and matplotlib, which cannot be imported: {error}",
            "install them: pip install 'vestige-sql[report]'; or leave --report out; nothing was written",
        ) from error
    try:
        if path.exists() and not path.is_file():
            raise UsageError(
                f"--report {path} is no file", "name a file to write, such as report.html; nothing was written"
            )
        if path.is_file() and not _begins_with(path, FIRST_LINE):
            raise UsageError(
                f"--report {path} is there already, and is no report of vestige-sql",
                "name another file: only an earlier report is overwritten; nothing was written",
            )
        with tempfile.NamedTemporaryFile(dir=path.resolve().parent, prefix=f".{path.name}."):
            # Whether it could be made is all that was asked.
            pass
    # RuntimeError: a link to itself, for Python before 3.13.
    except (OSError, RuntimeError) as error:
        raise UsageError(
            f"--report {path} cannot be written: {getattr(error, 'strerror', None) or error}",
            "name a file in a folder that is there and that this user may write to; nothing was written",
        ) from error


def write(path: Path, kind: str, answer: Mapping[str, Any], *, with_texts: bool = False) -> None:
    """Write the page of ``answer`` to ``path``, whole or not at all. Raises :class:`ReportNotWritten`."""
    from vestige_sql.html.page import FIRST_LINE, page

    whole = path.resolve()
    beside = whole.with_name(f".{whole.name}.{secrets.token_hex(4)}")
    try:
        html = page(kind, answer, with_texts=with_texts)
        if whole.exists() and not _begins_with(whole, FIRST_LINE):
            raise FileExistsError(errno.EEXIST, "another file of that name came meanwhile")
        # A file of that name that is there already is somebody else's.
        with beside.open("x", encoding="utf-8") as file:
            file.write(html)
        beside.replace(whole)
    # Whatever it is, the work that the report is about is done.
    except Exception as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise ReportNotWritten(
            f"the report could not be written to {path}: {getattr(error, 'strerror', None) or error}",
            "what was asked for was done, and the file is as it was; vestige-sql migrate status shows what was done",
        ) from error


def _begins_with(path: Path, line: str) -> bool:
    with path.open("rb") as file:
        return file.read(len(line)) in (line.encode(), b"")
