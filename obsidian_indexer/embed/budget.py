"""How many tokens go into one batch: as many as serve the device at first, more while its memory has room."""

from __future__ import annotations

import math
import threading
from typing import Protocol

# At a quarter of a million tokens, starting a batch is a few per cent of its work even on the largest cards, and more
# would leave a window of texts in one piece, with nothing to prepare while it runs.
_MOST_TOKENS = 1 << 18
# Memory must promise this much more than a doubled batch needs: fragments and longer rows take their part.
_CAUTION = 1.25


class TokenBudget:
    """The padded tokens of one batch: doubled while batches leave room, halved for good when memory ran out.

    A `fixed` budget was asked for and does not grow. Any thread may tell how a batch went.
    """

    def __init__(self, start: int, *, fixed: bool = False) -> None:
        self._tokens = start
        self._most = start if fixed else max(start, _MOST_TOKENS)
        self._ceiling = math.inf
        self._lock = threading.Lock()

    @property
    def tokens(self) -> int:
        """Padded tokens to put into the next batch."""
        return self._tokens

    @property
    def ran_out(self) -> bool:
        """Whether a batch was too large for the memory."""
        return self._ceiling < math.inf

    def holds(self, tokens: int) -> bool:
        """Whether a batch of so many padded tokens may be tried."""
        return tokens <= self._ceiling

    def went_well(self, tokens: int, room: int) -> None:
        """A batch of `tokens` is done, and memory would hold a batch of about `room`, 0 if that is not known."""
        with self._lock:
            doubled = min(2 * self._tokens, self._most, self._ceiling)
            # A small batch, such as the last of a window, says little about large ones.
            if tokens > self._tokens // 2 and room >= _CAUTION * doubled:
                self._tokens = max(self._tokens, int(doubled))

    def overflowed(self, tokens: int) -> None:
        """A batch of so many padded tokens did not fit."""
        with self._lock:
            self._ceiling = min(self._ceiling, tokens // 2)
            self._tokens = max(1, min(self._tokens, int(self._ceiling)))


class MemoryGauge(Protocol):
    """Reads a device's memory, in bytes, around one batch at a time."""

    def start(self) -> int:
        """Forget the peak; what is taken now."""

    def peak(self) -> int:
        """The most that was taken since `start`."""

    def allowed(self) -> int:
        """The most that this process may take."""


class RoomMeter:
    """How large a batch the device's memory would hold, judged by what the last one took."""

    def __init__(self, gauge: MemoryGauge) -> None:
        self._gauge = gauge
        self._before = 0
        self.room_tokens = 0

    def begin(self) -> None:
        """A batch is about to take memory."""
        self._before = self._gauge.start()

    def end(self, tokens: int) -> None:
        """It has taken what it needed for its padded tokens."""
        taken = self._gauge.peak() - self._before
        if taken > 0:
            self.room_tokens = max(0, tokens * (self._gauge.allowed() - self._before) // taken)
