"""Schedules that come and go while a room runs, and what can be seen and done of all of them."""

import shutil
import threading
import zoneinfo
from pathlib import Path

import pytest
from acts import PATIENCE, add, in_a_file, say, see, stage, until
from slots import HOUR, NOON, go_on, note, settle

from greenroom import InvalidArguments, InvalidOption, InvalidTask, UnknownSchedule, cron, every
from greenroom._calendar import calendar


@pytest.fixture(params=["sqlite", "memory"])
def kind(request):
    return request.param


@pytest.fixture
def begin(make_room, clock):
    """Starts a room with a task `note`; the clock stands at NOON."""

    def make(*, periodic=False, start=True):
        room = make_room(clock=clock, start=False)
        task = room.task(takes_context=True, name="note")(note)
        if periodic:
            room.periodic(every(hours=1), name="declared")(task)
        if start:
            room.start()
            settle(room)
        return room

    return make


def test_what_is_added_is_enqueued_from_then_on(begin, clock):
    room = begin()
    room.schedules.add("hourly", every(hours=1), room.tasks["note"])
    settle(room)
    go_on(room, clock, HOUR)
    assert stage.seen == [("hourly", NOON + HOUR)]


def test_its_arguments_are_the_tasks_whatever_they_are_called(begin, make_room, clock):
    room = make_room(clock=clock)
    room.schedules.add("it", every(hours=1), room.task(see), 1, name="Ada", schedule="x", task="y", coalesce=2)
    settle(room)
    go_on(room, clock, HOUR)
    assert stage.seen == [((1,), {"name": "Ada", "schedule": "x", "task": "y", "coalesce": 2})]


@in_a_file
def test_what_is_added_is_there_after_a_restart_and_caught_up_with(begin, clock):
    room = begin()
    room.schedules.using(coalesce="all").add("hourly", every(hours=1), room.tasks["note"])
    room.stop(5)
    clock.advance(2.5 * HOUR)
    begin()
    assert stage.seen == [("hourly", NOON + HOUR), ("hourly", NOON + 2 * HOUR)]


@in_a_file
def test_other_processes_hear_of_what_is_changed(begin, clock):
    room, other = begin(), begin()
    room.schedules.add("hourly", every(hours=1), room.tasks["note"])
    until(lambda: "hourly" in other._backstage.ticker._entries)
    room.stop(5)
    go_on(other, clock, HOUR)
    assert stage.seen == [("hourly", NOON + HOUR)]


@in_a_file
def test_what_they_do_not_hear_of_they_see_within_half_a_minute(begin, clock, monkeypatch):
    room, other = begin(), begin()
    monkeypatch.setattr(other._backstage.durable, "rescheduled", lambda: None)
    room.schedules.add("hourly", every(hours=1), room.tasks["note"])
    room.stop(5)
    go_on(other, clock, 30)
    go_on(other, clock, HOUR)
    assert stage.seen == [("hourly", NOON + HOUR)]


@in_a_file
@pytest.mark.parametrize("verb", ["pause", "remove"])
def test_what_was_paused_or_removed_elsewhere_a_moment_ago_is_not_enqueued(begin, clock, verb):
    room, other = begin(), begin()
    room.schedules.add("hourly", every(hours=1), room.tasks["note"])
    go_on(other, clock, 30)
    room.stop(5)
    getattr(room.schedules, verb)("hourly")
    go_on(other, clock, HOUR)
    assert stage.seen == []


def test_what_is_removed_is_gone(begin, clock):
    room = begin()
    room.schedules.add("hourly", every(hours=1), room.tasks["note"])
    room.schedules.remove("hourly")
    assert list(room.schedules) == []
    go_on(room, clock, HOUR)
    assert stage.seen == []
    with pytest.raises(UnknownSchedule, match=r"no schedule is named 'hourly': .* See list\(room.schedules\)"):
        room.schedules.remove("hourly")


@pytest.mark.parametrize("name", ["declared", "added"])
def test_what_is_paused_is_not_enqueued_and_does_not_catch_up(begin, clock, name):
    room = begin(periodic=True)
    room.schedules.add("added", every(hours=1), room.tasks["note"])
    room.schedules.pause(name)
    room.schedules.pause(name)
    assert room.schedules.get(name).is_paused
    assert room.schedules.get(name).next_slot is None
    for _ in range(3):
        go_on(room, clock, HOUR)
    room.schedules.resume(name)
    room.schedules.resume(name)
    settle(room)
    assert name not in {schedule for schedule, _ in stage.seen}
    go_on(room, clock, HOUR)
    assert [slot for schedule, slot in stage.seen if schedule == name] == [NOON + 4 * HOUR]


@in_a_file
def test_what_is_paused_stays_so_after_a_restart_though_it_is_declared(begin, clock):
    room = begin(periodic=True)
    room.schedules.pause("declared")
    room.stop(5)
    room = begin(periodic=True)
    go_on(room, clock, HOUR)
    assert (stage.seen, room.schedules.get("declared").is_paused) == ([], True)


