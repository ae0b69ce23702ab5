"""Families of models whose cards ask for a prompt that their configuration does not have.

To add a family, add an entry: what its models' names look like, the prompts that the card gives, and the card. A family
counts only where the model's own configuration has no such prompt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Models whose authors ask for prompts on the card.

    ``names`` is found in the base name of each model of the family, in lower case: those fine-tuned from it have it in
    theirs. ``prompt`` goes before each text that is stored, ``query_prompt`` before each question: "" where the card
    asks for none. ``source`` is where the author says so. A folder of another name is known by ``card``, which is found
    in its README.md, or by ``architecture``, a model_type in config.json that only this family has.
    """

    name: str
    names: str
    prompt: str
    query_prompt: str
    source: str
    card: str = ""
    architecture: str = ""

    def has(self, model: str, card: str, model_type: object) -> bool:
        """Whether the model named so, with this card and this model_type, is one of the family."""
        return (
            re.search(self.names, model.rpartition("/")[2].lower()) is not None
            or (bool(self.card) and re.search(self.card, card) is not None)
            or (bool(self.architecture) and self.architecture == model_type)
        )


FAMILIES = (
    Family(
        "E5 instruct",
        r"(?<![a-z0-9])e5-(small|base|large)-instruct",
        "",
        "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: ",
        "https://huggingface.co/intfloat/multilingual-e5-large-instruct#faq",
    ),
    Family(
        "E5",
        r"(?<![a-z0-9])e5-(small|base|large)(?![a-z0-9])",
        "passage: ",
        "query: ",
        "https://huggingface.co/intfloat/e5-small-v2#faq and https://huggingface.co/intfloat/multilingual-e5-base#faq",
        card=r'prefix "query: " (and|or) "passage: "|start with "query: " or "passage: "',
    ),
    Family(
        "nomic-embed-text",
        r"(?<![a-z0-9])nomic-embed-text-v1(?![0-9])",
        "search_document: ",
        "search_query: ",
        "https://huggingface.co/nomic-ai/nomic-embed-text-v1.5#usage",
        card=r"must include a \*?task instruction prefix",
        architecture="nomic_bert",
    ),
    Family(
        "ModernBERT Embed",
        r"(?<![a-z0-9])modernbert-embed(?![a-z0-9])",
        "search_document: ",
        "search_query: ",
        "https://huggingface.co/nomic-ai/modernbert-embed-base#usage",
    ),
    Family(
        "BGE, English",
        r"(?<![a-z0-9])bge-(small|base|large)-en(?![a-z0-9])",
        "",
        "Represent this sentence for searching relevant passages: ",
        "https://huggingface.co/BAAI/bge-small-en-v1.5#usage",
    ),
    Family(
        "BGE, Chinese",
        r"(?<![a-z0-9])bge-(small|base|large)-zh(?![a-z0-9])",
        "",
        "为这个句子生成表示以用于检索相关文章：",  # noqa: RUF001  (as on the card)
        "https://huggingface.co/BAAI/bge-small-zh-v1.5#usage",
    ),
)


def family_of(model: str, card: str, model_type: object) -> Family | None:
    """Return the family that the model is of, the first that has it, or None if none is known."""
    return next((family for family in FAMILIES if family.has(model, card, model_type)), None)
