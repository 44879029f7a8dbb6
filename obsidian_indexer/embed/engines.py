"""The one face of everything that runs a model (token ids in, unit vectors out), and the choice of what runs it."""

from __future__ import annotations

import importlib.util
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from obsidian_indexer.embed.build import (
    BUILD_ENGINES,
    ONNXRUNTIME,
    OPENVINO,
    Build,
    BuildKind,
    BuildRefused,
    Builds,
    engines_for,
)
from obsidian_indexer.embed.encoder import UnsupportedModel, layout_of
from obsidian_indexer.embed.openvino_engine import OpenVinoEngine, cpu_has_bfloat16
from obsidian_indexer.embed.openvino_graph import read_graph
from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.embed.tokens import TokenIds
from obsidian_indexer.embed.workload import Workload
from obsidian_indexer.errors import ModelError
from obsidian_indexer.events import NoticeEvent
from obsidian_indexer.options import EmbedOptions

Vectors = NDArray[np.float32]

# On two cores (benchmarks/embed_throughput.py) making int8 takes so many seconds and saves so many µs a token: against
# bfloat16, or against float32 where there is none, as measured without instructions for eight bits. A conversion takes
# 10 s and saves 17 µs against torch. Both sides grow alike with the model and shrink with the cores.
_INT8_S, _SAVED_US = {"bfloat16": 2.5, "float32": 9.5}, {"bfloat16": 11, "float32": 73}
# Notes change, so what a run embeds is about half of what the index will embed with the engine made for it.
_INT8_USES = 2
CONVERSION_PAYS_TOKENS = 600_000
# Where a graphics processor that torch can use announces itself under Linux (NVIDIA, AMD, WSL).
_ACCELERATORS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


class VectorEngine(Protocol):
    """Runs one model on one device.

    `token_budget` is the number of padded tokens in one batch that serves this device best, `lanes` how many threads
    may call `forward` at once, `width_step` what widths are padded to.
    """

    name: str
    device: str
    dtype: str
    dim: int
    token_budget: int
    lanes: int
    width_step: int

    @property
    def detail(self) -> str:
        """What else tells this engine apart, in a few words; may be empty."""

    @property
    def room_tokens(self) -> int:
        """Padded tokens that the device's memory would hold in one batch, as the last ones show; 0 while unknown."""

    def forward(self, batch: Sequence[TokenIds]) -> Vectors:
        """Vectors of a batch of encoded texts: float32[n, dim], unit length.

        Raises OutOfMemory when the batch was too large for the device.
        """

    def forward_exact(self, ids: TokenIds) -> Vectors:
        """One text in float32 on the CPU: float32[dim]. Slow; for what a batch could not do."""

    def close(self) -> None:
        """Give the device's memory back."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to run a model. `dtype` None leaves it to torch and its device.

    `build` is the kind of build that the engine runs, None for a graph read from the weights; `make` says that it must
    be made first, and then it may turn out to be one for another engine. `why` tells why a wish was not followed.
    """

    engine: str
    dtype: str | None = None
    build: BuildKind | None = None
    make: bool = False
    why: str = ""

    def is_met_by(self, engine: VectorEngine) -> bool:
        """Whether a loaded engine is what this choice would load."""
        return not self.make and engine.name == self.engine and self.dtype in (None, engine.dtype)


def choose(
    spec: ModelSpec,
    options: EmbedOptions,
    builds: Builds,
    *,
    dtype: str | None = None,
    work: Workload | None = None,
    refused: Mapping[BuildKind, str] | None = None,
) -> Choice:
    """The fastest engine that runs this model here, without loading it.

    `dtype` is the number format of the vectors to stay with. Without `work` a query is all there is to embed: then
    nothing is made, and the CPU does. `refused` are builds that just failed. Raises ModelError.
    """
    wanted = dtype or (None if options.dtype == "auto" else options.dtype)
    if spec.folder is None:
        return Choice("fake")
    obstacle = _obstacle(options, wanted)
    open_to_others = work is not None and options.engine == "auto" and wanted != "int8"
    if obstacle is None and open_to_others and _accelerator(options):
        obstacle = "a graphics processor is faster"
    if obstacle is None:
        return _on_cpu(_Case(spec, options, builds, wanted, work, refused or {}))
    if wanted == "int8":
        raise ModelError(f"int8 is for the CPU and needs OpenVINO ({obstacle}). Set embedding.dtype = 'auto'.")
    if options.engine in BUILD_ENGINES:
        raise ModelError(f"{options.engine} cannot be used: {obstacle}. Set embedding.engine = 'auto'.")
    return Choice("torch", wanted)


