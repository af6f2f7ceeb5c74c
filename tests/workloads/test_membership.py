"""How parts meet and learn of each other's end, with real stores and without their work."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from torch.distributed import PrefixStore, TCPStore

from scheduler.workloads.distributed import membership, rendezvous
from scheduler.workloads.distributed.membership import Failure, Membership
from scheduler.workloads.distributed.rendezvous import RendezvousError
from tests.support.waiting import PATIENCE_S
from tests.workloads.test_ranks import spec


@pytest.fixture(autouse=True)
def _loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FULCRUM_NODE_ADDRESS", "127.0.0.1")
    monkeypatch.setattr(membership, "TURN_S", 0.02)


@pytest.fixture
def store() -> TCPStore:
    return TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)


def until(found: Callable[[], Failure | None]) -> Failure:
    deadline = time.monotonic() + PATIENCE_S
    while (failure := found()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return failure


def member(store: TCPStore, part: int) -> Membership:
    own = TCPStore("127.0.0.1", store.port, is_master=False, wait_for_workers=False)
    return Membership(own, part, (0, 4), ("a", "b"))


def test_all_parts_agree_on_the_first_failure(store: TCPStore) -> None:
    first, second = member(store, 0), member(store, 1)
    second.report(second.named(Failure(5, 137, {"error": "signal SIGKILL"})))
    told = until(lambda: first.failure)
    assert told == until(lambda: second.failure)
    assert (told.rank, told.code) == (5, 137)
    assert told.result == {"error": "rank 5 on b: signal SIGKILL"}
    first.report(Failure(0, 1, {"error": "a consequence"}))
    second.leave()
    first.leave()
    assert first.failure == told


def test_a_part_that_gives_no_sign_of_life_is_lost(
    store: TCPStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "SILENCE_S", 0.3)
    first = member(store, 0)
    failure = until(lambda: first.failure)
    assert failure.result["error"] == "rank 4 on b was lost: nothing was heard of it for 0.3 s"
    first.leave()


def test_a_part_that_has_left_is_not_lost(store: TCPStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = member(store, 0), member(store, 1)
    second.leave()
    monkeypatch.setattr(membership, "SILENCE_S", 0.1)
    time.sleep(0.3)
    assert first.silent(0.2) is None
    first.leave()


def test_a_first_part_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = {"address": "127.0.0.1", "port": mute.getsockname()[1], "nonce": "n"}
        (tmp_path / rendezvous.FILE).write_text(json.dumps(address))
        second = replace(spec(1, 1, rank=1), folder=tmp_path)
        with pytest.raises(RendezvousError, match="rank 0 on a cannot be reached at"):
            rendezvous.join(second, 1.0)


def test_the_first_part_opens_a_store_on_its_address_only(tmp_path: Path) -> None:
    here = replace(spec(1, 1), folder=tmp_path)
    meeting, own = rendezvous.host(here)
    found, other = rendezvous.join(replace(here, rank=1))
    assert found == meeting
    own.set("x", "1")
    assert other.get("x") == b"1"
    raw = TCPStore("127.0.0.1", meeting.port, is_master=False, wait_for_workers=False)
    assert PrefixStore("n", raw).get("x") == b"1"
    listening = [
        line.split()[1]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    ]
    assert f"0100007F:{meeting.port:04X}" in listening
    assert f"00000000:{meeting.port:04X}" not in listening


def test_the_file_of_another_attempt_is_not_believed(tmp_path: Path) -> None:
    here = replace(spec(1, 1), folder=tmp_path)
    rendezvous.host(replace(here, nonce="an earlier one"))
    with pytest.raises(RendezvousError, match="did not say within"):
        rendezvous.join(replace(here, rank=1), 0.1)


def test_interfaces_are_found_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rendezvous.interface("127.0.0.1") == rendezvous.interface("127.0.0.2") == "lo"
    assert rendezvous.interface("192.0.2.77") is None
    monkeypatch.delenv("GLOO_SOCKET_IFNAME", raising=False)
    monkeypatch.delenv("NCCL_SOCKET_IFNAME", raising=False)
    rendezvous.use_interface(2)
    assert os.environ["GLOO_SOCKET_IFNAME"] == "lo"
    assert "NCCL_SOCKET_IFNAME" not in os.environ
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "mine")
    rendezvous.use_interface(2)
    assert os.environ["GLOO_SOCKET_IFNAME"] == "mine"
    monkeypatch.delenv("FULCRUM_NODE_ADDRESS")
    assert rendezvous.own_address(1) == "127.0.0.1"


def test_waits_are_shorter_than_the_time_after_which_a_node_is_lost() -> None:
    assert rendezvous.WAIT_S < 120
    assert membership.SILENCE_S < 120
