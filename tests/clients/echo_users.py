"""The echo_sql example with the users that the clients log in as."""

from pathlib import Path

from server import Server

PASSWORDS = {"native": "swordfish", "sha2": "marlin & 'sole'"}

USERS = f"""\
[[user]]
user = "root"
password = "barracuda"
privileges = ["ALL"]

[[user]]
user = "native"
password = "{PASSWORDS['native']}"
plugin = "mysql_native_password"

[[user]]
user = "sha2"
password = "{PASSWORDS['sha2']}"
plugin = "caching_sha2_password"
"""


class EchoSql(Server):
    users = tuple(PASSWORDS)
    # As whom a user logs in, where that is not its name.
    logins: dict[str, str] = {}
    is_proxy = False
    left_out: dict[str, str] = {}
    many_rows = "SELECT * FROM seq(100000)"

    def __init__(self, binary: str, home: Path) -> None:
        users = home / "users.toml"
        users.write_text(USERS)
        super().__init__(binary, home, "--users", str(users), "--tls-self-signed")
