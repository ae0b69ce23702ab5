"""The prompts of a model: those that are given, else those of its configuration, else those that its card asks for."""

from __future__ import annotations

import shlex
from typing import Any, cast

from vestige_sql.checks import check_text
from vestige_sql.encode.families import family_of
from vestige_sql.encode.graph import AGAIN, UNTOUCHED
from vestige_sql.errors import ModelUnsupported, PromptNeeded, UsageError

# The prompts that encode_document() looks for, in this order, says the documentation of sentence-transformers. An
# empty prompt does not count: saving or loading a model adds an empty "document" beside its author's "passage".
DOCUMENT_PROMPTS = ("document", "passage", "corpus")
# The prompt that encode_query() looks for, says the same documentation.
QUERY_PROMPTS = ("query",)

_LONGEST_PROMPT = 10_000


def read_prompts(
    name: str,
    config: dict[str, Any],
    prompt: str | None,
    query_prompt: str | None,
    *,
    card: str = "",
    model_type: object = None,
) -> tuple[str, str, list[str]]:
    """Return the prompts for stored texts and for questions, and notes about them for people.

    ``prompt`` and ``query_prompt`` are those that were given, None for those of the configuration ``config``. "" means
    none on purpose. ``card`` and ``model_type`` are what a model of another name is known by.

    Raises ``PromptNeeded`` if the card of the model's family asks for a prompt, and there is none by either way.
    """
    for option, given in (("--prompt", prompt), ("--query-prompt", query_prompt)):
        _check(option, given)
    documents = configured(name, config, DOCUMENT_PROMPTS, others=QUERY_PROMPTS)
    queries = configured(name, config, QUERY_PROMPTS, others=DOCUMENT_PROMPTS)
    # An author who has configured a prompt has said more than the family's card does.
    family = family_of(name, *(("", None) if documents or queries else (card, model_type)))
    # Prompts of one's own for stored texts alone would leave questions without: the two were learned together.
    asks = family is not None and bool(family.prompt) and not documents and prompt is None
    asks_query = family is not None and bool(family.query_prompt) and not queries and query_prompt is None
    if family is not None and (asks or (asks_query and family.prompt and prompt)):
        missing = [("--prompt", prompt, family.prompt), ("--query-prompt", query_prompt, family.query_prompt)]
        options = " ".join(f"{option} {shlex.quote(of_card)}" for option, given, of_card in missing if given is None)
        raise PromptNeeded(
            f"the card of the model {name} asks for a prompt before each text, and its configuration has none: "
            f"{family.name} puts {family.prompt!r} before texts that are stored and {family.query_prompt!r} before "
            f"questions ({family.source})",
            f"add {options}, or --prompt '' to go without; vectors with and without it are of two models; {UNTOUCHED}",
        )
    notes = []
    if family is not None and asks_query and not (family.prompt and prompt == ""):
        notes.append(
            f"the card of {name} asks for a prompt before questions, which its configuration does not have: "
            f"--query-prompt {shlex.quote(family.query_prompt)} ({family.source})"
        )
    return (
        documents if prompt is None else prompt,
        queries if query_prompt is None else query_prompt,
        notes,
    )


def _check(option: str, given: str | None) -> None:
    if given is None:
        return
    check_text(option, given)
    if len(given) > _LONGEST_PROMPT:
        raise UsageError(
            f"{option} has {len(given):,} characters, and a prompt has {_LONGEST_PROMPT:,} at most",
            f"give the prompt itself, as the model's card has it; {UNTOUCHED}",
        )


def configured(name: str, config: dict[str, Any], names: tuple[str, ...], *, others: tuple[str, ...]) -> str:
    """Return the prompt of the first of ``names`` that has one, else the default prompt, unless it is for ``others``.

    The default prompt goes before every text without a prompt of its own, queries and documents alike.
    """
    prompts = config.get("prompts") or {}
    default = config.get("default_prompt_name")
    if not isinstance(prompts, dict) or not all(isinstance(text, str | None) for text in (*prompts.values(), default)):
        raise ModelUnsupported(f"the model {name} has prompts that are not strings", AGAIN)
    if default is not None and default not in prompts:
        raise ModelUnsupported(
            f"the model {name} has the default prompt {default}, which is not among its prompts: "
            f"{', '.join(prompts) or '(none)'}",
            AGAIN,
        )
    for prompt in (*names, default if default not in others else None):
        if text := prompts.get(prompt):
            return cast(str, text)
    return ""
