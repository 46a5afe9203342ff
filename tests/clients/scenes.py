"""The scenes that every client plays, and what they need to know of the server.

A client is a program that takes the server from the environment (KILLDEER_HOST, _PORT, _USER, _PASSWORD, _TLS, _ROWS, _PROXY),
plays the scenes and prints the name of each that has passed. Of one that fails it says on its standard error what was
wrong, and its exit code is not 0 then.
"""

import os
import ssl
import sys
import traceback
from collections.abc import Callable

from check import Failure, expect_equal

HOST = os.environ["KILLDEER_HOST"]
PORT = int(os.environ["KILLDEER_PORT"])
USER = os.environ["KILLDEER_USER"]
PASSWORD = os.environ["KILLDEER_PASSWORD"]
TLS = os.environ["KILLDEER_TLS"] == "1"

# A proxy has a list of its own, and says what runs in another; and its sessions have two ids: CONNECTION_ID() is the
# greeting's with this bit.
PROXY = os.environ["KILLDEER_PROXY"] == "1"
CONNECTION_BIT = 1 << 31 if PROXY else 0

# Gives the numbers from 1 to ROWS, one a row.
MANY_ROWS = os.environ["KILLDEER_ROWS"]
ROWS = 100_000

SLEEP = "SELECT SLEEP(30)"

# What is hard to bring through unharmed.
TEXT = "it's a \"back\\slash\", 100 % and ünïcödé 🐦"

INTERRUPTED = 1317
UNKNOWN_THREAD = 1094
UNKNOWN_STATEMENT = 1243
# The clients' own: gone away; lost connection.
LOST = (2006, 2013)


def play(**scenes: Callable[[], None]) -> None:
    failures = 0
    for name, scene in scenes.items():
        try:
            scene()
        except Exception as why:  # noqa: BLE001: whatever it is, the other scenes are to run
            failures += 1
            if not isinstance(why, Failure):
                traceback.print_exc()
            print(f"{name}: {type(why).__name__}: {why}", file=sys.stderr)
        else:
            print(name, flush=True)
    # Without waiting for what a failed scene may have left running.
    sys.stderr.flush()
    os._exit(min(failures, 1))


def tls_context() -> ssl.SSLContext | None:
    """For TLS with a server whose certificate nobody has signed; none where TLS is not wanted."""
    if not TLS:
        return None
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def expect_tls(encrypted: bool) -> None:
    expect_equal(encrypted, TLS, "a connection over TLS")
