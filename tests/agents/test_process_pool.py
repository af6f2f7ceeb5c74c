"""A pool: the same results in the same order with any number of processes, and none left behind."""

import itertools
import os
import signal
import subprocess
import sys

import psutil
import pytest

from agents.process_pool import ProcessPool
from scheduler.domain.errors import OutageError
from tests.support.waiting import PATIENCE_S

WORKERS = (1, 2)


def scaled(bench, task):
    return bench * task


def who(_, task):
    return os.getpid(), task


def gone(_, task):
    os.kill(os.getpid(), signal.SIGKILL)


def refused(_, task):
    if task == 3:
        raise ValueError("three")
    return task


@pytest.mark.parametrize("workers", WORKERS)
def test_results_come_in_the_order_of_the_tasks(workers):
    with ProcessPool(10, workers) as pool:
        assert list(pool.map(scaled, range(50))) == [10 * task for task in range(50)]
        assert list(pool.map(scaled, [])) == []


@pytest.mark.parametrize("workers", WORKERS)
def test_of_endless_tasks_few_more_are_begun_than_heard_of(workers):
    drawn = itertools.count()
    with ProcessPool(1, workers) as pool:
        heard = list(itertools.islice(pool.map(scaled, drawn), 5))
        assert heard == [0, 1, 2, 3, 4]
        assert next(drawn) <= 5 + 2 * workers
        assert list(pool.map(scaled, [7])) == [7]


@pytest.mark.parametrize("workers", WORKERS)
def test_what_a_task_raises_is_raised_in_its_turn(workers):
    with ProcessPool(None, workers) as pool:
        results = pool.map(refused, range(10))
        assert list(itertools.islice(results, 3)) == [0, 1, 2]
        with pytest.raises(ValueError, match="three"):
            next(results)


def test_a_worker_that_dies_is_told_of():
    with pytest.raises(OutageError, match="died") as caught, ProcessPool(None, 2) as pool:
        list(pool.map(gone, [1]))
    assert "workers" in caught.value.fields


def test_one_is_this_process_and_several_are_others():
    with ProcessPool(None) as pool:
        assert dict(pool.map(who, range(3))).keys() == {os.getpid()}
    with ProcessPool(None, 2) as pool:
        assert os.getpid() not in dict(pool.map(who, range(9)))


ENDLESS = """
import itertools
from agents.process_pool import ProcessPool
from scheduler.domain.errors import OutageError
from tests.agents.test_process_pool import who
with ProcessPool(None, 2) as pool:
    for pid, _ in pool.map(who, itertools.count()):
        print(pid, flush=True)
"""


def test_workers_end_with_a_process_that_is_killed():
    parent = subprocess.Popen([sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE, text=True)
    worker = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    assert not psutil.wait_procs([worker], timeout=PATIENCE_S)[1]
