#!/usr/bin/env python3
"""Golden bytes: what the echo_sql example sends, beside what MariaDB sends for the same command.

    python3 tests/clients/golden.py target/release/examples/echo_sql

Both servers run here, on free ports of the loopback interface, and get the same bytes from the same client. Their
answers are compared packet by packet and byte by byte. Where they are known to differ, the table in differences.py says
how and why; nothing else may.
"""

import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import packets
from check import Failure
from differences import normal
from mariadbd import MariaDB
from packets import DEPRECATE_EOF, MULTI_STATEMENTS, ORDINARY, Connection, Packet
from server import Server

# Lists of processes


def own_list(own: int, answer: list[Packet]) -> list[Packet]:
    """A process list without MariaDB's Progress, and without connections that happen to be there, too."""
    kept = []
    for packet in answer:
        if packet.kind == "column count":
            packet = replace(packet, fields=[("columns", b"\x08"), *packet.fields[1:]])
        if packet.kind == "column" and packets.name_of(packet) == "Progress":
            continue
        if packet.kind == "row":
            packet = replace(packet, fields=[field for field in packet.fields if field[0] != "Progress"])
            if packet.get("Id")[1:] != str(own).encode():
                continue
        kept.append(packet)
    # What was left out has shifted the numbers of what follows.
    return [replace(packet, sequence=at) for at, packet in enumerate(kept, start=kept[0].sequence)]


# The cases

Answer = list[Packet]
Address = tuple[str, int]
Case = Callable[[Connection], Answer]


def query(*statements: str, theirs: str | None = None) -> tuple[Case, Case]:
    """Statements one after the other; `theirs` makes MariaDB answer what an echo is."""
    ours = [lambda c, sql=sql: c.query(sql) for sql in statements]
    other = [lambda c: c.query(theirs)] if theirs else ours
    return one_after_the_other(*ours), one_after_the_other(*other)


def one_after_the_other(*cases: Case) -> Case:
    return lambda c: [packet for case in cases for packet in case(c)]


def both(*cases: Case) -> tuple[Case, Case]:
    case = one_after_the_other(*cases)
    return case, case


def process_list(case: Case) -> tuple[Case, Case]:
    return both(lambda c: own_list(c.id, case(c)))


def after_greeting(c: Connection) -> Answer:
    return [c.greeting, c.login]


# Logins that are not the ordinary one: what is given to the connection.
LOGINS: dict[str, dict[str, object]] = {
    "login": {},
    "login with a database": {"database": "test"},
    "login with an unknown database": {"database": "nowhere"},
    "login with a wrong password": {"password": "wrong"},
    "login of nobody": {"user": "nobody", "password": "x"},
    "login of nobody without a password": {"user": "nobody"},
}

