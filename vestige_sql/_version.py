"""The version of this package, from which its metadata is made; a checkout has no other.

With a release go the hashes of its step files, so that later versions go on with its runs, and its migrations into the
list of those that stay as they are, in tests/runs/test_upgrade.py:

    find sql -name '*.sql' | LC_ALL=C sort | xargs sha256sum >sql/released/VERSION.sha256
"""

VERSION = "0.2.0"
