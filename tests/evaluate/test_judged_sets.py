"""Judged collections: read, made a vault, indexed and asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from obsidian_indexer.errors import ConfigError
from obsidian_indexer.evaluate.run import Course, evaluate_set
from obsidian_indexer.evaluate.sets import Document, note_names, read_set
from obsidian_indexer.evaluate.vaults import write_vault
from obsidian_indexer.options import Options, SearchOptions
from tests.kit import options_for


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return options_for(tmp_path, tmp_path / "unused")


def test_only_judged_queries_with_an_answer_are_read(collection: Path) -> None:
    (collection / "qrels.tsv").write_text("q1\t1\t1\nq2\ta/1\t0\n", "utf-8")
    assert list(read_set(collection).queries) == ["q1"]


def test_judgements_may_lie_in_a_folder(collection: Path) -> None:
    (collection / "qrels").mkdir()
    (collection / "qrels.tsv").rename(collection / "qrels" / "test.tsv")
    assert read_set(collection).judged["q2"] == {"a/1": 2}


def test_a_line_that_is_no_document_is_named(collection: Path) -> None:
    with (collection / "corpus.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"title": "no id"}\n')
    with pytest.raises(ConfigError, match=r"corpus\.jsonl, line 5"):
        read_set(collection)


def test_a_folder_that_is_no_collection_says_what_one_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"corpus\.jsonl, queries\.jsonl and qrels\.tsv"):
        read_set(tmp_path)


def test_names_differ_on_any_file_system() -> None:
    ids = ["a", "A", "a-2", "x/y", "x:y", "..", "", "한글", "n" * 300, "n" * 301]
    names = note_names(dict.fromkeys(ids, Document("", "")))
    assert len({name.casefold() for name in names.values()}) == len(ids)
    assert names["a"] == "a.md"
    assert names["한글"] == "한글.md"
    assert all(0 < len(name) < 100 and not name.startswith(".") and "/" not in name for name in names.values())


def test_every_mode_finds_the_documents(collection: Path, options: Options) -> None:
    report = evaluate_set(collection, options)
    assert (report.name, report.documents, report.failed) == ("garden", 4, 0)
    assert report.modes["keyword"].questions == 4
    # The queries' quotes, signs and colons are words like others: no filter hides an answer.
    assert report.modes["keyword"].hit_at_1 == 1.0
    # The fake model likes names and passages by chance.
    assert report.modes["hybrid"].recall_at_10 == 1.0
    assert report.modes["semantic"].recall_at_10 == 1.0
    assert report.modes["keyword"].ndcg_at_10 == pytest.approx(1.0)


def test_scores_are_told_for_each_script(collection: Path, options: Options) -> None:
    scripts = evaluate_set(collection, options, ["keyword"]).groups["script"]
    assert {script: modes["keyword"].questions for script, modes in scripts.items()} == {"latin": 3, "hangul": 1}


def test_a_limit_asks_fewer(collection: Path, options: Options) -> None:
    assert evaluate_set(collection, options, ["keyword"], limit=2).modes["keyword"].questions == 2


def test_a_kept_index_embeds_nothing_for_other_weights(collection: Path, options: Options, tmp_path: Path) -> None:
    keep = tmp_path / "keep"
    first = evaluate_set(collection, options, keep=keep)
    assert first.embedded == first.passages > 0
    keywords_only = replace(options, search=SearchOptions(semantic_weight=0.0))
    again = evaluate_set(collection, keywords_only, keep=keep)
    assert again.embedded == 0
    assert again.modes["hybrid"].ndcg_at_10 == pytest.approx(first.modes["keyword"].ndcg_at_10)


def test_each_model_of_a_kept_index_answers_for_itself(collection: Path, options: Options, tmp_path: Path) -> None:
    keep = tmp_path / "keep"
    wide = replace(options, embedding=replace(options.embedding, model="fake:128"))
    assert evaluate_set(collection, wide, ["semantic"], keep).model == "fake:128"
    assert evaluate_set(collection, options, ["semantic"], keep).model == "fake:64"
    assert evaluate_set(collection, wide, ["semantic"], keep).embedded == 0


def test_a_vault_follows_its_collection(tmp_path: Path) -> None:
    vault = write_vault({"a.md": ("a", b"one"), "f/b.md": ("b", b"two")}, tmp_path / "place")
    before = (vault / "a.md").stat().st_mtime_ns
    write_vault({"a.md": ("a", b"one"), "c.md": ("c", b"three")}, tmp_path / "place")
    assert sorted(file.name for file in vault.rglob("*.md")) == ["a.md", "c.md"]
    assert (vault / "a.md").stat().st_mtime_ns == before


def test_a_folder_of_somebody_elses_notes_is_refused_and_left_alone(tmp_path: Path) -> None:
    own = tmp_path / "place" / "vault" / "mine.md"
    own.parent.mkdir(parents=True)
    own.write_text("mine", "utf-8")
    with pytest.raises(ConfigError, match="--keep"):
        write_vault({"a.md": ("a", b"one")}, tmp_path / "place")
    assert own.read_text("utf-8") == "mine"


def test_the_course_ends_with_every_question_asked(collection: Path, options: Options) -> None:
    course = Course()
    evaluate_set(collection, options, ["keyword"], course=course)
    assert (course.done, course.total) == (4, 4)
