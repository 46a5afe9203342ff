#!/usr/bin/env python3
"""Clients that fall into a black hole: their host is cut off, and no packet of theirs comes any more.

    python3 tests/clients/black_hole.py target/release/examples/echo_sql

The server runs in a network namespace of its own, its clients in another one, with a cable (a veth pair) in between: ten
sleep in their statements, five receive rows without an end, five are idle. At first all is well for longer than the
keepalive's bound, and nobody is given up. Then the cable is cut. Within the bound, every session has to be gone, its
statement cancelled, as seen from the server's own loopback interface, and nothing of them is left.

It needs Linux, `ip` (iproute2) and `unshare` (util-linux), and root or the right to make user namespaces. The namespaces
are gone with the processes in them.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import packets
from check import PATIENCE, Failure, attempts, expect_equal, expect_match
from packets import DEPRECATE_EOF, ORDINARY, STATISTICS, Connection, Packet, Reader
from server import Server

SLEEP, ROWS = "SELECT SLEEP(1000)", "SELECT * FROM seq(100000000)"
# What each client does, in the order in which they connect.
CLIENTS = [SLEEP] * 10 + [ROWS] * 5 + [None] * 5

# Seconds, seconds, times; and what follows from them: the bound that wire::Keepalive states.
IDLE, INTERVAL, RETRIES = 2, 1, 3
BOUND = IDLE + INTERVAL * RETRIES
# Beyond it: for the kernel's timers, and for a machine that is busy.
MARGIN = 3.0

SERVER, CLIENT = "192.0.2.1", "192.0.2.2"

# Clients that come from elsewhere have to have a password.
USERS = """
[[user]]
user = "far"
password = "away"
plugin = "mysql_native_password"

