"""Counts slowly, and goes on where it was when it is started again: a command to be preempted.

fulcrum run --resumable -- python examples/resumable.py
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

STEPS = 100
STATE = Path(os.environ.get("FULCRUM_CHECKPOINTS", "."), "state.json")
METRICS = Path(os.environ.get("FULCRUM_METRICS", os.devnull))
stopping = False


def stop(_signum: int, _frame: object) -> None:
    """SIGTERM: the present step is finished, then the state is saved."""
    global stopping  # noqa: PLW0603
    stopping = True


def report(kind: str, step: int) -> None:
    """Tell the scheduler how much is done or saved."""
    line = {"kind": kind, "fraction": step / STEPS, "time": time.time()}
    with METRICS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def save(step: int) -> None:
    """Write the state beside, then rename it: it is there whole or not at all."""
    draft = STATE.with_suffix(".tmp")
    draft.write_text(json.dumps({"step": step}), encoding="utf-8")
    draft.replace(STATE)
    report("checkpoint", step)


def main() -> None:
    """Count from the saved step on."""
    signal.signal(signal.SIGTERM, stop)
    resumed = os.environ.get("FULCRUM_RESUMED") == "1"
    step = json.loads(STATE.read_text(encoding="utf-8"))["step"] if resumed else 0
    print(f"begins at step {step}", flush=True)
    while step < STEPS:
        time.sleep(0.1)
        step += 1
        report("progress", step)
        if stopping:
            save(step)
            print(f"stopped after step {step}", flush=True)
            sys.exit(0)
        if step % 20 == 0:
            save(step)
    print("done", flush=True)


if __name__ == "__main__":
    main()
