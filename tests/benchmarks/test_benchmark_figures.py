"""What the benchmarks make of their measurements."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.index_vault import figures
from benchmarks.scale import best_of, edit, growth, link_notes, stages_per_note


def test_the_best_run_counts_and_the_engine_that_is_made_once_is_told_apart() -> None:
    def run(seconds: float, build_s: float = 0.0) -> dict[str, object]:
        return {"seconds": seconds, "peak_mib": 100.0 + seconds, "build_s": build_s, "output": {"passages": 7}}

    result = figures({"ours": [run(12.0, 8.0), run(10.0, 7.0)], "slow": [run(40.0)], "quick": [run(21.0), run(24.0)]})
    assert result["contenders"]["ours"]["seconds"] == 10.0
    assert result["contenders"]["ours"]["seconds_without_build"] == 3.0
    assert result["contenders"]["ours"]["peak_mib"] == 112.0
    assert result["times_faster"] == {"slow": 13.33, "quick": 7.0}
    assert result["times_faster_with_build"] == {"slow": 4.0, "quick": 2.1}
    assert result["times_faster_than_best"] == 7.0


def test_without_any_peer_there_is_no_ratio() -> None:
    ours = {"seconds": 1.0, "peak_mib": 1.0, "build_s": 0.0, "output": {}}
    assert figures({"ours": [ours]})["times_faster_than_best"] is None


def test_stages_are_told_by_note() -> None:
    report = {"seconds_by_stage": {"scan": 1.0, "parse": 5.0, "embed": 2.0, "store": 3.0}, "write_cpu_s": 0.5}
    assert stages_per_note(report, 500) == {"scan": 2.0, "parse": 10.0, "write_cpu": 1.0, "embed": 4.0, "store": 6.0}


def test_growth_is_the_ratio_of_costs_per_note() -> None:
    stages = ("scan", "parse", "write_cpu", "embed", "store")
    first = {"notes": 10, "full": {"peak_mib": 200.0, "ms_per_note": dict.fromkeys(stages, 2.0)}}
    last = {"notes": 60, "full": {"peak_mib": 260.0, "ms_per_note": {**dict.fromkeys(stages, 2.0), "write_cpu": 3.0}}}
    found = growth(first, last)
    assert found["memory_ratio"] == 1.3
    assert found["ms_per_note_ratio"] == {**dict.fromkeys(stages, 1.0), "write_cpu": 1.5}
    assert found["all_stages_ratio"] == 1.0


def test_an_edit_of_a_linked_note_leaves_the_vault_alone(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    (vault / "a").mkdir(parents=True)
    for number in range(10):
        (vault / "a" / f"{number}.md").write_text(f"Note {number}", "utf-8")
    assert link_notes(vault, tmp_path / "scratch", 5) == 5
    linked = sorted((tmp_path / "scratch").rglob("*.md"))
    assert [note.name for note in linked] == ["0.md", "2.md", "4.md", "6.md", "8.md"]
    edit(linked[0], "More.")
    assert linked[0].read_text("utf-8") == "Note 0\n\nMore.\n"
    assert (vault / "a" / "0.md").read_text("utf-8") == "Note 0"


@pytest.mark.parametrize("asked", [0, 3, 99])
def test_no_more_notes_are_linked_than_there_are(tmp_path: Path, asked: int) -> None:
    (tmp_path / "vault").mkdir()
    for number in range(3):
        (tmp_path / "vault" / f"{number}.md").write_text("x", "utf-8")
    count = link_notes(tmp_path / "vault", tmp_path / "scratch", asked)
    assert count == min(asked, 3) == len(list((tmp_path / "scratch").rglob("*.md")))


def test_of_several_rounds_the_least_times_and_the_highest_memory_are_told() -> None:
    rounds = [
        {"notes": 10, "full": {"peak_mib": 5.0, "ms_per_note": {"scan": 2.0, "parse": 1.0}}},
        {"notes": 10, "full": {"peak_mib": 7.0, "ms_per_note": {"scan": 1.5, "parse": 3.0}}},
    ]
    assert best_of(rounds) == {"notes": 10, "full": {"peak_mib": 7.0, "ms_per_note": {"scan": 1.5, "parse": 1.0}}}
