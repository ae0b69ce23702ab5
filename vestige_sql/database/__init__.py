"""The database: its address, connections, migrations, and the embedded server."""
