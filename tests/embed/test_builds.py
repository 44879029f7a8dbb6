"""Engines that are made: checked on the vault's own texts, kept whole, made again when damaged, never in the way."""

from __future__ import annotations

import json
import shutil
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from obsidian_indexer.embed import build as build_module
from obsidian_indexer.embed import make_build
from obsidian_indexer.embed.batch import Embedder
from obsidian_indexer.embed.build import Build, BuildKind, BuildRefused, Builds, Job, Limits, Outcome
from obsidian_indexer.embed.engines import choose, int8_pays_tokens, load_engine, settle
from obsidian_indexer.embed.openvino_engine import cpu_has_bfloat16
from obsidian_indexer.embed.spec import ModelSpec, resolve_model
from obsidian_indexer.embed.tokens import load_tokenizer
from obsidian_indexer.embed.workload import Workload
from obsidian_indexer.engine import Engine
from obsidian_indexer.errors import Cancelled, ModelError
from obsidian_indexer.events import CancelToken, Event, NoticeEvent, Progress, Stage
from obsidian_indexer.options import EmbedOptions
from tests.embed.small_models import sentences, write_model
from tests.kit import open_engine, wait_until, write_vault

CPU = EmbedOptions(device="cpu")
FLOAT_DTYPE = "bfloat16" if cpu_has_bfloat16() else "float32"
ENGINES = {"openvino": {"model.xml", "model.bin"}, "onnxruntime": {"model.onnx"}}
AT_ANY_SPEED = Limits(times_float32=0)
AT_ANY_COST = Limits(mean_cosine=0, worst_cosine=-1, neighbours=0, times_float32=0)
Made = tuple[Builds, Build]
SUBJECTS = ["The garden", "A daily note", "Every heading", "This link", "The old library", "Her bicycle", "A meeting"]
VERBS = ["was moved to", "reminds me of", "explains", "needs", "comes before", "was written in", "belongs to"]
OBJECTS = ["the kitchen shelf", "next week's plan", "the weather in Busan", "a good cup of coffee", "compiler theory"]


def prose(count: int) -> list[str]:
    """Passages of one to nine plain sentences, shortest first."""
    every = [f"{s} {v} {o}." for s in SUBJECTS for v in VERBS for o in OBJECTS]
    passages = [" ".join(every[(i * 11 + j * 29) % len(every)] for j in range(1 + i % 9)) for i in range(count)]
    return sorted(passages, key=len)


def texts_from(source: Callable[[int], list[str]], events: list[Event] | None = None, **fields: int) -> Workload:
    sink = events.append if events is not None else (lambda event: None)
    return Workload(sample=lambda n: source(120), on_event=sink, **fields)


@pytest.fixture(scope="module")
def bundled() -> ModelSpec:
    return resolve_model(CPU)


@pytest.fixture(scope="module", params=ENGINES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, bundled: ModelSpec) -> Made:
    """The bundled model's int8 engine for each library that may run it, whichever is the faster here."""
    builds = Builds(tmp_path_factory.mktemp("int8") / "engines", AT_ANY_SPEED)
    return builds, builds.make(bundled, BuildKind.INT8, replace(CPU, engine=request.param), texts_from(prose))


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    """A model that OpenVINO runs only once it is converted."""
    return resolve_model(replace(CPU, model=str(write_model(tmp_path_factory.mktemp("odd"), "distilbert"))))


def test_an_int8_engine_passes_its_check_and_keeps_its_figures(made: Made, bundled: ModelSpec) -> None:
    builds, build = made
    assert build.check["mean_cosine"] >= 0.99
    assert build.check["worst_cosine"] <= build.check["mean_cosine"] < 1.0
    # 40 and 80 passages, and short texts that stand for queries.
    assert (build.check["calibrated_on"], build.check["compared"]) == (50, 100)
    record = json.loads((build.folder / "build.json").read_text())
    assert record["check"] == build.check
    assert (record["engine"], record["tried"]) == (build.engine, [build.engine])
    assert record["versions"][build.engine]
    assert stat.S_IMODE(build.folder.stat().st_mode) == stat.S_IMODE(build.folder.parent.stat().st_mode) == 0o700
    assert {path.name for path in build.folder.iterdir()} == {"build.json", *ENGINES[build.engine]}
    assert builds.find(bundled, BuildKind.INT8) == build


