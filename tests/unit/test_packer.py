"""What would not come out of the store as it was is refused, in words that help."""

from __future__ import annotations

import sys
from collections import OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import Enum

import pytest

from greenroom.codec import Codec
from greenroom.errors import GreenroomError, InvalidOption, InvalidPayload

HERE = __name__


@dataclass(frozen=True)
class Box:
    content: object


CODEC = Codec()
CODEC.register(Box)


class User:
    def __repr__(self):
        return "<User 5>"


class Hidden(Enum):
    YES = 1


@dataclass
class Unknown:
    x: int = 0


class Text(str):
    __slots__ = ()


class Moment(datetime):
    pass


class Nowhere(tzinfo):
    def utcoffset(self, _):
        return timedelta(0)

    def __repr__(self):
        return "Nowhere()"


Pair = namedtuple("Pair", "a b")  # noqa: PYI024 - it is what people have
PLAIN_DATETIME = "datetime.datetime", "Pass a plain datetime.datetime"
REGISTER = "its class is not registered. Register it with room.register({})."
TOO_LONG = "it has over 4,300 digits, which Python will not read back. Pass hex(number)."
NO_KEY = (
    "its time zone is Nowhere(), which has no key to be found by again. "
    "Convert it with .astimezone() to UTC or to a zoneinfo.ZoneInfo."
)
PLAIN_DATA = "only plain data can be. Pass its id, or its plain values, and look the rest up in the task."
NOT_FINITE = "JSON has neither NaN nor infinity. Pass None or a str in its place."
SURROGATE = (
    "which UTF-8 cannot hold. Clean it with .encode(errors='replace').decode(), "
    "or pass os.fsencode(...) of a file's name."
)


def subclass_of(name, remedy):
    return f"it would come back as a plain {name}, of which its class is a subclass. {remedy}."


