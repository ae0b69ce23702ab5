"""Load, render and run the SQL step files, as psql would.

A step file is plain SQL with psql's variables: ``:name`` as it is, ``:'name'`` as a literal, ``:"name"`` as an
identifier. As in psql, nothing is replaced inside strings, quoted identifiers, dollar quotes and comments.
"""

from vestige_sql.steps.faults import CHECK_FAILED, translated
from vestige_sql.steps.files import HEADER_FIELDS, Step, Value, folder, load
from vestige_sql.steps.running import StepRun, execute, query, query_one, run, statements

__all__ = [
    "CHECK_FAILED",
    "HEADER_FIELDS",
    "Step",
    "StepRun",
    "Value",
    "execute",
    "folder",
    "load",
    "query",
    "query_one",
    "run",
    "statements",
    "translated",
]