def test_int8_vectors_point_where_those_of_float32_do(made: Made, bundled: ModelSpec) -> None:
    builds, build = made
    int8 = load_engine(bundled, CPU, builds, choose(bundled, CPU, builds, dtype="int8"))
    assert (int8.name, int8.dtype, int8.dim) == (build.engine, "int8", 384)
    exact = load_engine(bundled, CPU, builds, choose(bundled, CPU, builds, dtype="float32"))
    encoded = load_tokenizer(bundled).encode(prose(40)[::4])
    cosines = (int8.forward(encoded) * exact.forward(encoded)).sum(axis=1)
    assert 0.97 < cosines.min() < 0.99999
    np.testing.assert_allclose(int8.forward_exact(encoded[0]), exact.forward(encoded[:1])[0], atol=1e-5)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(mean_cosine=0.999999), "its mean cosine is 0.9"),
        (Limits(mean_cosine=0, worst_cosine=-1, neighbours=0, times_float32=1000), "its speed against float32 is"),
    ],
)
def test_an_engine_below_its_limits_is_refused_once_and_for_good(tmp_path: Path, limits: Limits, said: str) -> None:
    builds = Builds(tmp_path / "engines", limits)
    events: list[Event] = []
    wish = replace(CPU, engine="openvino", model=str(write_model(tmp_path, "bert")))
    small = resolve_model(wish)
    choice = settle(small, wish, builds, texts_from(sentences, events))
    assert (choice.engine, choice.dtype) == ("openvino", FLOAT_DTYPE)
    assert len(events) == 1
    assert said in events[0].message  # type: ignore[union-attr]
    record = json.loads(next((tmp_path / "engines").glob("*/build.json")).read_text())
    assert record["check"]["mean_cosine"] < 0.999999
    assert not list((tmp_path / "engines").rglob("model.bin"))
    # Were it tried again, there would be a second notice and the lack of texts its reason.
    assert settle(small, wish, builds, Workload(on_event=events.append)).dtype == FLOAT_DTYPE
    assert len(events) == 1


def test_a_converted_model_is_made_int8_alike(tmp_path: Path, odd: ModelSpec) -> None:
    builds = Builds(tmp_path / "engines", AT_ANY_COST)
    build = builds.make(odd, BuildKind.INT8, CPU, texts_from(sentences))
    assert build.engine == "openvino"
    assert build.check["mean_cosine"] > 0.9
    int8 = load_engine(odd, CPU, builds, choose(odd, CPU, builds, dtype="int8"))
    assert int8.dtype == "int8"
    assert int8.forward([[0, 5, 6, 2]]).shape == (1, 32)


def test_too_few_passages_are_no_reason_for_ever(tmp_path: Path, bundled: ModelSpec) -> None:
    builds = Builds(tmp_path / "engines")
    with pytest.raises(BuildRefused, match="too few passages"):
        builds.make(bundled, BuildKind.INT8, CPU, Workload(sample=lambda n: prose(20)))
    assert builds.refused(bundled, BuildKind.INT8) is None
    assert list((tmp_path / "engines").iterdir()) == []


def test_another_architecture_is_converted_and_made_again_when_damaged(tmp_path: Path, odd: ModelSpec) -> None:
    builds, wish, events = Builds(tmp_path / "engines"), replace(CPU, engine="openvino", dtype="float32"), []
    choice = settle(odd, wish, builds, texts_from(sentences, events))
    assert (choice.engine, choice.build, choice.make) == ("openvino", BuildKind.FLOAT, False)
    ours = load_engine(odd, wish, builds, choice)
    torch = load_engine(odd, wish, builds, choose(odd, replace(CPU, engine="torch", dtype="float32"), builds))
    encoded = load_tokenizer(odd).encode(sentences(50))
    np.testing.assert_allclose(ours.forward(encoded), torch.forward(encoded), atol=1e-4)

    build = builds.find(odd, BuildKind.FLOAT)
    assert build is not None
    weights = build.folder / "model.bin"
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 0xFF
    weights.write_bytes(data)
    assert builds.find(odd, BuildKind.FLOAT) is None
    # What cannot be used is left alone by 'auto', which has torch.
    assert choose(odd, replace(CPU, dtype="float32"), builds, work=Workload()).engine == "torch"
    assert settle(odd, wish, builds, texts_from(sentences)).engine == "openvino"
    assert builds.find(odd, BuildKind.FLOAT) is not None


def test_a_build_of_another_format_is_none(made: Made, bundled: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "_FORMAT", -1)
    assert made[0].find(bundled, BuildKind.INT8) is None


