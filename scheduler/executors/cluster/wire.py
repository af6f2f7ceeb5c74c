"""Specs, keys, events, facts and paths as JSON objects, for calls to agents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from scheduler.domain.nodes import NodeFacts
from scheduler.executors.base import AttemptEvent, AttemptKey, Exited, LaunchSpec, Started
from scheduler.executors.path_needs import PathFinding, PathNeed

_SPEC = TypeAdapter(LaunchSpec)
_KEY = TypeAdapter(AttemptKey)
_KEYS = TypeAdapter(tuple[AttemptKey, ...])
_STARTED = TypeAdapter(Started)
_EXITED = TypeAdapter(Exited)
_FACTS = TypeAdapter(NodeFacts)
_NEEDS = TypeAdapter(tuple[PathNeed, ...])
_FINDINGS = TypeAdapter(tuple[PathFinding, ...])


def spec_to_json(spec: LaunchSpec) -> dict[str, Any]:
    """Raises `pydantic_core.PydanticSerializationError` for a value that JSON lacks."""
    return _object(_SPEC.dump_python(spec, mode="json"))


def spec_of(values: Mapping[str, Any]) -> LaunchSpec:
    """The spec of `spec_to_json`; raises `ValueError`."""
    return _SPEC.validate_python(values)


def keys_to_json(keys: Iterable[AttemptKey]) -> list[dict[str, Any]]:
    """JSON has no tuples."""
    return [_object(_KEY.dump_python(key, mode="json")) for key in keys]


def keys_of(values: Iterable[Mapping[str, Any]]) -> tuple[AttemptKey, ...]:
    """The keys of `keys_to_json`; raises `ValueError`."""
    return _KEYS.validate_python(list(values))


def event_to_json(event: AttemptEvent) -> dict[str, Any]:
    """With the name of its class as `event`."""
    if isinstance(event, Started):
        return {"event": "started", **_object(_STARTED.dump_python(event, mode="json"))}
    return {"event": "exited", **_object(_EXITED.dump_python(event, mode="json"))}


def event_of(values: Mapping[str, Any]) -> AttemptEvent:
    """The event of `event_to_json`; raises `ValueError`."""
    said = {name: value for name, value in values.items() if name != "event"}
    if values.get("event") == "started":
        return _STARTED.validate_python(said)
    return _EXITED.validate_python(said)


def facts_to_json(facts: NodeFacts) -> dict[str, Any]:
    """What a node's agent says of it."""
    return _object(_FACTS.dump_python(facts, mode="json"))


def facts_of(values: Mapping[str, Any]) -> NodeFacts:
    """The facts of `facts_to_json`; raises `ValueError`."""
    return _FACTS.validate_python(values)


def needs_to_json(needs: Sequence[PathNeed]) -> list[dict[str, Any]]:
    """JSON has no tuples."""
    return [*_NEEDS.dump_python(tuple(needs), mode="json")]


def needs_of(values: Iterable[Mapping[str, Any]]) -> tuple[PathNeed, ...]:
    """The needs of `needs_to_json`; raises `ValueError`."""
    return _NEEDS.validate_python(list(values))


def findings_to_json(findings: Sequence[PathFinding]) -> list[dict[str, Any]]:
    """JSON has no tuples."""
    return [*_FINDINGS.dump_python(tuple(findings), mode="json")]


def findings_of(values: Iterable[Mapping[str, Any]]) -> tuple[PathFinding, ...]:
    """The findings of `findings_to_json`; raises `ValueError`."""
    return _FINDINGS.validate_python(list(values))


def _object(value: Any) -> dict[str, Any]:
    assert isinstance(value, dict)
    return value
