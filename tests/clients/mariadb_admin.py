"""`mysqladmin`: the list and the kill. Whom it kills is a `mariadb` client."""

import os
import subprocess

import scenes
from check import attempts, expect_equal, expect_match
from terminal import Row, table

OPTIONS = [
    *("--no-defaults", f"--host={scenes.HOST}", f"--port={scenes.PORT}", f"--user={scenes.USER}"),
    *(f"--password={scenes.PASSWORD}", "--ssl" if scenes.TLS else "--skip-ssl"),
]


def start(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [command[0], *OPTIONS, *command[1:]],
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def admin(*command: str) -> tuple[int, str]:
    process = start("mysqladmin", *command)
    said, _ = process.communicate()
    return process.returncode, said


def connect() -> None:
    code, said = admin("ping")
    expect_equal(code, 0, f"the exit code of ping, which said {said!r}")
    expect_match(said, r"^mysqld is alive$")
    code, said = admin("status")
    expect_match(said, r"Uptime: \d+ +Threads: \d+ +Questions: \d+")


def killed() -> None:
    victim = start("mariadb", "-e", scenes.SLEEP)
    try:
        [session] = [row["Id"] for row in await_list(lambda row: row["Info"] == scenes.SLEEP)]
        code, said = admin("kill", session)
        expect_equal((code, said), (0, ""), "the exit code of kill and what it said")
        said, _ = victim.communicate()
        # The second over TLS, where the end comes without TLS's own goodbye.
        expect_match(said, r"ERROR 2013 \(HY000\)|ERROR 2026 \(HY000\).* TLS/SSL error: .*eof")
        expect_equal(victim.returncode, 1, "the victim's exit code")
        await_list(lambda row: row["Id"] == session, there=False)
        code, said = admin("kill", session)
        expect_match(said, rf"kill failed on {session}; error: 'Unknown thread id: {session}'")
        expect_equal(code, 1, "the exit code of a kill of nobody")
    finally:
        victim.kill()


def await_list(wanted, there: bool = True) -> list[Row]:
    """The rows that are wanted, of the first list that has some or, where they are not to be there, none."""
    for _ in attempts("a row in the list" if there else "the end of a row in the list"):
        code, said = admin("processlist")
        expect_equal(code, 0, f"the exit code of processlist, which said {said[-400:]!r}")
        found = [row for row in table(said) if wanted(row)]
        if bool(found) == there:
            return found
    raise AssertionError("attempts end by an error")


def processlist() -> None:
    for row in await_list(lambda row: row["Info"].lower().startswith("show") and row["User"] == scenes.USER):
        expect_equal(row["Command"], "Query", "the command")
        expect_match(row["Host"], r"^(127\.0\.0\.1|localhost):\d+$")


scenes.play(connect=connect, processlist=processlist, killed=killed)
