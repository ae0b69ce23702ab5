"""The standard streams, as a command line needs them: whatever they are, no write to them raises or is obeyed.

Names, texts, queries and messages of others may contain control characters, which a terminal obeys. Here each is shown
as its escape instead, such as ``\\x1b``. A stream may be closed, its reader gone, its disk full, its encoding ASCII:
the work goes on, and :attr:`Streams.unwritten` says what was lost.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TextIO

# Control characters but for tab and newline; marks and overrides of the writing's direction; separators of lines and
# paragraphs; tag characters, which are invisible; and lone surrogates, which no encoding has.
_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\U000e0000-\U000e007f\ud800-\udfff]"
)

# What tqdm writes to draw a bar again: back to the line's start, and up by lines.
_BAR = re.compile("\r|(?:\x1b\\[A)+$")


def visible(text: str) -> str:
    """Return ``text`` with its control characters as escapes. Tabs and newlines stay."""
    return _OBEYED.sub(_escape, text)


def visible_line(text: str) -> str:
    """Return ``text`` as :func:`visible` does, on one line: newlines are escapes too."""
    return visible(text).replace("\n", "\\n")


def _escape(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 1 << 8 else f"\\u{number:04x}" if number < 1 << 16 else f"\\U{number:08x}"


class Stream:
    """A text stream that shows control characters and never raises. ``inner`` is None where the stream is closed."""

    def __init__(self, inner: TextIO | None, *, bars: bool = False) -> None:
        self.inner = inner
        self.failed: OSError | None = None
        self._bars = bars

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @property
    def encoding(self) -> str:
        return getattr(self.inner, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        return self.inner is not None and not self.failed and self.inner.isatty()

    def write(self, text: str) -> int:
        """Write ``text``. What the encoding lacks is written as an escape."""
        kept = match.end() if self._bars and (match := _BAR.match(text)) else 0
        shown = text[:kept] + visible(text[kept:])
        shown = shown.encode(self.encoding, "backslashreplace").decode(self.encoding)
        self._try(lambda inner: inner.write(shown))
        return len(text)

    def write_utf8(self, text: str) -> None:
        """Write ``text`` as it is, in UTF-8: what is meant for a file. A terminal is shown it as :meth:`write` does."""
        if self.isatty() or not hasattr(self.inner, "buffer"):
            self.write(text)
            return
        self.flush()
        self._try(lambda inner: inner.buffer.write(text.encode()))

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self._try(lambda inner: inner.flush())

    def _try(self, write: Any) -> None:
        if self.inner is None or self.failed:
            return
        try:
            write(self.inner)
        except (OSError, ValueError) as error:
            # ValueError: somebody has closed it.
            self.failed = error if isinstance(error, OSError) else OSError(errno.EBADF, str(error))
            # Python flushes its streams when it ends, and would fail once more, with a traceback.
            with suppress(OSError, ValueError):
                _discard(self.inner.fileno())


class Streams:
    """The streams of a run of the command line."""

    def __init__(self) -> None:
        self.out = Stream(sys.stdout)
        self.err = Stream(sys.stderr, bars=True)

    @property
    def unwritten(self) -> OSError | None:
        """Why stdout does not have the answer. None if it has, or if its reader or this process did without."""
        failed = self.out.failed
        return None if failed is None or failed.errno == errno.EPIPE else failed


@contextmanager
def standard_streams() -> Iterator[Streams]:
    """Have ``sys.stdout`` and ``sys.stderr`` show control characters and never raise, while a ``with`` block runs."""
    for number in range(3):
        _make_usable(number)
    former, streams = (sys.stdout, sys.stderr), Streams()
    sys.stdout, sys.stderr = streams.out, streams.err
    try:
        yield streams
    finally:
        streams.out.flush()
        streams.err.flush()
        sys.stdout, sys.stderr = former


def _make_usable(number: int) -> None:
    """Open the null device as a standard stream that is closed, or the next file or socket would become that stream.

    One that does not wait until its reader takes more, as of some CI runners, is told to wait.
    """
    if not hasattr(os, "get_blocking"):
        # Windows, with Python 3.11.
        return
    try:
        if not os.get_blocking(number):
            os.set_blocking(number, True)
    except OSError:
        _discard(number)


def _discard(number: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != number:
        os.dup2(null, number)
        os.close(null)


MOST_NAMED = 3
"""So many things of a kind have a line each, or are named. More of them are counted."""


def some_of(names: Sequence[str]) -> str:
    """Return the first few of ``names`` in one line, and how many more there are."""
    if len(names) <= MOST_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED:,} more"