COMMANDS: dict[str, tuple[Case, Case]] = {
    # Commands without SQL
    "COM_PING": both(lambda c: c.command(packets.PING)),
    "COM_INIT_DB": both(lambda c: c.command(packets.INIT_DB, b"test")),
    "COM_INIT_DB of an unknown database": both(lambda c: c.command(packets.INIT_DB, b"nowhere")),
    "COM_STATISTICS": both(lambda c: c.line(packets.STATISTICS)),
    "COM_RESET_CONNECTION": both(
        lambda c: c.query("SET autocommit=0"),
        lambda c: c.command(packets.RESET_CONNECTION),
        lambda c: c.query("DO 1"),
    ),
    "COM_PROCESS_KILL of nobody": both(lambda c: c.command(0x0C, b"\xff\xff\xff\xff")),
    "an unknown command": both(lambda c: c.command(0x7F), lambda c: c.command(packets.PING)),
    "COM_PROCESS_INFO": process_list(lambda c: c.rows(packets.PROCESS_INFO)),
    "SHOW PROCESSLIST": process_list(lambda c: c.query("SHOW PROCESSLIST")),
    "SHOW FULL PROCESSLIST": process_list(lambda c: c.query("SHOW FULL PROCESSLIST")),
    # OK packets and their flags
    "DO": query("DO 1", "DO SLEEP(0)"),
    "USE": query("USE test", "USE nowhere"),
    "SET autocommit": query("SET autocommit=0", "DO 1", "SET autocommit=1", "DO 1"),
    "BEGIN and COMMIT": query("BEGIN", "DO 1", "COMMIT", "DO 1"),
    "START TRANSACTION and ROLLBACK": query("START TRANSACTION", "SELECT CONNECTION_ID()", "ROLLBACK"),
    "user variables": query("SET @n = 5, @t = 'text'", "SELECT @n, @t, @unset"),
    # Errors
    "1065, an empty statement": query("", " ", ";"),
    "1064, near the end": query("KILL", "KILL QUERY"),
    "1064, near a word": query("KILL 1 2"),
    "1094": query("KILL 4294967295", "KILL QUERY 4294967295", "KILL 0"),
    "1049": query("USE nowhere"),
    "1193": query("SELECT @@nosuch", "SET nosuch = 1"),
    "1231": query("SET autocommit = 7"),
    "1238": query("SET version = 'x'"),
    "1305": query("ROLLBACK TO nosuch", "RELEASE SAVEPOINT nosuch"),
    "1317, KILL QUERY of oneself": query("KILL QUERY CONNECTION_ID()", "DO 1"),
    "warnings that are over": query("SELECT @@nosuch", "SELECT SLEEP(0)", "SELECT @@nosuch", "DO 1"),
    "the number of warnings": query("SELECT @@nosuch", "SELECT @@session.warning_count", "SHOW WARNINGS"),
    "SHOW WARNINGS": query(
        "SHOW WARNINGS", "SELECT @@nosuch", "SHOW WARNINGS", "SHOW COUNT(*) WARNINGS", "SHOW ERRORS"
    ),
    # Rows. What is only a literal is said back by echo_sql; beside CONNECTION_ID() it is answered.
    "the echo": query("SELECT 1", theirs="SELECT 'SELECT 1' AS echo"),
    "a long echo": query(f"SELECT '{'x' * 300}'", theirs=f"SELECT 'SELECT ''{'x' * 300}''' AS echo"),
    "SELECT SLEEP(0)": query("SELECT SLEEP(0)"),
    "SELECT CONNECTION_ID()": query("SELECT CONNECTION_ID()"),
    "SELECT USER(), DATABASE()": query("SELECT USER(), DATABASE()", "USE test", "SELECT USER(), DATABASE()"),
    "SELECT VERSION()": query("SELECT VERSION(), @@version_comment"),
    "system variables": query("SELECT @@autocommit, @@tx_isolation, @@session.warning_count, @@lower_case_table_names"),
    "a small number": query("SELECT 1, CONNECTION_ID()"),
    "numbers": query(
        "SELECT 0, -1, 127, 65536, -2147483649, 9223372036854775807, 18446744073709551615, CONNECTION_ID()"
    ),
    "exact numbers": query("SELECT 1.5, -1.5, 0.001, 1.50, .5, 123456789.123456789, CONNECTION_ID()"),
    "floats": query("SELECT 1e3, 1.5e0, -2.5E-3, 1e14, 1e15, 1e20, -1.25e-20, 1e300, CONNECTION_ID()"),
    "texts": query("SELECT 'text', '', 'ä€', '😀' AS bird, CONNECTION_ID()"),
    "a long text": query(f"SELECT '{'y' * 251}' AS y, '{'z' * 60_000}' AS z, CONNECTION_ID()"),
    "NULL": query("SELECT NULL, CONNECTION_ID()", "SELECT NULL AS nothing, CONNECTION_ID()"),
    "truths": query("SELECT TRUE AS `1`, FALSE AS `2`, CONNECTION_ID()"),
    "aliases": query("SELECT 'a' AS b, 'c' d, 1.5 AS `a b`, USER() AS `USER()`, CONNECTION_ID()"),
    "the insert id": query("SELECT LAST_INSERT_ID()"),
    "no row": query("SELECT 'a', CONNECTION_ID() LIMIT 0"),
    # Several statements
    "several results": query("SELECT 'a', CONNECTION_ID(); SELECT 'b', CONNECTION_ID()"),
    "several OKs": query("DO 1; BEGIN; DO 2; COMMIT; DO 3"),
    "a transaction at once": query("BEGIN; SELECT 'a', CONNECTION_ID(); COMMIT; SELECT 'b', CONNECTION_ID()"),
    "OK, rows, an error": query("DO 1; SELECT 'a', CONNECTION_ID(); KILL 4294967295; DO 1"),
}


# Prepared statements


def number(value: int, width: int) -> bytes:
    return value.to_bytes(width, "little", signed=value < 0)


UNSIGNED = 0x8000
DAY = number(2024, 2) + bytes([2, 29])
CLOCK = bytes([12, 34, 56])

