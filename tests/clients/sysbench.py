"""sysbench: SELECT 1 over 64 connections, as a text and prepared. It stops at the first error."""

import re
import subprocess
from pathlib import Path

import scenes
from check import expect_equal, expect_match

THREADS = 64
EVENTS = 20_000
LUA = Path(__file__).with_name("select_one.lua")


def bench(*options: str) -> None:
    command = [
        *("sysbench", str(LUA), f"--threads={THREADS}", f"--events={EVENTS}", "--time=0", "--db-driver=mysql"),
        *(f"--mysql-host={scenes.HOST}", f"--mysql-port={scenes.PORT}", f"--mysql-user={scenes.USER}"),
        *(f"--mysql-password={scenes.PASSWORD}", "--mysql-db=test", "--mysql-ignore-errors=none"),
        *(f"--mysql-ssl={'on' if scenes.TLS else 'off'}", *options, "run"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    expect_equal(done.returncode, 0, f"sysbench's exit code; it said {said[-1000:]!r}")
    expect_equal(int(expect_match(said, r"Number of threads: (\d+)")[1]), THREADS, "the threads")
    expect_equal(int(expect_match(said, r"total number of events: +(\d+)")[1]), EVENTS, "the events")
    expect_equal(re.findall(r"FATAL|ignored errors: +[1-9]", said), [], "what went wrong")


def tls_files() -> None:
    """Those that sysbench wants in its directory: a certificate of its own, and whom it trusts."""
    key, own, trusted = Path("client-key.pem"), Path("client-cert.pem"), Path("cacert.pem")
    new = ("-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=sysbench")
    openssl("req", "-x509", *new, "-keyout", str(key), "-out", str(own))
    # The server's own, which nobody else has signed.
    shown = openssl("s_client", "-connect", f"{scenes.HOST}:{scenes.PORT}", "-starttls", "mysql")
    trusted.write_text(expect_match(shown, r"(?s)-----BEGIN CERT.*?-----END CERTIFICATE-----\n")[0])


def openssl(*arguments: str) -> str:
    done = subprocess.run(["openssl", *arguments], input="", capture_output=True, text=True, check=False)
    expect_equal(done.returncode, 0, f"the exit code of openssl {arguments[0]}: {done.stderr[-400:]!r}")
    return done.stdout


if scenes.TLS:
    tls_files()
scenes.play(text=bench, prepared=lambda: bench("--prepared"))
