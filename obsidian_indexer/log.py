"""The log: one rotating file of JSON lines in the index folder, for the owner alone, never the terminal.

Rooms write with `logging.getLogger(__name__)`, or with structlog where it is loaded anyway. Text of notes is logged at
DEBUG only, which is not written here.
"""

from __future__ import annotations

import logging
import os
from functools import cached_property
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

FOLDER, FILE_NAME = "logs", "indexer.log"
MAX_BYTES, KEPT_FILES = 1_000_000, 3


def open_log(data_dir: Path) -> None:
    """Send the package's log from INFO and every library's from WARNING to the index folder. Calling it again for
    another folder moves the log. The file is made with its first line; one that cannot be written is given up silently.
    """
    path = data_dir / FOLDER / FILE_NAME
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _PrivateFile)]:
        if Path(old.baseFilename) == path:
            return
        root.removeHandler(old)
        old.close()
    handler = _PrivateFile(path, maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True)
    handler.setFormatter(_JsonLines())
    root.addHandler(handler)
    logging.getLogger("obsidian_indexer").setLevel(logging.INFO)
    # Python would print what the log could not take to stderr, over the screen.
    logging.raiseExceptions = False
    logging.captureWarnings(True)


def route_structlog() -> None:
    """Send what is logged through structlog to the same file; unconfigured, it would print on stdout."""
    import structlog

    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _shared_processors() -> list[Any]:
    import structlog

    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]


class _PrivateFile(RotatingFileHandler):
    """Makes its folder and file when first needed, readable by the owner only whatever the umask."""

    def _open(self) -> TextIOWrapper:
        path = Path(self.baseFilename)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return open(descriptor, "a", encoding=self.encoding, errors="backslashreplace")  # noqa: PTH123


class _JsonLines(logging.Formatter):
    """One JSON object per record. structlog is loaded with the first record: most runs log nothing."""

    @cached_property
    def _renderer(self) -> logging.Formatter:
        import structlog

        return structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared_processors(),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        return self._renderer.format(record)