# What is sent as a parameter: the column's name in the answer, type and value. Unsigned numbers are such as have the
# same bytes when they are widened.
VALUES: dict[str, tuple[int, bytes | None]] = {
    "whole tiny": (0x01, number(-5, 1)),
    "whole short": (0x02, number(-3_000, 2)),
    "whole long": (0x03, number(-70_000, 4)),
    "whole longlong": (0x08, number(-(1 << 40), 8)),
    "whole unsigned tiny": (0x01 | UNSIGNED, number(100, 1)),
    "whole unsigned short": (0x02 | UNSIGNED, number(30_000, 2)),
    "whole unsigned long": (0x03 | UNSIGNED, number(2_000_000_000, 4)),
    "whole unsigned longlong": (0x08 | UNSIGNED, number((1 << 64) - 1, 8)),
    "float": (0x04, struct.pack("<f", 1.5)),
    "float double": (0x05, struct.pack("<d", -0.1)),
    "exact": (0xF6, b"\x05-1.50"),
    "text": (0xFD, b"\x04text"),
    "text string": (0xFE, b"\x06\xc3\xa4\xe2\x82\xac\x21"),
    "text varchar": (0x0F, b"\x00"),
    "bytes": (0xFC, b"\x03\x00\x01\xff"),
    "date": (0x0A, b"\x04" + DAY),
    "date zero": (0x0A, b"\x00"),
    "datetime": (0x0C, b"\x07" + DAY + CLOCK),
    "datetime midnight": (0x0C, b"\x04" + DAY),
    "datetime micros": (0x0C, b"\x0b" + DAY + CLOCK + number(123_456, 4)),
    "time": (0x0B, b"\x08\x01" + number(1, 4) + CLOCK),
    "time micros": (0x0B, b"\x0c\x00" + number(0, 4) + CLOCK + number(500_000, 4)),
    "time zero": (0x0B, b"\x00"),
    "nothing": (0x06, None),
}


def prepare_and_execute(sql: str, *values: tuple[int, bytes | None]) -> Case:
    def case(c: Connection) -> Answer:
        answer = c.prepare(sql)
        if answer[0].kind == "error":
            return answer
        statement = int.from_bytes(answer[0].get("statement id"), "little")
        # Twice: the second time is like the first.
        return answer + c.execute(statement, list(values)) + c.execute(statement, list(values))

    return case


def closed(c: Connection) -> Answer:
    answer = c.prepare("DO 1")
    identity = answer[0].get("statement id")
    answer += c.command(packets.STMT_RESET, identity)
    c.send(packets.STMT_CLOSE, identity)
    # Closing has no answer: the next one is that of the next command.
    answer += c.command(packets.PING) + c.command(packets.STMT_RESET, identity)
    c.send(packets.STMT_CLOSE, identity)
    return answer + c.execute(int.from_bytes(identity, "little"))


def long_data(c: Connection) -> Answer:
    answer = c.prepare("SELECT ? AS `bytes`, ? AS `whole`")
    statement = int.from_bytes(answer[0].get("statement id"), "little")
    for part in (b"ab", b"cd"):
        c.send(packets.STMT_SEND_LONG_DATA, answer[0].get("statement id") + number(0, 2) + part)
    # What came ahead has no value here.
    return answer + c.execute(statement, [(0xFC, b""), (0x08, number(7, 8))])


PREPARED: dict[str, tuple[Case, Case]] = {
    "prepare without parameters": both(lambda c: c.prepare("DO 1"), lambda c: c.prepare("SELECT CONNECTION_ID()")),
    "prepare with parameters": both(lambda c: c.prepare("SELECT ?"), lambda c: c.prepare("SELECT ?, ?")),
    "prepare KILL ?": both(lambda c: c.prepare("KILL ?"), lambda c: c.prepare("DO SLEEP(?)")),
    "prepare what is wrong": both(
        lambda c: c.prepare(""), lambda c: c.prepare("KILL"), lambda c: c.prepare("DO 1; DO 2")
    ),
    "execute an echo": (prepare_and_execute("SELECT 1"), prepare_and_execute("SELECT 'SELECT 1' AS echo")),
    "execute DO": both(prepare_and_execute("DO 1"), prepare_and_execute("DO SLEEP(?)", (0x08, bytes(8)))),
    "execute BEGIN": both(prepare_and_execute("BEGIN"), lambda c: c.query("DO 1"), prepare_and_execute("COMMIT")),
    "execute KILL ?": both(prepare_and_execute("KILL ?", (0x08, number(4_294_967_295, 8)))),
    "execute KILL QUERY of oneself": both(
        lambda c: prepare_and_execute("KILL QUERY ?", (0x08, number(c.id, 8)))(c), lambda c: c.query("DO 1")
    ),
    "literals as binary rows": both(
        prepare_and_execute("SELECT 1, -1, 'text', '', 1.5, 1e3, NULL, 18446744073709551615, CONNECTION_ID()")
    ),
    "functions as binary rows": both(
        prepare_and_execute("SELECT USER(), DATABASE(), LAST_INSERT_ID(), @@autocommit, @@tx_isolation")
    ),
    "close and reset": both(closed),
    "unknown statements": both(lambda c: c.execute(999), lambda c: c.command(packets.STMT_RESET, number(999, 4))),
    "long data": both(long_data),
    "many parameters": both(
        prepare_and_execute(f"SELECT {', '.join(f'? AS `{name}`' for name in VALUES)}", *VALUES.values())
    ),
    **{
        f"a parameter: {name}": both(prepare_and_execute(f"SELECT ? AS `{name}`", value))
        for name, value in VALUES.items()
    },
}


