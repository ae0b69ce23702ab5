"""Requests to a service that speaks the OpenAI-compatible ``/v1/embeddings``: one batch of texts a request.

What may pass is tried again: a lost connection, a service that is busy or restarts. What will not pass is an error at
once. The key is read from the environment for each request, and shows up nowhere else.
"""

from __future__ import annotations

import email.utils
import importlib.util
import json
import logging
import os
import re
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vestige_sql.encode.allowance import STAYS, Allowance, Interrupted
from vestige_sql.errors import EncoderError, UsageError

if TYPE_CHECKING:
    import httpx2
    import tenacity

log = logging.getLogger("vestige_sql")

KEY_VARIABLE = "VESTIGE_SQL_API_KEY"
"""The environment variable that has the key, unless another is named."""

# Too busy, restarting, or a proxy before it that is.
_PASSING = (408, 409, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529)
# More than the service takes: a batch, or a text.
_TOO_MUCH = (400, 413, 422)
_SAYS_TOO_MUCH = re.compile(r"(?i)too (large|long|many)|context (size|length|window)|exceed|maximum")
# The account has no money left, which waiting does not change.
_NO_MONEY = re.compile(r"(?i)insufficient[_ ](quota|funds|credits?|balance)")

_CONNECT_SECS = 10.0
_HURRIED_SECS = 5.0
_LONGEST_PAUSE_SECS = 60.0
# A service that asks for a longer pause has a limit by the hour or day.
_LONGEST_WAIT_SECS = 600.0

_SHOWN = 300


class Refused(Exception):
    """The service does not take these texts: too many, too long, or not as it wants them."""


class _Passing(Exception):
    """An attempt failed in a way that may pass. ``wait_secs`` is how long the service asked to wait, or None."""

    def __init__(self, message: str, wait_secs: float | None = None) -> None:
        super().__init__(message)
        self.wait_secs = wait_secs


