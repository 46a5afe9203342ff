#!/usr/bin/env python3
"""Percona Toolkit's `pt-kill` against a server that answers as echo_sql does, in each of its dialects.

    python3 tests/clients/pt_kill.py target/release/examples/echo_sql

Whom it kills are `mariadb` clients on terminals of their own. It reads SHOW FULL PROCESSLIST, in which it finds the
columns that it wants in every dialect, and sends `KILL QUERY '1'`, the id as a text. Doris takes that for a statement's
own id and knows none such (1097), as the dialect after it does: there it ends whole sessions only, by `KILL '1'`.
"""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from check import PATIENCE, attempts, expect_equal, expect_match
from mariadb_cli import INTERRUPTED, OK, SLEEP
from server import Server
from stage import Act, play
from systems import SYSTEMS, System, await_gone, begin, expect_running, listed, runs
from terminal import Terminal, environment

# So long, in seconds, one runs at most that is left alone: longer than anything here is waited for.
AT_MOST = 6 * PATIENCE

KILLED = re.compile(r"^# \S+ (KILL|KILL QUERY) (\d+) \((\w+) (\d+) sec\) (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Kill:
    """A line of --print."""

    statement: str
    session: int
    command: str
    seconds: int
    info: str


class PtKill:
    """One `pt-kill --print`, which looks at the list each second until it is ended."""

    def __init__(self, server: Server, system: System, *options: str, run_time: float = AT_MOST) -> None:
        self._said = server.home / f"pt-kill-{len(list(server.home.glob('pt-kill-*')))}.log"
        command = [
            # No configuration but this; nor is it asked over the network whether there is a newer one.
            *("pt-kill", "--config", "/dev/null", "--no-version-check"),
            *("--sentinel", str(server.home / "no-sentinel"), "--interval", "1", "--run-time", f"{run_time:.0f}"),
            *("--print", *options, f"h={server.host},P={server.port},u={system.root}"),
        ]
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                command,
                env=environment(server),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self._said.read_text(errors="replace")

    def kills(self) -> list[Kill]:
        """What it says that it has killed. It says nothing else unless something is wrong, or it is --verbose."""
        said = self.said()
        expect_equal(KILLED.sub("", said).split(), [], f"anything but kills in {said!r}")
        return [
            Kill(statement, int(session), command, int(seconds), info)
            for statement, session, command, seconds, info in KILLED.findall(said)
        ]

    def end(self) -> list[Kill]:
        """Ends it, which has to run still, and returns what it has killed."""
        expect_equal(self._process.poll(), None, f"the exit code of pt-kill, which said {self.said()!r}, so early")
        self._process.terminate()
        self._process.wait()
        return self.kills()

    def await_end(self) -> str:
        """Waits until its time is over and returns what it has said."""
        code = self._process.wait(AT_MOST)
        expect_equal(code, 0, f"the exit code of pt-kill, which said {self.said()!r}")
        return self.said()

    def __enter__(self) -> "PtKill":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def one_look(server: Server, system: System, *options: str) -> list[Kill]:
    """What one kills that looks at the list once."""
    with PtKill(server, system, *options, run_time=1) as pt_kill:
        pt_kill.await_end()
        return pt_kill.kills()


# The scenes


def a_busy_statement_is_killed_and_its_session_is_not(server: Server, system: System) -> None:
    with (
        Terminal(server, system.root) as root,
        Terminal(server, system.alice) as busy,
        Terminal(server, system.alice) as idle,
        Terminal(server, system.bob) as brief,
    ):
        others = {terminal: terminal.connection_id() for terminal in (root, idle, brief)}
        session = begin(busy, SLEEP, watched_by=root)
        with PtKill(server, system, "--busy-time", "2", "--kill-query", "--victims", "all") as pt_kill:
            for _ in attempts(f"the end of {SLEEP}"):
                # Never so long in one statement, and so left alone: an interrupted one would give 1.
                expect_equal(brief.rows("SELECT SLEEP(0.2);"), [{"SLEEP(0.2)": "0"}], "the short statement's row")
                if not runs(session, SLEEP, watched_by=root):
                    break
            kills = pt_kill.end()
        expect_match(busy.answer(), INTERRUPTED)
        expect_equal(busy.connection_id(), session, "the id after the kill")
        for kill in kills:
            expect_equal(kill, Kill("KILL QUERY", session, "Query", kill.seconds, SLEEP), "the printed kill")
            expect_equal(kill.seconds >= 2, True, f"whether {kill.seconds} s are 2 at least")
        expect_equal(len(kills) >= 1, True, "whether a kill was printed")
        expect_unharmed(others)


def of_two_the_oldest_is_killed(server: Server, system: System) -> None:
    with (
        Terminal(server, system.root) as root,
        Terminal(server, system.alice) as old,
        Terminal(server, system.bob) as young,
    ):
        session = begin(old, SLEEP, watched_by=root)
        # A statement is as old as the list says, in seconds.
        for _ in attempts(f"an older {SLEEP}"):
            if int(listed(root)[session]["Time"]) >= 1:
                break
        other = begin(young, SLEEP, watched_by=root)
        [kill] = one_look(server, system, "--kill-query", "--match-info", "SLEEP")
        expect_equal((kill.statement, kill.session), ("KILL QUERY", session), "the printed kill")
        expect_match(old.answer(), INTERRUPTED)
        expect_running(other, SLEEP, watched_by=root)


def younger_statements_are_left_alone(server: Server, system: System) -> None:
    with Terminal(server, system.root) as root, Terminal(server, system.alice) as young:
        session = begin(young, SLEEP, watched_by=root)
        expect_equal(one_look(server, system, "--busy-time", "600", "--kill", "--victims", "all"), [], "kills")
        expect_running(session, SLEEP, watched_by=root)


def sessions_are_killed_by_user(server: Server, system: System) -> None:
    with (
        Terminal(server, system.root) as root,
        Terminal(server, system.alice) as busy,
        Terminal(server, system.alice) as idle,
        Terminal(server, system.bob) as other,
    ):
        spared = {root: root.connection_id()}
        hers = {idle.connection_id(): "Sleep", begin(busy, SLEEP, watched_by=root): "Query"}
        running = begin(other, SLEEP, watched_by=root)
        kills = one_look(server, system, "--kill", "--victims", "all", "--match-user", "^alice$")
        expect_equal({kill.session: kill.command for kill in kills}, hers, "the printed kills")
        expect_equal({kill.statement for kill in kills}, {"KILL"}, "what was printed")
        expect_match(busy.answer(), r"ERROR 2013 \(HY000\): Lost connection to .*server during query")
        for session in hers:
            await_gone(session, seen_by=root)
        expect_match(idle.say("SELECT 1;"), r"ERROR 20(06|13) \(HY000\)")
        expect_running(running, SLEEP, watched_by=root)
        expect_unharmed(spared)


def idle_sessions_are_killed_and_busy_ones_are_not(server: Server, system: System) -> None:
    with (
        Terminal(server, system.root) as root,
        Terminal(server, system.bob) as idle,
        Terminal(server, system.bob) as busy,
    ):
        session = idle.connection_id()
        running = begin(busy, SLEEP, watched_by=root)
        # Not the one that watches, should it be that slow.
        with PtKill(server, system, "--idle-time", "1", "--kill", "--ignore-user", "^root$") as pt_kill:
            await_gone(session, seen_by=root)
            kills = pt_kill.end()
        expect_equal([(kill.session, kill.command) for kill in kills], [(session, "Sleep")], "the printed kill")
        expect_running(running, SLEEP, watched_by=root)


def statements_are_killed_by_text(server: Server, system: System) -> None:
    other_statement = "DO SLEEP(1000)"
    with (
        Terminal(server, system.root) as root,
        Terminal(server, system.alice) as a,
        Terminal(server, system.bob) as b,
        Terminal(server, system.bob) as other,
    ):
        victims = {begin(terminal, SLEEP, watched_by=root): terminal for terminal in (a, b)}
        running = begin(other, other_statement, watched_by=root)
        kills = one_look(server, system, "--kill-query", "--victims", "all", "--match-info", r"^SELECT\s+SLEEP")
        expect_equal({kill.session: kill.info for kill in kills}, dict.fromkeys(victims, SLEEP), "the printed kills")
        for session, victim in victims.items():
            expect_match(victim.answer(), INTERRUPTED)
            expect_equal(victim.connection_id(), session, "the id after the kill")
        expect_running(running, other_statement, watched_by=root)


def it_leaves_itself_alone(server: Server, system: System) -> None:
    looks_alike = ("--victims", "all", "--match-info", "^SHOW FULL PROCESSLIST$")
    # It knows itself by its CONNECTION_ID().
    expect_equal(one_look(server, system, *looks_alike, "--kill"), [], "kills")
    [itself] = one_look(server, system, *looks_alike, "--no-ignore-self")
    expect_equal((itself.statement, itself.command), ("KILL", "Query"), "what it would have killed")


def a_quoted_id_is_no_session(server: Server, system: System) -> None:
    with Terminal(server, system.root) as root, Terminal(server, system.alice) as busy:
        session = begin(busy, SLEEP, watched_by=root)
        options = ("--verbose", "--kill-query", "--match-info", "SLEEP")
        with PtKill(server, system, *options, run_time=1) as pt_kill:
            said = pt_kill.await_end()
        expect_match(said, rf"KILL QUERY {session} \(Query \d+ sec\) ")
        expect_match(said, rf"Error killing {session}: .*Unknown query id: {session}\b")
        expect_running(session, SLEEP, watched_by=root)
        expect_match(root.say(f"KILL QUERY {session};"), OK)
        expect_match(busy.answer(), INTERRUPTED)


def expect_unharmed(sessions: dict[Terminal, int]) -> None:
    for terminal, session in sessions.items():
        expect_equal(terminal.connection_id(), session, "the id of a session that is left alone")


def scenes(system: System) -> list[Callable[[Server, System], None]]:
    of_queries = [
        a_busy_statement_is_killed_and_its_session_is_not,
        of_two_the_oldest_is_killed,
        statements_are_killed_by_text,
    ]
    of_sessions = [
        younger_statements_are_left_alone,
        sessions_are_killed_by_user,
        idle_sessions_are_killed_and_busy_ones_are_not,
        it_leaves_itself_alone,
    ]
    return [*(of_queries if system.quoted_ids else [a_quoted_id_is_no_session]), *of_sessions]


if __name__ == "__main__":
    acts = [Act(scenes(system), system.options, (system,)) for system in SYSTEMS]
    play(__doc__, acts, {"pt-kill": "percona-toolkit", "mariadb": "mariadb-client"})
