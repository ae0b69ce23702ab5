"""Change the embedding model of documents, and add a column, in one transaction.

Before `migrate`, forward and back, stage the model that the table is to get: vestige-sql migrate stage.
"""

from django.db import migrations, models
from pgvector.django import VectorField

from vestige_sql import ModelSignature, Target, apply_reembed

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


def forward(apps, schema_editor):
    apply_reembed(schema_editor.connection.connection, TARGET, expect=MODEL)


def back(apps, schema_editor):
    apply_reembed(schema_editor.connection.connection, TARGET, expect=FORMER)


class Migration(migrations.Migration):
    dependencies = [("documents", "0001_initial")]

    # atomic is Django's default; without it apply_reembed() refuses.
    atomic = True

    operations = [
        # Django learns of the new dimension, and leaves the column to apply_reembed().
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(forward, back)],
            state_operations=[
                migrations.AlterField("document", "embedding", VectorField(dimensions=768, null=True)),
            ],
        ),
        migrations.AddField("document", "language", models.TextField(null=True)),
    ]
