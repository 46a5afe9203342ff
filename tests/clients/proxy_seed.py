#!/usr/bin/env python3
"""ODP's document of KILL PROXYSESSION (tests/seeds/004_odp.txt) in the `mariadb` client, before two MariaDB servers.

    python3 tests/clients/proxy_seed.py target/release/examples/proxy

The document's client is session 7 of its proxy, so that six others come and go first. The ids by which servers know
their clients have a layout of OceanBase's in the document, and bit 31 here; addresses, ports, pids and counts are the
test's own. The rest is compared line by line.
"""

import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from check import Failure, expect_equal, expect_match
from cluster import SqlError
from mariadb_pair import Pair
from proxy import CONNECTION_BIT, INTERRUPTED, SYS, Proxy, accounts, told
from terminal import Row, Terminal, table

SEED = Path(__file__).parent.parent / "seeds" / "004_odp.txt"

# The document's first session.
FIRST = 7
# Cells of SHOW PROXYSESSION that are compared otherwise.
OWN = ("proxy_sessid", "Host", "trans_count", "svr_session_count", "tid", "pid")


@dataclass
class Step:
    statement: str
    # What the document prints.
    printed: str


def steps() -> list[Step]:
    found: list[Step] = []
    for line in SEED.read_text().split("seed ", 1)[1].splitlines()[2:]:
        if re.match(r"(SHOW|KILL|SELECT) ", line):
            found.append(Step(line, ""))
        else:
            found[-1].printed += line + "\n"
    return found


def words(text: str) -> list[str]:
    """What is said beside tables; elapsed times, and which of its makers' names the client uses, do not count."""
    lines = [re.sub(r"\(\d+\.\d+ sec\)|\a", "", line).strip() for line in text.splitlines()]
    said = [line.replace("MySQL server has", "Server has") for line in lines if line and line[0] not in "+|"]
    return [re.sub(r" +", " ", line) for line in said]


def expect_row(row: Row, wanted: Row, proxy: Proxy) -> None:
    """A row of SHOW PROXYSESSION."""
    expect_equal(list(row), list(wanted), "the columns")
    for name in wanted:
        if name not in OWN:
            expect_equal(row[name], wanted[name], name)
    expect_match(row["Host"], r"^127\.0\.0\.1:\d+$")
    for name in ("trans_count", "svr_session_count", "tid"):
        expect_match(row[name], r"^\d+$")
    expect_equal(row["pid"], str(proxy.pid), "the pid")
    sessid = int(row["proxy_sessid"])
    parts = (sessid >> 32, sessid >> 16 & 0xFFFF, sessid & 0xFFFF)
    expect_equal(parts, (0x7F00_0001, proxy.port, int(row["Id"])), "address, port and sequence in proxy_sessid")


def play(proxy: Proxy) -> None:
    for id in range(1, FIRST):
        with proxy.client(SYS, None) as other:
            expect_equal(other.greeted_id, id, "the id of a session ahead of the document's")
            # Each is gone when the next one comes.
            proxy.await_alone(other)
            expect_equal(told(other, f"KILL PROXYSESSION {id}")[0], INTERRUPTED, "the error of one's own kill")
            other.expect_closed()
    with Terminal(proxy, SYS.login, f"--password={SYS.password}") as client:
        script(proxy, client)


def script(proxy: Proxy, client: Terminal) -> None:
    connection_id = ""
    for step in steps():
        statement = step.statement.replace("2147549203", connection_id)
        shown = said_to(client, statement)
        if "ERROR 2013" in shown:
            # MariaDB's client, unlike the document's, learns of the end of its connection by the statement that it has
            # sent, with MariaDB's own server as well; and reconnects at the next one.
            shown = said_to(client, statement)
        expect_equal(words(shown), words(step.printed), f"what is said to {step.statement}")
        if "|" not in step.printed:
            continue
        [row], [wanted] = table(shown), table(step.printed)
        if "CONNECTION_ID" in step.statement:
            [(head, connection_id)] = row.items()
            # As it was typed; OceanBase writes its functions' names anew.
            expect_equal(head, "CONNECTION_ID ()", "the column's name")
            expect_equal(int(connection_id), 8 | CONNECTION_BIT, "the connection_id of session 8")
        else:
            expect_row(row, wanted, proxy)


def said_to(client: Terminal, statement: str) -> str:
    """What is shown, without what was typed: the terminal itself shows it too if the client has not taken over yet."""
    return client.say(statement).replace(statement, "")


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if shutil.which("mariadb") is None:
        sys.exit("mariadb is not installed; to install it: apt-get install mariadb-client")
    with tempfile.TemporaryDirectory() as made:
        home = Path(made)
        try:
            with Pair(home) as pair:
                accounts(pair)
                with Proxy(sys.argv[1], home, pair, "--proxy-id", "0") as proxy:
                    try:
                        play(proxy)
                    except Exception:
                        print(proxy.log()[-2000:], file=sys.stderr)
                        raise
                pair.expect_nothing_left()
        except (Failure, SqlError, OSError) as why:
            sys.exit(f"FAIL {type(why).__name__}: {why}")
    print("ok   the document's list and kills, with its reconnects")


main()
