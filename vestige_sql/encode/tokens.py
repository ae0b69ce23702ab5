"""A model's tokenizer: load it, and turn texts into tokens within bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tokenizers import Encoding, Tokenizer, normalizers

from vestige_sql.encode.files import ModelFiles
from vestige_sql.errors import ModelUnsupported

# English text has about four characters a token; for embedders that do not count tokens themselves.
CHARACTERS_A_TOKEN = 4

# Characters tokenised in one go. The tokenizer keeps what it truncates away, so its memory is that of the
# whole texts.
_GROUP_CHARACTERS = 1 << 16

AGAIN = "Download or export it again."

# --- Tokens ---


def load_tokenizer(files: ModelFiles) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(files.tokenizer))
    # The tokenizers package raises Exception itself.
    except Exception as error:
        raise ModelUnsupported(f"The tokenizer {files.tokenizer} cannot be read: {error}", AGAIN) from error
    special = tokenizer.num_special_tokens_to_add(False)
    if files.max_tokens <= special:
        raise ModelUnsupported(
            f"The model {files.name} truncates texts to {files.max_tokens} tokens, and its tokenizer adds {special} to "
            "each: nothing is left of the text",
            "Put the right max_seq_length into its sentence_bert_config.json.",
        )
    # Published tokenizers carry the settings of their training, such as padding every text to 128 tokens.
    tokenizer.no_padding()
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


def encode_long(tokenizer: Tokenizer, text: str) -> Encoding:
    """Encode one text, reading no more of it than decides the tokens that truncation leaves.

    Tokenizers work word by word, as their pre-tokenizer cuts words, so cutting the text can only change the
    words at the cut. A prefix will do if truncation leaves none of its last words; where the pre-tokenizer
    finds no words, the whole text is read.
    """
    length = _GROUP_CHARACTERS
    while length < len(text):
        encoding = tokenizer.encode(text[:length])
        if encoding.overflowing:
            kept = max((word for word in encoding.word_ids if word is not None), default=0)
            last = max((word for word in encoding.overflowing[-1].word_ids if word is not None), default=0)
            if kept + 2 < last:
                return encoding
        length *= 4
    return tokenizer.encode(text)
