#!/usr/bin/env python3
"""Kills through the proxy: of statements that run in MariaDB, of client sessions and of server sessions.

    python3 tests/clients/proxy_kills.py target/release/examples/proxy [PART OF A NAME …]

What is left of them is looked for in the servers' own lists, over connections of their own.
"""

import random
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from check import Failure, attempts, expect_equal, expect_match
from cluster import Client, SqlError, await_code, long
from packets import STMT_EXECUTE, execute
from proxy import (
    ADMINISTRATOR,
    BOB,
    CONNECTION_BIT,
    INTERRUPTED,
    SYS,
    UNKNOWN_OPERATOR,
    UNKNOWN_THREAD,
    Act,
    Proxy,
    begin,
    play,
    server_sessions,
    told,
    value,
)

SLEEP = "SELECT SLEEP(100)"
# Waits until whoever holds the lock gives it back; NULL or an error if it is interrupted.
WAIT = "SELECT GET_LOCK('gate', 100) AS got"
ROUNDS = 50
# A statement has run for too long.
OUT_OF_TIME = 3024
# What a killed statement's client may wait for its error, in seconds: the median.
MEDIAN = 0.020
# How often a kill is sent at some moment of a short statement.
RACES = 400
# More rows than anybody waits for.
ENDLESS = "SELECT seq, REPEAT('x', 1000) FROM seq_1_to_100000000"
# What the proxy may grow by for a client that does not read, in bytes.
GROWTH = 16 << 20


def primary_runs(proxy: Proxy, statement: str = SLEEP) -> None:
    proxy.pair.primary.await_runs(statement)


# Statements


def kill_query_ends_the_servers_statement_at_once(proxy: Proxy) -> None:
    took = []
    with proxy.client() as victim, proxy.client() as killer:
        for _ in range(ROUNDS):
            victim.begin(SLEEP)
            primary_runs(proxy)
            start = time.monotonic()
            killer.run(f"KILL QUERY {victim.greeted_id}")
            await_code(victim, INTERRUPTED)
            took.append(time.monotonic() - start)
            proxy.pair.primary.await_none("the end of the statement", SLEEP)
        expect_equal(value(victim, "SELECT CONNECTION_ID()"), str(victim.greeted_id | CONNECTION_BIT), "the id after")
    median = statistics.median(took)
    print(f"     1317 after {1000 * median:.1f} ms (median of {ROUNDS}), {1000 * max(took):.1f} ms at most", flush=True)
    if median > MEDIAN:
        raise Failure(f"a median of {1000 * median:.1f} ms")


def kill_query_of_a_prepared_statement(proxy: Proxy) -> None:
    with proxy.client() as victim, proxy.client() as killer:
        statement = victim.prepare("SELECT SLEEP(?)")
        victim._connection.send(STMT_EXECUTE, execute(statement, [long(100)]))
        for _ in attempts("a server session that runs it"):
            if any(server.runs for server in server_sessions(killer, victim.greeted_id)):
                break
        killer.run(f"KILL QUERY {victim.greeted_id | CONNECTION_BIT}")
        await_code(victim, INTERRUPTED)
        # The statement lives on.
        expect_equal(victim.execute(statement, 0), [{"SLEEP(?)": "0"}], "the rows of another execution")
    proxy.pair.primary.await_none("the end of all connections")


def kill_query_in_the_middle_of_rows_that_nobody_reads(proxy: Proxy) -> None:
    with proxy.client() as victim, proxy.client() as killer:
        value(victim, "SELECT 1")
        before = proxy.resident()
        victim.begin(ENDLESS)
        primary_runs(proxy, ENDLESS)
        # The server waits for its reader, and so does the proxy; nothing piles up anywhere.
        for _ in attempts("the server's waiting"):
            [row] = [row for row in proxy.pair.primary.listed() if row["Info"] == ENDLESS]
            if row["State"] == "Writing to net":
                break
        time.sleep(1)
        grown = proxy.resident() - before
        if grown > GROWTH:
            raise Failure(f"the proxy has grown by {grown >> 10} KB for a client that does not read")
        killer.run(f"KILL QUERY {victim.greeted_id}")
        proxy.pair.primary.await_none("the end of the rows", ENDLESS)
        # What is under way comes, and then the error, not the end of the rows.
        await_code(victim, INTERRUPTED)
        expect_equal(value(victim, "SELECT 'on'"), "on", "the victim's next answer")


