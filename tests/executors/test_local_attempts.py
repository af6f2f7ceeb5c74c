"""What the local executor does for one attempt, with real processes."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace

import pytest

from scheduler.domain.resources import DeviceKind
from scheduler.executors.local import LocalExecutor
from scheduler.executors.local.records import folder as files
from scheduler.executors.local.system import memory

MIB = 1 << 20


@pytest.fixture
def executor(machine) -> LocalExecutor:
    return machine.open()


def test_worker_sees_only_what_it_was_given(machine, executor, a_cpu) -> None:
    spec = machine.spec("1.1", "look", cpus=(a_cpu,), env={"COLOUR": "blue"})
    executor.launch(spec)
    seen = machine.exited("1.1").result
    assert seen["affinity"] == [int(a_cpu)]
    assert seen["env"]["COLOUR"] == "blue"
    assert seen["env"]["OMP_NUM_THREADS"] == "1"
    assert seen["env"]["CUDA_VISIBLE_DEVICES"] == ""
    assert seen["env"]["FULCRUM_ATTEMPT"] == "1.1"
    assert seen["cwd"] == seen["env"]["FULCRUM_FOLDER"] == str(spec.folder.resolve())
    assert seen["name"] == "fulcrum-1.1"
    assert seen["leader"]
    assert set(seen["files"]) == {os.devnull, str(spec.folder.resolve() / "log.txt")}


def test_gpu_attempt_sees_its_devices_alone_and_all_cpus(machine, executor) -> None:
    executor.launch(
        machine.spec("1.1", "look", device_kind=DeviceKind.CUDA, devices=("2", "GPU-5f"))
    )
    seen = machine.exited("1.1").result
    assert seen["env"]["CUDA_VISIBLE_DEVICES"] == "2,GPU-5f"
    assert seen["env"]["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert set(seen["affinity"]) == os.sched_getaffinity(0)


def test_order_may_set_threads_but_not_devices(machine, executor, a_cpu) -> None:
    env = {"OMP_NUM_THREADS": "3", "CUDA_VISIBLE_DEVICES": "0"}
    executor.launch(machine.spec("1.1", "look", cpus=(a_cpu,), env=env))
    seen = machine.exited("1.1").result["env"]
    assert (seen["OMP_NUM_THREADS"], seen["CUDA_VISIBLE_DEVICES"]) == ("3", "")


def test_log_holds_output_and_traceback(machine, executor) -> None:
    executor.launch(machine.spec("1.1", "exit", say="grüße"))
    executor.launch(machine.spec("2.1", "raise"))
    assert machine.exited("1.1").success
    assert machine.exited("2.1").reason == "exit code 1"
    assert (machine.root / "1.1" / "log.txt").read_text() == "grüße\n"
    assert "RuntimeError: on purpose" in (machine.root / "2.1" / "log.txt").read_text()


def test_exit_record_tells_signal_time_memory_and_cpu(machine, executor) -> None:
    executor.launch(machine.spec("1.1", "die", signum=signal.SIGSEGV))
    exited = machine.exited("1.1")
    assert (exited.reason, exited.retriable, exited.lost) == ("signal SIGSEGV", True, False)
    record = files.read_exit(machine.record("1.1"))
    assert record is not None
    assert record.signal == signal.SIGSEGV
    assert record.started_at is not None
    assert record.started_at <= record.time
    assert record.pid == machine.started("1.1").pid
    assert record.max_rss_bytes > MIB
    assert record.cpu_s >= 0


def test_unknown_cpu_is_a_failure_to_start(machine, executor) -> None:
    executor.launch(machine.spec("1.1", "exit", cpus=("100000",)))
    exited = machine.exited("1.1")
    assert exited.reason.startswith("could not start: ")
    assert exited.started_at is None
    assert not machine.sink.started("1.1")


def test_folder_that_cannot_be_made_is_a_failure_to_start(machine, executor) -> None:
    (machine.root / "file").write_text("")
    spec = replace(machine.spec("1.1", "exit"), folder=machine.root / "file" / "1.1")
    executor.launch(spec)
    assert machine.exited("1.1").reason.startswith("could not start: ")


def test_work_that_json_lacks_is_a_failure_to_start(machine, executor) -> None:
    executor.launch(machine.spec("1.1", "exit", thing=object()))
    assert machine.exited("1.1").reason.startswith("could not start: ")


def test_folder_may_be_deeper_than_a_socket_address(machine) -> None:
    machine.root = machine.root / ("d" * 100) / ("e" * 100)
    machine.open().launch(machine.spec("1.1", "exit"))
    assert machine.exited("1.1").success


def test_time_limit_stops_it_even_if_it_then_ends_well(machine, executor) -> None:
    executor.launch(machine.spec("1.1", "polite", time_limit_s=0.3))
    exited = machine.exited("1.1")
    assert (exited.success, exited.reason) == (False, "time limit")


def test_memory_limit_counts_the_whole_tree(machine, executor) -> None:
    executor.launch(machine.spec("1.1", "hoard", bytes=150 * MIB, memory_bytes=100 * MIB))
    executor.launch(machine.spec("2.1", "sleep", seconds=1.2, memory_bytes=100 * MIB))
    assert machine.exited("1.1").reason == "out of memory"
    assert machine.exited("2.1").success


def test_stopping_leaves_nobody_behind(machine, executor) -> None:
    executor.launch(machine.spec("1.1", "breed"))
    children = machine.children("1")
    executor.cancel("1.1")
    assert machine.exited("1.1").reason == "cancelled"
    assert [pid for pid in children if not machine.gone(pid)] == []


def test_the_end_of_the_worker_leaves_nobody_behind(machine, executor) -> None:
    executor.launch(machine.spec("1.1", "breed", leave=True))
    assert machine.exited("1.1").success
    assert [pid for pid in machine.children("1") if not machine.gone(pid)] == []


def test_what_ignores_the_signal_is_killed_after_the_grace(machine, executor) -> None:
    executor.launch(machine.spec("1.1", "stubborn"))
    children = machine.children("1")
    executor.cancel("1.1", grace_s=600)
    executor.cancel("1.1", grace_s=0.1)  # impatience counts
    assert machine.exited("1.1").reason == "cancelled"
    assert [pid for pid in children if not machine.gone(pid)] == []
    record = files.read_exit(machine.record("1.1"))
    assert record is not None
    assert record.signal == signal.SIGKILL


def test_work_that_ends_well_on_the_signal_has_succeeded(machine, executor) -> None:
    executor.launch(machine.spec("1.1", "polite"))
    machine.children("1")
    executor.cancel("1.1", grace_s=0.2)
    exited = machine.exited("1.1")
    assert (exited.success, exited.reason) == (True, "exit code 0")


def test_a_preempted_attempt_leaves_nobody_behind(machine, executor) -> None:
    executor.launch(machine.spec("1.1", "stubborn"))
    children = machine.children("1")
    executor.preempt("1.1", grace_s=0.1)
    assert machine.exited("1.1").preempted
    assert [pid for pid in children if not machine.gone(pid)] == []


def test_a_cancellation_outweighs_a_preemption(machine, executor) -> None:
    executor.launch(machine.spec("1.1", "stubborn"))
    machine.children("1")
    executor.preempt("1.1", grace_s=600)
    executor.cancel("1.1", grace_s=0.1)
    executor.preempt("1.1", grace_s=600)
    exited = machine.exited("1.1")
    assert (exited.reason, exited.preempted) == ("cancelled", False)


def test_work_that_ends_well_although_it_is_preempted_has_succeeded(machine, executor) -> None:
    executor.launch(machine.spec("1.1", "polite"))
    machine.children("1")
    executor.preempt("1.1", grace_s=600)
    exited = machine.exited("1.1")
    assert (exited.success, exited.preempted) == (True, False)


def test_sink_that_fails_gets_the_event_again(machine) -> None:
    refused = []

    def sink(event) -> None:
        if len(refused) < 2:
            refused.append(event)
            raise OSError("database is locked")
        machine.sink(event)

    executor = LocalExecutor(
        machine.root / "run",
        preload="scheduler.testing.scripts:preload",
        target="scheduler.testing.scripts:run",
        linger_s=0.0,
        sweep_s=0.05,
    )
    machine.executors.append(executor)
    executor.start(sink)
    executor.launch(machine.spec("1.1", "exit"))
    assert machine.exited("1.1").success
    assert machine.sink.events[0] in refused


def test_without_spares_each_launch_forks(machine) -> None:
    executor = machine.open(spares=0)
    for job in range(1, 4):
        executor.launch(machine.spec(f"{job}.1", "exit"))
    assert all(machine.exited(f"{job}.1").success for job in range(1, 4))


def test_launch_returns_while_the_fork_server_warms_up(machine) -> None:
    executor = machine.open()
    begun = time.time()
    executor.launch(machine.spec("1.1", "exit"))
    executor.launch(machine.spec("2.1", "sleep"))
    executor.cancel("2.1")
    assert machine.started("1.1").time > begun
    assert machine.exited("2.1").reason == "cancelled"
    assert executor.ready.is_set()
    assert executor.health() == ()


def test_executor_that_was_never_started_can_be_closed(machine) -> None:
    LocalExecutor(machine.root / "run").close()
    assert (machine.root / "run").stat().st_mode & 0o777 == 0o700


def test_shared_pages_do_not_count_as_memory_of_each_process() -> None:
    own = os.getpid()
    resident = memory.resident([own])
    assert memory.exceeds([own], 0)
    assert not memory.exceeds([own], resident)
    assert memory.resident([own, 1 << 30]) >= resident // 2
    assert memory.oom_kills() >= 0
