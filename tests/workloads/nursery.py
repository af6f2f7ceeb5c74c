"""Loads the workloads once, then forks one attempt per line of standard input.

An attempt of several parts is one process for each, as on so many nodes. The hook is for all of
them or, with `"rank": r`, for the process of that rank. With `"whole": true` its launcher gets
the signal too.

A hook is `{"signal": n, "epoch": e, "batch": b}`: the attempt sends itself signal n after batch
b (from 0) of epoch e (from 0); or `{"signal": n, "checkpoint": k}`: while it writes its k-th
checkpoint (from 0); or `{"signal": n}`: before it loads its data. With `"digest_weights": true`
each process prints a digest of the weights that it ends with.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from scheduler.domain.jobs import JobKind
from scheduler.domain.resources import DeviceKind
from scheduler.executors.base import LaunchSpec, Part
from scheduler.workloads import run


def main() -> None:
    run.preload()
    threads = len(list(Path("/proc/self/task").iterdir()))
    answer({"threads": threads, "python_threads": threading.active_count()})
    for line in sys.stdin:
        request = json.loads(line)
        sys.stdout.flush()
        spec, hook = request["spec"], request["hook"]
        pids = []
        for rank in range(len(spec["parts"])):
            pids.append(os.fork())
            if not pids[-1]:
                os._exit(attempt(spec, rank, hook))
        statuses = [os.waitpid(pid, 0)[1] for pid in pids]
        answer({"codes": [os.waitstatus_to_exitcode(status) for status in statuses]})
    os._exit(0)


def answer(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


def attempt(raw: dict[str, Any], rank: int, hook: dict[str, Any]) -> int:
    spec = LaunchSpec(
        attempt=raw["attempt"],
        nonce="",
        job_nonce="",
        kind=JobKind(raw["kind"]),
        work=raw["work"],
        folder=Path(raw["folder"]),
        shared=Path(raw["shared"]),
        parts=tuple(Part(node, DeviceKind.CPU, tuple(own)) for node, own in raw["parts"]),
        rank=rank,
        resume_from=Path(raw["resume_from"]) if raw["resume_from"] else None,
    )
    folder = spec.part_folder
    folder.mkdir(parents=True, exist_ok=True)
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.setsid()
    if hook.pop("rank", rank) != rank:
        hook = {}
    if "checkpoint" in hook:
        die_while_writing(hook)
    elif "digest_weights" in hook:
        digest_weights()
    elif "epoch" in hook:
        die_after_batch(hook)
    elif hook:
        stop_while_loading(hook)
    outcome = run.run(spec)
    (folder / "outcome.json").write_text(json.dumps(outcome.result))
    return outcome.code


def die_after_batch(hook: dict[str, Any]) -> None:
    from scheduler.workloads.callbacks import Reporter

    usual = Reporter.on_train_batch_end

    def counted(self: Any, trainer: Any, module: Any, outputs: Any, batch: Any, index: int) -> None:
        usual(self, trainer, module, outputs, batch, index)
        if (trainer.current_epoch, index) == (hook["epoch"], hook["batch"]):
            if hook.get("whole"):
                os.kill(os.getppid(), hook["signal"])
            os.kill(os.getpid(), hook["signal"])

    Reporter.on_train_batch_end = counted  # type: ignore[method-assign]


def digest_weights() -> None:
    """Each rank says at its end which weights it has."""
    import hashlib

    from scheduler.workloads import train

    usual = train._leave

    def told(context: Any, module: Any, *rest: Any) -> Any:
        state = module.network.state_dict()
        whole = b"".join(state[name].numpy().tobytes() for name in sorted(state))
        print("weights:", hashlib.sha256(whole).hexdigest(), flush=True)
        return usual(context, module, *rest)

    train._leave = told


def stop_while_loading(hook: dict[str, Any]) -> None:
    from scheduler.workloads import train

    usual = train.datasets.load

    def stopped(*args: Any, **options: Any) -> Any:
        os.kill(os.getpid(), hook["signal"])
        return usual(*args, **options)

    train.datasets.load = stopped


def die_while_writing(hook: dict[str, Any]) -> None:
    from scheduler.workloads import checkpoints

    usual, written = checkpoints.write_bytes, []

    def torn(path: Path, data: bytes) -> None:
        if len(written) == hook["checkpoint"]:
            path.with_name(f".{path.name}.1.tmp").write_bytes(data[: len(data) // 2])
            os.kill(os.getpid(), hook["signal"])
        written.append(path)
        usual(path, data)

    checkpoints.write_bytes = torn


if __name__ == "__main__":
    main()
