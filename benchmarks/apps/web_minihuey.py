"""The same app with MiniHuey: `python -m benchmarks.apps.web_minihuey PORT`."""

from gevent import monkey

monkey.patch_all()

import sys

sys.modules.update(redis=None, psycopg=None)  # not wanted here, and huey imports what it finds

from flask import Flask
from huey.contrib.mini import MiniHuey

from benchmarks.apps.serve import serve

app = Flask(__name__)
huey = MiniHuey()


@huey.task()
def noop():
    return None


@app.get("/")
def index():
    noop()
    return "enqueued"


if __name__ == "__main__":
    huey.start()
    serve(app, sys.argv[1])
