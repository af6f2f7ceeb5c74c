"""No compiled function calls itself: Numba crashes when it loads such a function from disk."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECORATORS = {"compiled", "entry_point"}
Function = tuple[str, str]


def calls(sources: Iterable[tuple[str, str]]) -> dict[Function, set[Function]]:
    """Of each compiled function, by module and name, the functions that it calls."""
    graph: dict[Function, set[Function]] = {}
    for module, text in sources:
        tree = ast.parse(text)
        imported = {
            alias.asname or alias.name: (str(node.module), alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef) and _is_compiled(function):
                called = {node.func for node in ast.walk(function) if isinstance(node, ast.Call)}
                names = {target.id for target in called if isinstance(target, ast.Name)}
                used = {imported.get(name, (module, name)) for name in names}
                graph[module, function.name] = used
    return graph


def cycle(graph: dict[Function, set[Function]]) -> list[Function]:
    try:
        TopologicalSorter({one: used & graph.keys() for one, used in graph.items()}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _is_compiled(function: ast.FunctionDef) -> bool:
    return any(isinstance(d, ast.Name) and d.id in DECORATORS for d in function.decorator_list)


def test_no_compiled_function_calls_itself() -> None:
    paths = [path for top in ("scheduler", "envs", "agents") for path in (ROOT / top).rglob("*.py")]
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    graph = calls(zip(modules, (path.read_text() for path in paths), strict=True))
    assert ("scheduler.decisions.kernel.arithmetic", "ln") in graph
    assert cycle(graph) == []


@pytest.mark.parametrize(
    "sources",
    [
        {"a": "@compiled\ndef f(x): return f(x - 1)"},
        {
            "a": "from b import g\n@compiled\ndef f(x): return g(x)",
            "b": "from a import f as h\n@entry_point\ndef g(x): return h(x)",
        },
    ],
)
def test_such_calls_are_found(sources: dict[str, str]) -> None:
    assert cycle(calls(sources.items()))
