"""How a note is cut: what stays together, what leads each passage, what happens to the too large and the too small."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from obsidian_indexer.chunk import ChunkLimits, block_key, block_keys, chunk_note
from obsidian_indexer.records import Block, BlockKind, Chunk, Note, NoteKind, NoteWarning

LIMITS = ChunkLimits(target_tokens=40, max_tokens=60, min_tokens=8)


def count_words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


class NoteBuilder:
    """A note written block by block; each block stands two lines below the one before."""

    def __init__(self, title: str = "My note", **fields: object) -> None:
        self.title = title
        self.fields = fields
        self.blocks: list[Block] = []
        self._path: list[tuple[int, str]] = []
        self._line = 1

    def heading(self, level: int, text: str) -> NoteBuilder:
        self._path = [above for above in self._path if above[0] < level]
        self._add(BlockKind.HEADING, text)
        self._path.append((level, text))
        return self

    def block(self, text: str, kind: BlockKind = BlockKind.PARAGRAPH, embedded: str | None = None) -> NoteBuilder:
        self._add(kind, text, embedded)
        return self

    def _add(self, kind: BlockKind, text: str, embedded: str | None = None) -> None:
        fences = 2 if kind is BlockKind.CODE else 0
        end = self._line + text.count("\n") + fences
        headings = tuple(name for _, name in self._path)
        self.blocks.append(Block(kind, text, self._line, end, headings, embedded))
        self._line = end + 2

    def note(self) -> Note:
        fields = {"lead": self.title, **self.fields}
        return Note("note.md", "0" * 64, self.title, blocks=tuple(self.blocks), **fields)  # type: ignore[arg-type]


def cut(builder: NoteBuilder, limits: ChunkLimits = LIMITS, **options: object) -> list[Chunk]:
    return chunk_note(builder.note(), limits, count_words, **options)  # type: ignore[arg-type]


def words(n: int, word: str = "word") -> str:
    return " ".join(f"{word}{number}" for number in range(n))


def test_breadcrumb_leads_each_passage() -> None:
    built = NoteBuilder().heading(1, "One").block(words(30)).heading(2, "Sub").block(words(30))
    first, second = cut(built)
    assert first.embedded_text.splitlines()[0] == "My note > One"
    assert second.embedded_text.splitlines()[0] == "My note > One > Sub"
    assert second.headings == ("One", "Sub")
    assert second.text.splitlines()[0] == "Sub"


def test_heading_equal_to_the_title_is_not_said_twice() -> None:
    (chunk,) = cut(NoteBuilder("Coffee").heading(1, "Coffee").block(words(20)))
    assert chunk.embedded_text.splitlines()[0] == "Coffee"


def test_breadcrumb_can_be_switched_off() -> None:
    limits = ChunkLimits(40, 60, 8, breadcrumb=False)
    (chunk,) = cut(NoteBuilder().heading(1, "One").block("text"), limits)
    assert chunk.embedded_text == "My note\nOne\ntext"


def test_lead_stands_in_the_first_passage_only() -> None:
    built = NoteBuilder(lead="My note\nalias\na description").block(words(39)).block(words(39))
    first, second = cut(built)
    assert first.embedded_text.startswith("My note\nalias\na description\nword0")
    assert "alias" not in second.embedded_text


def test_lead_gets_its_own_passage_when_the_first_block_needs_the_room() -> None:
    built = NoteBuilder(lead="My note\n" + words(15, "alias")).block(words(50), BlockKind.CODE)
    lead, code = cut(built)
    assert lead.embedded_text.endswith("alias14")
    assert (lead.text, lead.start_line, lead.end_line) == ("", 1, 1)
    assert code.text == words(50)


def test_a_heading_goes_with_what_follows() -> None:
    built = NoteBuilder().block(words(35)).heading(1, "Next").block(words(30))
    first, second = cut(built)
    assert first.text == words(35)
    assert second.text == "Next\n" + words(30)


def test_headings_without_text_go_with_the_section_below() -> None:
    (chunk,) = cut(NoteBuilder().heading(1, "A").heading(2, "B").heading(3, "C").block(words(20)))
    assert chunk.headings == ("A", "B", "C")
    assert chunk.text == "A\nB\nC\n" + words(20)
    assert chunk.embedded_text == "My note > A > B > C\n" + words(20)


def test_short_section_joins_its_next_sibling() -> None:
    built = NoteBuilder().heading(1, "Top").heading(2, "A").block("few words").heading(2, "B").block(words(20))
    (chunk,) = cut(built)
    assert chunk.headings == ("Top",)
    assert chunk.embedded_text == "My note > Top\nA\nfew words\nB\n" + words(20)


def test_short_section_does_not_join_another_chapter() -> None:
    built = NoteBuilder().heading(1, "One").heading(2, "A").block("few words")
    built.heading(1, "Two").heading(2, "B").block(words(20))
    first, second = cut(built)
    assert first.headings == ("One", "A")
    assert second.headings == ("Two", "B")


def test_short_rest_goes_back_to_the_passage_before() -> None:
    built = NoteBuilder().heading(1, "One").block(words(41)).block("a short rest")
    (chunk,) = cut(built)
    assert chunk.text.endswith("a short rest")


def test_passages_close_at_the_target() -> None:
    built = NoteBuilder()
    for number in range(8):
        built.block(words(10, f"b{number}w"))
    assert [len(chunk.text.split()) for chunk in cut(built)] == [40, 40]


def test_code_that_fits_alone_is_never_cut() -> None:
    code = "\n".join(f"call {number}" for number in range(28))
    built = NoteBuilder("A note with a title").heading(1, "Usage of it").block(words(30)).block(code, BlockKind.CODE)
    chunks = cut(built)
    assert [code in chunk.text for chunk in chunks] == [False, True]
    assert chunks[1].n_tokens <= LIMITS.max_tokens


def test_code_too_large_is_cut_between_lines_with_exact_ranges() -> None:
    lines = [f"line {number} here" for number in range(60)]
    built = NoteBuilder().block("\n".join(lines), BlockKind.CODE, "python\n" + "\n".join(lines))
    chunks = cut(built)
    assert len(chunks) > 3
    assert "\n".join(chunk.text for chunk in chunks) == "\n".join(lines)
    for chunk in chunks:
        # The fence stands on line 1, so line N of the code is line N + 1 of the file.
        assert chunk.text == "\n".join(lines[chunk.start_line - 2 : chunk.end_line - 1])
    assert [("python" in chunk.embedded_text) for chunk in chunks] == [True] + [False] * (len(chunks) - 1)


def test_paragraph_too_large_is_cut_after_sentences() -> None:
    sentences = [f"Sentence {number} has exactly seven words." for number in range(30)]
    chunks = cut(NoteBuilder().block(" ".join(sentences)))
    assert len(chunks) > 3
    assert all(chunk.text.endswith(".") for chunk in chunks)
    assert " ".join(chunk.text for chunk in chunks) == " ".join(sentences)


def test_text_without_any_blank_is_cut_between_characters() -> None:
    def count_chars(texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    text = "가나다" * 200
    chunks = chunk_note(NoteBuilder("제목").block(text).note(), LIMITS, count_chars)
    assert "".join(chunk.text for chunk in chunks) == text
    assert max(chunk.n_tokens for chunk in chunks) <= LIMITS.max_tokens


def test_table_rows_repeat_their_header_names() -> None:
    built = NoteBuilder()
    for number in range(12):
        built.block(f"k{number} | v{number}", BlockKind.TABLE_ROW, f"Key: k{number} ; Value: v{number}")
    chunks = cut(built)
    assert len(chunks) > 1
    assert all("Key: k" in chunk.embedded_text and "Key" not in chunk.text for chunk in chunks)
    assert "\n".join(chunk.text for chunk in chunks) == "\n".join(f"k{n} | v{n}" for n in range(12))


def test_a_label_inside_a_block_too_large_is_left_out_rather_than_said_in_the_text() -> None:
    text = words(50) + "\nprint\n" + words(50)
    embedded = text.replace("print", "python\nprint")
    chunks = cut(NoteBuilder().block(text, BlockKind.CALLOUT, embedded))
    assert " ".join(chunk.text for chunk in chunks).split() == text.split()


def test_a_table_row_too_large_is_cut_with_its_header_names() -> None:
    built = NoteBuilder().block(words(80), BlockKind.TABLE_ROW, "Name: " + words(80))
    chunks = cut(built)
    assert "Name:" in chunks[0].embedded_text
    assert "word79" in chunks[-1].embedded_text
    assert max(chunk.n_tokens for chunk in chunks) <= LIMITS.max_tokens


def test_a_note_of_blanks_and_a_broken_front_matter_differ() -> None:
    assert cut(NoteBuilder(warnings=(NoteWarning("yaml", "broken", 1),)))[0].embedded_text == "My note"
    assert cut(NoteBuilder(n_lines=3)) == []


def test_boilerplate_is_kept_in_text_and_not_embedded() -> None:
    built = NoteBuilder().block("the same  footer").block("own words")
    (chunk,) = cut(built, boilerplate=frozenset({block_key("the same footer")}))
    assert chunk.text == "the same  footer\nown words"
    assert chunk.embedded_text == "My note\nown words"


def shared(*texts: str) -> frozenset[int]:
    return frozenset(block_key(text) for text in texts)


def test_a_shared_heading_still_says_what_stands_below_it() -> None:
    built = NoteBuilder().heading(2, "Log").block(words(20)).heading(2, "Ideas").block(words(20, "idea"))
    first, second = cut(built, boilerplate=shared("Log", "Ideas"))
    assert first.embedded_text == "My note > Log\n" + words(20)
    assert second.embedded_text == "My note > Ideas\n" + words(20, "idea")
    (both,) = cut(built, ChunkLimits(100, 100, 30), boilerplate=shared("Log", "Ideas"))
    assert both.embedded_text.splitlines() == ["My note", "Log", words(20), "Ideas", words(20, "idea")]


def test_an_empty_template_section_is_not_embedded_and_makes_no_passage() -> None:
    built = NoteBuilder().block(words(30)).heading(2, "Log").heading(3, "Evening").heading(2, "Done").block("Mood:")
    (chunk,) = cut(built, boilerplate=shared("Log", "Evening", "Done", "Mood:"))
    assert chunk.embedded_text == "My note\n" + words(30)
    assert chunk.text.splitlines()[1:] == ["Log", "Evening", "Done", "Mood:"]
    assert (chunk.headings, chunk.start_line, chunk.end_line) == ((), 1, 9)


def test_boilerplate_under_other_headings_leaves_the_breadcrumb_alone() -> None:
    built = NoteBuilder().heading(1, "One").heading(2, "Deep").block(words(30)).heading(1, "Footer").block("nav line")
    (chunk,) = cut(built, boilerplate=shared("Footer", "nav line"))
    assert chunk.headings == ("One", "Deep")
    assert chunk.embedded_text == "My note > One > Deep\n" + words(30)
    built = NoteBuilder().heading(2, "Menu").block("nav line").heading(1, "One").block(words(30))
    (chunk,) = cut(built, boilerplate=shared("Menu", "nav line"))
    assert chunk.embedded_text == "My note > One\n" + words(30)


def test_a_note_of_boilerplate_alone_is_found_by_its_lead() -> None:
    built = NoteBuilder(lead="My note\nalias").heading(2, "Log").block("Mood:")
    (chunk,) = cut(built, boilerplate=shared("Log", "Mood:"))
    assert (chunk.embedded_text, chunk.text) == ("My note\nalias", "Log\nMood:")


def test_what_can_be_boilerplate_has_letters() -> None:
    blocks = NoteBuilder().block("---").block("2024").block("a").block("Mood:").block("기분").note().blocks
    assert block_keys(blocks) == shared("Mood:", "기분")


def test_long_breadcrumb_is_shortened_and_its_heading_still_read() -> None:
    heading = words(30, "head")
    chunks = cut(NoteBuilder().heading(1, "Top").heading(2, heading).block(words(25)))
    assert all(chunk.n_tokens <= LIMITS.max_tokens for chunk in chunks)
    assert "head29" in " ".join(chunk.embedded_text for chunk in chunks)
    assert chunks[-1].embedded_text.splitlines()[0].startswith("My note > … > head0")


def test_long_lead_is_shortened() -> None:
    first, *_ = cut(NoteBuilder(lead="My note\n" + words(500)).block("text"))
    assert first.n_tokens <= LIMITS.max_tokens
    assert first.embedded_text.endswith("text")
    assert "…" in first.embedded_text


def test_note_with_front_matter_only_is_found_by_its_lead() -> None:
    (chunk,) = cut(NoteBuilder(properties={"status": "open"}, lead="My note\nalias"))
    assert (chunk.text, chunk.start_line, chunk.end_line, chunk.headings) == ("", 1, 1, ())
    assert chunk.embedded_text == "My note\nalias"


def test_base_is_found_by_its_name() -> None:
    (chunk,) = cut(NoteBuilder(kind=NoteKind.BASE))
    assert chunk.embedded_text == "My note"


def test_empty_note_has_no_passage() -> None:
    assert cut(NoteBuilder()) == []


def test_heading_at_the_very_end_is_kept() -> None:
    chunks = cut(NoteBuilder().heading(1, "One").block(words(30)).heading(1, "Stub"))
    assert [chunk.text for chunk in chunks] == ["One\n" + words(30), "Stub"]


def test_key_is_the_hash_of_what_is_embedded() -> None:
    one, other = cut(NoteBuilder().block("text")), cut(NoteBuilder().block("text").block(words(60)))
    assert one[0].key != other[0].key
    assert one[0].key == cut(NoteBuilder().block("text"))[0].key
    assert len(one[0].key) == 64


def test_special_tokens_count() -> None:
    (chunk,) = cut(NoteBuilder("T").block("a b c"), special_tokens=2)
    assert chunk.n_tokens == 1 + 3 + 2


def test_the_tokenizer_is_asked_a_few_times_per_note_not_per_block() -> None:
    calls = 0

    def count(texts: Sequence[str]) -> list[int]:
        nonlocal calls
        calls += 1
        return count_words(texts)

    built = NoteBuilder()
    for number in range(200):
        built.heading(2, f"H{number}").block(words(20))
    chunk_note(built.note(), LIMITS, count)
    assert calls == 2


@pytest.mark.parametrize("size", [90_000, 250_000])
def test_one_huge_line_is_cut(size: int) -> None:
    text = ("lorem ipsum dolor " * (size // 18)).strip()
    chunks = cut(NoteBuilder().block(text))
    assert " ".join(chunk.text for chunk in chunks) == text
    assert max(chunk.n_tokens for chunk in chunks) <= LIMITS.max_tokens


def test_a_title_that_says_nothing_precedes_no_passage() -> None:
    built = NoteBuilder("p71").heading(1, "Burrs").block("Steel wears.")
    (chunk,) = cut(built, title="")
    assert chunk.embedded_text == "Burrs\nSteel wears."


def test_a_note_of_no_text_is_read_by_its_name_whatever_that_says() -> None:
    built = NoteBuilder("p71", properties={"done": True})
    (chunk,) = cut(built, title="")
    assert chunk.embedded_text == "p71"
