"""The help pages of groups are typer's own, and cost no import of the commands."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from api.cli.main import app
from api.cli.support import help_page

GROUPS = ("", "policy", "scenario", "token", "trace")


def group(name: str) -> TyperGroup:
    root = get_command(app)
    found = root.commands[name] if name else root  # type: ignore[attr-defined]
    assert isinstance(found, TyperGroup)
    return found


@pytest.mark.parametrize("width", ["60", "80", "200"])
@pytest.mark.parametrize("name", GROUPS)
def test_a_groups_page_is_the_one_that_typer_prints(name, width, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", width)
    monkeypatch.setenv("FORCE_COLOR", "1")
    one = group(name)
    with one.make_context(f"fulcrum {name}".strip(), ["x"], resilient_parsing=True) as context:
        help_page.show(one, context)
        ours = capsys.readouterr().out
        TyperGroup.format_help(one, context, context.make_formatter())
    assert ours == capsys.readouterr().out


def test_a_groups_page_imports_no_command():
    code = """
import sys
from fulcrum.__main__ import main
sys.argv = ["fulcrum", "--help"]
try:
    main()
finally:
    print([name for name in sys.modules if name.startswith(("api.cli.commands", "rich.markdown"))])
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.splitlines()[-1] == "[]"
