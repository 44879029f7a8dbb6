"""Models of a few thousand random weights, in the files that sentence-transformers writes."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

WORDS = ["note", "link", "block", "vault", "tag", "graph", "folder", "heading", "canvas", "daily", "query", "search"]
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
# Attention within a window of sixteen tokens, and heads that share their keys.
PECULIAR = {"modernbert": {"local_attention": 16}, "qwen3": {"num_key_value_heads": 2, "head_dim": 8}}


def sentences(count: int) -> list[str]:
    """Different sentences of 1 to 40 words, shortest first."""
    return sorted(
        (" ".join(WORDS[(i * 7 + j * (i + 3)) % 12] for j in range(1 + i % 40)) + f" w{i}" for i in range(count)),
        key=len,
    )


def write_model(folder: Path, kind: str, *, pooling: str = "mean", dense: int = 0) -> Path:
    """A random model of one architecture, by its name in transformers."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary = {word: i for i, word in enumerate([*special, *WORDS, *(f"w{i}" for i in range(100))])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", model_max_length=64
    )
    torch.manual_seed(7)
    sizes = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64} if kind == "distilbert" else SIZES
    config = AutoConfig.for_model(
        kind,
        vocab_size=len(vocabulary),
        max_position_embeddings=66,
        pad_token_id=1,
        initializer_range=0.5,
        **sizes,
        **PECULIAR.get(kind, {}),
    )
    raw = folder / "raw"
    AutoModel.from_config(config).save_pretrained(raw)
    fast.save_pretrained(raw)
    modules = [Transformer(str(raw)), Pooling(32, pooling_mode=pooling)]
    if dense:
        modules.append(Dense(32, dense))
    SentenceTransformer(modules=[*modules, Normalize()], device="cpu").save(str(folder / "model"))
    return folder / "model"


def write_cross_encoder(folder: Path, *, classes: int = 1) -> Path:
    """A random cross-encoder that reads pairs of texts, in `folder`."""
    import torch
    from sentence_transformers import CrossEncoder
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=64
    )
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(vocabulary), max_position_embeddings=64, num_labels=classes, initializer_range=0.5, **SIZES
    )
    raw = folder.with_name(f"{folder.name}-raw")
    BertForSequenceClassification(config).save_pretrained(raw)
    fast.save_pretrained(raw)
    CrossEncoder(str(raw), device="cpu").save_pretrained(str(folder))
    return folder
