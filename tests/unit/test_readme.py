"""What the README shows is what there is."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
FENCE = re.compile(r"```python\n(.*?)```", re.DOTALL)
BLOCKS = FENCE.findall(README)
BLOCKS_OF_DOCS = [block for page in sorted((ROOT / "docs").glob("*.md")) for block in FENCE.findall(page.read_text())]


def test_its_contact_form_is_the_one_that_the_tests_run():
    assert (ROOT / "examples" / "contact" / "app.py").read_text() in BLOCKS


@pytest.mark.parametrize("block", [*BLOCKS, *BLOCKS_OF_DOCS])
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
