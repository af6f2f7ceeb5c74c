"""Rigid jobs on one pool, many worlds at once: a compiled twin of simulation and encoding.

Where every job has one placement and the pool is one node that never changes, all that a world
does between two decisions is a few loops over its queue. Compiled, they take so little time that
the network is what a training waits for. Tests hold the twin against `envs.cluster_env`, decision
by decision: it is an optimisation, never another world.
"""

from envs.rigid.facts import Facts, facts, suits
from envs.rigid.walking import places
from envs.rigid.worlds import Worlds

__all__ = ["Facts", "Worlds", "facts", "places", "suits"]
