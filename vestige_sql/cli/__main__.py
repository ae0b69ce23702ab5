"""``python -m vestige_sql.cli`` is the same as ``python -m vestige_sql``."""

import sys

from vestige_sql.cli import main

if __name__ == "__main__":
    sys.exit(main())
