"""Tables that other libraries made, re-embedded under them while they hold connections, and then read and searched by
the same libraries: langchain-postgres, Django and SQLAlchemy.

Each test also shows what a team changes: the model that queries are encoded with everywhere, the dimension where their
code states it, and nothing where it does not.
"""

from __future__ import annotations

import importlib
import sys
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from support import Conn, FakeEmbedder, check_space

from vestige_sql import Target, run_reembed

OLD = FakeEmbedder("old", 8)
NEW = FakeEmbedder("new", 16)
NEW_OF_SAME_DIMENSION = FakeEmbedder("new", 8)
TEXTS = [f"document number {i}" for i in range(12)]

# psycopg prepares a statement on the server from its sixth execution on.
UNTIL_PREPARED = 7


def url(conn: Conn, driver: str) -> str:
    """The database of ``conn`` as SQLAlchemy writes it."""
    info = conn.info
    user = quote(info.user, safe="") + (f":{quote(info.password, safe='')}" if info.password else "")
    return f"postgresql+{driver}://{user}@/{info.dbname}?host={quote(info.host, safe='')}&port={info.port}"


# --- langchain-postgres ---


@pytest.fixture
def embeddings() -> Any:
    """An adapter that lets LangChain encode with a fake embedder."""
    core = pytest.importorskip("langchain_core.embeddings")

    class Encoded(core.Embeddings):  # type: ignore[misc,name-defined]
        def __init__(self, embedder: FakeEmbedder) -> None:
            self.embedder = embedder

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [self.embed_query(text) for text in texts]

        def embed_query(self, text: str) -> list[float]:
            return self.embedder.vector(text).tolist()  # type: ignore[no-any-return]

    return Encoded


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
@pytest.mark.parametrize("new", [NEW, NEW_OF_SAME_DIMENSION], ids=["another dimension", "the same dimension"])
def test_langchain_pgvectorstore(db: str, conn: Conn, embeddings: Any, new: FakeEmbedder, driver: str) -> None:
    postgres = pytest.importorskip("langchain_postgres")
    pytest.importorskip(driver)
    from langchain_postgres.v2.indexes import HNSWIndex

    engine = postgres.PGEngine.from_connection_string(url(conn, driver))
    try:
        engine.init_vectorstore_table("documents", OLD.dimension, metadata_columns=[postgres.Column("page", "INTEGER")])

        def store(embedder: FakeEmbedder) -> Any:
            return postgres.PGVectorStore.create_sync(
                engine, embeddings(embedder), "documents", metadata_columns=["page"]
            )

        before = store(OLD)
        ids = [str(uuid.UUID(int=i)) for i in range(len(TEXTS))]
        before.add_texts(TEXTS, [{"page": i, "source": "manual"} for i in range(len(TEXTS))], ids=ids)
        engine._run_as_sync(before._PGVectorStore__vs.aapply_vector_index(HNSWIndex(m=8)))
        for _ in range(UNTIL_PREPARED):
            assert before.similarity_search(TEXTS[3], k=1)[0].page_content == TEXTS[3]

        target = Target("documents", "langchain_id", "content", "embedding")
        report = run_reembed(db, new, target=target)
        assert report.rows_updated == len(TEXTS)
        check_space(conn, new, target)

        # The change: the store is given the new model. Its connections may stay.
        after = store(new)
        if new.dimension != OLD.dimension:
            if driver == "asyncpg":
                # which keeps what it has prepared from one use of a connection to the next
                with pytest.raises(Exception, match="cached statement plan is invalid"):
                    after.similarity_search(TEXTS[3], k=1)
            with pytest.raises(Exception, match="different vector dimensions 16 and 8"):
                before.similarity_search(TEXTS[3], k=1)
        for i in (0, 7, 11):
            found, distance = after.similarity_search_with_score(TEXTS[i], k=1)[0]
            assert (found.page_content, found.id) == (TEXTS[i], ids[i])
            assert found.metadata == {"page": i, "source": "manual"}
            assert distance == pytest.approx(0, abs=1e-6)
        assert after.similarity_search(TEXTS[7], k=1, filter={"page": {"$lt": 5}})[0].page_content in TEXTS[:5]
        assert after.max_marginal_relevance_search(TEXTS[4], k=2)[0].page_content == TEXTS[4]
        after.add_texts(["one more"], [{"page": 99}])
        assert after.similarity_search("one more", k=1)[0].metadata["page"] == 99
        # and what came in meanwhile is in the same space
        assert run_reembed(db, new, target=target).nothing_to_do
    finally:
        engine._run_as_sync(engine._pool.dispose())


