"""Servers of a test's own, ended again after it."""

import pytest
from apps.served import Served

from greenroom import Greenroom


@pytest.fixture
def serve(tmp_path):
    started = []

    def start(*options, **kwargs):
        started.append(Served(tmp_path, *options, **kwargs))
        return started[-1]

    yield start
    for server in started:
        server.end()


@pytest.fixture
def stored(tmp_path):
    """What the store holds of a result: its status, and how often it was started."""

    def look(result_id):
        room = Greenroom(f"sqlite:///{tmp_path}/greenroom.db")
        result = room.get_result(result_id)
        room.stop(0)
        return result.status, result.attempts

    return look
