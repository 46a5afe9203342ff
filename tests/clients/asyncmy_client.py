"""asyncmy, with its pool. Its statements are texts: arguments are written into them by the client."""

import asyncio
from collections.abc import Awaitable
from contextlib import asynccontextmanager
from typing import Any

import asyncmy
import scenes
from asyncmy.cursors import SSCursor
from asyncmy.errors import MySQLError
from check import Failure, attempts, expect_equal

Row = tuple[Any, ...]

SERVER = {
    "host": scenes.HOST,
    "port": scenes.PORT,
    "user": scenes.USER,
    "password": scenes.PASSWORD,
    "db": "test",
    "ssl": scenes.tls_context(),
}


async def rows(connection: asyncmy.Connection, sql: str, arguments: Row = ()) -> list[Row]:
    async with connection.cursor() as cursor:
        await cursor.execute(sql, arguments or None)
        return list(await cursor.fetchall()) if cursor.description else []


async def value(connection: asyncmy.Connection, sql: str) -> Any:
    [[value]] = await rows(connection, sql)
    return value


@asynccontextmanager
async def session():
    connection = await asyncmy.connect(**SERVER)
    try:
        yield connection
    finally:
        connection.close()


async def connect() -> None:
    async with session() as connection:
        expect_equal(await value(connection, "SELECT CONNECTION_ID()"), connection.thread_id(), "the greeting's id")
        expect_equal(await value(connection, "SELECT DATABASE()"), "test", "the database")
        # The client keeps it to itself.
        [(_, cipher)] = await rows(connection, "SHOW STATUS LIKE 'Ssl_cipher'")
        scenes.expect_tls(cipher != "")


async def query() -> None:
    async with session() as connection:
        await rows(connection, "SET @text = %s, @number = %s", (scenes.TEXT, -7))
        got = await rows(connection, "SELECT @text, @number, @unset")
        expect_equal(got, [(scenes.TEXT, -7, None)], "the variables")
        await expect_error((scenes.UNKNOWN_THREAD,), rows(connection, "KILL 999999"))


async def prepare() -> None:
    async with session() as connection:
        await rows(connection, "PREPARE said FROM 'SELECT ?, ? AS b, ?'")
        await rows(connection, "SET @number = %s, @text = %s", (-7, scenes.TEXT))
        for _ in range(2):
            got = await rows(connection, "EXECUTE said USING @number, @text, @unset")
            expect_equal(got, [(-7, scenes.TEXT, None)], "the row")
        await rows(connection, "DEALLOCATE PREPARE said")
        await expect_error((scenes.UNKNOWN_STATEMENT,), rows(connection, "EXECUTE said"))


async def stream() -> None:
    async with session() as connection:
        count = 0
        async with connection.cursor(SSCursor) as cursor:
            await cursor.execute(scenes.MANY_ROWS)
            while row := await cursor.fetchone():
                count += 1
                expect_equal(row, (count,), "the row")
        expect_equal(count, scenes.ROWS, "the rows")
        await expect_alive(connection)


async def cancel() -> None:
    # It has no way of its own: a second connection asks for it.
    async with session() as connection, session() as other:
        await kill_sleeping(f"KILL QUERY {connection.thread_id()}", connection, other, (scenes.INTERRUPTED,))
        await expect_alive(connection)


async def killed() -> None:
    async with session() as connection, session() as other:
        await kill_sleeping(f"KILL {connection.thread_id()}", connection, other, scenes.LOST)
        await await_gone(connection.thread_id(), other)
        await expect_error((scenes.UNKNOWN_THREAD,), rows(other, f"KILL {connection.thread_id()}"))


async def reconnect() -> None:
    async with asyncmy.create_pool(minsize=1, maxsize=1, **SERVER) as pool, session() as other:
        async with pool.acquire() as connection:
            first = connection.thread_id()
        await rows(other, f"KILL {first}")
        await await_gone(first, other)
        # The pool sees that the connection is gone, and opens another.
        async with pool.acquire() as connection:
            new = await value(connection, "SELECT CONNECTION_ID()")
            expect_equal(new, connection.thread_id(), "CONNECTION_ID() and the new greeting's id")
        expect_equal(new == first, False, "the same id again")


async def kill_sleeping(
    kill: str, connection: asyncmy.Connection, other: asyncmy.Connection, codes: tuple[int, ...]
) -> None:
    sleeping = asyncio.create_task(rows(connection, scenes.SLEEP))
    for _ in attempts("the statement in the list"):
        if (await listed(other)).get(connection.thread_id()) == ("Query", "User sleep", scenes.SLEEP):
            break
    await rows(other, kill)
    await expect_error(codes, sleeping)


async def listed(connection: asyncmy.Connection) -> dict[int, Row]:
    """The list of processes, as it is shown to this session: Command, State and Info by id."""
    return {row[0]: (row[4], row[6], row[7]) for row in await rows(connection, "SHOW PROCESSLIST")}


async def await_gone(killed: int, other: asyncmy.Connection) -> None:
    for _ in attempts(f"session {killed} gone from the list"):
        if killed not in await listed(other):
            return


async def expect_alive(connection: asyncmy.Connection) -> None:
    expect_equal(await value(connection, "SELECT CONNECTION_ID()"), connection.thread_id(), "the id afterwards")


async def expect_error(codes: tuple[int, ...], action: Awaitable[Any]) -> None:
    try:
        got = await action
    except MySQLError as error:
        if error.args[0] not in codes:
            raise Failure(f"an error of {codes} is wanted, not {error!r}") from None
    else:
        raise Failure(f"an error of {codes} is wanted, not {got!r}")


scenes.play(
    **{
        scene.__name__: lambda scene=scene: asyncio.run(scene())
        for scene in (connect, query, prepare, stream, cancel, killed, reconnect)
    }
)