# The comparison


def shown(packet: Packet) -> list[str]:
    what = f"{packet.kind} {packet.sequence}"
    return [f"{what}: {name} = {data.hex(' ')}  {data!r}" for name, data in packet.fields]


def compare(ours: Answer, theirs: Answer) -> Iterator[str]:
    """What differs, line by line; nothing if nothing does."""
    if [packet.kind for packet in ours] != [packet.kind for packet in theirs]:
        for who, answer in (("ours  ", ours), ("theirs", theirs)):
            yield f"{who} {', '.join(f'{packet.kind} {packet.payload[:80]!r}' for packet in answer)}"
        return
    for mine, other in zip(ours, theirs, strict=True):
        if mine.sequence != other.sequence:
            yield f"{mine.kind}: number {mine.sequence}, theirs has {other.sequence}"
        if [name for name, _ in mine.fields] != [name for name, _ in other.fields]:
            yield from (f"ours   {line}" for line in shown(mine))
            yield from (f"theirs {line}" for line in shown(other))
            continue
        same = zip(normal(mine).fields, normal(other).fields, strict=True)
        for line, its, (left, right) in zip(shown(mine), shown(other), same, strict=True):
            if left != right:
                yield f"ours   {line}"
                yield f"theirs {its}"


def run(name: str, case: tuple[Case, Case], ours: Address, theirs: Address, **how: object) -> bool:
    """Runs a case with both servers; says how it went."""
    answers = []
    for address, does in zip((ours, theirs), case, strict=True):
        try:
            with Connection(address, **how) as connection:
                answers.append(does(connection))
        except (Failure, OSError) as failure:
            who = "ours" if address == ours else "theirs"
            print(f"FAILED {name}\n  {who}: {failure}")
            return False
    found = list(compare(*answers))
    if found:
        print(f"FAILED {name}", *found, sep="\n  ")
    else:
        print(f"ok {name}: {sum(len(packet.payload) + 4 for packet in answers[0])} bytes")
    return not found


def all_cases(ours: Address, theirs: Address) -> Iterator[bool]:
    for flag, said in ((DEPRECATE_EOF, "without EOF"), (0, "with EOF")):
        for name, how in LOGINS.items():
            yield run(f"{name}, {said}", both(after_greeting), ours, theirs, capabilities=ORDINARY | flag, **how)
        for name, case in (COMMANDS | PREPARED).items():
            yield run(f"{name}, {said}", case, ours, theirs, capabilities=ORDINARY | flag)
        one_only = (ORDINARY | flag) & ~MULTI_STATEMENTS
        refused = query("DO 1; DO 2", "DO 1;")
        name = f"several statements of a client that has not asked, {said}"
        yield run(name, refused, ours, theirs, capabilities=one_only)


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    with tempfile.TemporaryDirectory() as made:
        home = Path(made)
        try:
            # MariaDB asks unknown users by this method, MySQL 8 by another.
            plugin = ["--default-plugin", "mysql_native_password"]
            with MariaDB(home) as mariadb, Server(sys.argv[1], home, *plugin) as server:
                theirs = (mariadb.host, mariadb.port)
                with Connection(theirs) as connection:
                    connection.query("CREATE DATABASE IF NOT EXISTS test")
                outcomes = list(all_cases((server.host, server.port), theirs))
                server.stop()
        except Failure as failure:
            print(f"FAILED: {failure}")
            return 1
    print(f"{outcomes.count(True)} of {len(outcomes)} cases")
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
