"""Change the embedding model of documents, and add a column, in one transaction.

Before `alembic upgrade` and `downgrade`, stage the model that the table is to get: vestige-sql migrate stage.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

import vestige_sql.pipelines.alembic  # noqa: F401  (registers op.reembed)

revision = "0002"
down_revision = "0001"

# Written by `vestige-sql migrate stage .. --lock`. These hashes only stand for those of the models at hand.
LOCK = Path(__file__).with_suffix(".lock")


def upgrade() -> None:
    op.reembed("documents", LOCK)
    op.add_column("documents", sa.Column("language", sa.Text))


def downgrade() -> None:
    op.drop_column("documents", "language")
    op.reembed("documents", LOCK, back=True)