def test_a_model_that_cannot_be_converted_stays_on_torch_and_says_why(
    tmp_path: Path, odd: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_module, "_in_child", lambda job, check: Outcome(refused="its odd module"))
    events: list[Event] = []
    wish = replace(CPU, engine="openvino", dtype="float32")
    assert settle(odd, wish, Builds(tmp_path), texts_from(sentences, events)).engine == "torch"
    assert events == [NoticeEvent(f"No float engine for {odd.name}: its odd module.")]
    events.clear()
    assert settle(odd, wish, Builds(tmp_path), texts_from(sentences, events)).engine == "torch"
    assert "its odd module" in events[0].message  # type: ignore[union-attr]


def test_what_auto_makes_and_when(tmp_path: Path, bundled: ModelSpec, made: Made) -> None:
    empty, full, enough = Builds(tmp_path), made[0], int8_pays_tokens(bundled)
    engine = made[1].engine
    other = next(name for name in ENGINES if name != engine)

    def outcome(builds: Builds, n_tokens: int, dtype: str | None = None, **options: object) -> tuple[object, ...]:
        chosen = replace(CPU, **options)  # type: ignore[arg-type]
        choice = choose(bundled, chosen, builds, dtype=dtype, work=Workload(n_tokens))
        return choice.engine, choice.dtype, choice.make

    assert outcome(empty, enough - 1) == ("openvino", FLOAT_DTYPE, False)
    assert outcome(empty, enough) == ("openvino", "int8", True)
    assert outcome(empty, 1, engine=engine) == (engine, "int8", True)
    assert outcome(empty, 1, dtype="int8") == ("openvino", "int8", True)
    assert outcome(full, 1) == (engine, "int8", False)
    assert outcome(full, 1, engine=engine) == (engine, "int8", False)
    # A build that is there stays, whichever engine the settings name: another's vectors would be a space of their own.
    assert outcome(full, 1, engine=other) == (engine, "int8", False)
    # Vectors that are there decide, and so does the wish for exactness.
    assert outcome(full, enough, "float32") == ("openvino", "float32", False)
    assert outcome(full, enough, fast_mode=False) == ("openvino", "float32", False)
    assert outcome(full, enough, engine="torch") == ("torch", None, False)
    assert outcome(full, enough, "float16") == ("torch", "float16", False)
    assert outcome(full, enough, device="cuda") == ("torch", None, False)


def test_what_cannot_be_is_said(tmp_path: Path, bundled: ModelSpec) -> None:
    builds = Builds(tmp_path)
    with pytest.raises(ModelError, match="Run 'index'"):
        choose(bundled, CPU, builds, dtype="int8")
    with pytest.raises(ModelError, match="int8 is for the CPU and needs OpenVINO"):
        choose(bundled, replace(CPU, engine="torch", dtype="int8"), builds)
    with pytest.raises(ModelError, match="float16"):
        choose(bundled, replace(CPU, engine="openvino", dtype="float16"), builds)


def test_a_build_that_is_there_is_kept_and_that_is_said(bundled: ModelSpec, made: Made) -> None:
    events: list[Event] = []
    wish = replace(CPU, engine=next(name for name in ENGINES if name != made[1].engine))
    assert settle(bundled, wish, made[0], texts_from(prose, events)).engine == made[1].engine
    assert [event.message for event in events if isinstance(event, NoticeEvent)] == [
        f"{made[1].engine} runs {bundled.name} in int8: the int8 engine of this index was made for it."
    ]


def test_a_wish_for_floats_from_an_engine_without_them_is_answered_with_a_reason(
    tmp_path: Path, bundled: ModelSpec
) -> None:
    events: list[Event] = []
    wish = replace(CPU, engine="onnxruntime", dtype="float32")
    assert settle(bundled, wish, Builds(tmp_path), texts_from(prose, events)).engine == "openvino"
    assert [event.message for event in events if isinstance(event, NoticeEvent)] == [
        f"openvino runs {bundled.name} in float32: onnxruntime runs int8 builds alone."
    ]


def small_job(tmp_path: Path, **options: object) -> Job:
    """Making int8 of a small random model in this process, whatever becomes of its vectors."""
    chosen = replace(CPU, model=str(write_model(tmp_path, "bert")), **options)  # type: ignore[arg-type]
    folder = tmp_path / "build"
    folder.mkdir()
    limits = replace(AT_ANY_COST, times_float32=1.2)
    return Job(resolve_model(chosen), BuildKind.INT8, chosen, folder, sentences(60)[::2], sentences(60), limits)


