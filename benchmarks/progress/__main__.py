"""What a service says of running trainings, against what they really did.

python -m benchmarks.progress [--trainings 4] [--at-once 1] [--json [FILE]]

Real trainings run through a service of their own, with its first estimates: nothing like them has
run before. Every quarter of a second the benchmark asks how far each is. When one has ended, its
true runtime is known. The benchmark then prints what was said at 25, 50 and 75 % of that time: the
share that was reported, the seconds left that were said, and the seconds that were really left. The
error of the time left is (said − real) ÷ whole runtime. `estimate alone` is the same for the
estimate from before the start, without any report.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from api.client import Client, JobHandle
from api.local_service import private_service
from benchmarks.arguments import add_json, parser, write_json

SHARES = (0.25, 0.5, 0.75)
"""Of the true runtime."""
EVERY_S = 0.25
TRAININGS: Sequence[Mapping[str, Any]] = (
    {"name": "small batches", "epochs": 25, "batch_size": 16},
    {"name": "no validation", "epochs": 60, "batch_size": 64, "validation_fraction": 0.0},
    {"name": "augmented", "epochs": 10, "augmentation": {"rotation": 20, "flip": True}},
    {"name": "resnet18", "model": "resnet18", "image_size": 32, "epochs": 3, "limit": 500},
)


@dataclass(frozen=True, slots=True)
class Sample:
    """What the service said of one training at one moment."""

    elapsed_s: float
    """Since the attempt started."""
    fraction: float
    left_s: float


@dataclass(frozen=True, slots=True)
class Line:
    """One training at one share of its true runtime."""

    name: str
    runtime_s: float
    share: float
    said_share: float
    said_left_s: float
    real_left_s: float
    estimate_left_s: float
    """By the estimate from before the start alone."""

    @property
    def error(self) -> float:
        """Of the time left, as a share of the whole runtime."""
        return (self.said_left_s - self.real_left_s) / self.runtime_s

    @property
    def estimate_error(self) -> float:
        """Of the estimate alone."""
        return (self.estimate_left_s - self.real_left_s) / self.runtime_s


def watch(client: Client, trainings: Sequence[Mapping[str, Any]], at_once: int) -> list[Line]:
    """Run the trainings, `at_once` at a time, and hold what was said against what was."""
    found: list[Line] = []
    for first in range(0, len(trainings), at_once):
        batch = trainings[first : first + at_once]
        jobs = [client.train(dataset="digits", **work) for work in batch]
        samples: dict[int, list[Sample]] = {job.id: [] for job in jobs}
        while not all(job.done for job in jobs):
            time.sleep(EVERY_S)
            for job in jobs:
                samples[job.id] += sampled(job)
        for job in jobs:
            if not job.succeeded:
                raise RuntimeError(f"job {job.id} ended {job.state}: {job.reason}")
            found += lines(job, samples[job.id])
    return found


def sampled(job: JobHandle) -> Iterator[Sample]:
    """What is said of the job now; nothing if it does not run."""
    if job.done:
        return
    info = job.detail()
    run, now = info.running, time.time()
    if run is not None and info.started_at is not None:
        yield Sample(now - info.started_at.timestamp(), run.fraction or 0.0, run.left_s)


def lines(job: JobHandle, samples: Sequence[Sample]) -> Iterator[Line]:
    """The samples that are nearest to the shares of the true runtime."""
    attempt = job.attempts[-1]
    assert attempt.started_at is not None
    assert attempt.finished_at is not None
    runtime = (attempt.finished_at - attempt.started_at).total_seconds()
    for share in SHARES:
        moment = share * runtime
        nearest = min(samples, key=lambda one: abs(one.elapsed_s - moment))
        yield Line(
            name=job.name,
            runtime_s=runtime,
            share=share,
            said_share=nearest.fraction,
            said_left_s=nearest.left_s,
            real_left_s=runtime - nearest.elapsed_s,
            estimate_left_s=max(0.0, attempt.estimate.runtime_s - nearest.elapsed_s),
        )


def report(found: Sequence[Line]) -> str:
    """A table for people."""
    text = [
        f"{'training':<16}{'ran':>8}{'real':>7}{'said':>7}{'left, said':>12}{'left, real':>12}"
        f"{'error':>8}{'estimate alone':>16}"
    ]
    text += [
        f"{one.name:<16}{one.runtime_s:>6.1f} s{one.share:>7.0%}{one.said_share:>7.0%}"
        f"{one.said_left_s:>10.1f} s{one.real_left_s:>10.1f} s{one.error:>+8.0%}"
        f"{one.estimate_error:>+16.0%}"
        for one in found
    ]
    for share in SHARES:
        here = [one for one in found if one.share == share]
        said = statistics.median(abs(one.error) for one in here)
        alone = statistics.median(abs(one.estimate_error) for one in here)
        text.append(f"median error at {share:.0%}: {said:.1%}; of the estimate alone {alone:.1%}")
    return "\n".join(text)


def main(given: Sequence[str] | None = None) -> None:
    """Measure and print."""
    own = parser(__doc__, "progress")
    own.add_argument("--trainings", type=int, default=len(TRAININGS), help="the first so many")
    own.add_argument("--at-once", type=int, default=1, help="submitted together (default: 1)")
    add_json(own)
    chosen = own.parse_args(given)
    with (
        tempfile.TemporaryDirectory(prefix="fulcrum-bench-") as folder,
        private_service(Path(folder), {"FULCRUM_FIT": "false"}) as client,
    ):
        found = watch(client, TRAININGS[: chosen.trainings], chosen.at_once)
    if chosen.json is not None:
        write_json([{**asdict(one), "error": one.error} for one in found], chosen.json)
    if chosen.json is None or str(chosen.json) != "-":
        print(report(found))


if __name__ == "__main__":
    main()
