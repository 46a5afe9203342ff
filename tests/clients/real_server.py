"""A MariaDB server of our own, to see what a real one does."""

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from check import Failure, attempts
from echo_users import PASSWORDS

USERS = f"""\
CREATE DATABASE IF NOT EXISTS test;
CREATE USER native@'%' IDENTIFIED BY '{PASSWORDS['native']}';
GRANT ALL ON test.* TO native@'%';
"""


class MariaDb:
    host = "127.0.0.1"
    users = ("native",)
    left_out = {"sysbench tls native": "it shows a certificate of its own, which MariaDB would have to know"}
    many_rows = "SELECT * FROM seq_1_to_100000"

    def __init__(self, binary: str, home: Path) -> None:
        data = Path(tempfile.mkdtemp(dir=home))
        # The server does not run as root, and neither reads what only root may.
        shutil.chown(data, "mysql")
        home.chmod(0o755)
        run("mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={data}", "--skip-test-db")
        key, certificate = data / "key.pem", data / "certificate.pem"
        new = ("-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost")
        run("openssl", "req", "-x509", *new, "-keyout", str(key), "-out", str(certificate))
        shutil.chown(key, "mysql")
        (data / "users.sql").write_text(USERS)
        self.port = free_port()
        self._log = data / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(binary, "--no-defaults", "--user=mysql", f"--datadir={data}", f"--socket={data}/socket"),
                    *(f"--bind-address={self.host}", f"--port={self.port}", f"--init-file={data}/users.sql"),
                    *(f"--ssl-key={key}", f"--ssl-cert={certificate}", "--plugin-load-add=ha_sequence"),
                ],
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"]},
            )
        for _ in attempts("MariaDB's readiness"):
            if self._process.poll() is not None:
                raise Failure(f"MariaDB has ended: {self.log()[-1000:]}")
            # Accepting begins behind the file of users.
            with socket.socket() as probe:
                probe.settimeout(0.1)
                if probe.connect_ex((self.host, self.port)) == 0:
                    return

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def __enter__(self) -> "MariaDb":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{command[0]}: {done.stdout}{done.stderr}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
