"""What may be declared: each refusal names the thing, the reason and the remedy."""

import functools
import inspect
from datetime import UTC, datetime, timedelta
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom import _check
from greenroom.backoff import exponential
from greenroom.errors import InvalidArguments, InvalidOption, InvalidTask

CENTURY = timedelta(days=36_500)


def plain(a, b=2):
    return a + b


async def coroutine():
    pass


def generator():
    yield


async def async_generator():
    yield


def takes(context, a):
    return a


def takes_any(*context):
    return context


def takes_named(*, context):
    return context


def local():
    def inner():
        pass

    return inner


class Callable:
    def __call__(self):
        pass

    def method(self):
        pass


nameless = lambda: None  # noqa: E731
nameless.__module__ = "app"


@pytest.mark.parametrize(
    ("func", "reason", "remedy"),
    [
        (nameless, "app.<lambda> cannot be a task: a lambda has no name", "Make it a module-level def."),
        (local(), r"\.inner cannot be a task: it is local to a function", "Move it to module level."),
        (coroutine, r"\.coroutine cannot be a task: calling it only makes a coroutine", "Use a plain def"),
        (generator, r"\.generator cannot be a task: .* runs nothing", "Use a plain def"),
        (async_generator, r"\.async_generator cannot be a task: .* runs nothing", "Use a plain def"),
        (len, r"len> cannot be a task: it is a builtin_function_or_method", "Write a module-level def"),
        (Callable, r"Callable'> cannot be a task: it is a type", "Write a module-level def"),
        (Callable(), r"cannot be a task: it is a Callable, not a function", "Write a module-level def"),
        (Callable().method, "cannot be a task: it is a method", "Write a module-level def"),
        (functools.partial(plain, 1), "cannot be a task: it is a partial", "Write a module-level def"),
        ("plain", "'plain' cannot be a task: it is a str", "Write a module-level def"),
        (None, "None cannot be a task: it is a NoneType", "Write a module-level def"),
    ],
)
def test_what_cannot_be_found_again_or_would_do_nothing_is_no_task(func, reason, remedy):
    with pytest.raises(InvalidTask, match=f"{reason}.*{remedy}"):
        _check.function(func, takes_context=False)


def test_a_function_of_a_module_or_of_a_class_in_one_can_be_a_task():
    _check.function(plain, takes_context=False)
    _check.function(Callable.method, takes_context=False)
    _check.function(takes, takes_context=True)


@pytest.mark.parametrize("func", [plain, takes_any, takes_named, local])
def test_a_task_that_takes_context_has_a_place_for_it(func):
    with pytest.raises(InvalidTask, match="takes_context, so its first parameter must be called `context`"):
        _check.function(func, takes_context=True)


def positional_only(a, /, b):
    pass


def keyword_only(a, *, b, c=5):
    pass


def variable(a, *rest, b=1, **more):
    pass


def hard_names(self, args, kwargs, room, task, *, lambda_=None, accept=3):
    pass


def annotated(a: "no such name", b: list = [], *, c: int = print) -> None:  # noqa: B006, F722
    pass


NAMES = st.sampled_from(["a", "b", "c", "self", "args", "kwargs", "room", "task", "accept", "x"])


@given(
    st.sampled_from([plain, positional_only, keyword_only, variable, hard_names, annotated, coroutine]),
    st.lists(st.integers(), max_size=6),
    st.dictionaries(NAMES, st.integers(), max_size=6),
)
def test_arguments_fit_exactly_when_the_function_could_be_called_with_them(func, args, kwargs):
    accept = _check.arguments(func, "app.it", takes_context=False)
    try:
        inspect.signature(func).bind(*args, **kwargs)
    except TypeError:
        with pytest.raises(InvalidArguments, match=r"^task app\.it\(\) .* Enqueue it with the arguments that"):
            _check.fit(accept, tuple(args), kwargs)
    else:
        _check.fit(accept, tuple(args), kwargs)


def test_the_context_is_no_argument_of_the_caller():
    accept = _check.arguments(takes, "app.takes", takes_context=True)
    _check.fit(accept, (1,), {})
    with pytest.raises(InvalidArguments, match="missing 1 required positional argument: 'a'"):
        _check.fit(accept, (), {})
    with pytest.raises(InvalidArguments, match="takes 1 positional argument but 2 were given"):
        _check.fit(accept, (1, 2), {})


def test_the_signature_of_a_wrapped_function_is_the_inner_one():
    @functools.wraps(plain)
    def wrapper(*args, **kwargs):
        return plain(*args, **kwargs)

    accept = _check.arguments(wrapper, "app.wrapper", takes_context=False)
    with pytest.raises(InvalidArguments, match="missing"):
        _check.fit(accept, (), {})


@pytest.mark.parametrize("value", ["", "x" * 201, "two\nlines", "\0", "\ud800", None, 5, b"mail"])
def test_a_name_is_short_and_printable(value):
    with pytest.raises(
        InvalidOption, match=r"^queue_name=.* is not a name: use 1 to 200 printable.*queue_name='mail'"
    ):
        _check.name("queue_name", value)


@pytest.mark.parametrize("value", ["x", "x" * 200, "app.views.send", "postit für später", "日本"])
def test_a_name_may_be_of_any_language(value):
    _check.name("queue_name", value)


@pytest.mark.parametrize("value", [-101, 101, 0.5, 1.0, True, None, "5", nan, 10**30])
def test_a_whole_number_is_whole_and_in_range(value):
    with pytest.raises(InvalidOption, match=r"^priority=.* is out of range: use a whole number from -100 to 100\.$"):
        _check.whole("priority", value, -100, 100)


