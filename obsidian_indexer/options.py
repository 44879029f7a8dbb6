"""Every setting of the program, declared once: frozen options that the composition root hands to each room.

A field's `doc` is its documentation; `ge`, `le` and `choices` are its bounds. `config.py` builds its validation, its
`config show` and the environment names from these declarations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def setting(
    default: Any,
    doc: str,
    *,
    ge: float | None = None,
    le: float | None = None,
    choices: tuple[str, ...] | None = None,
) -> Any:
    """A documented option with bounds (both inclusive)."""
    return field(default=default, metadata={"doc": doc, "ge": ge, "le": le, "choices": choices})


@dataclass(frozen=True, slots=True)
class VaultOptions:
    """Which files of the vault are notes."""

    ignore_file: str = setting(".obsidianindexignore", "Name of the ignore file at the vault's root, in git's syntax.")
    use_gitignore: bool = setting(False, "Also leave out what the vault's own .gitignore files leave out.")
    use_obsidian_excludes: bool = setting(True, "Leave out what Obsidian's 'Excluded files' setting leaves out.")
    include: tuple[str, ...] = setting((), "When set, only paths that match one of these patterns (git's syntax).")
    exclude: tuple[str, ...] = setting((), "Paths to leave out (git's syntax).")
    exclude_tags: tuple[str, ...] = setting((), "Notes with one of these tags (or a tag below it) are left out.")
    exclude_properties: tuple[str, ...] = setting((), "Notes with one of these properties set true are left out.")
    index_templates: bool = setting(False, "Index the folder that Obsidian's Templates plugin names.")
    follow_symlinks: bool = setting(False, "Follow links to folders that lie outside the vault and outside each other.")
    max_note_bytes: int = setting(5_000_000, "Larger notes are listed as ignored.", ge=1_000)
    max_canvas_bytes: int = setting(10_000_000, "Larger canvases are listed as ignored.", ge=1_000)
    lenient_tags: bool = setting(False, "Split 'tags: a, b' and honour 'tag:' as older versions of Obsidian did.")


@dataclass(frozen=True, slots=True)
class ChunkOptions:
    """How a note is cut into passages."""

    target_tokens: int = setting(200, "A passage is closed at the next block once it holds this many tokens.", ge=16)
    max_tokens: int = setting(0, "Upper bound of a passage in tokens; 0 is the model's own window.", ge=0)
    min_tokens: int = setting(24, "A shorter passage is joined with the next one under the same heading.", ge=0)
    breadcrumb: bool = setting(True, "Lead each passage with 'Title > Heading > Heading'.")
    boilerplate_notes: int = setting(
        10,
        "Text that this many notes (and no fewer than the square root of all) share word for word is found by keyword "
        "only, not embedded; 0 embeds it.",
        ge=0,
    )


@dataclass(frozen=True, slots=True)
class EmbedOptions:
    """Which model turns passages into vectors, on what, and in what batches."""

    model: str = setting(
        "default", "'default' (the index's own; MiniLM-L6-ko-en for a new one), a hub name, a folder, 'fake[:DIM]'."
    )
    allow_download: bool = setting(False, "Let a hub model that is not on this machine be fetched.")
    trust_remote_code: bool = setting(False, "Run Python code that comes inside a model's folder.")
    engine: str = setting(
        "auto",
        "What runs the model; 'auto' takes the fastest here, 'openvino' and 'onnxruntime' make int8 for any vault.",
        choices=("auto", "openvino", "onnxruntime", "torch"),
    )
    device: str = setting("auto", "'auto', 'cpu', 'cuda' (all its cards, as 'auto'), 'cuda:1', 'mps' …")
    dtype: str = setting(
        "auto", "Number format of the forward pass.", choices=("auto", "float32", "bfloat16", "float16", "int8")
    )
    fast_mode: bool = setting(True, "Let 'auto' take 16-bit numbers, and int8 where a check passes; off is float32.")
    batch_size: int = setting(0, "Most passages in one batch; 0 leaves it to the token budget.", ge=0)
    token_budget: int = setting(0, "Most padded tokens in one batch; 0 picks one for the device.", ge=0)
    gpu_memory_fraction: float = setting(0.8, "Share of the GPU's memory the program may take.", ge=0.05, le=1.0)
    threads: int = setting(0, "CPU threads of the forward pass; 0 uses every core.", ge=0)
    cpu_fraction: float = setting(
        1.0, "Share of all cores that indexing may use on average, as to spare a battery.", ge=0.1, le=1.0
    )
    nice: int = setting(
        0, "Priority of indexing: 0 is normal, at 19 every other program goes first. Not on Windows.", ge=0, le=19
    )
    pause_on_battery: bool = setting(False, "Pause indexing while the machine runs on battery.")
    query_prompt: str | None = setting(None, "Text put before a query; unset takes the model's own.")
    document_prompt: str | None = setting(None, "Text put before a passage; unset takes the model's own.")
    window: int = setting(4096, "Passages read from the catalogue and written back at a time.", ge=64)
    retry_delay_s: float = setting(1.0, "Pause before a failed note or batch is tried once more.", ge=0.0)


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Where vectors are kept for nearest-neighbour search."""

    kind: str = setting("chroma", "The vector store beside the catalogue.", choices=("chroma",))
    write_batch: int = setting(4096, "Rows in one write to the store.", ge=1, le=5000)
    ef_construction: int = setting(100, "HNSW build width: higher is slower to build and more exact.", ge=8)
    ef_search: int = setting(300, "HNSW search width: higher is slower and more exact.", ge=8)
    m: int = setting(16, "HNSW links per vector.", ge=4)
    rebuild_ratio: float = setting(0.3, "Rebuild the store once deleted rows exceed this share of live ones.", ge=0.05)


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How a query is answered."""

    k: int = setting(10, "Results shown.", ge=1)
    mode: str = setting("hybrid", "Which legs answer by default.", choices=("hybrid", "semantic", "keyword"))
    exact_below: int = setting(500_000, "Up to this many passages all are compared; above, the store answers.", ge=0)
    candidates: int = setting(200, "Passages each leg hands to the fusion.", ge=10)
    semantic_weight: float = setting(
        0.5, "Share of passages by meaning in the score; passages and notes by words have the rest.", ge=0.0, le=1.0
    )
    whole_note_weight: float = setting(0.6, "Of the score by words, the share of the whole note.", ge=0.0, le=1.0)
    note_meaning_weight: float = setting(
        0.3, "Of the score by meaning, the share of the whole note: the mean of its passages.", ge=0.0, le=1.0
    )
    title_weight: float = setting(
        0.1, "Share, taken from all of these, of titles and aliases by meaning.", ge=0.0, le=0.5
    )
    translation_weight: float = setting(
        0.15, "Share of the query's words in the other language, less where the vault knows its own.", ge=0.0, le=0.5
    )
    link_weight: float = setting(0.1, "The same of the words that other notes link to a note with.", ge=0.0, le=0.5)
    rerank_model: str = setting(
        "", "A cross-encoder, by hub name or folder, that puts the best results in order; empty is none."
    )
    rerank_candidates: int = setting(30, "Results that the reranker reads.", ge=1, le=1000)
    rerank_ms: int = setting(1000, "Time for it; what is not read by then keeps its place.", ge=1)
    korean_morphemes: bool = setting(
        False, "Look Korean words up by their morphemes too; needs the extra 'korean', 0.5 GB and seconds to load it."
    )
    snippet_chars: int = setting(240, "Length of a result's snippet in characters.", ge=40)


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How changes on disk are noticed."""

    quiet_s: float = setting(0.5, "A change is taken up after this long without another.", ge=0.0)
    max_wait_s: float = setting(2.0, "Under steady writing, changes are taken up after this long.", ge=0.1)
    rescan_s: float = setting(1800.0, "A full comparison runs this often, whatever the events said.", ge=10.0)
    full_diff_paths: int = setting(500, "More changed paths than this at once: compare the whole vault.", ge=1)
    polling: str = setting("auto", "'auto' polls only where the system sends no events.", choices=("auto", "always"))
    poll_s: float = setting(5.0, "Pause between polls.", ge=0.1)


