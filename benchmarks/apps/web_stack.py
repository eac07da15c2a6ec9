"""The same app with a worker and a broker of its own: under gunicorn, and under huey's consumer."""

import os

from flask import Flask
from huey import RedisHuey

app = Flask(__name__)
huey = RedisHuey(host="127.0.0.1", port=int(os.environ["BENCHMARK_BROKER_PORT"]))


@huey.task()
def noop():
    return None


@app.get("/")
def index():
    noop()
    return "enqueued"
