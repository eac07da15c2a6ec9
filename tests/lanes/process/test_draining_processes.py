"""A task in a process hears, too, that its parent is to end."""

import gevent
import labours
import pytest
from labours import PATIENCE

from greenroom import Status

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def begun(tmp_path):
    return tmp_path / "begun"


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_who_asked_for_it_is_interrupted_and_its_progress_kept(room, declare, begun):
    result = declare(room, labours.plod, on_drain="interrupt").enqueue(str(begun))
    with gevent.Timeout(PATIENCE):
        while not result.progress or result.progress.done < 50:
            gevent.sleep(0.01)
            result.refresh()
    room.stop(3600)
    stored = room.get_result(result.id)
    assert (stored.status, stored.attempts) == (Status.READY, 0)
    assert stored.progress.done >= 50


def test_who_did_not_can_see_it_coming(room, declare, begun):
    result = declare(room, labours.ask_until_stopping).enqueue(str(begun))
    with gevent.Timeout(PATIENCE):
        while not begun.exists():
            gevent.sleep(0.01)
    waiting = gevent.spawn(result.wait, PATIENCE)
    room.stop(3600)
    assert waiting.get(timeout=PATIENCE).return_value == "it saw it coming"