@pytest.mark.parametrize(
    ("value", "thing", "why"),
    [
        (User(), f"{HERE}.User <User 5>", PLAIN_DATA),
        (User, f"type <class '{HERE}.User'>", PLAIN_DATA),
        (1j, "complex 1j", PLAIN_DATA),
        (range(3), "range range(0, 3)", PLAIN_DATA),
        (Hidden.YES, f"{HERE}.Hidden <Hidden.YES: 1>", REGISTER.format("Hidden")),
        (Unknown(), f"{HERE}.Unknown Unknown(x=0)", REGISTER.format("Unknown")),
        (float("nan"), "float nan", NOT_FINITE),
        (float("-inf"), "float -inf", NOT_FINITE),
        (Decimal("NaN"), "decimal.Decimal Decimal('NaN')", NOT_FINITE),
        (Decimal("sNaN"), "decimal.Decimal Decimal('sNaN')", NOT_FINITE),
        (Decimal("Infinity"), "decimal.Decimal Decimal('Infinity')", NOT_FINITE),
        ("ab\ud800", r"str 'ab\ud800'", f"it has a lone surrogate at index 2, {SURROGATE}"),
        ("\udcff", r"str '\udcff'", f"it has a lone surrogate at index 0, {SURROGATE}"),
        ("\ud83d\ude00", r"str '\ud83d\ude00'", f"it has a lone surrogate at index 0, {SURROGATE}"),
        (10**4300, "int <its repr raises ValueError>", TOO_LONG),
        (-(10**4300), "int <its repr raises ValueError>", TOO_LONG),
        (bytearray(b"x"), "bytearray bytearray(b'x')", "it would come back as bytes. Pass bytes(...) of it."),
        (Text("hi"), f"{HERE}.Text 'hi'", subclass_of("str", "Pass str(...) of it")),
        (OrderedDict(a=1), "collections.OrderedDict", subclass_of("dict", "Pass dict(...) of it")),
        (defaultdict(int), "collections.defaultdict", subclass_of("dict", "Pass dict(...) of it")),
        (Pair(1, 2), f"{HERE}.Pair Pair(a=1, b=2)", subclass_of("tuple", "Pass tuple(...) of it")),
        (Moment(2030, 1, 2, tzinfo=UTC), f"{HERE}.Moment", subclass_of(*PLAIN_DATETIME)),
        (datetime(2030, 1, 2, tzinfo=Nowhere()), "datetime.datetime", NO_KEY),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_would_not_come_back_is_refused_in_so_many_words(value, thing, why):
    with pytest.raises(InvalidPayload) as caught:
        CODEC.encode_call(([{"when": value}],), {})
    message = str(caught.value)
    assert message.startswith(f"args[0][0]['when']: {thing}")
    assert message.endswith(f" cannot be stored: {why}")


def test_a_lambda_is_refused():
    with pytest.raises(
        InvalidPayload, match=r"^args\[0\]: function <function .*<lambda>.*cannot be stored: only plain"
    ):
        CODEC.encode_call((lambda: 0,), {})


@pytest.mark.parametrize(
    ("args", "kwargs", "path"),
    [
        ((1, User()), {}, "args[1]"),
        ((), {"user": User()}, "kwargs['user']"),
        ((), {"a b": [1, User()]}, "kwargs['a b'][1]"),
        (({"rows": [0, 0, 0, User()]},), {}, "args[0]['rows'][3]"),
        (((1, (User(),)),), {}, "args[0][1][0]"),
        (({User()},), {}, "args[0]{...}"),
        ((frozenset([(User(),)]),), {}, "args[0]{...}[0]"),
        (({7: User()},), {}, "args[0][7]"),
        (({User(): 7},), {}, "args[0][<User 5>]"),
        (({"$t": User()},), {}, "args[0]['$t']"),
        (({"ok": 1, Text("key"): 2},), {}, "args[0]['key']"),
        (({"k\udc80": 1},), {}, r"args[0]['k\udc80']"),
        ((), {"k\udc80": 1}, r"kwargs['k\udc80']"),
        ((), {"user": Box(Box([User()]))}, "kwargs['user'].content.content[0]"),
        (([[[{"x" * 90: User()}]]],), {}, f"args[0][0][0][0]['{'x' * 37}...{'x' * 38}']"),
    ],
    ids=str,
)
def test_a_refusal_names_the_path(args, kwargs, path):
    with pytest.raises(InvalidPayload) as caught:
        CODEC.encode_call(args, kwargs)
    assert str(caught.value).partition(": ")[0] == path


def test_a_refused_result_is_called_so():
    with pytest.raises(InvalidPayload, match=r"^result\['user'\]: .*User <User 5> cannot be stored"):
        CODEC.encode({"user": User()}, root="result")
    with pytest.raises(InvalidPayload, match=r"^value: .*User <User 5> cannot be stored"):
        CODEC.encode(User())


def test_a_refusal_is_an_error_of_ours_and_a_value_error():
    with pytest.raises(GreenroomError):
        CODEC.encode(User())
    with pytest.raises(ValueError, match="cannot be stored"):
        CODEC.encode(User())


class Shy:
    def __repr__(self):
        raise RuntimeError("no")


class Loud:
    def __repr__(self):
        return "line\nforged \x1b[2J \ud800" + "x" * 1000


class Proxy:
    @property
    def __class__(self):
        raise RuntimeError("outside of a request")

    def __repr__(self):
        return "<Proxy>"


@pytest.mark.parametrize(
    "make",
    [Shy, Loud, Proxy, lambda: ["x" * 1000, {1: Loud()}, Shy()], lambda: {Shy(): 1}],
    ids=["raises", "many lines", "a proxy", "in a list", "a key"],
)
def test_no_repr_can_break_or_flood_the_message(make):
    with pytest.raises(InvalidPayload) as caught:
        CODEC.encode_call((make(),), {})
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 400


def nested(depth, wrap):
    value = 1
    for _ in range(depth):
        value = wrap(value)
    return value


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: [inner],
        lambda inner: (inner,),
        lambda inner: frozenset([inner]),
        lambda inner: {"k": inner},
        lambda inner: {1: inner},
        Box,
    ],
    ids=["list", "tuple", "frozenset", "dict", "dict of int", "dataclass"],
)
def test_a_hundred_containers_deep_is_taken_and_one_more_is_refused(wrap):
    deepest = nested(100, wrap)
    assert CODEC.decode(CODEC.encode(deepest)) == deepest
    CODEC.encode_call((deepest,), {"k": deepest})
    why = r"cannot be stored: it is over 100 deep, or holds itself\. Pass it flat, or pass its id\.$"
    with pytest.raises(InvalidPayload, match=why):
        CODEC.encode(nested(101, wrap))
    with pytest.raises(InvalidPayload, match=why):
        CODEC.encode_call((), {"k": nested(101, wrap)})


