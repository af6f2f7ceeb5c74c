"""What moves time while the same code decides: one function for each clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.placement_logs.cells import LogCell, drawn, served
from benchmarks.placement_logs.logs import Log, RecordedSimulation, log_of
from envs.baselines import catalogue
from envs.clock import CompiledSimulation, reason_against
from envs.simulator.cluster_spec import ClusterSpec
from scheduler.decisions.rounds.policy import Policy, mode_of, traits
from scheduler.decisions.rounds.round import ACTIONS
from scheduler.decisions.rounds.run import run_round
from scheduler.decisions.state.entries import RunningAttempt
from scheduler.decisions.state.node_placement import BEST_FIT
from scheduler.decisions.state.plan import Reservation
from scheduler.decisions.state.snapshot import Snapshot
from scheduler.decisions.state.world import World


class NotSupportedError(Exception):
    """The clock cannot run this simulation; the text says why."""


def by_simpy(cell: LogCell, seed: int, jobs: int) -> Log:
    """SimPy moves time."""
    scenario, workload = drawn(cell, seed, jobs)
    spec, estimates = ClusterSpec.of(scenario), scenario.estimates.make(seed)
    simulation = RecordedSimulation(workload, spec, estimates, seed=seed)
    return simulation.log(catalogue.run(simulation, cell.policy))


def by_snapshots(cell: LogCell, seed: int, jobs: int) -> Log:
    """Each round decides on a snapshot that is a value, as in the service.

    A snapshot does not say which nodes are up, and the service always takes the nodes that fit
    best. Raises `NotSupportedError` where that matters, and for policies that the service refuses.
    """
    if cell.policy in catalogue.DRIVERS:
        raise NotSupportedError("the service does not run this policy")
    if traits(served(cell.policy)).ranking is not None:
        raise NotSupportedError("these snapshots do not say what running jobs have done")
    scenario, workload = drawn(cell, seed, jobs)
    spec = ClusterSpec.of(scenario)
    if spec.changing():
        raise NotSupportedError("nodes come and go")
    if spec.placement != BEST_FIT.name:
        raise NotSupportedError(f"the service has no placement rule {spec.placement}")
    simulation = RecordedSimulation(workload, spec, scenario.estimates.make(seed), seed=seed)
    _play_snapshots(simulation, served(cell.policy))
    return simulation.log(simulation.outcome())


def by_compiled(cell: LogCell, seed: int, jobs: int) -> Log:
    """Compiled code moves time and decides; a policy without a compiled scorer decides in Python.

    Raises `NotSupportedError` for policies of the simulator, and with the clock's own reason.
    """
    if cell.policy in catalogue.DRIVERS:
        raise NotSupportedError("the compiled clock does not play this policy")
    if traits(served(cell.policy)).ranking is not None:
        raise NotSupportedError("the compiled clock does not preempt")
    scenario, workload = drawn(cell, seed, jobs)
    spec, estimates = ClusterSpec.of(scenario), scenario.estimates.make(seed)
    policy = served(cell.policy)
    if reason := reason_against(workload, spec, estimates, policy):
        raise NotSupportedError(reason)
    simulation = CompiledSimulation(workload, spec, estimates, seed=seed, record=True)
    outcome = simulation.run(policy)
    held = simulation.held or ()
    actions = [ACTIONS[code].value for code in simulation.episode.held_action[: len(held)]]
    return log_of(zip(held, actions, strict=True), spec, outcome)


CLOCKS: Mapping[str, Callable[[LogCell, int, int], Log]] = {
    "simpy": by_simpy,
    "compiled": by_compiled,
    "service": by_snapshots,
}
"""Name → the log of a cell with a seed and a number of jobs.

Raises `NotSupportedError` for a simulation that this clock cannot run.
"""


def _play_snapshots(simulation: RecordedSimulation, policy: Policy) -> None:
    world, mode = simulation.world, mode_of(policy, simulation.spec.mode)
    committed: tuple[Reservation, ...] = ()
    while simulation.next() is not None:
        snapshot = Snapshot(simulation.now, _rebuilt(world), committed)
        plan = run_round(snapshot, policy, mode)
        committed = plan.reservations
        for placed in plan.placements:
            boot = world.boot_s(placed.pool, placed.nodes)
            end = simulation.now + boot + placed.runtime_s
            world.start(RunningAttempt(end, placed.job, placed.pool, placed.nodes, placed.memory))
        simulation.commit(plan)


def _rebuilt(world: World) -> World:
    """A copy into which what runs was put once more, as the service does before each round."""
    twin = world.copy()
    running = tuple(world.running())
    for attempt in running:
        twin.finish(attempt.job)
    twin.start_all(running)
    return twin
