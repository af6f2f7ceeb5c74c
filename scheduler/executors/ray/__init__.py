"""Ray as the transport of a cluster: membership, one agent per node, calls.

The service imports no Ray: a driver whose head is away for a minute is ended by Ray, without an
exception, so the only driver is a child process, the bridge.
"""

from scheduler.executors.ray.transport import RayTransport

__all__ = ["RayTransport"]
