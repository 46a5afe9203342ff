#!/usr/bin/env python3
"""Kills and lists across the nodes of a cluster, node processes that fail, and strangers, with a real etcd.

    python3 tests/clients/cluster_kills.py target/release/examples/echo_sql [PART OF A NAME …]

The server is built with the feature cluster.
"""

import sys
import time
from collections.abc import Callable
from functools import partial

import etcd
from check import Failure, expect_equal, expect_match
from cluster import (
    FENCE,
    INTERRUPTED,
    LEASE,
    OFFLINE,
    UNANSWERED,
    UNKNOWN_THREAD,
    UNREACHABLE,
    Client,
    Cluster,
    SqlError,
    await_code,
    code_of,
    each,
    moments,
)

SLEEP = "SELECT SLEEP(1000)"

# What echo_sql answers a kill within, in seconds; the lists' deadline is shorter. Twice that, for a machine that is busy.
DEADLINE = 2.0


def told(client: Client, sql: str) -> tuple[int, str]:
    """The error's code and text."""
    try:
        client.run(sql)
    except SqlError as refused:
        return refused.code, refused.text
    return 0, ""


def denials_are_the_same_from_afar(cluster: Cluster, root: str, bob: str) -> None:
    here, there = cluster.add(), cluster.add()
    with here.admits(root) as victim, here.admits(bob) as local, there.admits(bob) as remote:
        # Each node hears of the other by itself; who sees nobody's sessions but its own does not see that.
        with there.admits(root) as by:
            for client in (victim, by):
                cluster.await_members(2, client)
        session = victim.id()
        victim.begin(SLEEP)
        for kill in (f"KILL QUERY {session}", f"KILL {session}"):
            denied = told(local, kill)
            expect_equal(denied[0] in (1094, 1095, 1227), True, f"a denial, {denied}")
            expect_equal(told(remote, kill), denied, f"{kill} from another node")
        with there.admits(root) as by:
            expect_equal(code_of(by, f"KILL QUERY {session}"), 0, "the kill of who may")
        await_code(victim, INTERRUPTED)
        expect_equal(victim.id(), session, "the victim's id")


def of_mysql(cluster: Cluster) -> None:
    denials_are_the_same_from_afar(cluster, "root", "bob")


def of_tidb(cluster: Cluster) -> None:
    denials_are_the_same_from_afar(cluster, "root", "bob")


def of_oceanbase(cluster: Cluster) -> None:
    denials_are_the_same_from_afar(cluster, "root@sys", "bob@test")


def owners_that_are_down_are_named(cluster: Cluster) -> None:
    here, there = cluster.add("--dialect", "tidb"), cluster.add("--dialect", "tidb")
    with here.admits() as by:
        cluster.await_members(2, by)
        victim = there.admits()
        session = victim.id()
        there.suspend()
        begin = time.monotonic()
        code = code_of(by, f"KILL {session}")
        took = time.monotonic() - begin
        expect_equal((code, took < DEADLINE), (UNANSWERED, True), f"a kill on a stopped node, after {took:.1f} s")
        rows = by.run("SELECT INSTANCE FROM INFORMATION_SCHEMA.CLUSTER_PROCESSLIST")
        expect_equal((len(rows), by.warnings), (1, 1), "rows and warnings without the stopped node")
        warning = by.run("SHOW WARNINGS")[0]["Message"]
        expect_match(warning, r"\bserver \d+\b")
        # Its lease ends meanwhile: on waking it ends its sessions before it does anything else.
        time.sleep(LEASE + 3)
        expect_equal(code_of(by, f"KILL {session}"), UNKNOWN_THREAD, "a kill once its lease has ended")
        there.resume()
        # It is told so, or was closed before it asked.
        try:
            code = code_of(victim, "SELECT 1")
        except (Failure, OSError):
            code = OFFLINE
        expect_equal(code, OFFLINE, "the error of a session of a node that was suspended for longer than its lease")
        with there.admits() as again:
            expect_equal(again.id() != session, True, "whether it has another id")
        there.crash()
        with here.admits() as other:
            expect_equal(code_of(other, f"KILL {session}"), UNKNOWN_THREAD, "an id of a life before")


def owners_that_crashed_are_named(cluster: Cluster) -> None:
    here, there = cluster.add(), cluster.add()
    with here.admits() as by, there.admits() as victim:
        cluster.await_members(2, by)
        session = victim.id()
        there.crash()
        code = code_of(by, f"KILL {session}")
        expect_equal(code in (UNREACHABLE, UNANSWERED), True, f"whether {code} says that its node is not there")
        for _ in moments("the crashed node's lease is over"):
            if code_of(by, f"KILL {session}") == UNKNOWN_THREAD:
                return


