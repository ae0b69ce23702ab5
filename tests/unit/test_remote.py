"""Models behind an endpoint: what is sent, what comes back, and what is done about everything else."""

from __future__ import annotations

import email.utils
import pickle
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from demo.minilm import build_tiny
from support import FakeEmbedder
from support.embedding_server import Answer, Stub, serving

from vestige_sql.encode import allowance, service
from vestige_sql.encode.allowance import Allowance
from vestige_sql.encode.endpoint import Endpoint
from vestige_sql.encode.named import named_signature
from vestige_sql.encode.remote import EndpointEmbedder
from vestige_sql.encode.window import embed_queries, encode_window
from vestige_sql.errors import BadEmbedding, EncoderError, LimitReached, ModelNotFound, UsageError

MODEL = FakeEmbedder("m", 8)
TEXTS = [f"text number {i}" for i in range(10)]
KEY = "sk-very-secret"
NOW = 1_800_000_000


@pytest.fixture
def stub() -> Iterator[Stub]:
    with serving(Stub(MODEL.vector)) as stub:
        yield stub


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited, while no time goes by."""
    found: list[float] = []
    monkeypatch.setattr(allowance, "time", SimpleNamespace(monotonic=lambda: 1_000.0))
    monkeypatch.setattr(service, "time", SimpleNamespace(time=lambda: NOW))
    monkeypatch.setattr(Allowance, "sleep", lambda _, secs: found.append(secs) if secs > 0 else None)
    monkeypatch.delenv(service.KEY_VARIABLE, raising=False)
    return found


def embedder(stub: Stub, **options: Any) -> EndpointEmbedder:
    return EndpointEmbedder(Endpoint(stub.url, "m", 8, **options))


def expected(texts: list[str], prompt: str = "") -> Any:
    return np.stack([MODEL.vector(prompt + text) for text in texts])


# --- What is sent, and what comes back ---


def test_vectors_belong_to_their_texts(stub: Stub) -> None:
    vectors = embedder(stub).embed_batch(TEXTS)
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, expected(TEXTS))
    (asked,) = stub.requests
    assert asked.path == "/v1/embeddings"
    assert asked.body == {"model": "m", "input": TEXTS, "encoding_format": "float"}
    assert "authorization" not in asked.headers
    assert embedder(stub).embed_batch([]).shape == (0, 8)


def test_prompts_are_for_texts_and_for_questions(stub: Stub) -> None:
    asking = embedder(stub, prompt="d: ", query_prompt="q: ")
    assert np.array_equal(encode_window(asking, TEXTS, 4), expected(TEXTS, "d: "))
    assert np.array_equal(embed_queries(asking, ["what"]), expected(["what"], "q: "))


def test_the_dimension_is_asked_for_where_that_is_wanted(stub: Stub) -> None:
    embedder(stub, ask_dimension=True).embed_batch(["a"])
    assert stub.requests[0].body["dimensions"] == 8


def test_the_key_comes_from_the_environment_alone(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    asking = embedder(stub, key_variable="OTHER_KEY")
    monkeypatch.setenv(service.KEY_VARIABLE, "not this one")
    asking.embed_batch(["a"])
    monkeypatch.setenv("OTHER_KEY", f" {KEY}\n")
    asking.embed_batch(["a"])
    assert [asked.headers.get("authorization") for asked in stub.requests] == [None, f"Bearer {KEY}"]
    assert KEY.encode() not in pickle.dumps(asking)
    assert np.array_equal(pickle.loads(pickle.dumps(asking)).embed_batch(["a"]), expected(["a"]))
    monkeypatch.setenv("OTHER_KEY", "naïve")
    with pytest.raises(EncoderError, match="OTHER_KEY has characters that no key can have"):
        asking.embed_batch(["a"])


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://localhost:8080", "http://localhost:8080/v1/embeddings"),
        ("http://localhost:8080/", "http://localhost:8080/v1/embeddings"),
        ("https://api.openai.com/v1", "https://api.openai.com/v1/embeddings"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1/embeddings"),
        ("https://host/v1/embeddings", "https://host/v1/embeddings"),
        ("https://host/a/deployments/d?api-version=1", "https://host/a/deployments/d/embeddings?api-version=1"),
    ],
)
def test_address(url: str, address: str) -> None:
    assert Endpoint(url, "m", 8).address == address


def test_equal_texts_are_sent_once_and_several_requests_are_on_their_way(stub: Stub) -> None:
    stub.hook = lambda _: time.sleep(0.05)
    vectors = encode_window(embedder(stub, calls_at_once=3), TEXTS * 3, 2)
    assert np.array_equal(vectors, expected(TEXTS * 3))
    assert sorted(stub.texts) == sorted(TEXTS)
    assert len(stub.requests) == 5
    assert stub.most_at_once <= 3


# --- The signature ---


def test_the_signature_is_what_people_say_of_the_model(stub: Stub) -> None:
    base = embedder(stub).signature()
    assert base == named_signature("m", 8)
    assert Endpoint("https://elsewhere", "m", 8, query_prompt="q: ", price=1, calls_at_once=9).signature() == base
    others = [
        Endpoint(stub.url, "n", 8),
        Endpoint(stub.url, "m", 9),
        Endpoint(stub.url, "m", 8, revision="2"),
        Endpoint(stub.url, "m", 8, prompt="d: "),
    ]
    assert len({base, *(other.signature() for other in others)}) == 5
    # It is kept in databases: it may never change.
    assert base.hash == "6a47f8e01a132802009d185ce00b9c853d9fce763e6e24b1761301063b7081a1"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "localhost:8080/v1"}, "no http:// or https:// URL"),
        ({"url": "ftp://host/v1"}, "no http:// or https:// URL"),
        ({"url": "http://host:port/v1"}, "no http:// or https:// URL"),
        ({"url": ""}, "no http:// or https:// URL"),
        ({"url": f"https://me:{KEY}@host/v1"}, "holds a password or key"),
        ({"url": f"https://host/v1?api_key={KEY}"}, "holds a password or key"),
        ({"model": " "}, "name is empty"),
        ({"model": "a\0b"}, "NUL"),
        ({"dimension": 0}, "dimension must be"),
        ({"dimension": 16_001}, "dimension must be"),
        ({"calls_at_once": 0}, "calls_at_once must be"),
        ({"timeout_secs": float("nan")}, "timeout_secs must be"),
        ({"tokens_per_minute": 0}, "tokens_per_minute must be"),
        ({"price": -1}, "price must be"),
        ({"spend_limit": 5}, "needs the price"),
        ({"max_tokens": 100}, "needs the tokenizer"),
        ({"key_variable": KEY}, "a name that no variable can have"),
        ({"ask_dimension": "no"}, "True or False"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_sent(options: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        Endpoint(**{"url": "http://host/v1", "model": "m", "dimension": 8} | options)
    assert KEY not in f"{refused.value}{refused.value.hint}"


# --- What goes wrong and may pass ---


def in_seconds(secs: float) -> str:
    return email.utils.formatdate(NOW + secs, usegmt=True)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529, 0])
def test_what_may_pass_is_tried_again(stub: Stub, waits: list[float], status: int) -> None:
    stub.faults += [Answer(status, {"error": "busy"})] * 2
    assert np.array_equal(embedder(stub).embed_batch(TEXTS), expected(TEXTS))
    assert len(stub.requests) == 3
    assert len(waits) == 2
    assert all(0 <= secs <= 60 for secs in waits)


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"Retry-After": "7"}, 7, 7),
        ({"Retry-After": "1.5"}, 1.5, 1.5),
        ({"retry-after-ms": "250", "Retry-After": "7"}, 0.25, 0.25),
        ({"Retry-After": in_seconds(100)}, 100, 100),
        ({"Retry-After": in_seconds(-100)}, 0, 0),
        ({"Retry-After": "soon"}, 0, 1),
        ({"Retry-After": "-7"}, 0, 1),
    ],
)
def test_a_service_may_say_when(stub: Stub, waits: list[float], headers: Any, least: float, most: float) -> None:
    stub.faults.append(Answer(429, {}, headers))
    embedder(stub).embed_batch(["a"])
    assert least <= sum(waits[:1]) <= most


def test_all_requests_hold_back(stub: Stub, waits: list[float]) -> None:
    """What one request is told is meant for all."""
    asking = embedder(stub)
    stub.faults.append(Answer(429, {}, {"Retry-After": "30"}))
    asking.embed_batch(["a"])
    asking.embed_batch(["b"])
    # The pause itself, what the same request waits when it is sent again, and the other one.
    assert waits == [30, 30, 30]


def test_it_gives_up_in_the_end(stub: Stub, waits: list[float], caplog: pytest.LogCaptureFixture) -> None:
    stub.faults += [Answer(503, b"<html>down</html>")] * 9
    with pytest.raises(EncoderError, match=r"failed 3 times in a row; the last time: HTTP 503: <html>down") as failed:
        embedder(stub, attempts=3).embed_batch(["a"])
    assert "the same command resumes" in failed.value.hint
    assert len(stub.requests) == 3
    assert "attempt 2 of 3" in caplog.text


def test_nobody_there_is_tried_again_too(waits: list[float]) -> None:
    with serving(Stub(MODEL.vector)) as stub:
        asking = embedder(stub, attempts=2)
    with pytest.raises(EncoderError, match="failed 2 times in a row; the last time: ConnectError"):
        asking.embed_batch(["a"])
    assert len(waits) == 1


def test_an_answer_that_takes_too_long(stub: Stub) -> None:
    over = threading.Event()
    stub.hook = lambda number: None if number > 1 else over.wait(20) and None
    vectors = embedder(stub, timeout_secs=0.3).embed_batch(["a"])
    over.set()
    assert np.array_equal(vectors, expected(["a"]))
    assert len(stub.requests) > 1


def test_in_a_hurry_it_asks_once(stub: Stub) -> None:
    stub.faults += [Answer(503, {})] * 2
    asking = embedder(stub)
    with asking.hurried(), pytest.raises(EncoderError, match="failed 1 times"):
        asking.embed_batch(["a"])
    assert np.array_equal(asking.embed_batch(["a"]), expected(["a"]))


# --- What goes wrong for good ---


@pytest.mark.parametrize(
    ("answer", "said", "hint"),
    [
        (Answer(401, {"error": {"message": f"Incorrect API key: {KEY}"}}), "wants another key: HTTP 401", "_API_KEY"),
        (Answer(403, b"no"), "wants another key: HTTP 403: no", "_API_KEY"),
        (Answer(404, {"error": {"message": "no such model"}}), "does not embed: HTTP 404: no such model", "v1/models"),
        (Answer(405, b""), "does not embed: HTTP 405", "/v1"),
        (Answer(402, {"error": "pay"}), "nothing left to spend: HTTP 402: pay", "pay in"),
        (
            Answer(429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}),
            "nothing left to spend",
            "resumes",
        ),
        (Answer(429, {}, {"Retry-After": "86400"}), "asks to wait 86,400 s", "resumes"),
        (
            Answer(301, b"", {"Location": "https://other/v1/embeddings?k=1"}),
            "on to https://other/v1/embeddings",
            "--end",
        ),
        (Answer(200, b"<html>welcome</html>"), "did not answer as /v1/embeddings should", "OpenAI-compatible"),
        (Answer(200, {"vectors": []}), "did not answer as /v1/embeddings should", "OpenAI-compatible"),
        (Answer(200, {"data": [{"index": 3, "embedding": [1]}]}), "indexes of its vectors", ""),
        (Answer(200, {"data": [{"embedding": "AAAA"}]}), "no list of numbers", ""),
        (Answer(200, {"data": []}), "returned 0 vectors for 1 texts", ""),
        (Answer(200, {"data": [{"embedding": [0.5] * 7}]}), "of 7 dimensions, and --dimension is 8", "--dimension 7"),
        (Answer(200, {"data": [{"embedding": [None] * 8}]}), "something in it that is no number", "log"),
    ],
)
def test_what_will_not_pass_stops_at_once(
    stub: Stub, waits: list[float], monkeypatch: pytest.MonkeyPatch, answer: Answer, said: str, hint: str
) -> None:
    monkeypatch.setenv(service.KEY_VARIABLE, KEY)
    stub.faults.append(answer)
    with pytest.raises(EncoderError) as failed:
        embedder(stub).embed_batch(["a"])
    assert said in str(failed.value)
    assert hint in failed.value.hint
    assert KEY not in f"{failed.value}{failed.value.hint}"
    assert len(stub.requests) == 1
    assert waits == []


# --- Too much for the service ---


def test_a_batch_that_is_too_large_is_halved_and_remembered(stub: Stub) -> None:
    stub.most_texts = 3
    asking = embedder(stub)
    assert np.array_equal(asking.embed_batch(TEXTS), expected(TEXTS))
    before = len(stub.requests)
    assert np.array_equal(asking.embed_batch(TEXTS), expected(TEXTS))
    assert [len(asked.body["input"]) for asked in stub.requests[before:]] == [3, 3, 3, 1]


def test_a_text_that_is_refused_is_named(stub: Stub) -> None:
    stub.refuses = lambda text: text == TEXTS[6]
    with pytest.raises(BadEmbedding, match="refused a text of about 4 tokens: HTTP 413: the input is too long") as bad:
        encode_window(embedder(stub), TEXTS, 128)
    assert bad.value.row == 6
    assert "--max-tokens" in bad.value.hint


def test_llama_cpp_refuses_with_500(stub: Stub) -> None:
    stub.faults.append(Answer(500, {"error": {"message": "input is too large to process. increase the batch size"}}))
    with pytest.raises(BadEmbedding, match="too large to process"):
        embedder(stub).embed_batch(["a"])


# --- Tokens ---


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("models") / "tiny")


def test_texts_are_cut_to_so_many_tokens(stub: Stub, tiny: Path) -> None:
    """The tokenizer has a token for each letter, and two at the ends."""
    asking = embedder(stub, tokenizer=str(tiny), max_tokens=7, prompt="d:")
    assert asking.token_counts(["abc", "abcdefghi"]) == [7, 7]
    asking.embed_batch(["a", "ab cdefghi", "abc"])
    assert stub.texts == ["d:a", "d:ab c", "d:abc"]
    assert asking.signature() != embedder(stub, tokenizer=str(tiny), prompt="d:").signature()
    assert asking.signature() != embedder(stub, tokenizer=str(tiny), max_tokens=8, prompt="d:").signature()
    assert embedder(stub, tokenizer=str(tiny / "tokenizer.json"), prompt="d:").signature() == named_signature(
        "m", 8, prompt="d:"
    )


@pytest.mark.parametrize("max_tokens", [None, 1])
def test_a_tokenizer_that_cannot_be_used(stub: Stub, tmp_path: Path, max_tokens: int | None) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelNotFound, match="cannot be used"):
        embedder(stub, tokenizer=str(tmp_path), max_tokens=max_tokens)


def test_calls_have_so_many_tokens(stub: Stub, tiny: Path) -> None:
    encode_window(embedder(stub, tokenizer=str(tiny)), ["a " * 2_997 + str(i) for i in range(6)], 128)
    assert [len(asked.body["input"]) for asked in stub.requests] == [2, 2, 2]


def test_it_says_what_texts_would_cost(stub: Stub) -> None:
    assert embedder(stub).estimate(100, 4_000) == (1_100, None)
    tokens, cost = embedder(stub, price=0.02, prompt="four").estimate(1_000_000, 400_000_000)
    assert tokens == 102_000_000
    assert cost == pytest.approx(2.04)


# --- Limits ---


def test_a_limit_stops_before_anything_is_sent(stub: Stub) -> None:
    asking = embedder(stub, token_limit=100)
    encode_window(asking, TEXTS[:4], 128)
    assert asking.tokens_spent == sum(map(len, TEXTS[:4])) == 52
    # The service counts a token a letter, so 52 more are expected where 16 were estimated at first.
    before = len(stub.requests)
    with pytest.raises(LimitReached, match=r"about 52 tokens, and with the 52 .* over --token-limit 100") as reached:
        encode_window(asking, TEXTS[4:8], 128)
    assert "the same command" in reached.value.hint
    assert len(stub.requests) == before
    encode_window(asking, TEXTS[4:6], 128)


def test_spending_is_limited_by_the_price(stub: Stub) -> None:
    asking = embedder(stub, price=10.0, spend_limit=0.0006, token_limit=1_000)
    encode_window(asking, TEXTS[:4], 128)
    assert asking.cost(asking.tokens_spent) == pytest.approx(0.00052)
    with pytest.raises(LimitReached, match=r"over --spend-limit 0\.0006, which is 60 tokens"):
        encode_window(asking, TEXTS[4:5], 128)


def test_a_service_that_does_not_count_is_counted_for(stub: Stub) -> None:
    stub.tokens = False
    asking = embedder(stub)
    asking.embed_batch(["a" * 40])
    assert asking.tokens_spent == 11


def test_what_failed_is_not_counted(stub: Stub) -> None:
    stub.faults.append(Answer(503, {}))
    asking = embedder(stub, token_limit=5)
    asking.embed_batch(["abc"])
    assert asking.tokens_spent == 3


def test_requests_are_paced(stub: Stub, waits: list[float]) -> None:
    asking = embedder(stub, requests_per_minute=60)
    for text in "abc":
        asking.embed_batch([text])
    assert waits == [1, 2]


def test_tokens_are_paced_as_the_service_counts_them(stub: Stub, waits: list[float]) -> None:
    asking = embedder(stub, tokens_per_minute=60)
    asking.embed_batch(["a" * 30])
    asking.embed_batch(["b"])
    assert waits == [30]


def test_a_failure_is_noticed_while_another_call_waits() -> None:
    """Whichever call it is: the service answers the first with a wait, and the second with a failure."""
    interrupted, waiting = threading.Event(), threading.Event()

    class Service(FakeEmbedder):
        calls_at_once = 2

        def interrupt(self) -> None:
            interrupted.set()

        def embed_batch(self, texts: Any) -> Any:
            # The longest texts come first.
            if len(texts[0]) > 10:
                waiting.set()
                assert interrupted.wait(20), "nobody noticed the failure of the other call"
            assert waiting.wait(20)
            raise EncoderError("it wants another key")

    with pytest.raises(EncoderError, match="another key"):
        encode_window(Service("m", 8), ["the longest of all texts", "short"], 1)
    assert interrupted.is_set()


def test_a_run_that_stops_waits_no_longer(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    stub.faults += [Answer(429, {}, {"Retry-After": "300"}), Answer(401, {})]
    # Both are asked before either is answered: a call that begins during the wait would wait too.
    both = threading.Barrier(2)
    stub.hook = lambda call: both.wait(60) if call <= 2 else None
    began = time.monotonic()
    with pytest.raises(EncoderError):
        encode_window(embedder(stub, calls_at_once=2), TEXTS, 5)
    # Less than the wait, and many times what the rest takes.
    assert time.monotonic() - began < 250
