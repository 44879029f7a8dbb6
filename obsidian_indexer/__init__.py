"""Semantic search over an Obsidian vault: notes in, a fast and faithful local index out."""

__version__ = "0.1.0"
