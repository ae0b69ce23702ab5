"""The database: where it is, connections, migrations, the embedded server."""
