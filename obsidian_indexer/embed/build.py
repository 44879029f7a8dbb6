"""Engines that take time to make: where they lie, whether they are whole, and making them in a process of their own.

    <data dir>/engines/<model, kind and versions>/   build.json, and model.xml with model.bin (for OpenVINO)
                                                     or model.onnx (for ONNX Runtime)

A build is made in a folder beside its place and renamed, so it is there whole or not at all. Its maker is a child
process: torch and the quantiser load there, their memory goes when it ends, and searches go on meanwhile. A model that
was refused leaves a `build.json` with the reason, so that it is not tried at every run.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from obsidian_indexer.embed.openvino_engine import openvino
from obsidian_indexer.embed.spec import ModelSpec
from obsidian_indexer.embed.workload import Workload
from obsidian_indexer.options import EmbedOptions

# Counts up when what is built, or how, changes.
_FORMAT = 2
# Every third is calibrated on, the others are to check. With 48 an int8 build is as near to float32 as with 180 (mean
# cosine .9980 both), in a third of the time.
_SAMPLED_TEXTS = 144
_POLL_S = 0.1
# Larger files are compared by size and by evenly spaced samples: reading gigabytes at each start would cost seconds.
_WHOLE_BYTES, _SAMPLES, _SAMPLE_BYTES = 64 * 2**20, 16, 65_536


class BuildKind(StrEnum):
    """What a build is: the model as it is, converted, or its weights and activations in eight bits."""

    FLOAT = "float"
    INT8 = "int8"


OPENVINO, ONNXRUNTIME = "openvino", "onnxruntime"
BUILD_ENGINES = (OPENVINO, ONNXRUNTIME)
"""What runs int8 builds, the first to be tried first."""
ONNX_FILE = "model.onnx"


def engines_for(kind: BuildKind, engine: str) -> tuple[str, ...]:
    """What may run a build of this kind where the settings ask for `engine`, the first to be tried first."""
    if kind is BuildKind.FLOAT:
        return (OPENVINO,)
    return BUILD_ENGINES if engine == "auto" else (engine,)


class BuildRefused(Exception):
    """The engine could not be made, or was not good enough; the message says why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an int8 engine must reach on texts of this vault that it was not calibrated on, against float32.

    Sound builds of the bundled model measure .998, .994 and .96 on notes in English; dynamic quantisation, which is
    unfit, has a mean of .952. The worst cosine guards single texts, the share of common neighbours the order of
    results. Where eight bits bring no speed, there is no gain to pay for any loss.
    """

    times_float32: float = 1.2
    mean_cosine: float = 0.99
    worst_cosine: float = 0.95
    neighbours: float = 0.85


@dataclass(frozen=True, slots=True)
class Job:
    """All that the child process needs: texts are embedded as they stand."""

    spec: ModelSpec
    kind: BuildKind
    options: EmbedOptions
    folder: Path
    calibration: list[str]
    held_out: list[str]
    limits: Limits


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the child process says: why there is no build, or what runs the one it wrote, and its figures."""

    refused: str | None = None
    engine: str = OPENVINO
    check: Mapping[str, float] = field(default_factory=dict)
    for_good: bool = True


@dataclass(frozen=True, slots=True)
class Build:
    """An engine on disk, found whole. `check` holds its figures against float32."""

    folder: Path
    kind: BuildKind
    engine: str
    seconds: float
    check: Mapping[str, float]

    def read(self) -> Any:
        """The `openvino.Model` of a build that OpenVINO runs."""
        return openvino().Core().read_model(self.folder / "model.xml")

    @property
    def onnx_file(self) -> Path:
        """The model file of a build that ONNX Runtime runs."""
        return self.folder / ONNX_FILE


