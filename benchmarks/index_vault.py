"""A fresh index of a vault, whole process, against `SentenceTransformer.encode` plus Chroma on the same passages.

    python benchmarks/index_vault.py VAULT [--rounds N] [--skip-2000]

The contenders are handed the passages ready made, so they neither scan nor parse nor cut; this program does all of it.
The contenders are handed the passages ready made: they neither scan nor parse nor cut; this program does all of it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import machine, peak_mib, run_process


def ours(vault: str, data_dir: str) -> None:
    """Index a vault and print what was done."""
    from main import main

    code = main(["--vault", vault, "--data-dir", data_dir, "--json", "--quiet", "index"])
    # The report is the line before; peak memory is this process's own and its parse workers'.
    print(json.dumps({"exit": code, "peak_mib": peak_mib()}))


def dump_passages(vault: str, file: str) -> None:
    """Write the passages of a vault as JSON lines, as this program cuts them."""
    import config
    from obsidian_indexer.sync.inspect import NoteInspector
    from obsidian_indexer.vault import scan

    options = config.load({"vault.path": vault}).options
    inspector = NoteInspector(options)
    texts = []
    for entry in scan(options.vault_path, options.vault):
        if hasattr(entry, "mtime_ns"):
            texts += [chunk.embedded_text for chunk in inspector.inspect(entry.path)[1]]
    Path(file).write_text("\n".join(map(json.dumps, texts)), "utf-8")
    print(json.dumps({"passages": len(texts)}))


def recipe(file: str, data_dir: str, batch_size: int) -> None:
    """Embed ready-made passages with `encode` and add them to Chroma, as circulating recipes do."""
    import chromadb
    from sentence_transformers import SentenceTransformer

    from obsidian_indexer.embed.spec import resolve_model
    from obsidian_indexer.options import EmbedOptions

    texts = [json.loads(line) for line in Path(file).read_text("utf-8").split("\n")]
    model = SentenceTransformer(str(resolve_model(EmbedOptions()).folder), local_files_only=True)
    vectors = model.encode(texts, batch_size=batch_size, normalize_embeddings=True)
    settings = chromadb.config.Settings(anonymized_telemetry=False)
    collection = chromadb.PersistentClient(data_dir, settings).create_collection("notes", embedding_function=None)
    for start in range(0, len(texts), 5000):
        part = slice(start, start + 5000)
        ids = [str(i) for i in range(start, min(start + 5000, len(texts)))]
        collection.add(ids=ids, embeddings=vectors[part], documents=texts[part])
    print(json.dumps({"exit": 0, "peak_mib": peak_mib()}))


def compare(vault: str, rounds: int, batches: list[int]) -> dict[str, object]:
    """Run every contender in turn, `rounds` times."""
    with tempfile.TemporaryDirectory() as scratch:
        passages = f"{scratch}/passages.jsonl"
        n_passages = run_process([__file__, "--passages", vault, passages])["output"]
        results: dict[str, list[dict[str, object]]] = {}
        for number in range(rounds):
            results.setdefault("ours", []).append(run_process([__file__, "--ours", vault, f"{scratch}/ours-{number}"]))
            for batch in batches:
                folder = f"{scratch}/encode-{batch}-{number}"
                outcome = run_process([__file__, "--recipe", passages, folder, str(batch)])
                results.setdefault(f"encode_{batch}", []).append(outcome)
    seconds = {name: statistics.median(float(str(run["seconds"])) for run in runs) for name, runs in results.items()}
    return {
        "benchmark": "index_vault",
        "machine": machine(),
        "rounds": rounds,
        **(n_passages if isinstance(n_passages, dict) else {}),
        "seconds": seconds,
        "peak_mib": {name: max(run["output"]["peak_mib"] for run in runs) for name, runs in results.items()},  # type: ignore[index]
        "times_faster": {name: round(value / seconds["ours"], 2) for name, value in seconds.items() if name != "ours"},
    }


def main() -> None:
    """Parse the command line; the first three forms are the contenders' own processes."""
    if sys.argv[1:2] == ["--ours"]:
        return ours(*sys.argv[2:4])
    if sys.argv[1:2] == ["--passages"]:
        return dump_passages(*sys.argv[2:4])
    if sys.argv[1:2] == ["--recipe"]:
        return recipe(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vault")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--skip-2000", action="store_true", help="leave out the batch of 2000 (5 GB of memory)")
    options = parser.parse_args()
    batches = [32] if options.skip_2000 else [32, 2000]
    print(json.dumps(compare(str(Path(options.vault).resolve()), options.rounds, batches), indent=2))
    return None


if __name__ == "__main__":
    main()
