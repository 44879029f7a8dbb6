"""Parsing: the text of one file of the vault to a Note that agrees with Obsidian.

    split_lines → read_front_matter → parse_blocks → blocks walked, texts read inline → Note

Where Obsidian's behaviour is not known, this is the choice:

- `==highlight==` may span the lines of a paragraph.
- `%%` in the middle of a line ends at the next `%%` of its paragraph, also on a later line.
- `[#tag]` is a tag only where the brackets turn out to be a link.
- A `^id` line glued under a table names the table; under a quote it is the quote's last line, and names its paragraph.
- Links in HTML do not count.
- `[[a [[b]]` is a link to `b`.
- A string property is a link when a wikilink is all it holds.
"""

from obsidian_indexer.vault.parse.note import parse_text

__all__ = ["parse_text"]
