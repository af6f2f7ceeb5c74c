"""What a run found: as text, and as JSON."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.torture.ledger import RULES, Totals
from benchmarks.torture.rounds import TorturePlan, known


def as_json(plan: TorturePlan, totals: Totals, seconds: float) -> Mapping[str, Any]:
    """Every figure of a run."""
    broken = Counter(found.rule for found in totals.violations)
    return {
        "seed": plan.seed,
        "rounds": [plan.first, plan.first + plan.rounds - 1],
        "seconds": round(seconds, 1),
        "jobs": totals.jobs,
        "attempts": totals.attempts,
        "events": totals.events,
        "states": dict(totals.states),
        "lost_attempts": totals.losses,
        "preempted_attempts": totals.preemptions,
        "redone_incomplete": totals.redone - broken["redone"],
        "behaviours": dict(totals.behaviours),
        "answers": dict(sorted(totals.answers.items())),
        "faults": {
            name: {"count": count, **_percentiles(totals.to_ready[name])}
            for name, count in totals.faults.most_common()
        },
        "skipped": totals.skipped,
        "rules": {rule: broken[rule] for rule in RULES},
        "violations": [
            {"round": one.round, "rule": one.rule, "text": one.text} for one in totals.violations
        ],
        "again": {str(one.round): again(plan, one.round) for one in totals.violations},
        "passed": not totals.violations,
    }


def again(plan: TorturePlan, number: int) -> str:
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
        f"({report['lost_attempts']} lost, {report['preempted_attempts']} preempted), "
        f"{report['events']} events",
        "",
        *_table(
            ("fault", "times", "ready p50", "p99"),
            [
                (name, f"{one['count']}", _seconds(one["p50_s"]), _seconds(one["p99_s"]))
                for name, one in report["faults"].items()
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
    rows += [f"round {one['round']}, {one['rule']}: {one['text']}" for one in report["violations"]]
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
