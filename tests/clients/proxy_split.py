#!/usr/bin/env python3
"""Reads on the replica and what keeps them from it, servers that fail, and what clients have of their sessions.

    python3 tests/clients/proxy_split.py target/release/examples/proxy [PART OF A NAME …]

Which server answers is known from a row that is not the same in both: 1 at the primary, 2 at the replica.
"""

import packets
import proxy_answers
import proxy_collations
import proxy_losses
from check import Failure, attempts, expect_equal
from cluster import Client
from packets import Connection
from proxy import (
    ALICE,
    BOB,
    LOST,
    Act,
    Proxy,
    play,
    server_sessions,
    told,
    value,
)

WHERE = "SELECT server FROM test.place"
PRIMARY, REPLICA = "1", "2"
UNREACHABLE = (*LOST, 1105, 1429, 2002, 2003)
# Reads until both have been asked.
TURNS = 20


def places(client: Client, turns: int = TURNS) -> set[str | None]:
    """Where a client's reads go."""
    return {value(client, WHERE) for _ in range(turns)}


def reads_go_to_both_and_the_rest_to_the_primary(proxy: Proxy) -> None:
    with proxy.client() as client:
        expect_equal(places(client), {PRIMARY, REPLICA}, "where reads go")
        for number in range(TURNS):
            client.run(f"INSERT INTO entry (who, n) SELECT CONCAT('from ', server), {number} FROM place")
        rows = proxy.pair.primary.rows("SELECT DISTINCT who FROM test.entry WHERE who LIKE 'from %'")
        expect_equal(rows, [{"who": "from 1"}], "where writes went")
        for locking in ("FOR UPDATE", "LOCK IN SHARE MODE"):
            seen = {value(client, f"{WHERE} {locking}") for _ in range(TURNS)}
            expect_equal(seen, {PRIMARY}, f"where SELECT {locking} goes")


def everything_goes_to_the_primary(proxy: Proxy) -> None:
    with proxy.client() as client:
        expect_equal(places(client), {PRIMARY}, "where reads go")


def the_sessions_state_comes_along(proxy: Proxy) -> None:
    with proxy.client(database=None) as client:
        client.run("USE test")
        client.run("SET @mine = 'here', @number = 7")
        client.run("SET SESSION group_concat_max_len = 5, sql_mode = 'HIGH_NOT_PRECEDENCE'")
        client.run("SET time_zone = '+05:00'")
        # What comes of each of these is another thing without it. Variables would tell of them, but only the primary is
        # asked for those.
        sql = (
            "SELECT server, DATABASE() AS db, FROM_UNIXTIME(0) AS epoch, NOT 1 BETWEEN -5 AND 5 AS mode, "
            "(SELECT GROUP_CONCAT(seq) FROM seq_1_to_10) AS cut FROM place"
        )
        seen: set[str | None] = set()
        for _ in range(TURNS):
            [row] = client.run(sql)
            seen.add(row.pop("server"))
            wanted = {"db": "test", "epoch": "1970-01-01 05:00:00", "mode": "1", "cut": "1,2,3"}
            expect_equal(row, wanted, "the state at the server")
            shown = client.run("SELECT @mine AS mine, @number + 1 AS number")
            expect_equal(shown, [{"mine": "here", "number": "8"}], "the client's own variables")
        if "--read-split" in proxy.options:
            expect_equal(seen, {PRIMARY, REPLICA}, "who was asked")


def transactions_stay_on_the_primary(proxy: Proxy) -> None:
    with proxy.client() as client:
        for start in ("BEGIN", "START TRANSACTION", "START TRANSACTION READ ONLY", "SET autocommit = 0"):
            client.run(start)
            expect_equal(places(client), {PRIMARY}, f"where reads go behind {start}")
            client.run("SET autocommit = 1" if "autocommit" in start else "COMMIT")
            expect_equal(places(client), {PRIMARY, REPLICA}, f"where reads go when it is over: {start}")


