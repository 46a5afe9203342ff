"""Plays scenes against servers of their own, says of each whether it has passed, and counts.

What the programs of several clients share that start the server themselves. Clients that are told where a server is
have scenes.py instead.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from check import Failure
from server import Server


@dataclass(frozen=True)
class Act:
    """Scenes that share one server, in a directory of its own, in this order."""

    scenes: Sequence[Callable[..., None]]
    # How the server is started.
    options: tuple[str, ...] = ()
    # What each scene is told behind the server.
    told: tuple[object, ...] = ()


def play(about: str, acts: Iterable[Act], packages: dict[str, str]) -> NoReturn:
    """The whole of such a program, whose one argument is the server. `packages`: Debian's, by what they bring."""
    if len(sys.argv) != 2:
        sys.exit(about)
    for program, package in packages.items():
        if shutil.which(program) is None:
            sys.exit(f"{program} is not installed; to install it: apt-get install {package}")
    binary = shutil.which(sys.argv[1]) or sys.exit(f"{sys.argv[1]} is no program that could be run")
    try:
        results = [result for act in acts for result in played(act, binary)]
    except Failure as why:
        sys.exit(f"FAIL {why}")
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(0 if all(results) else 1)


def played(act: Act, binary: str) -> list[bool]:
    with tempfile.TemporaryDirectory() as home, Server(binary, Path(home), *act.options) as server:
        results = [passes(scene, server, act) for scene in act.scenes]
        if not all(results):
            print(f"the server's log:\n{server.log()[-4000:]}", file=sys.stderr, flush=True)
    return results


def passes(scene: Callable[..., None], server: Server, act: Act) -> bool:
    name = " ".join([scene.__name__.replace("_", " "), *act.options])
    try:
        scene(server, *act.told)
    except Exception as why:  # noqa: BLE001: whatever it is, the other scenes are to run
        text = str(why) if isinstance(why, Failure) else f"{type(why).__name__}: {why}"
        print(f"FAIL {name}: {text}", flush=True)
        return False
    print(f"ok   {name}", flush=True)
    return True
