"""Simulations as lines of text, for stored logs.

Times are written to the microsecond: digits below it may differ between machines.
"""

from collections.abc import Iterator

from envs.simulator.simulation import Simulation


def placements(simulation: Simulation) -> Iterator[str]:
    """`job pool node:devices,… start end` of each ended attempt, in order of start, then job.

    The simulation must have been made with `record=True`.
    """
    for held in sorted(simulation.held, key=lambda held: (held.start, held.job)):
        pool = simulation.spec.pools[held.pool].name
        nodes = ",".join(f"{node}:{devices}" for node, devices in held.nodes)
        yield f"{held.job} {pool} {nodes} {held.start:.6f} {held.end:.6f}"
