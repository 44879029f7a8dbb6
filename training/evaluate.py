"""What a model finds, measured through the app's own engine on sets it has not seen, and against its teacher."""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from obsidian_indexer.embed.batch import Embedder
from obsidian_indexer.engine import Engine
from obsidian_indexer.evaluate.run import evaluate_set
from obsidian_indexer.options import EmbedOptions, Options
from training.table import Pair
from training.teacher import embed_all, load_embedder

_PERMALINK = re.compile(r"^permalink:\s*(\S+)", re.MULTILINE)
_SPEED_TEXTS = 2000


def collections(folders: list[Path], model: str, keep: Path) -> dict[str, Any]:
    """Set name → mode → figures of BEIR-style folders."""
    found = {}
    for folder in folders:
        options = Options(vault_path=folder, data_dir=keep, embedding=EmbedOptions(model=model))
        report = evaluate_set(folder, options, keep=keep)
        found[report.name] = {mode: asdict(scores) for mode, scores in report.modes.items()}
        print(json.dumps({report.name: found[report.name]}), flush=True)
    return found


def titles(manual: Path, model: str, keep: Path) -> dict[str, Any]:
    """The titles of the manual's Korean notes, asked of its English ones: the note with the same permalink answers."""
    english = {_permalink(note): note.relative_to(manual / "en").as_posix() for note in (manual / "en").rglob("*.md")}
    asked = {
        note.stem: english[key]
        for note in (manual / "ko").rglob("*.md")
        if (key := _permalink(note)) in english and key
    }
    options = Options(vault_path=manual / "en", data_dir=keep / "manual-en", embedding=EmbedOptions(model=model))
    with Engine.open(options) as engine:
        engine.index()
        engine.warm()
        found: dict[str, Any] = {"questions": len(asked)}
        for mode in ("semantic", "hybrid"):
            ranks = []
            for title, answer in asked.items():
                paths = [hit.path for hit in engine.search(title, k=10, mode=mode).hits]
                ranks.append(paths.index(answer) if answer in paths else 99)
            found[mode] = {f"hit@{k}": round(float(np.mean([rank < k for rank in ranks])), 4) for k in (1, 5)}
    return found


def _permalink(note: Path) -> str:
    match = _PERMALINK.search(note.read_text("utf-8", "replace")[:2000])
    return match.group(1) if match else ""


def against_teacher(pairs: list[Pair], english: list[str], model: str, teacher: str, builds: Path) -> dict[str, Any]:
    """Agreement with the teacher on English text and on unseen pairs, tokens of Korean text, and speed per token."""
    student, original = (load_embedder(name, builds) for name in (model, teacher))
    vectors = {name: embed_all(e, english) for name, e in (("student", student), ("teacher", original))}
    cosines = (vectors["student"] * vectors["teacher"]).sum(axis=1)
    korean = [p.ko for p in pairs]
    asked, known = embed_all(student, korean), embed_all(student, [p.en for p in pairs])
    nearest = (asked @ known.T).argmax(axis=1)
    tokens = [sum(e.tokenizer.count(korean)) for e in (student, original)]
    same = sum(
        list(a) == list(b)
        for a, b in zip(student.tokenizer.encode(english), original.tokenizer.encode(english), strict=True)
    )
    return {
        "english_cosine": round(float(cosines.mean()), 4),
        "english_worst_cosine": round(float(cosines.min()), 4),
        "english_tokenised_alike": f"{same} of {len(english)}",
        "unseen_pairs_top1": round(float((nearest == np.arange(len(pairs))).mean()), 4),
        "korean_tokens_share": round(tokens[0] / tokens[1], 3),
        "tokens_per_second_to_teacher": _speed(student, original, english[:_SPEED_TEXTS]),
    }


def _speed(student: Embedder, teacher: Embedder, texts: list[str]) -> float:
    """The student's rate over the teacher's on the same English texts: the medians of three turns each."""
    took: dict[str, list[float]] = {"student": [], "teacher": []}
    for _ in range(3):
        for name, embedder in (("student", student), ("teacher", teacher)):
            started = time.perf_counter()
            embed_all(embedder, texts)
            took[name].append(time.perf_counter() - started)
    return round(float(np.median(took["teacher"]) / np.median(took["student"])), 3)
