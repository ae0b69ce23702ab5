"""The table as the application has it today: 384 dimensions, of all-MiniLM-L6-v2."""

from django.db import migrations, models
from pgvector.django import HnswIndex, VectorExtension, VectorField


class Migration(migrations.Migration):
    initial = True

    operations = [
        VectorExtension(),
        migrations.CreateModel(
            name="Document",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("content", models.TextField()),
                ("embedding", VectorField(dimensions=384, null=True)),
            ],
            options={"db_table": "documents"},
        ),
        migrations.AddIndex(
            model_name="document",
            index=HnswIndex(
                name="documents_embedding_idx",
                fields=["embedding"],
                opclasses=["vector_cosine_ops"],
                m=16,
                ef_construction=64,
            ),
        ),
    ]
