"""Change the embedding model of a pgvector table.

:func:`run_reembed` encodes every row's text with another model and puts the vectors in place, with the column's
dimension, the HNSW index and the model registry. The steps are SQL files under ``sql/``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vestige_sql.encode.embedder import Embedder, ModelSignature
    from vestige_sql.errors import VestigeError
    from vestige_sql.look.dry_run import dry_run_reembed
    from vestige_sql.plan import VESTIGE, ReembedPlan, Target
    from vestige_sql.reembed.back import finalize, rollback
    from vestige_sql.reembed.inside import apply_reembed
    from vestige_sql.reembed.verbs import abort_reembed, apply_staged, register_model, run_reembed, stage_reembed
    from vestige_sql.report import DryRunSummary, FinalizeReport, ReembedReport, RollbackReport
    from vestige_sql.vestige.search import SearchResult, search

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

# Each is imported when it is first asked for: all of them together take longer than the command line's help may.
_PLACES = {
    "encode.embedder": ("Embedder", "ModelSignature"),
    "errors": ("VestigeError",),
    "look.dry_run": ("dry_run_reembed",),
    "plan": ("VESTIGE", "ReembedPlan", "Target"),
    "reembed.back": ("finalize", "rollback"),
    "reembed.inside": ("apply_reembed",),
    "reembed.verbs": ("abort_reembed", "apply_staged", "register_model", "run_reembed", "stage_reembed"),
    "report": ("DryRunSummary", "FinalizeReport", "ReembedReport", "RollbackReport"),
    "vestige.search": ("SearchResult", "search"),
}


def __getattr__(name: str) -> Any:
    for module, names in _PLACES.items():
        if name in names:
            globals()[name] = found = getattr(import_module(f".{module}", __name__), name)
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
