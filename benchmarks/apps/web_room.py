"""The same app with a room: under `greenroom serve`."""

import os

from flask import Flask

from greenroom import Greenroom

app = Flask(__name__)
room = Greenroom(os.environ["BENCHMARK_STORE"])


@room.task()
def noop():
    return None


@app.get("/")
def index():
    noop.enqueue()
    return "enqueued"
