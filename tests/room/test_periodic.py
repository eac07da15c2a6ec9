"""Periodic tasks: each slot is enqueued once, in its time, whatever the clock and the processes do."""

import time
from datetime import timedelta

import gevent
import pytest
from acts import PATIENCE, add, in_a_file, say, see, stage, until
from slots import HOUR, NOON, go_on, note, settle

from greenroom import (
    InvalidArguments,
    InvalidOption,
    InvalidPayload,
    InvalidTask,
    Status,
    cron,
    every,
    task_enqueued,
)
from greenroom.testing._heart import Heart


@pytest.fixture(params=["sqlite", "memory"])
def kind(request):
    return request.param


@pytest.fixture
def begin(make_room, clock):
    """Starts a room that notes the slots of the schedules it is given, by name; the clock stands at NOON."""

    def make(schedules, *, start=True, **options):
        room = make_room(clock=clock, start=False)
        task = room.task(takes_context=True, name="note")(note)
        for name, schedule in schedules.items():
            room.periodic(schedule, name=name, **options)(task)
        if start:
            room.start()
            settle(room)
        return room

    return make


def slots_of(name):
    return [slot for schedule, slot in stage.seen if schedule == name]


def test_each_slot_is_enqueued_in_its_time(begin, clock):
    room = begin({"hourly": every(hours=1)})
    for _ in range(3):
        go_on(room, clock, HOUR - timedelta(microseconds=1))
        before = len(stage.seen)
        go_on(room, clock, timedelta(microseconds=1))
        assert len(stage.seen) == before + 1
    assert slots_of("hourly") == [NOON + number * HOUR for number in (1, 2, 3)]


def test_a_job_that_somebody_enqueued_has_no_slot(begin):
    room = begin({})
    room.tasks["note"].enqueue().wait(PATIENCE)
    assert stage.seen == [(None, None)]


def test_a_result_knows_its_slot(begin, clock):
    room = begin({"hourly": every(hours=1)})
    go_on(room, clock, HOUR)
    (result,) = room.find()
    assert (result.schedule, result.slot, result.run_after) == ("hourly", NOON + HOUR, NOON + HOUR)


def test_the_arguments_of_the_schedule_are_the_tasks(make_room, clock):
    room = make_room(clock=clock, start=False)
    task = room.periodic(every(hours=1), args=(1, "two"), kwargs={"when": NOON})(room.task(see))
    assert task is room.tasks[task.name]
    room.start()
    settle(room)
    go_on(room, clock, HOUR)
    assert stage.seen == [((1, "two"), {"when": NOON})]


def test_several_schedules_may_stand_above_one_task(begin, clock):
    room = begin({"hourly": every(hours=1), "at 13:30": cron("30 13 * * *")})
    for _ in range(4):
        go_on(room, clock, HOUR / 2)
    assert slots_of("hourly") == [NOON + HOUR, NOON + 2 * HOUR]
    assert slots_of("at 13:30") == [NOON + 1.5 * HOUR]


@in_a_file
def test_of_several_processes_one_enqueues_a_slot(begin, clock, make_room):
    rooms = [begin({"hourly": every(hours=1)}) for _ in range(3)]
    clock.advance(HOUR)
    for room in rooms:
        settle(room)
    assert {room.counts()[Status.SUCCESSFUL] for room in rooms} == {1}


def test_a_first_start_makes_up_for_nothing(begin):
    room = begin({"hourly": every(hours=1), "daily": cron("0 11 * * *")})
    assert (stage.seen, room.find()) == ([], [])


@in_a_file
@pytest.mark.parametrize(
    ("coalesce", "hours"),
    [("latest", [15]), ("all", [13, 14, 15]), ("earliest", [13]), ("skip", [])],
)
def test_after_three_hours_down_what_was_missed_is_made_up_for_by_policy(begin, clock, coalesce, hours, caplog):
    begin({"hourly": every(hours=1)}).stop(5)
    clock.advance(3.5 * HOUR)
    room = begin({"hourly": every(hours=1)}, coalesce=coalesce)
    assert [slot.hour for slot in slots_of("hourly")] == hours
    go_on(room, clock, HOUR / 2)
    assert [slot.hour for slot in slots_of("hourly")] == [*hours, 16]
    told = [record for record in caplog.records if "were missed" in record.message]
    assert len(told) == (coalesce != "all")


