"""Two MariaDB servers, the second a replica of the first: what proxies stand in front of."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from check import Failure, attempts, expect_equal
from cluster import Client, Row, SqlError
from mariadbd import MariaDB

# What the replica logs in by at the primary.
REPLICATION = ("replicant", "word of the replica")

# Enough room for what sysbench does. What they have written survives their crash, if not the machine's.
OPTIONS = (
    "--log-bin=binlog", "--binlog-format=ROW", "--gtid-strict-mode=ON", "--log-slave-updates=ON",
    "--plugin-load-add=ha_sequence", "--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=2",
    "--sync-binlog=0", "--performance-schema=OFF", "--max-connections=500",
)  # fmt: skip

# Threads of a server that are nobody's connection, and the replica's own connection to the primary.
OWN = ("system user", "event_scheduler", REPLICATION[0])

# InnoDB shows its transactions as it has shown them last if that was less than 0.1 s before.
REMEMBERED = 0.15


class Backend(MariaDB):
    """One of the two, and what its administrator sees there."""

    def __init__(self, home: Path, server_id: int) -> None:
        super().__init__(home, f"--server-id={server_id}", *OPTIONS)

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def administrator(self, database: str | None = None) -> Client:
        """A connection that goes through no proxy."""
        return Client(self, database=database)

    def do(self, *statements: str) -> None:
        with self.administrator() as root:
            for statement in statements:
                root.run(statement)

    def rows(self, sql: str) -> list[Row]:
        with self.administrator() as root:
            return root.run(sql)

    def listed(self) -> list[Row]:
        """Its connections, without those of its administrator and of replication."""
        return [row for row in self.rows("SHOW FULL PROCESSLIST") if row["User"] not in ("root", *OWN)]

    def transactions(self) -> list[Row]:
        """Those that are open, but for its administrator's and replication's own.

        One that outlives its connection has no thread in the list, or none at all.
        """
        time.sleep(REMEMBERED)
        return self.rows(
            "SELECT trx_id, trx_state, trx_mysql_thread_id, trx_query FROM information_schema.INNODB_TRX "
            "WHERE trx_mysql_thread_id NOT IN (SELECT ID FROM information_schema.PROCESSLIST "
            f"WHERE USER IN {('root', *OWN)!r})"
        )

    def await_runs(self, statement: str) -> Row:
        """Waits until a connection runs this statement."""
        for _ in attempts(f"{statement} in the list of {self.address}"):
            for row in self.listed():
                if row["Info"] == statement and row["Command"] in ("Query", "Execute"):
                    return row
        raise AssertionError("attempts end by an error")

    def await_none(self, what: str, statement: str | None = None) -> None:
        """Waits until no connection is left, or none that runs this statement."""
        left: list[Row] = []
        try:
            for _ in attempts(what):
                left = [row for row in self.listed() if statement in (None, row["Info"])]
                if not left:
                    return
        except Failure as why:
            raise Failure(f"{why}; {self.address} lists {left}") from None

    def await_no_transaction(self) -> None:
        left: list[Row] = []
        try:
            for _ in attempts("no open transaction"):
                left = self.transactions()
                if not left:
                    return
        except Failure as why:
            raise Failure(f"{why}; {self.address} has {left}") from None


class Pair:
    """A primary and its replica. What is written to the one is found in the other by and by, accounts included."""

    def __init__(self, home: Path) -> None:
        self.primary = Backend(home, 1)
        try:
            self.replica = Backend(home, 2)
        except BaseException:
            self.primary.discard()
            raise
        try:
            self._replicate()
        except BaseException:
            self.discard()
            raise

    def _replicate(self) -> None:
        user, password = REPLICATION
        # From the first event on.
        self.primary.do(
            f"CREATE USER {user}@'%' IDENTIFIED BY '{password}'",
            f"GRANT REPLICATION SLAVE ON *.* TO {user}@'%'",
            "CREATE DATABASE IF NOT EXISTS test",
        )
        self.replica.do(
            f"CHANGE MASTER TO MASTER_HOST = '{self.primary.host}', MASTER_PORT = {self.primary.port}, "
            f"MASTER_USER = '{user}', MASTER_PASSWORD = '{password}', MASTER_USE_GTID = slave_pos, "
            "MASTER_CONNECT_RETRY = 1",
            "START SLAVE",
        )
        self.catch_up()

    @property
    def backends(self) -> tuple[Backend, Backend]:
        return self.primary, self.replica

    def catch_up(self, seconds: float = 30.0) -> None:
        """Waits until the replica has all that the primary has."""
        [[position]] = [row.values() for row in self.primary.rows("SELECT @@gtid_binlog_pos")]
        deadline = time.monotonic() + seconds
        with self.replica.administrator() as root:
            # A second at a time: nobody waits for ever for the answer to one statement.
            while root.run(f"SELECT MASTER_GTID_WAIT('{position}', 1) AS done")[0]["done"] != "0":
                if time.monotonic() > deadline:
                    status = root.run("SHOW SLAVE STATUS")
                    raise Failure(f"the replica has not caught up with {position}: {status}")

    @contextmanager
    def apart(self, seconds: float) -> Iterator[None]:
        """Meanwhile the replica does nothing; afterwards it has so long to catch up."""
        self.catch_up(seconds)
        self.replica.do("STOP SLAVE")
        try:
            yield
        finally:
            self.replica.do("START SLAVE")
        self.catch_up(seconds)

    @contextmanager
    def durable(self) -> Iterator[None]:
        """Meanwhile what the primary commits survives the machine's crash as well: MariaDB's own setting."""
        variable = "innodb_flush_log_at_trx_commit"
        self.primary.do(f"SET GLOBAL {variable} = 1")
        try:
            yield
        finally:
            self.primary.do(f"SET GLOBAL {variable} = 2")

    def create_account(self, user: str, password: str, privileges: str = "ALL ON test.*") -> None:
        """An account that both know."""
        self.primary.do(
            f"CREATE USER {user}@'%' IDENTIFIED BY '{password}'", f"GRANT {privileges} TO {user}@'%'"
        )
        self.catch_up()

    def expect_nothing_left(self) -> None:
        """Neither connection nor transaction, at none of them."""
        for backend in self.backends:
            backend.await_none("the end of all connections from the proxy")
            backend.await_no_transaction()

    def discard(self) -> None:
        for backend in self.backends:
            backend.discard()

    def __enter__(self) -> "Pair":
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


def refused(backend: Backend, user: str, password: str) -> int:
    """The code by which this login is refused."""
    try:
        Client(backend, user, password).close()
    except SqlError as why:
        return why.code
    return 0


def expect_replicated(pair: Pair, sql: str) -> None:
    """Both give the same rows."""
    pair.catch_up()
    expect_equal(pair.replica.rows(sql), pair.primary.rows(sql), f"{sql} at the replica")
