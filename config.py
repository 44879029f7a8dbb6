"""Settings from every source, checked, with a note of where each value came from.

    defaults < user's file < vault's own file < OBSIDIAN_INDEXER_<SECTION>__<NAME> < command line

The declarations in `obsidian_indexer.options` are the only list of settings; validation, environment names and
`config show` are built from them. The vault and the index folder are two settings more (`vault.path`,
`vault.data_dir`), which cannot come from the vault's own file because that file is found through them.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import shutil
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field as DataclassField
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import platformdirs

from obsidian_indexer.errors import ConfigError, VaultError
from obsidian_indexer.options import Options, SettingRow
from obsidian_indexer.tuning import TUNED_NAMES, KeptSettings, RestoredSettings

# Loaded by the first value that is to be checked, so that a command without settings need not wait for it.
if TYPE_CHECKING:
    from pydantic import BaseModel

APP = "obsidian-indexer"
ENV_PREFIX = "OBSIDIAN_INDEXER_"
CONFIG_VARIABLE = f"{ENV_PREFIX}CONFIG"
DATA_DIR_VARIABLE = f"{ENV_PREFIX}DATA_DIR"
VAULT_FILE_NAME = "settings.toml"
BEFORE_TUNE, AFTER_TUNE = ".before-tune", ".after-tune"
DEFAULT = "default"
USER_LABEL = "user's file"
VAULT_LABEL = "vault's file"
_NEEDS_VAULT = "The vault's own settings need a vault. Name one with --vault PATH."
# Stands in the backup's place where there was no file to back up.
_NO_FILE_BEFORE = "# There was no settings file before 'tune'.\n"

LOCATION_DOCS = {
    "path": "The vault; unset takes the nearest folder upwards that holds '.obsidian'.",
    "data_dir": "The index folder; unset takes one per vault in the user's data folder.",
}

Values = dict[str, dict[str, Any]]
"""Raw values by section and name, as a source holds them."""
Checked = dict[tuple[str, str], tuple[Any, str]]
"""(section, name) → typed value and a few words on its origin."""
Merged = Checked
"""The same with every setting present."""


@dataclass(frozen=True, slots=True)
class Source:
    """One layer of settings: raw values by section and name, and how to name each one's origin."""

    values: Values
    describe: Callable[[str, str], str]
    allows_location: bool = True


@dataclass(frozen=True, slots=True)
class Settings:
    """The merged settings. Without a usable vault, `vault_problem` says why and `options` raises it."""

    rows: tuple[SettingRow, ...]
    user_file: Path
    vault_file: Path | None
    warnings: tuple[str, ...]
    vault_problem: str | None
    resolved: Options | None

    @property
    def options(self) -> Options:
        """Everything an engine needs. Raises VaultError when no vault is known."""
        if self.resolved is None:
            raise VaultError(self.vault_problem or "No vault is known.")
        return self.resolved


# ---------------------------------------------------------------- declarations


@cache
def sections() -> dict[str, type]:
    """Section name → options class, in the order of `Options`."""
    hints = get_type_hints(Options)
    return {f.name: hints[f.name] for f in fields(Options) if f.name not in ("vault_path", "data_dir")}


@cache
def declarations(section: str) -> dict[str, DataclassField[Any]]:
    """Setting name → its declaration."""
    return {f.name: f for f in fields(sections()[section])}


@cache
def _defaults(section: str) -> dict[str, object]:
    """Setting name → its default, the two locations included."""
    defaults: dict[str, object] = {name: declared.default for name, declared in declarations(section).items()}
    return defaults | dict.fromkeys(LOCATION_DOCS) if section == "vault" else defaults


@cache
def _model(section: str) -> type[BaseModel]:
    from pydantic import ConfigDict, Field, create_model

    hints = get_type_hints(sections()[section])
    members: dict[str, Any] = {}
    for name, declared in declarations(section).items():
        kind: Any = hints[name]
        if declared.metadata.get("choices"):
            kind = Literal[tuple(declared.metadata["choices"])]
        bounds = {k: v for k in ("ge", "le") if (v := declared.metadata.get(k)) is not None}
        members[name] = (Annotated[kind, Field(**bounds)] if bounds else kind, declared.default)
    return create_model(section, __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **members)


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""


