"""What the pieces share with each other in one run, and what must be true of it in the end."""

import gc
import json
import logging
import queue
import re
import sys
from contextlib import contextmanager
from io import StringIO
from zoneinfo import ZoneInfo

import jinja2
from pieces.files import RECORD
from pieces.libraries import TEMPLATE, make_app
from pieces.text import _packed, _unpacked
from pieces.together import Account, Costly

# Of the standard library, written in Python, and unlikely to have been imported yet: forgotten before each round.
SELDOM = ("colorsys", "pyclbr", "stringprep", "tabnanny", "rlcompleter", "sched", "trace", "zipapp")

_WHOLE_LINE = re.compile(
    r"(INFO piece\d+ says \d+: x{40}|WARNING piece\d+ went wrong|Traceback \(most recent call last\):|  File .*|"
    r"    raise LookupError\(n\)|LookupError: \d+)"
)


class Shared:
    """`folder` is where everything goes."""

    def __init__(self, folder):
        self.folder = folder
        self.decoder = json.JSONDecoder(object_hook=_unpacked)
        self.encoder = json.JSONEncoder(default=_packed)
        self.account = Account()
        self.queue = queue.Queue()
        self.zone = ZoneInfo("Europe/Berlin")
        self.apps = [make_app(f"app{n}") for n in range(2)]
        self.template = self._template()
        self._memory = StringIO()
        self._log_file = folder / "lines.log"
        self.logger = self._logger()
        self.file = (folder / "records").open("wb", buffering=50_000)
        self._round = self._without = 0
        (folder / "modules").mkdir()
        sys.path.insert(0, str(folder / "modules"))
        self.new_round()

    def new_round(self):
        """Everything to be imported anew, and computed anew."""
        self._round += 1
        self.file.seek(0)
        self.file.truncate()
        self.costly = [Costly(n) for n in range(20)]
        first, second, package = (f"{name}_in_round_{self._round}" for name in ("first", "second", "package"))
        folder = self.folder / "modules"
        (folder / package).mkdir()
        body = "numbers = [n * n for n in range(2000)]\n\n\ndef total():\n    return sum(numbers)\n"
        (folder / f"{first}.py").write_text(f"from {package} import deep\n\n{body}")
        (folder / f"{second}.py").write_text(f"import {first}\nfrom {package}.deep import total\n")
        (folder / package / "__init__.py").write_text(f"from {package}.deep import total\n")
        (folder / package / "deep.py").write_text(f"import {package}\n\n{body}")
        for name in SELDOM:
            sys.modules.pop(name, None)
        found = [name for name in SELDOM if name in sys.stdlib_module_names]
        self.new_modules = [second, *found, package, first]

    @contextmanager
    def without_collections(self):
        """None in what is done meanwhile: at the bottom of a recursion the finalizers of others would fail."""
        self._without += 1
        gc.disable()
        try:
            yield
        finally:
            self._without -= 1
            if not self._without:
                gc.enable()

    def faults(self):
        """What is wrong with what is shared, in words."""
        told = {"memory": self._memory.getvalue(), "file": self._log_file.read_text()}
        for place, text in told.items():
            for line in text.splitlines():
                if not _WHOLE_LINE.fullmatch(line):
                    yield f"a torn line in the log in {place}: {line!r}"
        if sorted(told["memory"].splitlines()) != sorted(told["file"].splitlines()):
            yield "the two handlers have not written the same lines"
        if self.account.balance or self.account.within:
            yield f"the account is not even: {vars(self.account)}"
        self.file.flush()
        for record in (self.folder / "records").read_bytes().splitlines(keepends=True):
            if len(record) != len(RECORD % (0, 0)):
                yield f"a torn record: {record[:40]!r}..."
        if not self.queue.empty():
            yield f"{self.queue.qsize()} things are left in the queue"

    def close(self):
        self.file.close()
        sys.path.remove(str(self.folder / "modules"))
        for handler in list(self.logger.handlers):
            self.logger.removeHandler(handler)
            handler.close()

    def _logger(self):
        logger = logging.Logger("torture", logging.INFO)  # noqa: LOG001  (of this run alone)
        for handler in (logging.StreamHandler(self._memory), logging.FileHandler(self._log_file)):
            handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
            logger.addHandler(handler)
        return logger

    def _template(self):
        environment = jinja2.Environment(loader=jinja2.DictLoader({"other": "{{ name|e }}"}), autoescape=True)
        environment.filters["double"] = lambda n: n * 2
        environment.tests["odd"] = lambda n: n % 2 == 1
        environment.globals["cycle"] = type("Next", (), {"next": staticmethod(lambda: "-")})
        source = TEMPLATE.replace('{%- for group in rows|groupby("kind") %}', "{%- for group in [] %}")
        return environment.from_string(source)
