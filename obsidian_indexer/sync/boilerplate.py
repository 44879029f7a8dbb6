"""Which blocks are boilerplate, and whether every note was cut by that.

What is boilerplate follows from the counts in the catalogue alone, so an index that came about edit by edit equals one
built from nothing: when a block crosses the line, the notes that hold it are cut again, and no others.
"""

from __future__ import annotations

import hashlib
import math

from obsidian_indexer.store.catalog import Catalog
from obsidian_indexer.store.note_rows import pack_keys

_SETTLED = "boilerplate"
_UNSETTLED = "?"


def shared_by(least: int, n_notes: int) -> int:
    """How many of `n_notes` notes must share a block to make it boilerplate.

    The square root keeps what a few related notes of a large vault have in common (the same code in each translation
    of a page), and finds a line that a thousandth of a vault of a million, or a third of one of ten notes, repeats.
    """
    return max(2, least, math.isqrt(max(0, n_notes - 1)) + 1)


class Boilerplate:
    """The boilerplate of a vault during one run; `least` is the setting, 0 finds none.

    The catalogue remembers by which boilerplate all its notes were cut, and forgets it before a note is cut by another.
    """

    def __init__(self, catalog: Catalog, least: int) -> None:
        self._catalog = catalog
        self._least = least
        self._keys = self._found()

    def keys(self) -> frozenset[int]:
        """Keys of the blocks to leave out of a note that is cut now."""
        return self._keys

    def refresh(self, n_notes: int = 0) -> None:
        """Count again; while `n_notes` notes are on their way, what will be boilerplate is guessed from those there."""
        self._keys = self._found(n_notes)
        if self._settled() not in (_UNSETTLED, _digest(self._keys)):
            self._remember(_UNSETTLED)

    def misfits(self) -> list[str]:
        """Paths of the notes that were cut by another boilerplate than that of the counts as they are now."""
        self._keys = self._found()
        if self._settled() == _digest(self._keys):
            return []
        paths = self._catalog.blocks.cut_otherwise(self._keys)
        if not paths:
            self._remember(_digest(self._keys))
        return paths

    def _found(self, n_notes: int = 0) -> frozenset[int]:
        if not self._least:
            return frozenset()
        blocks = self._catalog.blocks
        counted = blocks.n_notes()
        line = shared_by(self._least, max(n_notes, counted))
        if counted < n_notes:
            # So many are to be expected so far of a block on the line; two standard deviations more are no accident.
            so_far = line * counted / n_notes
            line = min(line, math.ceil(so_far + 2 * math.sqrt(so_far)) + 1)
        return blocks.held_by(line)

    def _settled(self) -> str:
        return self._catalog.meta(_SETTLED) or _digest(frozenset())

    def _remember(self, digest: str) -> None:
        with self._catalog.transaction():
            self._catalog.set_meta(_SETTLED, digest)


def _digest(keys: frozenset[int]) -> str:
    return hashlib.sha256(pack_keys(keys)).hexdigest()