# ---------------------------------------------------------------- reading the sources


def user_file(env: Mapping[str, str]) -> Path:
    """The user's settings file, whether or not it exists."""
    if named := env.get(CONFIG_VARIABLE):
        return Path(named).expanduser()
    return platformdirs.user_config_path(APP, appauthor=False) / "config.toml"


def default_data_dir(vault: Path) -> Path:
    """The index folder of a resolved vault path, outside the vault."""
    digest = hashlib.sha256(os.fsencode(vault)).hexdigest()[:10]
    name = re.sub(r"[^\w.-]+", "-", vault.name).strip("-.") or "vault"
    return platformdirs.user_data_path(APP, appauthor=False) / "vaults" / f"{name}-{digest}"


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start}). Save the file as UTF-8.") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from error
    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {_with_position(str(error), text)}.") from error


def _with_position(message: str, text: str) -> str:
    """Says line and column even where the parser only says that the document ended."""
    if "(at end of document)" not in message:
        return message
    last = text.split("\n")
    return message.replace("at end of document", f"at line {len(last)}, column {len(last[-1]) + 1}")


def _file_source(path: Path, *, label: str, allows_location: bool) -> Source:
    raw = _read_toml(path)
    for section, values in raw.items():
        if section not in sections():
            raise ConfigError(f"{path}: unknown section '{section}'.{_did_you_mean(section, sections())}")
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: '{section}' must be a section, written [{section}].")
    if allows_location and (location := raw.get("vault")):
        # A path in a file is meant from where the file is, not from where the program was started.
        for name in LOCATION_DOCS.keys() & location.keys():
            if isinstance(location[name], str):
                location[name] = str(path.parent / Path(location[name]).expanduser())
    return Source(raw, lambda section, name: f"{label} ({path})", allows_location)


def _environment_source(env: Mapping[str, str]) -> Source:
    values: Values = {}
    variables: dict[tuple[str, str], str] = {}
    known = {
        f"{ENV_PREFIX}{section}__{name}".upper(): (section, name)
        for section in sections()
        for name in _defaults(section)
    }
    known[DATA_DIR_VARIABLE] = ("vault", "data_dir")
    for variable, text in env.items():
        if not variable.startswith(ENV_PREFIX) or variable == CONFIG_VARIABLE:
            continue
        if variable not in known:
            hint = _did_you_mean(variable, [*known, CONFIG_VARIABLE])
            raise ConfigError(f"Environment variable {variable}: no such setting.{hint}")
        section, name = known[variable]
        values.setdefault(section, {})[name] = _from_text(section, name, text, variable)
        variables[section, name] = variable
    return Source(values, lambda section, name: f"environment ({variables[section, name]})")


def _from_text(section: str, name: str, text: str, origin: str) -> object:
    """A list setting may be written as JSON or with commas; pydantic reads every other type from text."""
    if not isinstance(_defaults(section)[name], tuple):
        return text
    if not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigError(f"Environment variable {origin}: not a JSON list ({error}).") from error


def _flag_source(overrides: Mapping[str, object]) -> Source:
    values: Values = {}
    for dotted, value in overrides.items():
        if value is not None:
            section, _, name = dotted.partition(".")
            values.setdefault(section, {})[name] = value
    return Source(values, lambda section, name: "command line")


# ---------------------------------------------------------------- checking and merging


