"""Encoders of the user's own, by the name of a factory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vestige_sql.encode.own import load_own
from vestige_sql.encode.window import embed_queries, encode_window
from vestige_sql.errors import EncoderError, ModelNotFound, ModelUnsupported, UsageError, VestigeError

MODULE = """
from vestige_sql import ModelSignature
import numpy as np

class Mine:
    model_name, dimension = "mine", 2
    def __init__(self, threads=None): self.threads = threads
    def signature(self): return ModelSignature("mine", 2, "0" * 64)
    def embed_batch(self, texts):
        if "bad" in texts: raise RuntimeError("no such luck")
        return np.array([[len(text), 1] for text in texts], np.float32)

class Asking(Mine):
    def embed_queries(self, texts):
        if "bad" in texts: raise RuntimeError("no question")
        return np.array([[1, len(text)] for text in texts], np.float32)

class Inner:
    @staticmethod
    def make(): return Mine()

class Unsigned(Mine):
    def signature(self): return "mine"

class Signing(Mine):
    def signature(self): raise OSError("no key to sign with")

def broken(): raise OSError("no weights")
def nothing(): return None
def wants(weights): return Mine()
number = 3
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "my_encoders").mkdir()
    (tmp_path / "my_encoders" / "__init__.py").write_text("")
    (tmp_path / "my_encoders" / "mine.py").write_text(MODULE)
    (tmp_path / "my_encoders" / "lacking.py").write_text("import no_such_package")
    (tmp_path / "my_encoders" / "failing.py").write_text("1 / 0")
    for name in [name for name in sys.modules if name.startswith("my_encoders")]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


@pytest.mark.parametrize("factory", ["Mine", "Asking", "Inner.make"])
def test_a_factory_makes_an_embedder(factory: str) -> None:
    embedder = load_own(f"my_encoders.mine:{factory}")
    assert (embedder.model_name, embedder.dimension, embedder.signature().hash) == ("mine", 2, "0" * 64)
    assert encode_window(embedder, ["a", "bcd", "a"], 2).tolist() == [[1, 1], [3, 1], [1, 1]]
    assert embed_queries(embedder, ["abcd"]).tolist() == ([[1, 4]] if factory == "Asking" else [[4, 1]])
    assert not hasattr(embedder, "device")


def test_it_may_be_told_how_many_cores_to_use() -> None:
    assert load_own("my_encoders.mine:Mine", threads=3).threads == 3  # type: ignore[attr-defined]
    assert load_own("my_encoders.mine:Inner.make", threads=3).threads is None  # type: ignore[attr-defined]


def test_the_folder_of_the_command_comes_last(here: Path) -> None:
    (here / "json.py").write_text("1 / 0")
    load_own("my_encoders.mine:Mine")
    assert sys.path[-1] == str(here)


@pytest.mark.parametrize(
    ("place", "kind", "said"),
    [
        ("my_encoders.mine", UsageError, "does not name a factory"),
        ("my_encoders.mine:", UsageError, "does not name a factory"),
        (":Mine", UsageError, "does not name a factory"),
        ("my encoders:Mine", UsageError, "does not name a factory"),
        ("../mine:Mine", UsageError, "does not name a factory"),
        ("my_encoders.mine:Mine()", UsageError, "does not name a factory"),
        ("no_such_module:Mine", ModelNotFound, "no module no_such_module"),
        ("my_encoders.no:Mine", ModelNotFound, "no module my_encoders.no"),
        ("my_encoders.mine:Yours", ModelNotFound, "has no Yours"),
        ("my_encoders.mine:Inner.no", ModelNotFound, "has no Inner.no"),
        ("my_encoders.lacking:Mine", ModelUnsupported, "cannot be imported: No module named 'no_such_package'"),
        ("my_encoders.failing:Mine", ModelUnsupported, "fails when it is imported: ZeroDivisionError"),
        ("my_encoders.mine:number", ModelUnsupported, "no function or class, but of type int"),
        ("my_encoders.mine:broken", ModelUnsupported, "made no embedder: OSError: no weights"),
        ("my_encoders.mine:wants", ModelUnsupported, "made no embedder: TypeError"),
        ("my_encoders.mine:nothing", ModelUnsupported, "has no model_name, dimension, signature, embed_batch"),
        ("my_encoders.mine:Unsigned", ModelUnsupported, "of type str as its signature"),
        ("my_encoders.mine:Signing", ModelUnsupported, "fails to give its signature: OSError: no key"),
    ],
)
def test_what_is_no_factory_is_said(place: str, kind: type[VestigeError], said: str) -> None:
    with pytest.raises(kind) as refused:
        load_own(place)
    assert said in str(refused.value)
    assert refused.value.hint.endswith("nothing was written")


def test_whatever_it_raises_says_what_failed() -> None:
    embedder: Any = load_own("my_encoders.mine:Asking")
    with pytest.raises(EncoderError, match="mine failed on a call of 2 texts: RuntimeError: no such luck") as failed:
        embedder.embed_batch(["good", "bad"])
    assert "the same command resumes" in failed.value.hint
    with pytest.raises(EncoderError, match="RuntimeError: no question"):
        embed_queries(embedder, ["bad"])
    assert np.array_equal(embedder.embed_batch(["ab"]), [[2, 1]])