@pytest.mark.parametrize("value", [-100, 0, 100])
def test_a_whole_number_may_be_either_end_of_its_range(value):
    _check.whole("priority", value, -100, 100)


@pytest.mark.parametrize("value", [0, 1, None, "yes"])
def test_a_flag_is_true_or_false(value):
    with pytest.raises(InvalidOption, match=r"^durable=.* is neither True nor False"):
        _check.flag("durable", value)


@pytest.mark.parametrize("value", [timedelta(), timedelta(seconds=-1), CENTURY, timedelta.max])
def test_a_span_is_more_than_nothing_and_less_than_a_century(value):
    with pytest.raises(
        InvalidOption, match=r"^retention=.* is out of range: use more than nothing and less than 100"
    ):
        _check.span("retention", value)


@pytest.mark.parametrize("value", [30, 1.5, "1h", None])
def test_a_span_is_a_timedelta(value):
    with pytest.raises(InvalidOption, match=r"is not a timedelta: write every=timedelta\(seconds=30\)"):
        _check.span("every", value)


@pytest.mark.parametrize(("kind", "remedy"), [("retention", "days=7"), ("misfire_grace_time", "hours=1")])
def test_the_timedelta_that_a_refusal_shows_suits_the_option(kind, remedy):
    with pytest.raises(InvalidOption, match=rf"is not a timedelta: write {kind}=timedelta\({remedy}\)\.$"):
        _check.span(kind, "x")


def test_a_naive_datetime_is_refused_with_the_remedy():
    naive = datetime(2030, 1, 1)  # noqa: DTZ001
    with pytest.raises(
        InvalidOption,
        match=r"^run_after=datetime.* is naive.* Give it one: datetime.now\(UTC\) or value.replace\(tzinfo=ZoneInfo",
    ):
        _check.when("run_after", naive)


@pytest.mark.parametrize("value", [-1, -0.001, nan, inf, -inf, 10**10, 10**400])
def test_a_delay_in_seconds_is_in_range(value):
    with pytest.raises(InvalidOption, match=r"^run_after=.* is out of range: use 0 or more seconds, less than 100"):
        _check.when("run_after", value)


@pytest.mark.parametrize("value", [timedelta(microseconds=-1), timedelta.min, CENTURY])
def test_a_delay_is_in_range(value):
    with pytest.raises(InvalidOption, match=r"^run_after=.* is out of range: a delay is not negative, nor over 100"):
        _check.when("run_after", value)


@pytest.mark.parametrize("value", [True, "tomorrow", "2030-01-01", [5], datetime(2030, 1, 1).date()])  # noqa: DTZ001
def test_what_is_no_time_at_all_is_refused(value):
    with pytest.raises(InvalidOption, match=r"^run_after=.* is not a moment: use an aware datetime, a timedelta or"):
        _check.when("run_after", value)


@pytest.mark.parametrize("value", [0, 0.0, 3, 1.5, timedelta(), timedelta(days=1), datetime(2030, 1, 1, tzinfo=UTC)])
def test_a_moment_is_given_in_one_of_three_ways(value):
    _check.when("run_after", value)


@pytest.mark.parametrize("value", [None, 5, exponential, "exponential"])
def test_a_backoff_is_made_by_its_functions(value):
    with pytest.raises(
        InvalidOption, match=r"^backoff=.* is not a backoff: use constant\(\), linear\(\) or exponent"
    ):
        _check.backoff(value)


@pytest.mark.parametrize("value", [OSError, [OSError], (OSError, "ValueError"), (OSError(),), (int,), None])
def test_exceptions_are_a_tuple_of_classes(value):
    with pytest.raises(
        InvalidOption, match=r"^retry_on=.* is not a tuple of exception classes, such as retry_on=\(OSE"
    ):
        _check.exceptions("retry_on", value)


@pytest.mark.parametrize("value", [0, -1, nan, inf, 10**12])
def test_a_timeout_in_seconds_is_in_range(value):
    with pytest.raises(InvalidOption, match=r"^timeout=.* is out of range: use more than 0 seconds, or None"):
        _check.length("timeout", value)


@pytest.mark.parametrize("value", ["5", True, [5], nan, timedelta(seconds=5)])
def test_who_waits_does_so_for_seconds_or_for_ever(value):
    with pytest.raises(
        InvalidOption, match=r"^timeout=.* is not a number of seconds: use one, such as timeout=5, or None to wait"
    ):
        _check.patience("timeout", value)
    with pytest.raises(InvalidOption, match=r"^drain=.* is not a number of seconds, 0 or more: use one, such as"):
        _check.drain(value)


@pytest.mark.parametrize("value", [None, -1, -0.001, -inf])
def test_whoever_waits_may_do_so_for_ever_or_only_look_but_a_drain_is_told_its_seconds(value):
    _check.patience("timeout", value)
    with pytest.raises(InvalidOption, match=r"^drain="):
        _check.drain(value)


@pytest.mark.parametrize("value", [0, 0.5, 30, inf])
def test_a_number_of_seconds_is_one(value):
    _check.patience("timeout", value)
    _check.drain(value)


@pytest.mark.parametrize("value", ["5", True, [5]])
def test_a_timeout_is_a_length_of_time(value):
    with pytest.raises(InvalidOption, match=r"^timeout=.* is not a timedelta"):
        _check.length("timeout", value)


@pytest.mark.parametrize(
    ("value", "length"), [(None, None), (5, timedelta(seconds=5)), (timedelta(minutes=1), timedelta(minutes=1))]
)
def test_a_timeout_may_be_seconds_or_none(value, length):
    assert _check.length("timeout", value) == length
