"""The commands as data: `fulcrum --help` shows them all and imports none of their modules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SERVICE, TRAIN = "service", "train"


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """One command."""

    target: str
    """`module:function`, the module below `api.cli.commands`."""
    summary: str
    """The first sentence of the function's docstring; a test compares them."""
    extra: str | None = None
    """The extra of `fulcrum-scheduler` whose packages it needs; None: a plain install is enough."""
    interspersed: bool = True
    """Whether options may follow arguments."""


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """A command with commands of its own."""

    summary: str
    commands: Mapping[str, CommandEntry] = field(default_factory=dict)


_POLICY = GroupEntry(
    "Who decides: list the policies, choose one.",
    {
        "ls": CommandEntry(
            "cluster:policy_ls",
            "List the policies, learned ones with their state; the active one is marked.",
        ),
        "use": CommandEntry("cluster:policy_use", "Let another policy decide from now on."),
        "prefer": CommandEntry(
            "cluster:policy_prefer",
            "How much speed is worth to jobs that name no preference; without arguments: show it.",
        ),
        "active": CommandEntry(
            "policies.active:active",
            "Who decides, how often the guard had to, and how well it fits this cluster.",
        ),
        "fit": CommandEntry(
            "policies.active:fit",
            "Replay jobs with a policy and with wgc on this cluster's pools; the better will "
            "decide.",
        ),
        "shadow": CommandEntry(
            "policies.active:shadow",
            "A candidate that sees every decision and changes none: how often it would agree.",
        ),
        "train": CommandEntry(
            "policies.train:train", "Train a policy in the simulator; it needs no service.", TRAIN
        ),
        "tune": CommandEntry(
            "policies.tune:hyperparameters",
            "Search hyper-parameters of `fulcrum policy train`.",
            TRAIN,
        ),
        "show": CommandEntry(
            "policies.registry:show",
            "What a learned policy was made from, how it learned, and how it did on validation "
            "workloads.",
            SERVICE,
        ),
        "compare": CommandEntry(
            "policies.registry:compare",
            "Hold policies against the first, as `fulcrum compare` does with its own defaults.",
            TRAIN,
        ),
        "promote": CommandEntry(
            "policies.registry:promote",
            "Make a policy the incumbent if it beats the present one and the heuristics.",
            TRAIN,
        ),
        "export": CommandEntry(
            "policies.registry:export", "Write a registered policy into one file.", SERVICE
        ),
        "import": CommandEntry(
            "policies.registry:take",
            "Register a policy from a file, or from the folder of a training; nothing in it is "
            "run.",
            SERVICE,
        ),
    },
)
_SCENARIO = GroupEntry(
    "Worlds to learn and compare in: list, show, make one.",
    {
        "ls": CommandEntry(
            "simulation.scenario:ls", "List the scenarios that come with Fulcrum.", TRAIN
        ),
        "show": CommandEntry(
            "simulation.scenario:show",
            "Show a scenario: its pools and prices, where jobs come from, what counts.",
            TRAIN,
        ),
        "new": CommandEntry(
            "simulation.scenario:new",
            "Make a scenario of this machine and the jobs it has run; works in the data folder.",
            TRAIN,
        ),
        "tune": CommandEntry(
            "policies.tune:heuristics",
            "Tune the heuristic wgc for a scenario, at each preference.",
            TRAIN,
        ),
    },
)
_TRACE = GroupEntry(
    "Recorded workloads: look into one.",
    {
        "info": CommandEntry(
            "simulation.trace:info",
            "Count and describe the jobs of a trace of any known format.",
            TRAIN,
        ),
    },
)
_TOKEN = GroupEntry(
    "Who may come in; works on the service's machine, as its user.",
    {
        "create": CommandEntry(
            "machine.tokens:create", "Make a token; it is shown once, and honoured at once."
        ),
        "ls": CommandEntry("machine.tokens:ls", "List the tokens beside the owner's own."),
        "revoke": CommandEntry(
            "machine.tokens:revoke", "Forget a token; the service refuses it at once."
        ),
    },
)
PANELS: Mapping[str, Mapping[str, CommandEntry | GroupEntry]] = {
    "Service": {
        "serve": CommandEntry(
            "machine.serve:serve",
            "Run the service until Ctrl-C or SIGTERM; running jobs go on and are found again.",
            SERVICE,
        ),
        "doctor": CommandEntry(
            "machine.doctor:doctor",
            "Look at everything jobs need on this machine, and say what to do where it is not "
            "well.",
        ),
        "backup": CommandEntry(
            "machine.backup:backup",
            "Back up database, learned policies and tokens into one file, while the service runs.",
            SERVICE,
        ),
        "restore": CommandEntry(
            "machine.backup:restore",
            "Go back to a backup; the service must be stopped. What was there is kept aside.",
            SERVICE,
        ),
        "token": _TOKEN,
    },
    "Submit": {
        "submit": CommandEntry(
            "jobs.submit:submit",
            "Submit the job or jobs of a file; several are stored all or none.",
        ),
        "train": CommandEntry("jobs.submit:train", "Train an image classifier."),
        "infer": CommandEntry(
            "jobs.submit:infer", "Classify images with trained models; several vote."
        ),
        "run": CommandEntry(
            "jobs.submit:run",
            "Run any program, here unless --cwd says otherwise.",
            interspersed=False,
        ),
        "plan": CommandEntry(
            "jobs.submit:plan",
            "What would happen to a job, for fast, balanced and cheap; nothing is submitted.",
        ),
        "update": CommandEntry(
            "jobs.listing:update", "Make waiting jobs more or less important, urgent or fast."
        ),
        "cancel": CommandEntry(
            "jobs.cancel:cancel",
            "Stop jobs, or take them from the queue: by number, or all live ones that match.",
        ),
        "retry": CommandEntry(
            "jobs.listing:retry", "Submit ended jobs again; each new job names the old one."
        ),
    },
    "Look": {
        "ls": CommandEntry(
            "jobs.listing:ls",
            "List jobs, newest first: live ones and the latest ended ones, a page of them.",
        ),
        "show": CommandEntry(
            "jobs.listing:show",
            "Everything about a job: what it asks for, its attempts, its result.",
        ),
        "logs": CommandEntry("jobs.inspect:logs", "Show what a job wrote."),
        "events": CommandEntry(
            "jobs.inspect:events", "The history of a job: what happened when, by whom and why."
        ),
        "explain": CommandEntry(
            "jobs.inspect:explain",
            "Why a job is where it is, when it is expected to start, what else it could do.",
        ),
        "metrics": CommandEntry(
            "jobs.inspect:metrics",
            "What a job has measured so far: loss, accuracy, … epoch by epoch.",
        ),
        "artifacts": CommandEntry(
            "jobs.inspect:artifacts", "List the files a job left, or fetch them."
        ),
    },
    "Cluster": {
        "cluster": CommandEntry(
            "cluster:cluster", "The pools, what their devices cost and do now, and who decides."
        ),
        "cost": CommandEntry("cluster:cost", "Measured dollars and energy of ended attempts."),
        "estimates": CommandEntry(
            "cluster:estimates", "How far the estimated runtimes were from the true ones."
        ),
        "du": CommandEntry(
            "machine.storage:du",
            "Show what takes the space: by kind of file, user and project, and the biggest jobs.",
        ),
        "prune": CommandEntry(
            "machine.storage:prune",
            "Remove files of jobs that have ended; their history stays. One of both limits is "
            "needed.",
        ),
        "policy": _POLICY,
    },
    "Simulation": {
        "compare": CommandEntry(
            "simulation.compare:compare",
            "Run policies on the same simulated workloads, and hold them against each other.",
            TRAIN,
        ),
        "scenario": _SCENARIO,
        "trace": _TRACE,
    },
}
"""Title of a panel of `fulcrum --help` to its commands, in their order."""
