"""What the bridge is started with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

NODE_LABEL = "fulcrum/node"
"""A Ray node with this label belongs to Fulcrum; its value is the node's name."""


@dataclass(frozen=True, slots=True)
class BridgeConfig:
    """It travels on the bridge's command line, so it holds no secret."""

    address: str
    """Of the head, as `ray.init` takes it."""
    namespace: str
    """Of the agents. Each service has its own, or else they would stop each other's attempts."""
    opener: str
    """`module:function` that opens an agent on a node, from `agent` and the node's name."""
    digest: str
    """Of the service's code: agents of other code are replaced."""
    agent: Mapping[str, Any] = field(default_factory=dict)
    """What the opener needs besides, as a JSON object."""

    def encode(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self))
