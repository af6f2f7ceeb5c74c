"""The cluster a service schedules on: what was detected, as the settings change it."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice

from scheduler.domain.errors import InputError, MissingError
from scheduler.domain.nodes import LOCAL
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.hardware.cpus import Cpus, detect_cpus
from scheduler.hardware.figures import figures_for
from scheduler.hardware.gpus import Gpu, detect_gpus
from scheduler.settings import HardwareSettings, PoolSettings, Settings

CPU_POOL = "cpu"


@dataclass(frozen=True, slots=True)
class Inventory:
    """Pools, and for each the devices of this machine behind it."""

    pools: tuple[Pool, ...]
    identifiers: Mapping[str, tuple[str, ...]]
    """Pool name → for device i what the operating system and CUDA call it: a CPU number or a
    GPU's UUID."""
    sources: Mapping[str, str]
    """Pool name → where price, power and rate come from."""
    notes: Mapping[str, str]
    """Pool name → what a person should know about it; only pools with such a note."""
    absent: Mapping[str, str] = field(default_factory=dict)
    """Pool name → why jobs cannot run on it here; only pools whose devices this machine lacks. They
    are for planning: the service places nothing on them."""
    nodes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Pool name → names of its nodes, in their order; pools that are not here are on `LOCAL`."""

    billed_up: frozenset[str] = frozenset()
    """Pools whose nodes cost money while they are up, whether jobs run on them or not."""

    @property
    def present(self) -> tuple[Pool, ...]:
        """The pools whose devices this machine has."""
        return tuple(pool for pool in self.pools if pool.name not in self.absent)

    def devices(self, pool: str, indices: Sequence[int]) -> tuple[str, ...]:
        """Identifiers of these devices; raises `MissingError` for an unknown pool or index."""
        try:
            known = self.identifiers[pool]
        except KeyError:
            raise MissingError(
                f"there is no pool {pool!r}", {"pool": f"one of {', '.join(self.identifiers)}"}
            ) from None
        if not all(0 <= index < len(known) for index in indices):
            raise MissingError(
                f"pool {pool!r} has no device {max(indices)}",
                {"devices": f"0 to {len(known) - 1}"},
            )
        return tuple(known[index] for index in indices)

    def node(self, pool: str, number: int) -> str:
        """The name of a node of a pool."""
        names = self.nodes.get(pool)
        return LOCAL if names is None else names[number]

    def by_node(self, pool: str, indices: Sequence[int]) -> Mapping[str, Sequence[str]]:
        """Node → identifiers of these devices there, by rank; raises as `devices`."""
        found: dict[str, list[str]] = {}
        per_node = {each.name: each.devices_per_node for each in self.pools}
        for index, name in zip(indices, self.devices(pool, indices), strict=True):
            found.setdefault(self.node(pool, index // per_node[pool]), []).append(name)
        return found


def cluster(
    settings: Settings, cpus: Cpus | None = None, gpus: Sequence[Gpu] | None = None
) -> Inventory:
    """Detected pools with the settings' figures, further pools, without those switched off.

    `cpus` and `gpus` default to what this machine has. A configured CPU pool shares this
    machine's CPUs in turn if it has more devices than they; a GPU pool without GPUs behind it is
    named by index, and absent. Raises `InputError` if a further pool lacks its kind or devices,
    or if no pool remains.
    """
    cpus = cpus or detect_cpus()
    gpus = detect_gpus() if gpus is None else gpus
    detected = detect(settings.hardware, cpus, gpus)
    found = {pool.name: pool for pool in detected.pools}
    pools: list[Pool] = []
    identifiers: dict[str, tuple[str, ...]] = {}
    sources: dict[str, str] = {}
    notes: dict[str, str] = {}
    absent: dict[str, str] = {}
    for name in dict.fromkeys((*found, *settings.pools)):
        wish = settings.pools.get(name, PoolSettings())
        if not wish.enabled:
            continue
        base = found.get(name)
        if base is None:
            base = _further(name, wish)
        pool = overridden(base, wish)
        known = wish.identifiers or detected.identifiers.get(name)
        known = known or _behind(pool, cpus, gpus, alike=wish.model is not None)
        pools.append(pool)
        named = known or tuple(map(str, range(pool.count)))
        identifiers[name] = tuple(islice(cycle(named), pool.count))
        given = [field for field in FIGURES if getattr(wish, field) is not None]
        default = detected.sources.get(name) or figures_for(pool.kind, pool.model).source
        sources[name] = f"settings: {', '.join(given)}; else {default}" if given else default
        if why := _absence(pool, known, cpus, gpus):
            absent[name] = why
        elif pool.count > len(known):
            notes[name] = f"{pool.count} devices share {len(known)}"
    if not pools:
        raise InputError(
            "no pool is left to run jobs on",
            {"pools": "at least one enabled pool, detected or with kind and devices"},
        )
    billed_up = frozenset(
        name for name, wish in settings.pools.items() if wish.billed == "up" and wish.enabled
    )
    return Inventory(tuple(pools), identifiers, sources, notes, absent, billed_up=billed_up)


def detect(hardware: HardwareSettings, cpus: Cpus, gpus: Sequence[Gpu]) -> Inventory:
    """One pool for the CPUs (a device is one logical CPU) and one for each GPU model.

    Price, power and rate are the model's defaults; the clock and vector unit of the CPU and a
    GPU's own power limit are used where known. Memory of a GPU pool is that of its smallest
    device times their number.
    """
    if not hardware.detect:
        return Inventory((), {}, {}, {})
    pools: list[Pool] = []
    identifiers: dict[str, tuple[str, ...]] = {}
    sources: dict[str, str] = {}
    # The first CPUs are the ones that interrupts prefer: they are kept for the system.
    numbers = cpus.numbers[min(hardware.reserved_cores, len(cpus.numbers) - 1) :]
    figures = figures_for(DeviceKind.CPU, cpus.model)
    pools.append(
        Pool(
            name=CPU_POOL,
            kind=DeviceKind.CPU,
            model=cpus.model,
            devices_per_node=len(numbers),
            memory_per_node=int(cpus.memory_bytes * (1 - hardware.reserved_memory)),
            dollars_per_device_hour=figures.dollars_per_hour,
            watts_per_device=figures.watts,
            flops_per_device=cpus.flops,
        )
    )
    identifiers[CPU_POOL] = tuple(map(str, numbers))
    sources[CPU_POOL] = figures.source
    by_model: dict[str, list[Gpu]] = defaultdict(list)
    for gpu in gpus:
        by_model[gpu.model].append(gpu)
    for model, same in by_model.items():
        figures = figures_for(DeviceKind.CUDA, model)
        limits = [gpu.watts for gpu in same if gpu.watts]
        name = _unused(slug(model), identifiers)
        pools.append(
            Pool(
                name=name,
                kind=DeviceKind.CUDA,
                model=model,
                devices_per_node=len(same),
                memory_per_node=min(gpu.memory_bytes for gpu in same) * len(same),
                dollars_per_device_hour=figures.dollars_per_hour,
                watts_per_device=max(limits, default=figures.watts),
                flops_per_device=figures.flops,
            )
        )
        identifiers[name] = tuple(gpu.uuid for gpu in same)
        sources[name] = figures.source
    return Inventory(tuple(pools), identifiers, sources, {})


FIGURES = ("dollars_per_device_hour", "watts_per_device", "flops_per_device")
_POOL_FIGURES = {*FIGURES, "kind", "model", "devices", "nodes", "memory", "boot_s"}
"""Settings that are figures of a `Pool`."""


def _further(name: str, wish: PoolSettings) -> Pool:
    """A pool that was not detected, with the defaults of its model."""
    if wish.kind is None or wish.devices is None:
        kinds = ", ".join(kind.value for kind in DeviceKind)
        raise InputError(
            f"pool {name!r} was not detected; a further pool needs its kind and devices",
            {
                f"pools.{name}.kind": f"one of {kinds}",
                f"pools.{name}.devices": "a whole number ≥ 1",
            },
        )
    model = wish.model or name
    figures = figures_for(wish.kind, model)
    return Pool(
        name=name,
        kind=wish.kind,
        model=model,
        devices_per_node=wish.devices,
        dollars_per_device_hour=figures.dollars_per_hour,
        watts_per_device=figures.watts,
        flops_per_device=figures.flops,
    )


def overridden(pool: Pool, wish: PoolSettings) -> Pool:
    """The pool with the figures that the settings give."""
    renamed = {"devices": "devices_per_node", "memory": "memory_per_node"}
    figures = wish.model_dump(include=_POOL_FIGURES)
    changes = {
        renamed.get(field, field): value for field, value in figures.items() if value is not None
    }
    if "memory_per_node" in changes:
        changes["memory_per_node"] = int(changes["memory_per_node"])
    return replace(pool, **changes)


def _behind(pool: Pool, cpus: Cpus, gpus: Sequence[Gpu], *, alike: bool) -> tuple[str, ...]:
    """Devices of this machine for a further pool; `alike`: GPUs of the pool's model only."""
    if pool.kind is DeviceKind.CPU:
        return tuple(map(str, cpus.numbers))
    same = tuple(gpu.uuid for gpu in gpus if slug(gpu.model) == slug(pool.model))
    return same if same or alike else tuple(gpu.uuid for gpu in gpus)


