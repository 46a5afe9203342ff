"""The proxy example in front of two MariaDB servers, for the clients' scenes."""

from pathlib import Path

from echo_users import PASSWORDS
from mariadb_pair import Pair
from proxy import Proxy, User

PLUGINS = {"native": "mysql_native_password", "sha2": "caching_sha2_password"}
ACCOUNTS = {
    name: User(name, "test", password, (), f"{name}_at_servers", "a secret of the proxy", PLUGINS[name])
    for name, password in PASSWORDS.items()
}


class Proxied(Proxy):
    users = tuple(ACCOUNTS)
    logins = {name: user.login for name, user in ACCOUNTS.items()}
    is_proxy = True
    left_out: dict[str, str] = {}
    many_rows = "SELECT * FROM seq_1_to_100000"

    def __init__(self, binary: str, home: Path) -> None:
        pair = Pair(home)
        try:
            for user in ACCOUNTS.values():
                pair.create_account(user.server_user, user.server_password)
            super().__init__(binary, home, pair, "--tls-self-signed", users=ACCOUNTS.values())
        except BaseException:
            pair.discard()
            raise

    def discard(self) -> None:
        super().discard()
        self.pair.discard()
