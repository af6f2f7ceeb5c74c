"""Plots over all seeds: latency against cost, distributions, differences to the baseline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from agents.evaluation.by_class import By
from agents.evaluation.compare import Comparison
from agents.evaluation.metrics import Metric, Unit
from agents.evaluation.statistics import Interval, Verdict
from agents.evaluation.summary import ComparisonSummary, SummaryLine
from agents.report import labels
from agents.report.format import scale
from agents.report.style import INK, PAPER, figure, look
from envs.scenarios import Objective
from scheduler.arrays import Floats

SHOWN = ("jct_s", "bsld_mean", "bsld_p95", "dollars")
"""Metrics whose differences are drawn."""
MOST_INTERVALS = 16
"""Points in a plane beside which their intervals can be told apart."""
ONE_COST = 0.005
"""Costs that differ by no more, relatively, are one cost."""
_VERDICTS = {
    Verdict.BETTER: "#228833",
    Verdict.WORSE: "#cc3344",
    Verdict.OPEN: "#888888",
    Verdict.EQUAL: "#888888",
}


def tradeoff(
    comparison: Comparison, summary: ComparisonSummary, objective: Objective | None
) -> Figure:
    """Mean latency against mean cost; curves join the preferences of a policy.

    The first preference is hollow. Intervals are drawn while they can be told apart. Without one
    objective for all seeds, both are shares of each seed's reference.
    """
    made = figure(9.6, 5.4)
    axes = made.subplots()
    lines = summary.distinct
    across, up, names = _units(objective, lines)
    told: list[tuple[tuple[float, float], str, str]] = []
    for number, policy in enumerate(comparison.policies):
        colour, _, marker = look(number)
        mine = [line for line in lines if line.policy == policy]
        if not mine:
            continue
        x = np.array([line.cost.mean for line in mine]) * across
        y = np.array([line.latency.mean for line in mine]) * up
        if len(lines) <= MOST_INTERVALS:
            axes.errorbar(
                x,
                y,
                xerr=_reach([line.cost for line in mine]) * across,
                yerr=_reach([line.latency for line in mine]) * up,
                fmt="none",
                ecolor=colour,
                elinewidth=1,
                alpha=0.35,
            )
        axes.plot(x, y, color=colour, lw=1.2, alpha=0.65)
        first = policy == comparison.baseline
        size, edge = (8.5, INK) if first else (7.0, PAPER)
        axes.plot(x, y, marker, color=colour, ms=size, mec=edge, mew=1, ls="none")
        if len(mine) > 1:
            axes.plot(x[:1], y[:1], marker, color=PAPER, ms=size - 1, mec=colour, mew=1.6)
        told.append(((float(x[-1]), float(y[-1])), policy, colour))
    heights = [line.latency.mean * up for line in lines]
    if max(heights) > 6 * min(heights):
        axes.set_yscale("log")
        plain(axes.yaxis)
    axes.margins(0.08, 0.1)
    _outline(axes, [(line.cost.mean * across, line.latency.mean * up) for line in summary.front])
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    spots = [(line.cost.mean * across, line.latency.mean * up) for line in lines]
    labels.place(axes, *zip(*told, strict=True), avoid=spots)
    return made


def one_cost(summary: ComparisonSummary) -> bool:
    """Whether all lines cost the same within `ONE_COST`: a plane of both would be a line."""
    costs = [line.cost.mean for line in summary.lines if not np.isnan(line.cost.mean)]
    return not costs or max(costs) - min(costs) <= ONE_COST * max(costs)


def latencies(
    comparison: Comparison, summary: ComparisonSummary, objective: Objective | None
) -> Figure:
    """Mean latency of every distinct line, with its interval."""
    lines = summary.distinct
    _, factor, (_, name) = _units(objective, lines)
    made = figure(9.6, 1.0 + 0.26 * len(lines))
    axes = made.subplots()
    places = np.arange(len(lines))[::-1]
    for place, line in zip(places.tolist(), lines, strict=True):
        colour, _, marker = look(comparison.policies.index(line.policy))
        one = line.latency
        axes.plot([one.low * factor, one.high * factor], [place, place], color=colour, lw=2.2)
        edge = INK if line.policy == comparison.baseline else PAPER
        axes.plot(one.mean * factor, place, marker, color=colour, ms=7, mec=edge, mew=1)
    _rows(axes, [line.label for line in lines])
    means = [line.latency.mean for line in lines]
    if max(means) > 6 * min(means):
        axes.set_xscale("log")
        plain(axes.xaxis)
    axes.set_xlabel(name)
    return made


def waits(comparison: Comparison, summary: ComparisonSummary) -> Figure:
    """Mean wait by priority, a line for each policy, with intervals."""
    classes = summary.classes(By.PRIORITY)
    means = [one.values["wait_s"].mean for rows in classes.values() for _, one in rows]
    unit = scale(Unit.SECONDS, means)
    made = figure(9.6, 4.2)
    axes = made.subplots()
    count = len(summary.lines)
    for number, line in enumerate(summary.lines):
        colour, dashes, marker = look(comparison.policies.index(line.policy))
        mine = {one.name: one.values["wait_s"] for one in line.classes[By.PRIORITY]}
        held = [(place, mine[name]) for place, name in enumerate(classes) if name in mine]
        # Side by side, so that intervals do not hide each other.
        x = np.array([place for place, _ in held]) + 0.4 * ((number + 0.5) / count - 0.5)
        y = np.array([value.mean for _, value in held]) / unit.factor
        reach = _reach([value for _, value in held]) / unit.factor
        axes.errorbar(x, y, yerr=reach, fmt="none", ecolor=colour, elinewidth=1, alpha=0.45)
        style = {"color": colour, "ls": dashes, "marker": marker, "ms": 6, "mec": PAPER}
        axes.plot(x, y, **style, lw=2.4 if line.policy == comparison.baseline else 1.4,
                  label=line.label)  # fmt: skip
    axes.set_xticks(np.arange(len(classes)), list(classes))
    axes.set_xlim(-0.5, len(classes) - 0.5)
    axes.set_xlabel("priority")
    axes.set_ylabel(f"mean wait ({unit.unit})")
    if max(means) > 12 * min(means) > 0:
        axes.set_yscale("log")
        plain(axes.yaxis)
    else:
        axes.set_ylim(bottom=0)
    made.legend(loc="outside right center", handlelength=2.4)
    return made


def distributions(comparison: Comparison, summary: ComparisonSummary) -> Figure:
    """Shares of jobs below a bounded slowdown and a completion time, all seeds together."""
    made = figure(9.6, 4.2)
    left, right = made.subplots(1, 2, sharey=True)
    curves = []
    for line in summary.lines:
        runs = comparison.of(summary.scenario, line.policy, line.preference).values()
        slow = np.sort(np.concatenate([run.bounded_slowdown for run in runs]))
        jct = np.sort(np.concatenate([run.jct for run in runs]))
        curves.append((line, slow, jct))
    everything = np.concatenate([jct for _, _, jct in curves])
    unit = scale(Unit.SECONDS, everything.tolist())
    for line, slow, jct in curves:
        colour, dashes, _ = look(comparison.policies.index(line.policy))
        width = 2.6 if line.policy == comparison.baseline else 1.4
        shares = np.linspace(0, 1, len(slow))
        style = {"color": colour, "ls": dashes, "lw": width}
        left.plot(slow, shares, **style, label=line.label)
        right.plot(jct / unit.factor, shares, **style)
    left.set_ylabel("share of jobs")
    left.set_xlabel("bounded slowdown")
    right.set_xlabel(f"job completion time ({unit.unit})")
    for axes in (left, right):
        axes.set_xscale("log")
        plain(axes.xaxis)
    left.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
    left.set_ylim(0, 1.01)
    left.set_xlim(left=0.95)
    right.set_xlim(left=max(float(np.quantile(everything, 0.005)) / unit.factor, 1e-9))
    made.legend(*left.get_legend_handles_labels(), loc="outside right center", handlelength=2.4)
    return made


def differences(summary: ComparisonSummary, baseline: str) -> Figure | None:
    """Relative differences to the baseline with intervals; None if there are none."""
    lines = [line for line in summary.lines if line.differences]
    shown = [
        each
        for each in summary.metrics
        if each.name in SHOWN
        and not all(np.isnan(line.differences[each.name].relative.mean) for line in lines)
    ]
    if not lines or not shown:
        return None
    made = figure(9.6, 1.1 + 0.26 * len(lines))
    panels = made.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for axes, each in zip(panels, shown, strict=True):
        _forest(axes, lines, each, baseline)
        _rows(axes, [line.label for line in lines])
    return made


def _rows(axes: Axes, names: Sequence[str]) -> None:
    """One line for each name, from the top."""
    axes.set_yticks(np.arange(len(names))[::-1], names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _units(
    objective: Objective | None, lines: Sequence[SummaryLine]
) -> tuple[float, float, tuple[str, str]]:
    """What the references of cost and latency are in the units of the axes, and their names."""
    if objective is None:
        return 100.0, 100.0, ("mean cost (% of reference)", "mean latency (% of reference)")
    latency = objective.reference_latency_s
    unit = scale(Unit.SECONDS, (line.latency.mean * latency for line in lines))
    names = ("mean cost ($ per job)", f"mean job completion time ({unit.unit})")
    return objective.reference_dollars, latency / unit.factor, names


def _forest(axes: Axes, lines: Sequence[SummaryLine], metric: Metric, baseline: str) -> None:
    ends = [0.0]
    for row, line in enumerate(reversed(lines)):
        one = line.differences[metric.name]
        low, mean, high = (
            100 * part for part in (one.relative.low, one.relative.mean, one.relative.high)
        )
        colour = _VERDICTS[one.verdict]
        axes.plot([low, high], [row, row], color=colour, lw=2.2, solid_capstyle="butt")
        axes.plot(mean, row, "o", color=colour, ms=5)
        ends += [abs(part) for part in (low, mean, high) if np.isfinite(part)]
    axes.axvline(0, color=INK, lw=0.9)
    axes.set_title(metric.title)
    axes.set_xlabel(f"% of {baseline}")
    if max(ends) > 500:
        # One policy that is ten times worse would squeeze all others onto the zero.
        axes.set_xscale("symlog", linthresh=100, linscale=0.6)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
        reach = 10.0 ** np.ceil(np.log10(max(ends)))
        axes.set_xticks([-100, 0, 100, reach] if reach > 100 else [-100, 0, 100])
    elif max(ends) < 1:
        axes.set_xlim(-1.1, 1.1)
        axes.set_xticks([-1, 0, 1])
    else:
        axes.locator_params(axis="x", nbins=4)


def _outline(axes: Axes, front: Sequence[tuple[float, float]]) -> None:
    """The steps below which no policy came; the view stays as it is."""
    if not front:
        return
    limits = axes.get_xlim(), axes.get_ylim()
    (_, right), (_, top) = limits
    # From the fastest, which costs most, to the cheapest.
    x = [right, *(point[0] for point in front), front[-1][0]]
    y = [front[0][1], *(point[1] for point in front), top]
    axes.step(x, y, where="post", color=INK, lw=1, ls=(0, (4, 3)), alpha=0.6, zorder=1.5)
    axes.fill_between(x[::-1], y[::-1], top, step="pre", color=INK, alpha=0.045, lw=0, zorder=0.5)
    axes.set_xlim(*limits[0])
    axes.set_ylim(*limits[1])


def _reach(intervals: Sequence[Interval]) -> Floats:
    """(2, n) From means down and up to the ends of their intervals; 0 where there is none."""
    table = np.array([(each.mean - each.low, each.high - each.mean) for each in intervals])
    reach: Floats = np.maximum(np.nan_to_num(table), 0.0).T
    return reach


def plain(axis: Axis) -> None:
    """A logarithmic axis with figures as people write them."""
    low, high = sorted(axis.get_view_interval())
    decades = np.log10(high / low) if low > 0 else 9.0
    steps = (1.0, 2.0, 5.0) if decades < 3 else (1.0,)
    axis.set_major_locator(LogLocator(subs=steps, numticks=12))
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))


def _short(value: float) -> str:
    """`0.05`, `20`, `3k`, `1M`."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:g}{letter}"
    return f"{value:g}"
