"""mycli, as people use it: on a terminal of its own.

    mycli_client.py [PROGRAM]

The program is the one that is installed beside this Python, unless another is named: Debian's is some years older.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pexpect
import scenes
from check import Failure, PATIENCE, attempts, expect_equal, expect_match

PROMPT = "ready> "
OPTIONS = """\
[main]
enable_pager = False
less_chatty = True
table_format = ascii
"""
COLUMNS = ["Id", "User", "Host", "db", "Command", "Time", "State", "Info"]
# What they say of a Ctrl-C. The older ones close the statement's connection before they send their KILL on another;
# the session ends with the first here, and the KILL finds it no more.
CANCELLED = r"(?:Query cancelled|Cancelled query|cancelled query|error while cancelling query: \(1094, )"
RECONNECTED = r"(?s)(?:New connection created successfully|Reconnecting\.\.\.).*"
# What a terminal makes colours and lines of.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else str(Path(sys.executable).with_name("mycli"))
# TLS without asking whose certificate it is; the older ones have no word for none, which is what they do unasked.
SSL_MODES = "--ssl-mode" in subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
TLS = [f"--ssl-mode={'on' if scenes.TLS else 'off'}"] if SSL_MODES else ["--ssl"] * scenes.TLS

HOME = Path(tempfile.mkdtemp(dir=Path.cwd()))
(HOME / "myclirc").write_text(OPTIONS)
COMMAND = [
    *(PROGRAM, "--myclirc", str(HOME / "myclirc"), "--prompt", PROMPT),
    *("--host", scenes.HOST, "--port", str(scenes.PORT), "--user", scenes.USER, f"--password={scenes.PASSWORD}"),
    *(*TLS, "--database", "test"),
]
ENVIRONMENT = {"HOME": str(HOME), "PATH": os.environ["PATH"], "TERM": "dumb", "LANG": "C.UTF-8"}


class Terminal:
    def __init__(self) -> None:
        self._child = pexpect.spawn(
            COMMAND[0], COMMAND[1:], env=ENVIRONMENT, encoding="utf-8", dimensions=(50, 1000), timeout=PATIENCE
        )
        self.answer()
        self.id = self.connection_id()

    def say(self, statement: str) -> str:
        self.begin(statement)
        return self.answer()

    def begin(self, statement: str) -> None:
        self._child.sendline(statement)

    def press_ctrl_c(self) -> None:
        self._child.sendintr()

    def answer(self) -> str:
        """What is shown up to the next prompt."""
        if self._child.expect_exact([PROMPT, pexpect.TIMEOUT, pexpect.EOF]) != 0:
            raise Failure(f"waited in vain for the prompt behind {self._child.before[-400:]!r}")
        return CONTROL.sub("", self._child.before)

    def rows(self, statement: str) -> list[dict[str, str]]:
        shown = self.say(statement)
        lines = [line.strip() for line in shown.splitlines() if line.startswith("|")]
        if not lines:
            raise Failure(f"no table in {shown[-400:]!r}")
        names, *rows = [[cell.strip() for cell in line[1:-1].split(" | ")] for line in lines]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def connection_id(self) -> str:
        return self.rows("SELECT CONNECTION_ID();")[0]["CONNECTION_ID()"]

    def listed(self) -> dict[str, dict[str, str]]:
        return {row["Id"]: row for row in self.rows("SHOW PROCESSLIST;")}

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        # Before pexpect does: it waits for a tenth of a second, which may be too short beside others.
        self._child.kill(signal.SIGKILL)
        self._child.wait()
        self._child.close()


def connect() -> None:
    with Terminal() as a:
        expect_equal(a.connection_id(), a.id, "the id")
        expect_equal(a.rows("SELECT DATABASE();"), [{"DATABASE()": "test"}], "the database")
        [status] = a.rows("SHOW STATUS LIKE 'Ssl_cipher';")
        scenes.expect_tls(status["Value"] != "")


def query() -> None:
    with Terminal() as a:
        expect_match(a.say("SET @text = 'it''s', @number = -7;"), r"Query OK")
        row = {"@text": "it's", "@number": "-7", "@unset": "<null>"}
        expect_equal(a.rows("SELECT @text, @number, @unset;"), [row], "the variables")
        expect_match(a.say("KILL 999999;"), r"\(1094, ['\"]Unknown thread id: 999999")


def prepare() -> None:
    with Terminal() as a:
        expect_match(a.say("PREPARE said FROM 'SELECT ? AS a, ? AS b, ? AS c';"), r"Query OK")
        expect_match(a.say("SET @number = -7, @text = 'it''s';"), r"Query OK")
        for _ in range(2):
            row = {"a": "-7", "b": "it's", "c": "<null>"}
            expect_equal(a.rows("EXECUTE said USING @number, @text, @unset;"), [row], "the row")
        expect_match(a.say("DEALLOCATE PREPARE said;"), r"Query OK")
        expect_match(a.say("EXECUTE said;"), r"\(1243, ")


def stream() -> None:
    # Not on a terminal, where it gathers the rows first.
    command = [*COMMAND, "--csv", "--execute", scenes.MANY_ROWS]
    options = {"env": ENVIRONMENT, "stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    done = subprocess.run(command, check=False, **options)
    expect_equal(done.returncode, 0, f"the exit code, with {done.stderr[-400:]!r}")
    numbers = [int(line.strip('"')) for line in done.stdout.split()[1:]]
    expect_equal(len(numbers), scenes.ROWS, "the rows")
    expect_equal(numbers == list(range(1, scenes.ROWS + 1)), True, "the numbers in order")


def processlist() -> None:
    with Terminal() as a, Terminal() as b:
        sleep(b, watched_by=a)
        # As people type it.
        for statement in ("show processlist", "SHOW FULL PROCESSLIST;"):
            rows = a.rows(statement)
            for row in rows:
                expect_equal(list(row), COLUMNS, "the columns")
                expect_match(row["Host"], r"^127\.0\.0\.1:\d+$")
            own = {row["Id"]: (row["User"], row["db"], row["Command"], row["Info"]) for row in rows}
            expect_equal(own[a.id], (scenes.USER, "test", "Query", statement.rstrip(";")), "its own row")
            expect_equal(own[b.id], (scenes.USER, "test", "Query", scenes.SLEEP), "the other's row")
        expect_match(a.say(f"KILL {b.id};"), r"Query OK")


def kill_query() -> None:
    with Terminal() as a, Terminal() as b:
        for kill in (f"KILL QUERY {b.id};", f"kill query {b.id}"):
            sleep(b, watched_by=a)
            expect_match(a.say(kill), r"Query OK")
            expect_match(b.answer(), r"\(1317, ['\"]Query execution was interrupted")
            expect_equal(b.connection_id(), b.id, "the id after the kill")


def cancel() -> None:
    with Terminal() as a, Terminal() as b:
        sleep(b, watched_by=a)
        b.press_ctrl_c()
        expect_match(b.answer(), CANCELLED)
        # Some of its versions kill the statement, some the connection and go on in another.
        expect_match(b.connection_id(), r"^\d+$")
        for _ in attempts("the end of the statement in the list"):
            if all(row["Info"] != scenes.SLEEP for row in a.listed().values()):
                break


def killed() -> None:
    with Terminal() as a, Terminal() as b:
        sleep(b, watched_by=a)
        expect_match(a.say(f"KILL {b.id};"), r"Query OK")
        await_gone(b.id, seen_by=a)
        # It connects anew and sends the statement once more, by itself.
        for _ in attempts("the statement in the list again"):
            if any(row["Info"] == scenes.SLEEP for row in a.listed().values()):
                break
        b.press_ctrl_c()
        expect_match(b.answer(), RECONNECTED + CANCELLED)
        expect_equal(b.connection_id() == b.id, False, "the same id again")


def reconnect() -> None:
    with Terminal() as a, Terminal() as b:
        expect_match(a.say(f"KILL {b.id};"), r"Query OK")
        await_gone(b.id, seen_by=a)
        expect_match(b.say("SELECT CONNECTION_ID();"), RECONNECTED + r"\| +\d+ +\|")
        expect_equal(b.connection_id() == b.id, False, "the same id again")


def sleep(terminal: Terminal, watched_by: Terminal) -> None:
    terminal.begin(f"{scenes.SLEEP};")
    for _ in attempts("the statement in the list"):
        row = watched_by.listed().get(terminal.id, {})
        if (row.get("Command"), row.get("State"), row.get("Info")) == ("Query", "User sleep", scenes.SLEEP):
            return


def await_gone(session: str, seen_by: Terminal) -> None:
    for _ in attempts(f"session {session} gone from the list"):
        if session not in seen_by.listed():
            return


scenes.play(
    connect=connect,
    query=query,
    prepare=prepare,
    stream=stream,
    processlist=processlist,
    kill_query=kill_query,
    cancel=cancel,
    killed=killed,
    reconnect=reconnect,
)