@pytest.mark.parametrize(
    ("seconds", "engine", "chosen"),
    [
        # Plainly faster than float32: the other is not even tried.
        ({"openvino": 0.5, "onnxruntime": 0.4}, "auto", "openvino"),
        ({"openvino": 0.7, "onnxruntime": 0.6}, "auto", "onnxruntime"),
        ({"openvino": 0.7, "onnxruntime": 0.8}, "auto", "openvino"),
        ({"openvino": 0.7, "onnxruntime": 0.9}, "auto", "openvino"),
        ({"openvino": 1.1, "onnxruntime": 0.6}, "auto", "onnxruntime"),
        ({"openvino": 0.5, "onnxruntime": 0.6}, "onnxruntime", "onnxruntime"),
        ({"openvino": 1.1, "onnxruntime": 0.6}, "openvino", None),
        ({"openvino": 1.1, "onnxruntime": 0.9}, "auto", None),
    ],
)
def test_the_library_that_gains_most_by_eight_bits_runs_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: dict[str, float], engine: str, chosen: str | None
) -> None:
    really_timed = make_build._timed

    def timed(embedder: Embedder, encoded: Any, rest: Any) -> tuple[Any, float]:
        vectors, _ = really_timed(embedder, encoded, rest)
        return vectors, seconds[embedder.engine.name] if embedder.engine.dtype == "int8" else 1.0

    monkeypatch.setattr(make_build, "_timed", timed)
    job = small_job(tmp_path, engine=engine)
    outcome = make_build.build(job)
    written = {path.name for path in job.folder.iterdir()}
    if chosen is None:
        assert outcome.refused is not None
        tried = list(ENGINES) if engine == "auto" else [engine]
        assert [name for name in ENGINES if f"in {name} its speed against float32 is" in outcome.refused] == tried
        assert written == set()
    else:
        assert (outcome.refused, outcome.engine, written) == (None, chosen, ENGINES[chosen])


def test_a_library_that_fails_takes_nothing_from_one_that_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> object:
        raise ImportError("onnx is gone")

    monkeypatch.setattr(make_build, "_for_onnxruntime", broken)
    job = small_job(tmp_path)
    job = replace(job, limits=AT_ANY_COST)
    assert make_build.build(job).engine == "openvino"
    with pytest.raises(ImportError):
        make_build.build(replace(job, options=replace(job.options, engine="onnxruntime")))


def test_a_part_that_onnx_runtime_is_not_given_is_named(tmp_path: Path, odd: ModelSpec) -> None:
    wish = replace(CPU, engine="onnxruntime")
    with pytest.raises(BuildRefused, match="onnxruntime cannot run its architecture distilbert"):
        Builds(tmp_path / "engines", AT_ANY_COST).make(odd, BuildKind.INT8, wish, texts_from(sentences))


def test_every_core_has_a_lane_and_single_texts_may_be_asked_for_by_all(tmp_path: Path) -> None:
    wish = replace(CPU, engine="onnxruntime", threads=12, model=str(write_model(tmp_path, "bert")))
    spec, builds = resolve_model(wish), Builds(tmp_path / "engines", AT_ANY_COST)
    builds.make(spec, BuildKind.INT8, wish, texts_from(sentences))
    engine = load_engine(spec, wish, builds, choose(spec, wish, builds, dtype="int8"))
    assert engine.lanes == 12
    encoded = load_tokenizer(spec).encode(sentences(60))
    with ThreadPoolExecutor(engine.lanes) as pool:
        exact = np.array(list(pool.map(engine.forward_exact, encoded)))
    np.testing.assert_allclose(np.linalg.norm(exact, axis=1), 1, atol=1e-5)


def test_a_refusal_holds_for_what_was_tried(tmp_path: Path) -> None:
    wish = replace(CPU, model=str(write_model(tmp_path, "bert")))
    small = resolve_model(wish)
    builds = Builds(tmp_path / "engines", Limits(times_float32=1000))
    with pytest.raises(BuildRefused):
        builds.make(small, BuildKind.INT8, replace(wish, engine="openvino"), texts_from(sentences))
    assert builds.refused(small, BuildKind.INT8, "openvino")
    assert builds.refused(small, BuildKind.INT8, "onnxruntime") is None
    assert builds.refused(small, BuildKind.INT8) is None
    with pytest.raises(BuildRefused):
        builds.make(small, BuildKind.INT8, replace(wish, engine="onnxruntime"), texts_from(sentences))
    assert all(builds.refused(small, BuildKind.INT8, engine) for engine in (*ENGINES, "auto"))


