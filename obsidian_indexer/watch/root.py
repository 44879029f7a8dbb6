"""The vault's folder itself: whether it is there, whether it is the same one, and whether its disk sends events."""

from __future__ import annotations

import os
from collections.abc import Iterable
from enum import Enum, auto
from pathlib import Path

# What another machine changes on a share raises no event here; nor does a host's change in a folder it lends to WSL or
# to a virtual machine.
_SHARES = (
    "nfs",
    "nfs4",
    "cifs",
    "smb",
    "smb2",
    "smb3",
    "smbfs",
    "afs",
    "afpfs",
    "ceph",
    "glusterfs",
    "davfs",
    "webdav",
)
_HOST_FOLDERS = ("9p", "drvfs", "virtiofs", "vboxsf", "prl_fs", "vmhgfs", "fuse.vmhgfs-fuse", "fuse.grpcfuse")
_FUSE_SHARES = ("fuse.sshfs", "fuse.rclone", "fuse.davfs", "fuse.s3fs", "fuse.gvfsd-fuse", "fuse.glusterfs")
NETWORK_FILE_SYSTEMS = frozenset(_SHARES + _HOST_FOLDERS + _FUSE_SHARES)
"""File system types, lower case, that are polled."""


class RootState(Enum):
    """What stands at the vault's path."""

    HERE = auto()
    REPLACED = auto()
    GONE = auto()


class RootSentinel:
    """Tells a vault that is away (moved, unmounted) from one whose notes were deleted.

    An unmounted volume leaves an empty folder of another identity behind; that counts as away, while the same folder
    emptied by hand is still the vault.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: tuple[int, int] | None = None

    def look(self) -> RootState:
        """One `stat`, and a listing only when the folder is not the remembered one."""
        try:
            if not self._root.is_dir():
                return RootState.GONE
            if self._known is None or self._identity() == self._known:
                return RootState.HERE
            with os.scandir(self._root) as entries:
                return RootState.REPLACED if any(True for _ in entries) else RootState.GONE
        except OSError:
            return RootState.GONE

    def remember(self) -> None:
        """Take the folder that is there now as the vault. Raises OSError when there is none."""
        self._known = self._identity()

    def _identity(self) -> tuple[int, int]:
        stat = self._root.stat()
        return stat.st_dev, stat.st_ino


def mounts() -> list[tuple[str, str]]:
    """(mount point, file system type) of every mounted volume; empty where the system does not say."""
    import psutil

    try:
        return [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]
    except (OSError, RuntimeError):
        return []


def network_file_system(root: Path, mounted: Iterable[tuple[str, str]]) -> str | None:
    """The type of the file system that holds `root` when it is one that sends no events for foreign changes, or None.

    Of two volumes on one mount point the later one counts, as it hides the earlier.
    """
    holder, kind = "", ""
    for point, fstype in mounted:
        if root.is_relative_to(point) and len(point) >= len(holder):
            holder, kind = point, fstype.lower()
    return kind if kind in NETWORK_FILE_SYSTEMS else None
