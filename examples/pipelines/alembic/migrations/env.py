"""Alembic's environment: SQLAlchemy 2 with psycopg 3, each revision in a transaction of its own."""

import os
from logging.config import fileConfig

import psycopg
from alembic import context
from sqlalchemy import create_engine, pool

fileConfig(context.config.config_file_name, disable_existing_loggers=False)

# creator: DATABASE_URL is anything that libpq takes.
engine = create_engine(
    "postgresql+psycopg://",
    creator=lambda: psycopg.connect(os.environ["DATABASE_URL"]),
    poolclass=pool.NullPool,
)

with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
