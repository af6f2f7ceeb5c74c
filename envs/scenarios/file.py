"""Scenario files: TOML, checked field by field."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from envs.scenarios.randomisation import Randomisation
from envs.scenarios.scenario import (
    Estimates,
    Failures,
    Objective,
    Scenario,
    WorkloadSource,
    natural,
)
from envs.scenarios.supply import Billing, Supply
from envs.workloads.throughputs import Throughputs
from envs.workloads.traces import gavel
from envs.workloads.traces.documents import open_document
from scheduler import settings
from scheduler.decisions.rounds.modes import Mode
from scheduler.decisions.state.node_placement import BEST_FIT, RULES
from scheduler.decisions.state.preemption import (
    AS_PUBLISHED,
    OFF,
    PreemptionMode,
    PreemptionRules,
)
from scheduler.domain.errors import InputError, MissingError
from scheduler.domain.pools import Pool
from scheduler.domain.resources import DeviceKind
from scheduler.hardware.figures import figures_for
from scheduler.hardware.inventory import cluster
from scheduler.text import unknown
from scheduler.validation import pattern, wrong_fields

SUFFIX = ".toml"
_NAME = pattern(
    r"^[a-z0-9][a-z0-9._-]{0,62}$",
    "1 to 63 small letters, digits, '.', '_' and '-', a letter or digit first",
)
Figure = Annotated[float, Field(ge=0)]


def names() -> list[str]:
    """The scenarios that come with Fulcrum."""
    files = resources.files(__package__).iterdir()
    return sorted(file.name.removesuffix(SUFFIX) for file in files if file.name.endswith(SUFFIX))


def load(
    name_or_path: str | Path,
    *,
    trace: Path | str | None = None,
    throughputs: Path | str | None = None,
) -> Scenario:
    """A scenario by name, or from a file (a path, or a text that ends in `.toml`).

    `trace` is the file that a scenario of a recorded trace replays; `throughputs` a table as Gavel
    publishes it, for synthetic trainings instead of computed rates. Raises `MissingError` for an
    unknown name or missing file, `InputError` that names every wrong field.
    """
    text, origin, folder = _text(name_or_path)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{origin} is not TOML: {error}", {"scenario": str(error)}) from None
    try:
        table = _File.model_validate(content)
    except ValidationError as error:
        raise _invalid(error, origin) from None
    measured = None if throughputs is None else gavel.read(throughputs)
    return _scenario(table, folder, trace, measured)


def detected(configured: settings.Settings | None = None) -> tuple[Supply, ...]:
    """This machine's pools as the service's settings change them; None: the settings in force.

    Raises `InputError` for wrong settings or if no pool is left.
    """
    inventory = cluster(configured or settings.load())
    return tuple(
        Supply(
            pool,
            pool.nodes,
            origin=inventory.sources[pool.name],
            idle_watts_per_device=Supply.idling(pool),
        )
        for pool in inventory.pools
    )


def _rule(name: str) -> str:
    if name not in RULES:
        raise ValueError(f"is one of {', '.join(RULES)}, not {name!r}")
    return name


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Pool(_Table):
    """Figures that are not given are the model's defaults in `scheduler.hardware`."""

    kind: DeviceKind
    model: Annotated[str, Field(min_length=1)]
    devices: Annotated[int, Field(ge=1)]
    """Per node."""
    nodes: Annotated[int, Field(ge=1)] = 1
    """The most there can be."""
    memory: ByteSize = ByteSize(0)
    """Per node; `64GiB` or bytes; 0: not limited."""
    dollars_per_device_hour: Figure | None = None
    watts_per_device: Figure | None = None
    idle_watts_per_device: Figure | None = None
    """None: a share of `watts_per_device`, see `envs.scenarios.supply.IDLE_SHARE`."""
    flops_per_device: Annotated[float, Field(gt=0)] | None = None
    boot_s: Figure = 0.0
    min_nodes: Annotated[int, Field(ge=0)] | None = None
    """None: all."""
    idle_timeout_s: Figure = 300.0
    revocations_per_hour: Figure = 0.0
    billing: Billing = Billing.BUSY
    source: str = ""
    """Where the price comes from."""

    @model_validator(mode="after")
    def _consistent(self) -> _Pool:
        if self.dollars_per_device_hour is not None and not self.source:
            raise ValueError('a price needs its source: source = "…"')
        if self.min_nodes is not None and self.min_nodes > self.nodes:
            raise ValueError(f"min_nodes is at most nodes, {self.nodes}")
        return self


class _Preemption(_Table):
    mode: PreemptionMode = PreemptionMode.OFF
    min_runtime_s: Figure = OFF.min_runtime_s
    max_per_job: Annotated[int, Field(ge=0)] = int(OFF.max_per_job)

    def rules(self) -> PreemptionRules:
        return PreemptionRules(self.mode, self.min_runtime_s, self.max_per_job)


