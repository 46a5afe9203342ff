#!/usr/bin/env python3
"""The system tables, asked in the `mariadb` command-line client, in each dialect of the echo_sql example.

    python3 tests/clients/mariadb_system_tables.py target/release/examples/echo_sql
"""

from collections.abc import Iterator

from check import attempts, expect_equal, expect_match
from mariadb_cli import INTERRUPTED, OK, SLEEP
from server import Server
from stage import Act, play
from systems import MARIADB, MYSQL, OCEANBASE, SYSTEMS, TIDB, System, await_gone, begin, listed
from terminal import Row, Terminal

PROCESSLIST = "information_schema.processlist"
HISTORY = "killdeer.kill_history"

THREADS = ("performance_schema.threads", "PROCESSLIST_ID", "PROCESSLIST_USER")
# The lists of sessions beside PROCESSLIST, with the names of their columns for the session and its user.
MORE = {
    MYSQL.name: [("performance_schema.processlist", "ID", "USER"), THREADS],
    MARIADB.name: [THREADS],
    OCEANBASE.name: [("oceanbase.GV$OB_PROCESSLIST", "ID", "USER")],
    TIDB.name: [("information_schema.cluster_processlist", "ID", "USER")],
}

BUSIEST = f"""\
SELECT user, COUNT(*), MAX(time) FROM {PROCESSLIST} WHERE command <> 'Sleep' GROUP BY user ORDER BY 2 DESC LIMIT \
"""

# Whatever somebody may try to get at all the ids: each gives some in its column id, and all that it can.
TRIES = [
    f"SELECT id FROM {PROCESSLIST}",
    "SELECT `Id` AS id FROM `information_schema` . `PROCESSLIST` WHERE 1 = 1 OR user = 'bob'",
    f"SELECT 0 AS id FROM {PROCESSLIST} WHERE 1 = 0 UNION SELECT id FROM {PROCESSLIST}",
    f"SELECT id FROM {PROCESSLIST} UNION ALL SELECT id FROM {PROCESSLIST} ORDER BY id",
    f"(SELECT id FROM {PROCESSLIST}) UNION (SELECT id FROM {PROCESSLIST})",
    f"SELECT id FROM (SELECT * FROM {PROCESSLIST}) AS everybody",
    f"WITH everybody AS (SELECT * FROM {PROCESSLIST}) SELECT id FROM everybody",
    f"SELECT id FROM {PROCESSLIST} WHERE id IN (SELECT id FROM {PROCESSLIST})",
    f"SELECT DISTINCT (SELECT b.id FROM {PROCESSLIST} b WHERE b.id = a.id) AS id FROM {PROCESSLIST} a",
    f"SELECT b.id AS id FROM {PROCESSLIST} a JOIN {PROCESSLIST} b ON a.id <= b.id OR a.id > b.id",
    f"SELECT b.id AS id FROM {PROCESSLIST} a CROSS JOIN {PROCESSLIST} b",
    f"SELECT b.id AS id FROM {PROCESSLIST} a, {PROCESSLIST} b WHERE a.user LIKE '%'",
    f"SELECT b.id AS id FROM {PROCESSLIST} a LEFT JOIN {PROCESSLIST} b ON b.id IS NOT NULL",
    f"SELECT id FROM {PROCESSLIST} GROUP BY id HAVING COUNT(*) > 0",
]
COUNTS = [
    f"SELECT COUNT(*) AS n FROM {PROCESSLIST}",
    f"SELECT COUNT(DISTINCT id) AS n FROM {PROCESSLIST}",
    f"SELECT COUNT(*) AS n FROM (SELECT id FROM {PROCESSLIST} UNION SELECT id FROM {PROCESSLIST}) AS everybody",
    f"SELECT (SELECT COUNT(*) FROM {PROCESSLIST}) AS n",
    f"SELECT SUM(1) AS n FROM {PROCESSLIST} WHERE user IN (SELECT user FROM {PROCESSLIST})",
]


def the_busiest_users_are_counted(server: Server, system: System) -> None:
    with (
        Terminal(server, system.root) as root,
        Terminal(server, system.bob),
        Terminal(server, system.alice) as a,
        Terminal(server, system.alice) as b,
        Terminal(server, system.alice) as c,
        Terminal(server, system.bob) as d,
        Terminal(server, system.bob) as e,
    ):
        [oldest, *_] = [begin(busy, SLEEP, watched_by=root) for busy in (a, b, c, d, e)]
        # So that the greatest time is one to be found.
        for _ in attempts("a statement of a second's age"):
            if int(listed(root)[oldest]["Time"]) >= 1:
                break
        rows = root.rows(f"{BUSIEST}5;")
        expect_equal([list(row) for row in rows], [["user", "COUNT(*)", "MAX(time)"]] * 3, "the columns")
        counts = [(row["user"], row["COUNT(*)"]) for row in rows]
        expect_equal(counts, [("alice", "3"), ("bob", "2"), ("root", "1")], "the counts")
        expect_equal(int(rows[0]["MAX(time)"]) >= 1, True, "whether alice's longest runs for a second at least")
        [first] = root.rows(f"{BUSIEST}1;")
        expect_equal(first["user"], "alice", "the first")


