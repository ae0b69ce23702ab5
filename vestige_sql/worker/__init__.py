"""Keeps the vectors of tables up to date with their texts, with the registered model."""
