"""The proxy example in front of two MariaDB servers: how they are started, who may log in, and what its clients see."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from check import Failure, attempts
from cluster import Client, Row, SqlError, each
from mariadb_pair import Pair
from server import Server

CLUSTER = "ob1.jianhua.sjh"
# CONNECTION_ID() is the greeting's id with this.
CONNECTION_BIT = 1 << 31

INTERRUPTED = 1317
UNKNOWN_THREAD = 1094
NOT_OWNER = 1095
UNKNOWN_OPERATOR = 5010
# How a client says that it lost its connection, and a proxy that it lost its server's.
LOST = (1053, 1158, 1159, 1160, 1927, 2006, 2013)


@dataclass(frozen=True)
class User:
    """Who logs in at the proxy, and as whom the proxy logs in at the servers for it."""

    name: str
    tenant: str
    password: str
    privileges: tuple[str, ...]
    server_user: str
    server_password: str
    plugin: str = "mysql_native_password"

    @property
    def login(self) -> str:
        return f"{self.name}@{self.tenant}#{CLUSTER}"


ADMINISTRATOR = User("root", "proxysys", "barracuda", ("ALL",), "of_proxysys", "secret of proxysys")
SYS = User("root", "sys", "perch", ("ALL",), "of_sys", "secret of sys")
ALICE = User("alice", "test", "swordfish", (), "alice", "secret of alice")
BOB = User("bob", "test", "marlin", (), "bob", "secret of bob")
USERS = (ADMINISTRATOR, SYS, ALICE, BOB)


def users_file(users: Iterable[User] = USERS) -> str:
    tables = []
    for user in users:
        names = ", ".join(f'"{name}"' for name in user.privileges)
        tables.append(
            f'[[user]]\nuser = "{user.name}"\ntenant = "{user.tenant}"\npassword = "{user.password}"\n'
            f'plugin = "{user.plugin}"\nprivileges = [{names}]\n'
            f'server_user = "{user.server_user}"\nserver_password = "{user.server_password}"\n'
        )
    return "\n".join(tables)


class Proxy(Server):
    """The example, with all the users above, before the pair: over TCP, or by the servers' Unix sockets."""

    def __init__(
        self,
        binary: str,
        home: Path,
        pair: Pair,
        *options: str,
        users: Iterable[User] = USERS,
        sockets: bool = False,
    ) -> None:
        self.pair = pair
        self.options = options
        file = home / "proxy-users.toml"
        file.write_text(users_file(users))
        file.chmod(0o600)
        at = [str(backend.unix_socket) if sockets else backend.address for backend in pair.backends]
        backends = [word for place in at for word in ("--backend", place)]
        about = ("--users", str(file), "--cluster-name", CLUSTER, *backends)
        super().__init__(binary, home, *about, *options)

    def client(self, user: User = ALICE, database: str | None = "test") -> Client:
        return Client(self, user.login, user.password, database)

    def administrator(self) -> Client:
        return self.client(ADMINISTRATOR, None)

    def sessions(self, by: Client) -> dict[int, Row]:
        """SHOW PROXYSESSION by Id."""
        return {int(row["Id"] or 0): row for row in by.run("SHOW PROXYSESSION")}

    def await_alone(self, by: Client) -> None:
        """Waits until no client session is left but this one."""
        left: list[Row] = []
        try:
            for _ in attempts("no other session at the proxy"):
                left = [row for id, row in self.sessions(by).items() if id != by.greeted_id]
                if not left:
                    return
        except Failure as why:
            raise Failure(f"{why}; it lists {left}") from None

    def resident(self) -> int:
        """Its memory, in bytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise Failure("the proxy has no memory")


@dataclass(frozen=True)
class ServerSession:
    """What SHOW PROXYSESSION ATTRIBUTE says of one server session."""

    about: str
    ss_id: int
    server: str
    server_sessid: int
    state: str

    @property
    def runs(self) -> bool:
        return self.state == "MSS_ACTIVE"


def server_sessions(by: Client, session: int) -> list[ServerSession]:
    """The server sessions of a client session."""
    kept: list[tuple[str, dict[str, str]]] = []
    for row in by.run(f"SHOW PROXYSESSION ATTRIBUTE {session}"):
        info, name, value = row["info"] or "", row["attribute_name"] or "", row["value"] or ""
        if not info.endswith(" ss") and not info.startswith("ss pool"):
            continue
        if name == "server_ip":
            kept.append((info, {}))
        kept[-1][1][name] = value
    return [
        ServerSession(
            info, int(of["ss_id"]), f"{of['server_ip']}:{of['server_port']}", int(of["server_sessid"]), of["state"]
        )
        for info, of in kept
    ]


def begin(client: Client, statement: str, by: Client) -> ServerSession:
    """Begins a statement, and returns the server session that runs it."""
    client.begin(statement)
    for _ in attempts(f"a server session that runs {statement}"):
        for server in server_sessions(by, client.greeted_id):
            if server.runs:
                return server
    raise AssertionError("attempts end by an error")


def told(client: Client, sql: str) -> tuple[int, str]:
    """The error's code and text; 0: it went well."""
    try:
        client.run(sql)
    except SqlError as refused:
        return refused.code, refused.text
    return 0, ""


