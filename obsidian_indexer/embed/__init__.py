"""Texts to unit vectors: which model, how its text is cut into tokens, what runs it, and in what batches."""