class Builds:
    """The engines folder of one index. Only the holder of the writer lock makes builds."""

    def __init__(self, root: Path, limits: Limits | None = None) -> None:
        self._root = root
        self._limits = limits or Limits()

    def find(self, spec: ModelSpec, kind: BuildKind) -> Build | None:
        """The build of a model, or None when there is none, or it is damaged or from other versions."""
        folder = self._place(spec.identity, kind)
        record = _read_record(folder)
        if record.get("refused") is not None or record.get("format") != _FORMAT:
            return None
        files = record.get("files")
        if not isinstance(files, dict) or not files:
            return None
        if any(_digest(folder / name) != digest for name, digest in files.items()):
            return None
        engine = str(record.get("engine", OPENVINO))
        return Build(folder, kind, engine, float(record.get("seconds", 0.0)), record.get("check", {}))

    def record(self, identity: str, kind: BuildKind) -> Mapping[str, Any]:
        """What was written down of the build for a model of this identity, its files unseen; empty without one."""
        return _read_record(self._place(identity, kind))

    def refused(self, spec: ModelSpec, kind: BuildKind, engine: str = "auto") -> str | None:
        """Why an earlier attempt at this build was given up, if it tried all that the settings' `engine` allows."""
        record = self.record(spec.identity, kind)
        reason, tried = record.get("refused"), record.get("tried", [OPENVINO])
        return reason if isinstance(reason, str) and {*engines_for(kind, engine)} <= {*tried} else None

    def make(self, spec: ModelSpec, kind: BuildKind, options: EmbedOptions, work: Workload) -> Build:
        """Make a build with texts of the vault, in a child process. Raises BuildRefused or Cancelled."""
        started = time.monotonic()
        # They come sorted by length, so even steps make two sets alike.
        texts = list(dict.fromkeys(spec.document_prompt + text for text in work.sample(_SAMPLED_TEXTS)))
        calibration = texts[1::3]
        held_out = [text for i, text in enumerate(texts) if i % 3 != 1]
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._clear_scratch()
        scratch = Path(tempfile.mkdtemp(prefix=".making-", dir=self._root))
        try:
            with work.building():
                job = Job(spec, kind, options, scratch, calibration, held_out, self._limits)
                outcome = _in_child(job, work.check)
            seconds = round(time.monotonic() - started, 2)
            if outcome.refused is None or outcome.for_good:
                self._keep(job, outcome, seconds)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        if outcome.refused is not None:
            raise BuildRefused(outcome.refused)
        return Build(self._place(spec.identity, kind), kind, outcome.engine, seconds, outcome.check)

    def _keep(self, job: Job, outcome: Outcome, seconds: float) -> None:
        scratch, place = job.folder, self._place(job.spec.identity, job.kind)
        tried, before = {*engines_for(job.kind, job.options.engine)}, _read_record(place)
        if outcome.refused is not None and before.get("refused") is not None:
            tried.update(before.get("tried", [OPENVINO]))
        files = sorted(path for path in scratch.iterdir() if path.is_file())
        for path in files:
            path.chmod(0o600)
        record = {
            "format": _FORMAT,
            "model": job.spec.name,
            "kind": job.kind.value,
            "engine": outcome.engine,
            "tried": sorted(tried),
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": seconds,
            "versions": {name: _version(name) for name in (OPENVINO, ONNXRUNTIME, "torch", "sentence-transformers")},
            "refused": outcome.refused,
            "check": dict(outcome.check),
            "files": {path.name: _digest(path) for path in files},
        }
        file = scratch / "build.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(record, indent=2), "utf-8")
        shutil.rmtree(place, ignore_errors=True)
        scratch.rename(place)

    def _clear_scratch(self) -> None:
        """Remove what a maker that was killed left behind."""
        for path in self._root.glob(".making-*"):
            shutil.rmtree(path, ignore_errors=True)

    def _place(self, identity: str, kind: BuildKind) -> Path:
        parts = [identity, kind.value, str(_FORMAT)]
        if kind is BuildKind.FLOAT:
            parts.append(_version("openvino"))
        # An int8 build is a vector space of its own that comes out a little different each time it is made. It is kept
        # through upgrades, which read the files of older versions.
        return self._root / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _in_child(job: Job, check: Callable[[], None]) -> Outcome:
    """Run the job in a process of its own; it ends with this one."""
    from obsidian_indexer.embed.make_build import run_job

    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=run_job, args=(job, sender), name="build-engine", daemon=True)
    process.start()
    sender.close()
    try:
        while not receiver.poll(_POLL_S):
            check()
        outcome: Outcome = receiver.recv()
        return outcome
    except EOFError:
        return Outcome(refused="the process that built it ended early", for_good=False)
    finally:
        receiver.close()
        process.kill()
        process.join()


def _read_record(folder: Path) -> dict[str, Any]:
    try:
        value = json.loads((folder / "build.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _digest(path: Path) -> str:
    """A digest of a file's size and content, or of samples of it; '' when it cannot be read."""
    try:
        size = path.stat().st_size
        digest = hashlib.sha256(str(size).encode())
        with path.open("rb") as file:
            if size <= _WHOLE_BYTES:
                digest.update(file.read())
            else:
                for i in range(_SAMPLES):
                    file.seek(i * (size - _SAMPLE_BYTES) // (_SAMPLES - 1))
                    digest.update(file.read(_SAMPLE_BYTES))
    except OSError:
        return ""
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