@in_a_file
def test_what_is_missed_for_longer_than_the_grace_time_is_left(begin, clock, caplog):
    schedules = {"daily": cron("0 13 * * *"), "hourly": every(hours=1)}
    begin(schedules, misfire_grace_time=HOUR).stop(5)
    clock.advance(3.5 * HOUR)
    begin(schedules, misfire_grace_time=HOUR)
    assert stage.seen == [("hourly", NOON + 3 * HOUR)]
    assert (
        "schedule 'daily' (cron 0 13 * * * (UTC)): slots since 2030-01-01T13:00:00+00:00 were missed" in caplog.text
    )


@in_a_file
def test_by_default_a_daily_task_is_made_up_for_until_the_next_is_due(begin, clock):
    begin({"daily": cron("0 13 * * *")}).stop(5)
    clock.advance(23 * HOUR)
    begin({"daily": cron("0 13 * * *")})
    assert slots_of("daily") == [NOON + HOUR]


@in_a_file
def test_all_that_was_missed_is_at_most_a_thousand(begin, clock, caplog):
    begin({"minutely": every(minutes=1)}, coalesce="all").stop(5)
    clock.advance(20 * HOUR)
    room = begin({"minutely": every(minutes=1)}, coalesce="all")
    slots = sorted(slots_of("minutely"))
    assert len(slots) == room.counts()[Status.SUCCESSFUL] == 1000
    assert (slots[0], slots[-1]) == (NOON + timedelta(minutes=201), NOON + 20 * HOUR)
    assert "slots since 2030-01-01T12:01:00+00:00 were missed; enqueued late: 1000" in caplog.text


def test_a_slot_that_a_busy_process_meets_late_is_not_missed(begin, clock):
    room = begin({"hourly": every(hours=1)}, coalesce="skip")
    go_on(room, clock, HOUR + timedelta(seconds=59))
    assert slots_of("hourly") == [NOON + HOUR]


def test_after_a_step_back_no_slot_comes_twice_and_none_is_left_out(begin, clock):
    room = begin({"hourly": every(hours=1), "quarterly": cron("*/15 * * * *")})
    for _ in range(8):
        go_on(room, clock, HOUR / 4)
    clock.step(-HOUR)
    settle(room)
    for _ in range(8):
        go_on(room, clock, HOUR / 4)
    assert slots_of("hourly") == [NOON + number * HOUR for number in (1, 2, 3)]
    assert slots_of("quarterly") == [NOON + number * HOUR / 4 for number in range(1, 13)]


def test_a_clock_that_was_a_year_ahead_for_a_while_silences_nothing(begin, clock):
    room = begin({"hourly": every(hours=1)})
    go_on(room, clock, HOUR)
    year = timedelta(days=365)
    clock.step(year)
    settle(room)  # the latest slot of the year that was missed, as far as one can know
    assert slots_of("hourly") == [NOON + HOUR, NOON + HOUR + year]
    go_on(room, clock, HOUR)
    clock.step(-year)
    settle(room)
    go_on(room, clock, HOUR)
    assert slots_of("hourly")[3:] == [NOON + 2 * HOUR, NOON + 3 * HOUR]


@pytest.mark.parametrize("coalesce", ["latest", "all", "earliest", "skip"])
def test_nor_does_it_by_any_policy(begin, clock, coalesce):
    room = begin({"daily": cron("0 13 * * *"), "hourly": every(hours=1)}, coalesce=coalesce)
    clock.step(timedelta(days=365))
    settle(room)
    clock.step(timedelta(days=-365))
    settle(room)
    ahead = set(stage.seen)
    for _ in range(50):
        go_on(room, clock, HOUR)
    due = {("hourly", NOON + hour * HOUR) for hour in range(1, 51)} | {
        ("daily", NOON + h * HOUR) for h in (1, 25, 49)
    }
    assert len(stage.seen) == len(set(stage.seen))
    assert set(stage.seen) - ahead == due - ahead


def test_a_clock_that_is_set_back_to_before_it_all_silences_nothing(begin, clock):
    room = begin({"hourly": every(hours=1)})
    go_on(room, clock, HOUR)
    clock.step(timedelta(days=-365))
    settle(room)
    go_on(room, clock, HOUR)
    assert slots_of("hourly") == [NOON + HOUR, NOON + 2 * HOUR - timedelta(days=365)]


@in_a_file
def test_what_no_code_declares_any_more_is_not_enqueued(begin, clock):
    begin({"old": every(hours=1), "kept": every(hours=1)}).stop(5)
    room = begin({"kept": every(hours=1)})
    go_on(room, clock, HOUR)
    assert stage.seen == [("kept", NOON + HOUR)]
    assert room.schedules.get("old").is_orphan
    assert not room.schedules.get("kept").is_orphan


