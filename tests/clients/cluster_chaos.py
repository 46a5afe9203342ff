#!/usr/bin/env python3
"""A cluster whose nodes crash and stop and whose etcd goes away, at random: no id is on two nodes, no kill hits another
session than the one whose id was listed, and every refusal is explained.

    python3 tests/clients/cluster_chaos.py target/release/examples/echo_sql [--seconds 60] [--seed N]

The server is built with the feature cluster. The seed is printed first; with the same one the same things are done, at
about the same moments.
"""

import argparse
import random
import select
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import etcd
from check import Failure
from cluster import (
    INTERRUPTED,
    LEASE,
    OFFLINE,
    UNANSWERED,
    UNKNOWN_THREAD,
    UNREACHABLE,
    Client,
    Cluster,
    Node,
    SqlError,
)

NODES = 4
# So few server ids that they come back within the run.
SERVER_IDS = 8
SESSIONS = 24
# Which errors a client may be told, whatever happens, and what each says.
EXPLAINED = {
    OFFLINE: "the node has no place in the cluster",
    UNREACHABLE: "the session's node cannot be reached",
    UNANSWERED: "the session's node has not answered",
    UNKNOWN_THREAD: "there is no such session",
}


@dataclass
class Session:
    client: Client
    node: Node
    id: int
    # What it runs, if anything.
    runs: bool = False
    # Kills of its id that were answered by OK, or in a way that leaves open whether they will come.
    killed: bool = False
    maybe: bool = False


