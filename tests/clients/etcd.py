"""An etcd of our own: one server on free ports of this machine, with its data in a private directory."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import suspended
from check import PATIENCE, Failure, attempts


def require() -> None:
    if shutil.which("etcd") is None:
        sys.exit("etcd is not installed; to install it: apt-get install etcd-server")


class Etcd:
    def __init__(self, home: Path) -> None:
        self._home = home
        self._data = home / "etcd"
        self._client, self._peer = free_ports(2)
        self._start()

    def _start(self) -> None:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self._client, self._peer))
        command = ["etcd", "--name", "one", "--data-dir", str(self._data)]
        command += ["--listen-client-urls", client, "--advertise-client-urls", client]
        command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
        command += ["--initial-cluster", f"one={peer}", "--log-level", "error", "--log-outputs", "stderr"]
        with (self._home / "etcd.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in attempts("etcd's health"):
            if self._process.poll() is not None:
                raise Failure(f"etcd has ended: {(self._home / 'etcd.log').read_text()[-400:]!r}")
            if self._is_healthy():
                return

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._client}/health", timeout=0.3) as answer:
                return b'"true"' in answer.read()
        except (urllib.error.URLError, OSError):
            # Refused at once while it starts.
            time.sleep(0.02)
            return False

    @property
    def url(self) -> str:
        """As `--cluster` takes it."""
        return f"etcd://127.0.0.1:{self._client}/killdeer"

    def suspend(self) -> None:
        suspended.suspend(self._process.pid)

    def resume(self) -> None:
        suspended.resume(self._process.pid)

    def stop(self) -> None:
        """Ends it. Its data stay."""
        self._process.kill()
        self._process.wait(PATIENCE)

    def restart(self) -> None:
        self._start()

    def __enter__(self) -> "Etcd":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def free_ports(count: int) -> list[int]:
    """Ports that nobody has at this moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
