#!/usr/bin/env python3
"""The `mariadb` command-line client against a server that answers as the echo_sql example does.

    python3 tests/clients/mariadb_cli.py target/release/examples/echo_sql

Interactive clients run on terminals of their own; what they show is what is tested. Nothing is slept for: that a
statement runs is known from another terminal's SHOW PROCESSLIST.
"""

from collections.abc import Callable

from check import Failure, attempts, expect_equal, expect_match
from server import Server
from stage import Act, play
from terminal import Row, Terminal, run

Scene = Callable[[Server], None]

COLUMNS = ["Id", "User", "Host", "db", "Command", "Time", "State", "Info"]
OK = r"Query OK, 0 rows affected"
INTERRUPTED = r"ERROR 1317 \(70100\): Query execution was interrupted"
SLEEP = "SELECT SLEEP(1000)"

# More rows than any terminal shows in the time of a test.
ENDLESS = 100_000_000


# Two terminals


def the_list_shows_both_terminals(server: Server) -> None:
    with Terminal(server) as a, Terminal(server) as b:
        for terminal in (a, b):
            expect_equal(terminal.connection_id(), terminal.greeted_id, "CONNECTION_ID() and the greeting's id")
        await_listed(a, a.greeted_id, User="root", db="NULL", Command="Query", Info="SHOW PROCESSLIST")
        await_listed(a, b.greeted_id, User="root", db="NULL", Command="Sleep", State="", Info="NULL")
        for row in listed(a).values():
            expect_equal(list(row), COLUMNS, "the columns")
            expect_match(row["Host"], r"^127\.0\.0\.1:\d+$")
            expect_match(row["Time"], r"^\d+$")


def kill_query_ends_the_statement_and_not_the_session(server: Server) -> None:
    with Terminal(server) as a, Terminal(server) as b:
        sleep(b, watched_by=a)
        expect_match(a.say(f"KILL QUERY {b.greeted_id};"), OK)
        expect_match(b.answer(), INTERRUPTED)
        expect_equal(b.connection_id(), b.greeted_id, "the id after the kill")


def kill_query_of_an_idle_session_has_no_effect(server: Server) -> None:
    with Terminal(server) as a, Terminal(server) as b:
        expect_match(a.say(f"KILL QUERY {b.greeted_id};"), OK)
        expect_equal(b.connection_id(), b.greeted_id, "the id after the kill")


def kill_of_an_idle_session_makes_its_client_reconnect(server: Server) -> None:
    with Terminal(server) as a, Terminal(server) as b:
        expect_match(a.say(f"KILL {b.greeted_id};"), OK)
        expect_new_session(b, seen_by=a)
        await_gone(b.greeted_id, seen_by=a)
        expect_match(a.say(f"KILL {b.greeted_id};"), rf"ERROR 1094 \(HY000\): Unknown thread id: {b.greeted_id}\b")


def kill_of_a_running_session_closes_its_connection(server: Server) -> None:
    with Terminal(server) as a, Terminal(server) as b:
        sleep(b, watched_by=a)
        expect_match(a.say(f"KILL CONNECTION {b.greeted_id};"), OK)
        # Without a word from the server, as MySQL does it: a killed statement's error would be KILL QUERY's.
        expect_match(b.answer(), r"ERROR 2013 \(HY000\): Lost connection to .*server during query")
        expect_new_session(b, seen_by=a)
        await_gone(b.greeted_id, seen_by=a)


def kill_of_oneself(server: Server) -> None:
    with Terminal(server) as a, Terminal(server) as b:
        expect_match(b.say("KILL CONNECTION_ID();"), INTERRUPTED)
        expect_new_session(b, seen_by=a)


# Ctrl-C


def ctrl_c_interrupts_the_statement(server: Server) -> None:
    with Terminal(server) as a, Terminal(server) as b:
        sleep(b, watched_by=a)
        b.press_ctrl_c()
        expect_match(b.answer(), INTERRUPTED)
        expect_equal(b.connection_id(), b.greeted_id, "the id after Ctrl-C")


def ctrl_c_in_the_middle_of_rows(server: Server) -> None:
    # --quick: rows are shown as they come.
    with Terminal(server) as a, Terminal(server, "root", "--quick") as b:
        stream(b)
        b.press_ctrl_c()
        shown = b.answer()
        # In the middle of rows this client reads the server's error and keeps it to itself (`ERROR: ` is all it says,
        # to MariaDB's server too); kill_query_in_the_middle_of_rows sees it.
        expect_match(shown, r"query killed")
        if int(expect_match(shown, r"(\d+) rows in set")[1]) >= ENDLESS:
            raise Failure("all the rows came, in spite of Ctrl-C")
        await_listed(a, b.greeted_id, Command="Sleep", Info="NULL")
        expect_equal(b.connection_id(), b.greeted_id, "the id after Ctrl-C")


