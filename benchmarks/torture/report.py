"""What a run found: as text, and as JSON."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.torture.ledger import RULES, Figures
from benchmarks.torture.rounds import Plan, known


def as_json(plan: Plan, figures: Figures, seconds: float) -> Mapping[str, Any]:
    """All figures."""
    broken = Counter(found.rule for found in figures.findings)
    return {
        "seed": plan.seed,
        "rounds": [plan.first, plan.first + plan.rounds - 1],
        "seconds": round(seconds, 1),
        "jobs": figures.jobs,
        "attempts": figures.attempts,
        "events": figures.events,
        "states": dict(figures.states),
        "lost_attempts": figures.losses,
        "redone_incomplete": figures.redone - broken["redone"],
        "behaviours": dict(figures.behaviours),
        "answers": dict(sorted(figures.answers.items())),
        "blows": {
            name: {"count": count, **_percentiles(figures.to_ready[name])}
            for name, count in figures.blows.most_common()
        },
        "skipped": figures.skipped,
        "rules": {rule: broken[rule] for rule in RULES},
        "findings": [
            {"round": one.round, "rule": one.rule, "text": one.text} for one in figures.findings
        ],
        "again": {str(one.round): again(plan, one.round) for one in figures.findings},
        "passed": not figures.findings,
    }


def again(plan: Plan, number: int) -> str:
    """The command that repeats a round."""
    without, only = sorted(plan.without), sorted(set(known()) - plan.without)
    chosen = ("--only", only) if len(only) < len(without) else ("--without", without)
    names = "".join(f" {chosen[0]} '{name}'" for name in chosen[1])
    return f"python -m benchmarks.torture --seed {plan.seed} --first {number} --rounds 1{names}"


def as_text(report: Mapping[str, Any]) -> str:
    """The tables."""
    first, last = report["rounds"]
    states = ", ".join(f"{count} {state}" for state, count in sorted(report["states"].items()))
    jobs = sum(report["behaviours"].values()) or 1
    rows = [
        f"seed {report['seed']}, rounds {first} to {last}, {report['seconds']:.0f} s: "
        f"{report['jobs']} jobs ({states}), {report['attempts']} attempts "
        f"({report['lost_attempts']} lost), {report['events']} events",
        "",
        *_table(
            ("blow", "times", "ready p50", "p99"),
            [
                (name, f"{one['count']}", _seconds(one["p50_s"]), _seconds(one["p99_s"]))
                for name, one in report["blows"].items()
            ],
        ),
        "",
        *_table(
            ("what jobs did", "times"),
            [(name, f"{count}") for name, count in report["behaviours"].items()],
        ),
        "",
        *_table(
            ("rule", "broken"),
            [(RULES[rule], f"{count}") for rule, count in report["rules"].items()],
        ),
        "",
        f"work done twice because its result was not complete when it was lost: "
        f"{report['redone_incomplete']} of {jobs} jobs",
        *(f"left out: {name}: {reason}" for name, reason in report["skipped"].items()),
    ]
    rows += [f"round {one['round']}, {one['rule']}: {one['text']}" for one in report["findings"]]
    rows += [f"round {number} again: {command}" for number, command in report["again"].items()]
    rows.append("passed" if report["passed"] else "FAILED")
    return "\n".join(rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = []
    for row in (head, *rows):
        first, *others = row
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join(cells))
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def _percentiles(seconds: Sequence[float]) -> Mapping[str, float | None]:
    if len(seconds) < 2:
        only = round(seconds[0], 2) if seconds else None
        return {"p50_s": only, "p99_s": only}
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return {"p50_s": round(cuts[49], 2), "p99_s": round(cuts[98], 2)}


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"
