"""What the README shows is what there is."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_its_contact_form_is_the_one_that_the_tests_run():
    assert (ROOT / "examples" / "contact" / "app.py").read_text() in BLOCKS


@pytest.mark.parametrize("block", BLOCKS)
def test_its_python_is_python(block):
    compile(block, "README.md", "exec")


def test_its_declarations_are_accepted():
    (declarations,) = [block for block in BLOCKS if "What a task can say" not in block and "@room.task(max" in block]
    names = {"__name__": "readme", "__file__": str(ROOT / "readme.py")}
    exec(compile(declarations, "README.md", "exec"), names)
    assert len(names["room"].tasks) == 4


@pytest.mark.parametrize("target", ["demo", "test"])
def test_its_two_commands_are_targets(target):
    assert f"make {target} " in README
    assert f"\n{target}: " in (ROOT / "Makefile").read_text()
