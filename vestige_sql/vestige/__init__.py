"""What is about Vestige's own table: search, and the copy from SQLite."""
