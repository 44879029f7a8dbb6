from __future__ import annotations

import stat
from pathlib import Path

import pytest

import config
from obsidian_indexer.errors import ConfigError, VaultError


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path / "My notes"
    (folder / ".obsidian").mkdir(parents=True)
    return folder


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"OBSIDIAN_INDEXER_CONFIG": str(tmp_path / "user.toml"), "OBSIDIAN_INDEXER_DATA_DIR": str(tmp_path / "data")}


def write_user(tmp_path: Path, text: str) -> None:
    (tmp_path / "user.toml").write_text(text, "utf-8")


def write_vault(tmp_path: Path, text: str) -> None:
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "settings.toml").write_text(text, "utf-8")


def row(settings: config.Settings, section: str, name: str) -> tuple[object, str]:
    return next((r.value, r.source) for r in settings.rows if (r.section, r.name) == (section, name))


def test_each_source_outranks_the_one_before(tmp_path: Path, vault: Path, env: dict[str, str]) -> None:
    def k(overrides: dict[str, object] | None = None) -> tuple[object, str]:
        return row(config.load({"vault.path": vault, **(overrides or {})}, env=env), "search", "k")

    assert k() == (10, "default")
    write_user(tmp_path, "[search]\nk = 11\n")
    assert k() == (11, f"user's file ({tmp_path / 'user.toml'})")
    write_vault(tmp_path, "[search]\nk = 12\n")
    assert k() == (12, f"vault's file ({tmp_path / 'data' / 'settings.toml'})")
    env["OBSIDIAN_INDEXER_SEARCH__K"] = "13"
    assert k() == (13, "environment (OBSIDIAN_INDEXER_SEARCH__K)")
    assert k({"search.k": 14}) == (14, "command line")


def test_options_hold_what_the_rows_say(vault: Path, env: dict[str, str]) -> None:
    env |= {"OBSIDIAN_INDEXER_EMBEDDING__FAST_MODE": "false", "OBSIDIAN_INDEXER_VAULT__EXCLUDE": "Archive/, *.tmp"}
    settings = config.load({"vault.path": vault}, env=env)
    assert settings.options.embedding.fast_mode is False
    assert settings.options.vault.exclude == ("Archive/", "*.tmp")
    assert settings.options.vault_path == vault.resolve()
    for r in settings.rows:
        if (r.section, r.name) not in {("vault", "path"), ("vault", "data_dir")}:
            assert getattr(getattr(settings.options, r.section), r.name) == r.value


def test_every_setting_is_documented(env: dict[str, str]) -> None:
    rows = config.load({}, env=env, cwd=Path("/")).rows
    assert [f"{r.section}.{r.name}" for r in rows if len(r.doc) < 10] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[serach]\nk = 3\n", ("serach", "Did you mean 'search'?")),
        ("[search]\nkk = 3\n", ("search.kk", "Did you mean 'k'?")),
        ("[embedding]\nbatchsize = 3\n", ("embedding.batchsize", "Did you mean 'batch_size'?")),
        ("[search]\nk = 0\n", ("search.k = 0", "whole number of at least 1")),
        ("[search]\nmode = 'fuzzy'\n", ("search.mode", "hybrid")),
        ("[search]\nk = 'many'\n", ("search.k = 'many', but it must be a whole number of at least 1",)),
        ("search = 3\n", ("'search'", "[search]")),
        ("[search]\nk = = 3\n", ("line 2, column 5",)),
        ("[search", ("line 1, column 8",)),
        ("[ui]\nrefresh_hz = nan\n", ("ui.refresh_hz",)),
    ],
)
def test_a_wrong_file_is_named_with_the_key(
    tmp_path: Path, vault: Path, env: dict[str, str], text: str, expected: tuple[str, ...]
) -> None:
    for write, file in ((write_user, tmp_path / "user.toml"), (write_vault, tmp_path / "data" / "settings.toml")):
        write(tmp_path, text)
        with pytest.raises(ConfigError) as raised:
            config.load({"vault.path": vault}, env=env)
        for part in (str(file), *expected):
            assert part in str(raised.value)
        file.unlink()