def _checked(source: Source) -> Checked:
    """The source's values in their own types, with their origins. Raises ConfigError naming origin and key."""
    checked: Checked = {}
    for section, raw in source.values.items():
        for name in raw:
            if name not in _defaults(section):
                hint = _did_you_mean(name, _defaults(section))
                raise ConfigError(f"{_lead(source, section, name)}unknown setting '{section}.{name}'.{hint}")
            if section == "vault" and name in LOCATION_DOCS and not source.allows_location:
                raise ConfigError(
                    f"{_lead(source, section, name)}'vault.{name}' cannot be set in the vault's own file. "
                    "Put it in the user's file or on the command line."
                )
        located = {name: value for name, value in raw.items() if section == "vault" and name in LOCATION_DOCS}
        typed, wrong = _typed(section, {name: value for name, value in raw.items() if name not in located})
        for name, value in located.items():
            if isinstance(value, str | os.PathLike):
                typed[name] = Path(value)
            else:
                wrong.append((name, value))
        if wrong:
            lines = (_explain(source, section, name, value) for name, value in wrong)
            raise ConfigError("\n".join(dict.fromkeys(lines)))
        checked |= {(section, name): (typed[name], source.describe(section, name)) for name in raw}
    return checked


def _typed(section: str, raw: Mapping[str, object]) -> tuple[dict[str, Any], list[tuple[str, object]]]:
    """The values in their own types by setting name; each value, or part of a list, that is wrong, with that name."""
    if not raw:
        return {}, []
    from pydantic import ValidationError

    try:
        validated = _model(section).model_validate(raw)
    except ValidationError as error:
        return {}, [(str(problem["loc"][0]), problem["input"]) for problem in error.errors()]
    return {name: getattr(validated, name) for name in raw}, []


def _explain(source: Source, section: str, name: str, value: object) -> str:
    lead = _lead(source, section, name)
    found = f" = {value!r}, but it" if lead else ""
    return f"{lead}{section}.{name}{found} must be {_requirement(section, name)}."


def _lead(source: Source, section: str, name: str) -> str:
    """The value's origin before a message; nothing where the reader has just given it."""
    origin = source.describe(section, name)
    return f"{origin}: " if origin else ""


def _requirement(section: str, name: str) -> str:
    """What a setting takes, in words."""
    if section == "vault" and name in LOCATION_DOCS:
        return "a path"
    declared = declarations(section)[name]
    if choices := declared.metadata["choices"]:
        return f"one of {', '.join(choices)}"
    match declared.default:
        case bool():
            return "true or false"
        case int():
            kind = "a whole number"
        case float():
            kind = "a number"
        case tuple():
            return "a list of texts"
        case _:
            return "text"
    low, high = declared.metadata["ge"], declared.metadata["le"]
    if low is not None and high is not None:
        return f"{kind} from {low:g} to {high:g}"
    return kind if low is None else f"{kind} of at least {low:g}"


def load(
    overrides: Mapping[str, object] | None = None,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    around: Path | None = None,
) -> Settings:
    """Merge every source. `overrides` maps 'section.name' to a value (None is unset). Where no source names a vault it
    is looked for upwards from `cwd`; the vault around the file or folder `around` goes before all but the command line.
    Raises ConfigError; a vault that cannot be used is kept in `vault_problem` so that settings can still be shown.
    """
    env = os.environ if env is None else env
    user_path = user_file(env)
    user = _checked(_file_source(user_path, label=USER_LABEL, allows_location=True))
    environment, flags = _checked(_environment_source(env)), _checked(_flag_source(overrides or {}))
    location = _merge((user, environment, flags))
    if around is not None and ("vault", "path") not in flags and (found := _find_vault(around)):
        location["vault", "path"] = (found, f"nearest vault (at or above {around})")
    start = around or cwd or Path.cwd()
    vault, vault_source, problem = _locate_vault(*location["vault", "path"], start, user_path)
    if vault is None:
        return Settings(_rows(location), user_path, None, (), problem, None)
    data_dir, data_dir_source = location["vault", "data_dir"]
    data_dir = default_data_dir(vault) if data_dir is None else data_dir.expanduser().resolve()
    _refuse_file(data_dir, data_dir_source)
    vault_file = data_dir / VAULT_FILE_NAME
    own = _checked(_file_source(vault_file, label=VAULT_LABEL, allows_location=False))
    merged = _merge((user, own, environment, flags))
    merged["vault", "path"] = (vault, vault_source)
    merged["vault", "data_dir"] = (data_dir, data_dir_source)
    warnings: tuple[str, ...] = ()
    if data_dir.resolve().is_relative_to(vault):
        warnings = (f"The index folder {data_dir} lies inside the vault: it will be synced and backed up with it.",)
    return Settings(_rows(merged), user_path, vault_file, warnings, None, _options(merged))


