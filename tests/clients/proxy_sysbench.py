#!/usr/bin/env python3
"""sysbench's oltp_read_write through the proxy and straight to the server, and what idle clients cost.

    python3 tests/clients/proxy_sysbench.py target/release/examples/proxy [--seconds 60] [--threads 32] [--ratio 0.7]
        [--memory 4096] [--idle 4000] [--memory-served 8192] [--served 300] [--relaxed] [--sockets]

It fails at the first error that sysbench hears of, and at a lower ratio of the throughputs, or a higher price of an
idle client, than is allowed. The figures of a machine that does other things say nothing: a ratio of 0 allows any.

The seconds are those through the proxy, in all; straight to the server it takes somewhat more. Each commit waits for the
disk, as MariaDB has it unless told otherwise, except with --relaxed: then nothing but the processors is measured.
With --sockets the proxy reaches its servers by their Unix sockets, as one on the same machine can; sysbench comes
over TCP in any case.
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from check import Failure, expect_equal, expect_match
from cluster import Client, SqlError
from crowd import allow_files
from mariadb_pair import Pair
from proxy import ALICE, BOB, Proxy, User, accounts, value
from server import Server

TABLES, ROWS = 4, 10_000
# So often the proxy is measured, each time between two measurements of the server alone: what the machine does meanwhile
# hits both.
ROUNDS = 6
# Clients that are there before the memory is counted, so that what is made once is made: of those that say nothing,
# and of those that have asked something, who are fewer because each has a connection of a server.
FIRST, FIRST_SERVED = 500, 100
# How the proxy is started.
MANY = ("--set", "max_connections=100000")
# So long, in seconds, the replica may take to do what was measured at the primary.
BEHIND = 300


@dataclass(frozen=True)
class Target:
    """Where sysbench logs in, and as whom."""

    host: str
    port: int
    user: str
    password: str


def behind(proxy: Proxy, user: User = ALICE) -> Target:
    return Target(proxy.host, proxy.port, user.login, user.password)


def direct(pair: Pair, user: User = ALICE) -> Target:
    return Target(pair.primary.host, pair.primary.port, user.server_user, user.server_password)


def command(target: Target, job: str, *options: str) -> list[str]:
    return [
        *("sysbench", "oltp_read_write", f"--tables={TABLES}", f"--table-size={ROWS}", "--db-driver=mysql"),
        *(f"--mysql-host={target.host}", f"--mysql-port={target.port}", f"--mysql-user={target.user}"),
        *(f"--mysql-password={target.password}", "--mysql-db=test", "--mysql-ssl=off", *options, job),
    ]


def prepare(pair: Pair) -> None:
    done = subprocess.run(command(direct(pair), "prepare"), capture_output=True, text=True, check=False)
    expect_equal(done.returncode, 0, f"sysbench's preparation; it said {(done.stdout + done.stderr)[-1000:]!r}")
    pair.catch_up(BEHIND)


def throughput(target: Target, threads: int, seconds: float) -> float:
    """Transactions a second. Deadlocks, which the statements may have with any server, do not count as errors."""
    options = (f"--threads={threads}", f"--time={seconds:.0f}", "--mysql-ignore-errors=1213,1020,1205")
    done = subprocess.run(command(target, "run", *options), capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    expect_equal(done.returncode, 0, f"sysbench's exit code; it said {said[-1500:]!r}")
    expect_equal(re.findall(r"FATAL.*", said), [], "what went wrong")
    expect_equal(int(expect_match(said, r"reconnects: +(\d+)")[1]), 0, "how often it had to connect again")
    return float(expect_match(said, r"transactions: +\d+ +\(([\d.]+) per sec")[1])


def compare(pair: Pair, proxy: Proxy, threads: int, seconds: float, relaxed: bool, sockets: bool) -> float:
    """The ratio of what goes through the proxy to what goes without it, with warmed-up servers."""
    time = seconds / ROUNDS
    # A replica that is behind has the more to do the faster the run before was.
    with pair.apart(BEHIND), nullcontext() if relaxed else pair.durable():
        throughput(direct(pair), threads, max(time, 2))
        straight, through = [throughput(direct(pair), threads, time)], []
        for _ in range(ROUNDS):
            through.append(throughput(behind(proxy), threads, time))
            straight.append(throughput(direct(pair), threads, time))
    beside = [(before + after) / 2 for before, after in pairwise(straight)]
    ratios = [mine / theirs for mine, theirs in zip(through, beside, strict=True)]
    ratio = statistics.median(ratios)
    figures = f"{statistics.median(through):.0f} transactions/s through the proxy, {statistics.median(straight):.0f} without"
    each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    about = f"{'relaxed' if relaxed else 'durable'}, {'by a Unix socket' if sockets else 'over TCP'}"
    print(f"     {figures}: {ratio:.2f} ({each}), {about}", flush=True)
    return ratio


def idle_client(proxy: Proxy) -> Client:
    """One that says nothing. It has no database, which would be looked for at a server."""
    return proxy.client(database=None)


def served_client(proxy: Proxy) -> Client:
    """One that has asked something, and has a server's connection since."""
    client = proxy.client()
    expect_equal(value(client, "SELECT 1"), "1", "the answer of a server")
    return client


