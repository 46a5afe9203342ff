#!/usr/bin/env python3
"""TiDB's own scenarios of the global kill, against nodes of echo_sql and a real etcd, with ids of 32 and of 64 bits.

    python3 tests/clients/cluster_scenarios.py target/release/examples/echo_sql [PART OF A NAME …]

The server is built with the feature cluster. TiDB has them in tests/globalkilltest: Ctrl-C is pressed in a `mariadb`
client, whose kill comes by a connection of its own.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import etcd
from check import Failure, attempts, expect_equal, expect_match
from cluster import INTERRUPTED, OFFLINE, Balancer, Client, Cluster, await_code, code_of, each, moments
from server import Server
from systems import begin, expect_running
from terminal import Terminal

SLEEP = "SELECT SLEEP(1000)"


def expect_ctrl_c(terminal: Terminal, watcher: Terminal, wide: bool) -> None:
    """With ids of 32 bits Ctrl-C ends the statement; with ids of 64 bits the client knows half of its id, and harms
    nobody."""
    session = begin(terminal, SLEEP, watcher)
    terminal.press_ctrl_c()
    if wide:
        terminal.await_text("query killed")
        expect_running(session, SLEEP, watcher)
        expect_match(watcher.say(f"KILL QUERY {session};"), "Query OK")
    expect_match(terminal.answer(), r"ERROR 1317 \(70100\)")
    expect_equal(terminal.connection_id(), session, "the id after it")


def on_one_node(server: Server, wide: bool) -> None:
    with Terminal(server) as a, Terminal(server) as b:
        expect_ctrl_c(a, b, wide)
        session = begin(a, SLEEP, b)
        expect_match(b.say(f"KILL QUERY {session};"), "Query OK")
        expect_match(a.answer(), r"ERROR 1317 \(70100\)")


def alone(binary: str, wide: bool) -> None:
    """1: no etcd."""
    options = ("--dialect", "tidb", *(("--long-ids",) if wide else ()))
    with tempfile.TemporaryDirectory() as home, Server(binary, Path(home), *options) as server:
        on_one_node(server, wide)


def of_tidb(binary: str, wide: bool) -> Cluster:
    return Cluster(binary, "--dialect", "tidb", *(("--long-ids",) if wide else ()))


def with_etcd(binary: str, wide: bool) -> None:
    """2: one node."""
    with of_tidb(binary, wide) as cluster:
        node = cluster.add()
        node.admits().close()
        on_one_node(node, wide)


def expect_kill(killer: Client, victim: Client) -> None:
    session = victim.id()
    victim.begin(SLEEP)
    await_listed(killer, session, SLEEP)
    expect_equal(code_of(killer, f"KILL QUERY {session}"), 0, "the kill of a statement")
    await_code(victim, INTERRUPTED)
    expect_equal(victim.id(), session, "the id after that")
    expect_equal(code_of(killer, f"KILL TIDB {session}"), 0, "the kill of a connection")
    victim.expect_closed()


def await_listed(by: Client, session: int, statement: str) -> None:
    for _ in moments(f"{statement} of {session} in the list"):
        rows = by.run("SELECT ID, INFO FROM INFORMATION_SCHEMA.CLUSTER_PROCESSLIST")
        if any(row["ID"] == str(session) and row["INFO"] == statement for row in rows):
            return


def two_nodes(binary: str, wide: bool) -> None:
    """3: kills here and there; with ids of 32 bits Ctrl-C too, whichever node its connection comes to."""
    with of_tidb(binary, wide) as cluster:
        here, there = cluster.add(), cluster.add()
        for node in (here, there):
            node.admits().close()
        with here.admits() as by:
            cluster.await_members(2, by)
            for node in (here, there):
                with node.admits() as victim:
                    expect_kill(by, victim)
        with Terminal(here) as a, Terminal(here) as b:
            expect_ctrl_c(a, b, wide)
        if not wide:
            with tempfile.TemporaryDirectory() as home, Balancer(Path(home), here, there) as balancer:
                # The first connection comes to one node, the kill's to the other.
                with Terminal(balancer) as a, Terminal(here) as b:
                    expect_ctrl_c(a, b, wide)


def etcd_lost(binary: str, wide: bool) -> None:
    """4: what runs dies before the lease is over, and nobody is let in until etcd is back."""
    with of_tidb(binary, wide) as cluster:
        here, there = cluster.add(), cluster.add()
        victim, idle = here.admits(), here.admits()
        with there.admits() as other:
            # Each is to know the other one before nobody tells it any more.
            cluster.await_members(2, other)
        cluster.await_members(2, idle)
        session = victim.id()
        victim.begin(SLEEP)
        cluster.etcd.stop()
        with there.admits() as by:
            expect_equal(code_of(by, f"KILL QUERY {session}"), 0, "a kill with the members last seen")
        await_code(victim, INTERRUPTED)
        victim.begin(SLEEP)
        await_code(victim, OFFLINE)
        victim.expect_closed()
        idle.expect_closed()
        here.refuses(OFFLINE)
        there.refuses(OFFLINE)
        cluster.etcd.restart()
        with here.admits() as by, there.admits() as other:
            cluster.await_members(2, by)
            if other.id() == session:
                raise Failure("an id of a life before")
            expect_kill(by, other)
        with here.admits() as by, here.admits() as other:
            expect_kill(by, other)


def server_ids_used_up(binary: str, _: bool) -> None:
    """5: further nodes have ids of 64 bits; after a scale-down a new node has ids of 32 bits."""
    with Cluster(binary, "--dialect", "tidb", "--server-ids", "2") as cluster:
        first, second, third = cluster.add(), cluster.add(), None
        for node in (first, second):
            with node.admits() as client:
                expect_equal(client.id() < 1 << 32, True, "an id of 32 bits")
        third = cluster.add()
        with third.admits() as client, first.admits() as by:
            expect_equal(client.id() >= 1 << 32, True, "an id of 64 bits")
            cluster.await_members(3, by)
            expect_kill(by, client)
        second.stop()
        # Its server id cools down.
        for _ in moments("a node with ids of 32 bits"):
            node = cluster.add()
            with node.admits() as client:
                short = client.id() < 1 << 32
            if short:
                return
            node.stop()


def local_ids_used_up(binary: str, _: bool) -> None:
    """6: of a pool of 15 ids; further sessions have ids of 64 bits, and after releases of 32 bits."""
    with Cluster(binary, "--dialect", "tidb", "--id-pool", "15") as cluster:
        node = cluster.add()
        clients = [node.admits() for _ in range(15)]
        expect_equal(max(client.id() for client in clients) < 1 << 32, True, "ids of 32 bits")
        with node.admits() as more:
            expect_equal(more.id() >= 1 << 32, True, "an id of 64 bits")
            expect_kill(clients[0], more)
        for client in clients[1:]:
            client.close()
        for _ in attempts("an id of 32 bits again"):
            with node.admits() as client:
                if client.id() < 1 << 32:
                    return


SCENARIOS: list[tuple[Callable[[str, bool], None], tuple[bool, ...]]] = [
    (alone, (False, True)),
    (with_etcd, (False, True)),
    (two_nodes, (False, True)),
    (etcd_lost, (False, True)),
    # About going over from 32 bits to 64.
    (server_ids_used_up, (False,)),
    (local_ids_used_up, (False,)),
]


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    etcd.require()
    if shutil.which("mariadb") is None:
        sys.exit("mariadb is not installed; to install it: apt-get install mariadb-client")
    each(
        (f"{scenario.__name__.replace('_', ' ')}, {64 if wide else 32} bits", partial(scenario, sys.argv[1], wide))
        for scenario, widths in SCENARIOS
        for wide in widths
    )


main()
