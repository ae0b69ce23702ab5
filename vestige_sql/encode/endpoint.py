"""A service that speaks the OpenAI-compatible ``/v1/embeddings``, a model of it, and how to ask.

Text Embeddings Inference, vLLM, Ollama, llama.cpp and most hosted services do. ``vestige_sql.encode.remote`` has the
embedder, ``vestige_sql.encode.service`` its requests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from urllib.parse import urlsplit

from vestige_sql.checks import check_flag, check_number, check_text
from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.encode.named import named_signature
from vestige_sql.encode.service import KEY_VARIABLE
from vestige_sql.errors import UsageError

UNTOUCHED = "nothing was written"

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Endpoint:
    """A service, a model of it, and how to ask.

    - ``url``: the base URL, such as ``https://api.openai.com/v1``, or that of ``/v1/embeddings`` itself.
    - ``model``: the model's name there. It is the name of the signature too.
    - ``dimension``: the model's dimension, or a smaller one with ``ask_dimension``.
    - ``revision``: any text that tells two versions of the model apart. It is part of the signature.
    - ``prompt``, ``query_prompt``: what goes before every stored text, and before every question.
    - ``ask_dimension``: send the dimension with each request, for models that can shorten their vectors.
    - ``key_variable``: the environment variable that has the key. Without one there, no key is sent.
    - ``tokenizer``: the model's tokenizer.json, or a folder or hub repository that has one. Tokens are counted with it.
      Without it they are estimated: one for every four bytes.
    - ``max_tokens``: cut each text, with its prompt, to so many tokens of ``tokenizer``. Without it, what is too long
      is the service's to cut or refuse.
    - ``requests_per_minute``, ``tokens_per_minute``: the most that is sent.
    - ``price``: of a million tokens. ``spend_limit``: the most to spend, in the unit of ``price``. ``token_limit``: the
      most tokens to spend. Both are those of this object, and so of one command.
    - ``calls_at_once``: how many requests may be on their way. ``timeout_secs``: how long an answer may take.
    - ``attempts``: how often a request is sent before it has failed.

    Raises :class:`UsageError` for a value out of range, a malformed URL, and a URL that holds a password or key.
    """

    url: str
    model: str
    dimension: int
    revision: str = ""
    prompt: str = ""
    query_prompt: str = ""
    ask_dimension: bool = False
    key_variable: str = KEY_VARIABLE
    tokenizer: str | None = None
    max_tokens: int | None = None
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    price: float | None = None
    spend_limit: float | None = None
    token_limit: int | None = None
    calls_at_once: int = 4
    timeout_secs: float = 120.0
    attempts: int = 8

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            if part.type == "str" or (part.type == "str | None" and value is not None):
                check_text(part.name, value)
        self.signature()
        check_flag("ask_dimension", self.ask_dimension)
        check_number("calls_at_once", self.calls_at_once, 1, 256)
        check_number("attempts", self.attempts, 1, 100)
        check_number("timeout_secs", self.timeout_secs, 0.001, 24 * 60 * 60, whole=False)
        for name, least in (
            ("requests_per_minute", 0.001),
            ("tokens_per_minute", 1),
            ("price", 0),
            ("spend_limit", 0),
        ):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), least, whole=False)
        for name in ("max_tokens", "token_limit"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), 1)
        self._check_url()
        if not _VARIABLE.fullmatch(self.key_variable):
            raise UsageError(
                "the environment variable of the key has a name that no variable can have",
                f"give the name of the variable, not the key itself, which the environment alone may hold; {UNTOUCHED}",
            )
        if self.spend_limit is not None and not self.price:
            raise UsageError(
                "a spend limit needs the price of a million tokens",
                f"add --price, or limit the tokens with --token-limit; {UNTOUCHED}",
            )
        if self.max_tokens is not None and self.tokenizer is None:
            raise UsageError(
                "max_tokens needs the tokenizer of the endpoint's model, to know where a text has so many tokens",
                "add --tokenizer: a tokenizer.json, or a folder or hub repository that has one; without both, the "
                f"service cuts a long text or refuses it; {UNTOUCHED}",
            )

    def _check_url(self) -> None:
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        # The URL is not shown where it may hold a key.
        if not usable:
            raise UsageError(
                "the endpoint is no http:// or https:// URL",
                f"give the base URL of the service, such as http://localhost:8080/v1; {UNTOUCHED}",
            )
        if parts.username or parts.password or re.search(r"(?i)(key|token|secret|sig)=", parts.query):
            raise UsageError(
                "the endpoint's URL holds a password or key",
                f"leave it out, and put the key into the environment variable {KEY_VARIABLE}; {UNTOUCHED}",
            )

    @property
    def address(self) -> str:
        """The URL that requests are sent to."""
        parts = urlsplit(self.url)
        path = parts.path.rstrip("/")
        if not path.endswith("/embeddings"):
            path += "/embeddings" if path else "/v1/embeddings"
        return parts._replace(path=path, fragment="").geturl()

    @property
    def most_tokens(self) -> int | None:
        """The most tokens that may be spent, None for no limit."""
        limits = [] if self.token_limit is None else [self.token_limit]
        if self.spend_limit is not None and self.price:
            limits.append(int(round(self.spend_limit * 1e6 / self.price, 3)))
        return min(limits, default=None)

    @property
    def limit(self) -> str:
        """What :attr:`most_tokens` comes from, in words."""
        if self.most_tokens is None or self.most_tokens == self.token_limit:
            return f"--token-limit {self.token_limit}"
        return f"--spend-limit {self.spend_limit:g}, which is {self.most_tokens:,} tokens"

    def signature(self, cut: str = "") -> ModelSignature:
        """The model's signature; ``cut`` says how texts are cut here, "" if they are not."""
        return named_signature(self.model, self.dimension, revision=self.revision, prompt=self.prompt, cut=cut)
