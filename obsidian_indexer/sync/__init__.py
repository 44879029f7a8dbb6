"""Bringing the index up to date: disk is compared with the catalogue, notes become chunks, chunks become vectors."""
