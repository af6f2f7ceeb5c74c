"""All settings: explicit arguments, then FULCRUM_* variables, then fulcrum.toml.

Earlier sources win, value by value; a value that none of them names has the default below.
docs/configuration.md describes every value.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from scheduler.domain.errors import InputError
from scheduler.domain.jobs import PREFERENCES
from scheduler.domain.notifications import ALL_OCCASIONS, Occasion
from scheduler.domain.resources import DeviceKind
from scheduler.executors.environment import check_pattern
from scheduler.files import expanded
from scheduler.settings_file import default_data_dir, find_file
from scheduler.storage.objects import check_url
from scheduler.validation import pattern, wrong_fields

_MAIL = pattern(r"^[^\s@]+@[^\s@]+$", "a mail address, NAME@DOMAIN")
_WEBHOOK = pattern(r"^https?://[^\s/]+", "an address, https://HOST/PATH")
_DOMAIN = pattern(r"^[^\s@]+$", "a domain, such as example.org")
DATABASE_FILE = "fulcrum.sqlite"
"""In the data folder, unless `database_url` names another database."""


def _preference(value: Any) -> Any:
    """The number of a named preference; raises `ValueError` that lists the names."""
    if isinstance(value, str):
        try:
            named = PREFERENCES.get(value.casefold())
            return float(value) if named is None else named
        except ValueError:
            names = ", ".join(PREFERENCES)
            raise ValueError(f"{value!r} is neither {names} nor a number from 0 to 1") from None
    return value


def _pool_name(name: str) -> str:
    if re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", name):
        return name
    raise ValueError(
        f"{name!r} is not a pool's name; legal: 1 to 63 lower-case letters, digits and . _ -, "
        "a letter or digit first"
    )


def _expanded(path: Path) -> Path:
    return expanded(path).absolute()


Preference = Annotated[float, BeforeValidator(_preference), Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Figure = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PoolName = Annotated[str, AfterValidator(_pool_name)]
Folder = Annotated[Path, BeforeValidator(lambda value: _expanded(Path(value)))]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QuotaSettings(_Section):
    """Limits of one project; None: not limited."""

    devices: Annotated[int, Field(ge=0)] | None = None
    """That its jobs hold at once."""
    queued: Annotated[int, Field(ge=0)] | None = None
    """Its jobs that wait."""
    dollars_per_day: Figure | None = None
    """By UTC days."""
    dollars_per_month: Figure | None = None
    """By calendar months, UTC."""


class ProjectSettings(_Section):
    """Settings of the jobs of one project."""

    preference: Preference | None = None
    """0 cheapest … 1 fastest; None: the cluster's."""
    share: Annotated[float, Field(ge=0.001, le=1_000_000, allow_inf_nan=False)] = 1.0
    """Its part of the cluster is its share ÷ the sum of the shares of all projects."""
    hard: QuotaSettings = QuotaSettings()
    """What no job may exceed."""
    soft: QuotaSettings = QuotaSettings()
    """What gives a warning when it is exceeded."""


class SharingSettings(_Section):
    """How projects share the cluster."""

    fair_share: bool = True
    """Whether the project that used least of its share goes first."""
    half_life_s: Annotated[float, Field(ge=60, allow_inf_nan=False)] = 604_800.0
    """After so long, what a project used counts half."""


class ExecutorSettings(_Section):
    """How attempts are run."""

    kind: Literal["local", "ray"] = "local"
    """`local`: on this machine; `ray`: on the nodes of a Ray cluster, see `[ray]`."""
    grace_s: Seconds = 10.0
    """Between asking an attempt to stop and stopping it: cancelled, too long, or shut down."""
    pass_env: tuple[Annotated[str, AfterValidator(check_pattern)], ...] = ()
    """Variables of the service that jobs get besides the usual ones; `*` stands for any text."""
    max_log_bytes: ByteSize = ByteSize(1024**3)
    """An attempt's log above it loses its middle; 0: not limited."""
    warm_workers: Annotated[int, Field(ge=0, le=256)] = 2
    """Processes kept ready with torch imported; 0: one is forked when an attempt starts."""
    linger_s: Seconds = 60.0
    """How long the process they are forked from stays after the service has stopped; attempts do
    not need it."""


class RaySettings(_Section):
    """The Ray cluster that `executor.kind = "ray"` uses."""

    address: Annotated[str, Field(min_length=1)] = "auto"
    """Of its head, `HOST:PORT`; `auto`: the one that runs on this machine."""
    namespace: Annotated[str, Field(min_length=1)] | None = None
    """Of this service's agents. Services that share one stop each other's jobs; None: one of the
    database's own."""
    lost_after_s: Annotated[float, Field(ge=10, allow_inf_nan=False)] = 120.0
    """A node that is silent for longer has lost its jobs, which then start elsewhere."""
    linger_s: Seconds = 3600.0
    """How long a node's agent stays without service and without jobs."""
    node_folder: Folder = Path("/var/tmp/fulcrum")
    """On each node's own disk: what runs there, and how it ended. The user's number is added."""