def _obstacle(options: EmbedOptions, wanted: str | None) -> str | None:
    """Why OpenVINO is out of the question, whatever the model."""
    if options.engine == "torch":
        return "embedding.engine is 'torch'"
    if options.device not in ("auto", "cpu"):
        return f"embedding.device is '{options.device}'"
    if wanted == "float16":
        return "OpenVINO computes no float16 on the CPU"
    if importlib.util.find_spec("openvino") is None:
        return "OpenVINO is not installed (pip install openvino)"
    return None


def int8_pays_tokens(spec: ModelSpec) -> int:
    """Pending tokens from which on an int8 build is worth its making; a model that must be converted takes longer."""
    instead = "bfloat16" if cpu_has_bfloat16() else "float32"
    tokens = round(_INT8_S[instead] * 1e6 / (_INT8_USES * _SAVED_US[instead]))
    return tokens if _unreadable(spec) is None else max(tokens, CONVERSION_PAYS_TOKENS)


def _accelerator(options: EmbedOptions) -> bool:
    """Whether torch has more than the CPU here; torch is asked only where a device shows itself."""
    if options.device == "cpu":
        return False
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    if sys.platform.startswith("linux") and not any(Path(device).exists() for device in _ACCELERATORS):
        return False
    import torch

    return bool(torch.cuda.is_available())


@dataclass(frozen=True, slots=True)
class _Case:
    """The question put to `_on_cpu`."""

    spec: ModelSpec
    options: EmbedOptions
    builds: Builds
    wanted: str | None
    work: Workload | None
    refused: Mapping[BuildKind, str]

    def why_not(self, kind: BuildKind) -> str | None:
        return self.refused.get(kind) or self.builds.refused(self.spec, kind, self.options.engine)

    def may_make(self, pays_tokens: int) -> bool:
        """Whether a build may be made now: asked for by name, or worth its time."""
        named = self.options.engine in BUILD_ENGINES
        return self.work is not None and (named or self.work.n_tokens >= pays_tokens)


def _on_cpu(case: _Case) -> Choice:
    """int8 where that is wanted or pays, else OpenVINO in the wanted format where it can, else torch."""
    why = ""
    if case.wanted == "int8" or (case.wanted is None and case.options.fast_mode):
        int8 = _int8(case)
        if int8.engine:
            return int8
        why = int8.why
    dtype = case.wanted if case.wanted not in (None, "int8") else None
    if dtype is None:
        dtype = "bfloat16" if case.options.fast_mode and cpu_has_bfloat16() else "float32"
    elif dtype == "bfloat16" and not cpu_has_bfloat16():
        return Choice("torch", dtype, why=why or "this processor has no bfloat16")
    if case.options.engine == ONNXRUNTIME:
        why = why or "onnxruntime runs int8 builds alone"
    unsupported = _unreadable(case.spec)
    if unsupported is None:
        return Choice(OPENVINO, dtype, why=why)
    if case.builds.find(case.spec, BuildKind.FLOAT) is not None:
        return Choice(OPENVINO, dtype, BuildKind.FLOAT, why=why)
    refusal = case.why_not(BuildKind.FLOAT)
    if refusal is None and case.may_make(CONVERSION_PAYS_TOKENS):
        return Choice(OPENVINO, dtype, BuildKind.FLOAT, make=True, why=why)
    return Choice("torch", dtype, why=why or refusal or "")


def _int8(case: _Case) -> Choice:
    """The int8 build, there or to be made; an empty engine when there is and will be none."""
    engines = engines_for(BuildKind.INT8, case.options.engine)
    build = case.builds.find(case.spec, BuildKind.INT8)
    if build is not None:
        # Vectors of another build, though as near to float32, would be a space of their own: this one stays.
        why = "" if build.engine in engines else "the int8 engine of this index was made for it"
        return Choice(build.engine, "int8", BuildKind.INT8, why=why)
    refusal = case.why_not(BuildKind.INT8)
    if case.work is None and case.wanted == "int8":
        raise ModelError("The int8 engine that made this index is missing or damaged. Run 'index' to make it again.")
    if refusal is None and (case.wanted == "int8" or case.may_make(int8_pays_tokens(case.spec))):
        return Choice(engines[0], "int8", BuildKind.INT8, make=True)
    is_told = case.wanted == "int8" or case.options.engine == ONNXRUNTIME
    return Choice("", why=f"no int8 engine: {refusal}" if refusal and is_told else "")