def test_all_that_is_wrong_in_a_section_is_said(tmp_path: Path, env: dict[str, str]) -> None:
    write_user(tmp_path, "[vault]\nexclude = ['a', 1, 2]\npath = 3\ndata_dir = ''\n")
    with pytest.raises(ConfigError) as raised:
        config.load({}, env=env)
    said = [line.partition(": ")[2] for line in str(raised.value).splitlines()]
    assert said == [
        "vault.exclude = 1, but it must be a list of texts.",
        "vault.exclude = 2, but it must be a list of texts.",
        "vault.path = 3, but it must be a path.",
    ]


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "user.toml").write_bytes(b"[ui]\ntheme = '\xff'\n")
    with pytest.raises(ConfigError, match=r"user\.toml: not UTF-8"):
        config.load({}, env=env)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("OBSIDIAN_INDEXER_SEARCH__KK", "3", "Did you mean 'OBSIDIAN_INDEXER_SEARCH__K'?"),
        ("OBSIDIAN_INDEXER_SEARCH_MODE", "keyword", "Did you mean 'OBSIDIAN_INDEXER_SEARCH__MODE'?"),
        ("OBSIDIAN_INDEXER_DATADIR", "/x", "Did you mean 'OBSIDIAN_INDEXER_DATA_DIR'?"),
        ("OBSIDIAN_INDEXER_SEARCH__K", "lots", "search.k = 'lots'"),
        ("OBSIDIAN_INDEXER_VAULT__INCLUDE", "[a", "not a JSON list"),
    ],
)
def test_a_wrong_variable_is_named(env: dict[str, str], variable: str, value: str, expected: str) -> None:
    with pytest.raises(ConfigError) as raised:
        config.load({}, env={**env, variable: value})
    assert variable in str(raised.value)
    assert expected in str(raised.value)


def test_the_vault_comes_from_flag_environment_file_or_the_folder_around(
    tmp_path: Path, vault: Path, env: dict[str, str]
) -> None:
    below = vault / "a" / "b"
    below.mkdir(parents=True)
    assert config.load({}, env=env, cwd=below).options.vault_path == vault.resolve()
    others = []
    for name in ("from-file", "from-env", "from-flag"):
        (tmp_path / name).mkdir()
        others.append((tmp_path / name).resolve())
    write_user(tmp_path, "[vault]\npath = 'from-file'\n")
    assert config.load({}, env=env, cwd=below).options.vault_path == others[0]
    env["OBSIDIAN_INDEXER_VAULT__PATH"] = str(others[1])
    assert config.load({}, env=env, cwd=below).options.vault_path == others[1]
    assert config.load({"vault.path": others[2]}, env=env, cwd=below).options.vault_path == others[2]


def test_a_note_is_read_in_the_vault_around_it(tmp_path: Path, vault: Path, env: dict[str, str]) -> None:
    (tmp_path / "other").mkdir()
    env["OBSIDIAN_INDEXER_VAULT__PATH"] = str(tmp_path / "other")
    assert config.load({}, env=env, around=vault / "x.md").options.vault_path == vault.resolve()
    flagged = config.load({"vault.path": tmp_path / "other"}, env=env, around=vault / "x.md")
    assert flagged.options.vault_path == (tmp_path / "other").resolve()


def test_an_unusable_vault_still_shows_settings(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "note.md").write_text("x")
    for path, expected in ((tmp_path / "gone", "does not exist"), (tmp_path / "note.md", "is a file")):
        settings = config.load({"vault.path": path}, env=env)
        assert row(settings, "search", "k")[0] == 10
        with pytest.raises(VaultError, match=expected):
            _ = settings.options
    with pytest.raises(VaultError, match="--vault") as raised:
        _ = config.load({}, env=env, cwd=Path("/")).options
    assert str(tmp_path / "user.toml") in str(raised.value)


def test_index_folders_of_two_vaults_with_one_name_differ(tmp_path: Path) -> None:
    env = {"OBSIDIAN_INDEXER_CONFIG": str(tmp_path / "none.toml")}
    folders = []
    for parent in ("a", "b"):
        vault = tmp_path / parent / "Notes 노트"
        vault.mkdir(parents=True)
        folders.append(config.load({"vault.path": vault}, env=env).options.data_dir)
        assert not folders[-1].is_relative_to(vault)
    assert folders[0] != folders[1]
    assert folders[0].name.startswith("Notes-노트-")


def test_an_index_folder_inside_the_vault_is_warned_of(vault: Path, env: dict[str, str]) -> None:
    assert config.load({"vault.path": vault}, env=env).warnings == ()
    (warning,) = config.load({"vault.path": vault, "vault.data_dir": vault / ".index"}, env=env).warnings
    assert "inside the vault" in warning


