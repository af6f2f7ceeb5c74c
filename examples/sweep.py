"""A sweep from Python: submit, wait, compare, and let the two best trials vote.

Start a service first (`fulcrum serve`), then: python examples/sweep.py
"""

from __future__ import annotations

from fulcrum import Client


def main() -> None:
    """Run the sweep and print its outcome."""
    with Client() as client:
        sweep = client.submit_sweep(
            kind="cnn-train",
            name="digits",
            project="sweep",
            work={"epochs": 5},
            sweep={
                "parameters": {"work.learning_rate": {"log": [1e-4, 1e-1]}},
                "method": "random",
                "trials": 6,
                "pruner": "asha",
            },
        )
        found = sweep.wait(timeout=600, check=True).detail()
        for trial in found.listing:
            rate = trial.parameters["work.learning_rate"]
            print(f"{rate:10.5f} {trial.state:10} {trial.value or 0.0:.3f} {trial.reason}")
        print(f"pruning saved about {found.saved_device_s:.0f} s of devices")

        best = [trial.job for trial in found.listing if trial.state == "COMPLETED"][:2]
        vote = client.infer(name="vote", project="sweep", models=best, data="digits:test")
        print(f"vote: {(vote.wait(check=True).result or {})['metrics']['accuracy']:.3f}")


if __name__ == "__main__":
    main()