def _unreadable(spec: ModelSpec) -> str | None:
    """The part of a model that the graph does not know, if any."""
    try:
        layout_of(spec)
    except UnsupportedModel as error:
        return str(error)
    return None


def settle(
    spec: ModelSpec, options: EmbedOptions, builds: Builds, work: Workload, *, dtype: str | None = None
) -> Choice:
    """Choose for a run, making what must be made; what came of it goes to the run as a notice.

    Raises ModelError or Cancelled.
    """
    refused: dict[BuildKind, str] = {}
    while True:
        choice = choose(spec, options, builds, dtype=dtype, work=work, refused=refused)
        if not choice.make or choice.build is None:
            break
        try:
            build = builds.make(spec, choice.build, options, work)
        except BuildRefused as error:
            refused[choice.build] = str(error)
            work.on_event(NoticeEvent(f"No {choice.build} engine for {spec.name}: {error}."))
            continue
        work.on_event(NoticeEvent(_made(spec, build)))
    named = options.engine in BUILD_ENGINES
    if choice.why and not refused and (named or options.dtype == "int8"):
        work.on_event(NoticeEvent(f"{choice.engine} runs {spec.name} in {choice.dtype}: {choice.why}."))
    return choice


def _made(spec: ModelSpec, build: Build) -> str:
    if build.kind is BuildKind.FLOAT:
        return f"Converted {spec.name} for OpenVINO in {build.seconds:.0f} s."
    check = build.check
    return (
        f"Made an int8 engine of {spec.name} for {build.engine} in {build.seconds:.0f} s. On {check['compared']:.0f} "
        f"passages of this vault, against float32: mean cosine {check['mean_cosine']:.4f}, worst "
        f"{check['worst_cosine']:.4f}, {check['neighbours']:.0%} of the ten nearest the same, "
        f"{check['times_float32']:.1f}× as fast."
    )


def load_engine(spec: ModelSpec, options: EmbedOptions, builds: Builds, choice: Choice) -> VectorEngine:
    """The engine that was chosen, ready. Raises ModelError when the model cannot be loaded."""
    if spec.folder is None:
        from obsidian_indexer.embed.fake import FakeEngine

        return FakeEngine(spec.fake_dim)
    try:
        if choice.engine in (OPENVINO, ONNXRUNTIME):
            try:
                return _load_cpu(spec, options, builds, choice)
            except UnsupportedModel:  # its files promised an architecture that its weights do not have
                if choice.dtype == "int8":
                    raise
        from obsidian_indexer.embed.torch_engine import load_torch

        return load_torch(spec, options, choice.dtype)
    except ModelError:
        raise
    except Exception as error:  # the libraries below raise whatever they like on a bad model folder
        raise ModelError(f"The model '{spec.name}' could not be loaded: {type(error).__name__}: {error}") from error


def _load_cpu(spec: ModelSpec, options: EmbedOptions, builds: Builds, choice: Choice) -> VectorEngine:
    assert choice.dtype is not None
    in_float = _float_reader(spec, builds)
    read = in_float
    if choice.build is BuildKind.INT8:
        build = builds.find(spec, BuildKind.INT8)
        if build is None:
            raise ModelError("The int8 engine is missing or damaged. Run 'index' to make it again.")
        if build.engine == ONNXRUNTIME:
            from obsidian_indexer.embed.onnx_engine import OnnxEngine

            assert in_float is not None  # such a build is laid from the weights as the float graph is
            return OnnxEngine(build.onnx_file, options, spec.max_tokens, read_exact=in_float)
        read = build.read
    if read is None:
        raise ModelError(f"The engine of '{spec.name}' is missing or damaged. Run 'index' to make it again.")
    return OpenVinoEngine(read, choice.dtype, options, spec.max_tokens, read_exact=in_float)


def _float_reader(spec: ModelSpec, builds: Builds) -> Callable[[], Any] | None:
    """What gives the model's graph in float32, if there is anything that does."""
    try:
        layout = layout_of(spec)
    except UnsupportedModel:
        build = builds.find(spec, BuildKind.FLOAT)
        return build.read if build is not None else None
    return lambda: read_graph(layout)
