"""What the bridge is started with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

NODE_LABEL = "fulcrum/node"
"""A Ray node with this label belongs to Fulcrum; its value is the node's name."""
HEAD_LABEL = "fulcrum/head"
"""A head that Fulcrum started has it; its value is the port."""


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
    """Of the service's code."""
    agent: Mapping[str, Any] = field(default_factory=dict)
    """What the opener needs besides, as a JSON object."""

    @property
    def version(self) -> str:
        """Of the code and of what the agents need: agents of another version are replaced."""
        text = json.dumps([self.digest, self.opener, dict(self.agent)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def encode(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self))
