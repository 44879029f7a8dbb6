"""Making an engine, in a child process: conversion through torch, int8 for each engine, and the check of the result.

An int8 build is made for OpenVINO, which is the fastest where the processor has instructions for eight bits
(`quantise.py`); where it is not plainly faster than float32, for ONNX Runtime too, which gains by eight bits without
them (`onnx_graph.py`). The faster of those that pass the check is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer import child
from obsidian_indexer.embed.batch import Embedder
from obsidian_indexer.embed.build import (
    ONNX_FILE,
    ONNXRUNTIME,
    OPENVINO,
    BuildKind,
    Job,
    Limits,
    Outcome,
    engines_for,
)
from obsidian_indexer.embed.encoder import Layout, UnsupportedModel, layout_of
from obsidian_indexer.embed.engines import VectorEngine
from obsidian_indexer.embed.int8 import Ranges
from obsidian_indexer.embed.onnx_engine import OnnxEngine
from obsidian_indexer.embed.onnx_graph import int8_graph
from obsidian_indexer.embed.openvino_engine import OpenVinoEngine, compile_graph, cpu_threads, openvino, padded
from obsidian_indexer.embed.openvino_graph import read_graph
from obsidian_indexer.embed.quantise import measure_ranges, quantise
from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.embed.tokens import TextTokenizer, TokenIds, load_tokenizer
from obsidian_indexer.events import CancelToken
from obsidian_indexer.pace import Pace

# Fewer texts than this say too little of what the model will read.
_FEWEST_TEXTS = 20
# A converted model computes the same numbers as the original but for rounding.
_CONVERTED_COSINE = 0.9999
_NEIGHBOURS = 10
# With instructions for eight bits OpenVINO measures 2.4 to 2.9, without them .9; then the other is tried as well.
_PLAINLY_FASTER = 2.0
_PROBES = ("A note.", "블록에 링크하는 방법", "Links between notes make a web of thought. " * 12, "x " * 40)


def run_job(job: Job, sender: Connection) -> None:
    """Do a job and send its `Outcome`; the entry point of the child process."""
    child.begin(job.options.nice)
    child.silence()
    try:
        outcome = build(job)
    except UnsupportedModel as error:
        outcome = Outcome(refused=str(error))
    except (ImportError, MemoryError) as error:  # may be otherwise next time
        outcome = Outcome(refused=str(error) or "out of memory", for_good=False)
    except Exception as error:  # noqa: BLE001 - converters raise anything; the reason goes to the user
        outcome = Outcome(refused=f"{type(error).__name__}: {(str(error).strip() or '?').splitlines()[0]}")
    sender.send(outcome)


def build(job: Job) -> Outcome:
    """Write the model's files into the job's folder, or say why not."""
    tokenizer = load_tokenizer(job.spec)
    if job.kind is BuildKind.FLOAT:
        graph = _converted(job, tokenizer)
        openvino().save_model(graph, job.folder / "model.xml", compress_to_fp16=False)
        return Outcome()
    if min(len(job.calibration), len(job.held_out)) < _FEWEST_TEXTS:
        return Outcome(refused="the vault holds too few passages to calibrate on", for_good=False)
    return _int8(job, tokenizer)


def _int8(job: Job, tokenizer: TextTokenizer) -> Outcome:
    """The fastest int8 build that passes its check; else why the last one did not."""
    # The parent hears of a pause by hand and waits for what is under way here; the cap holds here as there.
    rest = Pace(CancelToken(), job.options).check
    original, layout = _float_graph(job, tokenizer)
    calibration = tokenizer.encode([*job.calibration, *like_queries(job.calibration, job.spec)])
    ranges = measure_ranges(original, calibration, cpu_threads(job.options), rest)
    held_out = tokenizer.encode([*job.held_out, *like_queries(job.held_out, job.spec)])

    def timed(engine: VectorEngine) -> tuple[NDArray[np.float32], float]:
        return _timed(Embedder(job.spec, tokenizer, engine, job.options), held_out, rest)

    expected, float32_s = timed(OpenVinoEngine(lambda: original, "float32", job.options, job.spec.max_tokens))
    makers = {
        OPENVINO: partial(_for_openvino, job, original, ranges),
        ONNXRUNTIME: partial(_for_onnxruntime, job, original, ranges, layout),
    }
    passed: list[tuple[Outcome, Callable[[], object]]] = []
    reasons: list[str] = []
    check: dict[str, float] = {}
    for name in engines_for(BuildKind.INT8, job.options.engine):
        try:
            engine, save = makers[name]()
            found, seconds = timed(engine)
        except UnsupportedModel as error:
            reasons.append(f"{name} cannot run {error}")
            continue
        except Exception:  # libraries raise anything; one that failed takes nothing from one that passed
            if not passed:
                raise
            break
        check = {**compare_vectors(expected, found), "times_float32": round(float32_s / seconds, 2)}
        check["calibrated_on"] = len(calibration)
        shortfall = _shortfall(check, job.limits)
        if shortfall is None:
            passed.append((Outcome(engine=name, check=check), save))
        else:
            reasons.append(f"in {name} {shortfall}")
        if shortfall is None and check["times_float32"] >= _PLAINLY_FASTER:
            break
    if not passed:
        return Outcome(refused="; ".join(reasons), check=check)
    best, save = max(passed, key=lambda one: one[0].check["times_float32"])
    save()
    return best


Made = tuple[VectorEngine, Callable[[], object]]
"""A build, loaded, and what writes it down."""


def _for_openvino(job: Job, original: Any, ranges: Sequence[Ranges]) -> Made:
    graph = quantise(original, ranges)
    engine = OpenVinoEngine(lambda: graph, "int8", job.options, job.spec.max_tokens)
    return engine, lambda: openvino().save_model(graph, job.folder / "model.xml", compress_to_fp16=False)


def _for_onnxruntime(job: Job, original: Any, ranges: Sequence[Ranges], layout: Layout | UnsupportedModel) -> Made:
    if isinstance(layout, UnsupportedModel):
        raise layout
    data = int8_graph(layout, ranges).SerializeToString()
    engine = OnnxEngine(data, job.options, job.spec.max_tokens, read_exact=lambda: original)
    return engine, lambda: (job.folder / ONNX_FILE).write_bytes(data)


def _shortfall(check: Mapping[str, float], limits: Limits) -> str | None:
    """The first figure below its limit, in words."""
    for name, what, least in (
        ("mean_cosine", "mean cosine", limits.mean_cosine),
        ("worst_cosine", "worst cosine", limits.worst_cosine),
        ("neighbours", "share of common neighbours", limits.neighbours),
        ("times_float32", "speed against float32", limits.times_float32),
    ):
        if not check[name] >= least:
            return f"its {what} is {check[name]:.3f}, below {least}"
    return None


def _timed(
    embedder: Embedder, encoded: Sequence[TokenIds], rest: Callable[[], None]
) -> tuple[NDArray[np.float32], float]:
    """Vectors of encoded texts, as an index would compute them, and the seconds of processor time that they took.

    What else the machine does meanwhile hardly counts in these. `rest` is called after each batch.
    """
    vectors = np.zeros((len(encoded), embedder.engine.dim), np.float32)
    start = time.process_time()
    for result in embedder.run(encoded):
        vectors[result.rows] = result.vectors
        rest()
    return vectors, time.process_time() - start


def _float_graph(job: Job, tokenizer: TextTokenizer) -> tuple[Any, Layout | UnsupportedModel]:
    """The model in float32, and its layout where it was read from its weights; else it is converted, and why."""
    try:
        layout = layout_of(job.spec)
        return read_graph(layout), layout
    except UnsupportedModel as error:
        return _converted(job, tokenizer), error


def _converted(job: Job, tokenizer: TextTokenizer) -> Any:
    """The model traced through torch, checked against what it was made from. Raises UnsupportedModel."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    ov = openvino()
    model = SentenceTransformer(
        str(job.spec.folder),
        device="cpu",
        local_files_only=True,
        trust_remote_code=job.options.trust_remote_code,
        model_kwargs={"use_safetensors": True},
    )
    if isinstance(model[0], StaticEmbedding):
        raise UnsupportedModel("its table of static vectors, which has nothing to speed up")

    class UnitVectors(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model.to(torch.float32).eval()

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            features = {"input_ids": input_ids.long(), "attention_mask": attention_mask.long()}
            vectors = self.model(features)["sentence_embedding"]
            return torch.nn.functional.normalize(vectors.float(), dim=1)

    module = UnitVectors()
    probes = tokenizer.encode([*_PROBES, *job.held_out[:8]])
    ids, mask = (torch.from_numpy(part) for part in padded(probes[:3], job.spec.max_tokens))
    with torch.inference_mode():
        graph = ov.convert_model(
            module,
            example_input={"input_ids": ids, "attention_mask": mask},
            input=[("input_ids", [-1, -1], ov.Type.i32), ("attention_mask", [-1, -1], ov.Type.i32)],
        )
        worst = 1.0
        compiled = compile_graph(graph, "f32", cpu_threads(job.options), 1)
        for batch in (probes, probes[:1], probes[1:2], probes[2:4]):
            inputs = padded(batch, job.spec.max_tokens)
            expected = module(*(torch.from_numpy(part) for part in inputs)).numpy()
            worst = min(worst, float((compiled(inputs)[0] * expected).sum(axis=1).min()))
    if not worst >= _CONVERTED_COSINE:
        raise UnsupportedModel(f"its shape, which conversion changes (worst cosine {worst:.4f})")
    return graph


def like_queries(texts: Sequence[str], spec: ModelSpec) -> list[str]:
    """A run of 2 to 11 words from every fourth text, to stand for queries.

    Calibrated on passages alone, an engine is less sure of short texts: of 300 real queries of SciFact, the worst keeps
    a cosine of .992 to float32 instead of .996.
    """
    queries = []
    for i, text in enumerate(texts[::4]):
        words = text.removeprefix(spec.document_prompt).split()
        length = 2 + i % 10
        start = i * 7 % max(1, len(words) - length)
        queries.append(spec.query_prompt + " ".join(words[start : start + length]))
    return queries


def compare_vectors(expected: NDArray[np.float32], found: NDArray[np.float32]) -> dict[str, float]:
    """How near vectors are to those expected: float32[n, dim] each, unit length, row by row of the same texts.

    mean_cosine, worst_cosine, and neighbours: the share of each text's ten nearest that both agree on.
    """
    cosines = (expected * found).sum(axis=1)
    nearest, near = _nearest(expected), _nearest(found)
    shared = [len(set(a) & set(b)) / len(a) for a, b in zip(nearest.tolist(), near.tolist(), strict=True)]
    return {
        "mean_cosine": round(float(cosines.mean()), 5),
        "worst_cosine": round(float(cosines.min()), 5),
        "neighbours": round(float(np.mean(shared)), 4),
        "compared": len(expected),
    }


def _nearest(vectors: NDArray[np.float32]) -> NDArray[np.intp]:
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    return np.argsort(-similarity, axis=1)[:, :_NEIGHBOURS]
