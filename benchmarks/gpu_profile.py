"""A CUDA card at work: against `encode(batch_size=2000)`, against the forward pass alone, and from notes to search.

    python benchmarks/gpu_profile.py [--chunks N] [--passages N] [--rounds N] [--vault VAULT] [--device cpu]

`rate` is in passages a second, the best round of each contender, all in turn. `encode` runs in each number format of
the card; the ratio is to the fastest. `forward_only` is the engine on ready batches of token ids.

`index` is one process that indexes N passages (notes of the demo vault's words in random order, or a vault's own) from
its start until a search by meaning is answered. `load`, `tokenise`, `forward` and `write` are parts of `embed` and
overlap: the seconds in which at least one thread was at it, copies counted as `forward`; `write` brings vectors into
the catalogue.

Without a CUDA card it ends with 2; another `--device`, with small numbers, tries it out.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.embed_throughput import Timed, embed, forward_only, read_passages, ready_batches
from benchmarks.machine import ROOT, machine, run_process
from obsidian_indexer.embed.batch import Embedder
from obsidian_indexer.embed.build import Builds
from obsidian_indexer.embed.engines import Choice
from obsidian_indexer.embed.spec import ModelSpec, resolve_model
from obsidian_indexer.embed.workload import spread
from obsidian_indexer.options import EmbedOptions

_ENCODE_ROWS = 2000
_SECTIONS, _LEAST_WORDS, _MOST_WORDS = 4, 40, 140
_SAMPLED_NOTES = 50


# --- the notes


def write_notes(folder: Path, n_chunks: int) -> None:
    """Notes that make about so many passages: words of the demo vault as often as it has them, in random order."""
    rng = random.Random(7)
    text = "\n".join(note.read_text("utf-8", "replace") for note in sorted((ROOT / "assets").rglob("*.md")))
    words = re.findall(r"[A-Za-z]{2,}", text)
    sample = min(_SAMPLED_NOTES, 1 + n_chunks // (2 * _SECTIONS))
    _write(folder, range(sample), words, rng)
    per_note = len(read_passages(str(folder))) / sample
    _write(folder, range(sample, math.ceil(n_chunks / per_note)), words, rng)


def _write(folder: Path, numbers: Sequence[int], words: Sequence[str], rng: random.Random) -> None:
    for number in numbers:
        lines = [f"# {' '.join(rng.choices(words, k=4))}"]
        for _ in range(_SECTIONS):
            body = " ".join(rng.choices(words, k=rng.randint(_LEAST_WORDS, _MOST_WORDS)))
            lines += [f"## {' '.join(rng.choices(words, k=3))}", body]
        note = folder / f"area {number % 50}" / f"note {number}.md"
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text("\n\n".join(lines) + "\n", "utf-8")


# --- embedding alone


def throughput(vault: Path, device: str, model: str, most: int, rounds: int) -> dict[str, object]:
    """Ours against `encode` and against the forward pass, `rounds` times in turn after one run of each."""
    texts = spread(read_passages(str(vault)), most)
    options = EmbedOptions(model=model, device=device, engine="torch")
    spec = resolve_model(options)
    with tempfile.TemporaryDirectory() as scratch:
        ours = Embedder.load(spec, options, Builds(Path(scratch)), Choice("torch"))
    encoded = [array("i", ids) for ids in ours.tokenizer.encode(texts, spec.document_prompt)]
    embed(ours, texts, options.window)  # memory is found on the way
    batches = ready_batches(ours, encoded)
    contenders = {
        "ours": Timed(lambda: embed(ours, texts, options.window)),
        "forward_only": Timed(lambda: forward_only(ours, batches)),
        "tokenise_only": Timed(lambda: ours.tokenizer.encode(texts) and None),
        **_libraries(spec, options, texts),
    }
    for number in range(rounds):
        for name, contender in contenders.items():
            print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr)
            contender.once()
    return {
        "passages": len(texts),
        "tokens": sum(map(len, encoded)),
        "rounds": rounds,
        "device": ours.engine.device,
        "dtype": ours.engine.dtype,
        "attention": ours.engine.detail,
        "lanes": ours.engine.lanes,
        "token_budget": ours.token_budget,
        "batches": len(batches),
        **ratios(contenders, len(texts)),
    }


def _libraries(spec: ModelSpec, options: EmbedOptions, texts: list[str]) -> dict[str, Timed]:
    """The library's own way in every number format of the device, warm."""
    import torch
    from sentence_transformers import SentenceTransformer

    from obsidian_indexer.embed.torch_devices import native_formats

    device, formats = native_formats(options)
    found = {}
    for dtype in formats:
        library = SentenceTransformer(str(spec.folder), device=device, local_files_only=True)
        library = library.to(getattr(torch, dtype))

        def encode(library: Any = library) -> Any:
            return library.encode(texts, batch_size=_ENCODE_ROWS, normalize_embeddings=True, show_progress_bar=False)

        library.encode(texts[:_ENCODE_ROWS], batch_size=_ENCODE_ROWS)
        found[f"encode {_ENCODE_ROWS} {dtype}"] = Timed(encode)
    return found


def ratios(contenders: dict[str, Timed], n_texts: int) -> dict[str, object]:
    """Rates of all; ours against the fastest `encode`, its vectors included, and against the forward pass."""
    rate = {name: n_texts / min(timed.seconds) for name, timed in contenders.items()}
    encodes = {name: value for name, value in rate.items() if name.startswith("encode")}
    fastest = max(encodes, key=lambda name: encodes[name])
    vectors, reference = (np.asarray(contenders[name].result, np.float32) for name in ("ours", fastest))
    # In 16 bits, `encode` makes its vectors of unit length only nearly.
    cosines = (vectors * reference).sum(axis=1) / np.linalg.norm(reference, axis=1)
    return {
        "rate": {name: round(value, 1) for name, value in rate.items()},
        "fastest_encode": fastest,
        "times_encode": round(rate["ours"] / rate[fastest], 2),
        "share_of_forward_only": round(rate["ours"] / rate["forward_only"], 3),
        "mean_cosine": round(float(cosines.mean()), 5),
        "worst_cosine": round(float(cosines.min()), 5),
    }


