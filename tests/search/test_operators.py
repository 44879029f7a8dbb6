"""The language of the query box: each operator finds exactly what it says, on notes that nearly meet it too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from obsidian_indexer.engine import Engine
from obsidian_indexer.errors import QueryError
from obsidian_indexer.search.syntax.dates import read_span
from tests.kit import open_engine, write_vault

NOTES = {
    "Work/Meeting.md": "---\nstatus: Draft\nrating: 5\ndue: 2026-03-01\ndone: true\nowner:\n---\n"
    "# Meeting\n\nMix the agenda with flour.\nWe met to plan the meetup. #work/plan\n\n"
    "## Notes\n\nThe cat sat.\n\n## Later\n\nThe dog ran.\n\n- [ ] call Ann\n- [x] email Bob\n- [/] write Eve\n\n"
    + "x" * 60
    + "\n",
    "Work/Report.md": "---\nstatus: [In progress, Published]\nrating: 15\ndue: 2026-01-15\ndone: false\n"
    'tags: [job, Work]\nempty: ""\nnone: []\n---\nReport without a heading, mix\nand flour apart. happy cat\n',
    "Archive/2025-12/Old meeting.md": "# Old\n\nA meeting long ago. The unhappy cat slept.\n\n"
    "> quoted words\n> and flour\n\n| a | b |\n|---|---|\n| mix | one |\n| two | flour |\n",
    "Personal/회의록.md": "---\ncreated: 2026-02-10\n---\n# 회의록\n\n"
    "옵시디언은 노트 앱이다. HappyCat 이라는 고양이.\n\n"
    "```\n#nottag code\n```\n",
    "Personal/Plan [draft].md": "#myjob/work\n\nPersonal meetup.\n\n- top item\n  - nested flour\n",
    "Board.canvas": '{"nodes":[{"id":"1","type":"text","text":"canvas meeting #work"}]}',
    "Excluded/Hidden.md": "Secret meeting about flour. #work\n",
    "Empty.md": "",
}
MEETING, REPORT, OLD = "Work/Meeting.md", "Work/Report.md", "Archive/2025-12/Old meeting.md"
KOREAN, PLAN, CANVAS = "Personal/회의록.md", "Personal/Plan [draft].md", "Board.canvas"
ALL = {MEETING, REPORT, OLD, KOREAN, PLAN, CANVAS, "Empty.md"}
MODIFIED = {MEETING: "2026-03-05", REPORT: "2026-01-20", OLD: "2025-12-24", KOREAN: "2026-02-11", PLAN: "2024-05-05"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    base = tmp_path_factory.mktemp("operators")
    vault = write_vault(base / "vault", NOTES)
    (vault / ".obsidian/app.json").write_text('{"userIgnoreFilters": ["Excluded/"]}', "utf-8")
    for name in ("Work/photo.jpg", "Excluded/secret.jpg"):
        (vault / name).write_bytes(b"jpg")
    for path, day in MODIFIED.items():
        moment = datetime.fromisoformat(day).timestamp()
        os.utime(vault / path, (moment, moment))
    with open_engine(vault, base / "index") as opened:
        opened.index()
        yield opened


def found(engine: Engine, query: str, *, mode: str = "keyword") -> set[str]:
    return {hit.path for hit in engine.search(query, k=50, mode=mode).hits}


def check(engine: Engine, table: dict[str, set[str]]) -> None:
    assert {query: found(engine, query) for query in table} == table


def test_words_find_notes_that_hold_some_and_excluded_ones_never(engine: Engine) -> None:
    assert {MEETING, OLD} <= found(engine, "meeting flour")
    for query in (
        "meeting",
        "flour OR secret",
        "-tag:x",
        "path:Excluded",
        "file:Hidden",
        "file:.jpg",
        'content:"Secret"',
    ):
        assert not any(path.startswith("Excluded") for path in found(engine, query, mode="hybrid"))


def test_either_binds_looser_than_a_blank(engine: Engine) -> None:
    check(
        engine,
        {
            "path:Work meeting OR path:Personal meetup": {MEETING, PLAN},
            "tag:work OR tag:myjob": {MEETING, REPORT, PLAN},
            "path:personal (tag:myjob OR 회의록)": {PLAN, KOREAN},
        },
    )


def test_brackets_group_also_after_an_operator(engine: Engine) -> None:
    check(
        engine,
        {
            "task:(call OR email)": {MEETING},
            "path:(work OR archive) -file:(report OR old)": {MEETING, "Work/photo.jpg"},
            "tag:(#plan OR #job)": {REPORT},
        },
    )


def test_a_phrase_holds_word_for_word_and_korean_by_characters(engine: Engine) -> None:
    check(
        engine,
        {
            '"happy cat"': {REPORT},
            '"cat happy"': set(),
            '"Happy Cat"': {REPORT},
            '"시디언은 노트"': {KOREAN},
            '"옵시디언"': {KOREAN},
            '"Plan [draft]"': {PLAN},
            "'happy cat'": {REPORT},
            '"the \\"cat"': set(),
        },
    )


def test_a_minus_leaves_out(engine: Engine) -> None:
    check(
        engine,
        {
            "path:work -flour": {"Work/photo.jpg"},
            '-"happy cat" path:.md -path:personal': {MEETING, OLD, "Empty.md"},
            "-(mix flour) path:.md": {KOREAN, PLAN, "Empty.md"},
            "-path:/^(Work|Personal)/ -path:archive": {CANVAS, "Empty.md"},
            "-tag:work -path:work": ALL - {MEETING, REPORT},
            "-line:cat file:.md": {PLAN, "Empty.md"},
        },
    )
    assert REPORT in found(engine, "happy-cat"), "a hyphen inside a word leaves nothing out"


def test_patterns_are_javascript_and_lines_have_edges(engine: Engine) -> None:
    check(
        engine,
        {
            "/^- \\[ \\] call/": {MEETING},
            "/flour\\.$/": {MEETING},
            "/(?<w>at) .*\\k<w>/": {MEETING},
            "path:/\\d{4}-\\d{2}/": {OLD},
            "/[가-힣]+은 노트/": {KOREAN},
            "file:/^회/": {KOREAN},
            "content:/happycat/": {KOREAN},
            "match-case:/happycat/": set(),
            "line:/^#+ Later$/": {MEETING},
        },
    )


def test_file_and_path_name_any_file(engine: Engine) -> None:
    check(
        engine,
        {
            "file:.jpg": {"Work/photo.jpg"},
            "file:meeting": {MEETING, OLD},
            "path:work/": {MEETING, REPORT, "Work/photo.jpg"},
            'path:"archive/2025-12/Old m"': {OLD},
            "ext:canvas": {CANVAS},
            "ext:md path:work": {MEETING, REPORT},
            "file:empty": {"Empty.md"},
            "match-case:(file:Meeting)": {MEETING},
        },
    )
    photo = engine.search("file:photo").hits[0]
    assert (photo.title, photo.snippet, photo.headings) == ("photo.jpg", "", ())
    assert photo.uri.endswith("file=Work%2Fphoto.jpg")


def test_content_leaves_names_out(engine: Engine) -> None:
    check(engine, {"content:회의록 -content:#": set(), "content:report": {REPORT}, "content:archive": set()})
    assert found(engine, "content:meeting") == {OLD, MEETING, CANVAS}


def test_tags_hold_those_below_them_in_any_case(engine: Engine) -> None:
    check(
        engine,
        {
            "tag:#work": {MEETING, REPORT},
            "TAG:WORK": {MEETING, REPORT},
            "tag:work/plan": {MEETING},
            "tag:plan": set(),
            "tag:myjob": {PLAN},
            "tag:nottag": set(),
            "match-case:(tag:JOB)": {REPORT},
        },
    )


def test_a_line_holds_all_terms(engine: Engine) -> None:
    check(
        engine,
        {
            "line:(mix flour)": {MEETING},
            "line:(mix agenda) line:meetup": {MEETING},
            "line:flour": {MEETING, REPORT, OLD, PLAN},
        },
    )


def test_the_passage_with_the_line_is_shown(engine: Engine) -> None:
    hit = engine.search("line:(dog ran)", mode="keyword").hits[0]
    line = NOTES[MEETING].split("\n").index("The dog ran.") + 1
    assert hit.start_line <= line <= hit.end_line


def test_a_block_holds_all_terms(engine: Engine) -> None:
    check(
        engine,
        {
            "block:(mix flour)": {MEETING, REPORT, OLD},
            "block:(quoted flour)": {OLD},
            "block:(top flour)": set(),
            "block:(one two)": {OLD},
            "block:(cat dog)": set(),
        },
    )


def test_a_section_lies_between_two_headings(engine: Engine) -> None:
    check(
        engine,
        {
            "section:(cat sat)": {MEETING},
            "section:(cat dog)": set(),
            "section:(agenda section:(dog))": {MEETING},
            "section:(dog section:(agenda))": set(),
            "section:report": set(),
        },
    )


def test_tasks_are_told_by_their_box(engine: Engine) -> None:
    check(
        engine,
        {
            'task:""': {MEETING},
            "task:flour": set(),
            "task-todo:call": {MEETING},
            "task-done:call": set(),
            "task-done:email": {MEETING},
            "task-todo:write": set(),
            "task-done:write": {MEETING},
        },
    )


def test_case_matters_on_request(engine: Engine) -> None:
    check(
        engine,
        {
            "match-case:HappyCat": {KOREAN},
            "match-case:happycat": set(),
            "match-case:(The dog)": {MEETING},
            "match-case:(the ignore-case:(DOG))": {MEETING},
            "ignore-case:HAPPYCAT": {KOREAN},
        },
    )


def test_properties(engine: Engine) -> None:
    check(
        engine,
        {
            "[status]": {MEETING, REPORT},
            "[STATUS:draft]": {MEETING},
            "[status:progress]": {REPORT},
            '[status:"progress"]': set(),
            '[status:"in progress"]': {REPORT},
            "[status:Draft OR Published]": {MEETING, REPORT},
            "[status:/^dr/]": {MEETING},
            "[(rating OR due):2026]": {MEETING, REPORT},
            "[/^(ra|du)/:15]": {REPORT},
            "-[status] path:personal": {KOREAN, PLAN},
        },
    )


def test_a_property_without_a_value(engine: Engine) -> None:
    check(engine, {"[owner:null]": {MEETING}, "[owner:EMPTY]": {MEETING}, "[empty:null]": set(), "[none:null]": set()})


def test_properties_compare(engine: Engine) -> None:
    check(
        engine,
        {
            "[rating:>5]": {REPORT},
            "[rating:>=5]": {MEETING, REPORT},
            "[rating:<15]": {MEETING},
            "[rating:5]": {MEETING},
            "[due:>2026-02-01]": {MEETING},
            "[due:<2026-02]": {REPORT},
            '[rating:">5"]': {REPORT},
            "[status:>5]": set(),
        },
    )


def test_checkboxes_in_any_case(engine: Engine) -> None:
    check(engine, {"[done:TRUE]": {MEETING}, "[done:false]": {REPORT}})


def test_operators_stand_beside_plain_words(engine: Engine) -> None:
    assert found(engine, "tag:#work -path:archive [status:Draft] 회의록 meetup") == {MEETING}
    assert found(engine, "path:archive nothing of the kind", mode="semantic") == {OLD}


def test_quotes_in_a_long_text_are_punctuation(engine: Engine) -> None:
    prose = "what is known of agendas " * 8
    assert MEETING in found(engine, f'{prose} "never said" -meetup')
    assert found(engine, f'{prose} "never said" tag:work') == set()


def test_an_unknown_operator_is_text(engine: Engine) -> None:
    assert KOREAN in found(engine, "unknown:word 회의록")
    assert found(engine, "tag: 회의록") == {KOREAN}


def test_dates(engine: Engine) -> None:
    check(
        engine,
        {
            "modified:2026-01": {REPORT},
            "modified:2026-01..2026-02": {REPORT, KOREAN},
            "modified:>2026-01 modified:<2026-03-05": {KOREAN},
            "modified:2024": {PLAN},
            "created:2026-02-10": {KOREAN},
            "after:2026-02 -modified:1d": {KOREAN, MEETING},
            "before:2025": {PLAN},
            "modified:1d": {CANVAS, "Empty.md"},
            "modified:today modified:..today -modified:yesterday": {CANVAS, "Empty.md"},
        },
    )


def test_the_order_may_be_that_of_dates(engine: Engine) -> None:
    def order(query: str, **how: object) -> list[str]:
        return [hit.path for hit in engine.search(query, k=50, mode="keyword", **how).hits]  # type: ignore[arg-type]

    newest = [MEETING, KOREAN, REPORT, OLD, PLAN]
    assert order("file:.md -file:empty sort:modified") == newest
    assert order("file:.md -file:empty", sort="modified-asc") == newest[::-1]
    assert order("meeting sort:modified")[1:] == [MEETING, OLD]
    assert order("sort:created")[-1] == PLAN


@pytest.mark.parametrize(
    ("query", "position"),
    [
        ("a /(b/", 3),
        ("/[a/", 1),
        ("회의 /a(?P<n>x)/", 5),
        ("after:soon", 6),
        ("modified:2026-13", 9),
        ("created:2026..x", 14),
        ("sort:colour", 5),
        ("[rating:>]", 8),
        ("(" * 60 + "a", 51),
    ],
)
def test_what_cannot_be_is_pointed_at(engine: Engine, query: str, position: int) -> None:
    with pytest.raises(QueryError) as raised:
        engine.search(query)
    assert raised.value.position == position


@pytest.mark.parametrize("query", ['roast "happy', "(meeting", "path:(work", 'tag:"wor', "[status:Dra"])
def test_what_is_not_closed_yet_is_answered_with_a_remark(engine: Engine, query: str) -> None:
    assert "is missing" in (engine.search(query).notice or "")


def test_a_pattern_that_runs_away_is_stopped(engine: Engine) -> None:
    with pytest.raises(QueryError, match="too long") as raised:
        engine.search("path:meeting /^(\\w|\\w\\w)+[-#]$/")
    assert raised.value.position == len("path:meeting ")


@pytest.mark.parametrize("pattern", ["((a{99}){99}){99}", "a{99999999999}", "x" * 1001, "(" * 51 + ")" * 51])
def test_a_pattern_too_large_to_compile_is_refused(engine: Engine, pattern: str) -> None:
    with pytest.raises(QueryError):
        engine.search(f"/{pattern}/")


def test_a_file_of_queries_survives_one_in_error(engine: Engine) -> None:
    answers = dict(engine.search_many([("1", "meeting after:soon"), ("2", "tag:myjob")], mode="keyword"))
    assert "plain words" in (answers["1"].notice or "")
    assert MEETING in {hit.path for hit in answers["1"].hits}
    assert [hit.path for hit in answers["2"].hits] == [PLAN]


_PIECES = st.sampled_from(
    [
        *"()[]\"'/-:\\*+?{}^$.|<>#~ \t",
        *(
            "OR",
            "tag:",
            "path:",
            "file:",
            "line:",
            "section:",
            "task:",
            "task-todo:",
            "match-case:",
            "ext:",
            "content:",
        ),
        *(
            "[status:",
            "[a OR b:",
            "after:",
            "modified:",
            "created:",
            "sort:",
            "2026-01",
            "..",
            "7d",
            ">",
            "<=",
            "\\d{2}",
        ),
        *("(?<a>", "(?=", "\\k<a>", "[^", "회의", "meeting", "Ünï", "\0", "\ud800", "e\u0301", "block:", '""', "null"),
    ]
)


@given(st.lists(_PIECES, max_size=14).map("".join), st.sampled_from(["keyword", "hybrid"]))
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_composition_is_answered_or_pointed_at(engine: Engine, query: str, mode: str) -> None:
    fault, hits = None, ()
    try:
        hits = engine.search(query, mode=mode).hits
    except QueryError as error:
        fault = error
    assert fault is None or 0 <= (fault.position or 0) <= len(query)
    assert not any(hit.path.startswith("Excluded") for hit in hits)


def test_attachments_come_and_go_with_their_files(tmp_path: Path) -> None:
    vault = write_vault(tmp_path / "vault", {"a.md": "words\n"})
    (vault / "b.pdf").write_bytes(b"pdf")
    with open_engine(vault, tmp_path / "index") as engine:
        engine.index()
        assert found(engine, "ext:pdf") == {"b.pdf"}
        (vault / "b.pdf").rename(vault / "c.pdf")
        engine.index()
        assert found(engine, "ext:pdf") == {"c.pdf"}


def test_relative_dates_count_from_midnight() -> None:
    now = datetime.fromisoformat("2026-05-10T15:30")
    assert read_span("7d", 0, now) == (datetime.fromisoformat("2026-05-03"), None)
    assert read_span("2h", 0, now) == (now - timedelta(hours=2), None)
    assert read_span("yesterday", 0, now) == tuple(map(datetime.fromisoformat, ("2026-05-09", "2026-05-10")))