class _File(_Table):
    name: Annotated[str, Field(pattern=_NAME)]
    version: Annotated[int, Field(ge=1)]
    description: str = ""
    detect: bool = False
    """The pools are those of this machine, as the service's settings change them."""
    pools: dict[settings.PoolName, _Pool] = {}
    workload: WorkloadSource
    estimates: dict[str, str | int | float] = {}
    failures: Failures = Failures()
    reservations: Mode = Mode.EASY
    placement: Annotated[str, AfterValidator(_rule)] = BEST_FIT.name
    preemption: _Preemption | None = None
    """None: as the policies' papers say."""
    preference: Annotated[float, Field(ge=0, le=1)] = 0.5
    objective: Objective | None = None
    random: Randomisation | None = None

    @model_validator(mode="after")
    def _complete(self) -> _File:
        models = (self.workload.synthetic, self.workload.lublin, self.workload.trace)
        if self.random is None and sum(model is not None for model in models) != 1:
            raise ValueError(
                "workload holds exactly one of [workload.synthetic], [workload.lublin] and "
                "[workload.trace]"
            )
        if self.random is not None and any(models):
            raise ValueError("with [random], the workload is drawn: [workload] holds only jobs")
        kinds = (bool(self.pools), self.detect, self.random is not None)
        if sum(kinds) != 1:
            raise ValueError("pools come from exactly one of [pools.NAME], detect = true, [random]")
        return self


def _text(name_or_path: str | Path) -> tuple[str, str, Path]:
    """The file's text, what to call it, and the folder that its paths are relative to."""
    if isinstance(name_or_path, str) and not name_or_path.endswith(SUFFIX):
        if name_or_path not in names():
            raise MissingError(
                unknown(f"scenario {name_or_path!r}", name_or_path, names()),
                {"scenario": f"one of {', '.join(names())}, or a {SUFFIX} file"},
            )
        file = resources.files(__package__).joinpath(name_or_path + SUFFIX)
        return file.read_text("utf-8"), f"scenario {name_or_path}", Path()
    path = Path(name_or_path).expanduser()
    try:
        return path.read_text("utf-8"), str(path), path.parent
    except FileNotFoundError:
        raise MissingError(
            f"there is no scenario file {path}", {"scenario": f"a name or a {SUFFIX} file"}
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read: {error}", {"scenario": "a readable TOML file in UTF-8"}
        ) from None


def _scenario(
    table: _File, folder: Path, trace: Path | str | None, throughputs: Throughputs | None
) -> Scenario:
    scenario = Scenario(
        name=table.name,
        version=table.version,
        description=table.description,
        supplies=detected() if table.detect else _supplies(table.pools),
        source=_source(table.workload, folder, trace),
        estimates=_estimates(table.estimates),
        failures=table.failures,
        mode=table.reservations,
        placement=table.placement,
        preemption=AS_PUBLISHED if table.preemption is None else table.preemption.rules(),
        preference=table.preference,
        objective=table.objective,
        randomisation=table.random,
        throughputs=throughputs,
    )
    log = scenario.source.trace
    known = table.random is None and (log is None or log.path is not None)
    if scenario.objective is None and known:
        return replace(scenario, objective=natural(scenario))
    return scenario


def _source(source: WorkloadSource, folder: Path, trace: Path | str | None) -> WorkloadSource:
    log = source.trace
    if log is None:
        if trace is not None:
            raise InputError(
                "this scenario replays no trace", {"trace": "only for a scenario of a trace"}
            )
        return source
    if trace is not None:
        path = Path(trace).expanduser()
    elif log.path is not None:
        path = folder / log.path
    else:
        return source
    digest = open_document(path).digest
    return replace(source, trace=replace(log, path=str(path.absolute()), digest=digest))


def _supplies(pools: Mapping[str, _Pool]) -> tuple[Supply, ...]:
    return tuple(_supply(name, pool) for name, pool in pools.items())


def _supply(name: str, table: _Pool) -> Supply:
    figures = figures_for(table.kind, table.model)
    given = table.dollars_per_device_hour
    pool = Pool(
        name=name,
        kind=table.kind,
        model=table.model,
        devices_per_node=table.devices,
        nodes=table.nodes,
        memory_per_node=int(table.memory),
        dollars_per_device_hour=figures.dollars_per_hour if given is None else given,
        watts_per_device=(
            figures.watts if table.watts_per_device is None else table.watts_per_device
        ),
        flops_per_device=table.flops_per_device or figures.flops,
        boot_s=table.boot_s,
    )
    return Supply(
        pool,
        table.nodes if table.min_nodes is None else table.min_nodes,
        table.idle_timeout_s,
        table.revocations_per_hour,
        table.billing,
        table.source or figures.source,
        Supply.idling(pool) if table.idle_watts_per_device is None else table.idle_watts_per_device,
    )


def _estimates(table: Mapping[str, str | float]) -> Estimates:
    name = table.get("name", "exact")
    parameters = {
        key: value
        for key, value in table.items()
        if key not in ("name", "seed") and not isinstance(value, str)
    }
    wrong = sorted(table.keys() - parameters.keys() - {"name", "seed"})
    if wrong:
        field = f"estimates.{wrong[0]}"
        raise InputError(f"{field} is not a number", {field: "a number"})
    estimates = Estimates(str(name), parameters)
    estimates.make()
    return estimates


def _invalid(error: ValidationError, origin: str) -> InputError:
    fields = wrong_fields(map(_ordered, error.errors(include_url=False)), _File, quote=True)
    first = "; ".join(f"{name or 'scenario'}: {advice}" for name, advice in fields.items())
    return InputError(
        f"{origin} is no scenario: {first}",
        {name or "scenario": advice for name, advice in fields.items()},
    )


def _ordered(error: ErrorDetails) -> Mapping[str, Any]:
    """The error; that of a range in plain words."""
    if error["type"] != "predicate_failed":
        return {**error}
    return {
        **error,
        "type": "value_error",
        "msg": f"LOW must be at most HIGH, not {error['input']!r}",
    }