[[user]]
user = "root"
plugin = "mysql_native_password"
privileges = ["SUPER", "PROCESS"]
"""


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"`ip {' '.join(words)}` failed: {done.stderr.strip()}")


# The clients' namespace: a process that does as it is told, line by line.


def receive_rows(connection: Connection) -> None:
    """Takes rows, at a moderate pace, for as long as there are any."""
    # In the black hole, none come any more.
    with suppress(TimeoutError):
        while connection.receive_some():
            time.sleep(0.005)


def clients(port: int) -> None:
    ip("address", "add", f"{CLIENT}/24", "dev", "client")
    ip("link", "set", "client", "up")
    connections = []
    for statement in CLIENTS:
        connection = Connection((SERVER, port), capabilities=ORDINARY | DEPRECATE_EOF, user="far", password="away")
        expect_equal(connection.login.kind, "ok", "the answer to the login")
        if statement is not None:
            connection.send(packets.QUERY, statement.encode())
        if statement == ROWS:
            threading.Thread(target=receive_rows, args=[connection], daemon=True).start()
        connections.append(connection)
    print("connected", *(connection.id for connection in connections), flush=True)
    expect_equal(sys.stdin.readline(), "cut\n", "the word")
    ip("link", "set", "client", "down")
    print("cut", flush=True)
    # The sockets stay open: nobody here says goodbye.
    sys.stdin.read()


class Clients:
    """The process in the clients' namespace, and the cable to it."""

    def __init__(self) -> None:
        # `unshare` becomes the program that it is given: the process is the same.
        self._process = subprocess.Popen(
            ["unshare", "--net", sys.executable, __file__, "--clients"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.hear("here")
            ip("link", "add", "server", "type", "veth", "peer", "name", "client", "netns", str(self._process.pid))
            ip("address", "add", f"{SERVER}/24", "dev", "server")
            ip("link", "set", "server", "up")
        except BaseException:
            self.discard()
            raise

    def tell(self, *words: object) -> None:
        print(*words, file=self._process.stdin, flush=True)

    def hear(self, word: str) -> list[int]:
        line = self._process.stdout.readline().split()
        expect_equal(line[:1], [word], "what the clients say")
        return [int(number) for number in line[1:]]

    def discard(self) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def __enter__(self) -> "Clients":
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


# The server's namespace.


def listed(checker: Connection) -> dict[int, str | None]:
    """Everybody's statements by id, but for the checker's own."""

    def cell(packet: Packet, name: str) -> str | None:
        field = packet.get(name)
        return None if field == b"\xfb" else Reader(field).lenenc_bytes(name).decode()

    rows = [packet for packet in checker.query("SHOW FULL PROCESSLIST") if packet.kind == "row"]
    statements = {int(cell(row, "Id")): cell(row, "Info") for row in rows}
    del statements[checker.id]
    return statements


def threads(checker: Connection) -> int:
    """The sessions, as COM_STATISTICS counts them."""
    [line] = checker.line(STATISTICS)
    return int(expect_match(line.payload.decode(), r"Threads: (\d+)")[1])


def sockets(server: Server) -> int:
    """How many sockets the server's process has open."""
    found = 0
    for descriptor in Path(f"/proc/{server.pid}/fd").iterdir():
        # One may be closed meanwhile.
        with suppress(FileNotFoundError):
            found += os.readlink(descriptor).startswith("socket:")
    return found


def sight(checker: Connection, wanted: dict[int, str | None], what: str) -> None:
    expect_equal(listed(checker), wanted, what)


def cut_off(server: Server, cable: Clients, checker: Connection) -> None:
    before = sockets(server)
    cable.tell(server.port)
    wanted = dict(zip(cable.hear("connected"), CLIENTS, strict=True))
    for _ in attempts("the clients in the middle of their statements"):
        if listed(checker) == wanted:
            break
        time.sleep(0.05)
    expect_equal(sockets(server) - before, len(CLIENTS), "the server's new sockets")
    print(f"{len(CLIENTS)} clients are there")

    # It is the silence of TCP that counts, not that of its user.
    time.sleep(BOUND + 1)
    sight(checker, wanted, f"the list after {BOUND + 1} s in which all was well")
    print(f"nobody was given up in {BOUND + 1} s in which all was well")

    cable.tell("cut")
    cable.hear("cut")
    begin = time.monotonic()
    sight(checker, wanted, "the list when the cable was cut, and nothing told of it")
    left, went = wanted, {}
    while left and time.monotonic() - begin < BOUND + MARGIN + PATIENCE:
        time.sleep(0.02)
        left = listed(checker)
        for gone in wanted.keys() - left.keys() - went.keys():
            went[gone] = time.monotonic() - begin
    expect_equal(left, {}, "who is left of the clients")
    for statement in (SLEEP, ROWS, None):
        times = [seconds for session, seconds in went.items() if wanted[session] == statement]
        print(f"gone after {min(times):.2f} to {max(times):.2f} s: {len(times)} x {statement or 'idle'}")
    if max(went.values()) > BOUND + MARGIN:
        raise Failure(f"the last was gone after {max(went.values()):.2f} s; the bound is {BOUND} s")

    # The figures may be a second old.
    for _ in attempts("figures that agree with the list"):
        if threads(checker) == 1 and sockets(server) == before:
            break
        time.sleep(0.05)
    closed = re.findall(r"connection closed.*?session=(\d+).*?reason=(\S+)", server.log())
    # Whose rows are unread is given up by the one or the other, whichever is first.
    unread = {"Some(ClientGone)", "Some(NetWriteTimeout)"}
    expect_equal(sorted(int(session) for session, _ in closed), sorted(wanted), "who is closed by the log")
    for session, reason in closed:
        expect_equal(reason in unread if wanted[int(session)] == ROWS else reason == "Some(ClientGone)", True, reason)
    expect_equal(checker.query("SELECT 1")[0].kind, "column count", "the answer to the next statement")


def play(binary: str) -> None:
    ip("link", "set", "lo", "up")
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        users = home / "users.toml"
        users.write_text(USERS)
        keepalive = f"{IDLE},{INTERVAL},{RETRIES}"
        # As by default, a client has less time to read its rows than to be silent.
        unread = f"net_write_timeout={BOUND - 1}"
        options = ["--users", str(users), "--keepalive", keepalive, "--set", unread, "--log", "info,killdeer=debug"]
        cable = stack.enter_context(Clients())
        server = stack.enter_context(Server(binary, home, *options, host="0.0.0.0"))
        with Connection(("127.0.0.1", server.port), capabilities=ORDINARY | DEPRECATE_EOF) as checker:
            cut_off(server, cable, checker)
        server.stop()


def apart(binary: str) -> int:
    """Goes on in a network namespace of its own."""
    for tool, package in (("ip", "iproute2"), ("unshare", "util-linux")):
        if shutil.which(tool) is None:
            print(f"FAILED: there is no `{tool}` here: apt-get install {package}")
            return 1
    rights = ["--net"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--net"]
    able = subprocess.run(["unshare", *rights, "ip", "link", "add", "type", "veth"], capture_output=True, text=True)
    if able.returncode != 0:
        print(f"FAILED: no rights here for network namespaces and veth pairs: {able.stderr.strip()}")
        return 1
    return subprocess.run(["unshare", *rights, sys.executable, __file__, "--apart", binary]).returncode


def main() -> int:
    match sys.argv[1:]:
        case ["--clients"]:
            print("here", flush=True)
            clients(int(sys.stdin.readline()))
            return 0
        case ["--apart", binary]:
            try:
                play(binary)
            except (Failure, OSError) as failure:
                print(f"FAILED: {failure}")
                return 1
            print(f"ok: {len(CLIENTS)} clients in a black hole were given up in time")
            return 0
        case [binary] if not binary.startswith("-"):
            return apart(binary)
        case _:
            print(__doc__)
            return 2


if __name__ == "__main__":
    sys.exit(main())
