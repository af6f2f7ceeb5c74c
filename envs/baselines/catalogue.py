"""All policies that a simulation can run, by name: those of the service and the simulator's.

Some known policies need more than a table of candidates: they plan for the whole queue at once,
give devices on leases, or prescribe the reservations and the estimates. Each has a driver here.
All other names are policies of the service. A name may end in `@` and a placement rule, such as
`fcfs@fgd`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from envs.baselines import leases, planners
from envs.baselines.easy_sjbf import EASY_SJBF
from envs.baselines.gavel import Gavel
from envs.baselines.themis import Themis
from envs.scenarios import Estimates, Scenario
from envs.simulator.results import SimulationResult
from envs.simulator.simulation import Simulation
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.rounds.policy import Policy
from scheduler.decisions.state.node_placement import RULES
from scheduler.domain.errors import MissingError
from scheduler.policies import lookup

WHERE = "in the simulator only"
"""How listings mark the policies of this module."""


@dataclass(frozen=True, slots=True)
class Driver:
    """A policy that only the simulator can run."""

    name: str
    summary: str
    """One line for people: what it prefers, and its source."""
    run: Callable[[Simulation], SimulationResult]
    """Runs a new simulation to its end with this policy."""
    mode: Mode | None = None
    """Mode that is part of the name; None: the scenario's, or the policy makes reservations."""
    estimates: Estimates | None = None
    """Estimates that are part of the name; None: the scenario's."""

    def adapted(self, scenario: Scenario) -> Scenario:
        """The scenario with the mode and the estimates that are part of the name."""
        return replace(
            scenario,
            mode=self.mode or scenario.mode,
            estimates=self.estimates or scenario.estimates,
        )


def _drivers() -> tuple[Driver, ...]:
    easy = partial(Simulation.run, policy=EASY_SJBF)
    return (
        *(
            Driver(each.name, each.summary, partial(planners.run, planner=each))
            for each in planners.PLANNERS.values()
        ),
        Driver(EASY_SJBF.name, EASY_SJBF.summary, easy, Mode.EASY),
        Driver(
            "easy++",
            "easy-sjbf, with the mean of the user's last two runtimes as estimate (the same paper)",
            easy,
            Mode.EASY,
            Estimates("tsafrir"),
        ),
        Driver(
            "gavel",
            "max-min fair shares of pools of unequal speed, in rounds (Narayanan et al. 2020)",
            lambda simulation: leases.run(simulation, Gavel()),
        ),
        Driver(
            "themis",
            "worst finish-time fairness first, by auctions of leases (Mahajan et al. 2020)",
            lambda simulation: leases.run(simulation, Themis()),
        ),
    )


DRIVERS: Mapping[str, Driver] = {driver.name: driver for driver in _drivers()}


def names() -> dict[str, str]:
    """Name → one-line summary of every policy that can be simulated."""
    own = {name: f"{driver.summary}; {WHERE}" for name, driver in DRIVERS.items()}
    return lookup.names() | own


def check(name: str) -> None:
    """Raise `MissingError` listing the legal names, or what else looking up a policy raises."""
    policy, _ = _parts(name)
    if policy not in DRIVERS:
        _served(policy)


def adapted(scenario: Scenario, name: str) -> Scenario:
    """The scenario with the mode, estimates and placement rule that are part of the name."""
    policy, placement = _parts(name)
    driver = DRIVERS.get(policy)
    fitting = scenario if driver is None else driver.adapted(scenario)
    return replace(fitting, placement=placement or scenario.placement)


def served(name: str) -> Policy | None:
    """The policy of that name; None if only the simulator can run it.

    Raises `MissingError` as `check` does.
    """
    policy, _ = _parts(name)
    return None if policy in DRIVERS else _served(policy)


def run(simulation: Simulation, name: str) -> SimulationResult:
    """Run a simulation to its end with the policy of that name.

    The simulated scenario was `adapted` to the name. Raises `MissingError` as `check` does.
    """
    policy, _ = _parts(name)
    driver = DRIVERS.get(policy)
    return simulation.run(_served(policy)) if driver is None else driver.run(simulation)


def _parts(name: str) -> tuple[str, str | None]:
    """(policy, placement rule); an `@` may also be part of the policy's name."""
    policy, _, placement = name.rpartition("@")
    return (policy, placement) if placement in RULES and policy else (name, None)


def _served(name: str) -> Policy:
    try:
        return lookup.named(name)
    except MissingError as error:
        if "policy" not in error.fields:
            raise
        also = (
            f"{error.fields['policy']}; {WHERE}: {', '.join(sorted(DRIVERS))}; "
            f"each also with @ and a placement rule: {', '.join(RULES)}"
        )
        raise MissingError(error.message, {"policy": also}) from None