@in_a_file
def test_a_changed_expression_takes_effect_and_replays_nothing(begin, clock):
    begin({"it": cron("0 13 * * *")}).stop(5)
    clock.advance(3.5 * HOUR)
    room = begin({"it": every(hours=1)})
    assert stage.seen == []
    go_on(room, clock, HOUR)
    assert stage.seen == [("it", NOON + 4 * HOUR)]


@in_a_file
def test_and_it_does_so_at_once_after_a_step_back(begin, clock):
    room = begin({"it": every(hours=1)})
    for _ in range(3):
        go_on(room, clock, HOUR)
    room.stop(5)
    clock.step(-HOUR)
    room = begin({"it": every(minutes=10)})
    go_on(room, clock, HOUR / 6)
    assert stage.seen[3:] == [("it", NOON + 2 * HOUR + HOUR / 6)]


@in_a_file
def test_while_old_and_new_code_are_up_both_go_by_the_new(begin, clock):
    old = begin({"it": cron("30 * * * *")})
    new = begin({"it": cron("0 * * * *")})
    for _ in range(4):
        clock.advance(HOUR / 2)
        settle(old)
        settle(new)
    assert sorted(slots_of("it")) == [NOON + HOUR, NOON + 2 * HOUR]


@in_a_file
def test_run_on_start_runs_it_once_for_all_that_start_together(begin, clock):
    begin({"it": every(hours=1)}, run_on_start=True)
    assert stage.seen == [("it", NOON)]
    begin({"it": every(hours=1)}, run_on_start=True)
    assert stage.seen == [("it", NOON)]
    clock.advance(timedelta(minutes=2))
    begin({"it": every(hours=1)}, run_on_start=True)
    assert stage.seen == [("it", NOON), ("it", NOON + timedelta(minutes=2))]


def test_jitter_puts_a_slot_off_by_no_more_than_was_said(begin, clock):
    room = begin({"it": every(hours=1)}, jitter=60)
    for _ in range(20):
        clock.advance(HOUR)
        settle(room)
    late = [result.run_after - result.slot for result in room.find()]
    assert len(late) == 20
    assert timedelta() <= min(late) < max(late) <= timedelta(minutes=1)


def test_the_options_of_the_task_are_those_of_its_jobs(make_room, clock):
    room = make_room(clock=clock, start=False)
    task = room.task(queue_name="mail", priority=3, max_attempts=7, expires=HOUR)(see)
    room.periodic(every(hours=1), name="as declared")(task)
    room.periodic(every(hours=1), name="hurried")(task.using(priority=9))
    room.start()
    settle(room)
    clock.advance(HOUR)
    until(lambda: room.counts()[Status.SUCCESSFUL] == 2)
    jobs = {result.schedule: result._job for result in room.find()}
    assert jobs["as declared"][3:7] == ("mail", "greenlet", 3, 7)
    assert jobs["hurried"].priority == 9
    assert jobs["hurried"].expires_at - jobs["hurried"].run_after == 3600 * 10**6


@in_a_file
def test_what_expires_does_so_when_it_could_have_run_for_so_long(begin, clock, make_room):
    def declare(room):
        task = room.task(takes_context=True, name="note", expires=60)(note)
        room.periodic(every(hours=1), name="made up for", coalesce="all")(task)
        room.periodic(every(hours=1), name="put off", jitter=1800)(task)
        room.start()
        settle(room)
        return room

    declare(make_room(clock=clock, start=False)).stop(5)
    clock.advance(2.5 * HOUR)
    room = declare(make_room(clock=clock, start=False))
    for _ in range(30):
        go_on(room, clock, timedelta(minutes=1))
    assert slots_of("made up for") == [NOON + HOUR, NOON + 2 * HOUR, NOON + 3 * HOUR]
    assert Status.CANCELLED not in {result.status for result in room.find()}


def test_a_slot_is_signalled_as_enqueued(begin, clock, listen):
    heard = []
    listen(task_enqueued, lambda _, result: heard.append(result.slot))
    room = begin({"it": every(hours=1)})
    go_on(room, clock, HOUR)
    assert heard == [NOON + HOUR]


def test_thousands_of_schedules_may_be_due_at_once(begin, clock):
    room = begin({f"no. {number}": every(hours=1) for number in range(300)})
    clock.advance(HOUR)
    until(lambda: len(stage.seen) == 300)
    assert {slot for _, slot in stage.seen} == {NOON + HOUR}
    assert room.trouble() is None


@in_a_file
def test_years_of_slots_may_be_made_up_for_and_the_loop_turns(begin, clock):
    schedules = {f"no. {number}": cron("0 3 * * *", timezone="Europe/Berlin") for number in range(4)}
    begin(schedules, coalesce="all").stop(5)
    clock.advance(timedelta(days=1500))
    room = begin(schedules, coalesce="all", start=False)
    with Heart() as heart:
        room.start()
        until(lambda: sum(room.counts().values()) == 4000)
    assert heart.longest < 0.05


