"""Model names to files and hashes: folders, refusals by name, and the hub over a loopback server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo.minilm import build_tiny

from vestige_sql.encode.graph import external_data
from vestige_sql.encode.hub import resolve_model
from vestige_sql.errors import ModelNotFound, ModelUnsupported, UsageError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "tiny"))


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def modules(*kinds: str) -> list[dict[str, str]]:
    paths = {"Transformer": "", "Pooling": "1_Pooling"}
    return [{"type": f"sentence_transformers.models.{k}", "path": paths.get(k, f"9_{k}")} for k in kinds]


# --- Folders ---


def test_folder_has_one_name_and_hash_however_it_is_written(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny.parent)
    spellings = ["tiny", "./tiny", f"{tiny}/", str(tiny), "tiny/../tiny"]
    assert {(resolve_model(s).name, resolve_model(s).hash) for s in spellings} == {
        ("tiny", resolve_model(str(tiny)).hash)
    }


def test_same_files_elsewhere_have_the_same_hash(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    other = Path(shutil.copytree(tiny, tmp_path / "deep" / "other"))
    (other / "README.md").write_text("not read")
    assert resolve_model(str(other)).name == "other"
    assert resolve_model(str(other)).hash == resolve_model(str(tiny)).hash


def test_graph_at_the_root_will_do(copy: Path, tiny: Path) -> None:
    shutil.move(copy / "onnx" / "model.onnx", copy / "model.onnx")
    assert resolve_model(str(copy)).hash == resolve_model(str(tiny)).hash


def test_older_layout_with_the_transformer_in_a_folder_of_its_own(copy: Path, tiny: Path) -> None:
    (copy / "0_Transformer").mkdir()
    for name in ("tokenizer.json", "config.json", "sentence_bert_config.json"):
        shutil.move(copy / name, copy / "0_Transformer" / name)
    layers = modules("Transformer", "Pooling", "Normalize")
    layers[0]["path"] = "0_Transformer"
    write(copy / "modules.json", layers)
    assert resolve_model(str(copy)).hash == resolve_model(str(tiny)).hash


def change_graph(folder: Path) -> None:
    graph = folder / "onnx" / "model.onnx"
    # producer_version, field 3 of ModelProto: another graph to the byte, the same to ONNX Runtime.
    graph.write_bytes(graph.read_bytes() + b"\x1a\x01x")


def change_tokenizer(folder: Path) -> None:
    with (folder / "tokenizer.json").open("a") as file:
        file.write("\n")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(change_graph, id="graph"),
        pytest.param(change_tokenizer, id="tokenizer"),
        pytest.param(lambda f: write(f / "1_Pooling" / "config.json", {"pooling_mode": "cls"}), id="pooling"),
        pytest.param(lambda f: write(f / "modules.json", modules("Transformer", "Pooling")), id="normalisation"),
        pytest.param(
            lambda f: write(f / "config_sentence_transformers.json", {"prompts": {"document": "doc: "}}),
            id="prompt",
        ),
        pytest.param(lambda f: write(f / "sentence_bert_config.json", {"max_seq_length": 63}), id="length"),
        pytest.param(
            lambda f: write(f / "sentence_bert_config.json", {"max_seq_length": 64, "do_lower_case": True}),
            id="lower case",
        ),
    ],
)
def test_whatever_changes_a_vector_changes_the_hash(copy: Path, change: Any) -> None:
    before = resolve_model(str(copy)).hash
    change(copy)
    assert resolve_model(str(copy)).hash != before


def test_external_data_is_part_of_the_hash(tmp_path: Path) -> None:
    folder = build_tiny(tmp_path / "external", external_data=True)
    assert resolve_model(str(folder)).external_data == ("model.onnx_data",)
    before = resolve_model(str(folder)).hash
    data = folder / "onnx" / "model.onnx_data"
    weights = bytearray(data.read_bytes())
    weights[100] ^= 1
    data.write_bytes(weights)
    assert resolve_model(str(folder)).hash != before


def test_external_data_is_found_wherever_onnx_allows_a_tensor(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    def tensor(location: str) -> onnx.TensorProto:
        proto = TensorProto(name=location, data_type=TensorProto.FLOAT, dims=[1])
        proto.data_location = TensorProto.EXTERNAL
        proto.external_data.add(key="offset", value="0")
        proto.external_data.add(key="location", value=location)
        return proto

    def node(location: str) -> onnx.NodeProto:
        return helper.make_node("Constant", [], [location], value=tensor(location))

    inner = helper.make_graph([node("in_branch")], "inner", [], [], [tensor("sub/branch_weights")])
    branch = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    graph = helper.make_graph([branch, node("in_attribute")], "g", [], [], [tensor("weights"), tensor("weights")])
    graph.sparse_initializer.add(values=tensor("sparse"))
    function = helper.make_function("own", "F", [], [], [node("in_function")], [])
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, functions=[function]), path)
    assert external_data(path) == (
        "in_attribute",
        "in_branch",
        "in_function",
        "sparse",
        "sub/branch_weights",
        "weights",
    )


@pytest.mark.parametrize(
    ("name", "prompts", "document", "query"),
    [
        ("document", {"prompts": {"query": "q: ", "document": "d: ", "passage": "p: "}}, "d: ", "q: "),
        ("passage", {"prompts": {"query": "q: ", "document": "", "passage": "p: "}}, "p: ", "q: "),
        ("corpus", {"prompts": {"corpus": "c: "}}, "c: ", ""),
        ("default", {"prompts": {"query": "q: ", "any": "a: "}, "default_prompt_name": "any"}, "a: ", "q: "),
        ("default for both", {"prompts": {"query": "", "any": "a: "}, "default_prompt_name": "any"}, "a: ", "a: "),
        ("query is not for documents", {"prompts": {"query": "q: "}, "default_prompt_name": "query"}, "", "q: "),
        ("passage is not for queries", {"prompts": {"passage": "p: "}, "default_prompt_name": "passage"}, "p: ", ""),
        ("none", {"prompts": {"query": "q: "}, "default_prompt_name": None}, "", "q: "),
        ("nothing said", {}, "", ""),
    ],
)
def test_prompts(copy: Path, name: str, prompts: Any, document: str, query: str) -> None:
    write(copy / "config_sentence_transformers.json", prompts)
    files = resolve_model(str(copy))
    assert (files.prompt, files.query_prompt) == (document, query), name


def test_another_prompt_for_queries_is_the_same_model(copy: Path, tiny: Path) -> None:
    write(copy / "config_sentence_transformers.json", {"prompts": {"query": "q: "}})
    assert resolve_model(str(copy)).hash == resolve_model(str(tiny)).hash


@pytest.mark.parametrize(
    ("sentence", "tokenizer", "config", "expected"),
    [
        ({"max_seq_length": 256}, {"model_max_length": 512}, {"max_position_embeddings": 512}, 256),
        ({"max_seq_length": 900}, {}, {"max_position_embeddings": 512}, 512),
        ({}, {"model_max_length": 128}, {"max_position_embeddings": 512}, 128),
        ({}, {"model_max_length": 10**30}, {"max_position_embeddings": 512}, 512),
        (
            {},
            {},
            {"model_type": "mpnet", "max_position_embeddings": 514, "pad_token_id": 1},
            512,
        ),
    ],
)
def test_truncation_length(copy: Path, sentence: Any, tokenizer: Any, config: Any, expected: int) -> None:
    write(copy / "sentence_bert_config.json", sentence)
    write(copy / "tokenizer_config.json", tokenizer)
    write(copy / "config.json", config)
    assert resolve_model(str(copy)).max_tokens == expected


OLD_MEAN = {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": False}


def test_older_pooling_configuration(copy: Path, tiny: Path) -> None:
    write(copy / "1_Pooling" / "config.json", {"word_embedding_dimension": 32, **OLD_MEAN})
    assert resolve_model(str(copy)).hash == resolve_model(str(tiny)).hash


# --- What is refused ---


@pytest.mark.parametrize("mode", ["median", "attention", "first", "sum"])
def test_other_pooling_is_refused_by_name(tmp_path: Path, mode: str) -> None:
    folder = build_tiny(tmp_path / "m", pooling=mode)
    with pytest.raises(ModelUnsupported, match=f"{mode} pooling"):
        resolve_model(str(folder))


@pytest.mark.parametrize(
    ("pooling", "said"),
    [
        ({**OLD_MEAN, "pooling_mode": ["max", "median"]}, "max and median pooling"),
        ({"pooling_mode": ["cls", 5]}, "cls and 5 pooling"),
        ({"embedding_dimension": 32}, "no pooling mode"),
        ({"pooling_mode": "mean", "include_prompt": "no"}, "include_prompt"),
    ],
)
def test_pooling_that_is_not_understood_is_refused(copy: Path, pooling: Any, said: str) -> None:
    write(copy / "1_Pooling" / "config.json", pooling)
    with pytest.raises(ModelUnsupported, match=said):
        resolve_model(str(copy))


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        (modules("Transformer", "Pooling", "CNN", "Normalize"), "sentence_transformers.models.CNN"),
        ([{"type": "custom_st.Transformer", "path": ""}], "custom_st.Transformer"),
        (modules("Transformer", "Normalize", "Pooling"), "Transformer, Normalize, Pooling"),
        (modules("Transformer"), "modules Transformer"),
        ([{"type": "sentence_transformers.models.Transformer", "path": "../other"}], "outside"),
    ],
)
def test_other_modules_are_refused_by_name(copy: Path, layers: Any, said: str) -> None:
    write(copy / "modules.json", layers)
    with pytest.raises(ModelUnsupported, match=said):
        resolve_model(str(copy))


def test_several_graphs_are_listed_and_one_can_be_picked(copy: Path) -> None:
    graph = copy / "onnx" / "model.onnx"
    shutil.copy(graph, copy / "onnx" / "model_quantized.onnx")
    graph.rename(copy / "onnx" / "model_fp16.onnx")
    with pytest.raises(ModelUnsupported, match=r"onnx/model_fp16\.onnx, onnx/model_quantized\.onnx") as refused:
        resolve_model(str(copy))
    assert "--onnx-file" in refused.value.hint
    for asked in ("onnx/model_fp16.onnx", "model_fp16.onnx"):
        assert resolve_model(str(copy), onnx_file=asked).graph.name == "model_fp16.onnx"
    with pytest.raises(ModelUnsupported, match=r"no graph model_O4.onnx: onnx/model_fp16.onnx"):
        resolve_model(str(copy), onnx_file="model_O4.onnx")


@pytest.mark.parametrize("file", ["modules.json", "tokenizer.json", "onnx/model.onnx"])
def test_a_missing_file_is_named(copy: Path, file: str) -> None:
    (copy / file).unlink()
    with pytest.raises(ModelUnsupported, match=file if file != "onnx/model.onnx" else "no ONNX graph"):
        resolve_model(str(copy))


def test_missing_external_data_is_named(tmp_path: Path) -> None:
    folder = build_tiny(tmp_path / "m", external_data=True)
    (folder / "onnx" / "model.onnx_data").unlink()
    with pytest.raises(ModelUnsupported, match=r"model\.onnx_data"):
        resolve_model(str(folder))


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\n"])
def test_what_is_not_a_graph_is_refused(copy: Path, content: bytes) -> None:
    (copy / "onnx" / "model.onnx").write_bytes(content)
    with pytest.raises(ModelUnsupported, match="ONNX graph"):
        resolve_model(str(copy))


def test_broken_json_is_named(copy: Path) -> None:
    (copy / "1_Pooling" / "config.json").write_text("{")
    with pytest.raises(ModelUnsupported, match=r"1_Pooling/config\.json is not JSON"):
        resolve_model(str(copy))


def test_no_truncation_length_is_refused(copy: Path) -> None:
    write(copy / "sentence_bert_config.json", {})
    write(copy / "config.json", {})
    with pytest.raises(ModelUnsupported, match="truncates"):
        resolve_model(str(copy))


@pytest.mark.parametrize("name", ["./no/such", "/no/such/folder", "../x", "a/b/c", "", "C:\\models\\m"])
def test_a_path_that_is_not_there_never_reaches_the_hub(name: str) -> None:
    with pytest.raises(ModelNotFound, match="folder") as missing:
        resolve_model(name)
    assert "sentence-transformers/" in missing.value.hint


def test_a_folder_has_no_revision(tiny: Path) -> None:
    with pytest.raises(UsageError, match="--revision main"):
        resolve_model(str(tiny), revision="main")


# --- The hub ---

COMMITS = {"main": "1" * 40, "v1": "2" * 40}


class Hub:
    """What huggingface_hub asks of the hub to find and download a model: info, file tree and files.

    One repository, sentence-transformers/tiny, whose revisions are folders of files.
    """

    def __init__(self, revisions: dict[str, Path]) -> None:
        self.repo = "sentence-transformers/tiny"
        self.revisions = revisions | {COMMITS[name]: folder for name, folder in revisions.items()}
        self.requests: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                status, headers, body = hub.answer(self.path.partition("?")[0])
                self.send_response(status)
                for header, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(header, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        self.requests.append(path)
        api, _, rest = path.removeprefix("/").partition(f"{self.repo}")
        if api not in ("api/models/", "") or self.repo not in path:
            return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        kind, revision, file = ([*rest.strip("/").split("/", 2), "", ""] if rest else ["revision", "main", ""])[:3]
        folder = self.revisions.get(revision)
        if folder is None:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
        commit = COMMITS.get(revision, revision)
        files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        if kind == "resolve":
            if file not in files:
                return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}, b""
            body = (folder / file).read_bytes()
            return 200, {"ETag": f'"{self.oid(body)}"', "X-Repo-Commit": commit}, body
        value: Any
        if kind == "tree":
            sizes = {f: (folder / f).read_bytes() for f in files}
            value = [{"type": "file", "path": f, "size": len(b), "oid": self.oid(b)} for f, b in sizes.items()]
        else:
            value = {"id": self.repo, "sha": commit, "siblings": [{"rfilename": f} for f in files]}
        return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()

    @staticmethod
    def oid(body: bytes) -> str:
        import hashlib

        return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    main = build_tiny(tmp_path / "main", external_data=True)
    shutil.copy(main / "onnx" / "model.onnx", main / "onnx" / "model_copy.onnx")
    (main / "model.safetensors").write_bytes(b"never downloaded")
    v1 = build_tiny(tmp_path / "v1", seed=1)
    hub = Hub({"main": main, "v1": v1})
    thread = threading.Thread(target=hub.server.serve_forever, daemon=True)
    thread.start()
    yield hub
    hub.server.shutdown()
    hub.server.server_close()
    thread.join(5)


# A process of its own: huggingface_hub reads its environment when it is imported.
RESOLVE = """
import json, sys
from vestige_sql.encoder import load_embedder
from vestige_sql.errors import VestigeError
try:
    embedder = load_embedder(sys.argv[1], **json.loads(sys.argv[2]))
    signature = embedder.signature()
    print(json.dumps({"name": signature.name, "hash": signature.hash, "rows": len(embedder.embed_batch(["a"]))}))
