"""How well searches find what they should: on judged collections, and on a vault's own links, aliases and headings."""
