from __future__ import annotations

import json
import logging
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from obsidian_indexer import log


@pytest.fixture
def kept_logging() -> Iterator[None]:
    """Puts the process's logging back as it was."""
    root = logging.getLogger()
    handlers, raising = list(root.handlers), logging.raiseExceptions
    package = logging.getLogger("obsidian_indexer")
    level = package.level
    yield
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)
        handler.close()
    package.setLevel(level)
    logging.raiseExceptions = raising
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.mark.usefixtures("kept_logging")
def test_records_become_private_json_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.open_log(tmp_path / "data")
    file = tmp_path / "data" / "logs" / "indexer.log"
    assert not file.exists()
    logger = logging.getLogger("obsidian_indexer.sync")
    logger.debug("text of a note")
    logger.warning("failed %s", "a\nb\x1b[2J.md")
    log.route_structlog()
    structlog.get_logger("obsidian_indexer.tui").info("opened", screen="search")
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert [line["event"] for line in lines] == ["failed a\nb\x1b[2J.md", "opened"]
    assert lines[1]["screen"] == "search"
    assert "\x1b" not in file.read_text("utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("kept_logging")
def test_a_log_that_cannot_be_written_is_given_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    log.open_log(tmp_path / "data")
    logging.getLogger("obsidian_indexer").warning("lost")
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("kept_logging")
def test_the_log_follows_the_index_folder(tmp_path: Path) -> None:
    for name in ("one", "one", "two"):
        log.open_log(tmp_path / name)
        logging.getLogger("obsidian_indexer").warning(name)
    assert len((tmp_path / "one" / "logs" / "indexer.log").read_text().splitlines()) == 2
    assert len((tmp_path / "two" / "logs" / "indexer.log").read_text().splitlines()) == 1
