"""What the training table is made of."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path

import numpy as np

from training.invented import mark, romanise, sentences
from training.passages import glue, neighbours_in_a_row
from training.table import HeldOut, Pair, choose, usable


def pair(en: str, ko: str, source: str = "a") -> Pair:
    return Pair(en, ko, source, "domain")


def test_hangul_is_romanised_syllable_by_syllable() -> None:
    assert romanise("진주성 2026") == "jinjuseong 2026"


def test_particles_follow_the_final_consonant_of_the_word_before_them() -> None:
    made = list(sentences(400, [("책", "Book"), ("나무", "Tree")], seed=1))
    assert not any("{" in p.ko or "{" in p.en for p in made)
    assert any("책은" in p.ko or "《책》은" in p.ko for p in made)
    assert any("나무는" in p.ko or "《나무》는" in p.ko for p in made)
    assert not any("책는" in p.ko or "나무은" in p.ko for p in made)


def test_a_mark_stands_in_front_of_both_sides_alike() -> None:
    marked = mark(pair("a meeting", "회의"), ["북한산"], random.Random(3))
    name_ko, name_en = marked.ko.removesuffix("회의"), marked.en.removesuffix("a meeting")
    assert name_ko != marked.ko
    assert name_en != marked.en


def test_what_is_no_translation_by_its_form_is_left_out() -> None:
    assert usable(pair("How to link a note", "노트를 연결하는 방법"))
    assert not usable(pair("How to link a note", "How to link a note"))
    assert not usable(pair("노트를 연결", "노트를 연결하는 방법"))
    assert not usable(
        pair(
            "A very long sentence that goes on to say much more than its partner ever does", "짧은 글입니다, 그렇지요?"
        )
    )


def test_texts_of_a_held_out_set_are_dropped_in_either_language(tmp_path: Path) -> None:
    english = "the quick brown fox jumps over the lazy sleeping dog today"
    korean = "빠른 갈색 여우가 게으른 잠자는 개를 오늘 뛰어넘었습니다"
    rows = [{"_id": "1", "text": english}, {"_id": "2", "text": f"앞말 {korean}"}]
    (tmp_path / "corpus.jsonl").write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    held_out = HeldOut([tmp_path])
    pairs = [
        pair(english.upper(), "빠른 여우 이야기를 하나 합니다 오늘은"),
        pair("A fox story, told slowly again", korean),
    ]
    pairs.append(pair("Something else entirely", "전혀 다른 이야기"))
    chosen, left_out = choose(pairs, held_out, {"cap": {"*": 10}}, seed=1)
    assert [p.en for p in chosen] == ["Something else entirely"]
    assert left_out["in a held-out set"] == 2


def test_no_source_exceeds_its_cap() -> None:
    pairs = [
        pair(f"sentence number {i} of {source}", f"{source}의 문장 번호 {i}", source)
        for i in range(20)
        for source in ("a", "b")
    ]
    chosen, left_out = choose(pairs, HeldOut([]), {"cap": {"*": 15, "b": 4}}, seed=1)
    assert sum(p.source == "a" for p in chosen) == 15
    assert sum(p.source == "b" for p in chosen) == 4
    assert left_out["over its source's cap"] == 21


def test_like_texts_come_to_stand_side_by_side() -> None:
    generator = np.random.default_rng(5)
    centres = generator.standard_normal((4, 16))
    groups = np.repeat(np.arange(4), 12)
    vectors = (centres[groups] + 0.05 * generator.standard_normal((48, 16))).astype(np.float16)
    shuffled = generator.permutation(48).tolist()
    order = neighbours_in_a_row(vectors, shuffled, generator)
    assert sorted(order) == list(range(48))
    changes = sum(groups[a] != groups[b] for a, b in pairwise(order))
    assert changes == 3


def test_a_passage_joins_the_same_sentences_in_both_languages() -> None:
    pairs = [pair(f"This is sentence {i} of the text.", f"이것은 이 글의 {i}번째 문장입니다.") for i in range(200)]
    vectors = np.random.default_rng(1).standard_normal((200, 8)).astype(np.float16)
    passages = glue(pairs, vectors, {"*": 2.0}, seed=2)
    assert len(passages) > 10
    for passage in passages:
        numbers_en = [word for word in passage.en.split() if word.isdigit()]
        numbers_ko = [word.removesuffix("번째") for word in passage.ko.split() if word.endswith("번째")]
        assert numbers_en == numbers_ko
        assert len(numbers_en) > 1
