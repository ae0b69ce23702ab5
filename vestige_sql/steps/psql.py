"""Find the variables in SQL text, exactly where psql finds them."""

from __future__ import annotations

import re
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


@lru_cache(maxsize=256)  # each search renders its step again, and finding the variables takes longer than the search
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
