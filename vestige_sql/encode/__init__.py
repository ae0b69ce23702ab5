"""Texts in, vectors out: a model's files, graph, tokens and calls. Nothing here knows PostgreSQL."""
