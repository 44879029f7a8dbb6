"""What the GPU benchmark makes of its measurements, and what it does without a card."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import gpu_profile
from benchmarks.embed_throughput import Timed, read_passages
from benchmarks.gpu_profile import Spans, ratios, write_notes


def timed(seconds: float, vectors: list[list[float]]) -> Timed:
    return Timed(lambda: None, [seconds, 2 * seconds], [seconds], np.asarray(vectors))


def test_ours_is_set_against_the_fastest_encode_and_the_forward_pass() -> None:
    same, other = [[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]
    found = ratios(
        {
            "ours": timed(2.0, same),
            "forward_only": timed(1.5, []),
            "encode 2000 float32": timed(40.0, other),
            "encode 2000 bfloat16": timed(12.0, same),
        },
        n_texts=60,
    )
    assert found["fastest_encode"] == "encode 2000 bfloat16"
    assert found["times_encode"] == 6.0
    assert found["share_of_forward_only"] == 0.75
    assert (found["mean_cosine"], found["worst_cosine"]) == (1.0, 1.0)


def test_seconds_of_a_stage_are_counted_once_however_many_threads_were_at_it() -> None:
    now = 0.0
    spans = Spans(lambda: now)
    with spans.at("forward"):
        now = 2.0
        with spans.at("forward"):
            now = 3.0
        now = 5.0
    now = 7.0
    with spans.at("forward"):
        now = 8.0
    assert spans.busy_s("forward") == 6.0
    assert spans.busy_s("write") == 0.0


def test_written_notes_make_about_as_many_passages_as_asked(tmp_path: Path) -> None:
    write_notes(tmp_path, 100)
    assert len(read_passages(str(tmp_path))) == pytest.approx(100, rel=0.15)


def test_without_a_card_it_says_so_and_ends_with_two(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpu_profile, "cards", list)
    monkeypatch.setattr(sys, "argv", ["gpu_profile.py"])
    assert gpu_profile.main() == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "no CUDA card" in err
