"""A judged collection of four documents, whose queries look like operators."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

DOCUMENTS = {
    "1": ("Beans", "Beans climb poles in summer."),
    "a/1": ("", "---\nTomatoes want sun and water."),
    "A-1": ("Compost", "Worms turn peelings into soil."),
    "c4": ("텃밭", "상추는 봄에 심는다."),
}
QUERIES = {
    "q1": "tag:vegetable climb -poles",
    "q2": '"sun" path:nowhere tomatoes',
    "q3": "peelings",
    "q4": "상추를 심는 때",
    "q5": "never judged",
}
QRELS = "query-id\tcorpus-id\tscore\nq1\t1\t1\nq2\ta/1\t2\nq3\tA-1\t1\nq4\tc4\t1\nq4\t1\t0\n"


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    folder = tmp_path / "garden"
    folder.mkdir()
    corpus = [{"_id": key, "title": title, "text": text} for key, (title, text) in DOCUMENTS.items()]
    write_lines(folder / "corpus.jsonl", corpus)
    write_lines(folder / "queries.jsonl", [{"_id": key, "text": text} for key, text in QUERIES.items()])
    (folder / "qrels.tsv").write_text(QRELS, "utf-8")
    return folder


def write_lines(file: Path, rows: list[dict[str, str]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
