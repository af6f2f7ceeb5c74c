"""The simulated cluster: SimPy inside, Gymnasium outside.

Importing this package registers the environment `Fulcrum/Cluster-v0`.
"""

from gymnasium.envs.registration import register, registry

ENV_ID = "Fulcrum/Cluster-v0"

if ENV_ID not in registry:
    register(id=ENV_ID, entry_point="envs.gym.cluster_env:ClusterEnv")
