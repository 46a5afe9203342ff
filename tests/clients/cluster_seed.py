#!/usr/bin/env python3
"""TiDB's document of KILL (tests/seeds/003_tidb.txt) over three nodes, in the `mariadb` client: the list across nodes, and
the kill of a session on another one.

    python3 tests/clients/cluster_seed.py target/release/examples/echo_sql

The server is built with the feature cluster. The nodes know each other by their options; nothing else runs.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path

from check import Failure, attempts, expect_equal, expect_match
from etcd import free_ports
from server import Server
from terminal import Terminal

SEED = Path(__file__).parent.parent / "seeds" / "003_tidb.txt"

# The servers and the local numbers in the document's ids, and what the lists call the nodes; and a node without sessions.
BUSY, OTHER, IDLE = 5857102839209263511, 8306449708033769879, None
NODES = {BUSY: "127.0.0.1:10080", OTHER: "127.0.0.1:10082", IDLE: "127.0.0.1:10081"}
LIST = "SELECT ID, USER, INSTANCE, INFO FROM INFORMATION_SCHEMA.CLUSTER_PROCESSLIST"


def server_of(session: int | None) -> int:
    return 1 if session is None else session >> 41


def local_of(session: int | None) -> int:
    return 1 if session is None else session >> 1 & (1 << 40) - 1


def printed_table() -> list[str]:
    """The document's, with the other node's row."""
    lines = SEED.read_text().splitlines()
    behind = lines[lines.index(f"lister> {LIST};") + 1 :]
    return [line.removeprefix("~ ") for line in behind[: behind.index("")]]


def play(binary: str, home: Path) -> None:
    ports = dict(zip(NODES, free_ports(len(NODES)), strict=True))
    peers = ",".join(f"{server_of(session)}=127.0.0.1:{port}" for session, port in ports.items())
    servers: dict[int | None, Server] = {}
    try:
        for session, name in NODES.items():
            about = ("--server-id", str(server_of(session)), "--first-id", str(local_of(session)), "--long-ids")
            servers[session] = Server(
                binary, home, "--dialect", "tidb", "--peers", peers, "--node-address", name, *about
            )
        with Terminal(servers[OTHER]) as other, Terminal(servers[BUSY]) as busy:
            expect_equal(other.connection_id(), OTHER, "the other node's session")
            expect_equal(busy.connection_id(), BUSY, "the busy session")
            with Terminal(servers[BUSY]) as lister:
                other.begin("select sleep(30), 'foo';")
                busy.begin("select sleep(50);")
                wanted = printed_table()
                for _ in attempts("the document's list"):
                    shown = [line.rstrip() for line in lister.say(f"{LIST};").splitlines() if re.match(r"[|+]", line)]
                    if sorted(shown) == sorted(wanted):
                        break
                expect_equal(shown[:3], wanted[:3], "the table's head")
                # The document kills a session of its own node; this is the one on another, too.
                expect_match(lister.say(f"KILL {BUSY};"), r"Query OK, 0 rows affected")
                expect_match(busy.answer(), r"ERROR 2013 \(HY000\): Lost connection")
                expect_match(lister.say(f"KILL {OTHER};"), r"Query OK, 0 rows affected")
                expect_match(other.answer(), r"ERROR 2013 \(HY000\): Lost connection")
                for _ in attempts("both sessions gone"):
                    left = lister.rows(f"{LIST};")
                    if [row["ID"] for row in left] == [str(lister.connection_id())]:
                        break
                expect_match(lister.say(f"KILL {OTHER};"), rf"ERROR 1094 \(HY000\): Unknown thread id: {OTHER}\b")
    except Failure:
        for server in servers.values():
            print(server.log()[-2000:], file=sys.stderr)
        raise
    finally:
        for server in servers.values():
            server.discard()


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if shutil.which("mariadb") is None:
        sys.exit("mariadb is not installed; to install it: apt-get install mariadb-client")
    with tempfile.TemporaryDirectory() as home:
        try:
            play(sys.argv[1], Path(home))
        except Failure as why:
            sys.exit(f"FAIL {why}")
    print("ok   the document's list and kills over three nodes")


main()