def kill_query_in_the_middle_of_rows(server: Server) -> None:
    with Terminal(server) as a, Terminal(server, "root", "--quick") as b:
        stream(b)
        # Nobody reads b's screen now, so its client does not read its socket: the kill is not to wait for that.
        await_listed(a, b.greeted_id, Command="Query", Info=f"SELECT * FROM seq({ENDLESS})")
        expect_match(a.say(f"KILL QUERY {b.greeted_id};"), OK)
        expect_match(b.answer(), INTERRUPTED)
        expect_equal(b.connection_id(), b.greeted_id, "the id after the kill")


# Privileges, errors


def alice_sees_and_kills_her_own_sessions_only(server: Server) -> None:
    with Terminal(server) as root, Terminal(server, "alice") as alice, Terminal(server, "alice") as other:
        hers = {str(alice.greeted_id), str(other.greeted_id)}
        expect_equal({row["Id"] for row in alice.rows("SHOW PROCESSLIST;")}, hers, "the ids that alice sees")
        for kill in ("KILL", "KILL QUERY"):
            denied = rf"ERROR 1095 \(HY000\): You are not owner of thread {root.greeted_id}\b"
            expect_match(alice.say(f"{kill} {root.greeted_id};"), denied)
        expect_equal(root.connection_id(), root.greeted_id, "the id of root's session")
        expect_match(alice.say(f"KILL {other.greeted_id};"), OK)
        expect_new_session(other, seen_by=root)


def kills_of_nothing(server: Server) -> None:
    errors = {
        "KILL 999999;": r"ERROR 1094 \(HY000\): Unknown thread id: 999999\b",
        "KILL QUERY 999999;": r"ERROR 1094 \(HY000\): Unknown thread id: 999999\b",
        "KILL 12abc;": r"ERROR 1054 \(42S22\): Unknown column '12abc' in ",
        "KILL;": r"ERROR 1064 \(42000\): .* near '' at line 1\b",
    }
    with Terminal(server) as terminal:
        for statement, error in errors.items():
            expect_match(terminal.say(statement), error)
        expect_equal(terminal.connection_id(), terminal.greeted_id, "the id behind the errors")


def the_administrators_program(server: Server) -> None:
    def admin(*words: str) -> str:
        code, said = run("mariadb-admin", server, "-u", "root", *words)
        expect_equal(code, 0, f"{words[0]}: {said!r}")
        return said

    with Terminal(server) as root, Terminal(server) as victim:
        expect_match(admin("ping"), r"is alive")
        expect_match(admin("status"), r"Uptime: \d+ +Threads: \d+ +Questions: \d+")
        expect_match(admin("processlist"), rf"\| {victim.greeted_id} +\| root +\| 127\.0\.0\.1:\d+ ")
        admin("kill", str(victim.greeted_id))
        expect_new_session(victim, seen_by=root)
    code, said = run("mariadb-admin", server, "-u", "root", "kill", "999999")
    expect_match(said, r"Unknown thread id: 999999")
    expect_equal(code == 0, False, "success of killing nobody")


def databases_and_strangers(server: Server) -> None:
    unknown = r"ERROR 1049 \(42000\).*: Unknown database 'nosuch'"
    refuses(server, unknown, "-u", "root", "-e", "USE nosuch")
    refuses(server, unknown, "-u", "root", "nosuch", "-e", "SELECT 1")
    refuses(server, denied("nobody", password="NO"), "-u", "nobody", "-e", "SELECT 1")
    with Terminal(server, "root", "test") as terminal:
        expect_equal(terminal.rows("SELECT DATABASE();"), [{"DATABASE()": "test"}], "the database")
        await_listed(terminal, terminal.greeted_id, db="test")


# Passwords


def passwords_are_asked_for(server: Server) -> None:
    with with_password(server, "swordfish") as guarded:
        select = ("-e", "SELECT DATABASE()", "test")
        code, said = run("mariadb", guarded, "-u", "root", "--password=swordfish", *select)
        expect_equal((code, said.split()), (0, ["DATABASE()", "test"]), "the answer to whom has the password")
        refuses(guarded, denied("root", password="YES"), "-u", "root", "--password=swordfisj", *select)
        refuses(guarded, denied("root", password="NO"), "-u", "root", *select)
        refuses(guarded, denied("alice", password="NO"), "-u", "alice", *select)


def passwords_are_not_shown(server: Server) -> None:
    statements = [
        f"{SLEEP} -- CREATE USER u IDENTIFIED BY 'swordfish'",
        f"{SLEEP} /* SET PASSWORD = 'swordfish' */",
        f"""{SLEEP} AS "ALTER USER u IDENTIFIED BY 'swordfish'" """,
        "DO SLEEP(1000) /* CHANGE MASTER TO MASTER_PASSWORD = 'swordfish' */",
    ]
    with with_password(server, "swordfish", "--log", "debug") as guarded:
        # --comments: the client sends comments along.
        options = ("root", "--password=swordfish", "--comments")
        with Terminal(guarded, *options) as watcher, Terminal(guarded, *options) as user:
            for statement in statements:
                user.begin(f"{statement}\n;" if "--" in statement else f"{statement};")
                expect_secret_kept(watcher, user.greeted_id)
                user.press_ctrl_c()
                expect_match(user.answer(), INTERRUPTED)
        guarded.stop()
        expect_equal("swordfish" in guarded.log(), False, "the password in the server's log")


