"""What a measurement of `benchmarks.policy` looks like."""


def entry(runs, **changes):
    """What a measurement of one setting looks like."""
    regime = {"utilisation": 0.8, "queue_mean": 20.0, "queue_max": 60.0, "waiting": 0.6}
    return {
        "title": "here", "w": 0.5, "workloads": 8, "jobs": 1000, "distinct": 8, "alike": False,
        "tuned": "wgc:mixed-cloud", "regime": regime, "objective": runs,
    } | changes  # fmt: skip
