"""What the targets of one command share: the model that is loaded once, the server, open connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

_Value = TypeVar("_Value")

_made: list[tuple[Any, Any]] | None = None


@contextmanager
def sharing() -> Iterator[None]:
    """Make each thing once for as long as the block runs, whoever asks for it."""
    global _made  # noqa: PLW0603
    from vestige_sql.database.connection import kept_open

    former, _made = _made, []
    try:
        with kept_open():
            yield
    finally:
        _made = former


def once(what: Any, make: Callable[[], _Value]) -> _Value:
    """Return what ``make`` returns. While things are shared, that is what it returned for an equal ``what``."""
    if _made is None:
        return make()
    for known, value in _made:
        if known == what:
            return value  # type: ignore[no-any-return]
    value = make()
    _made.append((what, value))
    return value


def spent() -> dict[int, int]:
    """Return how many tokens each shared model behind an endpoint has spent so far, by its place."""
    of_each = ((place, getattr(value, "tokens_spent", None)) for place, (_, value) in enumerate(_made or ()))
    return {place: tokens for place, tokens in of_each if tokens is not None}


def less(answer: dict[str, Any], before: dict[int, int]) -> dict[str, Any]:
    """Return ``answer`` with the tokens and the cost of one target, of a model that had spent others ``before``."""
    tokens = answer.get("tokens_spent")
    earlier = next((before.get(place, 0) for place, now in spent().items() if now == tokens), 0)
    if not tokens or not earlier:
        return answer
    cost = None if answer["cost"] is None else answer["cost"] * (tokens - earlier) / tokens
    return answer | {"tokens_spent": tokens - earlier, "cost": cost}
