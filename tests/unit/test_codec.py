"""What goes into the store comes out as it was, type and all."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import InitVar, dataclass, field, fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import greenroom.codec
from greenroom.codec import Codec
from greenroom.errors import InvalidPayload

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2030, 1, 2, 12, 30, 15, 123456)  # noqa: DTZ001 - naive ones come back too
FALL_BACK = datetime(2030, 10, 27, 2, 30)  # noqa: DTZ001
ID = UUID("12345678-1234-5678-1234-567812345678")


class Colour(Enum):
    RED = "#f00"
    CRIMSON = RED
    GREEN = ("not", "JSON")


class Size(IntEnum):
    SMALL = 1


class Tone(StrEnum):
    KIND = "kind"


class Right(Flag):
    READ = 1
    WRITE = 2


class Mode(IntFlag):
    FAST = 1
    LOUD = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    x: object
    y: object = 0


@dataclass
class Order:
    lines: list
    note: str = ""
    total: int = field(init=False)

    def __post_init__(self):
        self.total = len(self.lines)


REGISTERED = Colour, Size, Tone, Right, Mode, Point, Order


def a_codec(**options):
    codec = Codec(**options)
    for cls in REGISTERED:
        codec.register(cls)
    return codec


CODEC = a_codec()


def there_and_back(value, codec=CODEC):
    return codec.decode(codec.encode(value))


def essence(value):
    """All that must come back, comparable: == alone takes 1 for True, and 0.0 for -0.0."""
    kind = type(value)
    if kind in (list, tuple):
        return kind, tuple(essence(item) for item in value)
    if kind in (set, frozenset):
        return kind, frozenset(essence(item) for item in value)
    if kind is dict:
        return kind, tuple((essence(key), essence(item)) for key, item in value.items())
    if kind is float:
        return kind, value.hex()
    if kind is Decimal:
        return kind, value.as_tuple()
    if kind in (datetime, time):
        zone = value.tzinfo
        fixed = type(zone) is timezone and (zone.utcoffset(None), zone.tzname(None))
        return kind, value.replace(tzinfo=None, fold=0), value.fold, fixed or zone
    if is_dataclass(kind):
        return kind, tuple(essence(getattr(value, each.name)) for each in fields(kind))
    return kind, value


# --- every value that is taken, at any depth ---

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
FIXED = st.timedeltas(timedelta(hours=-23), timedelta(hours=23))
ZONES = st.one_of(
    st.none(),
    st.just(UTC),
    st.builds(timezone, FIXED),
    st.builds(timezone, FIXED, TEXT),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]).map(ZoneInfo),
)
FOLDS = st.sampled_from([0, 1])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**200), 2**200),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXT,
    st.binary(),
    st.builds(lambda when, fold: when.replace(fold=fold), st.datetimes(timezones=ZONES), FOLDS),
    st.builds(lambda when, fold: when.replace(fold=fold), st.times(timezones=ZONES), FOLDS),
    st.dates(),
    st.timedeltas(),
    st.uuids(),
    st.decimals(allow_nan=False, allow_infinity=False),
    *(st.sampled_from(cls) for cls in (Colour, Size, Tone)),
    st.integers(0, 3).map(Right),
    st.integers(0, 3).map(Mode),
)
HASHABLE = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner).map(tuple),
        st.frozensets(inner),
        st.builds(lambda x, y: Point(x=x, y=y), inner, inner),
    ),
    max_leaves=5,
)
KEYS = st.one_of(TEXT, st.sampled_from(["$t", "v"]), HASHABLE)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        HASHABLE,
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.sets(HASHABLE),
        st.dictionaries(TEXT, inner),
        st.dictionaries(KEYS, inner),
        st.builds(Order, st.lists(inner), TEXT),
    ),
    max_leaves=10,
)
many = settings(max_examples=100)


@many
@given(VALUES)
def test_a_value_comes_back_as_it_was_and_encoding_leaves_it_alone(value):
    before = essence(value)
    came_back = there_and_back(value)
    assert essence(came_back) == before
    assert essence(value) == before


@many
@given(st.lists(VALUES, max_size=3).map(tuple), st.dictionaries(TEXT | st.just("$t"), VALUES, max_size=3))
def test_the_arguments_of_a_call_come_back_as_they_were(args, kwargs):
    came_back = CODEC.decode_call(CODEC.encode_call(args, kwargs))
    assert essence(came_back) == essence((args, kwargs))


@many
@given(VALUES)
def test_the_text_is_utf_8_without_nul_and_fits_to_the_byte(value):
    text = CODEC.encode(value)
    size = len(text.encode())
    assert "\0" not in text
    assert a_codec(max_payload=size).encode(value) == text
    if size > 1:
        with pytest.raises(InvalidPayload, match=f"max_payload is {size - 1:,}\\."):
            a_codec(max_payload=size - 1).encode(value)


# --- values that others have lost ---


@pytest.mark.parametrize(
    "value",
    [
        True,
        1,
        1.0,
        -0.0,
        5e-324,
        10**4300 - 1,
        Decimal("1.10"),
        Decimal("-0E+5"),
        timedelta.min,
        timedelta.max,
        timedelta(microseconds=-1),
        date.min,
        NOON,
        NOON.replace(9999, 12, 31),
        NOON.replace(1, 1, 1),
        NOON.replace(tzinfo=UTC),
        NOON.replace(tzinfo=timezone(timedelta(hours=5, minutes=30))),
        NOON.replace(tzinfo=timezone(timedelta(seconds=-1, microseconds=-1))),
        NOON.replace(tzinfo=timezone(timedelta(microseconds=1))),
        NOON.replace(tzinfo=timezone(timedelta(hours=1), "CET")),
        NOON.replace(tzinfo=BERLIN),
        FALL_BACK.replace(fold=1),
        FALL_BACK.replace(fold=1, tzinfo=BERLIN),
        FALL_BACK.replace(fold=0, tzinfo=BERLIN),
        time(2, 30, tzinfo=BERLIN, fold=1),
        time(2, 30, tzinfo=timezone(timedelta(hours=-3))),
        b"",
        bytes(range(256)),
        (),
        ((), [()], {"a": ()}),
        set(),
        {frozenset({1, (2, 3)})},
        {1: "int", None: "None", (1, 2): "tuple", 2.5: "float", "s": "str", False: "bool"},
        {"$t": "uuid", "v": str(ID)},
        {"$t": {"$t": {}}},
        ['"$t"', "$t"],
        {ID: {ID: ID}},
        Colour.CRIMSON,
        Colour.GREEN,
        {Tone.KIND: Size.SMALL},
        Right.READ | Right.WRITE,
        Right(0),
        Mode.FAST | Mode.LOUD,
        Point(x=Point(x=(1,), y={2}), y=b"3"),
        Order([Point(x=1)], "thanks"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_value_that_is_easily_changed_is_not(value):
    assert essence(there_and_back(value)) == essence(value)


def test_a_zone_comes_back_as_the_same_zone():
    assert there_and_back(NOON.replace(tzinfo=BERLIN)).tzinfo is BERLIN


def test_the_order_of_a_dict_is_kept():
    assert list(there_and_back({"b": 1, "a": 2, "c": 3})) == ["b", "a", "c"]


def test_plain_values_are_plain_json():
    text = CODEC.encode_call(("Ada", 1, None), {"tags": ["é", 2.5]})
    assert text == '[["Ada",1,null],{"tags":["é",2.5]}]'


def test_the_text_is_the_same_where_json_is_not_written_in_c(monkeypatch):
    monkeypatch.setattr(greenroom.codec, "c_make_encoder", None)
    assert greenroom.codec._json_writer()(["é\0", 1.5, {"a": None}]) == '["é\\u0000",1.5,{"a":null}]'


def test_tags_can_be_read_by_people():
    assert CODEC.encode(NOON.replace(tzinfo=UTC)) == '{"$t":"datetime","v":"2030-01-02T12:30:15.123456+00:00"}'
    assert CODEC.encode(Colour.RED) == f'{{"$t":"{__name__}.Colour","v":"RED"}}'
    assert CODEC.encode(Point(x=(1,))) == f'{{"$t":"{__name__}.Point","v":{{"x":{{"$t":"tuple","v":[1]}},"y":0}}}}'
    assert CODEC.encode({1: 2}) == '{"$t":"dict","v":[[1,2]]}'


# --- strings that have broken others ---

NAUGHTY = [
    "",
    "\0",
    "a\0b",
    "\x1b[2J\x07\x7f\x80\x9f",
    "\r\n\t\v\f\x1c\x85\u2028\u2029",
    '"\\/\b',
    "\\u0000",
    "\\ud800",
    "null",
    "NaN",
    "1e999",
    "$t",
    '{"$t":"uuid","v":"x"}',
    "Ωéñ",
    "e\u0301 \u00e9",
    "\u202etxt.exe",
    "\ufeffBOM\ufffe\uffff",
    "😀👩\u200d🚀🇺🇳",
    "\U0010ffff",
    "田中さんにあげて下さい",
    "הָיְתָה الكل",
    "'; DROP TABLE job; --",
    "<script>alert(1)</script>",
    "{{7*7}} ${7*7} %s %n {0}",
    "x" * 10_000,
]
CASES = Path(os.environ.get("GREENROOM_CASES") or Path(__file__).parents[2] / "../shared/cases")


def check_everywhere(text):
    value = {text: [text, (text, {text})], 1: {text: text}}
    assert essence(there_and_back(value)) == essence(value)
    assert CODEC.decode_call(CODEC.encode_call((text,), {text: text})) == ((text,), {text: text})


@pytest.mark.parametrize("text", NAUGHTY, ids=ascii)
def test_a_naughty_string_survives_as_a_value_and_as_a_key(text):
    check_everywhere(text)


def test_the_shared_table_of_naughty_strings_survives():
    table = CASES / "strings_naughty.json"
    if not table.exists():
        pytest.skip("the table is not here")
    tables = json.loads(table.read_text(encoding="utf-8"))
    for text in [text for rows in tables.values() if isinstance(rows, list) for text in rows]:
        if any("\ud800" <= character <= "\udfff" for character in text):
            with pytest.raises(InvalidPayload, match="lone surrogate"):
                CODEC.encode(text)
        else:
            check_everywhere(text)


# --- classes are registered by name ---


class User:
    pass


@dataclass
class Unknown:
    x: int = 0


HERE = __name__


def test_register_is_a_decorator_and_may_come_twice():
    codec = Codec()

    @codec.register
    @dataclass
    class Local:
        x: int

    assert codec.register(Local) is Local
    assert there_and_back(Local(1), codec) == Local(1)


def test_a_class_that_moved_is_found_under_the_name_it_had():
    codec = Codec()
    codec.register(Unknown, name=f"{HERE}.Point")
    text = CODEC.encode(Point(x=5)).replace(',"y":0', "")
    assert codec.decode(text) == Unknown(5)
    assert codec.encode(Unknown(5)) == text
    assert codec.register(Unknown) is Unknown


def test_codecs_share_no_classes():
    with pytest.raises(InvalidPayload, match="not registered"):
        Codec().encode(Colour.RED)
    with pytest.raises(InvalidPayload, match="nothing is registered as"):
        Codec().decode(CODEC.encode(Colour.RED))


def test_a_subclass_of_a_registered_class_is_not_taken_for_it():
    class Point3(Point):
        pass

    with pytest.raises(InvalidPayload, match=r"Register it with room\.register\(.*Point3\)"):
        CODEC.encode(Point3(x=1))


@pytest.mark.parametrize("thing", [User, User(), str, "Point", Point(x=1), Colour.RED, len])
def test_only_enums_and_dataclasses_are_registered(thing):
    with pytest.raises(InvalidPayload) as caught:
        Codec().register(thing)
    assert str(caught.value).endswith(
        " cannot be registered: it is neither an Enum nor a dataclass. "
        "Register one of those; as a decorator, write register above @dataclass."
    )


@pytest.mark.parametrize("name", [f"{HERE}.Point", "uuid", "tuple", "line\nbreak", "\ud800"])
def test_a_name_has_one_class_and_can_be_printed(name):
    codec = a_codec()
    with pytest.raises(
        InvalidPayload, match=r"Unknown cannot be registered as .*Choose another with register\(cls, name="
    ):
        codec.register(Unknown, name=name)
    with pytest.raises(InvalidPayload, match=r"Register it with room\.register\(Unknown\)"):
        codec.encode(Unknown())


def test_two_classes_of_one_name_are_refused():
    def a_twin():
        @dataclass
        class Twin:
            x: int

        return Twin

    codec = Codec()
    codec.register(a_twin())
    with pytest.raises(InvalidPayload, match=r"Twin cannot be registered as .*Twin': a class has one printable name"):
        codec.register(a_twin())


def test_a_class_with_two_names_is_refused():
    with pytest.raises(InvalidPayload, match="Point cannot be registered as 'other': a class has one printable name"):
        a_codec().register(Point, name="other")


def test_a_dataclass_that_its_fields_cannot_rebuild_is_refused():
    @dataclass
    class Opened:
        x: int
        path: InitVar[str]

    @dataclass(init=False)
    class Own:
        x: int

        def __init__(self, other):
            self.x = other

    for cls in (Opened, Own):
        with pytest.raises(
            InvalidPayload,
            match=r"cannot be called with just its init fields .*Give what else it takes a default",
        ):
            Codec().register(cls)


def test_a_dataclass_that_is_also_a_list_is_refused():
    @dataclass
    class Basket(list):
        owner: str

    with pytest.raises(
        InvalidPayload, match=r"Basket cannot be registered: what it holds beside its fields would be lost"
    ):
        Codec().register(Basket)


def test_a_dataclass_that_lacks_a_field_is_refused():
    order = Order([1])
    del order.lines
    with pytest.raises(
        InvalidPayload, match=r"Order .* cannot be stored: it lacks a field .*Set all its fields first\.$"
    ):
        CODEC.encode(order)


def test_an_enum_member_that_its_class_does_not_list_is_refused():
    class Odd(Enum):
        KNOWN = 1

        @classmethod
        def _missing_(cls, value):
            member = object.__new__(cls)
            member._name_, member._value_ = f"UNKNOWN_{value}", value
            return member

    codec = Codec()
    codec.register(Odd)
    assert there_and_back(Odd.KNOWN, codec) is Odd.KNOWN
    with pytest.raises(InvalidPayload, match=r"it is not among its class's members\. Pass its value\.$"):
        codec.encode(Odd(7))


# --- text that cannot be read ---


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("garbage", "Expecting value"),
        ("[1,", "Expecting value"),
        ("[1] [2]", "its JSON ends at character 3, but not its text"),
        ('"\0"', "Invalid control character"),
        ("[NaN]", "NaN is not JSON"),
        ("-Infinity", "-Infinity is not JSON"),
        ('{"$t":"tuple","v":[NaN]}', "NaN is not JSON"),
        ("9" * 4301, "Exceeds the limit"),
        ("[" * 100_000, "recursion"),
        ('{"a":' * 100_000, "recursion"),
        ('{"$t":"tuple","v":[' * 50_000, "recursion"),
        ('{"$t":"uuid"}', r"\{'\$t': 'uuid'\} is not a tag and a value"),
        ('{"$t":"uuid","v":"x","w":1}', "is not a tag and a value"),
        ('{"$t":["uuid"],"v":"x"}', "is not a tag and a value"),
        ('{"$t":"app.User","v":{}}', r"nothing is registered as 'app\.User'\. Register the class that was"),
        ('{"$t":"uuid","v":5}', "'uuid' cannot be made of 5"),
        ('{"$t":"uuid","v":"x"}', "'uuid' cannot be made of 'x': ValueError"),
        ('{"$t":"bytes","v":"é"}', "'bytes' cannot be made of"),
        ('{"$t":"bytes","v":"a"}', "'bytes' cannot be made of"),
        ('{"$t":"bytes","v":"YQ=!="}', "'bytes' cannot be made of"),
        ('{"$t":"timedelta","v":1.5}', "'timedelta' cannot be made of 1.5"),
        ('{"$t":"tuple","v":"ab"}', "'tuple' cannot be made of 'ab'"),
        ('{"$t":"decimal","v":"x"}', "'decimal' cannot be made of 'x'"),
        ('{"$t":"timedelta","v":1' + "0" * 30 + "}", "'timedelta' cannot be made of"),
        ('{"$t":"datetime","v":["2030-01-01",0,"../../etc/passwd"]}', "'datetime' cannot be made of"),
        ('{"$t":"datetime","v":["2030-01-01",0]}', "'datetime' cannot be made of"),
        ('{"$t":"set","v":[[]]}', "'set' cannot be made of"),
        ('{"$t":"dict","v":[[[],1]]}', "'dict' cannot be made of"),
    ],
    ids=lambda text: text[:40],
)  # fmt: skip
def test_text_that_cannot_be_read_is_refused_with_the_reason(text, why):
    with pytest.raises(InvalidPayload, match=f"^Cannot read a payload: .*{why}"):
        CODEC.decode(text)


@pytest.mark.parametrize(
    "text", ["[]", "[1,2]", "[[],{},[]]", '{"a":1}', '[[],{"$t":"dict","v":[[1,2]]}]', "[{},[]]", '"ab"']
)
def test_text_that_is_not_a_call_is_refused(text):
    with pytest.raises(InvalidPayload, match=r"^Cannot read a call: its text is not a list of arguments and a dict"):
        CODEC.decode_call(text)


def test_a_class_that_no_longer_takes_what_was_stored_is_said_so():
    class Colour(Enum):
        BLUE = 1

    @dataclass
    class Point:
        z: int = 0

    codec = Codec()
    codec.register(Colour, name=f"{HERE}.Colour")
    codec.register(Point, name=f"{HERE}.Point")
    remedy = r"A class must go on taking what was stored: keep its names, give what is new a default\.$"
    with pytest.raises(InvalidPayload, match=rf"Colour' cannot be made of 'RED': KeyError\('RED'\)\. {remedy}"):
        codec.decode(CODEC.encode(Colour_RED))
    with pytest.raises(
        InvalidPayload, match=rf"Point' cannot be made of .*unexpected keyword argument 'x'.*{remedy}"
    ):
        codec.decode(CODEC.encode(Point_AT_1))


Colour_RED, Point_AT_1 = Colour.RED, Point(x=1)


def test_whatever_a_constructor_raises_is_a_refusal():
    class Strange(Exception):
        def __repr__(self):
            raise RuntimeError("no")

    @dataclass
    class Picky:
        x: int
        broken = False

        def __post_init__(self):
            if self.broken:
                raise Strange

    codec = Codec()
    codec.register(Picky)
    text = codec.encode(Picky(1))
    Picky.broken = True
    with pytest.raises(InvalidPayload, match="Picky' cannot be made of"):
        codec.decode(text)


def test_nothing_is_imported_because_text_names_it(tmp_path, monkeypatch):
    (tmp_path / "canary.py").write_text("class Bird: pass")
    monkeypatch.syspath_prepend(tmp_path)
    for tag in ("canary", "canary.Bird", "canary:Bird"):
        with pytest.raises(InvalidPayload, match="nothing is registered as"):
            CODEC.decode(json.dumps({"$t": tag, "v": {}}))
    assert "canary" not in sys.modules


TAGS = st.sampled_from(sorted(CODEC._builders)) | st.text(max_size=5) | st.none()
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["RED", "2030-01-01", "00"]),
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(st.text(max_size=3) | st.sampled_from(["x", "lines"]), inner),
        st.fixed_dictionaries({"$t": TAGS, "v": inner}),
        st.fixed_dictionaries({"$t": TAGS}, optional={"v": inner, "w": inner}),
    ),
    max_leaves=10,
)


def read_or_refuse(text):
    for read in (CODEC.decode, CODEC.decode_call):
        try:
            read(text)
        except InvalidPayload as refused:
            assert str(refused).isprintable()  # noqa: PT017 - it may as well be read


@many
@given(st.text() | ANY_JSON.map(json.dumps))
def test_any_text_is_read_or_refused(text):
    read_or_refuse(text)


@many
@given(VALUES, st.data())
def test_damaged_text_is_read_or_refused(value, data):
    text = CODEC.encode(value)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 10)))
    read_or_refuse(text[:start] + data.draw(st.text(max_size=3)) + text[end:])
