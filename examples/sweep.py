"""A small sweep from Python: submit, wait, compare, and let the two best vote.

Start a service first (`fulcrum serve`), then: python examples/sweep.py
"""

from __future__ import annotations

from fulcrum import Client, JobHandle


def accuracy(job: JobHandle) -> float:
    """Of the test images."""
    return float((job.result or {})["metrics"]["accuracy"])


def main() -> None:
    """Run the sweep and print its outcome."""
    with Client() as client:
        jobs = [
            client.train(name=f"lr-{rate}", project="sweep", epochs=5, learning_rate=rate)
            for rate in (0.0003, 0.001, 0.003)
        ]
        client.wait(jobs, timeout=600, check=True)
        jobs.sort(key=accuracy, reverse=True)
        for job in jobs:
            print(f"{job.name:10} {accuracy(job):.3f}")

        vote = client.infer(name="vote", project="sweep", models=jobs[:2], data="digits:test")
        print(f"{vote.name:10} {accuracy(vote.wait(check=True)):.3f}")


if __name__ == "__main__":
    main()
