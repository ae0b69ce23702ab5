"""What belongs to the project besides its code: what is built and handed out, what is declared, the pages and CI."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import make_site
import pytest
import record_demo
import yaml

from vestige_sql.resources import package_version

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PAGES = make_site.written()


# --- What is handed out ---


class Built(NamedTuple):
    """The files of both distributions, by their paths in the checkout or, for the wheel, where they are installed."""

    sdist: set[str]
    wheel: set[str]
    metadata: str


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build the sdist of this checkout, and the wheel from the sdist alone, as an installer does."""
    folder = tmp_path_factory.mktemp("dist")
    # A file that a user keeps in the checkout, beside all that belongs there.
    checkout = folder / "checkout"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(".venv*", ".vestige", "site", ".git", ".*_cache"))
    (checkout / "vestige.toml").write_text("[storage.postgres]\nurl = 'postgresql://me:secret@h/d'\n")
    _build(checkout, "sdist", folder)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder / "sdist", filter="data")
    (unpacked,) = (folder / "sdist").iterdir()
    _build(unpacked, "wheel", folder)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened_wheel:
        names = set(opened_wheel.namelist())
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        text = opened_wheel.read(metadata).decode()
    files = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    return Built(files, names, text)


def _build(checkout: Path, what: str, into: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", what, "--directory", str(into)],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_wheel_has_the_sql_and_what_belongs_to_a_package(built: Built) -> None:
    for folder in ("sql", "migrations"):
        there = {f"vestige_sql/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / folder).rglob("*.sql")}
        assert there
        assert there <= built.wheel
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "vestige_sql").rglob("*") if path.is_file()}
    assert {name for name in code if "__pycache__" not in name} <= built.wheel
    assert "vestige_sql/py.typed" in built.wheel
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in built.wheel)
    # Nothing else, such as tests, lands beside the package where it is installed.
    assert {name.partition("/")[0] for name in built.wheel if ".dist-info/" not in name} == {"vestige_sql"}


def test_the_wheel_says_what_it_is(built: Built) -> None:
    said = built.metadata.partition("\n\n")[0].splitlines()
    assert "License-Expression: MIT" in said
    assert f"Version: {package_version()}" in said
    assert "Classifier: Typing :: Typed" in said
    assert "Description-Content-Type: text/markdown" in said
    assert (ROOT / "README.md").read_text(encoding="utf-8") in built.metadata


