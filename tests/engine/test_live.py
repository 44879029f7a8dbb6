"""The engine beside others and over time: watching, reading while another process writes, one writer at a time."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from obsidian_indexer.engine import Engine
from obsidian_indexer.errors import DataDirError, LockedError, ModelError, NoteError, VaultError
from obsidian_indexer.events import CancelToken, Event, NoticeEvent, SyncedEvent, WatchState, WatchStateEvent
from obsidian_indexer.store.catalog import Catalog
from tests.kit import ScriptedEngine, assert_same_as_fresh, indexed_content, open_engine, wait_until, write_vault

ROOT = Path(__file__).parents[2]
NOTES = {"Home.md": "# Home\n\nWelcome.\n", "Birds/Heron.md": "# Heron\n\nIt waits in the reeds.\n"}


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return write_vault(tmp_path / "vault", NOTES)


class Watched:
    """A watch running in a thread, and what it told."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.events: list[Event] = []
        self.cancel = CancelToken()
        self.thread = threading.Thread(
            target=engine.watch, kwargs={"cancel": self.cancel, "on_event": self.events.append}
        )

    def start(self) -> None:
        self.thread.start()
        live = (WatchState.LIVE, WatchState.POLLING)
        wait_until(lambda: any(isinstance(e, WatchStateEvent) and e.state in live for e in list(self.events)))

    def stop(self) -> None:
        self.cancel.cancel()
        self.thread.join()

    def finds(self, query: str) -> set[str]:
        return {hit.path for hit in self.engine.search(query, mode="keyword").hits}


def names_are_read(engine: Engine) -> bool:
    with Catalog.open(engine.options.data_dir) as catalog:
        return catalog.name_vectors.count_pending(catalog.vectors.models()[0].id) == 0


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> ScriptedEngine:
    engine = ScriptedEngine()
    monkeypatch.setattr("obsidian_indexer.embed.fake.FakeEngine", lambda dim: engine)
    return engine


@pytest.fixture
def watched(vault: Path, tmp_path: Path, scripted: ScriptedEngine) -> Iterator[Watched]:
    with open_engine(vault, tmp_path / "index") as engine:
        running = Watched(engine)
        running.start()
        yield running
        running.stop()
        assert not [event for event in running.events if isinstance(event, NoticeEvent)]


def test_every_change_on_disk_is_searchable_or_gone(
    watched: Watched, vault: Path, scripted: ScriptedEngine, tmp_path: Path
) -> None:
    def embeds(change: Callable[[], object], until: Callable[[], bool]) -> int:
        before = scripted.n_texts
        change()
        wait_until(until)
        wait_until(lambda: watched.engine.status().pending == 0 and names_are_read(watched.engine))
        return scripted.n_texts - before

    new = vault / "Birds/Kingfisher.md"
    created = embeds(
        lambda: new.write_text("# Kingfisher\n\nA flash of sapphire.\n", "utf-8"),
        lambda: watched.finds("sapphire") == {"Birds/Kingfisher.md"},
    )
    assert created == 2, "its passage and its title"
    edited = embeds(
        lambda: new.write_text("# Kingfisher\n\nA flash of turquoise.\n", "utf-8"),
        lambda: watched.finds("turquoise") == {"Birds/Kingfisher.md"},
    )
    assert edited == 1
    assert watched.finds("sapphire") == set()
    moved = embeds(
        lambda: (vault / "Birds").rename(vault / "Fauna"),
        lambda: watched.finds("turquoise") == {"Fauna/Kingfisher.md"} and watched.finds("reeds") == {"Fauna/Heron.md"},
    )
    assert moved == 0
    renamed = embeds(
        lambda: (vault / "Fauna/Heron.md").rename(vault / "Fauna/Grey heron.md"),
        lambda: watched.finds("reeds") == {"Fauna/Grey heron.md"},
    )
    assert renamed == 2, "the title leads the text that is embedded"
    removed = embeds(lambda: (vault / "Fauna/Kingfisher.md").unlink(), lambda: watched.finds("turquoise") == set())
    assert removed == 0
    away = tmp_path / "away"
    embeds(lambda: (vault / "Fauna").rename(away), lambda: watched.finds("reeds") == set())
    back = embeds(lambda: away.rename(vault / "Back"), lambda: watched.finds("reeds") == {"Back/Grey heron.md"})
    assert back == 0


def test_a_watch_catches_up_with_what_happened_before_it(vault: Path, tmp_path: Path) -> None:
    with open_engine(vault, tmp_path / "index") as engine:
        engine.index()
    (vault / "Offline.md").write_text("# Offline\n\nWritten while closed.\n", "utf-8")
    (vault / "Home.md").unlink()
    (vault / "Birds/Heron.md").rename(vault / "Heron.md")
    with open_engine(vault, tmp_path / "index") as engine:
        running = Watched(engine)
        running.start()
        synced = [event for event in running.events if isinstance(event, SyncedEvent)]
        assert (synced[0].added, synced[0].removed, synced[0].renamed) == (1, 1, 1)
        running.stop()
    assert_same_as_fresh(vault, tmp_path / "index", tmp_path / "fresh")


