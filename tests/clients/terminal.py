"""The `mariadb` client, as people use it: interactive, on a terminal of its own. And its sisters without a terminal."""

import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import Callable

from check import PATIENCE, Failure, expect_match
from server import Server

# With a number that grows: a line that the client draws anew while somebody types is no new prompt.
PROMPT = r"ready \c> "
PROMPTED = re.compile(r"ready (\d+)> $")

# Of an endless output, so many bytes are kept.
KEPT = 256 * 1024

# Wide enough that neither a table nor a typed line is ever wrapped.
WINDOW = (50, 1000)

Row = dict[str, str]


class Terminal:
    """One `mariadb -h … -P … -u …` on a pseudo-terminal."""

    def __init__(self, server: Server, user: str = "root", *options: str) -> None:
        self._shown = bytearray()
        self._prompts = 0
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, WINDOW)
        command = ["mariadb", *where(server), "-u", user, *options]
        try:
            # As the controlling terminal, so that a typed Ctrl-C becomes a SIGINT.
            self._client = subprocess.Popen(command, env=environment(server), preexec_fn=lambda: os.login_tty(slave))
        except BaseException:
            os.close(self._master)
            raise
        finally:
            os.close(slave)
        try:
            greeting = self.answer()
            self.greeted_id = int(expect_match(greeting, r"Your M\w+ connection id is (\d+)")[1])
        except BaseException:
            self.close()
            raise

    def say(self, statement: str) -> str:
        """Types a statement and returns what is shown up to the next prompt."""
        self.begin(statement)
        return self.answer()

    def rows(self, statement: str) -> list[Row]:
        return table(self.say(statement))

    def begin(self, statement: str) -> None:
        """Types a statement and leaves it running."""
        self._type(statement.encode() + b"\n")

    def press_ctrl_c(self) -> None:
        self._type(b"\x03")

    def answer(self) -> str:
        """What is shown up to the next prompt."""
        text = self._take(self._prompts_anew, "the prompt")
        prompt = expect_match(text, PROMPTED)
        self._prompts = int(prompt[1])
        return text[: prompt.start()]

    def await_text(self, wanted: str) -> None:
        """Waits until this is shown, and throws away what was shown so far."""
        self._take(lambda text: wanted in text, repr(wanted))

    def connection_id(self) -> int:
        """The server's word on it, which the client asks for with a statement."""
        return int(self.rows("SELECT CONNECTION_ID();")[0]["CONNECTION_ID()"])

    def close(self) -> None:
        self._client.kill()
        self._client.wait()
        os.close(self._master)

    def _type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def _prompts_anew(self, text: str) -> bool:
        prompt = PROMPTED.search(text, len(text) - 20)
        return prompt is not None and int(prompt[1]) > self._prompts

    def _take(self, enough: Callable[[str], bool], what: str) -> str:
        deadline = time.monotonic() + PATIENCE
        while not enough(text := self._shown.decode(errors="replace")):
            left = max(0.0, deadline - time.monotonic())
            if not select.select([self._master], [], [], left)[0] or left == 0.0:
                raise Failure(f"waited in vain for {what} behind {text[-400:]!r}")
            self._read()
        self._shown.clear()
        return text

    def _read(self) -> None:
        try:
            # The other end of a terminal that everybody has left is an error, not an end of file.
            self._shown += os.read(self._master, 65536)
        except OSError:
            raise Failure(f"the client is gone; it last said {bytes(self._shown[-400:])!r}") from None
        del self._shown[:-KEPT]

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run(program: str, server: Server, *options: str) -> tuple[int, str]:
    """Runs a client without a terminal. Its exit code and what it said, errors included."""
    done = subprocess.run(
        [program, *where(server), *options],
        env=environment(server),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout


def where(server: Server) -> list[str]:
    return ["-h", server.host, "-P", str(server.port)]


def environment(server: Server) -> dict[str, str]:
    """Nothing of the caller's, whose own options and history are none of the test's business."""
    return {"HOME": str(server.home), "PATH": os.environ["PATH"], "TERM": "dumb", "MYSQL_PS1": PROMPT}


def table(text: str) -> list[Row]:
    """The rows of the one table in what a client has shown, by the names of their columns."""
    lines = [line.strip() for line in text.splitlines() if line.startswith("|")]
    if not lines:
        raise Failure(f"no table in {text.strip()[-400:]!r}")
    names, *rows = [[cell.strip() for cell in line[1:-1].split(" | ")] for line in lines]
    return [dict(zip(names, row, strict=True)) for row in rows]
