"""One tree of errors, drawn as it is, and apart from it what a task may raise to say how its attempt ends."""

import pickle
import re
from datetime import timedelta

import pytest

import greenroom
from greenroom import errors
from greenroom.errors import Cancel, GreenroomError, InvalidOption, Retry, Snooze, Verdict

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
ERRORS = [kind for kind in KINDS if issubclass(kind, GreenroomError)]


def tree(kind, depth=0):
    """The names below a class, each with its depth."""
    yield depth, kind.__name__
    for child in kind.__subclasses__():
        if child.__module__ != errors.__name__:
            continue  # a command's own, if another test has loaded it
        yield from tree(child, depth + 1)


def test_the_tree_is_as_it_is_drawn():
    lines = re.findall(r"^([│├└─ ]*)([A-Z]\w+)(?: .*)?$", errors.__doc__.split("GreenroomError\n")[1], re.MULTILINE)
    drawn = [(len(branch) // 4, name) for branch, name in lines if branch]
    assert drawn == [*tree(GreenroomError)][1:]


def test_each_error_is_drawn_with_the_built_in_one_that_it_also_is():
    for name, base in re.findall(r"── (\w+) .*\((\w+)\)$", errors.__doc__, re.MULTILINE):
        also = {kind.__name__ for kind in getattr(errors, name).__mro__} - {"Exception", "BaseException", "object"}
        assert base in also


@pytest.mark.parametrize("kind", [*ERRORS, Cancel, Retry, Snooze], ids=lambda kind: kind.__name__)
def test_each_can_be_had_from_greenroom_itself(kind):
    assert getattr(greenroom, kind.__name__) is kind
    assert kind.__name__ in greenroom.__all__


@pytest.mark.parametrize("kind", [Cancel, Retry, Snooze])
def test_a_verdict_is_no_error(kind):
    assert issubclass(kind, Verdict)
    assert not issubclass(kind, GreenroomError)


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        (Retry(), "retry asked for by the task"),
        (Retry("503"), "503"),
        (Retry(OSError("503")), "503"),
        (Cancel(None), "cancelled by the task"),
        (Snooze(5), "snoozed for 5"),
        (Snooze(timedelta(minutes=1)), "snoozed for 0:01:00"),
        (Cancel(), "cancelled by the task"),
        (Cancel("sold out"), "sold out"),
    ],
)
def test_a_verdict_says_why(verdict, text):
    assert str(verdict) == text


@pytest.mark.parametrize(
    ("verdict", "reason", "message"),
    [
        (Retry, 60, r"^Retry\(60\): what stands first is the reason, .* of type int\. Write Retry\(after=60\)\.$"),
        (Retry, 0, r"Write Retry\(after=0\)\.$"),
        (Retry, timedelta(minutes=1), r"Write Retry\(after=datetime\.timedelta\(seconds=60\)\)\.$"),
        (Cancel, 5, r"^Cancel\(5\): what stands first is the reason, .* Write Cancel\(str\(\.\.\.\)\)\.$"),
    ],
)
def test_a_reason_that_is_meant_for_a_length_of_time_is_refused(verdict, reason, message):
    with pytest.raises(InvalidOption, match=message):
        verdict(reason)


@pytest.mark.parametrize("verdict", [Retry(), Retry("503", after=5), Snooze(5), Cancel("sold out")])
def test_a_verdict_comes_from_another_process_as_it_was(verdict):
    other = pickle.loads(pickle.dumps(verdict))
    assert (type(other), str(other), vars(other)) == (type(verdict), str(verdict), vars(verdict))


def test_a_verdict_keeps_when_to_go_on():
    assert (Retry(after=3).after, Retry().after, Snooze(timedelta(1)).after) == (3, None, timedelta(1))