# The end


def sigint_ends_the_server(server: Server) -> None:
    with Terminal(server) as terminal:
        server.stop()
        expect_match(terminal.say("SELECT 1;"), r"ERROR \d+ ")


SCENES: list[Scene] = [
    the_list_shows_both_terminals,
    kill_query_ends_the_statement_and_not_the_session,
    kill_query_of_an_idle_session_has_no_effect,
    kill_of_an_idle_session_makes_its_client_reconnect,
    kill_of_a_running_session_closes_its_connection,
    kill_of_oneself,
    ctrl_c_interrupts_the_statement,
    ctrl_c_in_the_middle_of_rows,
    kill_query_in_the_middle_of_rows,
    alice_sees_and_kills_her_own_sessions_only,
    kills_of_nothing,
    the_administrators_program,
    databases_and_strangers,
    passwords_are_asked_for,
    passwords_are_not_shown,
    sigint_ends_the_server,
]


# What scenes are made of


def sleep(terminal: Terminal, watched_by: Terminal) -> None:
    """Begins a long statement and returns when it runs."""
    terminal.begin(f"{SLEEP};")
    await_listed(watched_by, terminal.greeted_id, Command="Query", State="User sleep", Info=SLEEP)


def stream(terminal: Terminal) -> None:
    """Begins a statement with more rows than it can ever show and returns when they come."""
    terminal.begin(f"SELECT * FROM seq({ENDLESS});")
    terminal.await_text(" 1000 |")


def await_listed(watcher: Terminal, session: int, **cells: str) -> None:
    for _ in attempts(f"session {session} listed with {cells}"):
        row = listed(watcher).get(session, {})
        if all(row.get(name) == cell for name, cell in cells.items()):
            return


def await_gone(session: int, seen_by: Terminal) -> None:
    for _ in attempts(f"session {session} gone from the list"):
        if session not in listed(seen_by):
            return


def listed(watcher: Terminal, statement: str = "SHOW PROCESSLIST;") -> dict[int, Row]:
    return {int(row["Id"]): row for row in watcher.rows(statement)}


def expect_new_session(killed: Terminal, seen_by: Terminal) -> None:
    """The client of a killed session finds its connection gone, and goes on in a new session."""
    shown = killed.say("SELECT CONNECTION_ID();")
    if "ERROR 2013" in shown or "ERROR 2026" in shown:
        # It had sent the statement before it saw the end of the connection, and does not send one twice. The second
        # is an end over TLS without TLS's own goodbye.
        shown = killed.say("SELECT CONNECTION_ID();")
    expect_match(shown, r"ERROR 2006 \(HY000\): .*[Ss]erver has gone away")
    expect_match(shown, r"Trying to reconnect")
    new = int(expect_match(shown, r"Connection id: +(\d+)")[1])
    expect_equal(new == killed.greeted_id, False, "the same id again")
    expect_equal(killed.connection_id(), new, "the new session's id")
    await_listed(seen_by, new, Command="Sleep", Info="NULL")


def expect_secret_kept(watcher: Terminal, session: int) -> None:
    await_listed(watcher, session, Command="Query", State="User sleep")
    for statement in ("SHOW PROCESSLIST;", "SHOW FULL PROCESSLIST;"):
        info = listed(watcher, statement)[session]["Info"]
        expect_match(info, r"SLEEP\(1000\).*<secret>")
        expect_equal("swordfish" in info, False, f"the password in {info!r}")


def refuses(server: Server, error: str, *options: str) -> None:
    code, said = run("mariadb", server, *options)
    expect_match(said, error)
    expect_equal(code, 1, "the client's exit code")


def denied(user: str, password: str) -> str:
    return rf"ERROR 1045 \(28000\): Access denied for user '{user}'@'127\.0\.0\.1' \(using password: {password}\)"


def with_password(server: Server, password: str, *options: str) -> Server:
    """Another server beside this one, where root has a password and is alone."""
    users = server.home / "users.toml"
    # By the older plugin: with the newer one this client, unless told --skip-ssl, takes a connection without TLS for a
    # secret one and sends the password as it is, which is refused. mariadb_matrix.py logs in by both.
    plugin = "mysql_native_password"
    users.write_text(
        f'[[user]]\nuser = "root"\npassword = "{password}"\nplugin = "{plugin}"\nprivileges = ["ALL"]\n'
    )
    return Server(server.binary, server.home, "--users", str(users), *options)


if __name__ == "__main__":
    play(__doc__, [Act(SCENES)], {"mariadb": "mariadb-client", "mariadb-admin": "mariadb-client"})
