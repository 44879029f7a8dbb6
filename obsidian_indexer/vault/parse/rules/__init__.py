"""Obsidian's own syntax as rules over markdown-it-py's states, one small unit for each."""
