"""Tables in terminals of any width: no figure is cut, and no text of others is obeyed."""

from __future__ import annotations

import re
from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

from api.cli.support import output
from api.cli.support.output import SafeConsole, facts, table
from api.cli.views.explanation import print_explanation
from api.cli.views.job_table import jobs_table
from api.cli.views.log_lines import print_log_line, shown
from api.cli.views.sweep_table import trials_table
from api.schemas import DecisionOut, ExplanationOut, JobOut, RowOut
from api.schemas.groups.sweep_answers import SweepDetail, TrialOut
from scheduler.domain.jobs import Job
from scheduler.domain.lifecycle import JobState
from scheduler.testing.samples import job_spec

FIGURES = re.compile(r"\$?\d[\d.,]*")


def text_of(part: RenderableType, width: int, *, terminal: bool = True) -> str:
    console = SafeConsole(
        file=StringIO(), width=width, force_terminal=terminal, color_system=None, highlight=False
    )
    console.print(part)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def lines_of(part: RenderableType, width: int) -> list[str]:
    lines = text_of(part, width).splitlines()
    assert max(map(len, lines)) <= width
    return lines


def sample(**options: Any) -> output.FittingTable:
    result = table(
        *(">JOB", "~NAME", "MODEL", "!STATE", ">DEVICE TIME", ">COST"), drop=("MODEL",), **options
    )
    for job in (120, 121):
        name = "a-name-without-any-space-in-it"
        result.add_row(
            str(job), name, "Intel Xeon Processor", "succeeded", "12 min 05 s", "$0.000070"
        )
    return result


@pytest.mark.parametrize("width", range(12, 121))
def test_whatever_the_width_a_figure_is_whole_or_not_there(width: int) -> None:
    text = "\n".join(lines_of(sample(), width))
    whole = {"120", "121", "12", "05", "$0.000070"}
    assert set(FIGURES.findall(text)) <= whole
    assert ("succeeded" in text) == ("STATE" in text.partition("no room")[0])
    for word in ("Intel", "Xeon", "Processor"):
        assert (word in text) == ("MODEL" in text)


def test_columns_go_by_their_importance_and_those_that_must_not_go_are_named() -> None:
    assert "MODEL" in "\n".join(lines_of(sample(), 84))
    narrow = "\n".join(lines_of(sample(), 55))
    assert "MODEL" not in narrow
    assert "no room" not in narrow
    assert "a-name-without…" in narrow
    assert lines_of(sample(), 40)[-1] == "no room for COST; --json has all"


def test_a_header_breaks_between_words_and_a_title_stands_on_its_own_line() -> None:
    result = table(">VALIDATION ACCURACY", title="A title that is longer than the table is wide")
    result.add_row("0.5")
    assert lines_of(result, 60) == [
        "A title that is longer than the table is wide",
        "VALIDATION ACCURACY",
        "                0.5",
    ]
    other = table(">VALIDATION ACCURACY", "WHY")
    other.add_row("0.5", "a long reason with many words")
    assert lines_of(other, 22)[:2] == ["VALIDATION", "  ACCURACY  WHY"]


def test_a_pipe_gets_all_of_it_without_spaces_at_the_end() -> None:
    result = facts()
    result.add_row("name", "x" * 1000)
    result.add_row("b", "y")
    assert text_of(result, output.WIDE, terminal=False) == f"name  {'x' * 1000}\nb     y\n"


def test_no_cell_moves_the_cursor_or_sets_the_title() -> None:
    result = facts()
    result.add_row("argv", "\x1b]0;mine \x1b[2J \x9b31m")
    shown_text = text_of(result, 80)
    assert shown_text == "argv  \\x1b]0;mine \\x1b[2J \\x9b31m\n"


@pytest.mark.parametrize(
    ("line", "plain"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07 \x1b[2J\x1b[3;3H", "\\x1b]0;title\\x07 \\x1b[2J\\x1b[3;3H"),
        ("10 %\r20 %\r", "20 %"),
        ("a\tb [bold]é[/]", "a\tb [bold]é[/]"),
    ],
)
def test_a_log_line_keeps_its_colours_alone(line: str, plain: str) -> None:
    assert shown(line).plain.expandtabs() == plain.expandtabs()
    terminal = Console(file=StringIO(), force_terminal=True, width=80, color_system="standard")
    print_log_line(line, terminal)
    codes = re.findall(r"\x1b\[?[^m]*m?", terminal.file.getvalue())  # type: ignore[attr-defined]
    assert all(re.fullmatch(r"\x1b\[[0-9;]*m", code) for code in codes)
    assert bool(codes) == (line != plain and "red" in line)
    pipe = Console(file=StringIO(), force_terminal=False)
    print_log_line(line, pipe)
    assert pipe.file.getvalue() == f"{line}\n"  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_jobs_keep_their_numbers(width: int) -> None:
    spec = job_spec(name="a-name-that-is-much-longer-than-a-narrow-terminal-has-room-for")
    jobs = [
        JobOut.of(Job(number, spec, JobState.SUCCEEDED, "exit code 0", 1.8e9, finished_at=1.8e9))
        for number in (120, 121, 12345)
    ]
    lines = lines_of(jobs_table(jobs), width)
    assert [line.split()[0] for line in lines[1:]] == ["120", "121", "12345"]
    assert all("succeeded" in line for line in lines[1:])


@pytest.mark.parametrize("width", [40, 80, 200])
def test_trials_keep_their_figures_and_states(width: int) -> None:
    trials = tuple(
        TrialOut.model_construct(
            number=number, job=number, state="COMPLETED", value=0.9653, epoch=8, epochs=8,
            parameters={"work.learning_rate": 0.0001234, "work.batch_size": 32}, reason="",
            device_s=754.0, dollars=0.000070,
        )
        for number in (1, 2)
    )  # fmt: skip
    sweep = SweepDetail.model_construct(listing=trials, metric="validation_accuracy", best=1)
    text = "\n".join(lines_of(trials_table(sweep), width))
    legal = {"1", "2", "0.0001234", "32", "0.9653", "8", "12", "34", "$0.000070"}
    assert set(FIGURES.findall(text)) <= legal
    assert "0.9653" in text
    assert text.count("completed") == 2
    assert ("LEARNING" in text) == (width >= 80)


def test_rivals_of_a_piped_explanation_end_where_their_text_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = RowOut.model_construct(
        job=1, pool="cpu", width=1, score=0.5, terms={}, values={}, text=""
    )
    rival = row.model_copy(update={"text": "job 2 is longer"})
    decision = DecisionOut.model_construct(
        time=JobOut.of(Job(1, job_spec(), JobState.QUEUED, "", 1.8e9)).submitted_at,
        job=1, action="start", reason="first", chosen=row, rivals=(rival,),
    )  # fmt: skip
    job = JobOut.of(Job(1, job_spec(), JobState.QUEUED, "", 1.8e9))
    empty = dict.fromkeys(ExplanationOut.model_fields)
    known = {"job": job, "text": "waits", "decisions": (decision,), "what_if": ()}
    print_explanation(ExplanationOut.model_construct(**{**empty, **known}))
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "    · job 2 is longer"
    assert all(line == line.rstrip() for line in lines)
