"""Encoding on many machines, with Ray."""
