"""A flood of 50,000 connects, some two thousand at a time, against max_connections = 100: 100 are in, each of the others
is told 1040, nothing is counted wrong, and an administrator comes in.

    python3 tests/clients/flood.py target/release/examples/echo_sql
"""

import time
from collections import Counter

from check import PATIENCE, Failure, attempts, expect_equal
from crowd import Caller, Crowd, allow_files, error_code, expect_files, expect_listed, framed, open_files
from metrics import await_figures
from packets import NATIVE, ORDINARY, QUIT, Connection
from server import Server
from stage import Act, play

CONNECTS = 50_000
AT_A_TIME = 2_000
LIMIT = 100

TOO_MANY = 1040

# Every connect has its end in so many seconds, all of them together.
LONGEST = 300.0

LOGIN = ORDINARY.to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + b"\x2d" + bytes(23) + b"alice\0\0" + NATIVE + b"\0"


class Flood:
    """Connects over and over. Who is let in stays."""

    def __init__(self, server: Server, crowd: Crowd) -> None:
        self._server = server
        self._crowd = crowd
        self._begun = 0
        self.let_in: list[Caller] = []
        # How it ended for the others: by the code that they were told, 0 if they were told nothing.
        self.ends: Counter[int] = Counter()
        # Before the greeting, or after the login.
        self.before: Counter[int] = Counter()

    def run(self, connects: int) -> None:
        deadline = time.monotonic() + LONGEST
        wanted = self._begun + connects
        while self._begun < wanted or len(self._crowd) > len(self.let_in):
            while self._begun < wanted and len(self._crowd) - len(self.let_in) < AT_A_TIME:
                self._crowd.add(Caller(self._server, self._begun))
                self._begun += 1
            for caller in self._crowd.news(1.0):
                self._heard(caller)
            if time.monotonic() > deadline:
                raise Failure(f"{len(self._crowd) - len(self.let_in)} connects have no end: {self.ends}")

    def _heard(self, caller: Caller) -> None:
        for payload in caller.packets():
            if code := error_code(payload):
                caller.told = code
                self.before[code] += not caller.greeted
            elif not caller.greeted:
                caller.greeted = True
                caller.say(framed(1, LOGIN))
            elif payload[0] == 0 and not caller.let_in:
                caller.let_in = True
                self.let_in.append(caller)
            else:
                raise Failure(f"connect {caller.number} was answered by {payload!r}")
        if caller.closed_at is not None:
            if caller.let_in:
                raise Failure(f"connect {caller.number} was let in and is closed")
            self.ends[caller.told] += 1
            self._crowd.leave(caller)

    def leave(self, how_many: int) -> None:
        """So many of those that are in say goodbye."""
        for _ in range(how_many):
            caller = self.let_in.pop()
            caller.say(framed(0, bytes([QUIT])))
            self._crowd.leave(caller)


def settled_files(server: Server) -> int:
    """How many files the server has open with no client there."""
    with root(server) as observer:
        expect_listed(observer, 1, "before the flood")
        files = open_files(server) - 1
        observer.send(QUIT)
    return files


def root(server: Server) -> Connection:
    return Connection((server.host, server.port))


def login_code(connection: Connection) -> int:
    """What a login was answered by; 0 if the client is in."""
    return error_code(connection.login.payload)


def expect_let_in(server: Server, crowd: Crowd, flood: Flood) -> None:
    """As many get in as there are places, however many come, and nothing is left of the others."""
    # Its workers are all there, with what they keep open themselves, once each has had a client.
    for _ in range(16):
        with root(server) as early:
            expect_equal(login_code(early), 0, "an early login")
            early.send(QUIT)
    files = settled_files(server)
    began = time.monotonic()
    flood.run(CONNECTS)
    took = time.monotonic() - began
    print(
        f"     {CONNECTS} connects in {took:.1f} s: {len(flood.let_in)} are in, {dict(flood.ends)} were told so, "
        f"{dict(flood.before)} of these before the greeting",
        flush=True,
    )
    expect_equal(len(flood.let_in), LIMIT, "who is in")
    expect_equal(dict(flood.ends), {TOO_MANY: CONNECTS - LIMIT}, "what the others were told")
    expect_files(server, files + LIMIT)
    # The sixteen, the one that looked, and the flood.
    counted = {
        "killdeer_connections_total": 16 + 1 + CONNECTS,
        'killdeer_refused_connections_total{cause="too_many_connections"}': CONNECTS - LIMIT,
        'killdeer_sessions{state="idle"}': LIMIT,
        "killdeer_session_actors": LIMIT,
        "killdeer_aborted_logins_total": 0,
        "killdeer_aborted_clients_total": 0,
    }
    await_figures(server, counted)


def a_hundred_are_in_and_each_of_the_others_is_told_1040(server: Server) -> None:
    with Crowd() as crowd:
        flood = Flood(server, crowd)
        expect_let_in(server, crowd, flood)
        # The place beyond the limit.
        with root(server) as first:
            expect_equal(login_code(first), 0, "an administrator's login at the limit")
            expect_listed(first, LIMIT + 1, "at the limit")
            with root(server) as second:
                expect_equal(login_code(second), TOO_MANY, "the login of a second one")
            # A kill is served at the limit, and the place that it frees is there for the next.
            expect_equal(first.query(f"KILL {one_of_alices(first)}")[0].kind, "ok", "a kill at the limit")
            flood.let_in.remove(await_cut(crowd))
            expect_listed(first, LIMIT, "after the kill")
            first.send(QUIT)
        # The administrator's place is free a moment after its goodbye.
        for _ in attempts("the place of the one that was killed"):
            flood.run(10)
            if len(flood.let_in) == LIMIT:
                break
        flood.ends.clear()
        flood.run(50)
        expect_equal((len(flood.let_in), dict(flood.ends)), (LIMIT, {TOO_MANY: 50}), "one place was free, for one")
        with root(server) as first:
            expect_equal(login_code(first), 0, "an administrator's login at the limit, again")
            flood.leave(LIMIT)
            expect_listed(first, 1, "after they have left")
            flood.ends.clear()
            flood.run(3 * LIMIT)
            # In MySQL the administrator has one of the ordinary places as long as there are such.
            expect_equal(len(flood.let_in) in (LIMIT - 1, LIMIT), True, f"who is in again: {len(flood.let_in)}")
            expect_equal(dict(flood.ends), {TOO_MANY: 3 * LIMIT - len(flood.let_in)}, "what the others were told")
            flood.leave(len(flood.let_in))
            expect_listed(first, 1, "at the end")
    expect_equal("panicked" in server.log(), False, "a panic in the server's log")


def one_of_alices(observer: Connection) -> str:
    """The id of a session of the flood's."""
    answer = observer.query("SELECT id FROM information_schema.processlist WHERE user = 'alice' LIMIT 1")
    [row] = [packet for packet in answer if packet.kind == "row"]
    # After its length.
    return row.payload[1:].decode()


def await_cut(crowd: Crowd) -> Caller:
    """The one of those that are in whose connection is closed."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for caller in crowd.news(0.1):
            if caller.closed_at is not None:
                crowd.leave(caller)
                return caller
    raise Failure("nobody's connection was closed by the kill")


if __name__ == "__main__":
    try:
        allow_files(AT_A_TIME + 2000)
    except Failure as why:
        raise SystemExit(str(why)) from None
    play(__doc__, [Act([a_hundred_are_in_and_each_of_the_others_is_told_1040], ("--set", f"max_connections={LIMIT}", "--metrics", ":0"))], {})
