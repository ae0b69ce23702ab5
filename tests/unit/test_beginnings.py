"""The beginning of a long text gives the very tokens of the whole, whatever the tokenizer is made of."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from demo.minilm import build_tiny
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from vestige_sql.encode import tokens
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.encode.tokens import encode_long, is_enough

CORPUS = [
    "the quick brown fox jumps over the lazy dog, and it's 12345 times 67 naïve cafés",
    "Die Größe des Hauses: 1.234.567 m², 日本語のテスト 🙂🙂 end",
    "a aa aaa aaaa  b bb  bbb 0 00 000 0000 00000",
]

_TRAIN = {
    "BPE": (lambda: models.BPE(unk_token="[UNK]"), trainers.BpeTrainer),
    "Unigram": (models.Unigram, trainers.UnigramTrainer),
    "WordPiece": (lambda: models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer),
    "WordLevel": (lambda: models.WordLevel(unk_token="[UNK]"), trainers.WordLevelTrainer),
}


def trained(
    model: str,
    *,
    words: pre_tokenizers.PreTokenizer | None,
    normalizer: normalizers.Normalizer | None = None,
    training: pre_tokenizers.PreTokenizer | None = None,
) -> Tokenizer:
    """A tokenizer of some 200 tokens, trained with ``training`` in place of ``words``, if given."""
    make, trainer = _TRAIN[model]
    tokenizer = Tokenizer(make())
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = training or words  # type: ignore[assignment]
    settings = {"unk_token": "[UNK]"} if model == "Unigram" else {}
    tokenizer.train_from_iterator(
        CORPUS * 3,
        trainer(vocab_size=200, special_tokens=["[UNK]", "[CLS]"], show_progress=False, **settings),
    )
    if training is not None:
        tokenizer.pre_tokenizer = words  # type: ignore[assignment]
    tokenizer.add_tokens([AddedToken("lazy dog, and it's", normalized=False), AddedToken("<x>")])
    return tokenizer


def _sentencepiece(model: str) -> Tokenizer:
    """No words at all: a normaliser makes a mark of each space, as in the tokenizers of Llama and Gemma."""
    return trained(
        model,
        words=None,
        normalizer=normalizers.Replace(" ", "\u2581"),
        # Trained word by word, so that no token reaches over a space.
        training=pre_tokenizers.Split("\u2581", "merged_with_next"),
    )


def _over_spaces() -> Tokenizer:
    """As before, with tokens that reach over spaces."""
    return trained("BPE", words=None, normalizer=normalizers.Replace(" ", "\u2581"))


def _far_reaching() -> Tokenizer:
    """Whether the first token is "b " or "b a " depends on whether the number of words is even, however many follow."""
    pairs = [("[UNK]", -99.0), *((one, -20.0) for one in "ab\u2581"), ("b\u2581", -1.0), ("b\u2581a\u2581", -1.0)]
    tokenizer = Tokenizer(models.Unigram([*pairs, ("a\u2581a\u2581", -1.0)], unk_id=0))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")  # type: ignore[assignment]
    return tokenizer


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "words of BERT": lambda: trained(
        "WordPiece", words=pre_tokenizers.BertPreTokenizer(), normalizer=normalizers.BertNormalizer()
    ),
    "bytes": lambda: trained("BPE", words=pre_tokenizers.ByteLevel()),
    "spaces": lambda: trained("WordLevel", words=pre_tokenizers.WhitespaceSplit()),
    "digits": lambda: trained(
        "BPE",
        words=pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)]),
    ),
    "digits in threes from the right": lambda: trained(
        "BPE", words=pre_tokenizers.Split(Regex(r"\d{1,3}(?=(\d{3})*(?!\d))|\D"), "isolated")
    ),
    "metaspace": lambda: trained("Unigram", words=pre_tokenizers.Metaspace()),
    "one word, BPE": lambda: _sentencepiece("BPE"),
    "one word, Unigram": lambda: _sentencepiece("Unigram"),
    "one word over spaces": _over_spaces,
    "composed": lambda: trained(
        "Unigram",
        words=pre_tokenizers.Metaspace(),
        normalizer=normalizers.Sequence(
            [normalizers.Strip(), normalizers.NFC(), normalizers.Replace(Regex(" {2,}"), " ")]
        ),
    ),
}


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return KINDS[request.param]()


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts of some hundred characters are long ones."""
    monkeypatch.setattr(tokens, "_GROUP_CHARACTERS", 32)