def kill_query_of_an_idle_session_has_no_effect(proxy: Proxy) -> None:
    with proxy.client() as victim, proxy.client() as killer:
        expect_equal(value(victim, "SELECT 'here'"), "here", "the victim's answer")
        killer.run(f"KILL QUERY {victim.greeted_id}")
        expect_equal(value(victim, "SELECT 'still'"), "still", "the victim's answer")


def a_kill_never_hits_the_next_statement(proxy: Proxy) -> None:
    """Whatever statement runs when the kill is answered, later ones are none of its business."""
    hits = 0
    with proxy.client() as victim, proxy.client() as killer, ThreadPoolExecutor(1) as thread:
        dice = random.Random(7)
        kill = f"KILL QUERY {victim.greeted_id}"
        for number in range(RACES):
            victim.begin("SELECT SLEEP(0.002)")
            wait = dice.uniform(0, 0.005)
            killing = thread.submit(lambda wait=wait: (time.sleep(wait), killer.run(kill)))
            try:
                victim.answer()
            except SqlError as interrupted:
                expect_equal(interrupted.code, INTERRUPTED, "the error of the statement that was killed")
                hits += 1
            killing.result()
            for sleep in ("SELECT SLEEP(0.001)", "SELECT SLEEP(0.003)"):
                code, text = told(victim, sleep)
                if code:
                    raise Failure(f"round {number}: {code} {text} for a statement behind the kill")
    print(f"     {hits} of {RACES} kills have hit their statement, none another", flush=True)
    expect_equal(hits > 0, True, "whether any kill came in time")


def a_kill_hits_no_other_clients_statement(proxy: Proxy) -> None:
    primary = proxy.pair.primary
    with proxy.client() as victim, proxy.client() as other, proxy.client() as killer, primary.administrator() as gate:
        for _ in range(5):
            expect_equal(value(gate, "SELECT GET_LOCK('gate', 0)"), "1", "the lock before")
            other.begin(WAIT)
            primary_runs(proxy, WAIT)
            server = begin(victim, SLEEP, killer)
            expect_equal(server.about, "curr used ss", "the server session's place")
            killer.run(f"KILL QUERY {victim.greeted_id}")
            await_code(victim, INTERRUPTED)
            # What is answered may be listed for a moment still.
            for _ in attempts("the end of all but the other's statement"):
                running = [row["Info"] for row in primary.listed() if row["Command"] == "Query"]
                expect_equal(WAIT in running, True, "whether it runs that nobody has killed")
                if running == [WAIT]:
                    break
            gate.run("SELECT RELEASE_LOCK('gate')")
            expect_equal(other.answer(), [{"got": "1"}], "the rows of somebody else")
            other.run("SELECT RELEASE_LOCK('gate')")


def a_lost_clients_statement_ends(proxy: Proxy) -> None:
    with proxy.administrator() as by:
        victim = proxy.client()
        victim.run("BEGIN")
        victim.run("INSERT INTO entry (who, n) VALUES ('lost', 1)")
        victim.begin(SLEEP)
        primary_runs(proxy)
        victim.close()
        proxy.pair.primary.await_none("the end of a lost client's statement", SLEEP)
        proxy.await_alone(by)
        proxy.pair.primary.await_no_transaction()
    expect_equal(entries(proxy, "lost"), 0, "the rows of a lost client's transaction")


# Client sessions


def kill_of_a_running_session(proxy: Proxy) -> None:
    statements = ("KILL {}", "KILL CONNECTION {}", "KILL '{}'", "KILL {} + 0")
    with proxy.client() as killer:
        for statement in statements:
            for bit in (0, CONNECTION_BIT):
                with proxy.client() as victim:
                    victim.begin(SLEEP)
                    primary_runs(proxy)
                    killer.run(statement.format(victim.greeted_id | bit))
                    victim.expect_closed()
                    proxy.pair.primary.await_none("the end of the statement", SLEEP)
                    for _ in attempts("the session gone from the list"):
                        if victim.greeted_id not in {int(row["Id"] or 0) for row in killer.run("SHOW PROCESSLIST")}:
                            break
                    expect_unknown(killer, f"KILL {victim.greeted_id | bit}", victim.greeted_id | bit)