def _absence(pool: Pool, known: Sequence[str], cpus: Cpus, gpus: Sequence[Gpu]) -> str:
    """Why no job can run on the pool here; empty if jobs can."""
    if pool.kind is DeviceKind.CUDA:
        if not gpus:
            return "this machine has no GPU"
        if not known:
            models = ", ".join(dict.fromkeys(gpu.model for gpu in gpus))
            return f"this machine has no {pool.model}, but {models}"
        # What CUDA takes: UUIDs, and indices in NVML's order.
        real = {gpu.uuid for gpu in gpus} | {str(index) for index in range(len(gpus))}
    else:
        # A quota leaves only some CPUs to be counted; all that the kernel allows can be named.
        allowed = getattr(os, "sched_getaffinity", lambda _: ())(0)
        real = {str(number) for number in (*cpus.numbers, *allowed)}
    missing = [name for name in known[: pool.count] if name not in real]
    return f"not on this machine: {', '.join(missing)}" if missing else ""


def slug(model: str) -> str:
    """`NVIDIA A100-SXM4-80GB` → `a100-sxm4-80gb`: short enough to type."""
    words = re.findall(r"[a-z0-9.]+", model.casefold())
    kept = [word for word in words if word not in {"nvidia", "tesla", "geforce", "quadro"}]
    return "-".join(kept or words)[:60].strip(".-") or "gpu"


def _unused(name: str, taken: Mapping[str, object]) -> str:
    candidates = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3)))
    return next(candidate for candidate in candidates if candidate not in taken)
