"""Any sequence of edits, renames, removals and runs leaves the index equal to one built from nothing."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.kit import assert_same_as_fresh, open_engine, write_vault

NAMES = st.sampled_from(["a.md", "b.md", "dir/a.md", "dir/c.md", "다른/노트.md"])
WORDS = st.sampled_from(
    ["heron waits", "otter swims", "커피를 볶는다", "## Heading\n\nmole digs", "", "---\ntags: x\n---\n"]
)


class VaultMachine(RuleBasedStateMachine):
    """Edits on disk, runs now and then, and searches that must never show what is gone."""

    boilerplate_notes = 10

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp())
        self.vault = write_vault(self.base / "vault", {"keep.md": "# Keep\n\nThis note stays."})
        self.engine = open_engine(self.vault, self.base / "index", boilerplate_notes=self.boilerplate_notes)
        self.engine.index()
        self.fresh = 0

    @rule(name=NAMES, text=st.lists(WORDS, max_size=3))
    def write(self, name: str, text: list[str]) -> None:
        file = self.vault / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n\n".join(text), "utf-8")

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        (self.vault / name).unlink(missing_ok=True)

    @rule(old=NAMES, new=NAMES)
    def rename(self, old: str, new: str) -> None:
        if (self.vault / old).exists() and old != new:
            (self.vault / new).parent.mkdir(exist_ok=True)
            (self.vault / old).replace(self.vault / new)

    @rule()
    def run(self) -> None:
        self.engine.index()
        self.fresh += 1
        scratch = self.base / f"fresh{self.fresh}"
        assert_same_as_fresh(self.vault, self.base / "index", scratch, boilerplate_notes=self.boilerplate_notes)
        shutil.rmtree(scratch)

    @invariant()
    def nothing_shown_is_unknown(self) -> None:
        known = set(self.engine._catalog().notes.stored())
        for query in ("heron", "커피", "keep"):
            assert {hit.path for hit in self.engine.search(query, mode="keyword").hits} <= known

    def teardown(self) -> None:
        self.engine.close()
        shutil.rmtree(self.base)


class SharedTextMachine(VaultMachine):
    """The same where two or three notes with the same words make these boilerplate, which they do all the time."""

    boilerplate_notes = 2


MANY = settings(max_examples=8, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck))
VaultMachine.TestCase.settings = MANY
SharedTextMachine.TestCase.settings = MANY
TestVaultMachine = VaultMachine.TestCase
TestSharedTextMachine = SharedTextMachine.TestCase
