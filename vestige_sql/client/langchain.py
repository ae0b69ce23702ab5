"""The registered model as LangChain's embeddings: ``PGVector(embeddings=RegisteredEmbeddings(model), ..)``."""

from __future__ import annotations

from langchain_core.embeddings import Embeddings

from vestige_sql.client.registered import RegisteredModel


class RegisteredEmbeddings(Embeddings):
    """Embeds with the model that the table is registered with now. Rows that are added need a model that is loaded."""

    def __init__(self, model: RegisteredModel) -> None:
        self._model = model

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a question."""
        return list(map(float, self._model.embed_queries([text])[0]))

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vectors of texts that are to be stored."""
        return [list(map(float, vector)) for vector in self._model.embed_documents(texts)]