except VestigeError as error:
    print(json.dumps({"error": type(error).__name__, "message": str(error), "hint": error.hint}))
"""


class Machine:
    """A machine with its own hub cache, which asks ``hub``."""

    def __init__(self, hub: Hub, home: Path) -> None:
        self.hub = hub
        self.cache = home / "hub"
        self.environment = os.environ | {
            "HF_HOME": str(home),
            "HF_HUB_CACHE": str(self.cache),
            "HF_ENDPOINT": hub.endpoint,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_OFFLINE": "0",
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": str(ROOT),
        }

    def resolve(self, name: str, *, offline: bool = False, **options: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-c", RESOLVE, name, json.dumps(options)],
            env=self.environment | ({"HF_HUB_OFFLINE": "1"} if offline else {}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        value: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return value


@pytest.fixture
def machine(hub: Hub, tmp_path: Path) -> Machine:
    return Machine(hub, tmp_path / "home")


def test_download_then_the_cache_without_a_request(machine: Machine, hub: Hub) -> None:
    answer = machine.resolve("tiny")
    local = resolve_model(str(hub.revisions["main"]), onnx_file="model.onnx")
    assert answer == {"name": hub.repo, "hash": local.hash, "rows": 1}
    downloaded = {path.rpartition("/")[2] for path in hub.requests if "/resolve/" in path}
    assert "model.onnx_data" in downloaded
    assert not downloaded & {"model.safetensors", "model_copy.onnx"}

    hub.requests.clear()
    assert machine.resolve("tiny") == machine.resolve(hub.repo) == machine.resolve("tiny", offline=True) == answer
    assert hub.requests == []


def test_weights_of_modules_are_downloaded_and_no_others(machine: Machine, hub: Hub) -> None:
    """A Dense layer's beside the graph, and a table of token vectors instead of one."""
    from safetensors.numpy import save_file

    main, v1 = hub.revisions["main"], hub.revisions["v1"]
    write(main / "modules.json", modules("Transformer", "Pooling", "Dense"))
    write(main / "9_Dense" / "config.json", {"in_features": 32, "out_features": 4, "bias": False})
    weights = np.random.default_rng(0).normal(0, 1, (4, 32)).astype(np.float32)
    save_file({"linear.weight": weights}, main / "9_Dense" / "model.safetensors")
    (main / "9_Dense" / "pytorch_model.bin").write_bytes(b"the same, never downloaded")
    shutil.rmtree(v1 / "onnx")
    write(v1 / "modules.json", [{"type": "sentence_transformers.models.StaticEmbedding", "path": "."}])
    save_file({"embedding.weight": np.ones((500, 8), np.float32)}, v1 / "model.safetensors")
    for revision, kept in (("main", "9_Dense/model.safetensors"), ("v1", "model.safetensors")):
        hub.requests.clear()
        answer = machine.resolve("tiny", revision=revision)
        assert answer["hash"] == resolve_model(str(hub.revisions[revision])).hash
        files = {path.partition(f"/resolve/{COMMITS[revision]}/")[2] for path in hub.requests if "/resolve/" in path}
        assert kept in files
        assert not files & {"9_Dense/pytorch_model.bin", *(["model.safetensors"] if revision == "main" else [])}
        hub.requests.clear()
        assert machine.resolve("tiny", revision=revision, offline=True) == answer
        assert hub.requests == []
    # A download that was cut short between the two is taken up again.
    (weights_file,) = machine.cache.rglob("9_Dense/model.safetensors")
    weights_file.unlink()
    assert machine.resolve("tiny", offline=True)["error"] == "ModelNotFound"
    assert machine.resolve("tiny", revision="main")["rows"] == 1


