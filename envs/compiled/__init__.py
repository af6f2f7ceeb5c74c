"""Rigid jobs on one pool, many worlds at once: a compiled twin of simulation and encoding.

Where every job has one placement and the pool is one node that never changes, all that a world
does between two decisions is a few loops over its queue. Compiled, they take so little time that
the network is what a training waits for. Tests hold the twin against `envs.gym.cluster_env`,
decision by decision: it is an optimisation, never another world.
"""

from envs.compiled.facts import Facts, facts, suits
from envs.compiled.stepping import places
from envs.compiled.worlds import Worlds

__all__ = ["Facts", "Worlds", "facts", "places", "suits"]
