"""``op.reembed()`` for Alembic. Importing this module registers it.

import vestige_sql.pipelines.alembic  # op.reembed()

def upgrade():
    op.reembed("documents", LOCK)

def downgrade():
    op.reembed("documents", LOCK, back=True)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import psycopg
from alembic.operations import MigrateOperation, Operations

from vestige_sql.errors import UsageError
from vestige_sql.pipelines.lock import apply_lock
from vestige_sql.plan import ReembedPlan


@Operations.register_operation("reembed")
class Reembed(MigrateOperation):
    """Puts staged vectors in place, with the column's dimension, its index and the registry."""

    def __init__(self, table: str, lock: Path | str, *, back: bool, plan: ReembedPlan) -> None:
        self.table = table
        self.lock = lock
        self.back = back
        self.plan = plan

    @classmethod
    def reembed(
        cls,
        operations: Operations,
        table: str,
        lock: Path | str,
        *,
        back: bool = False,
        plan: ReembedPlan | None = None,
    ) -> None:
        """Put in place what was staged for ``table`` by ``vestige-sql migrate stage .. --lock LOCK``.

        ``back`` puts the former model's vectors in place, which have to be staged too. A table without text needs
        nothing staged.

        Raises :class:`UsageError` in offline mode (``--sql``) and for another driver than psycopg 3, and what
        :func:`vestige_sql.apply_reembed` raises.
        """
        operations.invoke(cls(table, lock, back=back, plan=plan or ReembedPlan()))

    def reverse(self) -> Reembed:
        return Reembed(self.table, self.lock, back=not self.back, plan=self.plan)


@Operations.implementation_for(Reembed)
def _reembed(operations: Operations, operation: Reembed) -> None:
    if operations.get_context().as_sql:
        raise UsageError(
            f"op.reembed({operation.table!r}, ..) cannot be printed by alembic's --sql: its statements depend on the "
            "table that they run on",
            "nothing was written; run this revision with a connection, or print its SQL from a database with the same "
            f"schema in which the vectors are staged: vestige-sql migrate sql --plain --table {operation.table}",
        )
    # Anything but a connection of psycopg 3 is refused by name.
    connection = cast("psycopg.Connection[Any]", operations.get_bind().connection.driver_connection)
    apply_lock(connection, operation.table, operation.lock, back=operation.back, plan=operation.plan)