def results_of_the_last_statement_are_there_for_the_next(proxy: Proxy) -> None:
    with proxy.client() as client:
        client.run("INSERT INTO entry (who, n) VALUES ('first', 1)")
        first = int(value(client, "SELECT LAST_INSERT_ID()") or 0)
        expect_equal(first > 0, True, f"whether {first} is the id of a row")
        for _ in range(TURNS):
            expect_equal(value(client, "SELECT LAST_INSERT_ID()"), str(first), "LAST_INSERT_ID()")
        for _ in range(TURNS):
            client.run("SELECT SQL_CALC_FOUND_ROWS seq FROM seq_1_to_25 LIMIT 3")
            expect_equal(value(client, "SELECT FOUND_ROWS()"), "25", "FOUND_ROWS()")
            client.run("SELECT CAST('12x' AS SIGNED) AS n")
            [warning] = client.run("SHOW WARNINGS")
            expect_equal((warning["Level"], warning["Code"]), ("Warning", "1292"), "the warning")
            client.run(f"UPDATE entry SET n = n + 1 WHERE id = {first}")
            expect_equal(value(client, "SELECT ROW_COUNT()"), "1", "ROW_COUNT()")


def what_servers_keep_is_there_for_later_statements(proxy: Proxy) -> None:
    with proxy.client() as client, proxy.client() as other:
        client.run("CREATE TEMPORARY TABLE own AS SELECT 5 AS five")
        for _ in range(TURNS):
            expect_equal(value(client, "SELECT five FROM own"), "5", "the temporary table")
        client.run("DROP TEMPORARY TABLE own")
        expect_equal(lock(client), "1", "the lock")
        for _ in range(TURNS):
            value(client, WHERE)
            expect_equal(lock(other), "0", "the lock of somebody else")
        expect_equal(value(client, "SELECT RELEASE_LOCK('proxied')"), "1", "the lock's end")
        expect_equal(lock(other), "1", "the lock when it is free")
        expect_equal(value(other, "SELECT RELEASE_LOCK('proxied')"), "1", "the lock's end again")
        client.run("LOCK TABLES entry WRITE")
        for _ in range(TURNS):
            client.run("INSERT INTO entry (who, n) VALUES ('locked', 1)")
            # Another table was not locked.
            expect_equal(told(client, "SELECT * FROM information_schema.TABLES LIMIT 1")[0], 0, "a list's error")
        client.run("UNLOCK TABLES")
        client.run("PREPARE said FROM 'SELECT ? + 1 AS more'")
        client.run("SET @n = (SELECT 40 + 1)")
        for _ in range(TURNS):
            expect_equal(value(client, "EXECUTE said USING @n"), "42", "a statement that was prepared as text")
        client.run("DEALLOCATE PREPARE said")


def lock(client: Client) -> str | None:
    return value(client, "SELECT GET_LOCK('proxied', 0)")


def prepared_statements_and_reset(proxy: Proxy) -> None:
    with proxy.client() as client:
        connection = client._connection
        answer = connection.prepare("SELECT ? AS a, ? AS b")
        statement = int.from_bytes(answer[0].get("statement id"), "little")
        for number in range(TURNS):
            values = [(0x08, number.to_bytes(8, "little")), (0xFD, b"\x03abc")]
            row = next(packet for packet in connection.execute(statement, values) if packet.kind == "binary row")
            expect_equal(row.get("b"), b"\x03abc", "the second value")
            value(client, WHERE)
        client.run("SET @mine = 1")
        client.run("SET SESSION sort_buffer_size = 262144")
        client.run("CREATE TEMPORARY TABLE own (x INT)")
        client.run("BEGIN")
        client.run("INSERT INTO entry (who, n) VALUES ('reset', 1)")
        expect_equal(connection.command(packets.RESET_CONNECTION)[0].kind, "ok", "COM_RESET_CONNECTION")
        expect_equal(value(client, "SELECT @mine"), None, "a variable after the reset")
        expect_equal(value(client, "SELECT @@sort_buffer_size = 262144"), "0", "a setting after the reset")
        expect_equal(told(client, "SELECT * FROM own")[0], 1146, "the temporary table after the reset")
        expect_equal(value(client, "SELECT COUNT(*) FROM entry WHERE who = 'reset'"), "0", "the transaction's row")
        expect_equal(connection.execute(statement, [])[0].kind, "error", "a statement from before the reset")


