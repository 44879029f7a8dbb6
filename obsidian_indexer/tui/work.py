"""Starting background work the one way that is right here."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from textual.dom import DOMNode


def start(
    node: DOMNode, work: Callable[[], Coroutine[Any, Any, object]], group: str, *, exclusive: bool = True
) -> None:
    """Run a coroutine as a worker of that node; a fault ends the worker, not the app.

    With `exclusive`, what runs in the group is cancelled first. Without, it goes on.
    """
    # Textual's annotation infers no result type from a plain callable.
    node.run_worker(work, group=group, exclusive=exclusive, exit_on_error=False)  # type: ignore[arg-type]
