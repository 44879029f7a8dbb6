"""Texts become the ids that the tokenizer's own library gives, and a tokenizer is opened once."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from obsidian_indexer.embed.spec import resolve_model
from obsidian_indexer.embed.tokens import TextTokenizer, load_tokenizer
from obsidian_indexer.options import EmbedOptions
from tests.embed.small_models import write_model

LONG = "블록에 링크하는 방법, and a note about coffee. " * 80


@pytest.mark.parametrize("text", ["", "one note", LONG, LONG + "[SEP]"])
def test_a_text_is_cut_at_the_window_as_the_library_cuts_it(text: str) -> None:
    spec = resolve_model(EmbedOptions(model="default"))
    assert spec.folder is not None
    library = Tokenizer.from_file(str(spec.folder / "tokenizer.json"))
    library.no_padding()
    library.enable_truncation(spec.max_tokens)
    assert list(load_tokenizer(spec).encode([text], "query: ")[0]) == library.encode("query: " + text).ids


def test_a_tokenizer_is_opened_once_and_anew_when_its_file_changed(tmp_path: Path) -> None:
    written = write_model(tmp_path / "model", "bert")
    spec = resolve_model(EmbedOptions(model=str(written)))
    found: list[TextTokenizer] = []
    threads = [threading.Thread(target=lambda: found.append(load_tokenizer(spec))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(tokenizer) for tokenizer in found}) == 1
    assert found[0].knows("vault")
    other = Tokenizer.from_file(str(written / "tokenizer.json"))
    other.add_tokens(["zettelkasten"])
    assert not found[0].knows("zettelkasten")
    other.save(str(tmp_path / "tokenizer.json"))
    shutil.move(tmp_path / "tokenizer.json", written / "tokenizer.json")
    assert load_tokenizer(spec).knows("zettelkasten")
