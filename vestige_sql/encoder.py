"""The encoder's public names: load a local ONNX model, and encode texts with it."""

from vestige_sql.encode.onnx import OnnxEmbedder, load_embedder
from vestige_sql.encode.window import embed_queries, encode_window, first_bad_row

__all__ = ["OnnxEmbedder", "embed_queries", "encode_window", "first_bad_row", "load_embedder"]
