#!/usr/bin/env python3
"""What clients of echo_sql see when it is stopped under load: whole answers, 1053, or a close before anything of the
answer; and what the server says of it.

    python3 tests/clients/shutdown.py target/debug/examples/echo_sql
"""

import re
import signal
import socket
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from check import Failure, attempts, expect_equal
from packets import DEPRECATE_EOF, ORDINARY, QUERY, Connection
from server import Server

# So long, in seconds, the load may go on after the signal. Far longer than any of its transactions takes.
GRACE = 10
# So long, in seconds, the server may take beyond that for its end.
MORE = 20.0

COMMITTING, STREAMING, IDLE, HOLDING, SLEEPING, ENDLESS = 32, 12, 6, 6, 6, 2
FORCED = HOLDING + SLEEPING + ENDLESS
ALL = COMMITTING + STREAMING + IDLE + FORCED

SHUTDOWN = b"\xff\x1d\x04"


class Closed(Exception):
    """The server has closed the connection, before it has begun an answer."""


class Refused(Exception):
    """1053, in the place of the answer or of the next row; then the server has closed the connection."""

    def __init__(self, amid: bool) -> None:
        super().__init__()
        # Whether the answer had begun.
        self.amid = amid


class Client:
    """A connection, and whether a transaction is open in it."""

    def __init__(self, server: Server) -> None:
        self._connection = Connection((server.host, server.port), capabilities=ORDINARY | DEPRECATE_EOF)
        self._socket = self._connection._socket
        self._socket.settimeout(GRACE + MORE)
        self._file = self._socket.makefile("rb", buffering=1 << 16)
        self.in_transaction = False

    def close(self) -> None:
        self._file.close()
        self._connection.close()

    def run(self, sql: str) -> int:
        """How many rows the answer has, all of which are as they should be."""
        try:
            self._connection.send(QUERY, sql.encode())
            head = self._file.read(4)
        except (ConnectionResetError, BrokenPipeError):
            raise Closed from None
        if not head:
            raise Closed
        sequence = 1
        first = self._payload(head, sequence)
        if first[0] == 0x00:
            self._status(first)
            return 0
        columns = first[0]
        rows = -columns
        while True:
            sequence = (sequence + 1) % 256
            payload = self._payload(self._file.read(4), sequence)
            if payload[0] == 0xFE and len(payload) < 0xFFFFFF:
                self._status(payload)
                return rows
            rows += 1
            if rows > 0 and "seq(" in sql and payload[1:] != b"%d" % rows:
                raise Failure(f"row {rows} of {sql!r} is {payload!r}")

    def _payload(self, head: bytes, sequence: int) -> bytes:
        length = int.from_bytes(head[:3], "little")
        payload = self._file.read(length)
        if len(head) < 4 or len(payload) < length:
            raise Failure(f"an answer is torn: {head!r} {payload[:100]!r}")
        expect_equal(head[3], sequence, "the sequence number of a packet")
        if payload[0] == 0xFF:
            expect_equal(payload[:3], SHUTDOWN, "an error")
            self.expect_close()
            raise Refused(sequence > 1)
        return payload

    def _status(self, ok: bytes) -> None:
        """Counts and an id below 251 are before it."""
        self.in_transaction = bool(int.from_bytes(ok[3:5], "little") & 1)

    def expect_close(self) -> None:
        expect_equal(self._file.read(1), b"", "what comes before the close")


def committing(client: Client, ready: Callable[[], None]) -> str:
    """Transactions, one after the other. None of those that it has begun is lost."""
    try:
        for round in range(1_000_000):
            expect_equal(client.in_transaction, False, "between two transactions")
            client.run("BEGIN")
            ready()
            client.run(f"INSERT INTO t VALUES ({round})")
            expect_equal(client.run("SELECT * FROM seq(300)"), 300, "rows")
            client.run("SELECT SLEEP(0.02)")
            client.run("COMMIT")
    except (Closed, Refused):
        expect_equal(client.in_transaction, False, "in a transaction")
        return "drained"


def streaming(client: Client, ready: Callable[[], None]) -> str:
    """Long results, one after the other, all of them whole."""
    try:
        while True:
            ready()
            expect_equal(client.run("SELECT * FROM seq(20000)"), 20000, "rows")
    except Closed:
        return "drained"
    except Refused as refusal:
        # The server, or we, may be too slow for the grace.
        return "forced" if refusal.amid else "drained"


def idle(client: Client, ready: Callable[[], None]) -> str:
    client.run("SELECT 1")
    ready()
    client.expect_close()
    return "drained"


def holding(client: Client, ready: Callable[[], None]) -> str:
    """A transaction that does not end."""
    client.run("BEGIN")
    ready()
    client.expect_close()
    return "forced"


def refused(sql: str) -> Callable[[Client, Callable[[], None]], str]:
    """A statement that does not end."""

    def play(client: Client, ready: Callable[[], None]) -> str:
        ready()
        try:
            client.run(sql)
        except Refused:
            return "forced"
        raise Failure(f"{sql} has ended")

    return play


