"""How much may be asked of a service: so many requests and tokens a minute, and so many tokens in all."""

from __future__ import annotations

import threading
import time

from vestige_sql.errors import LimitReached

STAYS = "what is encoded is staged, and the same command resumes; the table is as it was"


class Interrupted(Exception):
    """A wait was cut short, because the run stops."""


class Allowance:
    """Paces requests, counts their tokens, and stops before a limit. Any thread may call any method.

    ``requests_per_minute`` and ``tokens_per_minute`` are paced evenly: nothing is saved up while nothing is sent.
    ``most_tokens`` is the most that may be spent in all; None is no limit.
    """

    def __init__(
        self,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        most_tokens: int | None = None,
        limit: str = "",
    ) -> None:
        self._secs_a_request = 60 / requests_per_minute if requests_per_minute else 0.0
        self._secs_a_token = 60 / tokens_per_minute if tokens_per_minute else 0.0
        self._most = most_tokens
        self._limit = limit
        self._lock = threading.Lock()
        self._next = 0.0
        self._on_the_way = 0
        self._stopped = threading.Event()
        self.tokens = 0
        """The tokens that were spent so far."""

    def check(self, tokens: int) -> None:
        """Raise ``LimitReached`` if ``tokens`` more, about, would go over the limit."""
        with self._lock:
            self._check(tokens)

    def _check(self, tokens: int) -> None:
        if self._most is not None and self.tokens + self._on_the_way + tokens > self._most:
            raise LimitReached(
                f"the next texts have about {tokens:,} tokens, and with the {self.tokens + self._on_the_way:,} that "
                f"this command has spent they would go over {self._limit}",
                f"to go on, run the same command again, which may spend as much once more, or raise the limit; {STAYS}",
            )

    def take(self, tokens: int) -> None:
        """Wait until a request of about ``tokens`` may be sent.

        Raises ``LimitReached``, and :class:`Interrupted` if the run stops meanwhile.
        """
        with self._lock:
            self._check(tokens)
            self._on_the_way += tokens
            start = max(time.monotonic(), self._next)
            self._next = start + max(self._secs_a_request, tokens * self._secs_a_token)
        try:
            self.sleep(start - time.monotonic())
        except BaseException:
            self.give_back(tokens)
            raise

    def give_back(self, tokens: int) -> None:
        """Say that a request that took ``tokens`` has not been answered."""
        with self._lock:
            self._on_the_way -= tokens

    def spend(self, taken: int, tokens: int) -> None:
        """Say that a request that took about ``taken`` tokens had ``tokens``."""
        with self._lock:
            self._on_the_way -= taken
            self.tokens += tokens
            # Those that it had more are made up for before the next request.
            self._next += max(0, tokens - taken) * self._secs_a_token

    def hold(self, secs: float) -> None:
        """Let no request begin for ``secs`` seconds, because the service asked for it."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + secs)

    def sleep(self, secs: float) -> None:
        """Wait, but no longer than until the run stops. Raises :class:`Interrupted` then."""
        if self._stopped.wait(max(0.0, secs)):
            raise Interrupted

    def stop(self) -> None:
        """Cut short every wait."""
        self._stopped.set()

    def go_on(self) -> None:
        """Let requests wait and be sent again after :meth:`stop`."""
        self._stopped.clear()
