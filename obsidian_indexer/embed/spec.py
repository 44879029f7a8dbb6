"""Which model: a name or folder resolved to files on this machine, described without loading it.

Everything here reads small JSON files; neither torch nor sentence-transformers is imported. No model is fetched unless
the options allow it.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from obsidian_indexer.embed.bundled import bundled_model
from obsidian_indexer.embed.prompts import prompts_of
from obsidian_indexer.errors import ModelError
from obsidian_indexer.options import EmbedOptions

_FAKE_DIM = 64
_SAMPLES, _SAMPLE_BYTES = 16, 65_536


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model as chosen: where it is and all that shapes its vectors save the number format.

    `folder` is None for the fake model, whose width is `fake_dim`. `revision` digests the files. `max_tokens` is the
    window, special tokens included. `source` names it in the settings: a hub name, a folder, or the name itself.
    """

    name: str
    folder: Path | None
    revision: str
    max_tokens: int
    query_prompt: str
    document_prompt: str
    fake_dim: int = 0
    source: str = ""

    @property
    def identity(self) -> str:
        """All that shapes a vector save the number format, as JSON; the place of the files does not."""
        return json.dumps(
            {
                "name": self.name,
                "revision": self.revision,
                "max_tokens": self.max_tokens,
                "query_prompt": self.query_prompt,
                "document_prompt": self.document_prompt,
                "normalised": True,
            },
            sort_keys=True,
            ensure_ascii=False,
        )

    def fingerprint(self, dtype: str) -> str:
        """Names the vector space: vectors of two fingerprints are never compared."""
        return hashlib.sha256(f"{self.identity}\n{dtype}".encode()).hexdigest()


def resolve_model(options: EmbedOptions) -> ModelSpec:
    """Find the chosen model on this machine.

    Raises ModelError when it is unknown, not here (and may not be fetched), or has no safetensors weights.
    """
    name = options.model.strip()
    if name == "fake" or name.startswith("fake:"):
        return _fake(name)
    bundled = bundled_model(name)
    if bundled is not None:
        name, folder = bundled
        source = name
    elif Path(name).expanduser().is_dir():
        folder = Path(name).expanduser().resolve()
        name, source = folder.name, str(folder)
    elif name.startswith((".", "/", "~")) or "\\" in name:
        raise ModelError(f"There is no model folder {name}. Give a folder that holds modules.json or config.json.")
    else:
        folder = _from_hub(name, allow_download=options.allow_download)
        source = name
    _refuse_unsafe(name, folder, options)
    query, document = prompts_of(name, read_json(folder / "config_sentence_transformers.json"))
    return ModelSpec(
        name=name,
        folder=folder,
        revision=_digest(folder),
        max_tokens=_window(folder),
        query_prompt=query if options.query_prompt is None else options.query_prompt,
        document_prompt=document if options.document_prompt is None else options.document_prompt,
        source=source,
    )


def _fake(name: str) -> ModelSpec:
    _, _, width = name.partition(":")
    if width and not (width.isdigit() and 2 <= int(width) <= 4096):
        raise ModelError(f"'{name}' is not a fake model: write 'fake' or 'fake:DIM' with DIM from 2 to 4096.")
    dim = int(width) if width else _FAKE_DIM
    return ModelSpec(f"fake:{dim}", None, "2", 256, "", "", fake_dim=dim, source=f"fake:{dim}")


def _from_hub(name: str, *, allow_download: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    patterns = ["*.json", "*.safetensors", "*.txt", "*.model", "*/*.json", "*/*.safetensors"]
    try:
        return Path(snapshot_download(name, local_files_only=not allow_download, allow_patterns=patterns))
    except HFValidationError as error:
        raise ModelError(f"'{name}' is neither a folder nor a model's name on the hub.") from error
    except (LocalEntryNotFoundError, OSError, ValueError) as error:
        if allow_download:
            raise ModelError(f"The model '{name}' could not be fetched: {type(error).__name__}.") from error
        raise ModelError(
            f"The model '{name}' is not on this machine, and nothing is fetched unasked. Run once with "
            "--allow-download, or give a folder that holds the model."
        ) from error


def _refuse_unsafe(name: str, folder: Path, options: EmbedOptions) -> None:
    if not (folder / "config.json").exists() and not (folder / "modules.json").exists():
        raise ModelError(f"{folder} holds no sentence-transformers model (no modules.json, no config.json).")
    if not any(folder.rglob("*.safetensors")):
        raise ModelError(
            f"The model '{name}' has no safetensors weights. Pickled weights can run code and are refused; convert "
            "the model, or choose another."
        )
    if not options.trust_remote_code and "auto_map" in read_json(folder / "config.json"):
        raise ModelError(
            f"The model '{name}' brings its own Python code. Set embedding.trust_remote_code = true only if you trust "
            "its author."
        )


def _window(folder: Path) -> int:
    """Tokens the model reads, special tokens included."""
    config = read_json(folder / "config.json")
    positions = config.get("max_position_embeddings")
    counted_on = config.get("model_type") in ("roberta", "xlm-roberta", "camembert", "mpnet")
    if isinstance(positions, int) and counted_on:
        positions -= 2  # these count positions from the padding index on
    declared = read_json(folder / "sentence_bert_config.json").get("max_seq_length")
    if isinstance(declared, int) and declared > 0:
        # Some declare the whole table, of which they can use two places less.
        return min(declared, positions) if counted_on and isinstance(positions, int) else declared
    tokenizer = read_json(folder / "tokenizer_config.json").get("model_max_length")
    limits = [n for n in (tokenizer, positions) if isinstance(n, int) and 0 < n < 1_000_000]
    return min(limits, default=512)


def _digest(folder: Path) -> str:
    """A digest of a model's files: small ones whole, weights by size and evenly spaced samples.

    Reading two gigabytes at each start would cost seconds; two sets of weights differ nearly everywhere.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".json", ".safetensors", ".txt", ".model") or not path.is_file():
            continue
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()} {size}\n".encode())
        with path.open("rb") as file:
            if size <= _SAMPLES * _SAMPLE_BYTES:
                digest.update(file.read())
                continue
            for i in range(_SAMPLES):
                file.seek(i * (size - _SAMPLE_BYTES) // (_SAMPLES - 1))
                digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """One of a model's small files; {} where there is none. Raises ModelError."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelError(f"The model's file {path} cannot be read ({error}).") from error
    return value if isinstance(value, dict) else {}
