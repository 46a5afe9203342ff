"""A MariaDB server for the clients' scenes, to see what a real one does."""

import subprocess
import tempfile
from pathlib import Path

from check import Failure
from echo_users import PASSWORDS
from mariadbd import MariaDB, tool

USERS = f"""\
CREATE DATABASE IF NOT EXISTS test;
CREATE USER native@'%' IDENTIFIED BY '{PASSWORDS['native']}';
GRANT ALL ON test.* TO native@'%';
"""


class RealServer(MariaDB):
    users = ("native",)
    logins: dict[str, str] = {}
    is_proxy = False
    left_out = {"sysbench tls native": "it shows a certificate of its own, which MariaDB would have to know"}
    many_rows = "SELECT * FROM seq_1_to_100000"

    def __init__(self, home: Path) -> None:
        own = Path(tempfile.mkdtemp(dir=home))
        key, certificate, users = own / "key.pem", own / "certificate.pem", own / "users.sql"
        new = ("-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost")
        make = [tool("openssl"), "req", "-x509", *new, "-keyout", str(key), "-out", str(certificate)]
        made = subprocess.run(make, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise Failure(f"openssl: {made.stderr}")
        users.write_text(USERS)
        tls = (f"--ssl-key={key}", f"--ssl-cert={certificate}")
        super().__init__(home, f"--init-file={users}", *tls, "--plugin-load-add=ha_sequence")
