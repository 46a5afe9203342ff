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
    if scenes.TLS:
        tls_files()
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
    """Those that sysbench wants in its directory: a certificate of its own, and whom it would trust."""
    files = [Path(name) for name in ("client-key.pem", "client-cert.pem", "cacert.pem")]
    if all(file.exists() for file in files):
        return
    new = ("-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=sysbench")
    into = ("-keyout", str(files[0]), "-out", str(files[1]))
    subprocess.run(["openssl", "req", "-x509", *new, *into], check=True, capture_output=True)
    files[2].write_bytes(files[1].read_bytes())


scenes.play(text=bench, prepared=lambda: bench("--prepared"))
