"""Paths of headings: what stands over a block, and how two places of a note relate."""

from __future__ import annotations

from collections.abc import Sequence

from obsidian_indexer.records import Block, BlockKind

Path = tuple[str, ...]


def heading_paths(blocks: Sequence[Block]) -> list[Path]:
    """The headings over each block, outermost first, a heading's own text included."""
    # Nothing stands above a note's first heading: a path there says that paths of headings include themselves already.
    first = next((block for block in blocks if block.kind is BlockKind.HEADING), None)
    if first is None or first.headings[-1:] == (first.text,):
        return [block.headings for block in blocks]
    return [(*block.headings, block.text) if block.kind is BlockKind.HEADING else block.headings for block in blocks]


def related(one: Path, other: Path) -> bool:
    """Whether the second section is the same as the first, its child, or its sibling under a shared heading."""
    return other[: len(one)] == one or (len(one) == len(other) and one[:-1] == other[:-1])


def shared_path(paths: Sequence[Path]) -> Path:
    """The headings that all paths begin with."""
    if not paths:
        return ()
    low, high = min(paths), max(paths)
    depth = next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return low[:depth]
