"""The correction as a PyTorch module, and how it learns values of jobs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from agents.training.config import Training
from agents.training.job_index.labels import JobLabels
from agents.training.worker import use_one_thread
from scheduler.arrays import Floats
from scheduler.decisions.kernel.learned.job_features import CLUSTER_WIDTH, JOB_WIDTH


class CorrectionNetwork(nn.Module):
    """The network of `scheduler.decisions.kernel.learned.job_index`; 0 for all jobs at first."""

    def __init__(self, limit: float, hidden: int, seed: int) -> None:
        super().__init__()
        self.limit = limit
        spread = torch.Generator().manual_seed(seed)
        width = JOB_WIDTH + CLUSTER_WIDTH
        first = torch.randn((hidden, width), generator=spread) / width**0.5
        self.linear = nn.Parameter(torch.zeros(JOB_WIDTH))
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.out = nn.Parameter(torch.zeros(hidden))
        self.inner = nn.Parameter(first)

    def forward(self, columns: Tensor) -> Tensor:
        """(…, job and cluster columns) → (…,) corrections within ±B."""
        return self.limit * nn.functional.softsign(self.total(columns))

    def total(self, columns: Tensor) -> Tensor:
        """The same before the last bound."""
        hidden = nn.functional.softsign(columns @ self.inner.T + self.bias)
        return columns[..., :JOB_WIDTH] @ self.linear + hidden @ self.out


def fitted(labels: JobLabels, config: Training) -> Floats:
    """The weights of the index without B, in the kernel's order: the mean of `members` networks.

    Units of all members stand side by side, so the mean is one network, too (deep ensembles:
    Lakshminarayanan, Pritzel, Blundell, NeurIPS 2017). Seeded.
    """
    use_one_thread()
    count = config.members
    seeds = range(count * config.seed, count * (config.seed + 1))
    networks = [fitted_member(labels, config, seed) for seed in seeds]
    linear, bias, out, inner = (
        np.stack([getattr(network, name).detach().numpy() for network in networks])
        for name in ("linear", "bias", "out", "inner")
    )
    inner = inner.reshape(-1, inner.shape[-1])
    parts = (
        linear.mean(axis=0),
        bias.ravel(),
        out.ravel() / count,
        inner[:, :JOB_WIDTH].ravel(),
        inner[:, JOB_WIDTH:].ravel(),
    )
    return np.concatenate(parts).astype(np.float64)


def fitted_member(labels: JobLabels, config: Training, seed: int) -> CorrectionNetwork:
    """A correction whose softmax over the candidates has the greatest gain: Σ π · A.

    A: gains against the policy's own choice, clipped. Seeded.
    """
    network = CorrectionNetwork(config.correction_limit, config.hidden // config.members, seed)
    columns, bases, gains = (
        torch.as_tensor(values, dtype=torch.float32)
        for values in (labels.columns, labels.bases, labels.advantages(config.clip_gain))
    )
    absent = torch.as_tensor(np.isnan(labels.gains))
    shuffle = torch.Generator().manual_seed(seed + 1)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=config.fit_rate, weight_decay=config.fit_decay
    )
    steps = config.fit_epochs * -(-len(gains) // config.fit_batch)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.05, steps)
    for _ in range(config.fit_epochs):
        order = torch.randperm(len(gains), generator=shuffle)
        for batch in torch.split(order, config.fit_batch):
            scores = (bases[batch] + network(columns[batch])) / config.temperature
            chosen = torch.softmax(scores.masked_fill(absent[batch], -torch.inf), dim=1)
            loss = -(chosen * gains[batch]).sum(1).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return network
