"""What the tests of trouble with a file share."""

import time

import gevent

PATIENCE = 30


def until(happens):
    ends = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < ends, "waited in vain"
        gevent.sleep(0.01)