@pytest.mark.parametrize(
    ("kind", "pooling", "dense"),
    [("bert", "cls", 0), ("bert", "max", 24), ("xlm-roberta", "mean", 0), ("roberta", "mean_sqrt_len_tokens", 0)],
)
def test_onnx_runtime_reads_other_encoders_too(tmp_path: Path, kind: str, pooling: str, dense: int) -> None:
    wish = replace(CPU, engine="onnxruntime", model=str(write_model(tmp_path, kind, pooling=pooling, dense=dense)))
    spec, builds = resolve_model(wish), Builds(tmp_path / "engines", AT_ANY_COST)
    builds.make(spec, BuildKind.INT8, wish, texts_from(sentences))
    int8 = load_engine(spec, wish, builds, choose(spec, wish, builds, dtype="int8"))
    exact = load_engine(spec, CPU, builds, choose(spec, CPU, builds, dtype="float32"))
    assert (int8.name, int8.dim) == ("onnxruntime", dense or 32)
    encoded = load_tokenizer(spec).encode(sentences(80))
    found = int8.forward(encoded)
    cosines = (found * exact.forward(encoded)).sum(axis=1)
    assert cosines.mean() > 0.98
    assert cosines.min() > 0.9
    # Padding changes nothing but the order in which sums are made.
    assert float(int8.forward(encoded[:1])[0] @ found[0]) > 0.999


def test_a_stopped_run_stops_the_making(tmp_path: Path, bundled: ModelSpec) -> None:
    cancel = CancelToken()
    work = Workload(sample=lambda n: prose(120), check=cancel.check)
    cancel.cancel()
    with pytest.raises(Cancelled):
        Builds(tmp_path / "engines").make(bundled, BuildKind.INT8, CPU, work)
    assert list((tmp_path / "engines").iterdir()) == []


def vault_of_prose(tmp_path: Path) -> Path:
    notes = {f"{i}.md": f"# Note {i}\n\n{text}\n" for i, text in enumerate(prose(100))}
    return write_vault(tmp_path / "vault", notes)


def test_an_int8_index_outlives_the_loss_of_its_engine(
    tmp_path: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, data = vault_of_prose(tmp_path), tmp_path / "data"
    shutil.copytree(made[1].folder, data / "engines" / made[1].folder.name)
    with open_engine(vault, data, model="default", device="cpu") as engine:
        report = engine.index()
        assert (report.engine, report.dtype, report.embedded) == (made[1].engine, "int8", report.chunks)
        assert "build" not in report.seconds_by_stage
        best = engine.search("drinking coffee", mode="semantic").hits[0].path
    for weights in (data / "engines").rglob("model.*"):
        weights.write_bytes(b"")
    events: list[Event] = []
    options = {"model": "default", "device": "cpu", "engine": made[1].engine}
    monkeypatch.setattr(build_module, "Builds", partial(Builds, limits=AT_ANY_SPEED))
    with open_engine(vault, data, **options, on_event=events.append) as engine:
        assert engine.search("coffee", mode="keyword").hits
        lost = engine.search("drinking coffee")
        assert lost.hits
        assert lost.notice is not None
        assert "Run 'index'" in lost.notice
        again = engine.index()
        assert (again.dtype, again.embedded) == ("int8", 0)
        assert again.seconds_by_stage["build"] > 0
        assert any("mean cosine" in event.message for event in events if isinstance(event, NoticeEvent))
        assert engine.search("drinking coffee", mode="semantic").hits[0].path == best


def test_keyword_search_answers_while_an_engine_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def held(job: object, check: Callable[[], None]) -> Outcome:
        assert release.wait(60)
        return Outcome(refused="held up long enough", for_good=False)

    monkeypatch.setattr(build_module, "_in_child", held)
    vault = vault_of_prose(tmp_path)
    progress = Progress()
    engine: Engine
    with open_engine(vault, tmp_path / "data", model="default", engine="openvino", device="cpu") as engine:
        reports = []
        run = threading.Thread(target=lambda: reports.append(engine.index(progress=progress)))
        run.start()
        try:
            wait_until(lambda: progress.stage is Stage.BUILD)
            assert engine.search("coffee", mode="keyword").hits
            assert progress.stage is Stage.BUILD
        finally:
            release.set()
            run.join()
    assert reports[0].dtype == FLOAT_DTYPE
    assert reports[0].seconds_by_stage["build"] > 0