# --- from notes to search


class Spans:
    """When each stage was at work, on whatever threads."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._found: dict[str, list[tuple[float, float]]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def at(self, stage: str) -> Iterator[None]:
        """Around a piece of a stage's work."""
        start = self._clock()
        try:
            yield
        finally:
            with self._lock:
                self._found.setdefault(stage, []).append((start, self._clock()))

    def busy_s(self, stage: str) -> float:
        """Seconds in which at least one thread was at it."""
        total, until = 0.0, -math.inf
        for start, end in sorted(self._found.get(stage, [])):
            total += max(0.0, end - max(start, until))
            until = max(until, end)
        return total


class _Watched:
    """Another object, whose calls of one name are noted."""

    def __init__(self, inner: Any, name: str, spans: Spans, stage: str) -> None:
        self._inner = inner

        def watched(*args: Any, **kwargs: Any) -> Any:
            with spans.at(stage):
                return getattr(inner, name)(*args, **kwargs)

        setattr(self, name, watched)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def profile_index(vault: str, data_dir: str, device: str, model: str) -> dict[str, object]:
    """Index a vault on a device in this process and search it; seconds of each stage."""
    import config
    from obsidian_indexer.engine import Engine
    from obsidian_indexer.events import Progress, Stage
    from obsidian_indexer.store.catalog import Catalog

    spans, progress = Spans(), Progress()

    class WatchedEngine(Engine):
        """An engine whose model tells when it is at work."""

        def embedder(self, *args: Any) -> Embedder:
            with spans.at("load"):
                embedder = super().embedder(*args)
            if not isinstance(embedder.engine, _Watched):
                embedder.engine = _Watched(embedder.engine, "forward", spans, "forward")
                embedder.tokenizer = _Watched(embedder.tokenizer, "encode", spans, "tokenise")
            return embedder

    transaction = Catalog.transaction

    @contextmanager
    def watched_transaction(catalog: Catalog) -> Iterator[Any]:
        with spans.at("write" if progress.stage is Stage.EMBED else "other"), transaction(catalog) as result:
            yield result

    Catalog.transaction = watched_transaction  # type: ignore[method-assign,assignment]
    settings = {
        "vault.path": vault,
        "vault.data_dir": data_dir,
        "embedding.device": device,
        "embedding.engine": "torch",
        "embedding.model": model,
    }
    options = config.load(settings).options
    began = psutil.Process().create_time()
    started_s = time.time() - began
    with WatchedEngine.open(options) as engine:
        report = engine.index(progress=progress)
        with spans.at("search"):
            hits = engine.search("where is the kettle kept", mode="semantic").hits
        searchable_s = time.time() - began
    stages = {"start": started_s, **report.seconds_by_stage}
    stages |= {name: spans.busy_s(name) for name in ("load", "tokenise", "forward", "write", "search")}
    return {
        "notes": report.seen,
        "chunks": report.chunks,
        "embedded": report.embedded,
        "tokens": report.tokens,
        "failures": len(report.failures),
        "hits": len(hits),
        "searchable_s": round(searchable_s, 2),
        "chunks_per_s": round(report.embedded / searchable_s, 1),
        "seconds": {name: round(value, 3) for name, value in stages.items()},
    }


def index(vault: Path, device: str, model: str) -> dict[str, object]:
    """`profile_index` in a process of its own; why there is none, where it failed."""
    with tempfile.TemporaryDirectory() as data_dir:
        try:
            found = run_process([__file__, "--index-into", data_dir, "--vault", str(vault), *_same(device, model)])
        except SystemExit as failure:
            return {"failed": str(failure).strip().splitlines()[-1]}
    return {**found["output"], "peak_mib": found["peak_mib"]}


def _same(device: str, model: str) -> list[str]:
    return ["--device", device, "--model", model]


def cards() -> list[dict[str, object]]:
    """Every CUDA card: name, memory, generation."""
    import torch

    found = []
    for number in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(number)
        found.append(
            {
                "name": card.name,
                "memory_gib": round(card.total_memory / 2**30, 1),
                "compute": f"{card.major}.{card.minor}",
                "cuda": torch.version.cuda,
            }
        )
    return found


def measure(options: argparse.Namespace, vault: Path) -> dict[str, object]:
    """Everything, on one vault."""
    return {
        "benchmark": "gpu_profile",
        "machine": machine(),
        "cards": cards(),
        "model": options.model,
        "embedding": throughput(vault, options.device, options.model, options.passages, options.rounds),
        "index": index(vault, options.device, options.model),
    }


def main() -> int:
    """Parse the command line and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000, help="passages of the index")
    parser.add_argument("--passages", type=int, default=20_000, help="passages that the contenders read")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", default="default")
    parser.add_argument("--vault", type=Path, help="notes to index instead of written ones")
    parser.add_argument("--index-into", metavar="DATA_DIR", help="only index --vault here, and print its stages")
    options = parser.parse_args()
    if options.index_into:
        print(json.dumps(profile_index(str(options.vault), options.index_into, options.device, options.model)))
        return 0
    if options.device.startswith("cuda") and not cards():
        print("There is no CUDA card that torch can use here; --device cpu tries this program out.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        if options.vault is None:
            write_notes(Path(scratch), options.chunks)
        print(json.dumps(measure(options, options.vault or Path(scratch)), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
