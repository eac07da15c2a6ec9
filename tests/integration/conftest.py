"""Servers of a test's own, ended again after it."""

import pytest
from apps.served import Served


@pytest.fixture
def serve(tmp_path):
    started = []

    def start(*options, **kwargs):
        started.append(Served(tmp_path, *options, **kwargs))
        return started[-1]

    yield start
    for server in started:
        server.end()