def test_a_burst_of_changes_ends_in_a_faithful_index(watched: Watched, vault: Path, tmp_path: Path) -> None:
    for i in range(300):
        (vault / f"burst{i % 10}").mkdir(exist_ok=True)
        (vault / f"burst{i % 10}/n{i}.md").write_text(f"# N{i}\n\nburst word{i}\n", "utf-8")
    for i in range(0, 300, 3):
        (vault / f"burst{i % 10}/n{i}.md").unlink()
    data_dir = watched.engine.options.data_dir
    wait_until(lambda: watched.engine.status().notes == 202 and watched.engine.status().pending == 0)
    assert_same_as_fresh(vault, data_dir, tmp_path / "fresh")


def test_indexing_by_hand_works_while_a_watch_runs(watched: Watched) -> None:
    assert watched.engine.index().unchanged == 2


def test_a_second_process_reads_and_does_not_write(vault: Path, tmp_path: Path) -> None:
    data_dir = tmp_path / "index"
    with open_engine(vault, data_dir) as engine:
        engine.index()
        running = Watched(engine)
        running.start()
        code = (
            "import sys; from pathlib import Path; from tests.kit import open_engine\n"
            "from obsidian_indexer.errors import LockedError\n"
            "with open_engine(Path(sys.argv[1]), Path(sys.argv[2])) as e:\n"
            "    print([h.path for h in e.search('reeds').hits][0], e.status().writer)\n"
            "    try: e.index()\n"
            "    except LockedError as error: print('LOCKED', error)\n"
            "print('chromadb' in sys.modules)\n"
        )
        child = subprocess.run(
            [sys.executable, "-c", code, str(vault), str(data_dir)],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            timeout=100,
        )
        running.stop()
    lines = child.stdout.splitlines()
    assert lines[0].startswith("Birds/Heron.md watch (process "), child.stderr
    assert lines[1].startswith("LOCKED This index is being written by watch (process ")
    assert lines[2] == "False"


def test_two_writers_at_once_lose_nothing(vault: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.kit import open_engine\n"
        "from obsidian_indexer.errors import LockedError\n"
        "with open_engine(Path(sys.argv[1]), Path(sys.argv[2])) as e:\n"
        "    sys.stdin.readline()\n"
        "    try: print('DONE', e.index().chunks)\n"
        "    except LockedError: print('LOCKED')\n"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(vault), str(tmp_path / "index")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(2)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    answers = [child.communicate(timeout=100)[0].split()[0] for child in children]
    assert "DONE" in answers
    assert set(answers) <= {"DONE", "LOCKED"}
    assert {path for path, _ in indexed_content(tmp_path / "index")} == {"Home.md", "Birds/Heron.md"}


def test_many_threads_search_at_once_while_the_index_grows(vault: Path, tmp_path: Path) -> None:
    with open_engine(vault, tmp_path / "index") as engine:
        engine.index()
        errors: list[BaseException] = []
        stop = threading.Event()

        def search() -> None:
            while not stop.is_set():
                try:
                    assert engine.search("reeds").hits
                except BaseException as error:
                    errors.append(error)
                    return

        threads = [threading.Thread(target=search) for _ in range(4)]
        for thread in threads:
            thread.start()
        for i in range(10):
            (vault / f"more{i}.md").write_text(f"# More {i}\n\nText {i}\n", "utf-8")
            engine.index()
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []


def test_a_missing_vault_and_a_file_are_refused(vault: Path, tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="There is no vault"):
        open_engine(tmp_path / "nowhere", tmp_path / "index")
    with pytest.raises(VaultError, match="is a file"):
        open_engine(vault / "Home.md", tmp_path / "index")
    with pytest.raises(DataDirError):
        open_engine(vault, vault / "Home.md")


def test_an_unknown_model_is_refused_and_keywords_still_answer(vault: Path, tmp_path: Path) -> None:
    with open_engine(vault, tmp_path / "index") as engine:
        engine.index()
    with open_engine(vault, tmp_path / "index", model="nobody/nothing") as engine:
        with pytest.raises(ModelError, match="not on this machine"):
            engine.index()
        assert engine.search("reeds", mode="keyword").hits[0].path == "Birds/Heron.md"
        assert engine.search("reeds").hits[0].path == "Birds/Heron.md"
        assert "not on this machine" in engine.model_status()


@pytest.mark.parametrize("path", ["../secret.md", "/etc/passwd", "Birds/../../secret.md", "nowhere.md", "a\0b.md"])
def test_nothing_outside_the_vault_is_read(vault: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret.md").write_text("secret", "utf-8")
    with open_engine(vault, tmp_path / "index") as engine:
        engine.index()
        with pytest.raises(NoteError):
            engine.note_text(path)
        with pytest.raises(NoteError):
            engine.uri(path)


def test_a_lock_names_its_holder_and_goes_with_it(vault: Path, tmp_path: Path) -> None:
    with open_engine(vault, tmp_path / "index") as first, open_engine(vault, tmp_path / "index") as second:
        with first._as_writer("index"):
            assert (second.status().writer or "").startswith("index (process ")
            with pytest.raises(LockedError):
                second.index()
        assert second.status().writer is None
        assert second.index().added == 2
