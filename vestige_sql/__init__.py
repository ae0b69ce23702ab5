"""Change the embedding model of a pgvector table.

:func:`run_reembed` encodes every row's text with another model and puts the vectors in place, with the column's
dimension, the HNSW index and the model registry. The steps are SQL files under ``sql/``.
"""

from .embedder import Embedder, ModelSignature
from .errors import VestigeError
from .kept import FinalizeReport, RollbackReport, finalize, rollback
from .reembed import (
    abort_reembed,
    apply_reembed,
    apply_staged,
    dry_run_reembed,
    register_model,
    run_reembed,
    stage_reembed,
)
from .report import DryRunSummary, ReembedPlan, ReembedReport
from .retrieval import SearchResult, search
from .target import VESTIGE, Target

__all__ = [
    "VESTIGE",
    "DryRunSummary",
    "Embedder",
    "FinalizeReport",
    "ModelSignature",
    "ReembedPlan",
    "ReembedReport",
    "RollbackReport",
    "SearchResult",
    "Target",
    "VestigeError",
    "abort_reembed",
    "apply_reembed",
    "apply_staged",
    "dry_run_reembed",
    "finalize",
    "register_model",
    "rollback",
    "run_reembed",
    "search",
    "stage_reembed",
]