def _merge(layers: Iterable[Checked]) -> Merged:
    """Each setting's value and origin, later layers over earlier ones, over the defaults."""
    merged: Merged = {
        (section, name): (default, DEFAULT) for section in sections() for name, default in _defaults(section).items()
    }
    for layer in layers:
        merged |= layer
    return merged


def _find_vault(start: Path) -> Path | None:
    from obsidian_indexer.vault.settings import find_vault

    return find_vault(start)


def _locate_vault(
    chosen: Path | None, source: str, start: Path, user_path: Path
) -> tuple[Path | None, str, str | None]:
    """The resolved vault and its origin, or None and what is wrong."""
    if chosen is None:
        chosen, source = _find_vault(start), f"nearest vault (at or above {start})"
        if chosen is None:
            problem = (
                f"No vault: no folder at or above {start} holds '.obsidian'. Name one with --vault PATH, "
                f"or set 'path' under [vault] in {user_path}."
            )
            return None, DEFAULT, problem
    vault = Path(chosen).expanduser().resolve()
    if not vault.exists():
        return None, source, f"The vault {vault} does not exist (from {source}). Check the path."
    if not vault.is_dir():
        return None, source, f"The vault {vault} is a file; name the folder that holds the notes (from {source})."
    if not os.access(vault, os.R_OK | os.X_OK):
        return None, source, f"The vault {vault} cannot be read. Check its permissions."
    return vault, source, None


def _refuse_file(data_dir: Path, source: str) -> None:
    """Raises ConfigError when a file stands where the index folder, or a folder above it, should be."""
    for place in (data_dir, *data_dir.parents):
        if os.path.isfile(place):  # noqa: PTH113 - a place that may not be looked at is told of by whoever opens it
            what = "is a file" if place == data_dir else f"lies below the file {place}"
            raise ConfigError(f"The index folder {data_dir} {what} (from {source}). Name a folder with --data-dir.")


def _options(merged: Merged) -> Options:
    made = {
        section: kind(**{name: merged[section, name][0] for name in declarations(section)})
        for section, kind in sections().items()
    }
    return Options(vault_path=merged["vault", "path"][0], data_dir=merged["vault", "data_dir"][0], **made)


def _rows(merged: Merged) -> tuple[SettingRow, ...]:
    rows = []
    for section in sections():
        known = declarations(section)
        for name in sorted(_defaults(section), key=lambda name: name not in LOCATION_DOCS):
            value, source = merged[section, name]
            located = section == "vault" and name in LOCATION_DOCS
            doc = LOCATION_DOCS[name] if located else known[name].metadata["doc"]
            choices = None if located else known[name].metadata["choices"]
            rows.append(SettingRow(section, name, value, source, doc, choices))
    return tuple(rows)


# ---------------------------------------------------------------- saving


def save(
    settings: Settings, section: str, name: str, value: object, *, to: Literal["user", "vault"] | None = None
) -> Path:
    """Write one setting to a settings file, keeping its comments and order; None takes it out. Returns the file.

    Without `to`, what concerns the person (the `ui` section, where the vault is) goes to the user's file and the rest
    to the vault's own, unless the vault's file sets it already and would win; a value is taken out of the file it comes
    from. Raises ConfigError.
    """
    personal = section == "ui" or (section == "vault" and name in LOCATION_DOCS)
    source = next((row.source for row in settings.rows if (row.section, row.name) == (section, name)), DEFAULT)
    in_vault, in_user = source.startswith(VAULT_LABEL), source.startswith(USER_LABEL)
    if to is None:
        mine = (personal and not in_vault) or (value is None and in_user)
        to = "user" if settings.vault_file is None or mine else "vault"
    path = settings.user_file if to == "user" else settings.vault_file
    if path is None:
        raise ConfigError(_NEEDS_VAULT)
    if section not in sections():
        raise ConfigError(f"Unknown section '{section}'.{_did_you_mean(section, sections())}")
    if value is not None:
        _checked(Source({section: {name: value}}, lambda *_: "", to == "user"))
    _read_toml(path)
    _write_private(path, _edited(_text(path), section, {name: value}))
    return path


