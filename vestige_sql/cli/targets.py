"""The targets that ``vestige.toml`` names: ``[targets.docs]`` has the options of ``vestige-sql migrate VERB docs``.

A key is an option's name, with ``_`` for ``-``. A verb takes those that it has. What the command line says goes first.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from vestige_sql.cli.verbs import MIGRATE, options_of
from vestige_sql.errors import UsageError

CONFIG = Path("vestige.toml")

# These say something about one command, not about a target.
_NOT_OF_A_TARGET = frozenset({
    "help", "json", "quiet", "verbose", "postgres_url", "embedded", "dry_run", "calibrate", "no_confirm",
    "accept_edited_files", "plain", "brief", "lock", "expect", "back", "last", "question", "sample", "report",
    "with_texts",
})  # fmt: skip

# The text is one or the other: what the command line says goes first.
_TEXTS = ("content_column", "content_expression")
_INSTEAD = dict.fromkeys(_TEXTS, _TEXTS)

_NOTHING = "nothing was written"


def named(config: Path = CONFIG) -> dict[str, dict[str, Any]]:
    """Return the targets of the file ``config``, by their names; none where there is no such file.

    Raises ``UsageError`` where the file cannot be read, or ``targets`` is not a table of tables.
    """
    from vestige_sql.database.settings import read_file

    found = read_file(config)
    targets = found.get("targets", {})
    if "targets" not in found:
        for key in found:
            if difflib.get_close_matches(key.lower(), ["targets"], cutoff=0.8):
                raise UsageError(f"{config}: unknown key {key}", f"did you mean targets? {_NOTHING}")
    if not isinstance(targets, dict) or not all(isinstance(target, dict) for target in targets.values()):
        raise UsageError(
            f"{config}: targets is not a table of tables",
            f'write [targets.NAME] and table = "..." under it; {_NOTHING}',
        )
    return targets


def every(config: Path = CONFIG) -> list[str]:
    """Return the names of all targets, in the order of the file. Raises ``UsageError`` where there is none."""
    if not (names := list(named(config))):
        raise UsageError(
            f"--all means every target of {config}, which names none here",
            f"write [targets.NAME] into {config}, as vestige-sql init does; {_NOTHING}",
        )
    return names


def arguments(name: str, verb: argparse.ArgumentParser, given: Sequence[str] = (), config: Path = CONFIG) -> list[str]:
    """Return the arguments that the target ``name`` of the file gives to ``verb``, but for those that are ``given``.

    A key that another verb has is left to that verb. Raises ``UsageError`` for a target that the file has not, for a
    key that no verb has, and for a value that its option does not take.
    """
    target, known, own = _target(name, config), _known(), dict(_options(verb._actions))
    result = []
    for key, value in target.items():
        if key not in known:
            near = difflib.get_close_matches(key.lower().replace("-", "_"), known, n=1)
            raise UsageError(
                f"{config}: unknown key {key} under [targets.{name}]",
                f"did you mean {near[0]}? {_NOTHING}"
                if near
                else f"the keys are {', '.join(sorted(known))}; {_NOTHING}",
            )
        tokens = _tokens(known[key], value, f"{config}: {key} under [targets.{name}]")
        if key in own and not any(_is_given(own[one], given) for one in _INSTEAD.get(key, (key,)) if one in own):
            result += tokens
    return result


def _is_given(action: argparse.Action, given: Sequence[str]) -> bool:
    """Whether the command line has the option, written out or shortened as argparse lets it be."""
    words = [word.partition("=")[0] for word in given if word.startswith("--") and word != "--"]
    return any(option.startswith(word) for option in action.option_strings for word in words)


def _known() -> dict[str, argparse.Action]:
    """Return every key that a target may have: the options of all verbs that work on a target."""
    known: dict[str, argparse.Action] = {}
    for verb in MIGRATE:
        found = dict(_options(options_of(verb)))
        if "table" in found:
            known |= found
    return known


def _target(name: str, config: Path) -> dict[str, Any]:
    targets = named(config)
    if name in targets:
        return targets[name]
    if not targets:
        raise UsageError(
            f"there is no target {name}: {config} names none here",
            f"name the table with --table {name}, or write [targets.{name}] into {config}, as vestige-sql init does; "
            f"{_NOTHING}",
        )
    near = difflib.get_close_matches(name, targets, n=1)
    raise UsageError(
        f"{config} has no target {name}",
        (f"did you mean {near[0]}? " if near else "") + f"its targets are {', '.join(targets)}; {_NOTHING}",
    )


def _options(actions: Iterable[argparse.Action]) -> Iterable[tuple[str, argparse.Action]]:
    """The options that a target may have, by their keys in the file."""
    for action in actions:
        key = _key(action)
        if key and key not in _NOT_OF_A_TARGET:
            yield key, action


def _key(action: argparse.Action) -> str:
    long = [option for option in action.option_strings if option.startswith("--") and not option.startswith("--no-")]
    return long[0][2:].replace("-", "_") if long else ""


def _tokens(action: argparse.Action, value: Any, where: str) -> list[str]:
    """Return ``value`` as arguments for ``action``, after checking that it takes it."""
    # An option that may be repeated may have a list.
    values = value if isinstance(value, list) and isinstance(action, argparse._AppendAction) else [value]
    return [token for one in values for token in _token(action, one, where)]


def _token(action: argparse.Action, value: Any, where: str) -> list[str]:
    from vestige_sql.database.settings import expanded

    option = action.option_strings[0]
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise UsageError(f"{where} is not true or false", f"write true or false without quotes; {_NOTHING}")
        if isinstance(action, argparse.BooleanOptionalAction):
            return [option if value else option.replace("--", "--no-", 1)]
        return [option] if value else []
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"{where} is not a string or a number", f"write {_key(action)} = ...; {_NOTHING}")
    text = expanded(value, where) if isinstance(value, str) else str(value)
    convert = action.type if callable(action.type) else str
    try:
        converted = convert(text)
    except (ValueError, TypeError, argparse.ArgumentTypeError) as error:
        raise UsageError(
            f"{where} has a value that {option} does not take: {text!r}", f"{error}; {_NOTHING}"
        ) from error
    if action.choices is not None and converted not in action.choices:
        raise UsageError(
            f"{where} has a value that {option} does not take: {text!r}",
            f"it takes {', '.join(map(str, action.choices))}; {_NOTHING}",
        )
    # In one token, so that a value may begin with a dash.
    return [f"{option}={text}"]
