"""The checks of `fulcrum doctor` that ask the service."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from api.cli.support import text_format
from api.cli.views.doctor.findings import CheckResult, Finding, Patient
from api.client import ApiError, Client, ClientError, UnavailableError
from scheduler.domain.nodes import LEFT, NodeState

if TYPE_CHECKING:
    from api.schemas import NodeOut

CLOCKS_APART_S = 1.0
"""Clocks of nodes that differ by more make logs and histories hard to read."""


def service(patient: Patient) -> Iterator[Finding]:
    """Whether the service answers, is ready, accepts the token and has the same time."""
    try:
        with Client(patient.url, data_dir=patient.data, timeout=10) as client:
            url = client.connection.url
            begun = time.time()
            answer = client.health()
            yield Finding("service", CheckResult.OK, f"answers at {url}")
            yield _clock(answer, begun)
            warnings = client.ready()
            yield Finding("ready", CheckResult.OK, "accepts and starts jobs")
            for one in warnings:
                yield Finding(one.part, CheckResult.WARN, one.text, one.advice)
            told = [one.text for one in warnings]
            found = client.nodes().nodes
            yield Finding("token", CheckResult.OK, "is accepted")
            yield from nodes(found, told)
    except UnavailableError as error:
        yield Finding("ready", CheckResult.FAIL, error.message)
        for name, text in error.fields.items():
            reason, _, advice = text.partition("; ")
            yield Finding(name, CheckResult.FAIL, reason, advice)
    except ApiError as error:
        name = "token" if error.status in (401, 403) else "service"
        advice = (
            "set FULCRUM_TOKEN, or run as the service's user"
            if name == "token"
            else "look at the service's log"
        )
        yield Finding(name, CheckResult.FAIL, error.message, advice)
    except (ClientError, ValueError) as error:
        yield Finding("service", CheckResult.WARN, str(error), "start one: fulcrum serve")


def nodes(found: Sequence[NodeOut], told: Sequence[str] = ()) -> Iterator[Finding]:
    """Whether jobs start on all nodes, and whether their clocks agree with the service's.

    `told`: what the service itself warns of.
    """
    wrong = False
    for node in found:
        if node.state not in (NodeState.UP, NodeState.OFF):
            wrong = True
            if any(text.startswith(f"node {node.name} is {node.state}") for text in told):
                continue
            text = f"{node.name} is {node.state}" + (f": {node.reason}" if node.reason else "")
            wanted = "retire" if node.reason == LEFT else "events"
            yield Finding("node", CheckResult.WARN, text, f"fulcrum nodes {wanted} {node.name}")
        if abs(node.clock_offset_s) > CLOCKS_APART_S:
            wrong = True
            apart = text_format.seconds(abs(node.clock_offset_s))
            ahead = "ahead of" if node.clock_offset_s > 0 else "behind"
            text = f"the clock of {node.name} is {apart} {ahead} the service's"
            yield Finding("node", CheckResult.WARN, text, "synchronise both machines (NTP)")
    if not wrong:
        count = f"{len(found)} node" + ("s" if len(found) != 1 else "")
        yield Finding("nodes", CheckResult.OK, f"{count}, jobs start on each")


def _clock(date: str, begun: float) -> Finding:
    if not date:
        return Finding("clock", CheckResult.OK, "the service sends no time")
    # The header counts whole seconds.
    apart = abs(parsedate_to_datetime(date).timestamp() + 0.5 - (begun + time.time()) / 2)
    good = apart < 5
    return Finding(
        "clock",
        CheckResult.OK if good else CheckResult.WARN,
        "as the service's" if good else f"{text_format.seconds(apart)} apart from the service's",
        "" if good else "deadlines will be off: synchronise both machines (NTP)",
    )
