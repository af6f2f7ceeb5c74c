"""The commands as data: `fulcrum --help` shows them all and imports none of their modules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SERVICE, TRAIN = "service", "train"


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """One command."""

    target: str
    """`module:function`, the module below `api.cli.commands`."""
    extra: str | None = None
    """The extra of `fulcrum-scheduler` whose packages it needs; None: a plain install is enough."""
    interspersed: bool = True
    """Whether options may follow arguments."""


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """A command with commands of its own."""

    summary: str
    commands: Mapping[str, CommandEntry]


PANELS: Mapping[str, Mapping[str, CommandEntry | GroupEntry]] = {
    "Service": {
        "serve": CommandEntry("machine.serve:serve", SERVICE),
        "doctor": CommandEntry("machine.doctor:doctor"),
        "backup": CommandEntry("machine.backup:backup", SERVICE),
        "restore": CommandEntry("machine.backup:restore", SERVICE),
        "monitoring": GroupEntry(
            "Print a Grafana dashboard and alert rules for Prometheus.",
            {
                "dashboard": CommandEntry("machine.monitoring:dashboard"),
                "alerts": CommandEntry("machine.monitoring:alerts"),
            },
        ),
        "node": GroupEntry(
            "Make this machine a node of a service's cluster.",
            {"join": CommandEntry("machine.node:join", SERVICE)},
        ),
        "token": GroupEntry(
            "Manage access tokens, on the service's machine as its user.",
            {
                "create": CommandEntry("machine.tokens:create"),
                "ls": CommandEntry("machine.tokens:ls"),
                "revoke": CommandEntry("machine.tokens:revoke"),
            },
        ),
    },
    "Submit": {
        "submit": CommandEntry("jobs.submit:submit"),
        "train": CommandEntry("jobs.submit:train"),
        "infer": CommandEntry("jobs.submit:infer"),
        "run": CommandEntry("jobs.submit:run", interspersed=False),
        "plan": CommandEntry("jobs.submit:plan"),
        "update": CommandEntry("jobs.listing:update"),
        "cancel": CommandEntry("jobs.cancel:cancel"),
        "preempt": CommandEntry("jobs.listing:preempt"),
        "retry": CommandEntry("jobs.listing:retry"),
    },
    "Inspect": {
        "ls": CommandEntry("jobs.listing:ls"),
        "show": CommandEntry("jobs.listing:show"),
        "logs": CommandEntry("jobs.inspect:logs"),
        "events": CommandEntry("jobs.inspect:events"),
        "explain": CommandEntry("jobs.inspect:explain"),
        "metrics": CommandEntry("jobs.inspect:metrics"),
        "artifacts": CommandEntry("jobs.inspect:artifacts"),
    },
    "Cluster": {
        "cluster": CommandEntry("cluster:cluster"),
        "nodes": GroupEntry(
            "Show the nodes, and keep jobs off them.",
            {
                "ls": CommandEntry("nodes:ls"),
                "events": CommandEntry("nodes:events"),
                "drain": CommandEntry("nodes:drain"),
                "resume": CommandEntry("nodes:resume"),
                "retire": CommandEntry("nodes:retire"),
            },
        ),
        "cost": CommandEntry("cluster:cost"),
        "estimates": CommandEntry("cluster:estimates"),
        "du": CommandEntry("machine.storage:du"),
        "prune": CommandEntry("machine.storage:prune"),
        "policy": GroupEntry(
            "List the policies and choose the active one.",
            {
                "ls": CommandEntry("cluster:policy_ls"),
                "use": CommandEntry("cluster:policy_use"),
                "prefer": CommandEntry("cluster:policy_prefer"),
                "active": CommandEntry("policies.active:active"),
                "fit": CommandEntry("policies.active:fit"),
                "shadow": CommandEntry("policies.active:shadow"),
                "train": CommandEntry("policies.train:train", TRAIN),
                "tune": CommandEntry("policies.tune:hyperparameters", TRAIN),
                "show": CommandEntry("policies.registry:show", SERVICE),
                "compare": CommandEntry("policies.registry:compare", TRAIN),
                "promote": CommandEntry("policies.registry:promote", TRAIN),
                "export": CommandEntry("policies.registry:export", SERVICE),
                "import": CommandEntry("policies.registry:take", SERVICE),
            },
        ),
    },
    "Simulation": {
        "compare": CommandEntry("simulation.compare:compare", TRAIN),
        "scenario": GroupEntry(
            "List, show and create scenarios to train and compare policies in.",
            {
                "ls": CommandEntry("simulation.scenario:ls", TRAIN),
                "show": CommandEntry("simulation.scenario:show", TRAIN),
                "new": CommandEntry("simulation.scenario:new", TRAIN),
                "tune": CommandEntry("policies.tune:heuristics", TRAIN),
            },
        ),
        "trace": GroupEntry(
            "Describe recorded workloads.",
            {
                "info": CommandEntry("simulation.trace:info", TRAIN),
            },
        ),
    },
}
"""Title of a panel of `fulcrum --help` to its commands, in their order."""