def value(client: Client, sql: str) -> str | None:
    """The only one of its answer."""
    rows = client.run(sql)
    if len(rows) != 1 or len(rows[0]) != 1:
        raise Failure(f"{sql}: {rows} instead of one value")
    return next(iter(rows[0].values()))


def accounts(pair: Pair, users: Iterable[User] = USERS) -> None:
    """What the servers know of the users, and a table for them."""
    # It takes whoever comes by a socket for nobody.
    pair.primary.do("DROP USER IF EXISTS ''@localhost")
    for user in users:
        pair.create_account(user.server_user, user.server_password)
    pair.primary.do("CREATE TABLE test.entry (id BIGINT AUTO_INCREMENT PRIMARY KEY, who VARCHAR(40), n BIGINT)")
    # Each server says of itself which one it is.
    pair.primary.do("CREATE TABLE test.place (server INT)", "INSERT INTO test.place VALUES (1)")
    pair.catch_up()
    with pair.replica.administrator() as root:
        root.run("SET sql_log_bin = 0")
        root.run("UPDATE test.place SET server = 2")


@dataclass(frozen=True)
class Act:
    """Scenes that share one proxy, started with these options."""

    scenes: tuple[Callable[[Proxy], None], ...]
    options: tuple[str, ...] = ()
    sockets: bool = False


def play(about: str, *acts: Act) -> NoReturn:
    """The whole of such a program: each act's scenes, before the same pair. More arguments choose scenes by their names."""
    if len(sys.argv) < 2:
        sys.exit(about)
    binary = shutil.which(sys.argv[1]) or sys.exit(f"{sys.argv[1]} is no program that could be run")

    def scenes(home: Path, pair: Pair) -> Iterable[tuple[str, Callable[[], None]]]:
        for act in acts:
            with Proxy(binary, home, pair, *act.options, sockets=act.sockets) as proxy:
                for scene in act.scenes:
                    about = [*act.options, *(["by sockets"] if act.sockets else [])]
                    name = " ".join([scene.__name__.replace("_", " "), *about])
                    yield name, lambda scene=scene, proxy=proxy: explained(scene, proxy)

    with tempfile.TemporaryDirectory() as made:
        home = Path(made)
        try:
            with Pair(home) as pair:
                accounts(pair)
                each(scenes(home, pair))
        except Failure as why:
            sys.exit(f"FAIL {why}")


def explained(scene: Callable[[Proxy], None], proxy: Proxy) -> None:
    """Plays it; where it fails, what the proxy has logged is shown."""
    try:
        scene(proxy)
    except Exception:
        print(f"the proxy's log:\n{proxy.log()[-3000:]}", file=sys.stderr, flush=True)
        raise
