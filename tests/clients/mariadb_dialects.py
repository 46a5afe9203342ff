#!/usr/bin/env python3
"""The `mariadb` command-line client against a server that answers as echo_sql does, in each of its dialects.

    python3 tests/clients/mariadb_dialects.py target/release/examples/echo_sql

What is the same in all of them, mariadb_cli.py shows.
"""

import subprocess
from collections.abc import Iterator

from check import PATIENCE, expect_equal, expect_match
from mariadb_cli import INTERRUPTED, OK, SLEEP, denied, refuses
from server import Server
from stage import Act, play
from systems import OCEANBASE, SYSTEMS, TIDB, System, await_gone, begin, expect_running, listed, unknown_thread
from terminal import Terminal

# Of an id of 64 bits, the greeting has these.
LOW_WORD = 0xFFFF_FFFF

WARNED = r"Query OK, 0 rows affected, 1 warning"
KEYWORD_WANTED = r"Invalid operation\. Please use 'KILL TIDB \[CONNECTION \| QUERY\] "
TRUNCATED = r"Kill failed: Received a 32bits truncated ConnectionID, expect 64bits\."
# No session's in any dialect; even, so that it is no truncated id of TiDB's.
NOBODY = 999_998


# Ctrl-C: the client sends KILL QUERY with the greeting's id, on a connection of its own


def ctrl_c_interrupts_the_statement(server: Server, system: System) -> None:
    with Terminal(server, system.root) as watcher, Terminal(server, system.alice) as user:
        session = begin(user, SLEEP, watched_by=watcher)
        expect_equal(user.greeted_id, session, "the greeting's id")
        user.press_ctrl_c()
        expect_match(user.answer(), INTERRUPTED)
        expect_equal(user.connection_id(), session, "the id after Ctrl-C")


def ctrl_c_harms_nobody(server: Server, system: System) -> None:
    """Where the KILL that the client can send is refused."""
    with (
        Terminal(server, system.root) as watcher,
        Terminal(server, system.alice) as user,
        Terminal(server, system.alice) as other,
    ):
        session, another = (begin(terminal, SLEEP, watched_by=watcher) for terminal in (user, other))
        # The client says so whatever the answer to its KILL was, but not before it has it. A second Ctrl-C kills the
        # connection.
        for kill in ("query", "connection"):
            user.press_ctrl_c()
            user.await_text(f"Ctrl-C -- {kill} killed.")
            for untouched in (session, another):
                expect_running(untouched, SLEEP, watched_by=watcher)
        for terminal, whole in ((user, session), (other, another)):
            expect_match(watcher.say(f"KILL TIDB QUERY {whole};"), OK)
            expect_match(terminal.answer(), INTERRUPTED)
            expect_equal(terminal.connection_id(), whole, "the id after the kill")


# Ids


def the_greeting_has_the_low_word_only(server: Server, system: System) -> None:
    with Terminal(server, system.root) as root, Terminal(server, system.alice) as user:
        session = user.connection_id()
        expect_equal(session > LOW_WORD, True, f"whether the id {session} is longer than 32 bits")
        expect_equal(user.greeted_id, session & LOW_WORD, "the greeting's id")
        for kill in ("KILL", "KILL QUERY", "KILL CONNECTION"):
            expect_match(root.say(f"{kill} {user.greeted_id};"), unknown_thread(user.greeted_id))
        expect_equal(user.connection_id(), session, "the id behind the kills")
        expect_match(root.say(f"KILL {session};"), OK)
        await_gone(session, seen_by=root)


def bit_31_is_clear(server: Server, system: System) -> None:
    expect_bit_31(server, system, 0)


def bit_31_is_set(server: Server, system: System) -> None:
    expect_bit_31(server, system, 1)


def expect_bit_31(server: Server, system: System, bit: int) -> None:
    with Terminal(server, system.root) as terminal:
        expect_equal(terminal.connection_id(), terminal.greeted_id, "CONNECTION_ID() and the greeting's id")
        expect_equal(terminal.greeted_id >> 31, bit, f"bit 31 of {terminal.greeted_id}")


