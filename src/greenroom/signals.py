"""What can be listened to. Each receiver is called with the room as sender and `result`, a TaskResult.

    @task_finished.connect
    def tell(room, result): ...

Those of `loop_blocked` are not: they are given `blocker`, a place in the code, and for how many `seconds` it held the
event loop.

Receivers run where the event happens, between two tasks: they should be short. What they raise is logged.
"""

from __future__ import annotations

import logging

from blinker import NamedSignal
from gevent import Timeout

log = logging.getLogger("greenroom")

task_enqueued = NamedSignal("task_enqueued", "A job is stored.")
task_started = NamedSignal("task_started", "An attempt begins.")
task_retried = NamedSignal("task_retried", "An attempt went wrong, and another will be made.")
task_finished = NamedSignal("task_finished", "A job is successful, failed or cancelled.")

loop_blocked = NamedSignal("loop_blocked", "Something held the event loop for longer than the monitor's threshold.")


def emit(signal: NamedSignal, sender: object, **details: object) -> None:
    """Call each receiver, whatever the ones before did."""
    for receiver in signal.receivers_for(sender):
        try:
            receiver(sender, **details)
        except (Exception, Timeout):  # a Timeout is no Exception, and a receiver's own would end the recorder
            log.exception("a receiver of %s raised: %r", signal.name, receiver)
