"""Change the embedding model of documents, and add a column, in one transaction.

Before `migrate`, forward and back, stage the model that the table is to get: vestige-sql migrate stage.
"""

from pathlib import Path

from django.db import migrations, models
from pgvector.django import VectorField

from vestige_sql.pipelines.django import Reembed

# Written by `vestige-sql migrate stage .. --lock`. These hashes only stand for those of the models at hand.
LOCK = Path(__file__).with_suffix(".lock")


class Migration(migrations.Migration):
    dependencies = [("documents", "0001_initial")]

    # atomic is Django's default; without it Reembed refuses.
    atomic = True

    operations = [
        Reembed("document", "embedding", VectorField(dimensions=768, null=True), LOCK),
        migrations.AddField("document", "language", models.TextField(null=True)),
    ]
