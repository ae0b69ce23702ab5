"""The registered model as LlamaIndex's embedding: ``Settings.embed_model = RegisteredEmbedding(model=model)``."""

from __future__ import annotations

from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr

from vestige_sql.client.registered import RegisteredModel


class RegisteredEmbedding(BaseEmbedding):  # type: ignore[misc]  # it is not installed with the linters
    """Embeds with the model that the table is registered with now."""

    _model: RegisteredModel = PrivateAttr()

    def __init__(self, model: RegisteredModel, **options: Any) -> None:
        super().__init__(**options)
        self._model = model

    def _get_query_embedding(self, query: str) -> list[float]:
        return list(map(float, self._model.embed_queries([query])[0]))

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return [list(map(float, vector)) for vector in self._model.embed_documents(texts)]
