"""Who takes part in a tuning run, on the bundled model and on the fake one."""

from __future__ import annotations

from pathlib import Path

import pytest

from obsidian_indexer.embed.build import Build, BuildKind, BuildRefused, Builds
from obsidian_indexer.embed.candidates import OutOfBuildTime, find_candidates
from obsidian_indexer.embed.spec import ModelSpec, resolve_model
from obsidian_indexer.embed.workload import Workload
from obsidian_indexer.options import EmbedOptions


class RefusingBuilds(Builds):
    """No engine is there, and none can be made."""

    def make(self, spec: ModelSpec, kind: BuildKind, options: EmbedOptions, work: Workload) -> Build:
        work.check()
        raise BuildRefused("its mean cosine is 0.9, below 0.99")

    def refused(self, spec: ModelSpec, kind: BuildKind, engine: str = "auto") -> str | None:
        return None


def on_cpu(**changes: object) -> EmbedOptions:
    return EmbedOptions(device="cpu", **changes)  # type: ignore[arg-type]


def test_the_fake_model_has_one_engine(tmp_path: Path) -> None:
    options = EmbedOptions(model="fake:8")
    field = find_candidates(resolve_model(options), options, Builds(tmp_path), Workload())
    assert [(runner.engine, runner.dtype) for runner in field.runners] == [("fake", "float32")]
    assert field.absent == ()
    assert field.runners[0].load().dim == 8


@pytest.mark.parametrize(
    "options", [on_cpu(), on_cpu(engine="torch", dtype="float32", token_budget=64)], ids=["plain", "tuned before"]
)
def test_every_engine_takes_part_whatever_the_settings_chose(tmp_path: Path, options: EmbedOptions) -> None:
    field = find_candidates(resolve_model(options), options, Builds(tmp_path), Workload(), may_build=False)
    names = [(runner.engine, runner.dtype) for runner in field.runners]
    assert ("openvino", "float32") in names
    assert ("torch", "float32") in names
    (absent,) = [trial for trial in field.absent if trial.dtype == "int8"]
    assert "--seconds" in absent.note
    assert not absent.usable
    engine = next(runner for runner in field.runners if runner.engine == "openvino").load()
    assert engine.token_budget > 64
    engine.close()


def test_without_fast_mode_only_float32_takes_part(tmp_path: Path) -> None:
    options = on_cpu(fast_mode=False)
    field = find_candidates(resolve_model(options), options, Builds(tmp_path), Workload())
    assert {runner.dtype for runner in field.runners} == {"float32"}
    assert field.absent == ()


def test_an_int8_engine_that_failed_its_check_is_listed_with_the_figure(tmp_path: Path) -> None:
    options = on_cpu()
    field = find_candidates(resolve_model(options), options, RefusingBuilds(tmp_path), Workload())
    assert "int8" not in {runner.dtype for runner in field.runners}
    (absent,) = [trial for trial in field.absent if trial.dtype == "int8"]
    assert "mean cosine is 0.9" in absent.note


def test_an_engine_that_takes_too_long_to_make_is_left_out(tmp_path: Path) -> None:
    def check() -> None:
        raise OutOfBuildTime("making it took more than 20 s")

    options = on_cpu()
    field = find_candidates(resolve_model(options), options, RefusingBuilds(tmp_path), Workload(check=check))
    (absent,) = [trial for trial in field.absent if trial.dtype == "int8"]
    assert absent.note == "making it took more than 20 s"
    assert ("torch", "float32") in [(runner.engine, runner.dtype) for runner in field.runners]
