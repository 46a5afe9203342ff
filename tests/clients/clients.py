"""The clients: what starts each, what installs it, and what it cannot do."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# Where install.sh puts what is not Debian's.
INSTALLED = HERE.parent.parent / "target" / "clients"
PYTHON = str(INSTALLED / "venv" / "bin" / "python")
NODE_MODULES = INSTALLED / "node_modules"
MYCLI = "/usr/bin/mycli"
CONNECTOR_J = "/usr/share/java/mariadb-java-client.jar"

SCENES = ("connect", "query", "prepare", "stream", "cancel", "killed", "reconnect")


@dataclass(frozen=True)
class Client:
    name: str
    command: list[str]
    # Succeeds where the client is installed.
    probe: list[str]
    installed_by: str
    scenes: tuple[str, ...] = SCENES
    environment: dict[str, str] = field(default_factory=dict)
    # Why it does not play over TLS, or with caching_sha2_password without TLS.
    no_tls: str | None = None
    no_sha2_without_tls: str | None = None

    def is_installed(self) -> bool:
        try:
            return subprocess.run(self.probe, capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            return False


def python(name: str, script: str, package: str, *arguments: str, **more: Any) -> Client:
    return Client(
        name,
        [PYTHON, str(HERE / script), *arguments],
        [PYTHON, "-c", f"import {package}"],
        "bash tests/clients/install.sh (PyPI)",
        **more,
    )


def rust(name: str) -> Client:
    program = str(INSTALLED / "rust")
    return Client(name, [program, name], ["test", "-x", program], "bash tests/clients/install.sh (crates.io)")


# Those that know what a proxy's list and ids are, or need not.
BEHIND_PROXY = (
    "pymysql", "mysql-connector-python", "mysql-connector-python-c", "mysql2", "mariadb-connector-j", "sysbench",
)  # fmt: skip

CLIENTS = [
    Client(
        "mariadb",
        [sys.executable, str(HERE / "mariadb_matrix.py")],
        ["mariadb", "--version"],
        "apt-get install mariadb-client",
    ),
    Client(
        "mysqladmin",
        [sys.executable, str(HERE / "mariadb_admin.py")],
        ["mysqladmin", "--version"],
        "apt-get install mariadb-client",
        scenes=("connect", "processlist", "killed"),
    ),
    python("pymysql", "pymysql_client.py", "pymysql, cryptography"),
    python(
        "mysql-connector-python",
        "mysql_connector_client.py",
        "mysql.connector",
        "pure",
        no_sha2_without_tls="it knows no public key: it would send the password as it is, which is refused (1045)",
    ),
    python(
        "mysql-connector-python-c",
        "mysql_connector_client.py",
        "_mysql_connector",
        "c",
        no_sha2_without_tls="it has no option to ask for the public key (its own error 2061)",
    ),
    python("asyncmy", "asyncmy_client.py", "asyncmy, cryptography"),
    Client(
        "mysql2",
        ["node", str(HERE / "node" / "mysql2_client.js")],
        ["node", "--input-type=commonjs", "-e", f"require({str(NODE_MODULES / 'mysql2')!r})"],
        "bash tests/clients/install.sh (Debian's nodejs and npm; npm)",
        environment={"NODE_PATH": str(NODE_MODULES)},
    ),
    Client(
        "mariadb-connector-j",
        ["java", "-cp", CONNECTOR_J, str(HERE / "java" / "MariaDbConnector.java")],
        ["javap", "-cp", CONNECTOR_J, "org.mariadb.jdbc.Driver"],
        "apt-get install default-jdk-headless libmariadb-java",
        scenes=(*SCENES, "timeout"),
    ),
    Client(
        "go-sql-driver",
        [str(INSTALLED / "go-sql-driver")],
        ["test", "-x", str(INSTALLED / "go-sql-driver")],
        "bash tests/clients/install.sh (Debian's golang-go and golang-github-go-sql-driver-mysql-dev)",
        scenes=(*SCENES, "context"),
    ),
    Client(
        "dbd-mariadb",
        ["perl", str(HERE / "perl" / "dbd_mariadb.pl")],
        ["perl", "-MDBD::MariaDB", "-e", "1"],
        "apt-get install libdbd-mariadb-perl",
    ),
    python("mycli", "mycli_client.py", "mycli, pexpect", scenes=(*SCENES, "processlist", "kill_query")),
    Client(
        "mycli-debian",
        [PYTHON, str(HERE / "mycli_client.py"), MYCLI],
        ["sh", "-c", f"{MYCLI} --version && {PYTHON} -c 'import pexpect'"],
        "apt-get install mycli, and bash tests/clients/install.sh",
        scenes=(*SCENES, "processlist", "kill_query"),
    ),
    rust("mysql_async"),
    rust("sqlx"),
    Client(
        "sysbench",
        [sys.executable, str(HERE / "sysbench.py")],
        ["sysbench", "--version"],
        "apt-get install sysbench",
        scenes=("text", "prepared"),
    ),
]
