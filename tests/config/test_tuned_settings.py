"""Tuning keeps its values in the vault's own file and gives the old file back, byte for byte."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

import config
from obsidian_indexer.errors import ConfigError

OLD = b'# mine\r\n[search]\r\nk = 5   # few\r\n\r\n[embedding]\r\nmodel = "fake"\r\ndtype = "float32"\r\n'
VALUES = {"engine": "openvino", "dtype": "int8", "token_budget": 1024}


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"OBSIDIAN_INDEXER_CONFIG": str(tmp_path / "user.toml")}


@pytest.fixture
def place(tmp_path: Path) -> dict[str, object]:
    (tmp_path / "vault" / ".obsidian").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    return {"vault.path": tmp_path / "vault", "vault.data_dir": tmp_path / "data"}


def listing(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_values_rule_and_the_rest_stands(tmp_path: Path, place: dict[str, object], env: dict[str, str]) -> None:
    file = tmp_path / "data" / "settings.toml"
    file.write_bytes(OLD)
    kept = config.keep_tuned(config.load(place, env=env), VALUES)
    assert (kept.file, kept.backup, kept.overridden) == (file, file.with_name("settings.toml.before-tune"), ())
    embedding = config.load(place, env=env).options.embedding
    assert (embedding.engine, embedding.dtype, embedding.token_budget) == ("openvino", "int8", 1024)
    assert embedding.model == "fake"
    assert "# few" in file.read_text()
    assert kept.backup.read_bytes() == OLD
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("old", [OLD, b"", b"\n# only a remark", None])
@pytest.mark.parametrize("times", [1, 2])
def test_restoring_gives_the_old_bytes_back(
    tmp_path: Path, place: dict[str, object], env: dict[str, str], old: bytes | None, times: int
) -> None:
    data = tmp_path / "data"
    if old is not None:
        (data / "settings.toml").write_bytes(old)
    before = listing(data)
    for n in range(times):
        config.keep_tuned(config.load(place, env=env), VALUES | {"token_budget": 512 * (n + 1)})
    restored = config.restore_tuned(config.load(place, env=env))
    assert listing(data) == before
    assert restored.aside is None


def test_what_was_changed_after_tuning_is_set_aside(
    tmp_path: Path, place: dict[str, object], env: dict[str, str]
) -> None:
    file = tmp_path / "data" / "settings.toml"
    file.write_bytes(OLD)
    config.keep_tuned(config.load(place, env=env), VALUES)
    config.save(config.load(place, env=env), "search", "k", 9)
    changed = file.read_bytes()
    restored = config.restore_tuned(config.load(place, env=env))
    assert file.read_bytes() == OLD
    assert restored.aside is not None
    assert restored.aside.read_bytes() == changed


def test_tuning_again_after_a_change_backs_the_change_up(
    tmp_path: Path, place: dict[str, object], env: dict[str, str]
) -> None:
    file = tmp_path / "data" / "settings.toml"
    config.keep_tuned(config.load(place, env=env), VALUES)
    config.save(config.load(place, env=env), "search", "k", 9)
    changed = file.read_bytes()
    config.keep_tuned(config.load(place, env=env), VALUES)
    config.restore_tuned(config.load(place, env=env))
    assert file.read_bytes() == changed


def test_nothing_to_restore_is_said(place: dict[str, object], env: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="nothing to restore"):
        config.restore_tuned(config.load(place, env=env))


def test_a_stronger_source_is_named(place: dict[str, object], env: dict[str, str]) -> None:
    env["OBSIDIAN_INDEXER_EMBEDDING__ENGINE"] = "torch"
    kept = config.keep_tuned(config.load(place, env=env), VALUES)
    assert len(kept.overridden) == 1
    assert "OBSIDIAN_INDEXER_EMBEDDING__ENGINE" in kept.overridden[0]


def test_a_value_that_is_refused_changes_nothing(tmp_path: Path, place: dict[str, object], env: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        config.keep_tuned(config.load(place, env=env), {"engine": "abacus"})
    assert listing(tmp_path / "data") == {}


def test_a_vault_is_needed(tmp_path: Path, env: dict[str, str]) -> None:
    settings = config.load(env=env, cwd=tmp_path)
    with pytest.raises(ConfigError, match="--vault"):
        config.keep_tuned(settings, VALUES)
    with pytest.raises(ConfigError, match="--vault"):
        config.restore_tuned(settings)
