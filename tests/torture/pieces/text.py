"""Text: taken apart and put together by C code that calls back into Python."""

import ast
import csv
import difflib
import io
import json
import re
import string
import textwrap
from datetime import UTC, datetime, timedelta

_SENTENCE = "the quick brown fox jumps over the lazy dog while nobody watches its green room door"
WORDS = _SENTENCE.split()


class Box:
    def __init__(self, content):
        self.content = content


def _packed(value):
    if isinstance(value, Box):
        return {"box": value.content}
    raise TypeError(value)


def _unpacked(found):
    return Box(found["box"]) if "box" in found else found


def json_with_hooks(here):
    rows = [
        {"id": n, "box": [Box(n), Box(Box(str(n)))], "text": "ä" * (n % 7), "x": n / 3, "none": None}
        for n in range(here.number, here.number + 25)
    ]
    plain = json.dumps(rows, default=_packed)
    pretty = json.dumps(json.loads(plain, object_hook=lambda found: found), indent=2, sort_keys=True)
    boxes = json.loads(pretty, object_hook=_unpacked)
    again = json.dumps(boxes, default=_packed, separators=(",", ":"))
    return len(pretty), again, json.loads(plain, parse_float=lambda text: text[:4], object_pairs_hook=list)[-1]


def json_with_a_shared_decoder(here):
    decoder, encoder = here.shared.decoder, here.shared.encoder
    found = []
    for n in range(12):
        text = encoder.encode([{"box": k, f"k{n}": {"box": [k, n]}} for k in range(here.number % 9 + 5)])
        found.append(encoder.encode(decoder.decode(text)))
    return found


def regular_expressions(here):
    text = " ".join(here.random.choices(WORDS, k=150))
    counted = []

    def count(match):
        counted.append(match.group(0))
        return f"{match.group(1).upper()}{len(counted)}"

    changed = re.sub(r"\b([aeiou]?\w)\w*o\w*", count, text)
    pattern = re.compile(rf"(?P<first>\w+) (?P<second>\w{{{here.number % 5 + 2}}})\b")
    pairs = [pattern.sub(lambda match: match["second"] + match["first"], line) for line in textwrap.wrap(changed, 60)]
    scanner = re.Scanner([(r"\d+", lambda _, found: int(found)), (r"\w+", lambda _, found: found), (r"\W", None)])
    return counted, pairs, scanner.scan(changed)


def tables(here):
    rows = [[n, f'say "{n}"', "two\nlines", n / 7, ""] for n in range(here.number, here.number + 30)]
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_NONNUMERIC).writerows(rows)

    def lines():
        yield from out.getvalue().splitlines(keepends=True)

    read = list(csv.reader(lines()))
    named = list(csv.DictReader(lines(), fieldnames=["a", "b", "c"], restkey="rest"))
    return read[-1], len(read), named[0], out.getvalue()


class Loud(string.Formatter):
    def format_field(self, value, spec):
        return super().format_field(value, spec).upper() if spec == "" else super().format_field(value, spec)


class Meters:
    def __init__(self, value):
        self.value = value

    def __format__(self, spec):
        return f"{self.value:{spec or '.1f'}} m"

    def __repr__(self):
        return f"Meters({self.value!r})"

    def __str__(self):
        return "".join(sorted(repr(self)))


def formatting(here):
    made = []
    for n in range(here.number, here.number + 40):
        far = Meters(n * 1.5)
        made.append(f"{far} {far!r:>20} {far:.3f} {n:08b} {n!s:^9} {n:,}")
        made.append("%s %r %5.2f %-6s|" % (far, far, n, n))  # noqa: UP031
        made.append("{0.value:>{width}} {1[0]}".format(far, [n], width=n % 9 + 1))
        made.append(Loud().format("{} {:>6} {x}", "quiet", n, x=far))
        made.append(string.Template("$a and ${b}").substitute(a=far, b=n))
    return made


def wrapping_and_comparing(here):
    words = here.random.choices(WORDS, k=60)
    before = textwrap.wrap(" ".join(words), 30)
    after = textwrap.wrap(" ".join(words[::2] + words[1::3]), 30)
    near = difflib.get_close_matches("fax", WORDS)
    diff = list(difflib.unified_diff(before, after, lineterm=""))
    return near, diff, textwrap.indent("\n".join(before), "> ", lambda line: "o" in line)


class Doubling(ast.NodeTransformer):
    def visit_Constant(self, node):
        return ast.Constant(node.value * 2)


def programs(here):
    source = "\n".join(f"def f{n}(a, b={n}):\n    return [a * b + {n} for a in range(a)]" for n in range(8))
    tree = ast.fix_missing_locations(Doubling().visit(ast.parse(source)))
    space = {"__name__": f"made_{here.number}"}
    exec(compile(tree, "<made>", "exec"), space)
    called = [space[f"f{n}"](here.number % 5 + 2) for n in range(8)]
    return called, [eval(f"({n} + x) ** 2", {"x": here.number}) for n in range(20)], ast.unparse(tree)


def dates(here):
    zone = here.shared.zone
    moment = datetime(2024, 3, 1, 12, tzinfo=zone) + timedelta(hours=here.number)
    steps = [moment + timedelta(hours=7 * n, minutes=n) for n in range(60)]
    texts = [step.strftime("%Y-%m-%d %H:%M %z") for step in steps]
    read = [datetime.strptime(text, "%Y-%m-%d %H:%M %z").astimezone(UTC).isoformat() for text in texts]
    return texts[::7], read[::7], [datetime.fromisoformat(step.isoformat()) == step for step in steps].count(True)


PIECES = (
    json_with_hooks,
    json_with_a_shared_decoder,
    regular_expressions,
    tables,
    formatting,
    wrapping_and_comparing,
    programs,
    dates,
)
