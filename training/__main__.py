"""`python -m training COMMAND --work FOLDER`: a command for each stage, each goes on where it was stopped."""

from __future__ import annotations

import json
import random
from pathlib import Path

import click
import numpy as np

from training.invented import mark
from training.invented import sentences as invented_sentences
from training.passages import glue
from training.table import HeldOut, Pair, choose, read_mixture, read_pairs, sources, write_pairs

_DEV = 1000
_SEED = 7
_WORK = click.option(
    "--work", type=click.Path(path_type=Path), required=True, help="Folder for everything made on the way."
)
_TEACHER = click.option(
    "--teacher", default="all-MiniLM-L6-v2", show_default=True, help="Name or folder of the teacher."
)


@click.group()
def main() -> None:
    """Teach a small English model another language."""


@main.command()
@_WORK
@click.option(
    "--pairs", type=click.Path(exists=True, path_type=Path), required=True, help="JSON lines, .jsonl or .jsonl.xz."
)
@click.option(
    "--held-out", type=click.Path(exists=True, path_type=Path), multiple=True, help="A set that must stay unseen."
)
def table(work: Path, pairs: Path, held_out: tuple[Path, ...]) -> None:
    """Clean the pairs, drop what the held-out sets hold, bound each source, add invented sentences."""
    work.mkdir(parents=True, exist_ok=True)
    mixture = read_mixture()
    chosen, left_out = choose(read_pairs(pairs), HeldOut(held_out), mixture, _SEED)
    words = [(p.ko, p.en) for p in chosen if p.domain == "dictionary headwords" and len(p.ko) <= 6 and len(p.en) <= 12]
    chosen += list(invented_sentences(mixture["invented"]["sentences"], words, _SEED))
    random.Random(_SEED).shuffle(chosen)
    write_pairs(work / "dev.jsonl", chosen[:_DEV])
    write_pairs(work / "sentences.jsonl", chosen[_DEV:])
    made = {"chosen": len(chosen), "left_out": dict(left_out), "sources": sources(chosen)}
    (work / "table.json").write_text(json.dumps(made, indent=2, ensure_ascii=False), "utf-8")
    click.echo(json.dumps({"chosen": len(chosen), "left_out": dict(left_out)}))


@main.command()
@_WORK
@click.option("--size", default=16_000, show_default=True, help="Word pieces to learn; common syllables come on top.")
@_TEACHER
def vocabulary(work: Path, size: int, teacher: str) -> None:
    """Learn word pieces of the new language and append them to the teacher's vocabulary."""
    from training.vocabulary import extend_tokenizer, korean_words, learn_pieces

    words = korean_words(pair.ko for pair in read_pairs(work / "sentences.jsonl"))
    tokenizer = extend_tokenizer(_folder(teacher) / "tokenizer.json", learn_pieces(words, size))
    tokenizer.save(str(work / "tokenizer.json"))
    click.echo(json.dumps({"words": len(words), "vocabulary": tokenizer.get_vocab_size()}))


@main.command()
@_WORK
@click.option("--target", type=click.Path(exists=True, path_type=Path), required=True, help="Folder for both files.")
def lexicon(work: Path, target: Path) -> None:
    """Count which words of one language stand where which of the other do."""
    from training.lexicon import make_lexicon, write_lexicon

    to_english, to_korean = make_lexicon(read_pairs(work / "sentences.jsonl"))
    write_lexicon(to_english, target / "ko-en.tsv")
    write_lexicon(to_korean, target / "en-ko.tsv")
    click.echo(json.dumps({"korean": len(to_english), "english": len(to_korean)}))


@main.command()
@_WORK
@_TEACHER
def teach(work: Path, teacher: str) -> None:
    """Glue passages, mark some texts with names, and store the teacher's vectors of every English text."""
    from training.teacher import teach as vectors_of
    from training.vocabulary import korean_words

    mixture = read_mixture()
    pairs = list(read_pairs(work / "sentences.jsonl"))
    vectors = vectors_of([p.en for p in pairs], teacher, work / "teacher" / "sentences")
    rates = mixture["glue"] | {"invented": mixture["invented"]["glue"]}
    glued = glue(pairs, vectors, rates, _SEED)
    words = korean_words(p.ko for p in pairs)
    rare = sorted(word for word, n in words.items() if n <= 3 and 2 <= len(word) <= 5)
    generator = random.Random(_SEED)
    extra = [
        mark(pair, rare, generator) for pair in [*pairs, *glued] if generator.random() < mixture["marked"]["share"]
    ]
    generator.shuffle(extra)
    write_pairs(work / "passages.jsonl", [*glued, *extra])
    vectors_of([p.en for p in [*glued, *extra]], teacher, work / "teacher" / "passages")
    vectors_of([p.en for p in read_pairs(work / "dev.jsonl")], teacher, work / "teacher" / "dev")
    click.echo(json.dumps({"sentences": len(pairs), "passages": len(glued), "marked": len(extra)}))


def _load(work: Path, name: str) -> tuple[list[Pair], np.ndarray]:
    """As many pairs as the teacher has seen, and its vectors of them."""
    vectors = np.concatenate([np.load(file) for file in sorted((work / "teacher" / name).glob("*.npy"))])
    return list(read_pairs(work / f"{name}.jsonl"))[: len(vectors)], vectors