def texts(seed: int, count: int) -> Iterator[str]:
    chance = random.Random(seed)
    parts = [
        *(word + " " for line in CORPUS for word in line.split()),
        *("lazy dog, and it's", "lazy dog", "lazy dog, and", "<x>", "<"),
        *("e\u0301", "\u0301", "n\u0303", "  ", "\n", "\t"),
        *("1234567890", "1", "日本", "🙂", "x" * 50, " " * 40, "\u2581", ".", "..."),
    ]  # fmt: skip
    for _ in range(count):
        some = chance.sample(parts, chance.randint(1, 6)) if chance.random() < 0.5 else parts
        yield "".join(chance.choice(some) for _ in range(chance.randint(1, 120)))


@pytest.mark.parametrize("kept", [1, 5, 24])
def test_a_long_text_has_the_tokens_of_the_whole(tokenizer: Tokenizer, kept: int) -> None:
    tokenizer.enable_truncation(kept)
    for text in texts(kept, 120):
        assert encode_long(tokenizer, text).ids == tokenizer.encode(text).ids


def test_no_continuation_changes_the_tokens_of_a_beginning_that_is_enough(tokenizer: Tokenizer) -> None:
    tokenizer.enable_truncation(6)
    ends = [*texts(1, 12), "\u0301", "and it's", "9" * 40, "x" * 99]
    enough = 0
    for beginning in texts(2, 100):
        if is_enough(tokenizer, beginning):
            enough += 1
            ids = tokenizer.encode(beginning).ids
            assert all(tokenizer.encode(beginning + end).ids == ids for end in ends)
    assert enough > 10


def test_tokens_that_reach_over_spaces_make_the_end_of_a_text_count_at_its_beginning() -> None:
    tokenizer = _far_reaching()
    tokenizer.enable_truncation(2)
    for count in range(20, 60):
        text = "b " + "a " * count
        assert not is_enough(tokenizer, text)
        assert encode_long(tokenizer, text).tokens[0] == ("b\u2581a\u2581" if count % 2 else "b\u2581")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "one word over spaces"])
def test_ordinary_words_need_only_their_beginning(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_GROUP_CHARACTERS", 1 << 10)
    tokenizer = KINDS[kind]()
    tokenizer.enable_truncation(64)
    read: list[int] = []

    class Noting:
        """The tokenizer, which notes how long the texts are that it gets."""

        def __getattr__(self, name: str) -> object:
            return getattr(tokenizer, name)

        def encode(self, text: str, add_special_tokens: bool = True) -> object:
            read.append(len(text))
            return tokenizer.encode(text, add_special_tokens=add_special_tokens)

    encode_long(Noting(), "ordinary words and 12 more, " * 10_000)  # type: ignore[arg-type]
    assert max(read) <= 1 << 12


def test_the_embedder_says_whether_a_beginning_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prompt counts, for it comes first."""
    monkeypatch.undo()
    bare = load_embedder(str(build_tiny(tmp_path / "bare", max_seq_length=64)))
    prompted = load_embedder(
        str(build_tiny(tmp_path / "prompted", max_seq_length=64, prompts={"document": "some words to begin with " * 3}))
    )
    for length in (1, 10, 30, 59, 60, 61, 62, 63, 64, 65, 66, 67, 70, 200):
        beginning = ("ab " * length)[:length]
        for embedder in (bare, prompted):
            if embedder.is_enough(beginning):
                same, other = embedder.embed_batch([beginning]), embedder.embed_batch([beginning + " and more " * 50])
                assert (same == other).all()
    assert not bare.is_enough("ab " * 20) and prompted.is_enough("ab " * 20)
    assert bare.is_enough("ab " * 40)
