"""5,000 connections that never finish their handshake: a good client still connects within a second, and they are gone at
the deadline.

    python3 tests/clients/slowloris.py target/release/examples/echo_sql

Some say nothing, some say what is right a byte at a time, some stop in the middle of TLS's handshake. An ordinary client
connects, asks and goes all the while.
"""

import statistics
import threading
import time

from check import Failure, expect_equal
from crowd import Caller, Crowd, allow_files, error_code, expect_files, expect_listed, framed, open_files
from packets import NATIVE, ORDINARY, QUIT, Connection
from server import Server
from stage import Act, play

CALLERS = 5000

# So long, in seconds, a login may take by the server's own choice.
DEADLINE = 10.0

# So much later, in seconds, every one of them is gone. The server's clock begins when it accepts, ours before that.
MARGIN = 5.0

# A good client is let in and answered within so many seconds, but for one in a hundred where the machine is busy.
SERVED = 1.0
SERVED_AT_ALL = 3.0

# What a server says to those that it has no room for before their login.
NO_ROOM = (1040, 1129)

CLIENT_SSL = 0x800
SSL_REQUEST = framed(1, (ORDINARY | CLIENT_SSL).to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + b"\x2d" + bytes(23))

# The beginning of a ClientHello: the record says 512 bytes, and there are few.
HALF_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(20)

# A login that would be right. A byte at a time it takes longer than there is.
LOGIN = framed(
    1,
    ORDINARY.to_bytes(4, "little") + (1 << 24).to_bytes(4, "little") + b"\x2d" + bytes(23) + b"alice\0\0" + NATIVE + b"\0",
)


class Good(threading.Thread):
    """An ordinary client, again and again."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server
        self._over = threading.Event()
        self.times: list[float] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._over.is_set():
                begun = time.monotonic()
                with Connection((self._server.host, self._server.port)) as connection:
                    expect_equal(connection.login.kind, "ok", "a good client's login")
                    expect_equal(connection.query("SELECT 1")[0].kind, "column count", "a good client's answer")
                    self.times.append(time.monotonic() - begun)
                    connection.send(QUIT)
                self._over.wait(0.02)
        except BaseException as failure:  # noqa: BLE001: it is told by whoever waits for it
            self.failure = failure

    def __enter__(self) -> "Good":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


def who_never_finishes_keeps_nobody_out_and_is_gone_at_the_deadline(server: Server) -> None:
    with Connection((server.host, server.port)) as observer, Crowd() as crowd:
        expect_listed(observer, 1, "before they come")
        files = open_files(server)
        with Good(server) as good:
            callers = []
            for number in range(CALLERS):
                callers.append(crowd.add(Caller(server, number)))
                if number % 100 == 99:
                    greeted(crowd, 0.0)
            open_before = good_so_far(good)
            bytewise(crowd, callers, callers[-1].begun)
            open_after = good_so_far(good)
        if good.failure is not None:
            raise Failure(f"a good client was not served: {good.failure}")
        print(
            f"     a good client was served {len(good.times)} times, {open_before} times of these while they came, in "
            f"{statistics.median(good.times) * 1000:.1f} ms (median), {max(good.times) * 1000:.1f} ms at the most",
            flush=True,
        )
        times = sorted(good.times)
        if times[len(times) * 99 // 100] > SERVED or times[-1] > SERVED_AT_ALL or open_after - open_before < 10:
            raise Failure(f"a good client was kept waiting: {times[-5:]} s, {len(times)} times in all")
        expect_equal(sum(caller.closed_at is None for caller in callers), 0, "who is still there")
        lives = [caller.closed_at - caller.begun for caller in callers if not caller.told]
        turned_away = CALLERS - len(lives)
        print(f"     they were there for {min(lives):.1f} to {max(lives):.1f} s; {turned_away} found no room", flush=True)
        if min(lives) < DEADLINE - 1 or max(lives) > DEADLINE + MARGIN:
            raise Failure(f"the deadline is {DEADLINE} s, and they were there for {min(lives)} to {max(lives)} s")
        expect_listed(observer, 1, "when they are gone")
        expect_files(server, files)
        expect_equal("panicked" in server.log(), False, "a panic in the server's log")


def good_so_far(good: Good) -> int:
    return len(good.times)


def greeted(crowd: Crowd, wait: float) -> None:
    """Each that has its greeting does what it is there for."""
    for caller in crowd.news(wait):
        for payload in caller.packets():
            if error_code(payload) in NO_ROOM:
                caller.told = error_code(payload)
            elif error_code(payload):
                raise Failure(f"a caller was refused by {error_code(payload)}")
            elif payload[0] == 10 and caller.number % 3 == 2:
                caller.say(SSL_REQUEST + HALF_HELLO)
        if caller.closed_at is not None:
            crowd.leave(caller)


def bytewise(crowd: Crowd, callers: list[Caller], begun: float) -> None:
    """Until all are gone, or their time is over: every third says another byte twice a second."""
    said = 0
    while len(crowd) and time.monotonic() < begun + DEADLINE + MARGIN:
        if time.monotonic() - begun > said * 0.5 and said < len(LOGIN) - 1:
            for caller in callers:
                if caller.number % 3 == 1 and caller.closed_at is None:
                    caller.say(LOGIN[said : said + 1])
            said += 1
        greeted(crowd, 0.05)


if __name__ == "__main__":
    try:
        allow_files(CALLERS + 1000)
    except Failure as why:
        raise SystemExit(str(why)) from None
    play(__doc__, [Act([who_never_finishes_keeps_nobody_out_and_is_gone_at_the_deadline], ("--tls-self-signed",))], {})
