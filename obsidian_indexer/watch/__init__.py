"""Watching a vault: file system events become calls of "bring the index up to date".

    observe · inotify → dirty (Inbox) → loop (Watcher) → the caller's `sync`

Events say where to look, never what changed; `sync` compares disk with catalogue there. A lost event costs time, never
truth, because overflow, errors and a regular interval all lead to a comparison of the whole vault.
"""

from __future__ import annotations

from obsidian_indexer.watch.dirty import NOTE_SUFFIXES, DirtySet
from obsidian_indexer.watch.loop import Watcher, watch_vault

__all__ = ["NOTE_SUFFIXES", "DirtySet", "Watcher", "watch_vault"]
