"""Reads a model's configuration: JSON files, whole numbers, flags. What is not as it has to be is an error."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from vestige_sql.encode.graph import AGAIN, UNTOUCHED
from vestige_sql.errors import ModelUnsupported

NO_LIMIT = 10**9
"""From here on a number of tokens is no limit: transformers writes 1e30 for a tokenizer without one."""

ANOTHER = (
    "use a model without it, since the vectors would differ from the author's, or encode with the author's own code: "
    f"--embedder package.module:factory; {UNTOUCHED}"
)


def whole(name: str, config: dict[str, Any], key: str) -> int | None:
    """Return the whole number that a configuration gives for ``key``, or None."""
    value = config.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0:
        raise ModelUnsupported(f"the model {name} has {value!r} as its {key}, which is not a whole number", AGAIN)
    return int(value)


def flag(name: str, config: dict[str, Any], key: str) -> bool | None:
    """Return the true or false that a configuration gives for ``key``, or None."""
    value = config.get(key)
    if value is not None and not isinstance(value, bool):
        raise ModelUnsupported(f"the model {name} has {value!r} as its {key}, which is neither true nor false", AGAIN)
    return value


def read_json(path: Path, kind: type = dict) -> Any:
    """Return the content of a JSON file of the model, or an empty ``kind`` if there is no such file."""
    if not path.is_file():
        # An interrupted download leaves a link to nowhere. Treating that as "no file" could lose a prompt.
        if os.path.lexists(path):
            raise ModelUnsupported(f"{path} is not a file", AGAIN)
        return kind()
    try:
        value = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelUnsupported(f"{path} is not JSON: {error}", AGAIN) from error
    except OSError as error:
        raise ModelUnsupported(f"{path} cannot be read: {error}", AGAIN) from error
    if not isinstance(value, kind):
        raise ModelUnsupported(f"{path} does not contain a JSON {'array' if kind is list else 'object'}", AGAIN)
    return value
