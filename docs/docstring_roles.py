"""The docstrings' roles, such as :func:`run_reembed`, as Markdown for the site."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):`~?(?P<name>[\w.]+)`")


class Roles(Extension):
    """Shows what a role names as code, by its last name."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Change the docstring of ``obj`` in place."""
        if obj.docstring is not None:
            obj.docstring.value = plain(obj.docstring.value)


def plain(text: str) -> str:
    """Return ``text`` with each role as the code that it names."""
    return _ROLE.sub(lambda role: f"`{role['name'].rpartition('.')[2]}`", text)
