"""What the shell offers for arguments and options: jobs, policies, scenarios, models and others.

What only the service knows is offered if it answers at once. Nothing is ever printed but offers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from api.cli.support.global_options import GlobalOptions

if TYPE_CHECKING:
    from api.client import Client

PATIENCE_S = 1.0
"""Seconds in which the service must answer."""
NEWEST = 100
"""Jobs that are offered at most."""
ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Offer:
    """One completion, with the attributes that shells ask for."""

    value: str
    help: str = ""
    """A few words about it."""
    type: str = "plain"


Completer = Callable[[Any, str], Iterable[Offer]]
"""From the context of the command and the beginning of the word."""


def attach(command: Any, path: str) -> None:
    """Give each parameter of a loaded command what the shell offers for it; `path`: its words."""
    for parameter in command.params:
        completer = _completer(path, parameter.name or "", parameter.metavar or "")
        if completer is not None:
            parameter.shell_complete = _quiet(completer)


def _completer(path: str, name: str, metavar: str) -> Completer | None:
    if name in _BY_NAME or (path, name) in _BY_PLACE:
        return _BY_NAME.get(name) or _BY_PLACE[path, name]
    if metavar in ("JOB", "JOB…"):
        return _live_jobs if path in ("cancel", "preempt", "update") else _jobs
    if metavar in ("POLICY", "POLICY…"):
        return _policies
    if metavar in ("SCENARIO", "NAME|FILE"):
        return _scenarios
    return None


def _quiet(completer: Completer) -> Callable[[Any, str], list[Offer]]:
    """The completer as the library calls it; whatever goes wrong, it offers nothing more."""

    def offers(ctx: Any, incomplete: str) -> list[Offer]:
        found = []
        with suppress(Exception):  # no service, no token, a package that is not installed
            for offer in completer(ctx, incomplete):
                # bash would put a value with spaces into the line without quotes.
                if offer.value.startswith(incomplete) and " " not in offer.value:
                    found.append(offer)
        return found

    return offers


def _service(ctx: Any) -> Client:
    from api.client import Client

    given = ctx.find_root().params
    options = GlobalOptions(given.get("url"), given.get("data"))
    return Client(options.url, data_dir=options.data, timeout=PATIENCE_S, patience=0.0)


def _jobs(ctx: Any, incomplete: str, states: Iterable[str] = ()) -> Iterator[Offer]:
    """Names and numbers of the newest jobs; each name once."""
    digits = incomplete.isdecimal()
    with _service(ctx) as service:
        name = None if digits or not incomplete else incomplete
        found = list(service.jobs(state=list(states), name=name, limit=NEWEST))
    seen: set[str] = set()
    for job in found:
        words = f"{job.name} {job.state.lower()}".strip()
        if not incomplete or digits:
            yield Offer(str(job.id), words)
        if not digits and job.name and job.name not in seen:
            seen.add(job.name)
            yield Offer(job.name, f"job {job.id} {job.state.lower()}")


def _live_jobs(ctx: Any, incomplete: str) -> Iterator[Offer]:
    from scheduler.domain.lifecycle import JobState

    return _jobs(ctx, incomplete, [state for state in JobState if not state.final])


def _models(ctx: Any, incomplete: str) -> Iterator[Offer]:
    """Trainings, and folders with a model."""
    yield from _paths(incomplete, folders=True)
    yield from _jobs(ctx, incomplete)


def _weights(ctx: Any, incomplete: str) -> Iterator[Offer]:
    yield Offer("imagenet", "torchvision's weights")
    if incomplete.startswith("job:"):
        for job in _jobs(ctx, incomplete.removeprefix("job:")):
            yield Offer(f"job:{job.value}", job.help)
    else:
        yield Offer("job:", "the model of a job")
        yield from _paths(incomplete)


def _architectures(_ctx: Any, _incomplete: str) -> Iterable[Offer]:
    from scheduler.workloads.spec.tables import architectures

    return map(Offer, architectures())


def _datasets(_ctx: Any, incomplete: str) -> Iterator[Offer]:
    from scheduler.workloads.spec.tables import DATASETS

    yield from map(Offer, DATASETS)
    yield from _folder_names(incomplete)


def _data(_ctx: Any, incomplete: str) -> Iterator[Offer]:
    from scheduler.workloads.spec.tables import DATASETS

    for name in DATASETS:
        yield from (Offer(f"{name}{part}") for part in ("", ":train", ":test"))
    yield from _folder_names(incomplete)


def _folder_names(incomplete: str) -> Iterator[Offer]:
    kind = "folder:"
    if not incomplete.startswith(kind):
        yield Offer(kind, "images, one folder per class")
        return
    found = _paths(incomplete.removeprefix(kind), folders=True)
    yield from (Offer(f"{kind}{path.value}", path.help) for path in found)


def _policies(ctx: Any, incomplete: str) -> Iterator[Offer]:
    """The policies of the service; without one, those that are built in. `a,b` is a list."""
    listed, comma, _ = incomplete.rpartition(",")
    for policy in _known_policies(ctx):
        yield Offer(f"{listed}{comma}{policy.value}", policy.help)


def _known_policies(ctx: Any) -> list[Offer]:
    from api.client.errors import ClientError

    try:
        with _service(ctx) as service:
            return [Offer(one.name, one.summary) for one in service.policies().policies]
    except ClientError:
        from scheduler.policies.lookup import names

        return [Offer(name, summary) for name, summary in names().items()]


def _scenarios(_ctx: Any, incomplete: str) -> Iterator[Offer]:
    for path in sorted((ROOT / "envs" / "scenarios").glob("*.toml")):
        yield Offer(path.stem, "comes with Fulcrum")
    yield from _paths(incomplete, ending=".toml")


def _devices(ctx: Any, _incomplete: str) -> Iterator[Offer]:
    yield from map(Offer, ("any", "cpu", "cuda"))
    with _service(ctx) as service:
        for pool in service.cluster().pools:
            yield Offer(pool.model, f"pool {pool.name}")
            yield Offer(pool.name, f"pool of {pool.model}")


def _nodes(ctx: Any, _incomplete: str) -> Iterable[Offer]:
    with _service(ctx) as service:
        return [Offer(node.name, node.state.lower()) for node in service.nodes().nodes]


def _states(_ctx: Any, _incomplete: str) -> Iterator[Offer]:
    from scheduler.domain.lifecycle import JobState

    return (Offer(state.lower()) for state in JobState)


def _kinds(_ctx: Any, _incomplete: str) -> Iterator[Offer]:
    from scheduler.domain.jobs import JobKind

    return (Offer(kind.value) for kind in JobKind)


def _preferences(_ctx: Any, _incomplete: str) -> Iterator[Offer]:
    from scheduler.domain.jobs import PREFERENCES

    return (Offer(name, f"{value:g}") for name, value in PREFERENCES.items())


def _paths(incomplete: str, *, folders: bool = False, ending: str = "") -> Iterator[Offer]:
    """Files and folders that begin so; a folder ends in a slash."""
    start = Path(incomplete).expanduser()
    parent = start if incomplete.endswith("/") or not incomplete else start.parent
    written = incomplete[: incomplete.rfind("/") + 1]
    for path in sorted(parent.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield Offer(f"{written}{path.name}/", "folder")
        elif not folders and path.name.endswith(ending):
            yield Offer(f"{written}{path.name}", "file")


_BY_NAME: dict[str, Completer] = {
    "models": _models,
    "work__weights": _weights,
    "work__model": _architectures,
    "work__dataset": _datasets,
    "work__data": _data,
    "devices": _devices,
    "preference": _preferences,
    "node": _nodes,
    "states": _states,
    "kinds": _kinds,
    "policies": _policies,
}
_BY_PLACE: dict[tuple[str, str], Completer] = {
    **{(f"policy {verb}", "name"): _policies for verb in ("use", "show", "promote", "export")},
    **{(f"nodes {verb}", "name"): _nodes for verb in ("drain", "resume", "retire")},
}
"""By the words of a command and the parameter's name."""
