"""Reads a Chroma folder in a process of its own, so that a damaged one can only end this one.

Takes a JSON request on standard input; exits 0 when the rows, asked for by their own vectors, come back.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from obsidian_indexer.options import StoreOptions
from obsidian_indexer.store.chroma import ChromaStore


def main() -> int:
    """0 when the store answers for its own rows, else 1."""
    request = json.load(sys.stdin)
    store = ChromaStore(Path(request["folder"]), request["collection"], StoreOptions())
    keys = [bytes.fromhex(key) for key in request["keys"]]
    answers = store.answers(keys, np.asarray(request["vectors"], np.float32))
    store.close()
    return 0 if answers else 1


if __name__ == "__main__":
    sys.exit(main())
