#!/usr/bin/env python3
"""Random kills, crashes of servers and losses of clients under load through the proxy: no client gets another's rows, as
text or prepared, what was committed is there and what was not is not, and at the end nothing is left over.

    python3 tests/clients/proxy_chaos.py target/release/examples/proxy [--seconds 300] [--seed N]

The seed is printed first; with the same one the same things are done, at about the same moments. With an odd one the proxy
reaches the servers by their Unix sockets.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from check import PATIENCE, Failure
from cluster import Client, SqlError
from mariadb_pair import Backend, Pair
from proxy import ALICE, BOB, INTERRUPTED, SYS, Proxy, User, accounts, server_sessions
from proxy_sysbench import behind, command, prepare

CLIENTS = 12
THREADS = 8
# A server is down for so long, in seconds, and up for so long before it crashes again.
DOWN, UP = (0.2, 2.0), (10.0, 25.0)
# Between two acts of the main thread.
PAUSE = (0.01, 0.15)
# What each client knows of itself, as the servers see it.
WHO = "@me AS me, CURRENT_USER() AS user"
# An INSERT into the table, and a row that says so.
ENTER = (
    "CREATE PROCEDURE test.enter(IN whose VARCHAR(40), IN which BIGINT) BEGIN "
    "INSERT INTO test.entry (who, n) VALUES (whose, which); SELECT CONCAT(whose, ' ', which) AS entered; END"
)
# Which errors clients may be told, and what each says.
EXPLAINED = {
    1020: "somebody else has written the row",
    1053: "the server is shutting down",
    1105: "the server's connection is lost",
    1158: "the server's connection is lost",
    1159: "the server's connection is lost",
    1160: "the server's connection is lost",
    1205: "a lock was not had in time",
    1213: "a deadlock",
    1317: "a kill has hit the statement",
    1429: "no server can be reached",
    1927: "the server has killed the connection",
    2003: "no server can be reached",
    2006: "the server is gone",
    2013: "the server's connection is lost",
}


class Someone(threading.Thread):
    """A client that knows what it asks for, and says when it is answered otherwise."""

    def __init__(self, proxy: Proxy, number: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.proxy = proxy
        self.name = f"client {number}"
        self.user: User = ALICE if number % 2 else BOB
        self.dice = random.Random(seed)
        self.over = threading.Event()
        self.wrong: str | None = None
        self.client: Client | None = None
        # Of the session that it has, or had.
        self.id = 0
        # Numbers of rows: of what was committed for certain, and of what may have been.
        self.number = number
        self.count = 0
        self.committed: set[int] = set()
        self.perhaps: set[int] = set()
        self.done: Counter[str] = Counter()
        self.told: Counter[int] = Counter()
        # How often each of its sessions was told that its statement was interrupted.
        self.interrupted: Counter[int] = Counter()

    def run(self) -> None:
        while not self.over.is_set() and self.wrong is None:
            try:
                self.session()
            except SqlError as told:
                self.explain(told)
            except (Failure, OSError) as why:
                if isinstance(why, TimeoutError):
                    self.wrong = f"{self.name} has waited in vain for an answer"
                self.done["lost"] += 1
            finally:
                if self.client is not None:
                    self.client.close()
                    self.client = None

    def session(self) -> None:
        self.client = self.proxy.client(self.user)
        self.id = self.client.greeted_id
        self.client.run(f"SET @me = {self.number}")
        while not self.over.is_set() and self.wrong is None:
            acts = (self.ask, self.ask_prepared, self.stream, self.stream_prepared, self.write, self.sleep, self.leave)
            act = self.dice.choices(acts, (8, 4, 3, 2, 8, 3, 1))[0]
            self.done[act.__name__] += 1
            if act == self.leave:
                self.leave()
                return
            try:
                act()
            except SqlError as told:
                self.explain(told)
                if told.code not in (1317, 1020):
                    # What is left of a transaction nobody knows: begin anew.
                    return
                self.client.run("ROLLBACK")

    def ask(self) -> None:
        token = self.dice.randrange(1 << 60)
        self.expect(self.client.run(f"SELECT {token} AS token, {WHO}"), [self.wanted(token)])

    def ask_prepared(self) -> None:
        statement = self.client.prepare(f"SELECT ? AS token, {WHO}")
        for _ in range(self.dice.randrange(1, 6)):
            token = self.dice.randrange(1 << 60)
            self.expect(self.client.execute(statement, token), [self.wanted(token)])
        self.client.forget(statement)

    def wanted(self, token: int) -> dict[str, str]:
        return {"token": str(token), "me": str(self.number), "user": f"{self.user.server_user}@%"}

    def stream(self) -> None:
        first, count = self.dice.randrange(1 << 20), self.dice.randrange(1, 3000)
        rows = self.client.run(f"SELECT {self.number} AS me, seq + {first} AS n FROM seq_1_to_{count}")
        self.expect(rows, self.numbered(first, count))

    def stream_prepared(self) -> None:
        first, count = self.dice.randrange(1 << 20), self.dice.randrange(1, 3000)
        statement = self.client.prepare(f"SELECT ? AS me, seq + ? AS n FROM seq_1_to_{count}")
        self.expect(self.client.execute(statement, self.number, first), self.numbered(first, count))
        self.client.forget(statement)

    def numbered(self, first: int, count: int) -> list[dict[str, str]]:
        return [{"me": str(self.number), "n": str(first + at)} for at in range(1, count + 1)]

    def write(self) -> None:
        """A transaction of two rows, both or none."""
        self.count += 1
        n = self.count
        self.perhaps.add(n)
        self.client.run("BEGIN")
        self.client.run(f"INSERT INTO entry (who, n) VALUES ('{self.name}a', {n})")
        if self.dice.random() < 0.5:
            self.client.run(f"INSERT INTO entry (who, n) VALUES ('{self.name}b', {n})")
        else:
            # Its answer has rows and an OK behind them.
            self.expect(self.client.run(f"CALL enter('{self.name}b', {n})"), [{"entered": f"{self.name}b {n}"}])
        if self.dice.random() < 0.3:
            self.client.run("ROLLBACK")
            self.perhaps.discard(n)
            return
        self.client.run("COMMIT")
        self.committed.add(n)

    def sleep(self) -> None:
        self.client.run(f"SELECT SLEEP({self.dice.uniform(0.01, 0.5):.3f})")

    def leave(self) -> None:
        """Is lost: in the middle of a statement, or with a transaction open."""
        if self.dice.random() < 0.5:
            self.client.run("BEGIN")
            self.client.run(f"INSERT INTO entry (who, n) VALUES ('{self.name}a', -1)")
        if self.dice.random() < 0.7:
            self.client.begin(self.dice.choice(("SELECT SLEEP(100)", "SELECT * FROM seq_1_to_10000000")))

    def expect(self, rows: list[dict[str, str | None]], wanted: list[dict[str, str]]) -> None:
        if rows != wanted:
            self.wrong = f"{self.name} was given {rows[:3]} ({len(rows)} rows) instead of {wanted[:3]} ({len(wanted)})"

    def explain(self, told: SqlError) -> None:
        self.told[told.code] += 1
        if told.code == INTERRUPTED:
            self.interrupted[self.id] += 1
        if told.code not in EXPLAINED:
            self.wrong = f"{self.name} was told {told}"


class Run:
    def __init__(self, binary: str, home: Path, pair: Pair, proxy: Proxy, seed: int, seconds: float) -> None:
        self.home = home
        self.pair = pair
        self.proxy = proxy
        self.dice = random.Random(seed)
        self.clients = [Someone(proxy, number, seed + number) for number in range(1, CLIENTS + 1)]
        # What was done, and what of it went well.
        self.done: Counter[str] = Counter()
        self.well: Counter[str] = Counter()
        # How often a server session of each session was ended, which may have interrupted a statement.
        self.ended: Counter[int] = Counter()
        self.told: Counter[int] = Counter()
        self.down: tuple[Backend, float] | None = None
        self.seconds = seconds
        # However short it is, there is one.
        self.next_crash = time.monotonic() + min(self.dice.uniform(*UP), seconds / 3)
        self.load: subprocess.Popen[bytes] | None = None
        self.load_until = 0.0
        self.log = home / "sysbench.log"

    def play(self) -> None:
        for client in self.clients:
            client.start()
        end = time.monotonic() + self.seconds
        try:
            while time.monotonic() < end:
                self.act()
                self.look()
                time.sleep(self.dice.uniform(*PAUSE))
        finally:
            if self.down is not None:
                self.down[0].restart()
            if self.load is not None:
                self.load.kill()
                self.load.wait()
            for client in self.clients:
                client.over.set()
            for client in self.clients:
                client.join(4 * PATIENCE)
        for client in self.clients:
            if client.is_alive():
                raise Failure(f"{client.name} is not answered any more")
        self.look()

    def look(self) -> None:
        for client in self.clients:
            if client.wrong is not None:
                raise Failure(client.wrong)

    def act(self) -> None:
        self.keep_load()
        now = time.monotonic()
        if self.down is not None:
            if self.down[1] < now:
                self.down[0].restart()
                self.down = None
                self.next_crash = now + self.dice.uniform(*UP)
        elif self.next_crash < now:
            backend = self.dice.choice(self.pair.backends)
            backend.crash()
            self.done["crash"] += 1
            self.down = (backend, now + self.dice.uniform(*DOWN))
        self.kill()

    def keep_load(self) -> None:
        """sysbench, which is lost itself now and then; and does not outlive the loss of a connection of its own."""
        now = time.monotonic()
        if self.load is not None and self.load.poll() is None and now < self.load_until:
            return
        if self.load is not None:
            self.load.kill()
            self.load.wait()
        options = (f"--threads={THREADS}", "--time=3600", "--mysql-ignore-errors=all")
        with self.log.open("wb") as log:
            self.load = subprocess.Popen(command(behind(self.proxy, ALICE), "run", *options), stdout=log, stderr=log)
        self.done["sysbench"] += 1
        self.load_until = now + self.dice.uniform(5, 20)

    def kill(self) -> None:
        """Somebody's statement, session or server session."""
        try:
            with self.proxy.client(SYS, None) as by:
                sessions = self.proxy.sessions(by)
                others = [id for id in sessions if id != by.greeted_id]
                if not others:
                    return
                victim = self.dice.choice(others)
                kind = self.dice.choices(("KILL QUERY", "KILL", "KILL PROXYSESSION", "ss"), (10, 2, 2, 3))[0]
                ours = {client.id for client in self.clients}
                running = [id for id in others if id in ours and sessions[id]["state"] == "MCS_ACTIVE_READER"]
                # Most have nothing that a kill could hit.
                if kind == "KILL QUERY" and running and self.dice.random() < 0.5:
                    victim = self.dice.choice(running)
                self.done[kind] += 1
                if kind != "ss":
                    by.run(f"{kind} {victim}")
                    self.well[kind] += 1
                elif servers := server_sessions(by, victim):
                    self.ended[victim] += 1
                    by.run(f"KILL PROXYSESSION {victim} {self.dice.choice(servers).ss_id}")
        except SqlError as why:
            self.told[why.code] += 1
            # It has ended by itself.
            if why.code != 1094 and why.code not in EXPLAINED:
                raise Failure(f"a kill was answered by {why}") from None

    def expect_order(self) -> None:
        """Nothing is left over, and what was written is what clients were told."""
        with self.proxy.administrator() as by:
            self.proxy.await_alone(by)
        self.pair.expect_nothing_left()
        self.pair.catch_up(60)
        for backend in self.pair.backends:
            rows = backend.rows("SELECT who, n FROM test.entry")
            for client in self.clients:
                parts = [{int(row["n"] or 0) for row in rows if row["who"] == f"{client.name}{p}"} for p in "ab"]
                if parts[0] != parts[1]:
                    raise Failure(f"{client.name} has halves of transactions: {parts[0] ^ parts[1]}")
                if missing := client.committed - parts[0]:
                    raise Failure(f"what {client.name} committed is not at {backend.address}: {missing}")
                if more := parts[0] - client.perhaps:
                    raise Failure(f"what {client.name} rolled back is at {backend.address}: {more}")


    def expect_deeds(self) -> None:
        """All of it has happened: a proxy that lets nobody do anything leaves nothing behind either."""
        interrupted = sum((client.interrupted for client in self.clients), Counter())
        deeds = {
            "transactions committed": sum(len(client.committed) for client in self.clients),
            "KILL QUERYs that have hit": (interrupted - self.ended).total(),
            "sessions killed": self.well["KILL"] + self.well["KILL PROXYSESSION"],
            "crashes": self.done["crash"],
        }
        if missing := [what for what, count in deeds.items() if count < 1]:
            raise Failure(f"there were no {', no '.join(missing)}")


