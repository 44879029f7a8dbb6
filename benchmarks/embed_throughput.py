"""Embedding alone: what an index of the vault would choose against `SentenceTransformer.encode` and its own limits.

    python benchmarks/embed_throughput.py VAULT [--rounds N] [--passages N] [--all] [--skip-2000]

The engine is chosen, and made if that pays, for all passages of the vault on its CPU; `--all` adds every other engine
and number format, `--passages` measures on some of the passages only. The build is reported apart. Every contender
reads the same passages (cut by this program) in each round, in turn. Rates are passages a second of wall clock, the
best round of each; `cpu_rate` is what the same work would reach with every core free, which holds on a busy machine
too. `forward_only` is the engine on ready batches of token ids, `tokenise_only` the tokenizer.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import machine
from obsidian_indexer.embed.batch import Embedder, plan_batches
from obsidian_indexer.embed.build import BUILD_ENGINES, OPENVINO, BuildKind, BuildRefused, Builds, Limits
from obsidian_indexer.embed.engines import Choice, choose, settle
from obsidian_indexer.embed.openvino_engine import cpu_has_bfloat16, cpu_threads
from obsidian_indexer.embed.spec import ModelSpec, resolve_model
from obsidian_indexer.embed.tokens import TokenIds, load_tokenizer
from obsidian_indexer.embed.workload import Workload, spread
from obsidian_indexer.options import EmbedOptions
from obsidian_indexer.pipeline import prefetch

Vectors = NDArray[np.float32]
ON_CPU = EmbedOptions(device="cpu")


@dataclass
class Timed:
    """One contender: seconds of wall clock and of processor time, a pair for each round."""

    run: Callable[[], object]
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    result: object = None

    def once(self) -> None:
        """Run and note the time."""
        start, cpu = time.perf_counter(), time.process_time()
        self.result = self.run()
        self.seconds.append(time.perf_counter() - start)
        self.cpu_seconds.append(time.process_time() - cpu)


@dataclass(frozen=True)
class EncodedTexts:
    """The texts from `start` on, as token ids."""

    start: int
    encoded: list[TokenIds]


def read_passages(vault: str) -> list[str]:
    """The passages of a vault as the index cuts them, in its order."""
    import config
    from obsidian_indexer.sync.inspect import NoteInspector
    from obsidian_indexer.vault.scan import scan

    options = config.load({"vault.path": vault}).options
    inspector = NoteInspector(options)
    texts = []
    for entry in scan(options.vault_path, options.vault):
        if hasattr(entry, "mtime_ns"):
            texts += [chunk.embedded_text for chunk in inspector.inspect(entry.path)[1]]
    return list(dict.fromkeys(texts))


def embed(embedder: Embedder, texts: Sequence[str], window: int) -> Vectors:
    """Texts to vectors as the index does it: windows tokenised ahead in a thread, batches by length."""

    def windows() -> Iterator[EncodedTexts]:
        for start in range(0, len(texts), window):
            encoded = embedder.tokenizer.encode(texts[start : start + window], embedder.spec.document_prompt)
            yield EncodedTexts(start, [array("i", ids) for ids in encoded])

    out = np.zeros((len(texts), embedder.engine.dim), np.float32)
    for part, result in embedder.stream(prefetch(windows())):
        out[[part.start + row for row in result.rows]] = result.vectors
    return out


def forward_only(embedder: Embedder, batches: Sequence[Sequence[TokenIds]]) -> None:
    """The engine on ready batches, as many at once as it takes."""
    if embedder.engine.lanes == 1:  # on this thread, as in a run: torch shares its work out otherwise on another
        for batch in batches:
            embedder.engine.forward(batch)
        return
    with ThreadPoolExecutor(embedder.engine.lanes) as pool:
        for _ in pool.map(embedder.engine.forward, batches):
            pass


def ready_batches(embedder: Embedder, encoded: Sequence[TokenIds]) -> list[list[TokenIds]]:
    """All batches of a run."""
    step = embedder.engine.width_step
    lengths = [-(-len(ids) // step) * step for ids in encoded]
    return [[encoded[row] for row in rows] for rows in plan_batches(lengths, lambda: embedder.token_budget)]


def work_of(texts: Sequence[str], n_tokens: int) -> Workload:
    """What a first run over these passages has to do."""
    ordered = sorted(texts, key=len, reverse=True)
    return Workload(n_tokens, lambda n: spread(ordered, n))


def named(choice: Choice, spec: ModelSpec, builds: Builds) -> tuple[str, Embedder]:
    """An engine, loaded, and what it is called here."""
    embedder = Embedder.load(spec, ON_CPU, builds, choice)
    return f"{choice.engine} {embedder.engine.dtype}", embedder


def load_others(spec: ModelSpec, folder: Path, work: Workload) -> dict[str, Embedder]:
    """Every engine and number format that this machine has for the model; int8 is made however slow it is."""
    formats = ["float32", *(["bfloat16"] if cpu_has_bfloat16() else [])]
    wishes = [(engine, dtype) for engine in ("torch", OPENVINO) for dtype in formats]
    ours = {}
    for engine, dtype in [*wishes, *((engine, "int8") for engine in BUILD_ENGINES)]:
        options, builds = replace(ON_CPU, engine=engine, dtype=dtype), Builds(folder / engine, Limits(times_float32=0))
        if dtype == "int8":
            with suppress(BuildRefused):
                builds.make(spec, BuildKind.INT8, options, work)
        choice = choose(spec, options, builds, work=work)
        if (choice.engine, choice.dtype) == (engine, dtype) and not choice.make:
            name, ours[name] = named(choice, spec, builds)
    return ours


def compare(vault: str, rounds: int, most: int, encode_batches: Sequence[int], *, every: bool) -> dict[str, object]:
    """Run every contender in turn, `rounds` times."""
    spec, whole = resolve_model(ON_CPU), read_passages(vault)
    tokenizer = load_tokenizer(spec)
    work = work_of(whole, sum(tokenizer.count(whole)))
    texts = spread(whole, most or len(whole))
    with tempfile.TemporaryDirectory() as scratch:
        builds = Builds(Path(scratch) / "engines")
        chosen, embedder = named(settle(spec, ON_CPU, builds, work), spec, builds)
        ours = {**(load_others(spec, Path(scratch), work) if every else {}), chosen: embedder}
        build = builds.find(spec, BuildKind.INT8)
    encoded = tokenizer.encode(texts, spec.document_prompt)
    contenders = all_contenders(spec, ours, texts, encoded, encode_batches)
    for number in range(rounds):
        for name, contender in contenders.items():
            print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr)
            contender.once()
    found = figures(contenders, len(texts), list(ours))
    return {
        "benchmark": "embed_throughput",
        "machine": machine(),
        "model": spec.name,
        "vault": {"passages": len(whole), "tokens": work.n_tokens},
        "passages": len(texts),
        "tokens": sum(map(len, encoded)),
        "rounds": rounds,
        "chosen": {"engine": chosen, **found["engines"][chosen]},
        "int8_build": {"engine": build.engine, "seconds": build.seconds, "check": dict(build.check)} if build else {},
        **found,
    }


def all_contenders(
    spec: ModelSpec, ours: dict[str, Embedder], texts: Sequence[str], encoded: Sequence[TokenIds], sizes: Sequence[int]
) -> dict[str, Timed]:
    """The tokenizer alone, `encode` with each batch size, and each engine in full and on ready batches; all warm."""
    from sentence_transformers import SentenceTransformer

    library = SentenceTransformer(str(spec.folder), device="cpu", local_files_only=True)
    library.encode(texts[:64])
    tokenizer = next(iter(ours.values())).tokenizer
    contenders = {"tokenise_only": Timed(lambda: tokenizer.encode(texts) and None)}
    for size in sizes:
        contenders[f"encode {size}"] = Timed(
            partial(library.encode, list(texts), batch_size=size, normalize_embeddings=True)
        )
    for name, embedder in ours.items():
        embed(embedder, texts[:64], ON_CPU.window)
        contenders[name] = Timed(partial(embed, embedder, texts, ON_CPU.window))
        contenders[f"{name} forward_only"] = Timed(partial(forward_only, embedder, ready_batches(embedder, encoded)))
    return contenders


def figures(contenders: dict[str, Timed], n_texts: int, ours: Sequence[str]) -> dict[str, Mapping[str, object]]:
    """Rates of all, and of our own the ratios and the nearness to `encode`."""
    cores = cpu_threads(ON_CPU)
    rate = {name: n_texts / min(timed.seconds) for name, timed in contenders.items()}
    cpu_rate = {name: cores * n_texts / min(timed.cpu_seconds) for name, timed in contenders.items()}
    encodes = [name for name in contenders if name.startswith("encode")]
    reference = np.asarray(contenders[encodes[0]].result, np.float32)
    rows = {}
    for name in ours:
        cosines = (np.asarray(contenders[name].result, np.float32) * reference).sum(axis=1)
        rows[name] = {
            "mean_cosine": round(float(cosines.mean()), 5),
            "worst_cosine": round(float(cosines.min()), 5),
            "share_of_forward_only": round(rate[name] / rate[f"{name} forward_only"], 3),
            "share_of_forward_only_cpu": round(cpu_rate[name] / cpu_rate[f"{name} forward_only"], 3),
            **{f"times_{other}": round(rate[name] / rate[other], 2) for other in encodes},
            **{f"times_{other}_cpu": round(cpu_rate[name] / cpu_rate[other], 2) for other in encodes},
        }
    return {
        "rate": {name: round(value, 1) for name, value in rate.items()},
        "cpu_rate": {name: round(value, 1) for name, value in cpu_rate.items()},
        "engines": rows,
    }


def main() -> None:
    """Parse the command line and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vault")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--passages", type=int, default=0, help="at most so many, spread over the vault")
    parser.add_argument("--all", action="store_true", help="the engines that were not chosen as well")
    parser.add_argument("--skip-2000", action="store_true", help="leave out the batch of 2000 (5 GB of memory)")
    options = parser.parse_args()
    sizes = [32] if options.skip_2000 else [32, 2000]
    print(json.dumps(compare(options.vault, options.rounds, options.passages, sizes, every=options.all), indent=2))


if __name__ == "__main__":
    main()
