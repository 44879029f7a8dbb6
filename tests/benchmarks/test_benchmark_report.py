"""The tables of docs/performance.md: every place gets its own result, and says so where there is none."""

from __future__ import annotations

import re

from benchmarks.report import PAGE, QUALITY, RESULTS, fill, flatten, render
from benchmarks.run_all import commands

MACHINE = {
    "cpu": "A cpu",
    "cores": 2,
    "memory_gib": 8.0,
    "system": "Linux",
    "python": "3.11",
    "packages": {"numpy": "2.0"},
}


def test_nested_figures_get_dotted_names() -> None:
    assert flatten({"a": {"b": 1, "c": [1.5, 2.5]}, "d": [{"e": True}], "f": None}) == {
        "a.b": "1",
        "a.c": "1.5, 2.5",
        "d.0.e": "yes",
        "f": "–",
    }


def test_each_place_is_filled_with_its_own_result_and_again_when_that_changes() -> None:
    page = "Before\n\n<!-- table one -->\n<!-- end -->\n\nbetween\n\n<!-- table two -->\nold\n<!-- end -->\nafter\n"
    one = {"benchmark": "one", "machine": MACHINE, "figure_s": 1.25}
    filled = fill(page, {"one": one})
    assert "| figure_s | 1.25 |" in filled
    assert "no `benchmarks/results/two.json`" in filled
    assert "old" not in filled
    assert "between" in filled
    assert fill(filled, {"one": {**one, "figure_s": 3}}) == filled.replace("1.25", "3")


def test_runs_stand_beside_each_other() -> None:
    runs = [{"notes": 1000, "full": {"s": 1.0}}, {"notes": 6000, "full": {"s": 5.5, "mib": 7}}]
    table = render({"benchmark": "scale", "machine": MACHINE, "runs": runs, "growth": {"ratio": 1.1}})
    assert "| notes | 1,000 | 6,000 |" in table
    assert "| full.s | 1.0 | 5.5 |" in table
    assert "| full.mib |  | 7 |" in table
    assert "| growth.ratio | 1.1 |" in table
    assert "A cpu, 2 cores" in table


def test_contenders_stand_below_each_other_and_the_skipped_are_named() -> None:
    result = {
        "benchmark": "index_vault",
        "machine": MACHINE,
        "contenders": {"ours": {"seconds": 2.0, "dtype": "int8"}, "peer": {"seconds": 20.0}},
        "skipped": {"other": "not installed: other"},
        "times_faster": {"peer": 10.0},
    }
    table = render(result)
    assert "| ours | 2.0 | int8 |" in table
    assert "| peer | 20.0 |  |" in table
    assert "Skipped: other (not installed: other)." in table
    assert "| times_faster.peer | 10.0 |" in table


def test_an_ablation_has_a_row_for_each_way_and_a_column_for_each_set() -> None:
    figures = {"questions": 100, "cut": 5, "ndcg": {"all": 0.8, "links": 0.25}}
    result = {
        "benchmark": "ablation",
        "machine": MACHINE,
        "model": "a model",
        "weights": {"titles": 0.1},
        "sets": {"one": figures, "two": {**figures, "cut": 10, "ndcg": {"all": 0.5, "links": 0.0}}},
    }
    table = render(result)
    assert "| nDCG | one @5 | two @10 |" in table
    assert "| all | 0.800 | 0.500 |" in table
    assert "| links | 0.250 | 0.000 |" in table
    assert "| weights.titles | 0.1 |" in table


def test_ways_of_making_terms_stand_below_each_other() -> None:
    ways = {"pairs": {"one": 0.5, "two": 0.25}, "both": {"one": 0.75, "two": 0.5}}
    table = render({"benchmark": "korean_terms", "machine": MACHINE, "ways": ways})
    assert "| nDCG@10 | one | two |" in table
    assert "| both | 0.75 | 0.5 |" in table


def test_the_page_has_a_place_for_every_benchmark_that_is_run_and_for_no_other() -> None:
    places = re.findall(r"<!-- table ([\w.]+) -->", PAGE.read_text("utf-8") + QUALITY.read_text("utf-8"))
    # Behind a dot stands the kind of another machine that it was run on too.
    assert {place.partition(".")[0] for place in places} == set(commands(RESULTS, "python"))
    assert {file.stem for file in RESULTS.glob("*.json")} <= set(places)


def test_the_page_shows_the_results_that_are_kept() -> None:
    import json

    results = {file.stem: json.loads(file.read_text("utf-8")) for file in RESULTS.glob("*.json")}
    for page in (PAGE.read_text("utf-8"), QUALITY.read_text("utf-8")):
        assert fill(page, results) == page
