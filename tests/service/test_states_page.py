"""docs/states.md says what scheduler/domain/lifecycle.py does, no more and no less."""

import re
from collections.abc import Iterator
from pathlib import Path

from scheduler.domain.lifecycle import ACTIVE, FINAL, TRANSITIONS, AttemptState, JobState
from scheduler.service.dispatch.event_handlers import MOST_LOSSES

PAGE = (Path(__file__).parents[2] / "docs" / "states.md").read_text("utf-8")
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def rows(heading: str) -> Iterator[list[str]]:
    """Of the first table under a heading, its own heading left out."""
    _, _, rest = PAGE.partition(f"# {heading}\n")
    table = re.search(r"(?:^\|.*\n)+", rest, re.MULTILINE)
    assert table, heading
    for line in table.group().splitlines()[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_is_the_code():
    written = [(before, event, after) for before, event, after, *_ in rows("Transitions")]
    real = [(before, event, after) for (before, event), after in TRANSITIONS.items()]
    assert written == [tuple(str(part) for part in line) for line in real]


def test_the_diagram_is_the_code():
    arrows = re.findall(r"^ +(\w+) --> (\w+): (.+)$", PAGE, re.MULTILINE)
    written = {(b, name, a) for b, a, names in arrows for name in names.split(", ")}
    assert written == {(str(b), str(name), str(a)) for (b, name), a in TRANSITIONS.items()}
    ends = set(re.findall(r"(\w+) --> \[\*\]", PAGE))
    assert ends == {str(state) for state in FINAL}


def test_every_state_is_described():
    described = list(rows("States"))
    assert [name for name, *_ in described] == [str(state) for state in JobState]
    assert {name for name, _, holds in described if holds == "yes"} == {str(s) for s in ACTIVE}
    assert {name for name, text, _ in described if text.startswith("Final")} == {
        str(state) for state in FINAL
    }
    assert [name for name, *_ in rows("Attempts")] == [str(state) for state in AttemptState]


def test_the_figures_are_those_of_the_code():
    assert f"in one of {NUMBERS[len(JobState)]} states" in PAGE
    assert f"has lost {NUMBERS[MOST_LOSSES]} attempts is given up" in PAGE
