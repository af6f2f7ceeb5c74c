"""Examples of the bodies of requests."""

from __future__ import annotations

from typing import Any

JOBS: dict[str, Any] = {
    "train": {
        "summary": "Train on the handwritten digits",
        "value": {
            "kind": "cnn-train",
            "name": "digits",
            "work": {"model": "simple-cnn", "dataset": "digits", "epochs": 10},
            "width": "1..2",
            "deadline": "+30m",
            "preference": "balanced",
        },
    },
    "infer": {
        "summary": "Classify a folder with the model of job 17",
        "value": {"kind": "cnn-infer", "work": {"models": [17], "data": "folder:/data/inbox"}},
    },
    "command": {
        "summary": "Run any program",
        "value": {
            "kind": "command",
            "work": {"argv": ["python", "train.py", "--epochs", "3"], "cwd": "/home/ada/project"},
            "devices": ["cuda"],
            "memory": "4GiB",
            "max_duration": "2h",
            "retry": {"max_attempts": 3},
        },
    },
}
BATCHES: dict[str, Any] = {
    "train-and-infer": {
        "summary": "Train, then classify with the result",
        "value": {
            "jobs": [
                {"kind": "cnn-train", "name": "digits", "work": {"epochs": 10}},
                {"kind": "cnn-infer", "work": {"models": ["digits"], "data": "digits:test"}},
            ]
        },
    }
}
SWEEPS: dict[str, Any] = {
    "training": {
        "summary": "Search the learning rate and the batch size",
        "value": {
            "kind": "cnn-train",
            "name": "digits",
            "work": {"epochs": 10},
            "sweep": {
                "parameters": {
                    "work.learning_rate": {"log": [1e-4, 1e-1]},
                    "work.batch_size": [32, 64],
                },
                "method": "tpe",
                "trials": 20,
                "pruner": "median",
            },
        },
    },
    "command": {
        "summary": "Try a program's option",
        "value": {
            "kind": "command",
            "work": {"argv": ["python", "train.py", "--lr", "{lr}"], "cwd": "/home/ada/project"},
            "sweep": {"parameters": {"lr": [0.1, 0.01]}, "method": "grid", "metric": "loss"},
        },
    },
}
UPDATES: dict[str, Any] = {
    "urgent": {"value": {"priority": 90, "preference": "fast", "deadline": "+2h"}}
}
CANCELS: dict[str, Any] = {"reason": {"value": {"reason": "wrong learning rate"}}}
PREEMPTIONS: dict[str, Any] = {"reason": {"value": {"reason": "maintenance of the node"}}}
REPEATS: dict[str, Any] = {"from-scratch": {"value": {"from_scratch": True}}}
DRAINS: dict[str, Any] = {"reason": {"value": {"reason": "new fans"}}}
CANCEL_JOBS: dict[str, Any] = {
    "queued": {"summary": "What waits of a project",
               "value": {"state": ["QUEUED"], "project": "vision", "reason": "wrong data"}},
    "everything": {"summary": "All live jobs", "value": {"everything": True, "dry_run": True}},
}  # fmt: skip
PROJECTS: dict[str, Any] = {
    "share": {"value": {"share": 3}},
    "quotas": {"value": {"hard": {"devices": 4}, "soft": {"dollars_per_day": 5}}},
}
SECRETS: dict[str, Any] = {"token": {"value": {"value": "hf_nXq2uG"}}}
PREFERENCES: dict[str, Any] = {
    "both": {"value": {"cluster": "cheap", "projects": {"vision": "fast", "nlp": None}}}
}
PRUNES: dict[str, Any] = {
    "dry": {"value": {"what": ["logs", "checkpoints"], "older_than": "30d", "dry_run": True}},
    "size": {"value": {"keep_bytes": "50GiB"}},
}
SCHEDULES: dict[str, Any] = {
    "one-point": {"value": {"text": "[[at]]\nw = 0.5\nconstants = { congestion = 0.5 }\n"}}
}
_FEW_STEPS = {"steps": 300_000, "options": {"learning_rate": 0.0005}, "job": {"width": 4}}
TRAININGS: dict[str, Any] = {
    "scenario": {"value": {"name": "our-lab", "scenario": "lab", **_FEW_STEPS}},
    "history": {"value": {"name": "our-lab", "from_history": True, "since": "30d"}},
    "nightly": {"value": {"name": "our-lab", "from_history": True, "algo": "cmaes", "every": "1d"}},
}
STUDIES: dict[str, Any] = {"lab": {"value": {"name": "first", "scenario": "lab", "trials": 20}}}
TUNINGS: dict[str, Any] = {"lab": {"value": {"name": "our-lab", "scenario": "lab"}}}
PROMOTIONS: dict[str, Any] = {"use": {"value": {"use": True, "workloads": 48}}}
FITS: dict[str, Any] = {"learned": {"value": {"name": "learned:fulcrum"}}}
POLICIES: dict[str, Any] = {"sjf": {"value": {"name": "sjf", "mode": "easy"}}}
SESSIONS: dict[str, Any] = {
    "token": {"value": {"token": "kd0vF3l0yYx2mB1qk2b5pGJtqUu7o1yq3v9w0r8s2uE"}}
}
