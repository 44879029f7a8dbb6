"""The command line: one room of thin commands over the engine, with JSON for scripts and plain words for people."""
