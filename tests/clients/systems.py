"""The systems whose dialects echo_sql speaks, in what differs for a client and its user."""

from collections.abc import Callable
from dataclasses import dataclass

from check import attempts, expect_equal
from terminal import Row, Terminal


@dataclass(frozen=True)
class System:
    name: str
    # What somebody is told who may see a session and not kill it.
    denied: Callable[[int], str]
    # The login names of somebody with all privileges and of two with none.
    root: str = "root"
    alice: str = "alice"
    bob: str = "bob"
    # Whether `KILL QUERY '1'` means the session 1.
    quoted_ids: bool = True

    @property
    def options(self) -> tuple[str, ...]:
        return "--dialect", self.name


def not_owner(session: int) -> str:
    return rf"ERROR 1095 \(HY000\): You are not owner of thread {session}\b"


def privilege_missing(_: int) -> str:
    return r"ERROR 1227 \(42000\): Access denied; you need \(at least one of\) the SUPER or CONNECTION_ADMIN privilege"


MYSQL = System("mysql", not_owner)
MARIADB = System("mariadb", not_owner)
# A text behind KILL QUERY is a statement's own id there.
DORIS = System("doris", not_owner, quoted_ids=False)
OCEANBASE = System("oceanbase", not_owner, root="root@sys", alice="alice@test", bob="bob@test")
TIDB = System("tidb", privilege_missing)
SYSTEMS = (MYSQL, MARIADB, DORIS, OCEANBASE, TIDB)


def unknown_thread(session: int) -> str:
    return rf"ERROR 1094 \(HY000\): Unknown thread id: {session}\b"


# The lists differ in their columns; Id, Command, Time and Info are in all of them.


def listed(watcher: Terminal) -> dict[int, Row]:
    return {int(row["Id"]): row for row in watcher.rows("SHOW FULL PROCESSLIST;")}


def begin(terminal: Terminal, statement: str, watched_by: Terminal) -> int:
    """Begins a long statement and returns when it runs: the session's id."""
    session = terminal.connection_id()
    terminal.begin(f"{statement};")
    for _ in attempts(f"{statement} in the list"):
        if runs(session, statement, watched_by):
            return session
    raise AssertionError("attempts end by an error")


def runs(session: int, statement: str, watched_by: Terminal) -> bool:
    row = listed(watched_by).get(session, {})
    return (row.get("Command"), row.get("Info")) == ("Query", statement)


def expect_running(session: int, statement: str, watched_by: Terminal) -> None:
    expect_equal(runs(session, statement, watched_by), True, f"whether session {session} still runs {statement}")


def await_gone(session: int, seen_by: Terminal) -> None:
    for _ in attempts(f"session {session} gone from the list"):
        if session not in listed(seen_by):
            return
