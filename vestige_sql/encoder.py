"""The encoder's public names: load a local ONNX model, or name one behind an endpoint, and encode texts with it."""

from vestige_sql.encode.endpoint import Endpoint
from vestige_sql.encode.named import named_signature
from vestige_sql.encode.onnx import OnnxEmbedder, load_embedder
from vestige_sql.encode.own import load_own
from vestige_sql.encode.remote import EndpointEmbedder
from vestige_sql.encode.window import embed_queries, encode_window, first_bad_row

__all__ = [
    "Endpoint",
    "EndpointEmbedder",
    "OnnxEmbedder",
    "embed_queries",
    "encode_window",
    "first_bad_row",
    "load_embedder",
    "load_own",
    "named_signature",
]
