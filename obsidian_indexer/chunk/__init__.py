"""Cutting a note into passages: the units that are embedded and found.

Passages follow headings and blocks. Every block of a note lies in exactly one passage, or, when it alone is larger than
the model's window, in several that follow each other. What the model reads of a passage, breadcrumb and lead included,
is counted as a whole before it leaves here, so nothing is cut off silently.
"""

from obsidian_indexer.chunk.boilerplate import block_key, block_keys
from obsidian_indexer.chunk.chunker import CHUNKER_VERSION, ChunkLimits, CountTokens, chunk_note

__all__ = ["CHUNKER_VERSION", "ChunkLimits", "CountTokens", "block_key", "block_keys", "chunk_note"]
