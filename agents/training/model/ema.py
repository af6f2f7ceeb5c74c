"""Weights averaged over rollouts: one set of weights is luck, their mean is steadier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Exponential moving average of a module's parameters.

    Polyak, Juditsky, "Acceleration of stochastic approximation by averaging", 1992; with the bias
    correction of Kingma, Ba, "Adam", 2015: the first updates are not drawn towards the beginning.
    """

    def __init__(self, module: nn.Module, keep: float) -> None:
        self._module = module
        self._keep = keep
        self._sum = {name: torch.zeros_like(value) for name, value in _weights(module).items()}
        self._mass = 0.0

    def update(self) -> None:
        """Take in the module's present weights."""
        for name, value in _weights(self._module).items():
            self._sum[name].mul_(self._keep).add_(value, alpha=1 - self._keep)
        self._mass = self._keep * self._mass + 1 - self._keep

    def weights(self) -> dict[str, Tensor]:
        """The average; the module's own before the first update."""
        if not self._mass:
            return {name: value.clone() for name, value in _weights(self._module).items()}
        return {name: value / self._mass for name, value in self._sum.items()}

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The module has the averaged weights inside, and its own again afterwards."""
        own = {name: value.clone() for name, value in _weights(self._module).items()}
        self._module.load_state_dict(self.weights())
        try:
            yield
        finally:
            self._module.load_state_dict(own)

    def state(self) -> dict[str, object]:
        """For `torch.save`."""
        return {"sum": self._sum, "mass": self._mass}

    def restore(self, state: Mapping[str, object]) -> None:
        """What `state` gave."""
        self._sum = dict(state["sum"])  # type: ignore[call-overload]
        self._mass = float(state["mass"])  # type: ignore[arg-type]


def _weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in module.state_dict().items()}