def test_run_now_enqueues_it_once_more_and_changes_nothing_else(begin, clock):
    room = begin(periodic=True)
    room.schedules.pause("declared")
    result = room.schedules.run_now("declared").wait(PATIENCE)
    assert (result.schedule, result.slot) == ("declared", NOON)
    room.schedules.resume("declared")
    settle(room)
    go_on(room, clock, HOUR)
    assert stage.seen == [("declared", NOON), ("declared", NOON + HOUR)]


def test_a_list_of_them_says_how_each_stands(begin, clock):
    room = begin(periodic=True)
    room.schedules.using(coalesce="skip").add("added", cron("30 * * * *"), room.tasks["note"])
    settle(room)
    go_on(room, clock, HOUR)
    added, declared = room.schedules
    assert len(room.schedules) == 2
    assert (declared.name, declared.schedule, declared.task_name) == ("declared", every(hours=1), "note")
    assert (declared.origin, declared.is_paused, declared.is_orphan) == ("declared", False, False)
    assert (declared.last_slot, declared.next_slot) == (NOON + HOUR, NOON + 2 * HOUR)
    assert (added.name, added.origin, added.coalesce, declared.coalesce) == ("added", "added", "skip", "latest")
    assert (added.last_slot, added.next_slot) == (None, NOON + 1.5 * HOUR)


def test_what_is_declared_is_listed_before_the_room_was_ever_started(begin):
    room = begin(periodic=True, start=False)
    (declared,) = room.schedules
    assert (declared.name, declared.last_slot, declared.next_slot) == ("declared", None, NOON + HOUR)
    room.schedules.pause("declared")
    assert room.schedules.get("declared").is_paused


@in_a_file
def test_an_orphan_can_be_removed(begin):
    begin(periodic=True).stop(5)
    room = begin()
    (orphan,) = room.schedules
    assert (orphan.is_orphan, orphan.next_slot) == (True, None)
    room.schedules.remove("declared")
    assert list(room.schedules) == []


@in_a_file
def test_one_whose_task_is_unknown_here_waits_for_a_process_that_has_it(begin, make_room, clock):
    room = begin()
    room.schedules.add("hourly", every(hours=1), room.tasks["note"])
    room.stop(5)
    stranger = make_room(clock=clock)
    settle(stranger)
    go_on(stranger, clock, HOUR)
    assert stranger.schedules.get("hourly").is_orphan
    with pytest.raises(InvalidTask, match="schedule 'hourly' cannot run here: no task is named 'note'.*has it"):
        stranger.schedules.run_now("hourly")
    stranger.stop(5)
    begin()
    assert stage.seen == [("hourly", NOON + HOUR)]


def test_a_name_is_taken_once_unless_it_is_to_be_replaced(begin, clock):
    room = begin(periodic=True)
    task = room.tasks["note"]
    room.schedules.add("it", every(hours=1), task)
    with pytest.raises(InvalidOption, match=r"there is a schedule 'it' already: use another name, or room.schedules"):
        room.schedules.add("it", every(hours=2), task)
    with pytest.raises(InvalidOption, match="schedule 'declared' is declared in code: give the one that is added"):
        room.schedules.using(replace=True).add("declared", every(hours=2), task)
    room.schedules.using(replace=True).add("it", cron("30 * * * *"), task)
    assert room.schedules.get("it").next_slot == NOON + HOUR / 2


def test_what_is_declared_cannot_be_removed(begin):
    room = begin(periodic=True)
    with pytest.raises(InvalidOption, match="schedule 'declared' is declared in code: delete it there, or pause it"):
        room.schedules.remove("declared")


@pytest.mark.parametrize("verb", ["pause", "resume", "run_now", "get", "remove"])
def test_what_is_not_there_is_refused_by_name(begin, verb):
    room = begin()
    with pytest.raises(UnknownSchedule, match="no schedule is named 'nobody'"):
        getattr(room.schedules, verb)("nobody")


def test_what_cannot_be_added_is_refused(begin, make_room):
    room = begin()
    task = room.task(add)
    with pytest.raises(InvalidTask, match="<function say .*> is not a task of this room"):
        room.schedules.add("it", every(hours=1), say, "x")
    with pytest.raises(InvalidTask, match="is not a task of this room"):
        room.schedules.add("it", every(hours=1), make_room(start=False).task(say), "x")
    with pytest.raises(InvalidArguments):
        room.schedules.add("it", every(hours=1), task)
    with pytest.raises(InvalidOption, match="is not a schedule"):
        room.schedules.add("it", "@daily", task, 1)
    with pytest.raises(InvalidOption, match="name='' is not a name"):
        room.schedules.add("", every(hours=1), task, 1)
    with pytest.raises(InvalidOption, match="coalesce='no' is not known"):
        room.schedules.using(coalesce="no").add("it", every(hours=1), task, 1)
    assert list(room.schedules) == []


