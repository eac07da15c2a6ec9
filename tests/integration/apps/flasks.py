"""A Flask app that a factory makes, with a room that only the app knows."""

import logging

from flask import Flask

from greenroom import Greenroom, request_id

logging.basicConfig(level="WARNING", format="MINE %(name)s %(message)s")


def who():
    return request_id.get()


class Sites:
    """Where an attribute path may lead."""

    def __init__(self):
        self.main = create_app()


def create_app():
    app = Flask(__name__)
    app.extensions["greenroom"] = room = Greenroom("memory://")

    task = room.task(who)

    @app.get("/whose")
    def whose():
        return task.enqueue().wait(10).return_value

    return app


sites = Sites()
