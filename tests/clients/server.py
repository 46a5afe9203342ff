"""The server under test, as a process of our own on a free port."""

import select
import signal
import subprocess
from pathlib import Path

from check import PATIENCE, Failure, expect_equal

# So long, in seconds, the server may take to stop: its own grace for running statements, and some more.
STOPPING = 15.0


class Server:
    def __init__(self, binary: str, home: Path, *options: str, host: str = "127.0.0.1") -> None:
        self.binary = binary
        self.home = home
        self.host = host
        self._log = home / f"server-{len(list(home.glob('server-*')))}.log"
        with self._log.open("wb") as log:
            # Port 0: the server takes a free one and says which.
            command = [binary, "--listen", f"{self.host}:0", *options]
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            self.port = self._told_port()
        except BaseException:
            self.discard()
            raise

    def _told_port(self) -> int:
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        line = self._process.stdout.readline() if ready else ""
        told, _, address = line.strip().rpartition(" ")
        if told != "listening on":
            raise Failure(f"the server does not listen: it said {line!r}, and in its log {self.log()[-400:]!r}")
        return int(address.rpartition(":")[2])

    @property
    def pid(self) -> int:
        return self._process.pid

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def hang_up(self) -> None:
        """Has it read its files again."""
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """Stops it as Ctrl-C would, and expects that it is content with its end."""
        self.signal(signal.SIGINT)
        expect_equal(self.wait(STOPPING), 0, "the server's exit code")

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Its exit code."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"the server runs after {seconds} s still") from None

    def discard(self) -> None:
        """Leaves nothing running, whatever has happened."""
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()
