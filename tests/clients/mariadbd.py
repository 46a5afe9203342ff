"""A MariaDB server of our own: a data directory, a port and a socket of its own, gone when the test is over."""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from check import Failure, attempts

# So long, in seconds, it may take to make a data directory, and to stop.
PATIENCE = 60.0

MISSING = "there is no {} here: apt-get install mariadb-server"


def tool(name: str) -> str:
    """The path of one of the server's programs, which Debian keeps where a user's PATH does not look."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))
    if found is None:
        raise Failure(MISSING.format(name))
    return found


# Below those that the system gives to whoever connects somewhere: one of them could be gone before a server has it, and
# while it is down between a crash and its next start.
PORTS = range(12_000, 32_000)


def free_port(host: str) -> int:
    """One that nobody has at this moment."""
    for port in random.sample(PORTS, 100):
        with socket.socket() as free:
            try:
                free.bind((host, port))
            except OSError:
                continue
            return port
    raise Failure("no port is free")


class MariaDB:
    """Listens on a free port of the loopback interface. `root` has no password."""

    host = "127.0.0.1"

    def __init__(self, home: Path, *options: str) -> None:
        server, install = tool("mariadbd"), tool("mariadb-install-db")
        data = Path(tempfile.mkdtemp(prefix="mariadb-", dir=home))
        self._log = data / "log"
        # A server that starts removes the temporary tables of others where it keeps its own.
        own = tempfile.mkdtemp(prefix="mariadb-tmp-", dir=home)
        self._environment = {"PATH": os.environ["PATH"], "TMPDIR": own}
        # It does not run as root unless it is told to.
        user = ["--user=root"] if os.geteuid() == 0 else []
        made = subprocess.run(
            [install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", *user],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env=self._environment,
        )
        if made.returncode != 0:
            raise Failure(f"mariadb-install-db failed: {made.stdout[-400:]!r} {made.stderr[-400:]!r}")
        self.port = free_port(self.host)
        self._command = [
            server, "--no-defaults", f"--datadir={data}", f"--bind-address={self.host}", f"--port={self.port}",
            f"--socket={data / 'socket'}", f"--pid-file={data / 'pid'}", "--skip-name-resolve",
            "--innodb-buffer-pool-size=16M", "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_general_ci", *user, *options,
        ]  # fmt: skip
        self._start()

    def _start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._environment)
        try:
            self._await_listening()
        except BaseException:
            self.discard()
            raise

    def _await_listening(self) -> None:
        # It accepts when all is ready, a file of statements to begin with included.
        for _ in attempts("MariaDB's readiness"):
            if self._process.poll() is not None:
                raise Failure(f"MariaDB has ended: {self.log()[-1000:]}")
            with socket.socket() as probe:
                probe.settimeout(0.1)
                if probe.connect_ex((self.host, self.port)) == 0:
                    return

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def unix_socket(self) -> Path:
        """Its socket, for clients on this machine."""
        return self._log.with_name("socket")

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def crash(self) -> None:
        """Ends it without a word. Its data stay."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Starts it again after a crash: the same data, the same port."""
        self._start()

    def discard(self) -> None:
        """Leaves nothing running."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> "MariaDB":
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()