@dataclass(frozen=True, slots=True)
class UiOptions:
    """How the terminal screens behave."""

    theme: str = setting("textual-dark", "Name of a Textual theme.")
    editor: str = setting("", "Command that opens a note at a line; empty takes $VISUAL, then $EDITOR.")
    search_delay_ms: int = setting(120, "Pause in typing after which the semantic leg runs.", ge=0)
    refresh_hz: float = setting(10.0, "How often progress is drawn.", ge=1.0, le=60.0)


@dataclass(frozen=True, slots=True)
class Options:
    """Everything an engine needs. `vault_path` and `data_dir` are absolute and resolved."""

    vault_path: Path
    data_dir: Path
    vault: VaultOptions = field(default_factory=VaultOptions)
    chunking: ChunkOptions = field(default_factory=ChunkOptions)
    embedding: EmbedOptions = field(default_factory=EmbedOptions)
    store: StoreOptions = field(default_factory=StoreOptions)
    search: SearchOptions = field(default_factory=SearchOptions)
    watch: WatchOptions = field(default_factory=WatchOptions)
    ui: UiOptions = field(default_factory=UiOptions)


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as a settings screen or `config show` lists it; `source` says in words where the value came from."""

    section: str
    name: str
    value: object
    source: str
    doc: str
    choices: tuple[str, ...] | None = None
