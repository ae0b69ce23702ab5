"""Answers as an HTML file for people: ``--report FILE.html``. It knows an answer as ``--json`` prints it, no more."""

import logging

# Its word on fonts and caches is nothing to the user of a command that draws a few bars.
logging.getLogger("matplotlib").setLevel(logging.ERROR)
