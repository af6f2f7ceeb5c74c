"""The answers of an inference, and what they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from scheduler.arrays import Floats32
from scheduler.workloads.image_folders import folders
from scheduler.workloads.scoring import class_scores
from scheduler.workloads.scoring.class_scores import ClassScores


@dataclass(frozen=True, slots=True)
class BatchAnswers:
    """What one rank has found out about one batch."""

    items: Sequence[tuple[str, int | None]] = ()
    """Name of each image, and the index of its class, if it is known."""
    chances: Floats32 | None = None
    """(images, classes): the mean of the models' probabilities."""
    votes: Sequence[Sequence[int]] = ()
    """For each model, the class that it alone gives to each image."""
    bad: Sequence[folders.Skipped] = ()
    seconds: float = 0.0


class Findings:
    """What the batches of all ranks add up to."""

    def __init__(self, skipped: list[str], voters: int) -> None:
        self.skipped = skipped
        """Names of images that were left out."""
        self.sizes: list[int] = []
        self.truths: list[int] = []
        """Classes of the images whose class is known."""
        self._answers: list[int] = []
        self._votes: list[list[int]] = [[] for _ in range(voters)]
        """Of the same images: what all models say together, and each alone."""
        self._latencies: list[float] = []
        self._elapsed = 0.0

    def add(self, together: Sequence[BatchAnswers]) -> None:
        """Batches that the ranks worked on at the same time."""
        for one in together:
            self.skipped += [name for name, _ in one.bad]
            if one.chances is None:
                continue
            self._latencies.append(one.seconds)
            self.sizes.append(len(one.items))
            answers = one.chances.argmax(1).tolist()
            for at, (_, truth) in enumerate(one.items):
                if truth is None:
                    continue
                self.truths.append(truth)
                self._answers.append(answers[at])
                for votes, own in zip(self._votes, one.votes, strict=True):
                    votes.append(own[at])
        self._elapsed += max((one.seconds for one in together), default=0.0)

    def figures(self) -> dict[str, float]:
        """Images per second, and percentiles of the time from file to label."""
        batches = np.asarray(self._latencies) * 1e3
        images = batches / np.asarray(self.sizes)
        found = {"images_per_s": float(sum(self.sizes) / max(self._elapsed, 1e-9))}
        for percent in (50, 95):
            found[f"latency_batch_p{percent}_ms"] = float(np.percentile(batches, percent))
            found[f"latency_image_p{percent}_ms"] = float(np.percentile(images, percent))
        return found

    def scores(self, classes: int) -> ClassScores:
        """Of the images whose class is known; there must be one."""
        metrics = class_scores.collection(classes, sync=False)  # rank 0 has all answers
        metrics.update(torch.tensor(self._answers), torch.tensor(self.truths))
        return class_scores.scores(metrics.compute())

    def accuracies(self) -> list[float]:
        """The accuracy of each model alone, on the same images."""
        truths = np.asarray(self.truths)
        return [float((np.asarray(votes) == truths).mean()) for votes in self._votes]
