"""The scenes, for drivers that follow Python's DB-API 2.0 and wait where they stand."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import scenes
from check import Failure, attempts, expect_equal

Connection = Any
Row = tuple[Any, ...]


class Driver(ABC):
    """What differs from driver to driver."""

    # The base class of its errors.
    error: type[Exception]

    @abstractmethod
    def connect(self) -> Connection: ...

    @abstractmethod
    def greeted_id(self, connection: Connection) -> int: ...

    @abstractmethod
    def code(self, error: Exception) -> int: ...

    @abstractmethod
    def prepare(self, session: "Session") -> None:
        """The scene of that name."""

    @abstractmethod
    def row_by_row(self, connection: Connection) -> Any:
        """A cursor that does not gather the rows."""

    @abstractmethod
    def revive(self, connection: Connection) -> None:
        """Connects again, where the connection has been lost."""


class Session(AbstractContextManager["Session"]):
    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.connection = driver.connect()
        self.id = driver.greeted_id(self.connection)

    def rows(self, sql: str, arguments: Row = ()) -> list[Row]:
        with self.cursor() as cursor:
            # No tuple at all: the driver is not to look for places of arguments.
            cursor.execute(sql, arguments or None)
            return list(cursor.fetchall()) if cursor.description else []

    def value(self, sql: str) -> Any:
        [[value]] = self.rows(sql)
        return value

    @contextmanager
    def cursor(self):
        cursor = self.connection.cursor()
        yield cursor
        cursor.close()

    def listed(self) -> dict[int, Row]:
        """The list of processes, as it is shown to this session: all but the id, by id."""
        return {row[0]: row[1:] for row in self.rows("SHOW PROCESSLIST")}

    def sees_running(self, session: int, statement: str) -> bool:
        """Whether that session runs this statement, which sleeps."""
        if scenes.PROXY:
            states = self.rows(f"SHOW PROXYSESSION ATTRIBUTE {session} LIKE 'state'")
            return any(row[1] == "MSS_ACTIVE" for row in states)
        row = self.listed().get(session)
        return row is not None and (row[3], row[5], row[6]) == ("Query", "User sleep", statement)

    def await_gone(self, session: int) -> None:
        for _ in attempts(f"session {session} gone from the list"):
            if session not in self.listed():
                return

    def expect_error(self, codes: tuple[int, ...], action: Callable[[], Any]) -> None:
        try:
            got = action()
        except self.driver.error as error:
            if self.driver.code(error) not in codes:
                raise Failure(f"an error of {codes} is wanted, not {error!r}") from None
        else:
            raise Failure(f"an error of {codes} is wanted, not {got!r}")

    def __exit__(self, *_: object) -> None:
        try:
            self.connection.close()
        except self.driver.error:
            pass  # the server had closed it


def play(driver: Driver) -> None:
    def connect() -> None:
        with Session(driver) as session:
            expect_alive(session)
            expect_equal(session.value("SELECT DATABASE()"), "test", "the database")

    def query() -> None:
        with Session(driver) as session:
            session.rows("SET @text = %s, @number = %s", (scenes.TEXT, -7))
            expect_equal(session.rows("SELECT @text, @number, @unset"), [(scenes.TEXT, -7, None)], "the variables")
            session.expect_error((scenes.UNKNOWN_THREAD,), lambda: session.rows("KILL 999999"))

    def prepare() -> None:
        with Session(driver) as session:
            driver.prepare(session)

    def stream() -> None:
        with Session(driver) as session:
            cursor = driver.row_by_row(session.connection)
            cursor.execute(scenes.MANY_ROWS)
            count = 0
            for (number,) in cursor:
                count += 1
                expect_equal(number, count, "the row")
            cursor.close()
            expect_equal(count, scenes.ROWS, "the rows")
            expect_alive(session)

    def cancel() -> None:
        with Session(driver) as session, Session(driver) as other:
            # None of these drivers has a way of its own: a second connection asks for it.
            kill_sleeping(f"KILL QUERY {session.id}", session, other, (scenes.INTERRUPTED,))
            expect_alive(session)

    def killed() -> None:
        with Session(driver) as session, Session(driver) as other:
            kill_sleeping(f"KILL {session.id}", session, other, scenes.LOST)
            other.await_gone(session.id)
            other.expect_error((scenes.UNKNOWN_THREAD,), lambda: other.rows(f"KILL {session.id}"))

    def reconnect() -> None:
        with Session(driver) as session, Session(driver) as other:
            other.rows(f"KILL {session.id}")
            other.await_gone(session.id)
            driver.revive(session.connection)
            new = session.value("SELECT CONNECTION_ID()")
            greeted = driver.greeted_id(session.connection)
            expect_equal(new, greeted | scenes.CONNECTION_BIT, "CONNECTION_ID() and the new greeting's id")
            expect_equal(greeted == session.id, False, "the same id again")

    scenes.play(
        connect=connect,
        query=query,
        prepare=prepare,
        stream=stream,
        cancel=cancel,
        killed=killed,
        reconnect=reconnect,
    )


def kill_sleeping(kill: str, session: Session, other: Session, codes: tuple[int, ...]) -> None:
    """Kills the session while it runs a statement, which ends with one of these errors."""
    with ThreadPoolExecutor(1) as thread:
        sleeping = thread.submit(session.rows, scenes.SLEEP)
        for _ in attempts("the statement in the list"):
            if other.sees_running(session.id, scenes.SLEEP):
                break
        other.rows(kill)
        session.expect_error(codes, sleeping.result)


def expect_alive(session: Session) -> None:
    wanted = session.id | scenes.CONNECTION_BIT
    expect_equal(session.value("SELECT CONNECTION_ID()"), wanted, "CONNECTION_ID() by the greeting's id")


def prepare_as_text(session: Session) -> None:
    """For the drivers that know nothing of prepared statements: those that are prepared by statements."""
    session.rows("PREPARE said FROM 'SELECT ?, ? AS b, ?'")
    session.rows("SET @number = %s, @text = %s", (-7, scenes.TEXT))
    for _ in range(2):
        expect_equal(session.rows("EXECUTE said USING @number, @text, @unset"), [(-7, scenes.TEXT, None)], "the row")
    session.rows("DEALLOCATE PREPARE said")
    session.expect_error((scenes.UNKNOWN_STATEMENT,), lambda: session.rows("EXECUTE said"))