def nodes_cut_off_from_etcd_end_their_sessions_in_time(cluster: Cluster) -> None:
    node = cluster.add()
    clients = [node.admits() for _ in range(20)]
    clients[0].begin(SLEEP)
    begin = time.monotonic()
    cluster.etcd.suspend()
    await_code(clients[0], OFFLINE)
    for client in clients[1:]:
        client.expect_closed()
    took = time.monotonic() - begin
    expect_equal(FENCE - 1.5 < took < LEASE - 1, True, f"whether {took:.1f} s is after the fence and before the lease's end")
    node.refuses(OFFLINE)
    cluster.etcd.resume()
    node.admits().close()


def one_etcd_failure_changes_nothing(cluster: Cluster) -> None:
    node = cluster.add()
    with node.admits() as client:
        session = client.id()
        for _ in range(2):
            cluster.etcd.suspend()
            time.sleep(2)
            cluster.etcd.resume()
            # It takes a while to find that it leads still.
            time.sleep(4)
        expect_equal(client.id(), session, "the id of a session that outlived them")


def strangers_on_the_peers_port_are_refused(cluster: Cluster) -> None:
    here, there = cluster.add(), cluster.add()
    with here.admits() as victim, there.admits() as by:
        rows = cluster.await_members(2, by)
        expect_equal(len(rows), 2, "nodes")
        # A node with another secret is a stranger that knows everything else.
        stranger = cluster.add(secret="a secret of somebody else's")
        with stranger.admits() as root:
            for kill in (f"KILL {victim.id()}", f"KILL QUERY {victim.id()}"):
                expect_equal(code_of(root, kill) != 0, True, f"whether {kill} by a stranger is refused")
            seen = {row["USER"] for row in by.run("SELECT * FROM INFORMATION_SCHEMA.PROCESSLIST")}
            expect_equal(seen, {"root"}, "who is seen")
        victim.run("SELECT 1")
        expect_match(here.log(), r"WARN .*somebody who is no node called at the peers' port")


def doris_query_ids_are_looked_for_everywhere(cluster: Cluster) -> None:
    here, there = cluster.add("--dialect", "doris"), cluster.add("--dialect", "doris")
    with here.admits() as victim, there.admits() as by:
        cluster.await_members(2, by)
        victim.begin(SLEEP)
        by.run("SET show_all_fe_connection = true")
        for _ in moments("the statement in the list of all"):
            row = next((row for row in by.run("SHOW FULL PROCESSLIST") if row["Info"] == SLEEP), None)
            if row is not None:
                break
        connected = [row["CurrentConnected"] for row in by.run("SHOW PROCESSLIST")]
        expect_equal(sorted(connected), ["No", "Yes"], "CurrentConnected")
        expect_equal(code_of(by, f"KILL QUERY '{row['QueryId']}'"), 0, "the kill by a query id")
        await_code(victim, INTERRUPTED)
        expect_equal(code_of(by, "KILL QUERY '1-1'"), 1097, "the kill of an unknown query id")


def com_process_kill_goes_there(cluster: Cluster) -> None:
    here, there = cluster.add(), cluster.add()
    with here.admits() as victim, there.admits() as by:
        cluster.await_members(2, by)
        answer = by._connection.command(0x0C, victim.greeted_id.to_bytes(4, "little"))
        expect_equal(answer[0].kind, "ok", "COM_PROCESS_KILL")
        victim.expect_closed()


SCENES: list[tuple[Callable[[Cluster], None], tuple[str, ...]]] = [
    (of_mysql, ()),
    (of_tidb, ("--dialect", "tidb")),
    (of_oceanbase, ("--dialect", "oceanbase")),
    (com_process_kill_goes_there, ()),
    (doris_query_ids_are_looked_for_everywhere, ()),
    (strangers_on_the_peers_port_are_refused, ("--dialect", "tidb")),
    (owners_that_crashed_are_named, ()),
    (owners_that_are_down_are_named, ()),
    (nodes_cut_off_from_etcd_end_their_sessions_in_time, ()),
    (one_etcd_failure_changes_nothing, ()),
]


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    etcd.require()
    each((" ".join([scene.__name__.replace("_", " "), *options]), partial(play, scene, options)) for scene, options in SCENES)


def play(scene: Callable[[Cluster], None], options: tuple[str, ...]) -> None:
    with Cluster(sys.argv[1], *options) as cluster:
        scene(cluster)


main()
