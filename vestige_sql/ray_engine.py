"""The Ray engine's public names."""

from vestige_sql.cluster.engine import RayEngine
from vestige_sql.cluster.ranges import range_rows

__all__ = ["RayEngine", "range_rows"]