def change_user(proxy: Proxy) -> None:
    with Connection((proxy.host, proxy.port), user=ALICE.login, password=ALICE.password) as connection:
        expect_equal(b"alice@" in connection.query("SELECT CURRENT_USER()")[3].payload, True, "who alice is there")
        connection.query("SET @mine = 1")
        connection.change_user(BOB.login, BOB.password, "test")
        [row] = [packet for packet in connection.query("SELECT CURRENT_USER(), @mine") if packet.kind == "row"]
        expect_equal((b"bob@" in row.payload, row.payload[-1:]), (True, b"\xfb"), "whether bob asks as bob")


# Servers that fail


def a_replica_that_fails(proxy: Proxy) -> None:
    with proxy.client() as client, proxy.client() as idle:
        expect_equal(places(client), {PRIMARY, REPLICA}, "where reads go")
        expect_equal(places(idle), {PRIMARY, REPLICA}, "where another client's go")
        proxy.pair.replica.crash()
        failed = 0
        try:
            for _ in range(TURNS):
                code, text = told(client, WHERE)
                expect_equal(code in (0, *UNREACHABLE), True, f"whether {code} {text} says what has happened")
                failed += code != 0
            expect_equal(failed <= 2, True, f"whether few of the reads have failed: {failed}")
            expect_equal(places(idle), {PRIMARY}, "where the reads of a client go that was idle")
        finally:
            proxy.pair.replica.restart()
        for _ in attempts("reads on the replica again"):
            if REPLICA in places(client):
                break
        proxy.pair.catch_up()


def a_primary_that_fails(proxy: Proxy) -> None:
    with proxy.client() as client, proxy.client() as within:
        value(client, WHERE)
        within.run("BEGIN")
        within.run("INSERT INTO entry (who, n) VALUES ('crash', 1)")
        proxy.pair.primary.crash()
        try:
            for _ in range(2):
                code, text = told(client, "INSERT INTO entry (who, n) VALUES ('crash', 2)")
                expect_equal(code in UNREACHABLE, True, f"whether {code} {text} says that the server is not there")
            expect_equal(value(client, WHERE), REPLICA, "where reads go meanwhile")
            # A transaction that is lost is not silently another one.
            try:
                code, text = told(within, "INSERT INTO entry (who, n) VALUES ('crash', 3)")
            except (Failure, OSError):
                code, text = LOST[0], "closed"
            expect_equal(code in UNREACHABLE, True, f"whether {code} {text} says that the transaction is lost")
        finally:
            proxy.pair.primary.restart()
        for _ in attempts("writes again"):
            code, _ = told(client, "INSERT INTO entry (who, n) VALUES ('crash', 4)")
            if code == 0:
                break
    rows = proxy.pair.primary.rows("SELECT n FROM test.entry WHERE who = 'crash'")
    expect_equal(rows, [{"n": "4"}], "what was written")
    proxy.pair.catch_up()


def servers_that_end_idle_sessions(proxy: Proxy) -> None:
    with proxy.client() as client, proxy.administrator() as by:
        value(client, WHERE)
        for backend in proxy.pair.backends:
            for row in backend.listed():
                backend.do(f"KILL {row['Id']}")
        for _ in attempts("the proxy has seen the end"):
            if not server_sessions(by, client.greeted_id):
                break
        expect_equal(value(client, "SELECT 'here'"), "here", "the next answer")


def nothing_is_left(proxy: Proxy) -> None:
    with proxy.administrator() as by:
        proxy.await_alone(by)
    proxy.pair.expect_nothing_left()


SHARED = (
    the_sessions_state_comes_along,
    results_of_the_last_statement_are_there_for_the_next,
    what_servers_keep_is_there_for_later_statements,
    prepared_statements_and_reset,
    change_user,
    servers_that_end_idle_sessions,
    *proxy_answers.EVERYWHERE,
    *proxy_collations.EVERYWHERE,
    *proxy_losses.EVERYWHERE,
)

if __name__ == "__main__":
    play(
        __doc__,
        Act((everything_goes_to_the_primary, *SHARED, nothing_is_left)),
        Act(
            (
                reads_go_to_both_and_the_rest_to_the_primary,
                transactions_stay_on_the_primary,
                *SHARED,
                proxy_losses.questions_about_a_read_elsewhere_are_refused,
                proxy_losses.a_replica_that_lags_or_differs,
                a_replica_that_fails,
                a_primary_that_fails,
                nothing_is_left,
            ),
            ("--read-split",),
        ),
    )
