"""``python -m vestige_sql.cli`` is the command line ``vestige-sql``."""

import sys

from vestige_sql.cli import main

if __name__ == "__main__":
    sys.exit(main())
