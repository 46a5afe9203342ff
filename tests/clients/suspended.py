"""Processes that are stopped for a while: what hangs, to those who talk to it."""

import os
import signal
import time
from pathlib import Path

from check import attempts


def suspend(pid: int) -> None:
    """Stops a process, and waits until all of its threads stand still: the signal alone only begins that."""
    os.kill(pid, signal.SIGSTOP)
    for _ in attempts(f"process {pid} standing still"):
        if all(state(thread) == "T" for thread in Path(f"/proc/{pid}/task").iterdir()):
            return
        time.sleep(0.001)


def state(thread: Path) -> str:
    """What a thread does, by the system's letter; T: it is stopped, or gone."""
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "T"


def resume(pid: int) -> None:
    os.kill(pid, signal.SIGCONT)