def price(proxy: Proxy, join: Callable[[Proxy], Client], first: int, count: int) -> float:
    """What the proxy's memory grows by for one more client of this kind, in bytes."""
    clients = [join(proxy) for _ in range(first)]
    try:
        before = settled(proxy)
        clients += [join(proxy) for _ in range(count)]
        return (settled(proxy) - before) / count
    finally:
        for client in clients:
            client.close()


def expect_price(
    proxy: Proxy, kind: str, join: Callable[[Proxy], Client], first: int, count: int, allowed: float
) -> None:
    each = price(proxy, join, first, count)
    print(f"     {each:.0f} bytes for {kind}, of {count}", flush=True)
    if each > allowed:
        raise Failure(f"{each:.0f} bytes for {kind}; {allowed:.0f} are allowed")


def settled(server: Server) -> int:
    """Its memory, once it does not change any more."""
    last = -1
    while (now := resident(server)) != last:
        last = now
        time.sleep(0.5)
    return now


def resident(server: Server) -> int:
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(expect_match(status, r"VmRSS:\s+(\d+) kB")[1]) * 1024


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--threads", type=int, default=32)
    parser.add_argument("--ratio", type=float, default=0.7)
    parser.add_argument("--memory", type=float, default=4096.0)
    parser.add_argument("--idle", type=int, default=4000)
    parser.add_argument("--memory-served", type=float, default=8192.0)
    parser.add_argument("--served", type=int, default=300)
    parser.add_argument("--relaxed", action="store_true")
    parser.add_argument("--sockets", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        home = Path(made)
        try:
            allow_files(options.idle + FIRST + 200)
            with Pair(home) as pair:
                accounts(pair)
                prepare(pair)
                with Proxy(options.binary, home, pair, *MANY, sockets=options.sockets) as proxy:
                    ratio = compare(pair, proxy, options.threads, options.seconds, options.relaxed, options.sockets)
                    throughput(behind(proxy, BOB), 4, 2)
                    with proxy.administrator() as by:
                        proxy.await_alone(by)
                # Each kind has a proxy that has met no others.
                with Proxy(options.binary, home, pair, *MANY) as proxy:
                    kind = "a client that says nothing"
                    expect_price(proxy, kind, idle_client, FIRST, options.idle, options.memory)
                with Proxy(options.binary, home, pair, *MANY) as proxy:
                    kind = "an idle client and its server's connection"
                    expect_price(proxy, kind, served_client, FIRST_SERVED, options.served, options.memory_served)
                pair.expect_nothing_left()
        except (Failure, SqlError, OSError) as why:
            sys.exit(f"FAIL {type(why).__name__}: {why}")
    if ratio < options.ratio:
        sys.exit(f"FAIL {ratio:.2f} of the throughput without the proxy; {options.ratio} is wanted")
    print("ok   sysbench through the proxy, and idle clients")


if __name__ == "__main__":
    main()
