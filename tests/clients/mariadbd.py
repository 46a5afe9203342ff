"""A MariaDB server of our own: a data directory, a port and a socket of its own, gone when the test is over."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from check import Failure

# So long, in seconds, it may take to make a data directory, and to start or to stop.
STARTING = 60.0

MISSING = "there is no {} here: apt-get install mariadb-server"


def tool(name: str) -> str:
    """The path of one of the server's programs, which Debian keeps where a user's PATH does not look."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))
    if found is None:
        raise Failure(MISSING.format(name))
    return found


class MariaDB:
    """Listens on a free port of the loopback interface. `root` has no password."""

    def __init__(self, home: Path) -> None:
        server, install = tool("mariadbd"), tool("mariadb-install-db")
        self.host = "127.0.0.1"
        data = home / "mariadb"
        self._log = home / "mariadb.log"
        # It does not run as root unless it is told to.
        user = ["--user=root"] if os.geteuid() == 0 else []
        made = subprocess.run(
            [install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", *user],
            capture_output=True,
            text=True,
            timeout=STARTING,
        )
        if made.returncode != 0:
            raise Failure(f"mariadb-install-db failed: {made.stdout[-400:]!r} {made.stderr[-400:]!r}")
        with socket.socket() as free:
            free.bind((self.host, 0))
            self.port = free.getsockname()[1]
        command = [
            server, "--no-defaults", f"--datadir={data}", f"--bind-address={self.host}", f"--port={self.port}",
            f"--socket={home / 'mariadb.sock'}", f"--pid-file={home / 'mariadb.pid'}", "--skip-name-resolve",
            "--innodb-buffer-pool-size=16M", "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_general_ci", *user,
        ]  # fmt: skip
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            self._await_listening(home / "mariadb.pid")
        except BaseException:
            self.discard()
            raise

    def _await_listening(self, ready: Path) -> None:
        # It writes its process id once it listens; nothing else to wait on is told.
        deadline = time.monotonic() + STARTING
        while not ready.exists():
            try:
                code = self._process.wait(0.05)
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
                code = "nothing yet"
            raise Failure(f"mariadbd said {code}: {self._log.read_text(errors='replace')[-800:]!r}")

    def discard(self) -> None:
        """Leaves nothing running."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STARTING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> "MariaDB":
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()
