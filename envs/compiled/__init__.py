"""A compiled simulation and encoding for rigid jobs on one pool, many episodes at once.

Where every job has one placement and the pool is one node that never changes, a simulation does no
more between two decisions than a few loops over its queue. Compiled, they take less time than the
network. Tests compare this package with `envs.gym.cluster_env` decision by decision: it gives the
same results, faster.
"""

from envs.compiled.facts import Facts, facts, suits
from envs.compiled.stepping import places
from envs.compiled.worlds import Worlds

__all__ = ["Facts", "Worlds", "facts", "places", "suits"]
