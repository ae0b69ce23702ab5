"""Change the embedding model of documents, and add a column, in one transaction.

Before `yoyo apply` and before `yoyo rollback`, stage the model that the table is to get: vestige-sql migrate stage.
"""

from pathlib import Path

from yoyo import step

from vestige_sql.pipelines.yoyo import reembed

__depends__ = {"0001_create_documents"}

# Written by `vestige-sql migrate stage .. --lock`. These hashes only stand for those of the models at hand.
LOCK = Path(__file__).with_suffix(".lock")

steps = [
    reembed("documents", LOCK),
    step(
        "ALTER TABLE documents ADD COLUMN language text",
        "ALTER TABLE documents DROP COLUMN language",
    ),
]
