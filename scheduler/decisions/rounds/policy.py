"""What a policy is: a function from a candidate table to scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite
from typing import Any, NamedTuple, Protocol

from scheduler.compilation.columns import Floats
from scheduler.decisions.preemption.ranking import Ranking
from scheduler.decisions.rounds.candidates import Candidates
from scheduler.decisions.rounds.criteria import Criterion
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.scorer import Scorer

Comment = Callable[[Candidates, int], str]
"""(table, chosen position) → how that choice came about, in words; "": there is nothing to say."""
Reasons = Callable[[Candidates, int, int], Mapping[str, float]]
"""(table, chosen position, its best rival's) → what spoke for the choice, in units of the score."""


class Policy(Protocol):
    """Scores rows; the best row wins. Optional members: see `Traits`.

    Obligations: the same table gives the same scores; no score is NaN; the table is not changed;
    no I/O. WAIT (row 0) may win only if nothing else should start now.
    """

    @property
    def name(self) -> str:
        """As users write it."""

    @property
    def stable(self) -> bool:
        """Whether taking one row leaves the other rows' scores as they are.

        Then a round asks once instead of once per placement.
        """

    def scores(self, table: Candidates) -> Floats:
        """(n,) Higher is better; -inf: never."""

    def costs(self, table: Candidates) -> Floats:
        """(n,) Decides between equally scored rows of one job: the least wins."""


class Traits(NamedTuple):
    """The optional members of a policy; the defaults hold for a policy without them."""

    mode: Mode | None = None
    """The only mode that it was made for; None: any."""
    heeds_urgency: bool = False
    """Whether the most urgent of jobs that are alike is taken, whatever their scores
    (`kernel.rules.precedence`)."""
    starvation_s: float = inf
    """Jobs that have waited longer are rescued (`Round.rescue`)."""
    reasons: Reasons | None = None
    """A method that explains a choice."""
    comment: Comment | None = None
    """A method that comments on the last choice."""
    criteria: Sequence[Criterion] = ()
    """What its order of jobs looks at, most important first, so that choices can be told in words;
    empty: not known."""
    lease_s: float = inf
    """The policy moves jobs: a running job stands in the queue again when it has worked for so many
    seconds (`preemption.leases`). inf: what runs is left alone."""
    ranking: Ranking | None = None
    """The policy preempts: the order of all jobs, running and waiting."""
    scorer: Scorer | None = None
    """The policy in compiled code: `scores` and `costs` must agree with it."""


def traits(policy: Policy) -> Traits:
    """The optional members that a policy has, and the defaults of the others."""
    members = Traits._field_defaults.items()
    values: list[Any] = [getattr(policy, name, default) for name, default in members]
    return Traits(*values)


def preempts_itself(policy: Policy) -> bool:
    """Whether the policy stops running jobs: it ranks all jobs, or moves them."""
    own = traits(policy)
    return own.ranking is not None or isfinite(own.lease_s)


def mode_of(policy: Policy, default: Mode) -> Mode:
    """The mode that rounds of `policy` use: the one it was made for, else `default`."""
    return traits(policy).mode or default
