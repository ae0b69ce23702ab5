"""For Vestige's own tables: search, and the copy from SQLite."""
