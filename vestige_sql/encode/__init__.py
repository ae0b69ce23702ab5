"""From texts to vectors: a model's files, graph, tokens and calls. Nothing here knows PostgreSQL."""
