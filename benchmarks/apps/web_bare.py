"""A Flask app under gevent.pywsgi, with no background work: `python -m benchmarks.apps.web_bare PORT`."""

from gevent import monkey

monkey.patch_all()

import sys

from flask import Flask

from benchmarks.apps.serve import serve

app = Flask(__name__)


@app.get("/")
def index():
    return "done"


if __name__ == "__main__":
    serve(app, sys.argv[1])
