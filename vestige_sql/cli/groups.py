"""The order of a command's help: groups of options, those of every day first."""

from __future__ import annotations

import argparse
from typing import TypeVar

_Value = TypeVar("_Value", int, str)
_MORE = "of the verb itself"

GROUPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "options": ("", ()),
    "target": (
        "The database, the table and its columns. A target of vestige.toml, named right after the verb, stands for "
        "these and for all other options. Most verbs take several.",
        (
            "--all",
            "--postgres-url",
            "--embedded",
            "--table",
            "--id-column",
            "--content-column",
            "--content-expression",
            "--embedding-column",
        ),
    ),
    "model": (
        "What makes the vectors.",
        (
            "--model",
            "--endpoint",
            "--embedder",
            "--old-model",
            "--old-endpoint",
            "--old-embedder",
            "--dimension",
            "--prompt",
            "--query-prompt",
            "--max-tokens",
            "--revision",
            "--device",
        ),
    ),
    _MORE: ("", ()),
    "placing": (
        "How the vectors get into the table.",
        (
            "--apply",
            "--keep-old",
            "--concurrent-index",
            "--drop-hnsw-first",
            "--require-verdict",
            "--no-confirm",
        ),
    ),
    "online": ("Change the model while search goes on.", ("--online", "--min-recall", "--max-lag", "--pause")),
    "endpoint": ("For a model behind --endpoint.", ()),
    "many machines": ("Encode on a Ray cluster.", ("--engine", "--address", "--workers")),
    "expert": (
        "What is right as it is for nearly everybody.",
        (
            "--batch-size",
            "--lock-timeout",
            "--index-memory",
            "--recall-sample",
            "--fire-triggers",
            "--accept-edited-files",
            "--onnx-file",
            "--graph-repo",
            "--layer-norm-first",
        ),
    ),
}
"""The groups in their order, each with what it says and with its first options in their order.

A group of a verb's own stands between those of every day and the others.
"""


def of_verb(parser: argparse.ArgumentParser) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return the groups of a verb. Without --online, its --min-recall and the like are options of its own."""
    own = {option for action in parser._actions for option in action.option_strings}
    return {title: group for title, group in GROUPS.items() if title != "online" or "--online" in own}


def arrange(parser: argparse.ArgumentParser) -> None:
    """Put the options of ``parser`` into the groups, whatever group each was added to.

    Those that no group names stay in their own.
    """
    home = {option: title for title, (_, listed) in of_verb(parser).items() for option in listed}
    place = {option: number for _, listed in GROUPS.values() for number, option in enumerate(listed)}
    found: dict[str, list[argparse.Action]] = {}
    said: dict[str, str | None] = {}
    for group in parser._action_groups:
        title = group.title or ""
        said[title] = said.get(title) or group.description
        for action in group._group_actions:
            found.setdefault(_first(action, home) or title, []).append(action)
    parser._action_groups.clear()
    titles = list(GROUPS)
    middle = titles.index(_MORE)
    others = [title for title in found if title not in GROUPS]
    positionals = [title for title in others if any(not action.option_strings for action in found[title])]
    rest = [title for title in others if title not in positionals]
    for title in [*positionals, *titles[:middle], *rest, *titles[middle + 1 :]]:
        if title in found:
            group = parser.add_argument_group(title, (GROUPS[title][0] if title in GROUPS else said[title]) or None)
            known = [action for action in found[title] if _first(action, place) is not None]
            known.sort(key=lambda action: _first(action, place) or 0)
            group._group_actions += known + [action for action in found[title] if action not in known]


def _first(action: argparse.Action, known: dict[str, _Value]) -> _Value | None:
    return next((known[option] for option in action.option_strings if option in known), None)


def usage(parser: argparse.ArgumentParser) -> str:
    """Return the usage in one line: what is required, and that there are options."""
    words = ["%(prog)s"]
    if any(action.dest == "table" for action in parser._actions):
        words.append("[TARGET]")
    for action in parser._actions:
        if action.required and action.option_strings:
            words += [action.option_strings[-1], str(action.metavar or action.dest.upper())]
    words.append("[OPTIONS]")
    for action in parser._actions:
        if not action.option_strings:
            words.append(f"[{action.dest}]" if action.nargs == "?" else action.dest)
    return " ".join(words)