def test_what_holds_itself_is_refused_with_a_path_of_bounded_length():
    row = {}
    row["children"] = [row]
    box = Box([])
    box.content.append(box)
    for value in (row, box):
        with pytest.raises(InvalidPayload, match="holds itself") as caught:
            CODEC.encode_call((value,), {})
        assert len(str(caught.value)) < 450


def test_a_payload_over_the_limit_is_refused_with_its_size_and_the_limit():
    with pytest.raises(InvalidPayload) as caught:
        Codec(max_payload=1_000).encode("é" * 600, root="result")
    assert str(caught.value) == (
        "result cannot be stored: the text takes 1,202 bytes, and max_payload is 1,000. "
        "Keep the data elsewhere, in a file or a table, and pass its key, or raise max_payload."
    )


@pytest.mark.parametrize(
    ("value", "thing", "least"),
    [
        (["x" * 5_000], "list ['xxx", "5,003"),
        ({"k": "x" * 5_000}, "dict {'k': 'xxx", "5,003"),
        ([0] * 5_000, "list [0, 0, 0", "5,002"),
        (b"x" * 5_000, "bytes b'xxx", "5,001"),
    ],
    ids=["list", "dict", "many", "bytes"],
)
def test_a_payload_far_over_the_limit_is_refused_before_it_is_written(value, thing, least):
    with pytest.raises(InvalidPayload) as caught:
        Codec(max_payload=1_000).encode_call((), {"rows": [1, value]})
    message = str(caught.value)
    assert message.startswith(f"kwargs['rows'][1]: {thing}")
    assert f" cannot be stored: the text takes over {least} bytes, and max_payload is 1,000. Keep" in message


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: [inner] * 10,
        lambda inner: (inner,) * 10,
        lambda inner: dict.fromkeys("abcdefghij", inner),
        lambda inner: dict.fromkeys(range(10), inner),
    ],
    ids=["list", "tuple", "dict", "dict of int"],
)
@pytest.mark.parametrize("leaf", ["", b"x" * 10_000, "x" * 10_000])
def test_a_few_values_that_hold_each_other_many_times_are_not_written_out(wrap, leaf):
    with pytest.raises(InvalidPayload, match="the text takes over "):
        Codec(max_payload=10_000).encode(nested(5, lambda inner: wrap(inner if inner != 1 else leaf)))


@pytest.mark.parametrize("max_payload", [0, -1])
def test_a_limit_that_leaves_no_room_is_refused(max_payload):
    with pytest.raises(
        InvalidOption, match=f"^max_payload={max_payload} leaves no room: use a number of bytes above 0"
    ):
        Codec(max_payload=max_payload)


@pytest.fixture
def digits():
    before = sys.get_int_max_str_digits()
    yield sys.set_int_max_str_digits
    sys.set_int_max_str_digits(before)


def test_an_int_is_limited_alike_wherever_it_is_written(digits):
    digits(0)
    with pytest.raises(InvalidPayload, match="it has over 4,300 digits"):
        CODEC.encode([10**4300])
    digits(640)
    with pytest.raises(InvalidPayload, match=r"^result cannot be stored: Exceeds the limit \(640 digits\)"):
        CODEC.encode([10**4000], root="result")
