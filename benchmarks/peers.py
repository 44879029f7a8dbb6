"""The peers of `index_vault.py`, each a program of its own: `peers.py NAME SOURCE FOLDER MODEL_FOLDER`.

langchain reads and cuts the vault SOURCE itself, with the passage length of LangChain's own tutorials; txtai and the
recipe are handed ready passages, SOURCE being JSON lines of text. None may reach the network. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

OFFLINE = {
    "ANONYMIZED_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "TRANSFORMERS_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}
# https://python.langchain.com/docs/tutorials/rag: a passage of that many characters nearly fills the model's window.
_CHUNK_CHARACTERS, _CHUNK_OVERLAP = 1000, 200
_RECIPE_BATCH = 2000
_ADD_ROWS = 5000


def langchain(source: str, folder: str, model: str) -> dict[str, object]:
    """ObsidianLoader, RecursiveCharacterTextSplitter, HuggingFaceEmbeddings, Chroma."""
    from chromadb.config import Settings
    from langchain_chroma import Chroma
    from langchain_community.document_loaders import ObsidianLoader
    from langchain_huggingface import HuggingFaceEmbeddings
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    notes = ObsidianLoader(source).load()
    splitter = RecursiveCharacterTextSplitter(chunk_size=_CHUNK_CHARACTERS, chunk_overlap=_CHUNK_OVERLAP)
    passages = splitter.split_documents(notes)
    embeddings = HuggingFaceEmbeddings(model_name=model, encode_kwargs={"normalize_embeddings": True})
    settings = Settings(anonymized_telemetry=False)
    Chroma.from_documents(passages, embeddings, persist_directory=folder, client_settings=settings)
    return {"notes": len(notes), "passages": len(passages)}


def txtai(source: str, folder: str, model: str) -> dict[str, object]:
    """An `Embeddings` with stored text, everything else at its default."""
    from txtai import Embeddings

    texts = _passages(source)
    embeddings = Embeddings(path=model, content=True)
    embeddings.index(texts)
    embeddings.save(folder)
    return {"passages": embeddings.count()}


def recipe(source: str, folder: str, model: str) -> dict[str, object]:
    """One `encode` with a batch of 2000, then Chroma, as circulating scripts do."""
    import chromadb
    from chromadb.config import Settings
    from sentence_transformers import SentenceTransformer

    texts = _passages(source)
    encoder = SentenceTransformer(model, local_files_only=True)
    vectors = encoder.encode(texts, batch_size=_RECIPE_BATCH, normalize_embeddings=True)
    client = chromadb.PersistentClient(folder, Settings(anonymized_telemetry=False))
    collection: Any = client.create_collection("notes", embedding_function=None)
    for start in range(0, len(texts), _ADD_ROWS):
        part = range(start, min(start + _ADD_ROWS, len(texts)))
        collection.add(
            ids=[str(i) for i in part], embeddings=vectors[part.start : part.stop], documents=texts[start : part.stop]
        )
    return {"passages": collection.count()}


PEERS: dict[str, Callable[[str, str, str], dict[str, object]]] = {
    "langchain": langchain,
    "txtai": txtai,
    "recipe": recipe,
}
NEEDED = {
    "langchain": ("langchain-community", "langchain-huggingface", "langchain-chroma", "langchain-text-splitters"),
    "txtai": ("txtai",),
    "recipe": ("sentence-transformers", "chromadb"),
}
"""The packages without which a peer cannot take part."""


def _passages(file: str) -> list[str]:
    return [json.loads(line) for line in Path(file).read_text("utf-8").split("\n")]


def _refuse(self: socket.socket, address: object) -> None:
    raise OSError(f"a benchmark reaches no other machine, not {address}")


def main() -> None:
    """Run one peer."""
    name, source, folder, model = sys.argv[1:]
    os.environ.update(OFFLINE)
    socket.socket.connect = _refuse  # type: ignore[method-assign]
    print(json.dumps(PEERS[name](source, folder, model)))


if __name__ == "__main__":
    main()
