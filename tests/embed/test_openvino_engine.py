"""OpenVINO gives the vectors that torch gives, without torch, and says what it cannot read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from obsidian_indexer.embed.batch import Embedder
from obsidian_indexer.embed.encoder import UnsupportedModel, read_layout
from obsidian_indexer.embed.loaded import LoadedModel
from obsidian_indexer.embed.openvino_engine import cpu_has_bfloat16
from obsidian_indexer.embed.spec import resolve_model
from obsidian_indexer.embed.workload import Workload
from obsidian_indexer.options import EmbedOptions
from tests.embed.small_models import sentences, write_model
from tests.kit import write_vault

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [
    "Notes are linked with double brackets.",
    "블록에 링크하는 방법",
    "A longer passage about coffee. " * 60,
    "x",
    "Émile déjà vu — “quoted” 🙂",
]


def loaded(model: str, tmp_path: Path, **options: object) -> Embedder:
    """A model as a run with nothing to make gets it."""
    chosen = EmbedOptions(model=model, device="cpu", **options)  # type: ignore[arg-type]
    return LoadedModel(chosen, tmp_path / "engines").get(resolve_model(chosen), None, Workload())


def vectors_of(embedder: Embedder, texts: list[str]) -> np.ndarray:
    out = np.zeros((len(texts), embedder.engine.dim), np.float32)
    for result in embedder.run(embedder.tokenizer.encode(texts)):
        assert not result.failed
        out[result.rows] = result.vectors
    return out


def test_the_bundled_model_gives_the_vectors_of_torch(tmp_path: Path) -> None:
    ours = loaded("default", tmp_path, dtype="float32")
    assert (ours.engine.name, ours.engine.dtype) == ("openvino", "float32")
    torch = loaded("default", tmp_path, engine="torch", dtype="float32")
    np.testing.assert_allclose(vectors_of(ours, TEXTS), vectors_of(torch, TEXTS), atol=2e-5)


@pytest.mark.skipif(not cpu_has_bfloat16(), reason="this processor has no bfloat16")
def test_sixteen_bit_numbers_are_the_default_and_point_the_same_way(tmp_path: Path) -> None:
    half = loaded("default", tmp_path)
    assert (half.engine.name, half.engine.dtype) == ("openvino", "bfloat16")
    exact = loaded("default", tmp_path, dtype="float32")
    assert (vectors_of(half, TEXTS) * vectors_of(exact, TEXTS)).sum(axis=1).min() > 0.999
    ids = half.tokenizer.encode(TEXTS[:1])[0]
    np.testing.assert_allclose(half.engine.forward_exact(ids), exact.engine.forward([ids])[0], atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "pooling", "dense"),
    [("bert", "cls", 0), ("bert", "max", 24), ("xlm-roberta", "mean", 0), ("roberta", "mean_sqrt_len_tokens", 0)],
)
def test_other_encoders_give_the_vectors_of_the_library(tmp_path: Path, kind: str, pooling: str, dense: int) -> None:
    from sentence_transformers import SentenceTransformer

    folder = write_model(tmp_path, kind, pooling=pooling, dense=dense)
    ours = loaded(str(folder), tmp_path, dtype="float32")
    assert ours.engine.name == "openvino"
    assert ours.engine.dim == (dense or 32)
    texts = sentences(80)  # the longest fill the window, which is no multiple of the padding's step
    expected = SentenceTransformer(str(folder), device="cpu").encode(texts, normalize_embeddings=True)
    np.testing.assert_allclose(vectors_of(ours, texts), expected, atol=1e-4)


def test_a_model_it_cannot_read_runs_on_torch(tmp_path: Path) -> None:
    folder = write_model(tmp_path, "distilbert")
    with pytest.raises(UnsupportedModel, match="distilbert"):
        read_layout(folder, prompts=False)
    assert loaded(str(folder), tmp_path, dtype="float32").engine.name == "torch"


@pytest.mark.parametrize(
    ("file", "changes", "part"),
    [
        ("config.json", {"position_embedding_type": "relative_key"}, "positions"),
        ("config.json", {"hidden_act": "silu"}, "activation"),
        ("1_Pooling/config.json", {"pooling_mode": ["mean", "max"]}, "pooling mean"),
        ("1_Pooling/config.json", {"include_prompt": False}, "prompt"),
        ("modules.json", [{"type": "x.StaticEmbedding", "path": ""}], "StaticEmbedding"),
    ],
)
def test_a_part_it_does_not_know_is_named(tmp_path: Path, file: str, changes: object, part: str) -> None:
    contents: dict[str, object] = {
        "config.json": {"model_type": "bert", "hidden_act": "gelu"},
        "1_Pooling/config.json": {"pooling_mode_mean_tokens": True},
        "modules.json": [{"type": "a.Transformer", "path": ""}, {"type": "a.Pooling", "path": "1_Pooling"}],
    }
    (tmp_path / "1_Pooling").mkdir()
    for name, content in contents.items():
        (tmp_path / name).write_text(json.dumps(content))
    assert read_layout(tmp_path, prompts=True).pooling == "mean"
    old = contents[file]
    new = {**old, **changes} if isinstance(old, dict) and isinstance(changes, dict) else changes
    (tmp_path / file).write_text(json.dumps(new))
    with pytest.raises(UnsupportedModel, match=part):
        read_layout(tmp_path, prompts=True)


def in_a_child(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_index_and_search_by_meaning_never_load_torch(tmp_path: Path) -> None:
    vault = write_vault(tmp_path / "vault", {"Garden.md": "# Garden\n\nTomatoes want sun and water.\n"})
    options = ["--vault", str(vault), "--data-dir", str(tmp_path / "data"), "--quiet"]
    found = in_a_child(
        "import sys, main\n"
        f"assert main.main([*{options!r}, 'index']) in (0, None)\n"
        f"assert main.main([*{options!r}, 'search', '--mode', 'semantic', 'growing vegetables']) in (0, None)\n"
        "print([name for name in ('torch', 'transformers', 'sentence_transformers') if name in sys.modules],"
        " 'openvino' in sys.modules)"
    )
    assert found == "[] True"


def test_nothing_reports_its_use_to_its_maker() -> None:
    found = in_a_child(
        "import sys\n"
        "from obsidian_indexer.embed.openvino_engine import openvino\n"
        "openvino()\n"
        "print('torch' in sys.modules, sys.modules['openvino_telemetry'])"
    )
    assert found == "False None"


def test_the_first_batches_of_two_lanes_never_wait_for_each_other() -> None:
    # Whatever of numpy is looked up by the first batch takes its time, so that the second one comes meanwhile.
    found = in_a_child(
        "import builtins, os, threading, time\n"
        "import numpy as np\n"
        "from obsidian_indexer.embed.openvino_engine import compile_graph, openvino\n"
        "from openvino import opset13 as op\n"
        "ids, mask = op.parameter([-1, -1], np.int32), op.parameter([-1, -1], np.int32)\n"
        "total = op.convert(op.add(ids, mask), 'f32')\n"
        "compiled = compile_graph(openvino().Model([total], [ids, mask], 'sum'), 'f32', 2, 2)\n"
        "load = builtins.__import__\n"
        "def slow(name, *args, **kwargs):\n"
        "    time.sleep(0.2 if name.startswith('numpy') else 0)\n"
        "    return load(name, *args, **kwargs)\n"
        "builtins.__import__ = slow\n"
        "out = []\n"
        "def lane():\n"
        "    request, one = compiled.create_infer_request(), np.ones((2, 8), np.int32)\n"
        "    request.infer([one, one], share_inputs=True)\n"
        "    out.append(np.array(request.get_output_tensor(0).data).sum())\n"
        "lanes = [threading.Thread(target=lane) for _ in range(2)]\n"
        "for thread in lanes: thread.start()\n"
        "for thread in lanes: thread.join()\n"
        "print(*map(int, out))"
    )
    assert found == "32 32"
