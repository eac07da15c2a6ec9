"""An app that changes its folder and its environment as it is imported."""

import os
from pathlib import Path

from greenroom import Greenroom

room = Greenroom("memory://")
found = f"{Path.cwd()} {os.environ.get('MOVED', 'unset')}"
os.chdir("/")
os.environ["MOVED"] = "yes"


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [found.encode()]
