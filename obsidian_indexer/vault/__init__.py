"""Reading a vault: which files are notes, what they say, and where their links lead."""
