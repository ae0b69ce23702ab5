"""Change the embedding model of documents, and add a column, in one transaction.

Before `alembic upgrade` and `downgrade`, stage the model that the table is to get: vestige-sql migrate stage.
"""

import sqlalchemy as sa
from alembic import op

from vestige_sql import ModelSignature, Target, apply_reembed

revision = "0002"
down_revision = "0001"

TARGET = Target("documents")

# `vestige-sql migrate stage` prints this line for the model at hand; these hashes only stand for it.
FORMER = ModelSignature(
    name="sentence-transformers/all-MiniLM-L6-v2",
    dimension=384,
    hash="e9e2c8815f70dad48afc257ffd2bcf61b63bac429fad1ba1eaefa245bb562a13",
)
MODEL = ModelSignature(
    name="BAAI/bge-base-en-v1.5",
    dimension=768,
    hash="3c57837793746ea8d167280edc1406fdda8b8c664febbb29de2eea01af546f77",
)


def upgrade() -> None:
    apply_reembed(op.get_bind().connection.driver_connection, TARGET, expect=MODEL)
    op.add_column("documents", sa.Column("language", sa.Text))


def downgrade() -> None:
    op.drop_column("documents", "language")
    apply_reembed(op.get_bind().connection.driver_connection, TARGET, expect=FORMER)