@dataclass
class Run:
    cluster: Cluster
    dice: random.Random
    sessions: list[Session] = field(default_factory=list)
    # Since when a node is stopped, and until when.
    stopped: dict[int, tuple[Node, float, float]] = field(default_factory=dict)
    etcd_until: float | None = None
    # Ids of sessions that are over.
    over: list[int] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    told: Counter[int] = field(default_factory=Counter)

    def up(self) -> list[Node]:
        return [node for node in self.cluster.nodes if node.pid not in self.stopped]

    def act(self) -> None:
        acts = [
            (self.connect, 10 if len(self.sessions) < SESSIONS else 0),
            (self.begin, 10),
            (self.kill_listed, 10),
            (self.kill_over, 3),
            (self.look, 6),
            (self.leave, 2),
            (self.crash, 0.3),
            (self.stop, 0.3),
            (self.lose_etcd, 0.15),
        ]
        chosen = self.dice.choices([act for act, _ in acts], [weight for _, weight in acts])[0]
        self.done[chosen.__name__] += 1
        chosen()
        self.recover()
        self.hear()

    # What clients do

    def connect(self) -> None:
        if not (up := self.up()):
            return
        node = self.dice.choice(up)
        try:
            client = Client(node)
            self.sessions.append(Session(client, node, client.id()))
        except SqlError as refused:
            self.explain(refused)
        except (Failure, OSError):
            self.done["closed at the door"] += 1

    def begin(self) -> None:
        if idle := [s for s in self.sessions if not s.runs and s.node.pid not in self.stopped]:
            session = self.dice.choice(idle)
            session.client.begin("SELECT SLEEP(1000)")
            session.runs = True

    def kill_listed(self) -> None:
        """Lists by one node and kills by another."""
        if not (up := self.up()):
            return
        lister, killer = self.dice.choice(up), self.dice.choice(up)
        rows = self.rows(lister, "SELECT ID, INFO FROM INFORMATION_SCHEMA.CLUSTER_PROCESSLIST")
        ids = {int(row["ID"]) for row in rows}
        if victims := [s for s in self.sessions if s.id in ids]:
            self.kill(killer, self.dice.choice(victims))

    def kill(self, killer: Node, victim: Session) -> None:
        query = self.dice.random() < 0.6
        try:
            with Client(killer) as by:
                by.run(f"KILL {'QUERY ' if query else ''}{victim.id}")
            # KILL QUERY of an idle session does nothing to it.
            victim.killed |= victim.runs or not query
        except SqlError as refused:
            self.explain(refused)
            victim.maybe |= refused.code == UNANSWERED
        except (Failure, OSError):
            # The killer's own node was fenced meanwhile.
            victim.maybe = True

    def kill_over(self) -> None:
        """An id of a session that is over is nobody's."""
        if not self.over or not (up := self.up()):
            return
        try:
            with Client(self.dice.choice(up)) as by:
                by.run(f"KILL {self.dice.choice(self.over)}")
            raise Failure("the id of a session that is over was killed")
        except SqlError as refused:
            self.explain(refused)
        except (OSError, Failure) as why:
            if "is over" in str(why):
                raise

    def leave(self) -> None:
        if idle := [s for s in self.sessions if not s.runs and s.node.pid not in self.stopped]:
            self.end(self.dice.choice(idle))

    def look(self) -> None:
        """No id is on two nodes: each is asked who it is, and for its own sessions, and one for everybody's."""
        seen: dict[int, int] = {}
        servers: dict[str, int] = {}
        for node in self.up():
            for row in self.rows(node, f"SELECT SERVER_ID FROM killdeer.nodes WHERE ADDRESS = '127.0.0.1:{node.port}' AND STATE = 'UP'"):
                other = servers.setdefault(row["SERVER_ID"] or "", node.port)
                if other != node.port:
                    raise Failure(f"server id {row['SERVER_ID']} is of the nodes at {other} and at {node.port}")
            for row in self.rows(node, "SELECT ID FROM INFORMATION_SCHEMA.PROCESSLIST"):
                other = seen.setdefault(int(row["ID"]), node.port)
                if other != node.port:
                    raise Failure(f"session {row['ID']} is on the nodes at {other} and at {node.port}")
        if up := self.up():
            rows = self.rows(self.dice.choice(up), "SELECT ID, INSTANCE FROM INFORMATION_SCHEMA.CLUSTER_PROCESSLIST")
            twice = [id for id, count in Counter(row["ID"] for row in rows).items() if count > 1]
            if twice:
                raise Failure(f"listed twice: {twice}")
            for session in self.sessions:
                places = [row["INSTANCE"] for row in rows if row["ID"] == str(session.id)]
                if places and places != [f"127.0.0.1:{session.node.port}"]:
                    raise Failure(f"session {session.id} of {session.node.port} is listed on {places}")

    def rows(self, node: Node, sql: str) -> list[dict[str, str | None]]:
        try:
            with Client(node) as client:
                return client.run(sql)
        except SqlError as refused:
            self.explain(refused)
        except (Failure, OSError):
            self.done["closed while it asked"] += 1
        return []

    def explain(self, refused: SqlError) -> None:
        self.told[refused.code] += 1
        if refused.code not in EXPLAINED or not refused.text:
            raise Failure(f"an error that nothing explains: {refused}")

    # What happens to nodes

    def crash(self) -> None:
        up = self.up()
        if len(up) < 2:
            return
        node = self.dice.choice(up)
        node.crash()
        self.forget(node)
        self.cluster.nodes.remove(node)
        self.cluster.add()

    def stop(self) -> None:
        up = self.up()
        if len(up) < 2:
            return
        node = self.dice.choice(up)
        node.suspend()
        now = time.monotonic()
        self.stopped[node.pid] = (node, now, now + self.dice.uniform(0.2, 1.6 * LEASE))

    def lose_etcd(self) -> None:
        if self.etcd_until is None:
            self.cluster.etcd.suspend()
            self.etcd_until = time.monotonic() + self.dice.uniform(0.5, 1.2 * LEASE)

    def recover(self) -> None:
        now = time.monotonic()
        for pid, (node, since, until) in list(self.stopped.items()):
            if until < now:
                node.resume()
                del self.stopped[pid]
                # What it does with the sessions of a lease that is over.
                if now - since > LEASE + 1:
                    self.expect_fenced(node)
        if self.etcd_until is not None and self.etcd_until < now:
            self.cluster.etcd.resume()
            self.etcd_until = None

    def expect_fenced(self, node: Node) -> None:
        for session in [s for s in self.sessions if s.node is node]:
            if not session.runs:
                try:
                    session.client.run("SELECT 1")
                    raise Failure(f"session {session.id} works on, on a node that was stopped for longer than its lease")
                except SqlError as refused:
                    self.explain(refused)
                except OSError:
                    pass
                except Failure as why:
                    if "works on" in str(why):
                        raise
            self.over_with(session)

    # What clients hear

    def hear(self) -> None:
        """Takes what sessions were told. Who hears of a kill was killed."""
        for session in list(self.sessions):
            readable, _, _ = select.select([session.client._connection._socket], [], [], 0)
            if not readable:
                continue
            try:
                session.client.answer()
                raise Failure(f"the statement of session {session.id} has ended by itself")
            except SqlError as told:
                if told.code == INTERRUPTED:
                    if not session.killed and not session.maybe:
                        raise Failure(f"session {session.id} was hit by a kill that was not its own") from None
                    session.runs = session.killed = False
                    continue
                self.explain(told)
                self.over_with(session)
            except OSError:
                self.over_with(session)
            except Failure as why:
                if "closed" not in str(why):
                    raise
                self.over_with(session)

    def end(self, session: Session) -> None:
        self.over_with(session)

    def over_with(self, session: Session) -> None:
        session.client.close()
        self.sessions.remove(session)
        self.over.append(session.id)
        del self.over[:-200]

    def forget(self, node: Node) -> None:
        for session in [s for s in self.sessions if s.node is node]:
            self.over_with(session)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    etcd.require()
    print(f"seed {options.seed}", flush=True)
    with Cluster(options.binary, "--dialect", "tidb", "--server-ids", str(SERVER_IDS)) as cluster:
        for _ in range(NODES):
            cluster.add().admits().close()
        run = Run(cluster, random.Random(options.seed))
        end = time.monotonic() + options.seconds
        try:
            while time.monotonic() < end:
                run.act()
        except Failure as why:
            print(f"FAIL {why}\ndone: {dict(run.done)}\n{cluster.logs()}", flush=True)
            sys.exit(1)
        told = ", ".join(f"{count} x {code} ({EXPLAINED[code]})" for code, count in sorted(run.told.items()))
        print(f"ok   {dict(run.done)}; told: {told or 'no errors'}")


main()
