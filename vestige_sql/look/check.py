"""Whether a database is ready for a migration, or past it: applied, staged or missing."""

from __future__ import annotations

from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.errors import CheckFailed, StagedForAnother
from vestige_sql.look.target import ask_gate, probed_target
from vestige_sql.plan import VESTIGE, Target
from vestige_sql.reembed.decide import check_staged_for, count_rows, in_space_of, staged_for
from vestige_sql.reembed.names import check_not_renamed


def check_expected(conninfo: str, expect: ModelSignature, *, target: Target = VESTIGE) -> tuple[str, str]:
    """Return what a migration that expects the model ``expect`` will meet now, and a sentence that says why.

    - "applied": the column is in the model's space, and nothing is staged. The migration has nothing to do.
    - "staged": every row with text has its staged vector, or no row has text. The migration can run.
    - "missing": the migration would fail, with nothing changed.

    Changes nothing. Raises :class:`VestigeError` if the table cannot be looked at.
    """
    with probed_target(conninfo, target, "gate") as (conn, probed):
        if in_space_of(probed, expect):
            return "applied", f"{probed.column} is in the space of {expect}"
        try:
            check_not_renamed(conn, probed)
            check_staged_for(probed, expect)
        except StagedForAnother as error:
            return "missing", str(error)
        if staged_for(probed) is None:
            if count_rows(conn, probed)["rows_with_text"]:
                return "missing", f"nothing is staged for {probed.column} with {expect}"
            return "staged", f"no row of {probed.name} has text: nothing has to be staged"
    try:
        ask_gate(conninfo, target=target)
    except (CheckFailed, StagedForAnother) as error:
        return "missing", str(error)
    return "staged", f"every row of {probed.name} with text has its staged vector of {expect}"
