"""The `mariadb` client on terminals of its own. What else there is to it, mariadb_cli.py shows."""

from dataclasses import dataclass
from pathlib import Path

import scenes
from check import expect_equal, expect_match
from mariadb_cli import INTERRUPTED, OK, await_gone, await_listed, expect_new_session
from terminal import Terminal


@dataclass
class Address:
    """A server that others have started."""

    host: str
    port: int
    home: Path


# The directory in which it runs is its own.
ADDRESS = Address(scenes.HOST, scenes.PORT, Path.cwd())


def terminal(*options: str) -> Terminal:
    tls = ("--ssl",) if scenes.TLS else ("--skip-ssl",)
    charset = "--default-character-set=utf8mb4"
    return Terminal(ADDRESS, scenes.USER, f"--password={scenes.PASSWORD}", *tls, charset, *options, "test")


def connect() -> None:
    with terminal() as a:
        expect_equal(a.connection_id(), a.greeted_id, "CONNECTION_ID() and the greeting's id")
        expect_equal(a.rows("SELECT DATABASE();"), [{"DATABASE()": "test"}], "the database")
        cipher = expect_match(a.say("status"), r"SSL:\s+(Not in use|Cipher in use is \S+)")[1]
        scenes.expect_tls(cipher != "Not in use")


def query() -> None:
    with terminal() as a:
        expect_match(a.say("SET @text = 'it''s', @number = -7;"), OK)
        row = {"@text": "it's", "@number": "-7", "@unset": "NULL"}
        expect_equal(a.rows("SELECT @text, @number, @unset;"), [row], "the variables")
        expect_match(a.say("KILL 999999;"), r"ERROR 1094 \(HY000\): Unknown thread id: 999999\b")


def prepare() -> None:
    with terminal() as a:
        expect_match(a.say("PREPARE said FROM 'SELECT ? AS a, ? AS b, ? AS c';"), r"Query OK")
        expect_match(a.say("SET @number = -7, @text = 'it''s';"), OK)
        for _ in range(2):
            row = {"a": "-7", "b": "it's", "c": "NULL"}
            expect_equal(a.rows("EXECUTE said USING @number, @text, @unset;"), [row], "the row")
        expect_match(a.say("DEALLOCATE PREPARE said;"), OK)
        expect_match(a.say("EXECUTE said;"), r"ERROR 1243 \(HY000\)")


def stream() -> None:
    # --quick: rows are shown as they come.
    with terminal("--quick") as a:
        a.begin(f"{scenes.MANY_ROWS};")
        expect_match(a.answer(), rf"\| +{scenes.ROWS} \|\s+\+-+\+\s+{scenes.ROWS} rows in set")
        expect_equal(a.connection_id(), a.greeted_id, "the id afterwards")


def cancel() -> None:
    with terminal() as a, terminal() as b:
        sleep(b, watched_by=a)
        b.press_ctrl_c()
        expect_match(b.answer(), INTERRUPTED)
        expect_equal(b.connection_id(), b.greeted_id, "the id after Ctrl-C")


def killed() -> None:
    with terminal() as a, terminal() as b:
        sleep(b, watched_by=a)
        expect_match(a.say(f"KILL {b.greeted_id};"), OK)
        # The second over TLS, where the end comes without TLS's own goodbye.
        expect_match(b.answer(), r"ERROR 2013 \(HY000\): Lost connection|ERROR 2026 \(HY000\): TLS/SSL error: .*eof")
        await_gone(b.greeted_id, seen_by=a)


def reconnect() -> None:
    with terminal() as a, terminal() as b:
        expect_match(a.say(f"KILL {b.greeted_id};"), OK)
        await_gone(b.greeted_id, seen_by=a)
        expect_new_session(b, seen_by=a)


def sleep(terminal: Terminal, watched_by: Terminal) -> None:
    terminal.begin(f"{scenes.SLEEP};")
    await_listed(watched_by, terminal.greeted_id, Command="Query", State="User sleep", Info=scenes.SLEEP)


scenes.play(
    connect=connect,
    query=query,
    prepare=prepare,
    stream=stream,
    cancel=cancel,
    killed=killed,
    reconnect=reconnect,
)
