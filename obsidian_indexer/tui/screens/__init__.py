"""One screen per file; none of them knows threads."""
