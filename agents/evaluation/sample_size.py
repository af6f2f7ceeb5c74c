"""How many independent workloads the runs of a scenario are worth."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Self

from agents.evaluation.run import RunResult
from agents.evaluation.statistics import LEAST
from envs.scenarios import Scenario
from envs.scenarios.logs import Draw

REDRAWN = 40
"""So many different jobs of a trace count as one workload where jobs are drawn with replacement,
however many such workloads are drawn."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The sample that differences between policies rest on."""

    workloads: int
    """Number of simulated workloads."""
    distinct: int
    """Number of independent workloads that they are worth; see `of`."""
    jobs: int | None = None
    """Different jobs of the trace behind them; None: a model drew each workload by itself."""

    @classmethod
    def of(cls, scenario: Scenario, jobs: int | None, runs: Iterable[RunResult]) -> Self:
        """The evidence of runs of one scenario, `jobs` in each workload (None: the scenario's)."""
        rows = {run.key.seed: run.rows for run in runs if not run.error}
        return cls.among(scenario, jobs, rows.values())

    @classmethod
    def among(
        cls, scenario: Scenario, jobs: int | None, rows: Collection[tuple[int, int] | None]
    ) -> Self:
        """The evidence of workloads from these (first, beyond) rows of a trace; None: of a model.

        Windows of a trace are worth as many workloads as fit side by side into the rows that they
        cover. Workloads drawn with replacement are worth one for every `REDRAWN` different jobs,
        or for as many as each has, if these are fewer. Neither is worth more than were simulated.
        """
        spans = [span for span in rows if span is not None]
        if not spans or scenario.source.trace is None:
            return cls(len(rows), len(rows))
        each = jobs or scenario.source.jobs
        size = each if scenario.source.trace.draw is Draw.WINDOW else min(each, REDRAWN)
        found = covered(spans)
        return cls(len(rows), min(len(rows), found // size), found)

    @property
    def enough(self) -> bool:
        """Whether a difference can be shown at all."""
        return self.distinct >= LEAST

    @property
    def sentence(self) -> str:
        """A sentence for people; empty if all workloads are independent."""
        if self.distinct == self.workloads:
            return ""
        few = "" if self.enough else f", and with fewer than {LEAST} no difference is shown"
        return (
            f"the {self.workloads} workloads share {self.jobs} different jobs of the trace: they "
            f"are worth {self.distinct} independent ones{few}"
        )


def covered(spans: Iterable[tuple[int, int]]) -> int:
    """Rows in at least one of the spans (first, beyond)."""
    total, reached = 0, 0
    for first, beyond in sorted(spans):
        total += max(0, beyond - max(first, reached))
        reached = max(reached, beyond)
    return total
