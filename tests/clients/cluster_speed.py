#!/usr/bin/env python3
"""How long a kill takes that goes to another node, beside a local one, and a list that is gathered from many nodes.

    python3 tests/clients/cluster_speed.py target/release/examples/echo_sql [--check] [--nodes 8] [--sessions 2000]

The server is built with the feature cluster. Both kinds of kill are done in turn; what is printed are medians, from the
client that sends the KILL to the error that the victim reads. --check: fails beyond the bounds of README.md.
"""

import argparse
import statistics
import sys
import time

import etcd
from check import Failure
from cluster import INTERRUPTED, Client, Cluster, await_code, moments
from crowd import allow_files
from packets import QUERY

# At most so many times a local kill's time; at most so many milliseconds for the list.
KILL, LIST = 3.0, 50.0
# The deadline for a node that does not answer, and what the rest of the list may take beside it, in milliseconds.
DEADLINE, BESIDE = 500.0, 100.0


def kill_time(victim: Client, by: Client, watcher: Client) -> float:
    session = victim.id()
    victim.begin("SELECT SLEEP(1000)")
    for _ in moments("the statement runs"):
        rows = watcher.run(f"SELECT INFO FROM INFORMATION_SCHEMA.PROCESSLIST WHERE ID = {session}")
        if rows and rows[0]["INFO"] == "SELECT SLEEP(1000)":
            break
    begin = time.perf_counter()
    by.begin(f"KILL QUERY {session}")
    await_code(victim, INTERRUPTED)
    took = time.perf_counter() - begin
    by.answer()
    return took * 1e6


def list_time(by: Client) -> tuple[float, int]:
    """Its milliseconds, and its bytes. Doris's list of all nodes, which goes straight from the nodes to the client."""
    by._connection.send(QUERY, b"SHOW PROCESSLIST")
    begin = time.perf_counter()
    connection, length = by._connection._socket, 0
    tail = b""
    # Up to the packet of seven bytes that ends the rows.
    while tail[-11:-8] != b"\7\0\0" or tail[-7] != 0xFE:
        data = connection.recv(1 << 20)
        if not data:
            raise Failure("the server has closed")
        length += len(data)
        tail = (tail + data)[-16:]
    return (time.perf_counter() - begin) * 1e3, length


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--nodes", type=int, default=8)
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=300)
    options = parser.parse_args()
    etcd.require()
    allow_files(options.nodes * options.sessions + 1000)
    beyond = []
    with Cluster(options.binary, "--dialect", "doris", "--workers", "1", "--set", "max_connections=100000") as cluster:
        nodes = [cluster.add() for _ in range(options.nodes)]
        here, there = nodes[0].admits(), nodes[1].admits()
        cluster.await_members(options.nodes, here)
        here.run("SET show_all_fe_connection = true")
        local, remote = [], []
        with nodes[1].admits() as victim, nodes[1].admits() as beside, nodes[1].admits() as watcher:
            for _ in range(options.kills):
                local.append(kill_time(victim, beside, watcher))
                remote.append(kill_time(victim, here, watcher))
        one, other = statistics.median(local), statistics.median(remote)
        print(f"kill, client to victim's error: local {one:.0f} us, remote {other:.0f} us, ratio {other / one:.2f} (bound {KILL})")
        if other > KILL * one:
            beyond.append("the remote kill")
        crowd = [node.admits() for node in nodes for _ in range(options.sessions)]
        times = [list_time(here) for _ in range(21)]
        median = statistics.median(took for took, _ in times)
        print(f"list of {options.nodes} x {options.sessions} sessions: {median:.1f} ms, {times[0][1]} bytes (bound {LIST} ms)")
        if median > LIST:
            beyond.append("the list")
        nodes[-1].suspend()
        took, _ = list_time(here)
        print(f"with one node stopped: {took:.0f} ms (its deadline {DEADLINE:.0f} ms, once)")
        if not DEADLINE <= took <= DEADLINE + BESIDE:
            beyond.append("the list without a node")
        nodes[-1].resume()
        for client in (*crowd, here, there):
            client.close()
    if options.check and beyond:
        sys.exit(f"beyond its bound: {', '.join(beyond)}")


main()