@pytest.mark.parametrize("length", [None, 8], ids=["no dimension", "a dimension"])
def test_langchain_pgvector(
    db: str, conn: Conn, embeddings: Any, monkeypatch: pytest.MonkeyPatch, length: int | None
) -> None:
    """The store of before, which keeps all its collections in one table."""
    pytest.importorskip("langchain_postgres")
    from langchain_core.documents import Document

    def start() -> Any:
        """The library in a process of its own, as it were: it keeps the dimension that it was given first."""
        for name in [n for n in sys.modules if n.startswith("langchain_postgres")]:
            monkeypatch.delitem(sys.modules, name)
        return importlib.import_module("langchain_postgres").PGVector

    def store(embedder: FakeEmbedder, collection: str, length: int | None) -> Any:
        return kind(
            embeddings(embedder), connection=url(conn, "psycopg"), collection_name=collection, embedding_length=length
        )

    kind = start()
    for collection in ("manuals", "letters"):
        store(OLD, collection, length).add_documents(
            [Document(f"{collection} {text}", metadata={"n": i}) for i, text in enumerate(TEXTS)],
            ids=[f"{collection}/{i}" for i in range(len(TEXTS))],
        )
    target = Target("langchain_pg_embedding", "id", "document", "embedding")
    run_reembed(db, NEW, target=target)
    check_space(conn, NEW, target)
    # The change: the new model, and its dimension where one is given, for which a process has to start anew.
    kind = start() if length else kind
    for collection in ("manuals", "letters"):
        after = store(NEW, collection, length and NEW.dimension)
        found, distance = after.similarity_search_with_score(f"{collection} {TEXTS[5]}", k=1)[0]
        assert (found.page_content, found.metadata, found.id) == (
            f"{collection} {TEXTS[5]}",
            {"n": 5},
            f"{collection}/5",
        )
        assert distance == pytest.approx(0, abs=1e-6)
        after.add_texts([f"{collection} more"])
        assert after.similarity_search(f"{collection} more", k=1)[0].page_content == f"{collection} more"


# --- SQLAlchemy ---


@pytest.mark.parametrize("column", ["vector", "halfvec"])
def test_sqlalchemy(db: str, conn: Conn, column: str) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    pytest.importorskip("pgvector.sqlalchemy")
    from pgvector.sqlalchemy import HALFVEC, VECTOR
    from sqlalchemy import orm

    if column == "halfvec" and conn.execute("SELECT to_regtype('halfvec')").fetchone() == (None,):
        pytest.skip("halfvec came with pgvector 0.7")
    kind = {"vector": VECTOR, "halfvec": HALFVEC}[column]

    def declare(dimension: int) -> Any:
        """The team's model, as it stands in their code at one time."""

        class Base(orm.DeclarativeBase):
            pass

        class Document(Base):
            __tablename__ = "Documents"
            __table_args__ = (
                sqlalchemy.Index(
                    "ix_documents_embedding",
                    "embedding",
                    postgresql_using="hnsw",
                    postgresql_with={"m": 8, "ef_construction": 32},
                    postgresql_ops={"embedding": f"{column}_l2_ops"},
                ),
            )
            id = orm.mapped_column(sqlalchemy.BigInteger, primary_key=True)
            body = orm.mapped_column(sqlalchemy.Text, nullable=False)
            embedding = orm.mapped_column(kind(dimension), nullable=True)

        return Document

    def nearest(session: Any, model: Any, vector: Any) -> Any:
        return session.scalars(sqlalchemy.select(model).order_by(model.embedding.l2_distance(vector)).limit(1)).one()

    engine = sqlalchemy.create_engine(url(conn, "psycopg"))
    try:
        before = declare(OLD.dimension)
        before.metadata.create_all(engine)
        with orm.Session(engine) as session:
            session.add_all(before(body=text, embedding=OLD.vector(text)) for text in TEXTS)
            session.commit()
            for _ in range(UNTIL_PREPARED):
                assert nearest(session, before, OLD.vector(TEXTS[2])).body == TEXTS[2]
        held = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        first = sqlalchemy.select(before.embedding).order_by(before.id).limit(1)
        for _ in range(UNTIL_PREPARED):
            held.execute(first)

        target = Target('"Documents"', "id", "body", "embedding")
        run_reembed(db, NEW, target=target)
        check_space(conn, NEW, target)

        # The change: the dimension in the model.
        with orm.Session(engine) as session, pytest.raises(sqlalchemy.exc.StatementError, match="expected 8 dim"):
            nearest(session, before, NEW.vector(TEXTS[2]))
        after = declare(NEW.dimension)
        with orm.Session(engine) as session:
            for text in TEXTS[::4]:
                found = nearest(session, after, NEW.vector(text))
                assert found.body == text
                assert np.array_equal(_numbers(found.embedding), NEW.vector(text))
            session.add(after(body="one more", embedding=NEW.vector("one more")))
            session.commit()
            assert nearest(session, after, NEW.vector("one more")).body == "one more"
            # their own way of asking what the table is like says the same as their code
            reflected = sqlalchemy.inspect(engine).get_columns("Documents")[2]["type"]
            assert (type(reflected), reflected.dim) == (kind, NEW.dimension)
            index = sqlalchemy.inspect(engine).get_indexes("Documents")[0]
            assert (index["name"], index["dialect_options"]["postgresql_using"]) == ("ix_documents_embedding", "hnsw")
        # A pooled connection forgets what it prepared with the rollback that ends each use. One that is held and in
        # autocommit has no rollback: it fails until it forgets, or is another.
        for _ in range(2):
            with pytest.raises(sqlalchemy.exc.NotSupportedError, match="cached plan must not change result type"):
                held.execute(first)
        held.exec_driver_sql("DEALLOCATE ALL")
        assert np.array_equal(_numbers(held.execute(first).scalar()), NEW.vector(TEXTS[0]))
        held.close()
    finally:
        engine.dispose()


