"""Which engines, in which number formats, can run a model here: what a tuning run measures."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from obsidian_indexer.embed.bench import Runner
from obsidian_indexer.embed.build import BUILD_ENGINES, OPENVINO, Builds
from obsidian_indexer.embed.engines import Choice, VectorEngine, choose, load_engine, settle
from obsidian_indexer.embed.openvino_engine import cpu_has_bfloat16
from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.embed.workload import Workload
from obsidian_indexer.errors import ModelError
from obsidian_indexer.options import EmbedOptions
from obsidian_indexer.tuning import Trial

# A loaded model takes its weights and about half as much for what it computes.
_MEMORY_PER_WEIGHT = 1.5


class OutOfBuildTime(Exception):
    """Raised by a workload's `check` when making an engine has taken longer than it may."""


@dataclass(frozen=True, slots=True)
class Field:
    """Who takes part in a race, and who cannot, with the reason as a note."""

    runners: tuple[Runner, ...]
    absent: tuple[Trial, ...]


def find_candidates(
    spec: ModelSpec, options: EmbedOptions, builds: Builds, work: Workload, *, may_build: bool = True
) -> Field:
    """Every engine and number format for a model here, likely the fastest first; engines are made where `may_build`.

    The settings' own engine, format and budget are not regarded, its device and `fast_mode` are. On an accelerator only
    torch takes part: the processor beside it is one or two orders slower. Raises Cancelled.
    """
    runners: list[Runner] = []
    absent: list[Trial] = []
    open_options = replace(options, engine="auto", dtype="auto", token_budget=0)
    for engine, dtype in _combinations(spec, open_options):
        # What runs an int8 build is known once it is made.
        engines = BUILD_ENGINES if dtype == "int8" else (engine,)
        asked = open_options if engine == "fake" else replace(open_options, engine=engine, dtype=dtype)
        try:
            choice = _chosen(spec, asked, builds, work, may_build)
        except (ModelError, OutOfBuildTime) as error:
            absent.append(Trial("/".join(engines), dtype, note=str(error), usable=False))
            continue
        if choice.engine not in engines or choice.dtype not in (dtype, None):
            note = choice.why or "not for this model"
            absent.append(Trial("/".join(engines), dtype, note=note, usable=False))
            continue
        runners.append(Runner(choice.engine, dtype, partial(_load, spec, asked, builds, choice, dtype)))
    return Field(tuple(runners), tuple(absent))


def _combinations(spec: ModelSpec, options: EmbedOptions) -> Iterator[tuple[str, str]]:
    if spec.folder is None:
        yield "fake", "float32"
        return
    from obsidian_indexer.embed.torch_devices import native_formats

    device, formats = native_formats(options)
    if not options.fast_mode:
        formats = ("float32",)
    if device == "cpu" and importlib.util.find_spec("openvino") is not None:
        if options.fast_mode:
            yield "auto", "int8"
            if cpu_has_bfloat16():
                yield OPENVINO, "bfloat16"
        yield OPENVINO, "float32"
    for dtype in reversed(formats):
        yield "torch", dtype


def _chosen(spec: ModelSpec, options: EmbedOptions, builds: Builds, work: Workload, may_build: bool) -> Choice:
    """What would run the model under these options, made if need be. Raises ModelError or OutOfBuildTime."""
    choice = choose(spec, options, builds, work=work)
    if not choice.make:
        return choice
    if not may_build:
        raise ModelError("not made yet, and there is no time to make it: allow more with --seconds")
    return settle(spec, options, builds, work)


def _load(spec: ModelSpec, options: EmbedOptions, builds: Builds, choice: Choice, dtype: str) -> VectorEngine:
    """The engine. Raises ModelError, also where memory does not suffice for one engine more."""
    if spec.folder is not None:
        import psutil

        needed = _MEMORY_PER_WEIGHT * _weights(spec.folder)
        if psutil.virtual_memory().available < needed:
            raise ModelError("not enough free memory to load it beside the others")
    engine = load_engine(spec, options, builds, choice)
    if engine.dtype != dtype:
        engine.close()
        raise ModelError(f"computes {engine.dtype}, whatever is asked of it")
    return engine


def _weights(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
