"""Thousands of connections at a time, byte by byte: what slowloris.py and flood.py share.

A connection says what it has heard; what it is to do next is the script's.
"""

import errno
import os
import resource
import select
import socket
import time
from collections.abc import Iterable, Iterator

from check import PATIENCE, Failure
from packets import Connection
from server import Server

# The crowd comes from so many addresses of this machine, in turn, for a pair of addresses has some 28,000 ports; and not
# from 127.0.0.1, where ordinary clients come from.
SOURCES = 16


def allow_files(needed: int) -> None:
    """Lets this process, and the server that it starts, have so many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise Failure(f"{needed} open files are needed, and no more than {hard} are allowed: raise ulimit -n")
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def open_files(server: Server) -> int:
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def expect_files(server: Server, most: int) -> None:
    """Waits until the server has no more files open: a connection is closed a moment after its last word."""
    deadline = time.monotonic() + PATIENCE
    while (files := open_files(server)) > most:
        if time.monotonic() > deadline:
            raise Failure(f"the server has {files} files open instead of {most}")
        time.sleep(0.02)


def framed(sequence: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([sequence]) + payload


def error_code(payload: bytes) -> int:
    """The code of an error packet; 0 of any other."""
    return int.from_bytes(payload[1:3], "little") if payload[:1] == b"\xff" else 0


class Caller:
    """One connection of the crowd."""

    def __init__(self, server: Server, number: int) -> None:
        self.number = number
        self.begun = time.monotonic()
        self.heard = b""
        self.closed_at: float | None = None
        # What it has met so far.
        self.greeted = False
        self.let_in = False
        self.told = 0
        self.socket = socket.socket()
        self.socket.setblocking(False)
        # A port is chosen at the connect, by the pair of addresses.
        self.socket.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
        self.socket.bind((f"127.0.0.{2 + number % SOURCES}", 0))
        if self.socket.connect_ex((server.host, server.port)) not in (0, errno.EINPROGRESS):
            raise Failure(f"connection {number} could not be begun")

    def fileno(self) -> int:
        return self.socket.fileno()

    def hear(self) -> None:
        """Takes what has come; an end, or a reset, is noted."""
        try:
            more = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        if not more:
            self.closed_at = time.monotonic()
        self.heard += more

    def packets(self) -> Iterator[bytes]:
        """The whole packets that were heard, each once."""
        while len(self.heard) >= 4 and len(self.heard) >= 4 + (length := int.from_bytes(self.heard[:3], "little")):
            payload, self.heard = self.heard[4 : 4 + length], self.heard[4 + length :]
            yield payload

    def say(self, data: bytes) -> None:
        """Sends these bytes: so few that they always fit."""
        try:
            self.socket.send(data)
        except OSError:
            # Its end is heard, too.
            pass

    def close(self) -> None:
        self.socket.close()


class Crowd:
    """All connections, and whatever happens to any of them."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._callers: dict[int, Caller] = {}

    def __len__(self) -> int:
        return len(self._callers)

    def __iter__(self) -> Iterator[Caller]:
        return iter(list(self._callers.values()))

    def add(self, caller: Caller) -> Caller:
        self._callers[caller.fileno()] = caller
        self._poll.register(caller.fileno(), select.EPOLLIN | select.EPOLLRDHUP)
        return caller

    def leave(self, caller: Caller) -> None:
        """It closes."""
        self._poll.unregister(caller.fileno())
        del self._callers[caller.fileno()]
        caller.close()

    def news(self, wait: float) -> Iterable[Caller]:
        """Those that have something to hear, after at most so many seconds. They have heard it."""
        for descriptor, _ in self._poll.poll(wait):
            caller = self._callers[descriptor]
            caller.hear()
            yield caller

    def close(self) -> None:
        for caller in self:
            self.leave(caller)
        self._poll.close()

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def rows(connection: Connection, sql: str) -> int:
    """How many rows a statement has."""
    answer = connection.query(sql)
    if answer[0].kind == "error":
        raise Failure(f"{sql}: {answer[0].fields}")
    return sum(packet.kind == "row" for packet in answer)


def expect_listed(observer: Connection, wanted: int, what: str) -> None:
    """Waits until so many sessions are listed."""
    deadline = time.monotonic() + PATIENCE
    while (listed := rows(observer, "SHOW PROCESSLIST")) != wanted:
        if time.monotonic() > deadline:
            raise Failure(f"{what}: {listed} sessions are listed instead of {wanted}")
        time.sleep(0.02)
