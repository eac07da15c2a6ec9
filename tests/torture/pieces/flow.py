"""Flow: what keeps its own place in the program, and must find it again after having been put aside."""

import asyncio
import contextlib
import contextvars
import importlib
import inspect
import selectors
import sys
import traceback
import typing

from gevent.monkey import get_original

_mine = contextvars.ContextVar("mine")


def _walk(tree):
    if isinstance(tree, list):
        for each in tree:
            yield from _walk(each)
    else:
        sent = yield tree
        if sent:
            yield sent


def _closing(log, limit):
    try:
        for n in range(limit):
            with contextlib.suppress(GeneratorExit if n < 0 else KeyError):
                yield n
    finally:
        log.append(sum(range(limit)))


def generators(here):
    tree = [[n, [n + 1, [n + 2] * 3]] for n in range(40)]
    walked, log = [], []
    walk = _walk(tree)
    for found in walk:
        walked.append(found)
        if found % 11 == 10:
            walked.append(walk.send(f"sent {found}"))
    for n in range(40):
        early = _closing(log, 60)
        for k in early:
            if k == n:
                break
        early.close()
    return walked, log, sum(n * k for n in range(30) for k in range(n) if (n + k) % 3)


@contextlib.contextmanager
def _noted(log, name):
    log.append(f"+{name}")
    try:
        for _ in range(10):
            pass
        yield name
    except LookupError as error:
        log.append(repr(error))
        raise RuntimeError(name) from error
    finally:
        log.append(f"-{name}")


class _Counted:
    depth = 0

    def __enter__(self):
        for _ in range(20):
            self.depth += 1
        return self

    def __exit__(self, *exc_info):
        for _ in range(20):
            self.depth -= 1
        return exc_info[0] is KeyError


def context_managers(here):
    log, counted = [], _Counted()
    for n in range(40):
        try:
            with contextlib.ExitStack() as stack:
                for k in range(n % 6):
                    stack.enter_context(_noted(log, f"{n}.{k}"))
                stack.callback(log.append, "called")
                with counted, counted:
                    if n % 3 == 0:
                        raise KeyError(n)
                if n % 4 == 0:
                    raise IndexError(n)
        except (RuntimeError, IndexError) as error:
            log.append(f"{error!r} from {error.__cause__!r}")
        else:
            log.append("fine")
    return log, counted.depth


def _raise_at(depth, log):
    try:
        if depth == 0:
            raise ValueError("at the bottom")
        _raise_at(depth - 1, log)
    except ValueError as error:
        _expect(error)
        for _ in range(5):
            log.append(depth)
            _expect(error)
        try:
            log.append({}[depth])
        except KeyError as inner:
            _expect(inner, context=error)
        _expect(error)
        raise ValueError(depth) from error
    finally:
        log.append(-depth)


def _expect(error, context=None):
    """This is the exception that is handled here, and nobody else's."""
    assert sys.exc_info()[1] is error
    for _ in range(3):
        assert sys.exc_info()[1] is error
    assert context is None or error.__context__ is context


def exceptions(here):
    chains, log = [], []
    for _ in range(4):
        try:
            _raise_at(here.number % 4 + 8, log)
        except ValueError as error:
            text = traceback.format_exc()
            assert text.count("Traceback") > 8
            length = 0
            link = error
            while link is not None:
                length, link = length + 1, link.__cause__
            chains.append((length, traceback.format_exception_only(error), text.count("_raise_at")))
        assert sys.exc_info() == (None, None, None)
    try:
        raise ExceptionGroup("two", [ValueError(1), TypeError(here.number)])
    except* TypeError as group:
        chains.append(repr(group.exceptions))
    except* ValueError as group:
        chains.append(repr(group.exceptions))
    return chains, log


def context_variables(here):
    tokens, seen = [], []
    for n in range(150):
        tokens.append(_mine.set((here.number, n)))
        for _ in range(5):
            assert _mine.get() == (here.number, n)
        if n % 10 == 9:
            inner = contextvars.copy_context()
            seen.append(inner.run(_set_within, n))
            assert _mine.get() == (here.number, n)
    for token in reversed(tokens):
        _mine.reset(token)
    return seen, _mine.get(None)


def _set_within(number):
    _mine.set(("within", number))
    for _ in range(50):
        assert _mine.get() == ("within", number)
    return _mine.get()


def _depth(number, kept):
    return 0 if number == 0 else 1 + _depth(number - 1, [kept])


def recursion(here):
    def ackermann(m, n):
        if m == 0:
            return n + 1
        return ackermann(m - 1, 1 if n == 0 else ackermann(m, n - 1))

    def endless(n):
        return endless(n + 1) + 1

    too_deep = 0
    for _ in range(2):
        with here.shared.without_collections():
            try:
                endless(0)
            except RecursionError:
                too_deep += 1
    return _depth(300 + here.number % 50, None), ackermann(2, here.number % 5 + 8), too_deep


async def _double(number):
    for _ in range(5):
        await asyncio.sleep(0)
        for _ in range(30):
            pass
    return number * 2


async def _all_doubled(count):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_double(number)) for number in range(count)]
    return [task.result() for task in tasks], await asyncio.gather(*(_double(n) for n in range(count)))


class _Selector(selectors.SelectSelector):
    """gevent's own lets others run in the middle of asyncio's loop: two at once cannot be had with that, pre-emption
    or not."""

    _select = staticmethod(get_original("select", "select"))


def _new_loop():
    return asyncio.SelectorEventLoop(_Selector())


def event_loops(here):
    """Each its own, and whoever comes next must not find one running."""
    found = []
    for _ in range(2):
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            found.append(runner.run(_all_doubled(here.number % 4 + 3)))
    return found


def modules(here):
    """Imported at once by everybody: some that nobody has imported yet, some made for this round."""
    found = []
    for name in here.shared.new_modules:
        module = importlib.import_module(name)
        found.append((name.partition("_in_round_")[0], module.total() if hasattr(module, "total") else "there"))
    return found


def signatures(here):
    def function(a: int, /, b: "str" = "x", *args: float, c: list[int] | None = None, **kwargs: typing.Any) -> bool:
        """Says so."""

    bound = []
    for n in range(25):
        call = inspect.signature(function).bind(n, *("yz"[: n % 3]), c=[n])
        call.apply_defaults()
        bound.append((call.args, call.kwargs))
    hints = typing.get_type_hints(function)
    named = typing.NamedTuple("Named", [("a", int), ("b", str)])  # noqa: UP014
    mro = [cls.__name__ for cls in inspect.getmro(typing.OrderedDict[int, str].__origin__)]
    return bound, sorted(map(str, hints.items())), named(1, "2"), mro, inspect.getdoc(function)


PIECES = (
    generators,
    context_managers,
    exceptions,
    context_variables,
    recursion,
    event_loops,
    modules,
    signatures,
)
