"""Check arguments before anything is done with them."""

from __future__ import annotations

from numbers import Integral, Real
from reprlib import repr as shown
from typing import Any

from vestige_sql.errors import UsageError

_UNTOUCHED = "nothing was written"

MOST = 2**31 - 1
"""PostgreSQL's largest integer: no count that is passed to it may be larger."""


def check_number(what: str, value: Any, least: float, most: float = MOST, *, whole: bool = True) -> None:
    """Raise :class:`UsageError` unless ``value`` is a number from ``least`` to ``most``. NaN is refused."""
    is_number = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:
        said = "a whole number" if whole else "a number"
        raise UsageError(f"{what} must be {said} from {least:,} to {most:,}, not {shown(value)}", _UNTOUCHED)


def check_flag(what: str, value: object) -> None:
    """Raise :class:`UsageError` unless ``value`` is True or False: a string such as "no" would count as true."""
    if not isinstance(value, bool):
        raise UsageError(f"{what} must be True or False, not {shown(value)}", _UNTOUCHED)


def check_text(what: str, value: object) -> None:
    """Raise :class:`UsageError` unless ``value`` is a text that PostgreSQL can store."""
    if not isinstance(value, str):
        raise UsageError(f"{what} must be a string, not {shown(value)}", _UNTOUCHED)
    if (wrong := wrong_characters(value)) is not None:
        raise UsageError(
            f"{what} contains {wrong}, which PostgreSQL text cannot store: {shown(value)}",
            f"leave those characters out; {_UNTOUCHED}",
        )


def wrong_characters(text: str) -> str | None:
    """Return what ``text`` contains that PostgreSQL cannot store, or None."""
    if "\0" in text:
        return "a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        # Python turns bytes that are not UTF-8 in an argument or a file's name into these.
        return "a lone surrogate"
    return None
