from django.db import models
from pgvector.django import HnswIndex, VectorField


class Document(models.Model):
    content = models.TextField()
    embedding = VectorField(dimensions=768, null=True)
    language = models.TextField(null=True)

    class Meta:
        db_table = "documents"
        indexes = [
            HnswIndex(
                name="documents_embedding_idx",
                fields=["embedding"],
                opclasses=["vector_cosine_ops"],
                m=16,
                ef_construction=64,
            )
        ]
