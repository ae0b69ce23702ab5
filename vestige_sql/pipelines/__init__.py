"""The re-embedding as a step of other tools' migrations: Alembic, Django and yoyo."""
