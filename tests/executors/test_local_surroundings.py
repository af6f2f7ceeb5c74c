"""What jobs see of the service that starts them: variables, CPUs, folders, time to end."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from scheduler.executors import environment
from scheduler.executors.local.records import folder as files
from tests.support.waiting import PATIENCE_S

SAVING = "echo told >> $SHARED/told; until [ -e $SHARED/gate ]; do sleep 0.02; done; exit 0"
SCRIPT = f"trap '{SAVING}' TERM; touch $SHARED/ready; while :; do sleep 0.02; done"


def _seen(machine, attempt: str) -> dict[str, str]:
    seen: dict[str, str] = machine.exited(attempt).result["env"]
    return seen


def test_jobs_get_the_listed_variables_and_never_the_services_own(machine, monkeypatch) -> None:
    for name in ("LC_TIME", "AWS_REGION", "DATABASE_PASSWORD", "FULCRUM_TOKEN", "FULCRUM_DATA"):
        monkeypatch.setenv(name, name.lower())
    machine.open(pass_env=("AWS_*", "F*")).launch(machine.spec("1.1", "look"))
    seen = _seen(machine, "1.1")
    assert (seen["LC_TIME"], seen["AWS_REGION"]) == ("lc_time", "aws_region")
    assert seen["FULCRUM_DATA"] == "fulcrum_data"
    assert seen["PATH"] == os.environ["PATH"]
    assert not {"DATABASE_PASSWORD", "FULCRUM_TOKEN"} & set(seen)


def test_variables_of_the_fork_servers_libraries_do_not_reach_jobs(machine) -> None:
    machine.open(preload="scheduler.testing.scripts:setting_preload").launch(
        machine.spec("1.1", "look")
    )
    seen = _seen(machine, "1.1")
    assert not {"TORCHINDUCTOR_CACHE_DIR", "PYTORCH_NVML_BASED_CUDA_CHECK"} & set(seen)


def test_jobs_of_a_restarted_service_see_its_new_variables(machine, monkeypatch) -> None:
    monkeypatch.setenv("LC_TIME", "old")
    before = machine.open(linger_s=60.0)
    before.launch(machine.spec("1.1", "look"))
    assert _seen(machine, "1.1")["LC_TIME"] == "old"
    before.close()
    monkeypatch.setenv("LC_TIME", "new")
    machine.open(linger_s=60.0).launch(machine.spec("2.1", "look"))
    assert _seen(machine, "2.1")["LC_TIME"] == "new"


def test_fork_server_starts_although_the_services_start_folder_is_gone(
    machine, monkeypatch, tmp_path: Path
) -> None:
    start = tmp_path / "start"
    start.mkdir()
    monkeypatch.chdir(start)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    before = machine.open(linger_s=0.0)
    assert before.ready.wait(PATIENCE_S)
    start.rmdir()
    os.kill(machine.fork_server(), signal.SIGKILL)
    before.launch(machine.spec("1.1", "exit"))
    assert machine.exited("1.1").success
    before.close()
    machine.open().launch(machine.spec("2.1", "exit"))
    assert machine.exited("2.1").success


def test_without_pins_an_attempt_may_use_every_cpu_but_not_more_threads(machine, a_cpu) -> None:
    machine.open(pin=False).launch(machine.spec("1.1", "look", cpus=(a_cpu,)))
    seen = machine.exited("1.1").result
    assert set(seen["affinity"]) == os.sched_getaffinity(0)
    assert seen["env"]["OMP_NUM_THREADS"] == "1"


@pytest.mark.parametrize("cause", ["cancelled", "time limit"])
def test_a_program_has_the_whole_grace_and_is_asked_once(machine, cause: str) -> None:
    executor = machine.open(target="scheduler.workloads.run:run", grace_s=600.0)
    limit = 0.5 if cause == "time limit" else None
    spec = machine.spec("1.1", "", time_limit_s=limit)
    work = {
        "argv": ["sh", "-c", SCRIPT],
        "env": {"SHARED": str(spec.shared)},
    }
    executor.launch(replace(spec, work=work))
    machine.until((spec.shared / "ready").exists)
    if cause == "cancelled":
        executor.cancel("1.1", grace_s=600.0)
    machine.until((spec.shared / "told").exists)
    (spec.shared / "gate").touch()
    assert machine.exited("1.1").reason == cause
    assert (spec.shared / "told").read_text() == "told\n"
    record = files.read_exit(machine.record("1.1"))
    assert record is not None
    assert record.signal is None  # nobody had to kill it


def test_the_grace_ends_at_the_time_limit_too(machine) -> None:
    machine.open(grace_s=0.1).launch(machine.spec("1.1", "stubborn", time_limit_s=0.3))
    assert machine.exited("1.1").reason == "time limit"
    record = files.read_exit(machine.record("1.1"))
    assert record is not None
    assert record.signal == signal.SIGKILL


def test_an_endless_log_keeps_its_beginning_and_its_end(machine) -> None:
    lines = [f"line {number}" for number in range(20_000)]
    machine.open(log_bytes=10_000).launch(machine.spec("1.1", "exit", say="\n".join(lines)))
    assert machine.exited("1.1").success
    kept = (machine.root / "1.1" / "log.txt").read_text()
    assert len(kept) < 10_000
    assert kept.startswith("line 0\nline 1\n")
    assert kept.endswith("\nline 19999\n")
    assert "bytes left out, the limit is 10000 bytes …" in kept


@pytest.mark.parametrize("name", ["FULCRUM_TOKEN", "FULCRUM_*", "a b", "", "A=1"])
def test_what_names_no_variable_of_a_job_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"jobs never get|is no variable"):
        environment.check_pattern(name)
    assert environment.check_pattern("*") == "*"
    assert environment.passed({"FULCRUM_TOKEN": "x", "MINE": "y"}, ["*"]) == {"MINE": "y"}
