#!/usr/bin/env python3
"""Policies from a file, and SIGHUP, with a server that answers as echo_sql does.

    python3 tests/clients/policies.py target/release/examples/echo_sql
"""

import os
import subprocess
import tempfile
from pathlib import Path

from check import PATIENCE, attempts, expect_equal, expect_match
from packets import QUERY, Connection, Packet
from server import Server
from stage import Act, play

SLEEP = "SELECT SLEEP(600)"


def rules(*users: str, more: str = "") -> str:
    """Rules that end what these users run for a second; the lists are looked at each second."""
    rule = "[[rule]]\nname = 'slow {0}'\nmatch = {{ user = '^{0}$' }}\nbusy_time = 1\naction = 'kill-query'\n"
    return "interval = 1\n" + "".join(rule.format(user) for user in users) + more


def connect(server: Server, user: str) -> Connection:
    return Connection((server.host, server.port), user=user)


def reload(server: Server, file: Path, text: str, says: str) -> None:
    """Has the server read its file anew, and waits until it says so."""
    before = server.log().count(says)
    file.write_text(text)
    server.hang_up()
    for _ in attempts(f"{says!r} in the server's log"):
        if server.log().count(says) > before:
            return


def expect_interrupted(answer: list[Packet]) -> None:
    expect_equal([packet.kind for packet in answer], ["error"], "the answer")
    expect_equal(int.from_bytes(answer[0].get("code"), "little"), 1317, "the error")


def values(answer: list[Packet]) -> list[list[bytes]]:
    return [[data[1:] for name, data in packet.fields if name != "rest"] for packet in answer if packet.kind == "row"]


def a_statement_is_ended_by_its_rule_and_the_history_says_which(server: Server, file: Path) -> None:
    with connect(server, "alice") as alice, connect(server, "root") as root:
        expect_interrupted(alice.query(SLEEP))
        expect_equal(alice.query("SELECT 1")[-1].kind, "end of rows", "the session's next answer ends")
        kills = values(root.query("SELECT by_user, victim_id, why, outcome FROM killdeer.kill_history"))
        expect_equal(kills, [[b"policy", str(alice.id).encode(), b"policy slow alice", b"ended"]], "the history")


def on_sighup_other_rules_are_in_force(server: Server, file: Path) -> None:
    reload(server, file, rules("bob"), "policies in force")
    with connect(server, "alice") as alice, connect(server, "bob") as bob, connect(server, "root") as root:
        alice.send(QUERY, SLEEP.encode())
        expect_interrupted(bob.query(SLEEP))
        listed = "SELECT id FROM information_schema.processlist WHERE user = 'alice' AND info LIKE '%SLEEP%'"
        expect_equal(values(root.query(listed)), [[str(alice.id).encode()]], "what runs on")
        reload(server, file, rules("alice"), "policies in force")
        expect_interrupted(alice.results())


def a_file_with_a_mistake_is_refused_whole_and_the_rules_stay(server: Server, file: Path) -> None:
    broken = rules("bob", more="[[rule]]\nname = 'typo'\nbusytime = 5\naction = 'log'\n")
    reload(server, file, broken, "the rules in force stay")
    expect_match(server.log(), r'ERROR.*policies\.toml: line 9, column 1: unknown key "busytime"')
    with connect(server, "alice") as alice, connect(server, "bob") as bob, connect(server, "root") as root:
        bob.send(QUERY, SLEEP.encode())
        expect_interrupted(alice.query(SLEEP))
        listed = "SELECT id FROM information_schema.processlist WHERE user = 'bob' AND info LIKE '%SLEEP%'"
        expect_equal(values(root.query(listed)), [[str(bob.id).encode()]], "what runs on")


def what_is_no_file_is_refused_and_signals_are_heard(server: Server, file: Path) -> None:
    reload(server, file, rules("alice"), "policies in force")
    kept = file.rename(file.with_name("kept.toml"))
    # Nobody will ever write to it.
    os.mkfifo(file)
    before = server.log().count("the rules in force stay")
    server.hang_up()
    for _ in attempts("a refusal in the server's log"):
        if server.log().count("the rules in force stay") > before:
            break
    expect_match(server.log(), r"ERROR.*policies\.toml: this is no regular file; the rules in force stay")
    file.unlink()
    kept.rename(file)
    with connect(server, "alice") as alice:
        expect_interrupted(alice.query(SLEEP))
    reload(server, file, "", "policies in force: none any more")
    expect_match(server.log(), r"WARN.*policies in force: none any more")
    reload(server, file, rules("alice"), "policies in force rules=1")


def a_mistake_at_the_start_ends_the_server(server: Server, file: Path) -> None:
    for text, wanted in [
        ("interval = 0\n", r"echo_sql: .*broken\.toml: line 1, column 12: "),
        (rules("alice").replace("kill-query", "kill"), r"broken\.toml: line 6, column 10: one of "),
    ]:
        broken = file.with_name("broken.toml")
        broken.write_text(text)
        command = [server.binary, "--listen", f"{server.host}:0", "--policies", str(broken)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        expect_equal((ended.returncode, ended.stdout), (1, ""), "the exit code, and what was said")
        expect_match(ended.stderr, wanted)


SCENES = [
    a_statement_is_ended_by_its_rule_and_the_history_says_which,
    on_sighup_other_rules_are_in_force,
    a_file_with_a_mistake_is_refused_whole_and_the_rules_stay,
    what_is_no_file_is_refused_and_signals_are_heard,
    a_mistake_at_the_start_ends_the_server,
]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "policies.toml"
        path.write_text(rules("alice"))
        play(__doc__, [Act(SCENES, ("--policies", str(path)), (path,))], {})