def _numbers(value: Any) -> Any:
    """pgvector gives a vector as an array, and a halfvec as an object of its own."""
    return value if isinstance(value, np.ndarray) else value.to_numpy()


# --- Django ---


@pytest.fixture
def django(conn: Conn) -> Iterator[Any]:
    """Django on the database of ``conn``."""
    module = pytest.importorskip("django")
    pytest.importorskip("pgvector.django")
    from django.conf import settings
    from django.db import connections

    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": conn.info.dbname,
        "USER": conn.info.user,
        "PASSWORD": conn.info.password,
        "HOST": conn.info.host,
        "PORT": conn.info.port,
    }
    if not settings.configured:
        settings.configure(DATABASES={"default": database}, INSTALLED_APPS=[], USE_TZ=True)
        module.setup()
    connections.close_all()
    connections["default"].settings_dict.update(database)
    yield module
    connections.close_all()


def test_django(db: str, conn: Conn, django: Any) -> None:
    from django.db import connection, models
    from pgvector.django import CosineDistance, HnswIndex, VectorField

    def declare(dimension: int) -> Any:
        """The team's model, as it stands in their code at one time."""
        from django.apps import apps

        apps.all_models["library"].pop("document", None)

        class Document(models.Model):
            id = models.UUIDField(primary_key=True, default=uuid.uuid4)
            body = models.TextField()
            embedding = VectorField(dimensions=dimension, null=True)
            updated_at = models.DateTimeField(auto_now=True)

            class Meta:
                app_label = "library"
                indexes = (
                    HnswIndex(fields=["embedding"], name="document_embedding", m=8, opclasses=["vector_cosine_ops"]),
                )

        return Document

    def nearest(model: Any, text: str, embedder: FakeEmbedder) -> Any:
        return model.objects.order_by(CosineDistance("embedding", embedder.vector(text)))[0]

    before = declare(OLD.dimension)
    with connection.schema_editor() as editor:
        editor.create_model(before)
    before.objects.bulk_create(before(body=text, embedding=OLD.vector(text)) for text in TEXTS)
    touched = dict(before.objects.values_list("id", "updated_at"))
    for _ in range(UNTIL_PREPARED):
        assert nearest(before, TEXTS[3], OLD).body == TEXTS[3]

    target = Target("library_document", "id", "body", "embedding")
    run_reembed(db, NEW, target=target)
    check_space(conn, NEW, target)
    assert dict(before.objects.values_list("id", "updated_at")) == touched

    # The change in code: the dimension, for Django's migrations to know. Reading and searching do not ask for it.
    after = declare(NEW.dimension)
    assert nearest(after, TEXTS[3], NEW).body == TEXTS[3]
    for model in (before, after):
        for text in TEXTS[::4]:
            found = nearest(model, text, NEW)
            assert found.body == text
            assert np.array_equal(found.embedding, NEW.vector(text))
    after.objects.create(body="one more", embedding=NEW.vector("one more"))
    assert nearest(after, "one more", NEW).body == "one more"

    # The migration that Django writes for that change finds the column as it wants it, and leaves all as it is.
    with connection.schema_editor() as editor:
        editor.alter_field(after, before._meta.get_field("embedding"), after._meta.get_field("embedding"))
    check_space(conn, NEW, target)
    assert nearest(after, TEXTS[3], NEW).body == TEXTS[3]