class PreemptionSettings(_Section):
    """When a running job that can go on later gives its devices to another one."""

    mode: Literal["off", "deadline", "priority"] = "off"
    """`deadline`: jobs that would miss their deadline otherwise, and starving ones, may preempt;
    `priority`: also jobs of higher priority. A policy that preempts by itself does so anyway."""
    min_runtime_s: Seconds = 60.0
    """An attempt is not preempted before it has worked so long."""
    max_per_job: Annotated[int, Field(ge=0)] = 3
    """A job is not preempted more often."""
    grace_s: Seconds = 30.0
    """Time to save its work; then it is stopped and goes on from the checkpoint before."""


class KeepSettings(_Section):
    """How much is kept of one kind of files of jobs that have ended."""

    days: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Since the job's end; None: for ever."""
    bytes: ByteSize | None = None
    """The oldest are removed until so many bytes are left; None: all stay."""


class RetentionSettings(_Section):
    """What the service removes of jobs that have ended. Their history stays for ever."""

    success_checkpoints: bool = False
    """Whether a training that succeeded keeps its checkpoints beside its model."""
    logs: KeepSettings = KeepSettings()
    """Output, metrics, and what else attempts left in their folders."""
    checkpoints: KeepSettings = KeepSettings()
    artifacts: KeepSettings = KeepSettings()
    """All but the model."""
    models: KeepSettings = KeepSettings()
    """`model.pt` and `model.json`."""


class SmtpSettings(_Section):
    """The mail server that notifications leave by."""

    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: SecretStr = SecretStr("")
    sender: Annotated[str, Field(pattern=_MAIL)]
    """The address that mail comes from."""


class NotificationSettings(_Section):
    """Where notifications of jobs may go."""

    webhooks: tuple[Annotated[str, Field(pattern=_WEBHOOK)], ...] = ()
    """Allowed addresses, and all that are below them."""
    secret: SecretStr = SecretStr("")
    """Signs what goes to webhooks; needed for them."""
    mail_domains: tuple[Annotated[str, Field(pattern=_DOMAIN)], ...] = ()
    """Domains whose people may get mail; needs `smtp`."""
    smtp: SmtpSettings | None = None
    to: tuple[str, ...] = ()
    """Who hears of all jobs."""
    on: tuple[Occasion, ...] = ALL_OCCASIONS
    """Of what they hear."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.webhooks and not self.secret.get_secret_value():
            raise ValueError("webhooks need a secret, which signs what they get")
        if self.mail_domains and self.smtp is None:
            raise ValueError("mail_domains need [notifications.smtp] with host and sender")
        return self


class HardwareSettings(_Section):
    """Which devices of its machine the service uses."""

    detect: bool = True
    """Whether its CPUs and GPUs become pools; False: only those under `pools`."""
    reserved_cores: Annotated[int, Field(ge=0)] = 0
    """CPUs kept for the system and the service."""
    reserved_memory: Annotated[float, Field(ge=0, le=0.95)] = 0.1
    """Share of host memory kept for the system and the service."""


class PoolSettings(_Section):
    """Changed figures of a detected pool, or another pool; None: as detected."""

    enabled: bool = True
    """False: the detected pool is not used."""
    kind: DeviceKind | None = None
    model: Annotated[str, Field(min_length=1)] | None = None
    devices: Annotated[int, Field(ge=1)] | None = None
    """Devices per node."""
    nodes: Annotated[int, Field(ge=1)] | None = None
    memory: ByteSize | None = None
    """Per node; `64GiB` or bytes; 0: not limited."""
    dollars_per_device_hour: Figure | None = None
    watts_per_device: Figure | None = None
    flops_per_device: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Sustained training rate of one device (FLOP/s)."""
    boot_s: Seconds | None = None
    """With `kind`, `devices` and `nodes`, on Ray: an elastic pool, whose nodes boot in so long."""
    min_nodes: Annotated[int, Field(ge=0)] = 0
    """Of an elastic pool: nodes that are always on."""
    idle_timeout_s: Seconds = 300.0
    """Of an elastic pool: a node without jobs is shut down after so long."""
    boot_timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 600.0
    """Of an elastic pool: a node that is not ready so long after it was asked for has failed."""
    billed: Literal["busy", "up"] = "busy"
    """Whether its nodes cost money only while jobs run on them, or whenever they are up."""
    identifiers: tuple[str, ...] | None = None
    """CPU numbers or GPU UUIDs of the devices, in order."""


