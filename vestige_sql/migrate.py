"""The migrations' public names: apply what a database lacks."""

from vestige_sql.database.migrations import Applied, migrate_up

__all__ = ["Applied", "migrate_up"]
