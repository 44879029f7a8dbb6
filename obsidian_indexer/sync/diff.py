"""What differs between disk and catalogue, by date and size alone.

The one comparison that a full run, the start-up and the watcher share. It says which files to read; whether their
content really changed is told by their hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from obsidian_indexer.records import FileStat, IgnoredFile
from obsidian_indexer.store.notes import StoredNote

# A file written again within one tick of its file system's clock keeps its date. Whole seconds mean a coarse clock.
_FINE_TICK_NS, _COARSE_TICK_NS = 20_000_000, 2_000_000_000


@dataclass(slots=True)
class Differences:
    """What one scan found. `to_read` may have changed, `missing` is stored and no longer on disk.

    `attachments` are the files that are no notes and may be named in filters; what lies in an `unreadable` folder is
    unknown.
    """

    seen: int = 0
    ignored: int = 0
    attachments: list[FileStat] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    to_read: list[FileStat] = field(default_factory=list)
    missing: list[StoredNote] = field(default_factory=list)


def compare(
    on_disk: Iterable[FileStat | IgnoredFile], stored: Mapping[str, StoredNote], chunker: str, *, full: bool = False
) -> Differences:
    """Compare a scan with what is stored.

    A note is read again when its date or size differ, when it was read so soon after its last change that another could
    hide behind the same date, when other chunk limits made its passages, or with `full`. A file the disk
    said nothing of, and what lies in a folder that could not be read, is unknown, not gone.
    """
    found = Differences()
    met: set[str] = set()
    for entry in on_disk:
        if isinstance(entry, IgnoredFile):
            if entry.path.endswith("/"):
                found.unreadable.append(entry.path)
            elif entry.unknown:
                met.add(entry.path)
            else:
                found.ignored += 1
                found.attachments += [entry.attachment] if entry.attachment else []
            continue
        found.seen += 1
        met.add(entry.path)
        note = stored.get(entry.path)
        if full or note is None or _may_have_changed(entry, note) or note.chunker != chunker:
            found.to_read.append(entry)
    found.missing = [
        note for path, note in stored.items() if path not in met and not path.startswith(tuple(found.unreadable))
    ]
    return found


def _may_have_changed(on_disk: FileStat, note: StoredNote) -> bool:
    if on_disk.mtime_ns != note.mtime_ns or on_disk.size != note.size:
        return True
    tick = _COARSE_TICK_NS if note.mtime_ns % 1_000_000_000 == 0 else _FINE_TICK_NS
    return note.mtime_ns + tick >= note.read_ns
