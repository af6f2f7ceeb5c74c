"""The compiled clock: simulations that run entirely in compiled code.

`CompiledSimulation` plays what `envs.simulator.Simulation` plays, with the same placements and
figures to the last bit, and many times faster. `reason_against` says what it cannot play.
"""

from envs.clock.simulation import CompiledSimulation
from envs.clock.support import reason_against

__all__ = ["CompiledSimulation", "reason_against"]
