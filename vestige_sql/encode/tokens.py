"""A model's tokenizer: load it, and turn texts into tokens within bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer, normalizers

from vestige_sql.encode.files import ModelFiles
from vestige_sql.encode.graph import AGAIN, UNTOUCHED
from vestige_sql.errors import EncoderError, ModelUnsupported

Tokens: TypeAlias = tuple[NDArray[np.int32], NDArray[np.int32]]
"""A text's token ids and type ids."""

# English text has about four characters per token. Used for embedders that do not count tokens.
CHARACTERS_A_TOKEN = 4

# How many characters to tokenise at once. The tokenizer keeps what it truncates, so its memory grows with whole texts.
_GROUP_CHARACTERS = 1 << 16

# What sentencepiece makes of a space.
_SPACE = "\u2581"

# --- Tokens ---


def load_tokenizer(files: ModelFiles) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(files.tokenizer))
    # The package tokenizers raises the class Exception itself.
    except Exception as error:
        raise ModelUnsupported(f"the tokenizer {files.tokenizer} cannot be read: {error}", AGAIN) from error
    special = 0 if files.static else tokenizer.num_special_tokens_to_add(False)
    if files.max_tokens is not None and files.max_tokens <= special:
        raise ModelUnsupported(
            f"the model {files.name} truncates texts to {files.max_tokens} tokens, and its tokenizer adds {special} to "
            "each: nothing is left of the text",
            f"add --max-tokens N, or put the right max_seq_length into its sentence_bert_config.json; {UNTOUCHED}",
        )
    # Published tokenizers keep settings from their training, such as padding every text to 128 tokens.
    tokenizer.no_padding()
    if files.max_tokens is None:
        tokenizer.no_truncation()
    else:
        tokenizer.enable_truncation(files.max_tokens)
    if files.lower_case:
        own = [tokenizer.normalizer] if tokenizer.normalizer else []
        tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *own])
    return tokenizer


def groups(texts: Iterable[str]) -> Iterator[list[str]]:
    group: list[str] = []
    characters = 0
    for text in texts:
        if group and characters + len(text) > _GROUP_CHARACTERS:
            yield group
            group, characters = [], 0
        group.append(text)
        characters += len(text)
    if group:
        yield group


def tokenized(tokenizer: Tokenizer, files: ModelFiles, texts: Iterable[str], *, special_tokens: bool) -> list[Tokens]:
    """Return the token ids and type ids of each text, truncated.

    Raises ``EncoderError`` if the tokenizer fails on a text.
    """
    tokens: list[Tokens] = []
    for group in groups(texts):
        try:
            if len(group) == 1:
                encodings = [encode_long(tokenizer, group[0], special_tokens=special_tokens)]
            else:
                encodings = tokenizer.encode_batch(group, add_special_tokens=special_tokens)
        # As in load_tokenizer. A tokenizer without a token for unknown words fails here.
        except Exception as error:
            raise EncoderError(
                f"the tokenizer {files.tokenizer} failed on a text: {error}",
                "download or export the model again; nothing was put in place",
            ) from error
        # Keep numbers only: an encoding also has its tokens as strings, and everything that was truncated.
        tokens += [(np.array(e.ids, np.int32), np.array(e.type_ids, np.int32)) for e in encodings]
    return tokens


def padded(
    tokens: list[Tokens], pad_id: int, most: Callable[[int], int] = int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return ids, type ids and which of them are there: texts as rows, padded on the right.

    ``most`` says how long they become, given the longest.
    """
    lengths = np.array([len(ids) for ids, _ in tokens])
    present = np.arange(most(max(1, int(lengths.max())))) < lengths[:, None]
    ids, types = np.full(present.shape, pad_id, np.int64), np.zeros(present.shape, np.int64)
    of_ids, of_types = zip(*tokens, strict=True)
    ids[present] = np.concatenate(of_ids)
    types[present] = np.concatenate(of_types)
    return ids, types, present


def prompt_length(tokenizer: Tokenizer, prompt: str) -> int:
    """Return how many tokens a prompt has before a text: with the special tokens before it, without one after it."""
    ids = tokenizer.encode(prompt).ids
    special = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    return len(ids) - bool(ids and ids[-1] in special)


def encode_long(tokenizer: Tokenizer, text: str, *, special_tokens: bool = True) -> Encoding:
    """Encode one text, but read only the part that determines the tokens left after truncation.

    If no part does, such as where the pre-tokenizer finds no words, the whole text is read.
    """
    return _of_a_beginning(tokenizer, text, special_tokens)[0]


def is_enough(tokenizer: Tokenizer, beginning: str, *, special_tokens: bool = True) -> bool:
    """Return whether every text that begins with ``beginning`` has the same tokens left after truncation."""
    return _of_a_beginning(tokenizer, beginning, special_tokens)[1]


def _of_a_beginning(tokenizer: Tokenizer, text: str, special_tokens: bool) -> tuple[Encoding, bool]:
    """Return the encoding of a part of ``text`` that determines what is left after truncation, and True.

    If no part does, return that of the whole text, and False.
    """
    length = _GROUP_CHARACTERS
    while True:
        encoding = tokenizer.encode(text[:length], add_special_tokens=special_tokens)
        if is_determined(tokenizer, encoding, text[:length]):
            return encoding, True
        if length >= len(text):
            return encoding, False
        length *= 4


def is_determined(tokenizer: Tokenizer, encoding: Encoding, beginning: str) -> bool:
    """Return whether ``encoding``, that of ``beginning``, would be the same with any text after it.

    Tokenizers work word by word, and their pre-tokenizer finds the words. So what follows can only change the words at
    the end: it makes the last one longer, or an added token of them, or groups a number's digits in another way. It is
    enough if truncation drops these. Some pre-tokenizers find no words. Then a space may do the same, see
    :func:`_spaces_separate`.
    """
    if not encoding.overflowing:
        return False
    kept = zip(encoding.word_ids, encoding.offsets, strict=True)
    word, end = max(((word, end) for word, (_, end) in kept if word is not None), default=(0, 0))
    last = max((word for word in encoding.overflowing[-1].word_ids if word is not None), default=0)
    added = max((len(token.content) for token in tokenizer.get_added_tokens_decoder().values()), default=0)
    if end + added > len(beginning) or beginning[end:].isnumeric():
        return False
    if word + 2 < last:
        return True
    space = beginning.rfind(" ", 0, len(beginning) - added)
    while space > 0 and not beginning[space - 1].isalnum():
        space = beginning.rfind(" ", 0, space)
    return end <= space and _spaces_separate(tokenizer)


def _spaces_separate(tokenizer: Tokenizer) -> bool:
    """Return whether the tokens before a space never depend on what comes after it, without words in between.

    That is so for a tokenizer of sentencepiece that makes a mark of each space, if none of its tokens has that mark
    after another character: none can reach over the space then, neither by merging nor as part of a likelier whole.
    """
    if type(tokenizer.model).__name__ not in ("BPE", "Unigram"):
        return False
    tokens = "".join(tokenizer.encode("x y z", add_special_tokens=False).tokens)
    return tokens.removeprefix(_SPACE) == f"x{_SPACE}y{_SPACE}z" and not any(
        _SPACE in token.lstrip(_SPACE) for token in tokenizer.get_vocab(with_added_tokens=False)
    )