class Service:
    """The service at ``address``. Its requests take from ``allowance``. Any thread may ask."""

    def __init__(
        self,
        address: str,
        *,
        key_variable: str,
        timeout_secs: float,
        attempts: int,
        connections: int,
        allowance: Allowance,
    ) -> None:
        if any(importlib.util.find_spec(name) is None for name in ("httpx2", "tenacity")):
            raise UsageError(
                "an endpoint needs the packages httpx2 and tenacity, which are not installed",
                "install them with pip install 'vestige-sql[endpoint]'; nothing was written",
            )
        self._address = address
        self._key_variable = key_variable
        self._timeout_secs = timeout_secs
        self._attempts = attempts
        self._connections = connections
        self._allowance = allowance
        self._lock = threading.Lock()
        self._client: httpx2.Client | None = None
        self.hurried = False
        """Whether a request is sent once only, and has little time."""

    @property
    def name(self) -> str:
        return f"the endpoint {self._address}"

    def ask(self, asked: dict[str, Any], tokens: int) -> tuple[list[Any], int]:
        """Send ``asked``, of about ``tokens`` tokens. Return the vectors in order, and how many tokens were counted.

        The second is 0 if the service does not count. Raises :class:`Refused` for what it does not take,
        ``LimitReached``, and ``EncoderError`` for everything else.
        """
        import tenacity

        attempts = 1 if self.hurried else self._attempts
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(attempts),
            wait=self._pause,
            retry=tenacity.retry_if_exception_type(_Passing),
            before_sleep=self._say,
            sleep=self._allowance.sleep,
            reraise=True,
        )
        try:
            return retrying(self._attempt, asked, tokens)
        except _Passing as error:
            raise EncoderError(
                f"{self.name} failed {attempts} times in a row; the last time: {error}",
                f"once it answers again, the same command resumes; {STAYS}",
            ) from error
        except Interrupted as error:
            raise EncoderError(f"the wait for {self.name} was cut short, because the run stops", STAYS) from error

    # --- One attempt ---

    def _attempt(self, asked: dict[str, Any], tokens: int) -> tuple[list[Any], int]:
        import httpx2

        self._allowance.take(tokens)
        spent = None
        try:
            response = self._opened().post(self._address, json=asked, headers=self._headers(), timeout=self._timeout())
            if response.status_code != 200:
                raise self._failure(response)
            vectors, counted = self._read(response)
            spent = counted or tokens
            return vectors, counted
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise _Passing(f"{type(error).__name__} {error}".strip()) from error
        except (httpx2.InvalidURL, UnicodeError) as error:
            raise EncoderError(
                f"{self.name} is no address that a request can be sent to: {error}",
                "give the base URL of the service, such as http://localhost:8080/v1; nothing was put in place",
            ) from error
        finally:
            if spent is None:
                self._allowance.give_back(tokens)
            else:
                self._allowance.spend(tokens, spent)

    def _opened(self) -> httpx2.Client:
        import httpx2

        with self._lock:
            if self._client is None:
                self._client = httpx2.Client(
                    limits=httpx2.Limits(max_connections=self._connections),
                    # A key is for the named host alone.
                    follow_redirects=False,
                )
            return self._client

    def _timeout(self) -> httpx2.Timeout:
        import httpx2

        secs = min(self._timeout_secs, _HURRIED_SECS) if self.hurried else self._timeout_secs
        return httpx2.Timeout(secs, connect=min(_CONNECT_SECS, secs))

    def _headers(self) -> dict[str, str]:
        key = os.environ.get(self._key_variable, "").strip()
        if not key:
            return {}
        if not (key.isascii() and key.isprintable()):
            raise EncoderError(
                f"the key in the environment variable {self._key_variable} has characters that no key can have",
                "set it again, without quotes and line breaks; nothing was sent",
            )
        return {"Authorization": f"Bearer {key}"}

    def _failure(self, response: httpx2.Response) -> Exception:
        """Return the error for an answer other than 200."""
        status = response.status_code
        said = f"HTTP {status}{f': {text}' if (text := self._said(response)) else ''}"
        if status == 402 or (status == 429 and _NO_MONEY.search(said)):
            return EncoderError(
                f"the account at {self.name} has nothing left to spend: {said}",
                f"pay in, or raise its limit there; then the same command resumes; {STAYS}",
            )
        if status in _TOO_MUCH or (status == 500 and _SAYS_TOO_MUCH.search(said)):
            return Refused(said)
        if status in _PASSING:
            wait_secs = _asked_to_wait(response.headers)
            if wait_secs is not None and wait_secs > _LONGEST_WAIT_SECS:
                return EncoderError(
                    f"{self.name} asks to wait {wait_secs:,.0f} s: {said}",
                    f"run the same command again then, which resumes; {STAYS}",
                )
            return _Passing(said, wait_secs)
        if status in (401, 403):
            has = "has one" if os.environ.get(self._key_variable) else "is not set"
            return EncoderError(
                f"{self.name} wants another key: {said}",
                f"put its key into the environment variable {self._key_variable}, which {has}, or name another with "
                f"--api-key-variable; {STAYS}",
            )
        if 300 <= status < 400:
            to = response.headers.get("location", "nowhere").partition("?")[0]
            return EncoderError(
                f"{self.name} sends requests on to {to}",
                f"if that is right, give it as --endpoint, because a key is sent to no other host; {STAYS}",
            )
        return EncoderError(
            f"{self.name} does not embed: {said}",
            f"check the URL, whether it ends in /v1, and the model's name, as the service lists it under /v1/models; "
            f"{STAYS}",
        )

    def _said(self, response: httpx2.Response) -> str:
        """Return what the service says of its failure, on one line, without the key if it repeats that."""
        try:
            found = response.json()
        except ValueError:
            text = response.text
        else:
            error = found.get("error", found) if isinstance(found, dict) else found
            text = error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)
            if isinstance(error, dict) and isinstance(error.get("message"), str):
                text = " ".join(str(error[key]) for key in ("message", "code", "type") if error.get(key))
        if key := os.environ.get(self._key_variable, "").strip():
            text = text.replace(key, "...")
        text = " ".join(text.split())
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ..."

    def _read(self, response: httpx2.Response) -> tuple[list[Any], int]:
        """Return the vectors of an answer in the order of the texts, and the tokens that the service counted."""
        try:
            answer = response.json()
            rows = answer["data"]
            if any("index" in row for row in rows):
                rows = sorted(rows, key=lambda row: row["index"])
                if [row["index"] for row in rows] != list(range(len(rows))):
                    raise ValueError("the indexes of its vectors are not 0, 1, 2 ..")
            vectors = [row["embedding"] for row in rows]
            if not all(isinstance(vector, list) for vector in vectors):
                raise ValueError("an embedding is no list of numbers")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise EncoderError(
                f"{self.name} did not answer as /v1/embeddings should: {error!r}",
                f"check that the URL is that of an OpenAI-compatible service; {STAYS}",
            ) from error
        usage = answer.get("usage")
        counts = [usage.get(name) for name in ("total_tokens", "prompt_tokens")] if isinstance(usage, dict) else []
        return vectors, next((count for count in counts if isinstance(count, int) and count > 0), 0)

    # --- Between attempts ---

    def _pause(self, state: tenacity.RetryCallState) -> float:
        import tenacity

        backoff = tenacity.wait_random_exponential(multiplier=1, max=_LONGEST_PAUSE_SECS)(state)
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _Passing) and error.wait_secs is not None:
            # All requests hold back, not only this one.
            self._allowance.hold(error.wait_secs)
            return error.wait_secs
        return backoff

    def _say(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning(
            "%s failed: %s; attempt %d of %d in %.1f s",
            self.name, error, state.attempt_number + 1, self._attempts, state.upcoming_sleep,
        )  # fmt: skip


def _asked_to_wait(headers: httpx2.Headers) -> float | None:
    """Return the seconds that a service asks to wait, None if it does not say."""
    try:
        if (milliseconds := headers.get("retry-after-ms")) is not None:
            return max(0.0, float(milliseconds) / 1000)
        if (seconds := headers.get("retry-after")) is None:
            return None
        if re.fullmatch(r"\s*\d+(\.\d+)?\s*", seconds):
            return float(seconds)
        then = email.utils.parsedate_to_datetime(seconds)
        then = then if then.tzinfo else then.replace(tzinfo=UTC)
        return max(0.0, (then - datetime.fromtimestamp(time.time(), UTC)).total_seconds())
    except (ValueError, OverflowError, TypeError):
        return None
