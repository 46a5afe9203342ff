#!/usr/bin/env python3
"""The figures of the echo_sql example over HTTP, after what its clients have done.

    python3 tests/clients/metrics.py target/release/examples/echo_sql
"""

import contextlib
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Callable

from check import PATIENCE, Failure, attempts, expect_equal, expect_match
from mariadb_cli import INTERRUPTED, SLEEP
from server import Server
from stage import Act, play
from systems import MYSQL, await_gone, begin, not_owner, unknown_thread
from terminal import Terminal

FORMAT = "text/plain; version=0.0.4; charset=utf-8"
# What the server says in its log of where its figures are.
TOLD = re.compile(r"figures at (http://(\S+):(\d+)/metrics)")
# A line of Prometheus's text format: a name, its labels, a value.
SAMPLE = re.compile(r'[a-z_]+(\{[a-z_]+="[^"\\\n]*"(,[a-z_]+="[^"\\\n]*")*\})? -?[0-9.e+-]+(\n|$)')

SESSIONS = 'killdeer_sessions{state="%s"}'
KILLS = 'killdeer_kills_total{kind="%s",outcome="%s"}'
KILL_TIMES = 'killdeer_kill_duration_seconds_count{kind="%s"}'


def where(server: Server) -> str:
    for _ in attempts("the figures' address in the log"):
        if told := TOLD.search(server.log()):
            return told[1]
    raise AssertionError


def answer(url: str) -> tuple[int, str, str]:
    """The status, the content type and the body."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.headers["Content-Type"], response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def figures(server: Server) -> dict[str, float]:
    status, kind, body = answer(where(server))
    expect_equal((status, kind), (200, FORMAT), "the status and the type of /metrics")
    samples = [line for line in body.splitlines() if line and not line.startswith("#")]
    for line in samples:
        expect_equal(SAMPLE.fullmatch(line) is not None, True, f"whether {line!r} is a sample")
    described = set(re.findall(r"^# HELP (\S+) \S", body, re.MULTILINE))
    typed = set(re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram)$", body, re.MULTILINE))
    expect_equal(described, typed, "the names that are described")
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in samples)}


def await_figures(server: Server, expected: dict[str, float]) -> None:
    """What ends beside its client's answer may take a moment to be counted."""
    got: dict[str, float | None] = {}
    for _ in attempts("the figures"):
        now = figures(server)
        got = {name: now.get(name) for name in expected}
        if got == expected:
            return
    raise Failure(f"the figures are {got!r} instead of {expected!r}")


# The scenes


def connections_and_statements_are_counted(server: Server) -> None:
    # A client says a few things of its own accord.
    before = figures(server)
    expect_equal(before[SESSIONS % "idle"], 0, "idle sessions")
    with Terminal(server, "root") as root:
        await_figures(
            server,
            {
                SESSIONS % "idle": 1,
                SESSIONS % "login": 0,
                SESSIONS % "running": 0,
                "killdeer_connections_total": before["killdeer_connections_total"] + 1,
            },
        )
        begun = figures(server)["killdeer_statements_total"]
        for _ in range(3):
            root.rows("SELECT 1;")
        await_figures(server, {"killdeer_statements_total": begun + 3})
        with Terminal(server, "alice") as alice:
            begin(alice, SLEEP, watched_by=root)
            await_figures(server, {SESSIONS % "idle": 1, SESSIONS % "running": 1})
    await_figures(server, {SESSIONS % "idle": 0, SESSIONS % "running": 0})


