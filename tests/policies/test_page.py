"""The page about policies is held against the code."""

import re
from pathlib import Path

import pytest

from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.run import run_round
from scheduler.policies.heuristics import HEURISTICS
from tests.support.worlds import option, pool, snapshot, waiting

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")


def rows(heading):
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


def test_every_heuristic_stands_in_the_table():
    assert sorted(rows("Heuristics")) == sorted(HEURISTICS)


def test_every_mode_stands_in_the_table():
    assert sorted(rows("Modes")) == sorted(Mode)


def test_the_example_of_ones_own_policy_runs():
    code = PAGE.split("```python\n")[1].split("```")[0]
    names = {}
    exec(code, names)
    policy = names["patient"]()
    jobs = [
        waiting(1, option(5.0, 4), deadline=50.0),
        waiting(2, [option(5.0, 4, joules=9.0), option(9.0, 3, joules=2.0)], deadline=90.0),
    ]
    plan = run_round(snapshot(pool(), jobs), policy)
    assert [(placed.job, placed.width) for placed in plan.placements] == [(2, 3)]


@pytest.mark.parametrize("name", ["f1", "f2", "f3", "f4"])
def test_coefficients_are_the_codes(name):
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
    shown = row.split("+ ")[1].split("·")[0].replace(" ", "")
    assert f"{shown}·log10(s)" in HEURISTICS[name].summary
