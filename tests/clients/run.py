#!/usr/bin/env python3
"""All the clients against a server that answers as the echo_sql example does.

    bash tests/clients/install.sh
    python3 tests/clients/run.py target/release/examples/echo_sql [NAME...]
    python3 tests/clients/run.py target/release/examples/proxy [NAME...]
    python3 tests/clients/run.py /usr/sbin/mariadbd [NAME...]

Each client plays its scenes with a user of each password plugin, without and with TLS. Behind the proxy are two MariaDB
servers; some clients only know what they need of it. The last line is for seeing what a real server does: with MariaDB,
which lacks caching_sha2_password, in a directory of its own.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from check import Failure
from clients import BEHIND_PROXY, CLIENTS, Client
from echo_users import PASSWORDS, EchoSql
from proxied import Proxied
from real_server import RealServer

AnyServer = EchoSql | Proxied | RealServer
Start = Callable[[Path], AnyServer]

# So long, in seconds, one client may take for its scenes.
LIMIT = 120


class Case:
    """One client, one user, with or without TLS."""

    def __init__(self, client: Client, tls: bool, user: str) -> None:
        self.client = client
        self.tls = tls
        self.user = user
        self.name = f"{client.name} {'tls' if tls else 'plain'} {user}"

    def left_out(self) -> str | None:
        """Why this one is not played, if it is not."""
        if self.tls:
            return self.client.no_tls
        return self.client.no_sha2_without_tls if self.user == "sha2" else None

    def passes(self, server: AnyServer, home: Path) -> bool:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "KILLDEER_HOST": server.host,
            "KILLDEER_PORT": str(server.port),
            "KILLDEER_USER": server.logins.get(self.user, self.user),
            "KILLDEER_PASSWORD": PASSWORDS[self.user],
            "KILLDEER_TLS": "1" if self.tls else "0",
            "KILLDEER_ROWS": server.many_rows,
            "KILLDEER_PROXY": "1" if server.is_proxy else "0",
        }
        process = subprocess.Popen(
            self.client.command,
            env=environment | self.client.environment,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            # With whatever it starts, so that all of it can be ended.
            start_new_session=True,
        )
        try:
            said, complaints = process.communicate(timeout=LIMIT)
            code = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, complaints = process.communicate()
            code = f"nothing more within {LIMIT} s"
        scenes = said.split()
        if code == 0 and set(scenes) == set(self.client.scenes):
            print(f"ok   {self.name}: {' '.join(scenes)}", flush=True)
            return True
        print(f"FAIL {self.name}: {code}, behind {' '.join(scenes) or 'nothing'}", flush=True)
        print("\n".join(f"     | {line}" for line in complaints.strip()[-3000:].splitlines()), flush=True)
        return False


def plays(client: Client, start: Start, home: Path) -> list[bool]:
    if not client.is_installed():
        print(f"MISSING {client.name}; to install it: {client.installed_by}", flush=True)
        return [False]
    results = []
    for tls in (False, True):
        # A server that has seen nobody's password yet: the first login by caching_sha2_password is to be a full one.
        with start(home) as server:
            for user in server.users:
                case = Case(client, tls, user)
                if why := case.left_out() or server.left_out.get(case.name):
                    print(f"--   {case.name}: {why}", flush=True)
                else:
                    results.append(case.passes(server, home))
            if not all(results):
                print(f"the server's log:\n{server.log()[-4000:]}", file=sys.stderr, flush=True)
    return results


def main() -> int:
    names = [client.name for client in CLIENTS]
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= set(names):
        sys.exit(f"{__doc__}\nNAME is one of: {' '.join(names)}")
    binary = shutil.which(sys.argv[1]) or sys.exit(f"{sys.argv[1]} is no program that could be run")
    start: Callable[[Path], AnyServer] = partial(EchoSql, binary)
    if Path(binary).name == "mariadbd":
        start = RealServer
    elif Path(binary).name == "proxy":
        names = list(BEHIND_PROXY)
        start = partial(Proxied, binary)
    wanted = [client for client in CLIENTS if client.name in (sys.argv[2:] or names)]
    results = []
    for client in wanted:
        with tempfile.TemporaryDirectory() as home:
            results += plays(client, start, Path(home))
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as why:
        sys.exit(f"FAIL {why}")
