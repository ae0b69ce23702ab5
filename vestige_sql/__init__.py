"""Change the embedding model of a pgvector table."""
