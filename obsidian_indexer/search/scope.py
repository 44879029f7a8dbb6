"""Where the legs may look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """The notes and chunks that may be found; None stands for all. `chunk_ids` are all of notes in `note_ids`."""

    note_ids: Sequence[int] | None = None
    chunk_ids: Sequence[int] | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self.note_ids is None and self.chunk_ids is None
