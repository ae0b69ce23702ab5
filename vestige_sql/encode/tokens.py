"""A model's tokenizer: load it, and turn texts into tokens within bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tokenizers import Encoding, Tokenizer, normalizers

from vestige_sql.encode.files import ModelFiles
from vestige_sql.encode.graph import AGAIN, UNTOUCHED
from vestige_sql.errors import ModelUnsupported

# English text has about four characters per token. Used for embedders that do not count tokens.
CHARACTERS_A_TOKEN = 4

# How many characters to tokenise at once. The tokenizer keeps what it truncates, so its memory grows with whole texts.
_GROUP_CHARACTERS = 1 << 16

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


def prompt_length(tokenizer: Tokenizer, prompt: str) -> int:
    """Return how many tokens a prompt has before a text: with the special tokens before it, without one after it."""
    ids = tokenizer.encode(prompt).ids
    special = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    return len(ids) - bool(ids and ids[-1] in special)


def encode_long(tokenizer: Tokenizer, text: str, *, special_tokens: bool = True) -> Encoding:
    """Encode one text, but read only the part that determines the tokens left after truncation.

    Tokenizers work word by word, and their pre-tokenizer finds the words. So cutting the text can only change the
    words at the cut, and a prefix is enough if truncation drops its last words. If the pre-tokenizer finds no words,
    the whole text is read.
    """
    length = _GROUP_CHARACTERS
    while length < len(text):
        encoding = tokenizer.encode(text[:length], add_special_tokens=special_tokens)
        if encoding.overflowing:
            kept = max((word for word in encoding.word_ids if word is not None), default=0)
            last = max((word for word in encoding.overflowing[-1].word_ids if word is not None), default=0)
            if kept + 2 < last:
                return encoding
        length *= 4
    return tokenizer.encode(text, add_special_tokens=special_tokens)
