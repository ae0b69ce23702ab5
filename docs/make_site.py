"""What mkdocs cannot do by itself to make the site of ``make site``: it calls these functions while it builds.

A page under docs/ may link to any file or folder of the repository, as it does where the repository is browsed. On the
site a linked file is a page too, with its text, and a linked folder one that lists all files under it.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent

OUTSIDE = {
    "README.md": "index.md",
    "sql/README.md": "sql/index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "LICENSE": "license.md",
}
"""Pages of the site that lie outside docs/, by their path in the repository."""

LANGUAGES = {".sql": "sql", ".psql": "sql", ".py": "python", ".sh": "bash", ".toml": "toml", ".ini": "ini"}

PICTURES = (".png", ".svg")
"""What pages show, and mkdocs copies as it is."""

_LINK = re.compile(r"(?<=\]\()(?P<path>[^)\s#]+)(?P<anchor>#[^)\s]*)?(?=\))")


# --- What mkdocs calls ---


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Name the anchors of headings as they are named where the repository is browsed: the links count on it."""
    from pymdownx.slugs import slugify

    config.mdx_configs.setdefault("toc", {})["slugify"] = slugify(case="lower")
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside docs/, and those of all that the pages link to."""
    from mkdocs.structure.files import File, InclusionLevel

    for path, page in OUTSIDE.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text if path.endswith(".md") else shown(path, "Licence")))
    for path in sorted(linked()):
        content = listed(path) if (ROOT / path).is_dir() else shown(path)
        files.append(File.generated(config, page_of(path), content=content, inclusion=InclusionLevel.NOT_IN_NAV))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the page's text with its links as they are on the site."""
    sources = {page_of(path): path for path in written()}
    source = sources.get(page.file.src_uri)
    return markdown if source is None else relinked(markdown, source)


def on_post_build(config: MkDocsConfig) -> None:
    """Stop the build where docs/api.md leaves out a public name, or shows a docstring's markup."""
    from mkdocs.exceptions import PluginError

    reference = Path(config.site_dir, "api.html").read_text(encoding="utf-8")
    if missing := [name for name in public_names() if f'id="{name}"' not in reference]:
        raise PluginError(f"docs/api.md has no entry for {', '.join(missing)}: add a line ::: NAME")
    if role := re.search(r":\w+:(`|<code>)[^<`]*", reference):
        raise PluginError(f"docs/docstring_roles.py leaves in the reference: {role[0]}")


# --- The pages ---


def written() -> list[str]:
    """Return the pages that people write, by their paths in the repository."""
    return [
        *(path for path in OUTSIDE if path.endswith(".md")),
        *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
    ]


def page_of(path: str) -> str:
    """Return what the page of this file or folder of the repository is called in mkdocs."""
    if path in OUTSIDE:
        return OUTSIDE[path]
    if f"{path}/README.md" in OUTSIDE:
        return OUTSIDE[f"{path}/README.md"]
    if path.startswith("docs/") and path.endswith((".md", *PICTURES)):
        return path.removeprefix("docs/")
    return f"{path}/index.md" if (ROOT / path).is_dir() else f"{path}.md"


def linked() -> set[str]:
    """Return what the written pages link to besides each other, folders with all that is under them."""
    found: set[str] = set()
    for source in written():
        for link in _LINK.finditer((ROOT / source).read_text(encoding="utf-8")):
            if (path := _target(source, link["path"])) is not None:
                found |= {path, *(_under(path) if (ROOT / path).is_dir() else ())}
    pages = {page_of(path) for path in (*OUTSIDE, *written())}
    return {path for path in found if page_of(path) not in pages and not path.endswith(PICTURES)}


def relinked(markdown: str, source: str) -> str:
    """Return the text of the page ``source`` with links to the site's pages, where they were to the repository's files.

    A link to what is not there stays as it is, and the strict build stops at it.
    """
    here = posixpath.dirname(page_of(source))

    def link(match: re.Match[str]) -> str:
        path = _target(source, match["path"])
        if path is None:
            return match[0]
        return posixpath.relpath(page_of(path), here or ".") + (match["anchor"] or "")

    return _LINK.sub(link, markdown)


def shown(path: str, title: str | None = None) -> str:
    """Return the page that shows the file ``path``."""
    text = (ROOT / path).read_text(encoding="utf-8")
    # No longer run of backquotes is in it.
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text) or [""]))
    language = LANGUAGES.get(PurePosixPath(path).suffix, "text")
    return f"# {title or f'`{PurePosixPath(path).name}`'}\n\n`{path}`\n\n{fence}{language}\n{text.rstrip()}\n{fence}\n"


def listed(path: str) -> str:
    """Return the page that lists the files under the folder ``path``, each SQL file with what it says that it does."""
    rows = (f"- [`{name}`]({name}.md){_about(f'{path}/{name}')}" for name in _names(path))
    return f"# `{path}`\n\n" + "\n".join(rows) + "\n"


def public_names() -> list[str]:
    """Return the public names of ``vestige_sql``, and every error, with their modules."""
    import vestige_sql
    from vestige_sql import errors

    raised = [
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.VestigeError)
    ]
    return [
        *(f"vestige_sql.{name}" for name in vestige_sql.__all__ if name not in raised),
        *(f"vestige_sql.errors.{name}" for name in raised),
    ]


def _target(source: str, link: str) -> str | None:
    """Return the path in the repository that a link of ``source`` leads to, None for other links."""
    if re.match(r"[a-z][a-z0-9+.-]*:|/", link):
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), unquote(link)))
    return path if not path.startswith("..") and (ROOT / path).exists() else None


def _under(folder: str) -> Iterable[str]:
    return (f"{folder}/{name}" for name in _names(folder))


def _names(folder: str) -> list[str]:
    """Return the text files under ``folder``, without those that Python or a tool has left there."""
    found = []
    for place, folders, names in os.walk(ROOT / folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
        for name in names:
            path = Path(place, name)
            if path.suffix in LANGUAGES or path.suffix in (".md", ".mako", ".txt"):
                found.append(path.relative_to(ROOT / folder).as_posix())
    return sorted(found)


def _about(path: str) -> str:
    if not path.endswith(".sql"):
        return ""
    sentence: list[str] = []
    for line in (ROOT / path).read_text(encoding="utf-8").splitlines():
        if not line.startswith("-- ") or re.match(r"-- (squawk-|[\w-]+: )", line):
            break
        sentence.append(line.removeprefix("-- "))
    # What Markdown would read as its own is not meant so.
    return ": " + re.sub(r"([\\`*_<\[])", r"\\\1", " ".join(sentence)) if sentence else ""
