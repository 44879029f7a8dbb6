"""Reading a vault: which files are notes, what they say, and where their links lead."""

from obsidian_indexer.vault.daily import daily_date
from obsidian_indexer.vault.decode import decode
from obsidian_indexer.vault.ignore import IgnoreRules, excluded_by_content
from obsidian_indexer.vault.links import LinkIndex, resolve_subpath
from obsidian_indexer.vault.read import parse_file
from obsidian_indexer.vault.scan import list_attachments, read_file, scan
from obsidian_indexer.vault.settings import VaultSettings, find_vault, read_settings
from obsidian_indexer.vault.uri import obsidian_uri

__all__ = [
    "IgnoreRules",
    "LinkIndex",
    "VaultSettings",
    "daily_date",
    "decode",
    "excluded_by_content",
    "find_vault",
    "list_attachments",
    "obsidian_uri",
    "parse_file",
    "read_file",
    "read_settings",
    "resolve_subpath",
    "scan",
]