def some_options_are_refused(server: Server) -> None:
    refusals = {
        ("--dialect", "oceanbase", "--signed-ids"): r"bit 31 of an OceanBase id says that a server made it",
        ("--dialect", "tidb", "--signed-ids", "--server-id", "1024"): r"server ids 1 to 1023, not for 1024",
        ("--dialect", "tidb", "--server-id", "2048"): r"server ids 1 to 2047, not for 2048",
        ("--dialect", "oceanbase", "--server-id", "4096"): r"server ids 1 to 4095, not for 4096",
        ("--dialect", "mysql", "--long-ids"): r"--long-ids is for --dialect tidb only, not for mysql",
        ("--dialect", "doris", "--lenient-kill"): r"--lenient-kill is for --dialect tidb only, not for doris",
        ("--dialect", "nosuch"): r"one of mysql, mariadb, doris, oceanbase, tidb",
    }
    for options, reason in refusals.items():
        command = [server.binary, "--listen", f"{server.host}:0", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        expect_match(done.stderr, reason)
        expect_equal(done.returncode == 0, False, f"success with {options}")
        expect_equal(done.stdout, "", f"what it said with {options}")


# Whom one may kill


def a_denied_kill_is_told(server: Server, system: System) -> None:
    with (
        Terminal(server, system.root) as root,
        Terminal(server, system.alice) as alice,
        Terminal(server, system.bob) as bob,
    ):
        session = bob.connection_id()
        for kill in ("KILL", "KILL QUERY"):
            expect_match(alice.say(f"{kill} {session};"), system.denied(session))
            expect_match(alice.say(f"{kill} {NOBODY};"), unknown_thread(NOBODY))
        expect_equal(set(listed(alice)), {alice.connection_id()}, "the ids that alice sees")
        expect_equal(bob.connection_id(), session, "the id behind the kills")
        expect_match(root.say(f"KILL {session};"), OK)
        await_gone(session, seen_by=root)


def a_denied_kill_says_nothing(server: Server, system: System) -> None:
    with Terminal(server, system.alice) as alice, Terminal(server, system.bob) as bob:
        session = bob.connection_id()
        for kill in ("KILL", "KILL QUERY"):
            for id in (session, NOBODY):
                expect_match(alice.say(f"{kill} {id};"), unknown_thread(id))
        expect_equal(bob.connection_id(), session, "the id behind the kills")


# TiDB's switches


def kills_of_nothing_are_ok(server: Server, system: System) -> None:
    with Terminal(server, system.root) as root, Terminal(server, system.alice) as user:
        session = user.connection_id()
        expect_match(root.say(f"KILL {NOBODY};"), rf"{OK} \(")
        expect_match(root.say(f"KILL {user.greeted_id + 1 | 1};"), WARNED)
        expect_warning(root, TRUNCATED)
        # Of somebody's session it is an error still.
        expect_match(user.say(f"KILL {root.connection_id()};"), system.denied(root.greeted_id))
        expect_equal(user.connection_id(), session, "the id behind the kills")


def kill_wants_its_keyword(server: Server, system: System) -> None:
    with Terminal(server, system.root) as root, Terminal(server, system.alice) as user:
        session = begin(user, SLEEP, watched_by=root)
        for kill in ("KILL", "KILL QUERY"):
            expect_match(root.say(f"{kill} {session};"), rf"ERROR 1105 \(HY000\): {KEYWORD_WANTED}")
        expect_running(session, SLEEP, watched_by=root)
        expect_match(root.say(f"KILL TIDB QUERY {session};"), OK)
        expect_match(user.answer(), INTERRUPTED)


def kill_without_its_keyword_is_warned_of(server: Server, system: System) -> None:
    with Terminal(server, system.root) as root, Terminal(server, system.alice) as user:
        session = begin(user, SLEEP, watched_by=root)
        for kill in ("KILL", "KILL QUERY"):
            expect_match(root.say(f"{kill} {session};"), WARNED)
            expect_warning(root, KEYWORD_WANTED)
        expect_running(session, SLEEP, watched_by=root)
        expect_match(root.say(f"KILL TIDB QUERY {session};"), OK)
        expect_match(user.answer(), INTERRUPTED)


def expect_warning(terminal: Terminal, text: str) -> None:
    expect_match(terminal.say("SHOW WARNINGS;"), rf"\| Warning \| 1105 \| {text}")


# OceanBase's tenants


def each_tenant_sees_its_own(server: Server) -> None:
    with (
        Terminal(server, "root@sys") as sys,
        Terminal(server, "root@test") as root,
        Terminal(server, "alice@test#cluster") as alice,
    ):
        ids = {terminal: terminal.connection_id() for terminal in (sys, root, alice)}
        seen = {sys: {sys, root, alice}, root: {root, alice}, alice: {alice}}
        for by, sessions in seen.items():
            expect_equal(set(listed(by)), {ids[session] for session in sessions}, "the ids that somebody sees")
        tenants = {id: row["Tenant"] for id, row in listed(sys).items()}
        expect_equal(tenants, {ids[sys]: "sys", ids[root]: "test", ids[alice]: "test"}, "the tenants")
        # Across tenants there is no such session, whatever the privileges; within one there is.
        for by, whom in ((root, sys), (alice, sys)):
            expect_match(by.say(f"KILL {ids[whom]};"), unknown_thread(ids[whom]))
        expect_match(alice.say(f"KILL {ids[root]};"), OCEANBASE.denied(ids[root]))
        expect_match(root.say(f"KILL {ids[alice]};"), OK)
        await_gone(ids[alice], seen_by=sys)
        expect_match(sys.say(f"KILL {ids[root]};"), OK)
        await_gone(ids[root], seen_by=sys)
        expect_equal(sys.connection_id(), ids[sys], "the id behind the kills")


USERS = """\
[[user]]
user = "root"

[[user]]
user = "carol"
tenant = "shop"
password = "swordfish"
plugin = "mysql_native_password"
privileges = ["PROCESS"]

[[user]]
user = "carol"
tenant = "depot"
"""


def users_belong_to_tenants(server: Server) -> None:
    users = server.home / "users.toml"
    users.write_text(USERS)
    options = ("--dialect", "oceanbase", "--users", str(users))
    with Server(server.binary, server.home, *options) as guarded:
        password = "--password=swordfish"
        with (
            Terminal(guarded, "carol@shop", password) as carol,
            Terminal(guarded, "carol@depot") as namesake,
            # Nobody's tenant is sys.
            Terminal(guarded, "root") as sys,
        ):
            ids = {terminal: terminal.connection_id() for terminal in (carol, namesake, sys)}
            expect_equal(set(listed(carol)), {ids[carol]}, "the ids that carol sees")
            expect_equal(set(listed(sys)), set(ids.values()), "the ids that root sees")
            expect_match(carol.say(f"KILL {ids[namesake]};"), unknown_thread(ids[namesake]))
            expect_equal(namesake.connection_id(), ids[namesake], "the id behind the kill")
        for login, given in (("carol@depot", "YES"), ("carol@sys", "YES"), ("carol", "YES"), ("root@shop", "YES")):
            refuses(guarded, denied(r"[^']*", password=given), "-u", login, password, "-e", "SELECT 1")
        refuses(guarded, denied(r"[^']*", password="NO"), "-u", "carol@shop", "-e", "SELECT 1")


# The run


def acts() -> Iterator[Act]:
    for system in SYSTEMS:
        scenes = [ctrl_c_interrupts_the_statement, a_denied_kill_is_told]
        yield Act(scenes, system.options, (system,))
        yield Act([a_denied_kill_says_nothing], (*system.options, "--kill-denied", "hidden"), (system,))
    tidb = {
        ("--signed-ids", "--server-id", "1023"): [bit_31_is_clear, ctrl_c_interrupts_the_statement],
        ("--server-id", "2047"): [bit_31_is_set, ctrl_c_interrupts_the_statement],
        ("--long-ids",): [the_greeting_has_the_low_word_only, ctrl_c_harms_nobody],
        ("--long-ids", "--lenient-kill"): [ctrl_c_harms_nobody, kills_of_nothing_are_ok],
        ("--lenient-kill",): [kills_of_nothing_are_ok, ctrl_c_interrupts_the_statement],
        ("--no-global-kill",): [kill_wants_its_keyword, ctrl_c_harms_nobody],
        ("--no-global-kill", "--lenient-kill"): [kill_without_its_keyword_is_warned_of, ctrl_c_harms_nobody],
        ("--no-global-kill", "--compatible-kill-query"): [ctrl_c_interrupts_the_statement, a_denied_kill_is_told],
    }
    for options, scenes in tidb.items():
        yield Act(scenes, (*TIDB.options, *options), (TIDB,))
    yield Act([each_tenant_sees_its_own, users_belong_to_tenants], OCEANBASE.options)
    yield Act([some_options_are_refused])


if __name__ == "__main__":
    play(__doc__, acts(), {"mariadb": "mariadb-client"})
