"""What waits to be embedded: by it an engine is chosen, and made where making one pays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

from obsidian_indexer.events import EventSink, ignore_event

T = TypeVar("T")


def spread(items: Sequence[T], n: int) -> list[T]:
    """At most `n` of the items, in even steps: of items sorted by length, some of every length."""
    return list(items) if len(items) <= n else [items[i * len(items) // n] for i in range(n)]


@dataclass(frozen=True, slots=True)
class Workload:
    """A run's pending work and how to tell the run about it.

    `sample(n)` gives up to n texts of the vault, spread over their lengths, prompts not included. `building()` is
    entered while an engine is made; `check` raises Cancelled when the user stopped the run.
    """

    n_tokens: int = 0
    sample: Callable[[int], list[str]] = lambda n: []
    on_event: EventSink = ignore_event
    check: Callable[[], None] = lambda: None
    building: Callable[[], AbstractContextManager[object]] = nullcontext
