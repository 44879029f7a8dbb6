"""A trained student as a plain sentence-transformers folder."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

_WINDOW = 256
_WEIGHTS = "model.safetensors"


def export(state: dict[str, Any], tokenizer: Path, teacher: Path, target: Path) -> None:
    """Write weights (float16), tokenizer, configuration and `SHA256SUMS` into `target`, which is made anew.

    `state` is the network's own, `teacher` the folder whose configuration it shares.
    """
    import torch
    from safetensors.torch import save_file

    shutil.rmtree(target, ignore_errors=True)
    (target / "1_Pooling").mkdir(parents=True)
    weights = {
        name: value.to(torch.float16).contiguous() for name, value in state.items() if "position_ids" not in name
    }
    save_file(weights, target / _WEIGHTS, metadata={"format": "pt"})
    (target / _WEIGHTS).chmod(0o644)
    shutil.copyfile(tokenizer, target / "tokenizer.json")
    shutil.copyfile(teacher / "1_Pooling" / "config.json", target / "1_Pooling" / "config.json")
    _write(target / "config.json", _network(teacher, len(state["embeddings.word_embeddings.weight"])))
    _write(target / "modules.json", json.loads((teacher / "modules.json").read_text("utf-8")))
    _write(target / "sentence_bert_config.json", {"max_seq_length": _WINDOW, "do_lower_case": False})
    _write(target / "config_sentence_transformers.json", {"similarity_fn_name": "cosine", "prompts": {}})
    _write(target / "tokenizer_config.json", _tokenizer_class())
    write_sums(target)


def _network(teacher: Path, vocabulary: int) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((teacher / "config.json").read_text("utf-8"))
    for name in ("_name_or_path", "transformers_version", "gradient_checkpointing"):
        config.pop(name, None)
    # Half the bytes on disk; read as float32, so that every engine starts from the same numbers.
    return config | {"vocab_size": vocabulary, "dtype": "float32"}


def _tokenizer_class() -> dict[str, Any]:
    special = {
        "unk_token": "[UNK]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    }
    return {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": _WINDOW, **special}


def _write(file: Path, value: object) -> None:
    file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8")


def write_sums(folder: Path) -> None:
    """`SHA256SUMS` over every file that makes vectors, in the form of sha256sum."""
    files = sorted(f for f in folder.rglob("*") if f.is_file() and f.suffix in (".json", ".safetensors"))
    lines = [f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {f.relative_to(folder).as_posix()}\n" for f in files]
    (folder / "SHA256SUMS").write_text("".join(lines), "ascii")
