# conftest.py
pytest_plugins = ["vestige_sql.testing"]