def test_by_the_clock_of_the_machine_a_slot_is_on_time(make_room):
    room = make_room(start=False)
    late = []

    def measure(context):
        late.append(time.time() - context.slot.timestamp())

    measure.__qualname__ = "measure"
    room.periodic(every(seconds=0.25))(room.task(takes_context=True)(measure))
    room.start()
    until(lambda: len(late) >= 4)
    assert min(late) >= 0
    ids = [result.slot for result in room.find() if result.status is Status.SUCCESSFUL]
    assert len(set(ids)) == len(ids)


def test_a_room_that_was_stopped_enqueues_nothing(begin, clock):
    room = begin({"it": every(hours=1)})
    room.stop(5)
    clock.advance(HOUR)
    gevent.sleep(0.05)
    assert stage.seen == []


@pytest.mark.parametrize(
    ("options", "error", "reason"),
    [
        ({"schedule": "0 3 * * *"}, InvalidOption, r"'0 3 \* \* \*' is not a schedule: write cron\('0 3"),
        ({"schedule": timedelta(hours=1)}, InvalidOption, r"is not a schedule: write cron\(.*\) or every"),
        ({"name": ""}, InvalidOption, "name='' is not a name"),
        ({"coalesce": "newest"}, InvalidOption, "coalesce='newest' is not known: use one of 'latest', 'all'"),
        ({"misfire_grace_time": -1}, InvalidOption, "misfire_grace_time=-1 is out of range"),
        ({"misfire_grace_time": "1h"}, InvalidOption, "misfire_grace_time='1h' is not a timedelta"),
        ({"jitter": 0}, InvalidOption, "jitter=0 is out of range"),
        ({"run_on_start": 1}, InvalidOption, "run_on_start=1 is neither True nor False"),
        ({"args": (1, 2, 3)}, InvalidArguments, "add.* takes"),
        ({"args": [1]}, InvalidOption, r"args=\[1\], kwargs=None: use a tuple, and a dict"),
        ({"kwargs": {"c": 1}}, InvalidArguments, "unexpected keyword"),
        ({"args": (object(),)}, InvalidPayload, "args"),
    ],
)
def test_what_does_not_hold_together_is_refused_where_it_is_declared(make_room, options, error, reason):
    room = make_room(start=False)
    task = room.task(add)
    options = {"schedule": every(hours=1), "args": (1,), **options}
    with pytest.raises(error, match=reason):
        room.periodic(options.pop("schedule"), **options)(task)
    assert room.schedules.declared == {}


@pytest.mark.parametrize("schedule", [see, every, 5, None])
def test_a_schedule_that_is_none_is_refused_before_there_is_a_task(make_room, schedule):
    with pytest.raises(InvalidOption, match=r"is not a schedule: write .*every\(minutes=5\)"):
        make_room(start=False).periodic(schedule)


def test_above_a_task_without_being_called_it_is_refused(make_room):
    room = make_room(start=False)
    with pytest.raises(
        InvalidOption,
        match=r"^<Task acts\.say> is not a schedule: write every\(.* as in @room\.periodic\(every\(minut",
    ):
        room.periodic(room.task(say))


def test_tasks_that_cannot_be_periodic_are_refused(make_room):
    room, other = make_room(start=False), make_room(start=False)
    volatile = room.task(durable=False)(say)
    with pytest.raises(
        InvalidTask, match="say cannot be periodic: it is volatile.* Declare the task without durable"
    ):
        room.periodic(every(hours=1), args=("x",))(volatile)
    with pytest.raises(InvalidTask, match=r"is not a task of this room.*put @room.task below @room.periodic"):
        room.periodic(every(hours=1))(see)
    with pytest.raises(InvalidTask, match="is not a task of this room"):
        room.periodic(every(hours=1))(other.task(see))
    with pytest.raises(InvalidTask, match=r"cannot be periodic with using\(run_after=...\): its schedule says when"):
        room.periodic(every(hours=1), args=(1,))(room.task(add).using(run_after=5))


def test_a_second_schedule_of_a_task_needs_a_name(make_room):
    room = make_room(start=False)
    task = room.periodic(every(hours=1))(room.task(see))
    with pytest.raises(InvalidOption, match="two schedules are named 'acts.see': give one of them a name"):
        room.periodic(every(hours=2))(task)
    room.periodic(every(hours=2), name="other")(task)
    assert sorted(room.schedules.declared) == ["acts.see", "other"]