def test_the_source_has_what_belongs_to_it_and_nothing_else(built: Built) -> None:
    for name in ("LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "README.md", "Makefile", "mkdocs.yml"):
        assert name in built.sdist
    assert "vestige.toml" not in built.sdist
    assert not [name for name in built.sdist if "__pycache__" in name]


def test_the_source_has_every_file_of_the_repository(built: Built) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout: git does not know its files")
    there = {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    assert there
    assert there - built.sdist == set(), "pyproject.toml does not name these for the sdist"


def test_an_image_is_built_from_what_the_wheel_needs(built: Built, tmp_path: Path) -> None:
    everything, *let_in = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert everything == "*"
    for name in (line[1:] for line in let_in if line.startswith("!")):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / "src" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (tmp_path / "src").mkdir(exist_ok=True)
            shutil.copy(source, tmp_path / "src" / name)
    _build(tmp_path / "src", "wheel", tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        assert set(opened.namelist()) == built.wheel


def test_containers_keep_no_secret_and_open_no_port_to_others() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert services["db"]["ports"] == ["127.0.0.1:5432:5432"]
    assert "USER vestige" in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    for name in ("Dockerfile", "compose.yaml"):
        said = (ROOT / name).read_text(encoding="utf-8").partition("\n\n")[0].partition("\nFROM")[0]
        assert "they have no Docker" in said, "nobody has run it, which it says"


# --- What is declared ---


def _imported() -> dict[str, set[str]]:
    """The packages that the code imports, at any time, with the files that do."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "vestige_sql").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            else:
                continue
            for name in names:
                found.setdefault(name.partition(".")[0], set()).add(path.name)
    return {name: files for name, files in found.items() if name not in {*sys.stdlib_module_names, "vestige_sql"}}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_package_that_is_imported_is_declared() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    requirements = [
        *PROJECT["project"]["dependencies"],
        *extras["embedded"],
        *extras["ray"],
        *extras["pipelines"],
        *extras["completion"],
        *extras["endpoint"],
        *extras["openvino"],
        *extras["report"],
        *extras["langchain"],
        *extras["llama-index"],
        *extras["testing"],
    ]
    declared = {_normal(re.split(r"[\[<>=!~; ]", requirement)[0]) for requirement in requirements}
    distributions = importlib.metadata.packages_distributions()
    imported = _imported()
    assert {"psycopg", "numpy", "filelock", "psutil"} <= imported.keys()
    for name, files in imported.items():
        # LlamaIndex is not among what the tests install. Of what is not here, the name is that of its package.
        there = distributions.get(name, ["llama-index-core"] if name == "llama_index" else [name])
        assert declared & {_normal(found) for found in there}, f"{name}, imported by {files}"


def test_every_lower_bound_is_met_here() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    for requirement in [*PROJECT["project"]["dependencies"], *extras["embedded"], *extras["ray"]]:
        name, bound = re.match(r"([\w.-]+)(?:\[\w+\])?>=([\d.]+)", requirement).groups()  # type: ignore[union-attr]
        installed = re.findall(r"\d+", importlib.metadata.version(name))
        assert [int(part) for part in installed] >= [int(part) for part in bound.split(".")], requirement


def test_the_changelog_is_about_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    released = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", heading) for heading in headings[1:]]
    assert all(released), headings
    versions = [tuple(map(int, found[1].split("."))) for found in released if found]
    assert versions == sorted(versions, reverse=True)
    # What is not released yet is to be a version of its own.
    here = tuple(map(int, package_version().split(".")))
    unreleased = re.split(r"^## .*$", text, flags=re.MULTILINE)[1].strip()
    assert here > versions[0] if unreleased else here == versions[0]
    kinds = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


# --- CI and the linters ---


def _workflow() -> Any:
    # YAML 1.1 takes the key "on" for a boolean.
    return yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))


def test_ci_runs_on_the_pythons_that_are_promised() -> None:
    (job,) = _workflow()["jobs"].values()
    pythons = job["strategy"]["matrix"]["python"]
    assert all(isinstance(version, str) for version in pythons), "3.10 without quotes is 3.1"
    classifiers = PROJECT["project"]["classifiers"]
    assert pythons == [found[1] for name in classifiers if (found := re.fullmatch(r".*Python :: (3\.\d+)", name))]
    readme, policy, makefile = ((ROOT / name).read_text() for name in ("README.md", "docs/versions.md", "Makefile"))
    assert f"Python {', '.join(pythons[:-1])} and {pythons[-1]}" in readme
    assert f"| Python | {', '.join(pythons)} |" in policy
    assert re.search(r"^PYTHONS \?= (.*)$", makefile, re.MULTILINE)[1] == " ".join(  # type: ignore[index]
        f"python{version}" for version in pythons
    )
    assert PROJECT["project"]["requires-python"] == f">={pythons[0]}"


def test_ci_runs_what_anybody_can_run() -> None:
    workflow = _workflow()
    (job,) = workflow["jobs"].values()
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert commands == ["bash .ci/run"]
    (step,) = (step for step in job["steps"] if "run" in step)
    assert step["env"] == {"PYTHON": "python${{ matrix.python }}"}
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets" not in (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")


def test_a_release_publishes_what_was_checked_and_keeps_no_token() -> None:
    path = ROOT / ".github/workflows/release.yml"
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow[True] == {"push": {"tags": ["v*"]}}
    assert workflow["permissions"] == {"contents": "read"}
    build, publish = workflow["jobs"]["build"], workflow["jobs"]["publish"]
    commands = [step["run"] for step in build["steps"] if "run" in step]
    assert commands.index("bash .ci/dist dist") < commands.index("python -m twine check --strict dist/*")
    assert "secrets" not in path.read_text(encoding="utf-8")
    # Only the job that runs nothing of ours may publish.
    assert (publish["needs"], publish["permissions"]) == ("build", {"id-token": "write"})
    assert "permissions" not in build
    assert not any("run" in step for step in publish["steps"])
    # The first command that runs stops a tag that is not the version.
    environment = {**os.environ, "GITHUB_REF_NAME": f"v{package_version()}"}
    for tag, code in ((f"v{package_version()}", 0), ("v9.9.9", 1)):
        done = subprocess.run(
            ["bash", "-c", commands[0].replace("python", sys.executable, 1)],
            cwd=ROOT,
            env=environment | {"GITHUB_REF_NAME": tag},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr


def test_ci_installs_what_it_builds() -> None:
    assert ".ci/dist" in (ROOT / ".ci/run").read_text(encoding="utf-8")
    script = (ROOT / ".ci/dist").read_text(encoding="utf-8")
    assert script.index("--target sdist") < script.index("pip wheel") < script.index("pip install")


def test_the_hooks_are_the_linters_of_make_and_fetch_nothing() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (repository,) = hooks["repos"]
    assert repository["repo"] == "local"
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert lint
    tools = [
        line.strip().removeprefix("$(BIN)/").replace(" --check", "").removesuffix(" .") for line in lint[1].splitlines()
    ]
    entries = [hook["entry"].removeprefix(".venv/bin/").replace(" --force-exclude", "") for hook in repository["hooks"]]
    assert tools == entries


def test_ci_builds_the_site_so_that_a_warning_stops_it() -> None:
    assert re.search(r"^make site ", (ROOT / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE)
    recipe = re.search(r"^site:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert recipe and "mkdocs build --strict" in recipe[1]
    assert "--quiet" not in recipe[1] and " -q" not in recipe[1], "mkdocs counts no warning then"
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert set(site["validation"]["links"].values()) | set(site["validation"]["nav"].values()) == {"warn"}
    assert site["theme"]["font"] is False


# --- The command line ---


def test_python_m_is_the_command_line(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "vestige_sql", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert run("--version").stdout.split()[-1] == package_version()
    assert "usage: vestige-sql " in run("--help").stdout
    wrong = run("migrate", "nothing")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "usage: vestige-sql " in wrong.stderr


# --- The pages ---


@pytest.mark.parametrize("page", PAGES)
def test_a_page_links_to_what_is_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)[^)]*\)", text)
    for link in links:
        assert (ROOT / page).parent.joinpath(link).exists(), f"{page} links to {link}"


def test_every_page_is_in_the_menu_once() -> None:
    def pages(entry: Any) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        below = entry.values() if isinstance(entry, dict) else entry
        return [page for part in below for page in pages(part)]

    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    menu = pages(site["nav"])
    assert sorted(menu) == sorted({make_site.page_of(path) for path in (*PAGES, "LICENSE")})


@pytest.mark.parametrize(
    ("source", "link", "there"),
    [
        ("README.md", "docs/online.md", "online.md"),
        ("README.md", "sql/README.md", "sql/index.md"),
        ("docs/runbook.md", "../README.md#on-your-own-database", "index.md#on-your-own-database"),
        ("docs/steps.md", "../sql", "sql/index.md"),
        ("docs/steps.md", "../sql/README.md", "sql/index.md"),
        ("sql/README.md", "../docs/steps.md", "../steps.md"),
        ("sql/README.md", "../migrations/reembed", "../migrations/reembed/index.md"),
        ("docs/pipelines.md", "../examples/pipelines/flyway/print.sh", "examples/pipelines/flyway/print.sh.md"),
        ("CONTRIBUTING.md", "LICENSE", "license.md"),
        ("README.md", "docs/pictures/demo.svg", "pictures/demo.svg"),
        # Those stay as they are: an anchor of the page, other sites, and what is not there or lies outside.
        ("README.md", "#develop", "#develop"),
        ("README.md", "https://docs.example.com/sql/README.md", "https://docs.example.com/sql/README.md"),
        ("README.md", "docs/nowhere.md", "docs/nowhere.md"),
        ("README.md", "../README.md", "../README.md"),
    ],
)
def test_a_link_is_on_the_site_what_it_is_in_the_repository(source: str, link: str, there: str) -> None:
    assert make_site.relinked(f"See [the page]({link}), too.", source) == f"See [the page]({there}), too."


def test_the_pictures_are_small_and_ask_nobody_for_anything() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", readme)
    assert shown == ["docs/pictures/demo.svg", "docs/pictures/report.png"]
    assert {f"docs/pictures/{path.name}" for path in (ROOT / "docs/pictures").iterdir()} == set(shown)
    for path in shown:
        assert (ROOT / path).stat().st_size < 300_000
    recording = ET.fromstring((ROOT / shown[0]).read_text(encoding="utf-8"))
    said = "".join(recording.itertext())
    assert re.search(r"url\((?!#)|@import|postgresql://|/home/|/tmp/|/root/", said) is None
    assert not [name for node in recording.iter() for name in node.attrib if "href" in name]
    assert said.index("Before: ") < said.index("migrate judge") < said.index("migrate reembed") < said.index("After: ")


def test_a_recording_shows_what_was_printed_and_nothing_of_this_machine() -> None:
    code = "import os; print('a <b> & c'); print(f\"x --postgres-url 'postgresql://me:x@h/d' {os.getcwd()}/y\")"
    lines, left = record_demo.record([sys.executable, "-c", code])
    assert left == 0
    cleaned = record_demo.cleaned([*lines, (1.0, "z" * 250)])
    assert [said for _, said in cleaned] == ["a <b> & c", "x y", "z" * 100, "z" * 100, "z" * 50]
    svg = ET.fromstring(record_demo.as_svg(cleaned * 20, "make <it>"))
    texts = [node.text for node in svg.iter() if node.tag.endswith("text")]
    assert texts == ["$ make <it>", *[said for _, said in cleaned * 20]]


def test_every_linked_file_has_a_page_that_shows_it() -> None:
    linked = make_site.linked()
    steps = {path.relative_to(ROOT).as_posix() for path in (ROOT / "sql").rglob("*.sql")}
    assert steps <= linked
    (step,) = (path for path in steps if path.endswith("rewrite/20_rewrite_column.sql"))
    text = (ROOT / step).read_text(encoding="utf-8").rstrip()
    assert f"\n```sql\n{text}\n```\n" in make_site.shown(step)
    assert make_site.shown("docs/runbook.md").count("\n````") == 2, "backquotes in the file do not end its block"
    listing = make_site.listed(str(Path(step).parent))
    assert f"- [`{Path(step).name}`]({Path(step).name}.md): {text.splitlines()[0].removeprefix('-- ')}" in listing


def test_the_reference_has_every_public_name() -> None:
    entries = re.findall(r"^::: (\S+)$", (ROOT / "docs/api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(make_site.public_names()) <= set(entries)
    assert len(entries) == len(set(entries))
    for entry in entries:
        module, _, name = entry.rpartition(".")
        assert getattr(importlib.import_module(module), name).__doc__ or name.isupper(), f"{entry} has no docstring"
