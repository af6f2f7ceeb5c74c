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
            "Make this machine a node of a service's cluster, and end that.",
            {
                "join": CommandEntry("machine.node:join", SERVICE),
                "leave": CommandEntry("machine.node:leave", SERVICE),
            },
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
        "plan": CommandEntry("jobs.plan:plan"),
        "sweep": GroupEntry(
            "Search hyper-parameters, and compare the trials.",
            {
                "submit": CommandEntry("jobs.sweeps:submit"),
                "ls": CommandEntry("jobs.sweeps:ls"),
                "show": CommandEntry("jobs.sweeps:show"),
                "best": CommandEntry("jobs.sweeps:best"),
                "cancel": CommandEntry("jobs.sweeps:cancel"),
            },
        ),
        "update": CommandEntry("jobs.changes:update"),
        "cancel": CommandEntry("jobs.cancel:cancel"),
        "preempt": CommandEntry("jobs.changes:preempt"),
        "retry": CommandEntry("jobs.changes:retry"),
    },
    "Inspect": {
        "ls": CommandEntry("jobs.listing:ls"),
        "show": CommandEntry("jobs.listing:show"),
        "logs": CommandEntry("jobs.inspect:logs"),
        "events": CommandEntry("jobs.inspect:events"),
        "explain": CommandEntry("jobs.inspect:explain"),
        "metrics": CommandEntry("jobs.inspect:metrics"),
        "compare-runs": CommandEntry("jobs.compare_runs:compare_runs", TRAIN),
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
        "project": GroupEntry(
            "Show projects, and change their shares and quotas.",
            {
                "ls": CommandEntry("sharing.projects:ls"),
                "show": CommandEntry("sharing.projects:show"),
                "set": CommandEntry("sharing.projects:set_"),
            },
        ),
        "notifications": CommandEntry("notifications:notifications"),
        "secret": GroupEntry(
            "Keep secrets for the jobs of a project.",
            {
                "set": CommandEntry("sharing.secrets:set_"),
                "ls": CommandEntry("sharing.secrets:ls"),
                "rm": CommandEntry("sharing.secrets:rm"),
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

OTHER_TOOLS: Mapping[str, str] = {
    "jobs": "fulcrum ls lists jobs, and fulcrum show JOB shows one",
    "kill": "fulcrum cancel JOB stops a job",
    "ps": "fulcrum ls lists jobs",
    "queue": "fulcrum ls lists jobs, and fulcrum explain JOB says why one waits",
    "sacct": "fulcrum ls --all lists ended jobs, and fulcrum cost what they cost",
    "sbatch": "fulcrum submit FILE submits a job file, and fulcrum run -- PROGRAM a program",
    "scancel": "fulcrum cancel JOB stops a job",
    "sinfo": "fulcrum cluster shows pools and devices, and fulcrum nodes ls machines",
    "squeue": "fulcrum ls lists jobs, and fulcrum explain JOB says why one waits",
    "srun": "fulcrum run --follow -- PROGRAM runs a program and shows its output",
    "status": "fulcrum ls lists jobs, fulcrum show JOB shows one, fulcrum cluster the devices",
    "stop": "fulcrum cancel JOB stops a job, and fulcrum preempt JOB for a while",
    "top": "fulcrum ls --watch shows jobs as they change, and fulcrum cluster the devices",
}
"""Verbs of other tools, which are no commands here, to what is meant."""
