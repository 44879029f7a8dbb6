"""Making an engine, in a child process: conversion through torch, int8 (`quantise.py`), and the check of the result."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer import child
from obsidian_indexer.embed.batch import Embedder
from obsidian_indexer.embed.build import BuildKind, Job, Outcome
from obsidian_indexer.embed.openvino_engine import OpenVinoEngine, compile_graph, cpu_threads, openvino, padded
from obsidian_indexer.embed.openvino_graph import UnsupportedModel, read_graph, read_layout
from obsidian_indexer.embed.quantise import quantise
from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.embed.tokens import TextTokenizer, load_tokenizer
from obsidian_indexer.events import CancelToken
from obsidian_indexer.pace import Pace

# Fewer texts than this say too little of what the model will read.
_FEWEST_TEXTS = 20
# A converted model computes the same numbers as the original but for rounding.
_CONVERTED_COSINE = 0.9999
_NEIGHBOURS = 10
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
    """Write model.xml and model.bin into the job's folder, or say why not."""
    tokenizer = load_tokenizer(job.spec)
    # The parent hears of a pause by hand and waits for what is under way here; the cap holds here as there.
    pace = Pace(CancelToken(), job.options)
    if job.kind is BuildKind.FLOAT:
        graph = _converted(job, tokenizer)
        openvino().save_model(graph, job.folder / "model.xml", compress_to_fp16=False)
        return Outcome()
    if min(len(job.calibration), len(job.held_out)) < _FEWEST_TEXTS:
        return Outcome(refused="the vault holds too few passages to calibrate on", for_good=False)
    original = _float_graph(job, tokenizer)
    calibration = [*job.calibration, *like_queries(job.calibration, job.spec)]
    quantised = quantise(original, tokenizer.encode(calibration), cpu_threads(job.options), pace.check)
    check = _check(original, quantised, tokenizer, job, pace.check)
    check["calibrated_on"] = len(calibration)
    limits = job.limits
    for name, what, least in (
        ("mean_cosine", "mean cosine", limits.mean_cosine),
        ("worst_cosine", "worst cosine", limits.worst_cosine),
        ("neighbours", "share of common neighbours", limits.neighbours),
        ("times_float32", "speed against float32", limits.times_float32),
    ):
        if not check[name] >= least:
            return Outcome(refused=f"its {what} is {check[name]:.3f}, below {least}", check=check)
    openvino().save_model(quantised, job.folder / "model.xml", compress_to_fp16=False)
    return Outcome(check=check)


def _float_graph(job: Job, tokenizer: TextTokenizer) -> Any:
    """The model in float32: read from its weights, or else converted."""
    assert job.spec.folder is not None
    prompts = bool(job.spec.query_prompt or job.spec.document_prompt)
    try:
        return read_graph(read_layout(job.spec.folder, prompts=prompts))
    except UnsupportedModel:
        return _converted(job, tokenizer)


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


def _check(
    original: Any, quantised: Any, tokenizer: TextTokenizer, job: Job, rest: Callable[[], None]
) -> dict[str, float]:
    """`compare_vectors` of the texts held out, as an index would compute them; `rest` is called after each batch.

    times_float32 is the speed, by processor time: what else the machine does meanwhile hardly counts.
    """
    held_out = tokenizer.encode([*job.held_out, *like_queries(job.held_out, job.spec)])
    found, seconds = [], []
    for graph, dtype in ((original, "float32"), (quantised, "int8")):
        engine = OpenVinoEngine(lambda graph=graph: graph, dtype, job.options, job.spec.max_tokens)  # type: ignore[misc]
        vectors = np.zeros((len(held_out), engine.dim), np.float32)
        start = time.process_time()
        for result in Embedder(job.spec, tokenizer, engine, job.options).run(held_out):
            vectors[result.rows] = result.vectors
            rest()
        seconds.append(time.process_time() - start)
        engine.close()
        found.append(vectors)
    return {**compare_vectors(*found), "times_float32": round(seconds[0] / seconds[1], 2)}


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
