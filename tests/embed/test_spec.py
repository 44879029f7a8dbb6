"""Which model: found on this machine, described without loading it, refused when it is not safe."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from obsidian_indexer.embed.prompts import prompts_of
from obsidian_indexer.embed.spec import ModelSpec, resolve_model
from obsidian_indexer.errors import ModelError
from obsidian_indexer.options import EmbedOptions


@pytest.fixture(scope="module")
def bundled() -> ModelSpec:
    return resolve_model(EmbedOptions())


@pytest.fixture
def folder(tmp_path: Path, bundled: ModelSpec) -> Path:
    assert bundled.folder is not None
    copy = tmp_path / "my-model"
    shutil.copytree(bundled.folder, copy)
    return copy


def test_the_default_is_the_bundled_model(bundled: ModelSpec) -> None:
    assert bundled.name == "MiniLM-L6-ko-en"
    assert bundled.max_tokens == 256
    assert (bundled.query_prompt, bundled.document_prompt) == ("", "")


@pytest.mark.parametrize(("kind", "usable"), [("camembert", 512), ("bert", 514)])
def test_a_window_is_no_longer_than_the_places_that_can_be_counted(folder: Path, kind: str, usable: int) -> None:
    for name, changes in {
        "config.json": {"model_type": kind, "max_position_embeddings": 514},
        "sentence_bert_config.json": {"max_seq_length": 514},
    }.items():
        (folder / name).write_text(json.dumps({**json.loads((folder / name).read_text()), **changes}))
    assert resolve_model(EmbedOptions(model=str(folder))).max_tokens == usable


def test_a_copy_elsewhere_gives_the_same_revision_and_other_weights_another(folder: Path, bundled: ModelSpec) -> None:
    copy = resolve_model(EmbedOptions(model=str(folder)))
    assert copy.revision == bundled.revision
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-10] ^= 1
    weights.write_bytes(data)
    assert resolve_model(EmbedOptions(model=str(folder))).revision != bundled.revision


def test_the_fingerprint_tells_number_formats_and_prompts_apart(bundled: ModelSpec) -> None:
    names = {
        bundled.fingerprint("float32"),
        bundled.fingerprint("bfloat16"),
        replace(bundled, query_prompt="query: ").fingerprint("float32"),
        replace(bundled, max_tokens=128).fingerprint("float32"),
    }
    assert len(names) == 4
    moved = replace(bundled, folder=Path("/elsewhere"))
    assert moved.fingerprint("float32") == bundled.fingerprint("float32")


def test_weights_that_are_pickled_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="no safetensors"):
        resolve_model(EmbedOptions(model=str(folder)))


def test_code_in_a_model_folder_is_refused_unless_trusted(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["auto_map"] = {"AutoModel": "evil.Model"}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(ModelError, match="trust_remote_code"):
        resolve_model(EmbedOptions(model=str(folder)))
    assert resolve_model(EmbedOptions(model=str(folder), trust_remote_code=True)).name == "my-model"


@pytest.mark.parametrize("name", ["nobody/no-such-model", "no-such-model"])
def test_a_model_that_is_not_here_is_not_fetched(name: str) -> None:
    with pytest.raises(ModelError, match="--allow-download"):
        resolve_model(EmbedOptions(model=name))


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/folder", "fake:x", "fake:1", "a b/c d?"])
def test_a_bad_name_says_what_is_wrong(name: str) -> None:
    with pytest.raises(ModelError):
        resolve_model(EmbedOptions(model=name))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no sentence-transformers model"):
        resolve_model(EmbedOptions(model=str(tmp_path)))


@pytest.mark.parametrize(
    ("name", "config", "expected"),
    [
        ("intfloat/multilingual-e5-small", {}, ("query: ", "passage: ")),
        ("nomic-ai/nomic-embed-text-v1.5", {}, ("search_query: ", "search_document: ")),
        ("Snowflake/snowflake-arctic-embed-l-v2.0", {}, ("query: ", "")),
        ("BAAI/bge-m3", {}, ("", "")),
        ("any", {"prompts": {"query": "q> ", "passage": "p> "}}, ("q> ", "p> ")),
        ("intfloat/e5-small", {"prompts": {"query": "", "document": ""}}, ("query: ", "passage: ")),
    ],
)
def test_prompts_come_from_the_model_or_the_list(
    name: str, config: dict[str, object], expected: tuple[str, str]
) -> None:
    assert prompts_of(name, config) == expected


def test_prompts_can_be_set_by_hand() -> None:
    spec = resolve_model(EmbedOptions(query_prompt="ask: ", document_prompt=""))
    assert (spec.query_prompt, spec.document_prompt) == ("ask: ", "")