class Load:
    """Clients, each in a thread of its own."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._ready = 0
        self._threads: list[threading.Thread] = []
        self.outcomes: Counter[str] = Counter()
        self.failures: list[str] = []

    def add(self, count: int, play: Callable[[Client, Callable[[], None]], str]) -> None:
        for _ in range(count):
            thread = threading.Thread(target=self._play, args=(play,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _play(self, play: Callable[[Client, Callable[[], None]], str]) -> None:
        try:
            client = Client(self._server)
            try:
                said = False

                def ready() -> None:
                    nonlocal said
                    if not said:
                        with self._lock:
                            self._ready += 1
                    said = True

                outcome = play(client, ready)
                with self._lock:
                    self.outcomes[outcome] += 1
            finally:
                client.close()
        except Exception as error:
            with self._lock:
                self.failures.append(f"{getattr(play, '__name__', play)}: {type(error).__name__}: {error}")

    def wait_ready(self) -> None:
        for _ in attempts("all clients at work"):
            with self._lock:
                if self._ready == len(self._threads) or self.failures:
                    return
            threading.Event().wait(0.01)

    def wait(self) -> None:
        for thread in self._threads:
            thread.join(GRACE + MORE)
        expect_equal(self.failures, [], "what went wrong")


def summary(log: str) -> dict[str, int]:
    [line] = re.findall(r" stopped (drained=.*)", log)
    return {name: int(value) for name, value in (field.split("=") for field in line.split())}


def expect_refused(server: Server) -> None:
    """Who comes now is told why it is not let in."""
    with socket.create_connection((server.host, server.port), MORE) as late, late.makefile("rb") as answer:
        expect_equal(answer.read(), b"\x1e\0\0\0" + SHUTDOWN + b"Server shutdown in progress", "the greeting")


def under_load(binary: str, home: Path) -> None:
    path = home / "mysql.sock"
    with Server(binary, home, "--grace", str(GRACE), "--socket", str(path)) as server:
        load = Load(server)
        load.add(COMMITTING, committing)
        load.add(STREAMING, streaming)
        load.add(HOLDING, holding)
        load.add(SLEEPING, refused("SELECT SLEEP(1000)"))
        load.add(ENDLESS, refused("SELECT * FROM seq(1000000000)"))
        load.add(IDLE, idle)
        load.wait_ready()
        witness = Client(server)
        server.signal(signal.SIGTERM)
        witness.expect_close()
        witness.close()
        expect_refused(server)
        load.wait()
        expect_equal(server.wait(MORE), 0, "the exit code")
        told = summary(server.log())
        print(f"  {told}")
        ended = told.pop("transactions_ended")
        drained, forced = load.outcomes["drained"], load.outcomes["forced"]
        # The witness is one more.
        expected = {"drained": drained + 1, "forced": forced, "transactions_rolled_back": HOLDING, "left_behind": 0}
        expect_equal(told, expected, "the summary")
        expect_equal(drained + forced, ALL, "all clients")
        expect_equal(FORCED <= forced <= FORCED + STREAMING, True, f"{forced} that were forced, {FORCED} at least")
        # Of those that commit, nearly all are within a transaction at any time, but nobody can say how many.
        expect_equal(0 < ended <= COMMITTING, True, f"{ended} transactions that have ended, of {COMMITTING} at most")
        expect_equal(path.exists(), False, "the Unix socket's file is left")


def at_once(binary: str, home: Path, second: signal.Signals, code: int) -> None:
    path = home / f"at-once-{code}.sock"
    with Server(binary, home, "--grace", "1000", "--socket", str(path)) as server:
        load = Load(server)
        load.add(1, holding)
        load.wait_ready()
        computing, witness = Client(server), Client(server)
        computing._connection.send(QUERY, b"SELECT BENCHMARK(1000000000000, 1)")
        server.signal(signal.SIGTERM)
        witness.expect_close()
        expect_equal(path.exists(), True, "the Unix socket's file is there")
        server.signal(second)
        expect_equal(server.wait(MORE), code, "the exit code")
        load.wait()
        expect_equal(path.exists(), False, "the Unix socket's file is left")


def announced(binary: str, home: Path) -> None:
    with Server(binary, home, "--announce", "2") as server:
        witness = Client(server)
        server.signal(signal.SIGINT)
        for _ in attempts("the log's word of it"):
            if "stopping" in server.log():
                break
            threading.Event().wait(0.01)
        late = Client(server)
        expect_equal((witness.run("SELECT 1"), late.run("SELECT * FROM seq(10)")), (1, 10), "rows")
        witness.expect_close()
        late.expect_close()
        witness.close()
        late.close()
        expect_equal(server.wait(MORE), 0, "the exit code")
        expect_equal(summary(server.log())["drained"], 2, "sessions that were drained")


def tidied_up(binary: str, home: Path) -> None:
    path = home / "gone.sock"
    with Server(binary, home, "--socket", str(path)) as server:
        path.unlink()
        server.stop()


def main(binary: str) -> int:
    cases: list[tuple[str, Callable[[Path], None]]] = [
        ("SIGTERM under load", lambda home: under_load(binary, home)),
        ("a second SIGTERM", lambda home: at_once(binary, home, signal.SIGTERM, 143)),
        ("SIGINT after SIGTERM", lambda home: at_once(binary, home, signal.SIGINT, 130)),
        ("announced", lambda home: announced(binary, home)),
        ("the socket's file is gone", lambda home: tidied_up(binary, home)),
    ]
    failed = 0
    with tempfile.TemporaryDirectory() as home:
        for name, play in cases:
            try:
                play(Path(home))
                print(f"ok: {name}")
            except Failure as failure:
                failed += 1
                print(f"FAILED: {name}: {failure}")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