def _text(path: Path) -> str:
    return path.read_text("utf-8-sig") if path.exists() else ""


def _edited(text: str, section: str, values: Mapping[str, object]) -> str:
    """The text of a settings file with these values in a section, comments and order kept; None takes one out."""
    import tomlkit

    document = tomlkit.parse(text)
    table = document.setdefault(section, tomlkit.table())
    for name, value in values.items():
        if value is None:
            table.pop(name, None)
        else:
            table[name] = str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
    return tomlkit.dumps(document)


def _write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only."""
    scratch = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch.touch(mode=0o600)
        scratch.write_text(text, "utf-8")
        scratch.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}).") from error


# ---------------------------------------------------------------- tuning


def keep_tuned(settings: Settings, values: Mapping[str, object]) -> KeptSettings:
    """Write values of the `embedding` section to the vault's own file, in one step, the old file backed up first.

    A file that holds nothing newer than an earlier tuning run keeps that run's backup, so that tuning twice is undone
    at once. Raises ConfigError.
    """
    path = settings.vault_file
    if path is None:
        raise ConfigError(_NEEDS_VAULT)
    _checked(Source({"embedding": dict(values)}, lambda *_: "", False))
    _read_toml(path)
    backup = path.with_name(path.name + BEFORE_TUNE)
    if not _only_tuned(path, backup):
        _back_up(path, backup)
    _write_private(path, _edited(_text(path), "embedding", values))
    stronger = tuple(
        f"{row.section}.{row.name} ({row.source})"
        for row in settings.rows
        if row.section == "embedding" and row.name in values and row.source.startswith(("environment", "command line"))
    )
    return KeptSettings(path, backup, stronger)


def restore_tuned(settings: Settings) -> RestoredSettings:
    """Bring the vault's own file back as it was before tuning, byte for byte; where there was none, remove it.

    Changes made since are not lost: the file that is replaced is then kept beside it. Raises ConfigError.
    """
    path = settings.vault_file
    if path is None:
        raise ConfigError(_NEEDS_VAULT)
    backup = path.with_name(path.name + BEFORE_TUNE)
    if not backup.exists():
        raise ConfigError(f"There is nothing to restore: 'tune' left no {backup}.")
    try:
        aside = None
        if path.exists() and not _only_tuned(path, backup):
            aside = path.with_name(path.name + AFTER_TUNE)
            shutil.copy2(path, aside)
        if backup.read_bytes() == _NO_FILE_BEFORE.encode():
            path.unlink(missing_ok=True)
            backup.unlink()
        else:
            backup.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be restored ({error.strerror}).") from error
    return RestoredSettings(path, aside)


def _back_up(path: Path, backup: Path) -> None:
    if not path.exists():
        _write_private(backup, _NO_FILE_BEFORE)
        return
    scratch = backup.with_name(backup.name + ".new")
    try:
        shutil.copy2(path, scratch)
        scratch.replace(backup)
    except OSError as error:
        raise ConfigError(f"{backup}: cannot be written ({error.strerror}).") from error


def _only_tuned(path: Path, backup: Path) -> bool:
    """Whether the file is its backup but for what tuning writes."""
    try:
        now = tomllib.loads(_text(path)).get("embedding", {})
        values = {name: now[name] for name in TUNED_NAMES if name in now}
        before = _text(backup)
        before = "" if before == _NO_FILE_BEFORE else before
        return path.exists() and backup.exists() and _edited(before, "embedding", values) == _text(path)
    except (OSError, ValueError):
        return False