def com_process_kill_and_info(proxy: Proxy) -> None:
    with proxy.client() as victim, proxy.client() as killer:
        value(victim, "SELECT 1")
        listed = killer._connection.rows(0x0A)
        names = [packet.get("name")[1:].decode() for packet in listed if packet.kind == "column"]
        wanted = ["Id", "Tenant", "User", "Host", "db", "trans_count", "svr_session_count", "state", "tid", "pid"]
        expect_equal(names, wanted, "the columns of COM_PROCESS_INFO")
        answer = killer._connection.command(0x0C, victim.greeted_id.to_bytes(4, "little"))
        expect_equal(answer[0].kind, "ok", "COM_PROCESS_KILL")
        victim.expect_closed()


def kill_proxysession_rolls_back_and_closes(proxy: Proxy) -> None:
    for user in (ADMINISTRATOR, SYS):
        with proxy.client(user, None) as killer:
            for bit in (0, CONNECTION_BIT):
                with proxy.client() as victim:
                    victim.run("BEGIN")
                    victim.run("INSERT INTO entry (who, n) VALUES ('proxysession', 1)")
                    [server] = server_sessions(killer, victim.greeted_id)
                    expect_equal(at_primary(proxy, server.server_sessid), True, "whether the server lists it")
                    killer.run(f"KILL PROXYSESSION {victim.greeted_id | bit}")
                    victim.expect_closed()
                    await_not_at_primary(proxy, server.server_sessid)
                    proxy.pair.primary.await_no_transaction()
                    expect_unknown(
                        killer, f"KILL PROXYSESSION {victim.greeted_id | bit}", victim.greeted_id | bit
                    )
    expect_equal(entries(proxy, "proxysession"), 0, "the rows of killed clients' transactions")


def kill_proxysession_of_oneself(proxy: Proxy) -> None:
    for bit in (0, CONNECTION_BIT):
        with proxy.client(SYS, None) as client:
            code, text = told(client, f"KILL PROXYSESSION {client.greeted_id | bit}")
            expect_equal((code, text), (INTERRUPTED, "Query execution was interrupted"), "the error of one's own kill")
            client.expect_closed()


def kill_proxysession_is_for_administrators(proxy: Proxy) -> None:
    with proxy.client() as victim, proxy.client() as same, proxy.client(BOB) as other, proxy.administrator() as by:
        value(victim, "SELECT 1")
        [server] = server_sessions(by, victim.greeted_id)
        for id in (victim.greeted_id, victim.greeted_id | CONNECTION_BIT, 999_999):
            for statement in (f"KILL PROXYSESSION {id}", f"KILL PROXYSESSION {id} {server.ss_id}"):
                for client in (same, other, victim):
                    refused = (UNKNOWN_OPERATOR, "Unknown operator, bad internal cmd")
                    expect_equal(told(client, statement), refused, f"{statement} by an ordinary user")
        expect_equal(value(victim, "SELECT 2"), "2", "the victim's answer")
        expect_equal([each.ss_id for each in server_sessions(by, victim.greeted_id)], [server.ss_id], "its servers")
        # And only one's own are shown to ordinary users.
        expect_equal(set(proxy.sessions(other)), {other.greeted_id}, "what another user sees")
        seen = set(proxy.sessions(by))
        expect_equal({victim.greeted_id, same.greeted_id, other.greeted_id} <= seen, True, f"who is among {seen}")
        for what in ("ATTRIBUTE", "STAT", "VARIABLES", "VARIABLES ALL"):
            code, _ = told(other, f"SHOW PROXYSESSION {what} {victim.greeted_id}")
            expect_equal(code, UNKNOWN_THREAD, f"{what} of somebody else's session")
            expect_equal(told(by, f"SHOW PROXYSESSION {what} {victim.greeted_id}")[0], 0, f"{what} by who may")


# Server sessions