class Settings(BaseSettings):
    """The service's settings; get them from `load`."""

    model_config = SettingsConfigDict(
        env_prefix="FULCRUM_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    data_dir: Folder = Field(default_factory=default_data_dir)
    """Database, job folders, tokens."""
    storage: Annotated[str, AfterValidator(check_url)] | None = None
    """URL of what carries the files of jobs between machines, `s3://bucket/path` or
    `file:///path`; None: nodes share the data folder."""
    database_url: str | None = None
    """SQLAlchemy URL; None: SQLite in the data folder."""
    standby: bool = False
    """Whether the service follows another one on its PostgreSQL database, and takes over."""
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8470
    """0: any free one."""
    max_body_bytes: Annotated[ByteSize, Field(ge=1024)] = ByteSize(4 * 1024**2)
    """A larger request is refused."""
    min_free: Annotated[ByteSize, Field(ge=0)] = ByteSize(256 * 1024**2)
    """With less free disk space the service is not ready; 0: never looked at."""

    policy: Annotated[str, Field(min_length=1)] = "learned:fulcrum"
    """Name of the policy until another is chosen in the running service."""
    fit: bool = True
    """Whether a learned policy must first be better than wgc in a replay on this cluster."""
    shadow: Annotated[str, Field(min_length=1)] | None = None
    """A policy that sees every decision and changes none, until another is named in the running
    service."""
    backfilling: Literal["none", "easy"] = "easy"
    preference: Preference = 0.5
    """0 cheapest … 1 fastest, for jobs and projects that name none."""
    starvation_s: Seconds = 14_400.0
    """A job that has waited longer goes before all others; 0: never."""
    decision_limit_s: Seconds = 1.0
    """A policy that has not answered by then is replaced by wgc for that decision; 0: never."""
    search_limit_s: Seconds = 0.1
    """`NAME+search` tries choices out for so long in one round, then NAME decides; 0: no limit."""
    default_runtime_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 300.0
    """Estimate for work nothing is known about."""

    executor: ExecutorSettings = ExecutorSettings()
    ray: RaySettings = RaySettings()
    preemption: PreemptionSettings = PreemptionSettings()
    hardware: HardwareSettings = HardwareSettings()
    retention: RetentionSettings = RetentionSettings()
    sharing: SharingSettings = SharingSettings()
    notifications: NotificationSettings = NotificationSettings()
    projects: dict[str, ProjectSettings] = {}
    pools: dict[PoolName, PoolSettings] = {}

    @property
    def database(self) -> str:
        """SQLAlchemy URL of the store, with its password."""
        if self.database_url is not None:
            return self.database_url
        from sqlalchemy import URL

        # Not by joining texts: a folder's name may hold `?`, `#` or `%20`.
        file = str(self.data_dir / DATABASE_FILE)
        return URL.create("sqlite", database=file).render_as_string(hide_password=False)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, environment, file: earlier ones win."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, _FILE.get())


_FILE: ContextVar[dict[str, Any]] = ContextVar("file", default={})  # noqa: B039


def load(path: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings in force.

    `path` names the file; without it the first existing of $FULCRUM_CONFIG, `./fulcrum.toml` and
    `$XDG_CONFIG_HOME/fulcrum/fulcrum.toml` is read, if any. `overrides` nests as the file does
    and may spell a nested name with dots (`executor.grace_s`); a None in it counts as not given.

    Raises `InputError` whose `fields` name each wrong value with what would be right.
    """
    found = find_file(path)
    given = _nested(overrides or {})
    token = _FILE.set(_read(found) if found else {})
    try:
        return Settings(**given)
    except ValidationError as error:
        fields = wrong_fields(error.errors(include_url=False), Settings, what="setting", quote=True)
        origin = f"{found}, FULCRUM_* variables or arguments" if found else "FULCRUM_* or arguments"
        listed = "; ".join(f"{name}: {problem}" for name, problem in fields.items())
        raise InputError(f"wrong settings ({origin}): {listed}", fields) from None
    except SettingsError as error:
        raise InputError(
            f"an environment variable cannot be read: {error}",
            {"environment": "tables are JSON; or one variable each: FULCRUM_EXECUTOR__GRACE_S=5"},
        ) from None
    finally:
        _FILE.reset(token)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}", {"config": str(error)}) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}", {"config": str(error)}) from None


def _nested(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """`{"executor.grace_s": 3}` → `{"executor": {"grace_s": 3}}`, without what is None."""
    result: dict[str, Any] = {}
    for name, value in overrides.items():
        if value is None:
            continue
        *sections, last = name.split(".")
        place = result
        for section in sections:
            place = place.setdefault(section, {})
        if isinstance(value, Mapping):
            place.setdefault(last, {}).update(_nested(value))
        else:
            place[last] = value
    return result