@pytest.mark.parametrize(("below", "said"), [("", "is a file"), ("a/b", "lies below the file")])
def test_an_index_folder_that_is_a_file_is_named(
    tmp_path: Path, vault: Path, env: dict[str, str], below: str, said: str
) -> None:
    file = tmp_path / "report.pdf"
    file.touch()
    with pytest.raises(ConfigError, match=said) as raised:
        config.load({"vault.path": vault, "vault.data_dir": file / below}, env=env)
    assert str(file) in str(raised.value)
    assert "command line" in str(raised.value)


def test_the_vaults_own_file_cannot_move_the_vault(tmp_path: Path, vault: Path, env: dict[str, str]) -> None:
    write_vault(tmp_path, "[vault]\npath = '/elsewhere'\n")
    with pytest.raises(ConfigError, match=r"'vault\.path' cannot be set in the vault's own file"):
        config.load({"vault.path": vault}, env=env)


def test_saving_keeps_comments_and_takes_effect(tmp_path: Path, vault: Path, env: dict[str, str]) -> None:
    write_vault(tmp_path, "# mine\n[search]\n# few\nk = 3  # three\n")
    settings = config.load({"vault.path": vault}, env=env)
    path = config.save(settings, "search", "mode", "keyword")
    config.save(settings, "search", "k", 4)
    assert path.read_text("utf-8") == '# mine\n[search]\n# few\nk = 4  # three\nmode = "keyword"\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert config.load({"vault.path": vault}, env=env).options.search.mode == "keyword"
    config.save(settings, "search", "mode", None)
    assert config.load({"vault.path": vault}, env=env).options.search.mode == "hybrid"


def test_personal_settings_are_saved_for_every_vault(tmp_path: Path, vault: Path, env: dict[str, str]) -> None:
    settings = config.load({"vault.path": vault}, env=env)
    assert config.save(settings, "ui", "theme", "nord") == tmp_path / "user.toml"
    assert config.save(settings, "vault", "path", vault) == tmp_path / "user.toml"
    assert config.save(settings, "embedding", "model", "fake") == tmp_path / "data" / "settings.toml"
    reloaded = config.load({}, env=env, cwd=Path("/")).options
    assert (reloaded.ui.theme, reloaded.embedding.model, reloaded.vault_path) == ("nord", "fake", vault.resolve())


def test_a_setting_the_vaults_file_holds_is_saved_where_it_wins(
    tmp_path: Path, vault: Path, env: dict[str, str]
) -> None:
    write_vault(tmp_path, "[ui]\ntheme = 'gruvbox'\n")
    config.save(config.load({"vault.path": vault}, env=env), "ui", "theme", "nord")
    assert config.load({"vault.path": vault}, env=env).options.ui.theme == "nord"


def test_a_value_is_taken_out_of_the_file_it_comes_from(tmp_path: Path, vault: Path, env: dict[str, str]) -> None:
    write_user(tmp_path, "[search]\nk = 7\n")
    write_vault(tmp_path, "[search]\nk = 3\n")
    for expected in (7, 10):
        config.save(config.load({"vault.path": vault}, env=env), "search", "k", None)
        assert config.load({"vault.path": vault}, env=env).options.search.k == expected


@pytest.mark.parametrize(
    ("section", "name", "value", "expected"),
    [
        ("search", "k", "abc", "search.k must be a whole number of at least 1."),
        ("search", "k", 0, "search.k must be a whole number of at least 1."),
        ("search", "semantic_weight", 2, "search.semantic_weight must be a number from 0 to 1."),
        ("search", "mode", "x", "search.mode must be one of hybrid, semantic, keyword."),
        ("embedding", "fast_mode", "x", "embedding.fast_mode must be true or false."),
        ("vault", "exclude", 5, "vault.exclude must be a list of texts."),
        ("vault", "path", 5, "vault.path must be a path."),
    ],
)
def test_a_refused_value_is_told_what_is_wanted(
    vault: Path, env: dict[str, str], section: str, name: str, value: object, expected: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        config.save(config.load({"vault.path": vault}, env=env), section, name, value, to="user")
    assert str(raised.value) == expected


def test_a_bad_value_is_refused_before_the_file_changes(tmp_path: Path, vault: Path, env: dict[str, str]) -> None:
    write_vault(tmp_path, "[search]\nk = 3\n")
    settings = config.load({"vault.path": vault}, env=env)
    for section, name, value in (("search", "k", 0), ("search", "kk", 1), ("serach", "k", 1)):
        with pytest.raises(ConfigError):
            config.save(settings, section, name, value)
    assert (tmp_path / "data" / "settings.toml").read_text("utf-8") == "[search]\nk = 3\n"
