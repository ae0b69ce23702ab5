"""Read SQL text as psql does: find the variables in it, and leave out its comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

# How psql reads SQL text, as far as variables are concerned (psqlscan.l in PostgreSQL's source). Whatever may hide a
# colon comes first, so that a variable is found only where psql finds one. Words are matched as a whole, because inside
# a word $tag$ or E begins no string.
_NAME = r"[A-Za-z0-9_\x80-\U0010ffff]+"
_TOKEN = re.compile(
    rf"""
      (?P<comment> --[^\n]* )
    | (?P<block> /\* )
    | (?P<string> [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' )
    | (?P<quoted> "(?:[^"]|"")*" )
    | (?P<dollar> \$(?P<tag>(?!\d){_NAME})?\$.*?\$(?(tag)(?P=tag))\$ )
    | (?P<word> (?!\d){_NAME}[A-Za-z0-9_$\x80-\U0010ffff]* )
    | (?P<operator> :: | := )
    | :'(?P<literal>{_NAME})'
    | :"(?P<identifier>{_NAME})"
    | :(?P<raw>{_NAME})
    """,
    re.VERBOSE | re.DOTALL,
)


def _block_comment_end(text: str, start: int) -> int:
    """Return the end of the block comment at ``start``. Block comments nest in SQL."""
    depth = 0
    for match in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    return len(text)


@lru_cache(maxsize=1024)  # each search renders its step again, and finding the variables takes longer than the search
def variables_in(text: str) -> tuple[re.Match[str], ...]:
    found = []
    position = 0
    while match := _TOKEN.search(text, position):
        position = match.end()
        if match.group("block"):
            position = _block_comment_end(text, match.start())
        elif match.lastgroup in ("literal", "identifier", "raw"):
            found.append(match)
    return tuple(found)


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Return ``text`` in pieces, each with its kind: space, comment, string, dollar, end of a statement, or code."""
    position = 0
    while position < len(text):
        match = _TOKEN.search(text, position)
        between = text[position : match.start() if match else len(text)]
        for piece in re.findall(r"\s+|;|[^\s;]+", between):
            yield ("space" if piece.isspace() else "end" if piece == ";" else "code"), piece
        if match is None:
            return
        position = match.end()
        kind = "code"
        if match["block"]:
            kind, position = "comment", _block_comment_end(text, match.start())
        for named in ("comment", "string", "dollar"):
            kind = named if match[named] else kind
        yield kind, text[match.start() : position]


def without_comments(text: str) -> str:
    """Return ``text`` without its comments, and without empty lines but for those in a string."""
    parts: list[str] = []
    gap = ""
    for kind, piece in _pieces(text):
        if kind in ("space", "comment"):
            gap += piece if kind == "space" else " "
            continue
        *lines, indent = gap.split("\n")
        if parts:
            parts.append("\n" + indent if lines else gap)
        parts.append(piece)
        gap = ""
    return "".join(parts)


def condensed(text: str, between: str = "\n", *, formats: bool = False) -> str:
    """Return ``text`` without comments, each statement on one line; it means the same.

    ``between`` goes between two statements. A DO block is condensed too, and with ``formats`` what ``format`` or
    ``replace`` makes a statement of. Other texts between dollar quotes stay as they are: a function is stored as it is
    written.
    """
    parts: list[str] = []
    before, last, gap = "", "", ""
    words = ["", ""]
    for kind, piece in _pieces(text):
        if kind in ("space", "comment"):
            gap += piece if kind == "space" else " "
            continue
        if kind == before == "string" and "\n" in gap and piece[0] == "'":
            # With a line break between them, two strings are one.
            parts[-1] = parts[-1][:-1] + piece[1:]
        else:
            if parts:
                parts.append(between if before == "end" else " " if gap else "")
            is_code = last.upper() == "DO" or (formats and words in (["format", "("], ["replace", "("]))
            parts.append(_condensed_block(piece, formats) if kind == "dollar" and is_code else piece)
        before, last, gap = kind, piece, ""
        words = [words[1], piece]
    return "".join(parts)


def _condensed_block(text: str, formats: bool) -> str:
    tag = text[: text.index("$", 1) + 1]
    return f"{tag} {condensed(text[len(tag) : -len(tag)], ' ', formats=formats)} {tag}"
