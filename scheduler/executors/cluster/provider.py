"""The provider's port: what boots and releases the machines of elastic pools.

Obligations of every implementation:

- **Idempotent.** `provide` may be told the same again at any time, also by a service that starts
  again.
- **Named.** A machine that was booted gets the name of a node that is wanted and has none. It
  keeps the name until the node is no longer wanted or the machine is gone, and becomes a member
  under it (`NodeMembers`).
- **Frugal.** A machine that no wanted node needs is given back; nothing of Fulcrum stays on it.
- **Patient.** Before the first `provide` nothing is released: machines that an earlier service
  wanted are members again.
- **Candid.** A machine that will be taken away is in `NodeMembers.leaving` as soon as that is
  known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from scheduler.domain.elastic_pools import ElasticPool


class NodeProvider(Protocol):
    """Boots machines and gives them back."""

    def provide(self, wanted: Mapping[str, ElasticPool]) -> None:
        """From now on, have a machine for each of these nodes, and no other; returns at once."""