def kill_of_a_server_session_without_a_transaction(proxy: Proxy) -> None:
    with proxy.client() as victim, proxy.administrator() as by:
        victim.run("SET @kept = 'this'")
        victim.run("SET SESSION sort_buffer_size = 262144")
        victim.run("USE test")
        [server] = server_sessions(by, victim.greeted_id)
        for id in (victim.greeted_id, victim.greeted_id | CONNECTION_BIT):
            by.run(f"KILL PROXYSESSION {id} {server.ss_id}")
            await_not_at_primary(proxy, server.server_sessid)
            expect_unknown(by, f"KILL PROXYSESSION {id} {server.ss_id}", server.ss_id)
            # The client notices nothing: it has another one, with all that it had set.
            shown = victim.run("SELECT @kept AS kept, @@sort_buffer_size AS size, DATABASE() AS db")
            expect_equal(shown, [{"kept": "this", "size": "262144", "db": "test"}], "the client's state")
            expect_equal(value(victim, "SELECT CONNECTION_ID()"), str(victim.greeted_id | CONNECTION_BIT), "its id")
            [other] = server_sessions(by, victim.greeted_id)
            expect_equal(other.ss_id > server.ss_id, True, f"whether {other.ss_id} is new after {server.ss_id}")
            server = other


def kill_of_a_server_session_with_a_transaction(proxy: Proxy) -> None:
    with proxy.client() as victim, proxy.administrator() as by:
        victim.run("BEGIN")
        victim.run("INSERT INTO entry (who, n) VALUES ('ss', 1)")
        [server] = server_sessions(by, victim.greeted_id)
        by.run(f"KILL PROXYSESSION {victim.greeted_id} {server.ss_id}")
        victim.expect_closed()
        await_not_at_primary(proxy, server.server_sessid)
        proxy.pair.primary.await_no_transaction()
        expect_unknown(by, f"KILL PROXYSESSION {victim.greeted_id} {server.ss_id}", victim.greeted_id)
    expect_equal(entries(proxy, "ss"), 0, "the rows of a killed server session's transaction")


def kill_of_a_server_session_that_runs_a_statement(proxy: Proxy) -> None:
    with proxy.client() as victim, proxy.administrator() as by:
        server = begin(victim, SLEEP, by)
        by.run(f"KILL PROXYSESSION {victim.greeted_id} {server.ss_id}")
        await_code(victim, INTERRUPTED)
        proxy.pair.primary.await_none("the end of the statement", SLEEP)
        expect_equal(value(victim, "SELECT 'on'"), "on", "the client's next answer")


def kill_of_unknown_sessions(proxy: Proxy) -> None:
    with proxy.client() as victim, proxy.administrator() as by:
        value(victim, "SELECT 1")
        expect_unknown(by, "KILL PROXYSESSION 999999", 999_999)
        expect_unknown(by, f"KILL PROXYSESSION {999_999 | CONNECTION_BIT}", 999_999 | CONNECTION_BIT)
        expect_unknown(by, "KILL PROXYSESSION 999999 1", 999_999)
        expect_unknown(by, f"KILL PROXYSESSION {victim.greeted_id} 999999", 999_999)
        expect_unknown(by, "KILL QUERY 999999", 999_999)


# Limits, and the end


def statements_have_their_time(proxy: Proxy) -> None:
    with proxy.client() as client:
        client.run("SET SESSION max_execution_time = 200")
        start = time.monotonic()
        code, text = told(client, SLEEP)
        took = time.monotonic() - start
        expect_equal(code, OUT_OF_TIME, f"the error of a limit: {text}")
        expect_equal(0.15 < took < 5, True, f"whether {took:.2f} s is the limit")
        proxy.pair.primary.await_none("the end of the statement", SLEEP)
        expect_equal(value(client, "SELECT 'next'"), "next", "the next answer")


def idle_transactions_have_their_time(proxy: Proxy) -> None:
    with proxy.client() as client:
        client.run("SET SESSION idle_transaction_timeout = 1")
        client.run("BEGIN")
        client.run("INSERT INTO entry (who, n) VALUES ('idle', 1)")
        client.expect_closed()
    proxy.pair.primary.await_no_transaction()
    expect_equal(entries(proxy, "idle"), 0, "the rows of an idle transaction")


