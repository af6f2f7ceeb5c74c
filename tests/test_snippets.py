"""Python on the pages uses no name that the page does not define."""

import ast
import builtins
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page):
    return [ast.parse(text) for text in BLOCK.findall(page.read_text(encoding="utf-8"))]


def defined(tree):
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (each.asname or each.name.partition(".")[0] for each in names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_snippets_define_the_names_that_they_use(page):
    known = set(dir(builtins)) | {"__name__"}
    for tree in blocks(page):
        known |= set(defined(tree))
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert used <= known


def test_there_are_snippets():
    assert sum(len(blocks(page)) for page in PAGES) > 5
