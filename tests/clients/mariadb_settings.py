#!/usr/bin/env python3
"""The `mariadb` command-line client sets time-outs and limits, at a server that answers as the echo_sql example does.

    python3 tests/clients/mariadb_settings.py target/release/examples/echo_sql
"""

from check import attempts, expect_equal, expect_match
from mariadb_cli import OK, listed
from server import Server
from stage import Act, play
from terminal import Terminal

EXECUTION_TIME = r"ERROR 3024 \(HY000\)"
STATEMENT_TIME = r"ERROR 1969 \(70100\)"
DENIED = r"ERROR 1227 \(42000\): Access denied; you need \(at least one of\) the SUPER or SYSTEM_VARIABLES_ADMIN"


def shown(terminal: Terminal, name: str, scope: str = "") -> str:
    rows = terminal.rows(f"SHOW {scope} VARIABLES LIKE '{name}';")
    expect_equal([row["Variable_name"] for row in rows], [name], "the names")
    return rows[0]["Value"]


def the_option_is_the_servers_value(server: Server) -> None:
    with Terminal(server) as root:
        expect_equal(shown(root, "max_connections", "GLOBAL"), "77", "--set max_connections=77")


def root_sets_global_values_for_later_sessions(server: Server) -> None:
    with Terminal(server) as root, Terminal(server, "alice") as alice:
        before = shown(alice, "net_write_timeout")
        expect_match(root.say("SET GLOBAL net_write_timeout = 123;"), OK)
        expect_equal(shown(alice, "net_write_timeout", "GLOBAL"), "123", "the server's value")
        expect_equal(shown(alice, "net_write_timeout", "SESSION"), before, "alice's own")
        with Terminal(server, "alice") as later:
            expect_equal(shown(later, "net_write_timeout"), "123", "a later session's")
        expect_match(root.say("SET GLOBAL net_write_timeout = DEFAULT;"), OK)
        expect_equal(shown(root, "net_write_timeout", "GLOBAL"), "60", "the default")


def alice_sets_her_own_values_only(server: Server) -> None:
    with Terminal(server, "alice") as alice:
        expect_match(alice.say("SET GLOBAL max_connections = 1;"), DENIED)
        expect_match(alice.say("FLUSH HOSTS;"), r"ERROR 1227 \(42000\).*RELOAD")
        expect_match(alice.say("SET max_connections = 1;"), r"ERROR 1229 \(HY000\)")
        expect_match(alice.say("SET wait_timeout = 'x';"), r"ERROR 1232 \(42000\)")
        expect_equal(shown(alice, "max_connections", "GLOBAL"), "77", "what nobody changed")
        expect_match(alice.say("SET sql_mode = '', wait_timeout = 0;"), r"Query OK, 0 rows affected, 1 warning")
        expect_match(alice.say("SHOW WARNINGS;"), r"Warning.*1292.*Truncated incorrect wait_timeout value: '0'")


def what_the_engine_refuses_changes_nothing(server: Server) -> None:
    with Terminal(server) as root:
        expect_match(root.say("SET wait_timeout = 100, nosuch = 1;"), r"ERROR 1193 \(HY000\)")
        expect_equal(shown(root, "wait_timeout"), "28800", "wait_timeout")
        expect_match(root.say("SET wait_timeout = 100, sql_mode = 'ANSI', net_read_timeout = 7;"), OK)
        expect_equal(shown(root, "wait_timeout"), "100", "wait_timeout")
        expect_equal(shown(root, "net_read_timeout"), "7", "net_read_timeout")


def an_idle_client_is_closed(server: Server) -> None:
    with Terminal(server) as root, Terminal(server, "alice") as alice:
        expect_match(alice.say("SET wait_timeout = 1;"), OK)
        for _ in attempts("alice gone from the list"):
            if alice.greeted_id not in listed(root):
                break
        expect_match(alice.say("SELECT CONNECTION_ID();"), r"ERROR (4031|2006|2013)")


def set_statement_bounds_one_statement(server: Server) -> None:
    with Terminal(server) as root:
        expect_match(root.say("SET STATEMENT max_statement_time = 0.1 FOR SELECT SLEEP(1000);"), STATEMENT_TIME)
        expect_match(root.say("SELECT SLEEP(0.2);"), r"1 row in set")
        expect_equal(shown(root, "max_statement_time"), "0.000000", "max_statement_time behind it")


def a_hint_bounds_one_statement(server: Server) -> None:
    # The client leaves comments out of what it sends, unless told otherwise.
    with Terminal(server, "root", "--comments") as root:
        expect_match(root.say("SELECT /*+ MAX_EXECUTION_TIME(100) */ SLEEP(1000);"), EXECUTION_TIME)
        expect_match(root.say("SELECT SLEEP(0.2);"), r"1 row in set")
        expect_match(root.say("SET max_execution_time = 100;"), OK)
        expect_match(root.say("SELECT SLEEP(1000);"), EXECUTION_TIME)


SCENES = [
    the_option_is_the_servers_value,
    root_sets_global_values_for_later_sessions,
    alice_sets_her_own_values_only,
    what_the_engine_refuses_changes_nothing,
    an_idle_client_is_closed,
    set_statement_bounds_one_statement,
    a_hint_bounds_one_statement,
]

if __name__ == "__main__":
    play(__doc__, [Act(SCENES, ("--set", "max_connections=77"))], {"mariadb": "mariadb-client"})