def an_ordinary_user_gets_her_own_rows_only(server: Server, system: System) -> None:
    with (
        Terminal(server, system.root) as root,
        Terminal(server, system.bob) as bob,
        Terminal(server, system.alice) as alice,
        Terminal(server, system.alice) as other,
    ):
        theirs = {root.connection_id(), begin(bob, SLEEP, watched_by=root)}
        hers = {alice.connection_id(), other.connection_id()}
        more = MORE.get(system.name, [])
        tries = [*TRIES, *(f"SELECT {id} AS id FROM {table}" for table, id, _ in more)]
        tries += [f"SELECT id FROM {PROCESSLIST} UNION SELECT {id} FROM {table}" for table, id, _ in more]
        tries += [f"SELECT b.{id} AS id FROM {PROCESSLIST} a CROSS JOIN {table} b" for table, id, _ in more]
        for statement in tries:
            expect_equal(ids(alice, statement), hers, f"the ids that alice gets by {statement}")
            # All that there is to be had, which root gets.
            expect_equal(ids(root, statement), hers | theirs, f"the ids that root gets by {statement}")
        for statement in [*COUNTS, *(f"SELECT COUNT(*) AS n FROM {table}" for table, _, _ in more)]:
            expect_equal(count(alice, statement), 2, f"what alice counts by {statement}")
            expect_equal(count(root, statement), 4, f"what root counts by {statement}")
        users = [f"SELECT DISTINCT user AS u FROM {PROCESSLIST}"]
        users += [f"SELECT DISTINCT {user} AS u FROM {table}" for table, _, user in more]
        for statement in users:
            expect_equal([row["u"] for row in alice.rows(f"{statement};")], ["alice"], f"the users by {statement}")


def an_ordinary_user_reads_of_her_own_kills_only(server: Server, system: System) -> None:
    with (
        Terminal(server, system.root) as root,
        Terminal(server, system.bob) as bob,
        Terminal(server, system.alice) as alice,
        Terminal(server, system.alice) as other,
    ):
        killed = begin(bob, SLEEP, watched_by=root)
        expect_match(root.say(f"KILL QUERY {killed};"), OK)
        expect_match(bob.answer(), INTERRUPTED)
        hers, gone = alice.connection_id(), other.connection_id()
        expect_match(alice.say(f"KILL {gone};"), OK)
        await_gone(gone, seen_by=root)
        everything = f"SELECT by_id, mode, victim_id FROM {HISTORY}"
        own = {"by_id": str(hers), "mode": "CONNECTION", "victim_id": str(gone)}
        of_bob = {"by_id": str(root.connection_id()), "mode": "QUERY", "victim_id": str(killed)}
        expect_entries(root, everything, present=[own, of_bob], absent=[])
        # Which session it was that killed him is not his to see.
        of_him = of_bob | {"by_id": "NULL"}
        expect_entries(bob, everything, present=[of_him], absent=[own, of_bob])
        expect_entries(alice, everything, present=[own], absent=[of_him, of_bob])
        for statement in (
            f"{everything} UNION SELECT by_id, mode, victim_id FROM {HISTORY}",
            f"SELECT h.by_id, h.mode, h.victim_id FROM {PROCESSLIST} p CROSS JOIN {HISTORY} h",
            f"SELECT * FROM ({everything}) AS h WHERE 1 = 1 OR h.by_id = {of_bob['by_id']}",
        ):
            expect_entries(alice, statement, present=[own], absent=[of_him, of_bob])


def ids(terminal: Terminal, statement: str) -> set[int]:
    return {int(row["id"]) for row in terminal.rows(f"{statement};")}


def count(terminal: Terminal, statement: str) -> int:
    [row] = terminal.rows(f"{statement};")
    return int(row["n"])


def expect_entries(terminal: Terminal, statement: str, present: list[Row], absent: list[Row]) -> None:
    entries = terminal.rows(f"{statement};")
    for entry in present:
        expect_equal(entry in entries, True, f"whether {entry} is among {entries}")
    for entry in absent:
        expect_equal(entry in entries, False, f"whether {entry} is among {entries}")


def acts() -> Iterator[Act]:
    scenes = [
        the_busiest_users_are_counted,
        an_ordinary_user_gets_her_own_rows_only,
        an_ordinary_user_reads_of_her_own_kills_only,
    ]
    for system in SYSTEMS:
        # A server for each: they count its sessions.
        for scene in scenes:
            yield Act([scene], system.options, (system,))


if __name__ == "__main__":
    play(__doc__, acts(), {"mariadb": "mariadb-client"})
