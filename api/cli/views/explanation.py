"""An explanation in the terminal: the service's sentences, and the figures on request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from api.cli.support import text_format
from api.cli.support.output import facts, out, table
from api.cli.views.job_table import state

if TYPE_CHECKING:
    from api.schemas import DecisionOut, ExplanationOut

TERMS = 8
"""Columns of a learned decision that are shown."""
INTERACTIONS = "interactions"
RIVALS = 2
"""Rivals of a kind that are shown without the figures: places of the job, and other jobs."""
DECISIONS = 3
"""Decisions that are shown, newest first."""


def print_explanation(explanation: ExplanationOut, *, verbose: bool = False) -> None:
    """Print the reason, its evidence, what would change it, and the decisions.

    `verbose`: also all rivals and the figures that were compared.
    """
    console = out()
    job = explanation.job
    name = f" ({escape(job.name)})" if job.name else ""
    console.print(
        f"job [bold]{job.id}[/]{name} {state(job.state.value)}: {escape(explanation.text)}"
    )
    evidence = _evidence(explanation)
    if evidence:
        result = facts()
        for left, right in evidence:
            result.add_row(f"  [dim]{left}[/]", escape(right))
        console.print(result)
    if explanation.alternatives:
        console.print(_alternatives(explanation))
    for decision in explanation.decisions[:DECISIONS]:
        _print_decision(decision, verbose=verbose)


def _evidence(explanation: ExplanationOut) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if explanation.position is not None:
        found.append(("queue position", f"{explanation.position} of {explanation.depth}"))
    if explanation.ahead:
        found.append(("before it", explanation.ahead))
    if explanation.start is not None:
        end = text_format.moment(explanation.end)
        place = f" on {explanation.pool} × {explanation.width}" if explanation.pool else ""
        found.append(("expected", f"{text_format.moment(explanation.start)} to {end}{place}"))
    if explanation.start_low is not None:
        high = text_format.moment(explanation.start_high) if explanation.start_high else "later"
        low = text_format.moment(explanation.start_low)
        found.append(("start, with 80 % chance", f"{low} to {high}"))
    if explanation.dollars is not None:
        found.append(("cost", text_format.dollars(explanation.dollars)))
    if explanation.blockers:
        found.append(("waits for jobs", ", ".join(map(str, explanation.blockers))))
    return found + [("what if", one.text) for one in explanation.what_if]


def _print_decision(decision: DecisionOut, *, verbose: bool) -> None:
    console = out()
    when = text_format.moment(decision.time)
    console.print(f"  [dim]{when} {decision.action}:[/] {escape(decision.reason)}")
    shown: dict[bool, int] = {True: 0, False: 0}
    for rival in decision.rivals:
        own = rival.job == decision.job
        shown[own] += 1
        if rival.text and (verbose or shown[own] <= RIVALS):
            console.print(Padding(f"[dim]·[/] {escape(rival.text)}", (0, 0, 0, 4)))
    if verbose:
        console.print(_figures(decision))
        if decision.chosen.terms:
            console.print(_terms(decision.chosen.terms))


def _figures(decision: DecisionOut) -> Table:
    """The rows that were compared, one a column: more fits that way."""
    rows = (decision.chosen, *decision.rivals)
    heads = [f">job {row.job} {row.pool} × {row.width}" if row.job else ">wait" for row in rows]
    result = table("  COLUMN", *heads)
    result.add_row("  score", *(f"{row.score:.4g}" for row in rows))
    for name in dict.fromkeys(name for row in rows for name in row.values):
        values = (row.values.get(name) for row in rows)
        result.add_row(f"  {name}", *("–" if one is None else f"{one:.4g}" for one in values))
    return result


def _terms(terms: Mapping[str, float]) -> Table:
    result = table("  COLUMN", ">FOR THE CHOICE")
    named = [item for item in terms.items() if item[0] != INTERACTIONS][:TERMS]
    shown = dict(named)
    shown["all others, and interactions"] = sum(terms.values()) - sum(shown.values())
    for name, term in shown.items():
        result.add_row(f"  {escape(name)}", f"{term:+.3f}")
    return result


def _alternatives(explanation: ExplanationOut) -> Table:
    result = table("  INSTEAD", ">WIDTH", ">START IN", ">RUN", ">COST", ">SLOWDOWN")
    for one in explanation.alternatives:
        result.add_row(
            f"  {escape(one.pool)}",
            str(one.width),
            text_format.seconds(one.start_delay_s),
            text_format.seconds(one.runtime_s),
            text_format.dollars(one.dollars),
            f"{one.slowdown:.1f} ×",
        )
    return result
