"""A policy that ends the process is given up, and the service says so."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from scheduler import bootstrap
from scheduler.domain.errors import InputError
from scheduler.policies import lookup
from scheduler.policies.heuristics import HEURISTICS
from scheduler.service.policy_control.crash_marks import MOST, CrashMarks

# What a plugged-in policy may do, in a process of its own.
DIES = """
import os, sys
from pathlib import Path
from scheduler.policies import lookup
from scheduler.service.policy_control.crash_marks import CrashMarks

class Boom:
    name, stable = "boom", True
    def scores(self, table):
        os._exit(7)

def named(name):
    return Boom() if name == "boom" else lookup.named("fcfs")

crashes = CrashMarks(Path(sys.argv[1]), named, lookup.builtin)
if "boom" in crashes.refused:
    sys.exit(0)
calm = crashes.policy("calm")
crashes.policy("boom").scores(None)
"""


class Calm:
    """Of another distribution."""

    name, stable, mode = "calm", True, None

    def scores(self, table):
        return np.zeros(len(table))


def named(name):
    return HEURISTICS[name] if name in HEURISTICS else Calm()


def start(path):
    return subprocess.run([sys.executable, "-c", DIES, str(path)], check=False).returncode


def made(path):
    return CrashMarks(path, named, lookup.builtin)


def test_a_policy_that_ends_the_process_is_given_up_and_pardoned(tmp_path):
    path = tmp_path / "policy.mark"
    assert [start(path) for _ in range(MOST + 2)] == [7] * MOST + [0, 0]
    crashes = made(path)
    assert crashes.refused == ("boom",)
    with pytest.raises(InputError, match="policy boom has ended the service 3 times"):
        crashes.policy("boom")
    # Others decide meanwhile, over restarts; it stays refused until a person chooses it.
    assert crashes.policy("calm").scores([1, 2]).tolist() == [0, 0]
    crashes.close()
    crashes = made(path)
    assert crashes.refused == ("boom",)
    crashes.readmit("boom")
    crashes.policy("boom")
    crashes.close()
    assert made(path).refused == ()


def test_a_death_outside_the_policy_does_not_count(tmp_path):
    path = tmp_path / "policy.mark"
    assert [start(path) for _ in range(MOST - 1)] == [7] * (MOST - 1)
    made(path).policy("calm")  # and the process ends somewhere else
    assert start(path) == 7
    assert made(path).refused == ()


def test_an_unwritable_folder_costs_the_mark_alone(tmp_path):
    (tmp_path / "file").write_text("")
    crashes = made(tmp_path / "file" / "policy.mark")
    assert crashes.policy("calm").scores([1]).tolist() == [0]
    assert crashes.policy("fcfs") is HEURISTICS["fcfs"]


def test_the_service_starts_with_the_fallback_and_says_so(tmp_path, build, caplog):
    (tmp_path / "policy.refused").write_text("learned:boom\n")
    world = build(policy="learned:boom")
    assert world.service.policy_control.view().name == bootstrap.FALLBACK
    assert "policy learned:boom has ended the service 3 times" in caplog.text
