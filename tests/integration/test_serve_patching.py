"""The standard library is patched before it matters, although `import greenroom` comes before the patching."""

import json
import subprocess
import sys

import pytest
from apps.served import Served

pytestmark = pytest.mark.integration

# Prints what modules and classes still hold of what patch_all() replaces, when greenroom came first (or did not).
HOLDERS = """
import json, sys, warnings
warnings.simplefilter("error")  # gevent warns if ssl was imported before
{first}
from gevent import monkey
monkey.patch_all()
replaced = {{
    id(original)
    for module, attributes in monkey.saved.items()
    for name, original in attributes.items()
    if callable(original) and getattr(sys.modules.get(module), name, original) is not original
}}
holders = [
    f"{{module.__name__}}.{{name}}"
    for module in list(sys.modules.values())
    for name, value in list(vars(module).items())
    if id(value) in replaced
    or (isinstance(value, type) and any(id(base) in replaced for base in value.__mro__[1:]))
    or (isinstance(value, type) and any(id(held) in replaced for held in vars(value).values()))
]
print(json.dumps(holders))
"""


def holders(first):
    script = HOLDERS.format(first=first)
    return set(json.loads(subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE).stdout))


def test_nothing_that_greenroom_imports_holds_on_to_what_is_patched_later():
    # Only what _native hands out: the real thread primitives, on purpose, for native threads.
    native = {"start_new_thread", "allocate_lock", "get_ident", "RLock", "sleep", "socket"}
    late = holders("import greenroom") - holders("")
    assert {name for name in late if not name.startswith("greenroom.") or name.split(".")[-1] not in native} == set()


def test_the_console_script_is_patched_too(tmp_path):
    script = "from greenroom.__main__ import main; import threading, sys; sys.exit(threading.Lock.__module__)"
    run = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, stderr=subprocess.PIPE, check=False)
    assert run.stderr.decode().strip().startswith("gevent.")


def test_the_app_finds_everything_patched(tmp_path):
    server = Served(tmp_path)
    try:
        assert json.loads(server.get("/patched")[1]) == []
        assert server.get("/threads")[1] == "mine"
    finally:
        server.end()


def test_serving_warns_of_nothing(tmp_path):
    server = Served(tmp_path)
    try:
        assert "Warning" not in server.stderr
    finally:
        server.end()