def test_they_are_changed_from_any_thread(begin, clock):
    room = begin()
    thread = threading.Thread(target=room.schedules.add, args=("hourly", every(hours=1), room.tasks["note"]))
    thread.start()
    until(lambda: not thread.is_alive())
    until(lambda: "hourly" in room._backstage.ticker._entries)
    go_on(room, clock, HOUR)
    assert stage.seen == [("hourly", NOON + HOUR)]


@pytest.fixture
def old_zone(tmp_path):
    """A time zone that is known until `forget_it` is called, as after a machine's update."""
    berlin = next(file for path in zoneinfo.TZPATH if (file := Path(path, "Europe/Berlin")).exists())
    (tmp_path / "zones/US").mkdir(parents=True)
    shutil.copy(berlin, tmp_path / "zones/US/Old")

    def forget_it():
        zoneinfo.reset_tzpath()
        zoneinfo.ZoneInfo.clear_cache(only_keys=["US/Old"])  # other tests hold theirs
        calendar.cache_clear()

    zoneinfo.reset_tzpath([*zoneinfo.TZPATH, str(tmp_path / "zones")])
    yield forget_it
    forget_it()


@in_a_file
def test_a_zone_that_is_not_known_any_more_stops_its_own_schedule_alone(begin, clock, old_zone, caplog):
    room = begin(periodic=True)
    room.schedules.add("mail", cron("30 * * * *", timezone="US/Old"), room.tasks["note"])
    settle(room)
    room.stop(5)
    old_zone()
    room = begin(periodic=True)
    for _ in range(4):
        go_on(room, clock, HOUR / 2)
    assert stage.seen == [("declared", NOON + HOUR), ("declared", NOON + 2 * HOUR)]
    assert room.trouble() is None
    told = [record.message for record in caplog.records if "means nothing" in record.message]
    why = "timezone='US/Old' is not known here: use a name such as 'Europe/Berlin' or 'UTC'. If that is one, this "
    assert told == [
        "schedule 'mail' (cron 30 * * * * US/Old) means nothing to this process, which does not enqueue it: "
        + why
        + "machine has no time zones: pip install tzdata."
    ]
    mail = room.schedules.get("mail")
    assert (str(mail.schedule), mail.next_slot, mail.is_orphan) == ("cron 30 * * * * US/Old", None, True)


@in_a_file
def test_it_can_be_paused_run_replaced_and_removed_all_the_same(begin, clock, old_zone):
    room = begin()
    for name in ("mail", "feed"):
        room.schedules.add(name, cron("30 * * * *", timezone="US/Old"), room.tasks["note"])
    room.stop(5)
    old_zone()
    room = begin()
    room.schedules.pause("mail")
    room.schedules.resume("mail")
    assert room.schedules.run_now("mail").wait(PATIENCE).return_value is None
    room.schedules.remove("feed")
    room.schedules.using(replace=True).add("mail", cron("30 * * * *", timezone="UTC"), room.tasks["note"])
    settle(room)
    go_on(room, clock, HOUR)
    assert stage.seen == [("mail", NOON), ("mail", NOON + HOUR / 2)]
    assert [scheduled.name for scheduled in room.schedules] == ["mail"]


@in_a_file
def test_the_code_may_declare_it_anew_with_one_that_is_known(make_room, clock, old_zone):
    def declare(zone):
        room = make_room(clock=clock, start=False)
        task = room.task(takes_context=True, name="note")(note)
        room.periodic(cron("30 * * * *", timezone=zone), name="it")(task)
        room.start()
        settle(room)
        return room

    declare("US/Old").stop(5)
    old_zone()
    go_on(declare("UTC"), clock, HOUR)
    assert stage.seen == [("it", NOON + HOUR / 2)]


def test_one_that_is_replaced_while_it_is_paused_stays_paused(begin, clock):
    room = begin()
    room.schedules.add("it", every(hours=1), room.tasks["note"])
    room.schedules.pause("it")
    room.schedules.using(replace=True).add("it", every(minutes=30), room.tasks["note"])
    settle(room)
    go_on(room, clock, HOUR)
    assert stage.seen == []


@in_a_file
def test_one_that_is_replaced_by_another_makes_up_for_nothing(begin, clock):
    room = begin()
    room.schedules.add("it", every(hours=1), room.tasks["note"])
    room.stop(5)
    clock.advance(3.5 * HOUR)
    room = begin(start=False)
    room.schedules.using(replace=True, coalesce="all").add("it", every(minutes=30), room.tasks["note"])
    room.start()
    settle(room)
    go_on(room, clock, HOUR / 2)
    assert stage.seen == [("it", NOON + 4 * HOUR)]