def said(counts: Counter[str] | Counter[int]) -> str:
    return ", ".join(f"{count} x {what}" for what, count in sorted(counts.items(), key=str)) or "nothing"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    sockets = options.seed % 2 == 1
    print(f"seed {options.seed}, {'by Unix sockets' if sockets else 'over TCP'}", flush=True)
    with tempfile.TemporaryDirectory() as made:
        home = Path(made)
        try:
            with Pair(home) as pair:
                accounts(pair)
                pair.primary.do(ENTER)
                prepare(pair)
                with Proxy(options.binary, home, pair, "--read-split", sockets=sockets) as proxy:
                    run = Run(options.binary, home, pair, proxy, options.seed, options.seconds)
                    try:
                        run.play()
                        run.expect_order()
                        run.expect_deeds()
                    except (Failure, SqlError, OSError):
                        print(f"done: {said(run.done)}\nthe proxy's log:\n{proxy.log()[-6000:]}", flush=True)
                        raise
        except (Failure, SqlError, OSError) as why:
            sys.exit(f"FAIL {type(why).__name__}: {why}")
    did = sum((client.done for client in run.clients), Counter())
    told = sum((client.told for client in run.clients), run.told)
    rows = sum(len(client.committed) for client in run.clients)
    print(f"ok   {said(run.done)}; clients: {said(did)}; {rows} transactions committed; told: {said(told)}")


if __name__ == "__main__":
    main()
