"""What an argument must be, before anything is done with it."""

from __future__ import annotations

from numbers import Integral, Real
from reprlib import repr as shown
from typing import Any

from vestige_sql.errors import UsageError

MOST = 2**31 - 1
"""PostgreSQL's largest integer: no count that is handed to it is larger."""


def check_number(what: str, value: Any, least: float, most: float = MOST, *, whole: bool = True) -> None:
    """Raise :class:`UsageError` unless ``value`` is a number from ``least`` to ``most``, which NaN is not."""
    is_number = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:
        said = "a whole number" if whole else "a number"
        raise UsageError(f"{what} is {said} from {least:,} to {most:,}, not {shown(value)}")


def check_flag(what: str, value: object) -> None:
    """Raise :class:`UsageError` unless ``value`` is True or False: "no" would be true otherwise."""
    if not isinstance(value, bool):
        raise UsageError(f"{what} is True or False, not {shown(value)}")


def check_text(what: str, value: object) -> None:
    """Raise :class:`UsageError` unless ``value`` is a text that PostgreSQL can hold."""
    if not isinstance(value, str):
        raise UsageError(f"{what} is a text, not {shown(value)}")
    if (wrong := wrong_characters(value)) is not None:
        raise UsageError(f"{what} holds {wrong}, which no text of PostgreSQL's can: {shown(value)}")


def wrong_characters(text: str) -> str | None:
    """Return what there is in ``text`` that PostgreSQL has no place for, None where there is nothing."""
    if "\0" in text:
        return "a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        # What is no UTF-8 in an argument or a file's name comes to Python as these.
        return "a lone surrogate"
    return None
