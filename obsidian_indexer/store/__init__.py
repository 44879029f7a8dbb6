"""What is remembered: the catalogue (the truth about the index) and the vector store (a cache of its vectors)."""
