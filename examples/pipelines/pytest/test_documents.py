import psycopg


def test_documents_have_vectors(vestige_db):
    with psycopg.connect(vestige_db) as conn:
        conn.execute("CREATE TABLE documents (id int PRIMARY KEY, embedding vector(3))")
        conn.execute("INSERT INTO documents VALUES (1, '[1, 2, 3]')")