@main.command()
@_WORK
@_TEACHER
@click.option(
    "--steps", default=3800, show_default=True, help="Steps in all; a file named `finish` in run/ ends earlier."
)
@click.option("--run", "name", default="run", show_default=True)
def distil(work: Path, teacher: str, steps: int, name: str) -> None:
    """Train. Stopped at any time, it goes on from the last save."""
    import torch
    from tokenizers import Tokenizer

    from training.distil import Recipe, Run, Texts
    from training.student import new_student

    torch.manual_seed(_SEED)
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    (sentences, of_sentences), (passages, of_passages) = _load(work, "sentences"), _load(work, "passages")
    pairs, vectors = [*sentences, *passages], np.concatenate([of_sentences, of_passages])
    korean = Texts([e.ids for e in tokenizer.encode_batch_fast([p.ko for p in pairs])], vectors)
    english = Texts([e.ids for e in tokenizer.encode_batch_fast([p.en for p in pairs])], vectors)
    click.echo(f"{len(pairs):,} texts, {sum(map(len, korean.ids)):,} Korean tokens")
    model = new_student(_folder(teacher), tokenizer, korean.ids[: len(sentences)], english.ids[: len(sentences)], _SEED)
    run = Run(model, _teacher_size(teacher), Recipe(steps=steps), work / name)
    dev, dev_vectors = _load(work, "dev")
    unseen = Texts([e.ids for e in tokenizer.encode_batch_fast([p.ko for p in dev])], dev_vectors)
    plain = Texts([e.ids for e in tokenizer.encode_batch_fast([p.en for p in dev])], dev_vectors)
    run.train(
        korean, english, lambda: {"dev": [_agreement(model, texts, run.recipe.window) for texts in (unseen, plain)]}
    )


@main.command("export")
@_WORK
@_TEACHER
@click.option("--run", "name", default="run", show_default=True)
@click.option(
    "--back", default=0.65, show_default=True, help="How far to move the network back to the teacher's, from 0 to 1."
)
@click.option("--target", type=click.Path(path_type=Path), required=True, help="Folder of the model, made anew.")
def export_model(work: Path, teacher: str, name: str, back: float, target: Path) -> None:
    """Write the trained student as a sentence-transformers folder."""
    import torch

    from training.export import export
    from training.student import moved_back

    state = torch.load(work / name / "state.pt", weights_only=True)
    export(moved_back(state["model"], _folder(teacher), back), work / "tokenizer.json", _folder(teacher), target)
    click.echo(
        json.dumps({"step": state["step"], "bytes": sum(f.stat().st_size for f in target.rglob("*") if f.is_file())})
    )


@main.command()
@_WORK
@_TEACHER
@click.option("--model", required=True, help="Folder of the model to measure.")
@click.option(
    "--set", "folders", type=click.Path(exists=True, path_type=Path), multiple=True, help="A BEIR-style folder."
)
@click.option(
    "--manual", type=click.Path(exists=True, path_type=Path), help="A vault with en/ and ko/, matched by permalink."
)
def evaluate(work: Path, teacher: str, model: str, folders: tuple[Path, ...], manual: Path | None) -> None:
    """Measure a model on held-out sets, through the app's own engine, and against its teacher."""
    from training.evaluate import against_teacher, collections, titles

    keep = work / "evaluation"
    figures = {"model": Path(model).name, "sets": collections(list(folders), model, keep)}
    if manual is not None:
        figures["titles"] = titles(manual, model, keep)
    dev = list(read_pairs(work / "dev.jsonl"))
    figures["teacher"] = against_teacher(dev, [p.en for p in dev], model, teacher, work / "teacher" / "engines")
    (work / f"evaluation-{Path(model).name}.json").write_text(json.dumps(figures, indent=2), "utf-8")
    click.echo(json.dumps(figures, indent=2))


@main.command()
@_WORK
@click.option("--model", type=click.Path(exists=True, path_type=Path), required=True, help="Folder of the model.")
def card(work: Path, model: Path) -> None:
    """Write the model's card from what `table` chose and what `evaluate` measured."""
    from training.card import render

    table, measured = (
        json.loads((work / name).read_text("utf-8")) for name in ("table.json", f"evaluation-{model.name}.json")
    )
    (model / "README.md").write_text(render(table, measured), "utf-8")


def _agreement(model, texts, window: int) -> dict[str, float]:  # type: ignore[no-untyped-def]
    """Mean cosine to the teacher, and how often the right English text is the nearest."""
    import torch

    from training.distil import fitted_length, tensor_of
    from training.student import embed

    found = np.zeros(texts.vectors.shape, np.float32)
    lengths = np.array([fitted_length(len(ids), window) for ids in texts.ids])
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            found[rows] = embed(model, tensor_of(texts, rows, window)).float().numpy()
    wanted = texts.vectors.astype(np.float32)
    nearest = (found @ wanted.T).argmax(axis=1)
    return {
        "cosine": round(float((found * wanted).sum(axis=1).mean()), 4),
        "top1": round(float((nearest == np.arange(len(found))).mean()), 4),
    }


def _folder(model: str) -> Path:
    from obsidian_indexer.embed.spec import resolve_model
    from obsidian_indexer.options import EmbedOptions

    folder = resolve_model(EmbedOptions(model=model)).folder
    assert folder is not None
    return folder


def _teacher_size(teacher: str) -> int:
    vocabulary = json.loads((_folder(teacher) / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    return len(vocabulary)


if __name__ == "__main__":
    main()
