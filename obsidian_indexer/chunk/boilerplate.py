"""Text that many notes share word for word: how a block is recognised, and which blocks a note leaves out for it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from obsidian_indexer.records import Block, BlockKind

# Less says nothing that a count could weigh: a rule of dashes, a number, an ellipsis.
_MIN_LETTERS = 2


def block_key(text: str) -> int:
    """What identifies a block's text across notes, a signed 64-bit number: equal for texts that differ in blanks only.

    A thousand vaults of a million distinct blocks each would see one collision or so.
    """
    plain = " ".join(text.split()).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(plain, digest_size=8).digest(), "little", signed=True)


def block_keys(blocks: Sequence[Block]) -> frozenset[int]:
    """The keys of a note's blocks that can be boilerplate, headings too: all that have two letters."""
    return frozenset(block_key(block.text) for block in blocks if _has_letters(block.text))


def left_out(blocks: Sequence[Block], depths: Sequence[int], boilerplate: frozenset[int]) -> frozenset[int]:
    """Positions of the blocks that are not embedded, given the keys of texts that many notes share.

    `depths` says how many headings each block stands under, a heading counting itself.
    A heading that many notes share is left out only where nothing is embedded below it: over a note's own words it says
    what they are about.
    """
    if not boilerplate:
        return frozenset()
    shared = {position for position, block in enumerate(blocks) if block_key(block.text) in boilerplate}
    filled: set[int] = set()  # depths of the sections, open from the end, that hold something embedded
    for position in range(len(blocks) - 1, -1, -1):
        depth = depths[position]
        if blocks[position].kind is not BlockKind.HEADING:
            if position not in shared:
                filled.update(range(1, depth + 1))
            continue
        if depth in filled:
            shared.discard(position)
        filled = {above for above in filled if above < depth}
        if position not in shared:
            filled.update(range(1, depth))
    return frozenset(shared)


def _has_letters(text: str) -> bool:
    letters = 0
    for char in text:
        letters += char.isalpha()
        if letters >= _MIN_LETTERS:
            return True
    return False
