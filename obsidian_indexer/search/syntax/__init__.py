"""The language of the query box: text to a tree of conditions, or an error that points at a character."""