def kills_are_counted_by_kind_and_outcome(server: Server) -> None:
    with Terminal(server, "root") as root, Terminal(server, "alice") as alice, Terminal(server, "bob") as bob:
        before = figures(server)
        expect_match(bob.say(f"KILL QUERY {alice.greeted_id};"), not_owner(alice.greeted_id))
        expect_match(bob.say(f"KILL {alice.greeted_id};"), not_owner(alice.greeted_id))
        expect_match(bob.say("KILL 4000000;"), unknown_thread(4000000))
        root.say(f"KILL QUERY {alice.greeted_id};")
        begin(alice, SLEEP, watched_by=root)
        root.say(f"KILL QUERY {alice.greeted_id};")
        expect_match(alice.answer(), INTERRUPTED)
        root.say(f"KILL {alice.greeted_id};")
        await_gone(alice.greeted_id, seen_by=root)
        more = {
            KILLS % ("query", "denied"): 1,
            KILLS % ("query", "nothing_to_end"): 1,
            KILLS % ("query", "signalled"): 1,
            KILLS % ("connection", "denied"): 1,
            KILLS % ("connection", "unknown"): 1,
            KILLS % ("connection", "signalled"): 1,
            KILL_TIMES % "query": 1,
            KILL_TIMES % "connection": 1,
            'killdeer_statements_cut_short_total{reason="kill_query"}': 1,
            'killdeer_sessions_ended_total{reason="kill_connection"}': 1,
            'killdeer_sessions_ended_total{reason="shutdown"}': 0,
        }
        await_figures(server, {name: before.get(name, 0) + count for name, count in more.items()})


def the_history_has_the_times_too(server: Server) -> None:
    with Terminal(server, "root") as root, Terminal(server, "alice") as alice:
        begin(alice, SLEEP, watched_by=root)
        root.say(f"KILL QUERY {alice.greeted_id};")
        expect_match(alice.answer(), INTERRUPTED)
        told = "SELECT outcome, duration_us >= 0 AS timed FROM killdeer.kill_history"
        [kill] = root.rows(f"{told} WHERE victim_id = {alice.greeted_id};")
        expect_equal(kill, {"outcome": "ended", "timed": "1"}, "the kill")


def no_name_nor_statement_is_among_them(server: Server) -> None:
    with Terminal(server, "root") as root, Terminal(server, "bob") as bob:
        begin(bob, "SELECT SLEEP(1000), 'swordfish'", watched_by=root)
        _, _, body = answer(where(server))
        for word in ("bob", "root", "swordfish", "SLEEP", "127.0.0.1"):
            expect_equal(word in body, False, f"whether {word} stands in the figures")


def it_is_ready_and_nothing_else_is_there(server: Server) -> None:
    base = where(server).removesuffix("/metrics")
    expect_equal(answer(f"{base}/healthz")[::2], (200, "ready\n"), "/healthz")
    expect_equal(answer(f"{base}/")[0], 404, "the status of /")


def who_is_slow_holds_up_nobody(server: Server) -> None:
    base = where(server).removesuffix("/metrics")
    there = (server.host, int(base.rpartition(":")[2]))
    whole = b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n"
    # None of them says all that it has to say, or none closes its connection when it has its answer.
    for said in (b"GET /met", b"", whole):
        with contextlib.ExitStack() as slow:
            for count in range(200):
                asking = slow.enter_context(socket.create_connection(there, timeout=PATIENCE))
                asking.sendall(said)
                if count % 10 == 9:
                    expect_equal(answer(f"{base}/healthz")[::2], (200, "ready\n"), f"/healthz beside {count + 1} slow ones")
            expect_equal(figures(server)["killdeer_panics_total"], 0, "panics")


def it_is_for_this_machine_alone(server: Server) -> None:
    expect_equal(expect_match(f"figures at {where(server)}", TOLD)[2], "127.0.0.1", "the address of an endpoint without a host")


def elsewhere_must_be_written_out(server: Server) -> None:
    expect_equal(expect_match(f"figures at {where(server)}", TOLD)[2], "0.0.0.0", "the address of an endpoint that has one")
    expect_match(server.log(), r"WARN .*everybody who reaches this address can read the figures")


SCENES: list[Callable[[Server], None]] = [
    connections_and_statements_are_counted,
    kills_are_counted_by_kind_and_outcome,
    the_history_has_the_times_too,
    no_name_nor_statement_is_among_them,
    it_is_ready_and_nothing_else_is_there,
    who_is_slow_holds_up_nobody,
    it_is_for_this_machine_alone,
]

if __name__ == "__main__":
    acts = [
        Act(SCENES, (*MYSQL.options, "--metrics", ":0")),
        Act([elsewhere_must_be_written_out], ("--metrics", "0.0.0.0:0")),
    ]
    play(__doc__, acts, {"mariadb": "mariadb-client"})