def test_revision_pins_the_model(machine: Machine, hub: Hub) -> None:
    by_name = {name: machine.resolve("tiny", revision=name)["hash"] for name in ("main", "v1")}
    assert by_name["v1"] == resolve_model(str(hub.revisions["v1"])).hash != by_name["main"]
    hub.requests.clear()
    assert machine.resolve("tiny", revision=COMMITS["v1"], offline=True)["hash"] == by_name["v1"]
    assert hub.requests == []
    refused = machine.resolve("tiny", revision="v9")
    assert refused["error"] == "ModelNotFound"
    assert "v9" in refused["message"]


def test_a_download_cut_short_is_taken_up_again(machine: Machine) -> None:
    answer = machine.resolve("tiny")
    (data,) = machine.cache.rglob("model.onnx_data")
    data.unlink()
    assert machine.resolve("tiny", offline=True)["error"] == "ModelNotFound"
    assert machine.resolve("tiny") == answer


def test_another_graph_is_downloaded_when_asked_for(machine: Machine, hub: Hub) -> None:
    machine.resolve("tiny")
    answer = machine.resolve("tiny", onnx_file="model_copy.onnx")
    assert answer["rows"] == 1
    refused = machine.resolve("tiny", onnx_file="model_O4.onnx")
    assert refused["error"] == "ModelUnsupported"
    assert "onnx/model_copy.onnx" in refused["message"]


def test_unknown_model_says_what_was_looked_for(machine: Machine, hub: Hub) -> None:
    refused = machine.resolve("no-such-model")
    assert refused["error"] == "ModelNotFound"
    for looked in ("sentence-transformers/no-such-model", str(machine.cache), hub.endpoint, "folder"):
        assert looked in refused["message"]
    assert "onnx/model.onnx" in refused["hint"]


def test_offline_says_so(machine: Machine, hub: Hub) -> None:
    refused = machine.resolve("tiny", offline=True)
    assert refused["error"] == "ModelNotFound"
    assert "HF_HUB_OFFLINE" in refused["message"]
    assert hub.requests == []


def test_hub_that_cannot_be_reached(machine: Machine, hub: Hub) -> None:
    hub.server.shutdown()
    hub.server.server_close()
    refused = machine.resolve("tiny")
    assert refused["error"] == "ModelNotFound"
    assert hub.endpoint in refused["message"]
