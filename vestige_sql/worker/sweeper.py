"""Looks for rows that nobody has noted, some blocks of the table at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vestige_sql.steps.files import Value
    from vestige_sql.worker.keeper import Keeper

log = logging.getLogger("vestige_sql")

_BLOCKS = 512
"""How many blocks of the table one statement looks at: a statement of about a tenth of a second."""

# Of the time, at most a tenth goes into looking for changes where no trigger notes them.
_LOOKING_SHARE = 10


class Sweeper:
    """The looks at the table of one keeper."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._next_look_at = 0.0

    def sweep(self, look: Mapping[str, Any]) -> None:
        """Look for rows that nobody has noted: at all of them now and then, else at those written since the last look.

        The latter only where no trigger notes changes, and once where it has not done so since the last look.
        """
        keeper = self._keeper
        adopting = look["swept_epoch"] < look["epoch"]
        whole = adopting or look["swept_ago_secs"] is None or look["swept_ago_secs"] > keeper.plan.sweep_secs
        if not whole and (look["was_noting"] or (not look["is_noting"] and time.monotonic() < self._next_look_at)):
            return
        if not keeper.ask("worker/claim_sweep.sql")["is_mine"]:
            return
        started = time.monotonic()
        try:
            extent = keeper.ask("worker/extent.sql")
            since = None if whole else look["swept_xid"]
            more: dict[str, Value] = {"since": since, "adopt": adopting and keeper.plan.unknown == "keep"}
            if whole:
                keeper.beat("sweeping")
            noted = adopted = 0
            for block in range(0, extent["blocks"], _BLOCKS):
                found = keeper.ask("worker/sweep.sql", more | {"first_block": block, "end_block": block + _BLOCKS})
                if keeper.stop.is_set() or not found["is_current"]:
                    return
                noted, adopted = noted + found["rows_noted"], adopted + found["rows_adopted"]
            if whole:
                keeper.do("worker/forget_gone.sql")
            keeper.do(
                "worker/swept.sql",
                {"swept_xid": extent["xid"], "is_whole": whole, "epoch": look["epoch"], "guard": look["guard"]},
            )
        finally:
            keeper.release()
        keeper.kept.adopted += adopted
        self._next_look_at = time.monotonic() + _LOOKING_SHARE * (time.monotonic() - started)
        if adopted:
            log.info(
                "worker: %s: %d vectors are taken to be of the texts that their rows have now; --unknown embed embeds "
                "such rows anew",
                keeper.probed.column, adopted,
            )  # fmt: skip
        if noted:
            log.info("worker: %s: %d rows lack the vector of their text", keeper.probed.column, noted)
