"""A cluster of echo_sql processes: how they are started, and what a client of one of them sees."""

import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NoReturn

import suspended
from check import PATIENCE, Failure
from etcd import Etcd
from mariadbd import MariaDB
from packets import (
    DEPRECATE_EOF,
    FIXED,
    ORDINARY,
    QUERY,
    STMT_CLOSE,
    Connection,
    Packet,
    Reader,
    name_of,
)
from server import Server

# TiDB's own times for its test of the global kill: a lease of 10 s, renewed each second, given up after 5 s without.
LEASE, RENEW, FENCE = 10, 1, 5
TIMES = (
    "--lease", str(LEASE), "--renew-every", str(RENEW), "--fence-after", str(FENCE), "--claim-every", "1",
    "--cool-down", "2",
)  # fmt: skip

OFFLINE = 3032
UNKNOWN_THREAD = 1094
INTERRUPTED = 1317
# The node that has the session cannot be reached, or has not answered in time.
UNREACHABLE, UNANSWERED = 1429, 1430

# The type of a number of eight bytes.
LONG_LONG = 0x08

Row = dict[str, str | None]


class SqlError(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class Client:
    """A connection that says what it is answered."""

    def __init__(
        self,
        server: "Server | Balancer | MariaDB",
        user: str = "root",
        password: str = "",
        database: str | None = None,
    ) -> None:
        capabilities = ORDINARY | DEPRECATE_EOF
        address = (server.host, server.port)
        self._connection = Connection(
            address, capabilities=capabilities, user=user, password=password, database=database
        )
        if self._connection.login.kind == "error":
            self._connection.close()
            raise error(self._connection.login)
        self.greeted_id = self._connection.id
        self.warnings = 0

    def run(self, sql: str) -> list[Row]:
        """The rows of its answer; none of an OK."""
        self.begin(sql)
        return self.answer()

    def begin(self, sql: str) -> None:
        self._connection.send(QUERY, sql.encode())

    def answer(self) -> list[Row]:
        return self._rows(self._connection.results())

    def prepare(self, sql: str) -> int:
        """The id of a prepared statement."""
        first = self._connection.prepare(sql)[0]
        if first.kind == "error":
            raise error(first)
        return int.from_bytes(first.get("statement id"), "little")

    def execute(self, statement: int, *values: int) -> list[Row]:
        """The rows of a prepared statement's answer, which are not in the text format."""
        return self._rows(self._connection.execute(statement, [long(value) for value in values]))

    def forget(self, statement: int) -> None:
        """Closes a prepared statement. Nobody answers."""
        self._connection.send(STMT_CLOSE, statement.to_bytes(4, "little"))

    def _rows(self, packets: list[Packet]) -> list[Row]:
        last = packets[-1]
        if last.kind == "error":
            raise error(last)
        self.warnings = int.from_bytes(last.get("warnings"), "little")
        columns = [packet for packet in packets if packet.kind == "column"]
        kinds = {"row": row, "binary row": binary_row}
        return [kinds[packet.kind](packet, columns) for packet in packets if packet.kind in kinds]

    def id(self) -> int:
        return int(self.run("SELECT CONNECTION_ID()")[0]["CONNECTION_ID()"])

    def expect_closed(self) -> None:
        """Takes what comes, up to the end."""
        try:
            while self._connection.receive_some():
                pass
        except ConnectionResetError:
            pass

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def error(packet: Packet) -> SqlError:
    return SqlError(int.from_bytes(packet.get("code"), "little"), packet.get("message").decode(errors="replace"))


def row(packet: Packet, columns: list[Packet]) -> Row:
    values: Row = {}
    for head in columns:
        name = name_of(head)
        data = packet.get(name)
        values[name] = None if data == b"\xfb" else Reader(data).lenenc_bytes(name).decode(errors="replace")
    return values


def binary_row(packet: Packet, columns: list[Packet]) -> Row:
    """A row in the binary format, as it would be in the text format; its numbers are integers."""
    values: Row = {}
    found = dict(packet.fields)
    for head in columns:
        name = name_of(head)
        data = found.get(name)
        if data is None:
            values[name] = None
        elif head.get("type")[0] in FIXED:
            values[name] = str(int.from_bytes(data, "little", signed=True))
        else:
            values[name] = Reader(data).lenenc_bytes(name).decode(errors="replace")
    return values


def long(value: int) -> tuple[int, bytes]:
    """A parameter of eight bytes."""
    return LONG_LONG, value.to_bytes(8, "little", signed=True)


def code_of(client: Client, sql: str) -> int:
    """0: it went well."""
    try:
        client.run(sql)
    except SqlError as refused:
        return refused.code
    return 0


def await_code(client: Client, code: int) -> None:
    """The answer to what was begun is this error."""
    try:
        client.answer()
    except SqlError as told:
        if told.code == code:
            return
        raise
    raise Failure(f"the statement went well instead of {code}")


class Node(Server):
    """A node of a cluster; its other nodes find it by themselves."""

    def admits(self, user: str = "root") -> Client:
        """A client of this node, once it lets clients in."""
        for _ in moments("a client let in"):
            try:
                return Client(self, user)
            except SqlError as refused:
                if refused.code != OFFLINE:
                    raise
        raise AssertionError("moments end by an error")

    def refuses(self, code: int) -> None:
        """Waits until it refuses clients, with this error."""
        for _ in moments(f"a client refused with {code}"):
            try:
                Client(self).close()
            except SqlError as refused:
                if refused.code == code:
                    return
                raise

    def suspend(self) -> None:
        suspended.suspend(self.pid)

    def resume(self) -> None:
        suspended.resume(self.pid)

    def crash(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait(PATIENCE)


class Cluster:
    """Nodes that find each other by one etcd, in a private directory. It leaves nothing running."""

    def __init__(self, binary: str, *options: str) -> None:
        self._binary = binary
        self._options = options
        self._directory = tempfile.TemporaryDirectory()
        self._home = Path(self._directory.name)
        self.nodes: list[Node] = []
        self.etcd = Etcd(self._home)

    def add(self, *options: str, secret: str = "a secret of the whole cluster") -> Node:
        """A further node, which is let in by and by."""
        file = self._home / f"secret-{len(self.nodes)}"
        file.write_text(f"{secret}\n")
        about = ("--cluster", self.etcd.url, "--cluster-secret", str(file), *TIMES)
        node = Node(self._binary, self._home, *about, *self._options, *options)
        self.nodes.append(node)
        return node

    def await_members(self, count: int, seen_by: Client) -> list[Row]:
        """The nodes, once so many are up as this client's node sees them."""
        for _ in moments(f"{count} nodes that are up"):
            rows = seen_by.run("SELECT * FROM killdeer.nodes")
            if sum(row["STATE"] == "UP" for row in rows) == count:
                return rows
        raise AssertionError("moments end by an error")

    def logs(self) -> str:
        return "\n".join(f"{node.port}: {node.log()[-12000:]}" for node in self.nodes)

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, kind: object = None, *_: object) -> None:
        for node in self.nodes:
            node.discard()
        if kind is not None:
            print(self.logs(), file=sys.stderr, flush=True)
        self.etcd.__exit__()
        self._directory.cleanup()


class Balancer:
    """A port behind which each connection goes to the next of some servers, as behind a balancer of loads."""

    def __init__(self, home: Path, *servers: Server) -> None:
        self.home = home
        self.host = "127.0.0.1"
        self._listener = socket.create_server((self.host, 0))
        self.port = self._listener.getsockname()[1]
        self._servers = servers
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        at = 0
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = self._servers[at % len(self._servers)]
            at += 1
            there = socket.create_connection((server.host, server.port))
            for one, other in ((client, there), (there, client)):
                threading.Thread(target=forward, args=(one, other), daemon=True).start()

    def __enter__(self) -> "Balancer":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()


def forward(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        target.close()


def each(scenes: Iterable[tuple[str, Callable[[], None]]]) -> NoReturn:
    """Plays scenes by their names: those that have one of the further arguments in it, or all."""
    failed = 0
    for name, scene in scenes:
        if sys.argv[2:] and not any(wanted in name for wanted in sys.argv[2:]):
            continue
        try:
            scene()
            print(f"ok   {name}", flush=True)
        except (Failure, SqlError, OSError) as why:
            failed += 1
            print(f"FAIL {name}: {type(why).__name__}: {why}", flush=True)
    sys.exit(1 if failed else 0)


def moments(what: str, patience: float = 4 * PATIENCE) -> Iterator[None]:
    """Another round every few milliseconds, for as long as leases may take."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        yield
        time.sleep(0.02)
    raise Failure(f"waited in vain: {what}")