def the_proxys_end_leaves_nothing(proxy: Proxy) -> None:
    with proxy.client() as idle, proxy.client() as within, proxy.client() as busy:
        value(idle, "SELECT 1")
        within.run("BEGIN")
        within.run("INSERT INTO entry (who, n) VALUES ('end', 1)")
        busy.begin(SLEEP)
        primary_runs(proxy)
        # Statements and transactions have some seconds more.
        proxy.stop()
    proxy.pair.expect_nothing_left()
    expect_equal(entries(proxy, "end"), 0, "the rows of a transaction that was open at the end")


# What scenes are made of


def expect_unknown(by: Client, statement: str, id: int) -> None:
    """It is refused with 1094, which names the id; a moment after a kill it may be there still."""
    for _ in attempts(f"{statement} of what is unknown"):
        code, text = told(by, statement)
        if code:
            break
    expect_equal(code, UNKNOWN_THREAD, f"{statement}: {text}")
    expect_match(text, rf"\b{id}\b")


def at_primary(proxy: Proxy, server_sessid: int) -> bool:
    return any(row["Id"] == str(server_sessid) for row in proxy.pair.primary.listed())


def await_not_at_primary(proxy: Proxy, server_sessid: int) -> None:
    for _ in attempts(f"{server_sessid} gone from the server's list"):
        if not at_primary(proxy, server_sessid):
            return


def entries(proxy: Proxy, who: str) -> int:
    rows = proxy.pair.primary.rows(f"SELECT COUNT(*) AS n FROM test.entry WHERE who = '{who}'")
    return int(rows[0]["n"] or 0)


def what_is_left_would_be_seen(proxy: Proxy) -> None:
    """A transaction whose connection is gone is no secret to those who look for what is left."""
    primary = proxy.pair.primary
    with primary.administrator("test") as root:
        # The replica is spared it.
        root.run("SET sql_log_bin = 0")
        root.run("XA START 'left'")
        root.run("INSERT INTO entry (who) VALUES ('left')")
        root.run("XA END 'left'")
        root.run("XA PREPARE 'left'")
    for _ in attempts("a transaction without a connection"):
        if [row["trx_mysql_thread_id"] for row in primary.transactions()] == ["0"]:
            break
    primary.do("SET sql_log_bin = 0", "XA ROLLBACK 'left'")


def servers_are_shown_by_their_sockets(proxy: Proxy) -> None:
    with proxy.client() as client, proxy.administrator() as by:
        expect_equal(value(client, "SELECT 1"), "1", "an answer")
        rows = by.run(f"SHOW PROXYSESSION ATTRIBUTE {client.greeted_id} LIKE 'server_%'")
        shown = {row["attribute_name"]: row["value"] for row in rows}
        expect_equal(shown["server_ip"], str(proxy.pair.primary.unix_socket), "server_ip")
        expect_equal(shown["server_port"], "0", "server_port")


def nothing_is_left(proxy: Proxy) -> None:
    with proxy.administrator() as by:
        proxy.await_alone(by)
    proxy.pair.expect_nothing_left()


if __name__ == "__main__":
    play(
        __doc__,
        Act(
            (
                kill_query_ends_the_servers_statement_at_once,
                kill_query_of_a_prepared_statement,
                kill_query_in_the_middle_of_rows_that_nobody_reads,
                kill_query_of_an_idle_session_has_no_effect,
                a_kill_never_hits_the_next_statement,
                a_kill_hits_no_other_clients_statement,
                a_lost_clients_statement_ends,
                kill_of_a_running_session,
                com_process_kill_and_info,
                kill_proxysession_rolls_back_and_closes,
                kill_proxysession_of_oneself,
                kill_proxysession_is_for_administrators,
                kill_of_a_server_session_without_a_transaction,
                kill_of_a_server_session_with_a_transaction,
                kill_of_a_server_session_that_runs_a_statement,
                kill_of_unknown_sessions,
                statements_have_their_time,
                idle_transactions_have_their_time,
                what_is_left_would_be_seen,
                nothing_is_left,
                the_proxys_end_leaves_nothing,
            )
        ),
        Act(
            (
                servers_are_shown_by_their_sockets,
                kill_query_ends_the_servers_statement_at_once,
                kill_query_of_a_prepared_statement,
                a_kill_never_hits_the_next_statement,
                a_lost_clients_statement_ends,
                kill_of_a_server_session_with_a_transaction,
                nothing_is_left,
            ),
            sockets=True,
        ),
    )
