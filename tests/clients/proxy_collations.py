"""Scenes of proxy_split.py: a client has the character set and the collation of its login, as it has them without a proxy."""

from check import expect_equal
from packets import QUERY, RESET_CONNECTION, UTF8MB4_GENERAL_CI, Connection
from proxy import ALICE, BOB, Proxy, User

# What clients name when they log in, and how they write then: utf8mb4's that all servers know, others of the sets that the
# proxy knows, and such that MariaDB does not know.
KNOWN = {
    UTF8MB4_GENERAL_CI: "utf-8", 46: "utf-8", 224: "utf-8", 246: "utf-8",
    8: "latin-1", 47: "latin-1", 48: "latin-1", 33: "utf-8", 83: "utf-8", 192: "utf-8", 11: "ascii", 65: "ascii",
    63: "utf-8",
}  # fmt: skip
UNKNOWN = {0: "utf-8", 76: "utf-8", 255: "utf-8"}

# Asked of the primary, and of any.
ASKED = (
    "SELECT @@character_set_connection, @@collation_connection",
    "SELECT LENGTH('{e}') AS length, HEX('{e}') AS bytes, 'a' = 'A' AS same, COLLATION('{e}') AS name",
)
# Until both servers have been asked.
TURNS = 4


def answers(connection: Connection, encoding: str) -> list[bytes]:
    letter = "e" if encoding == "ascii" else "é"
    asked = [sql.format(e=letter).encode(encoding) for sql in ASKED]
    rows = []
    for sql in asked:
        turns = set()
        for _ in range(TURNS):
            connection.send(QUERY, sql)
            turns |= {packet.payload for packet in connection.results() if packet.kind == "row"}
        expect_equal(len(turns), 1, f"the number of different answers to {sql!r}: {turns}")
        rows.append(turns.pop())
    return rows


def both(proxy: Proxy, user: User, collation: int, database: str | None = None) -> tuple[Connection, Connection]:
    """A client of the proxy's, and one of the server itself."""
    primary = proxy.pair.primary
    said = {"database": database, "collation": collation}
    return (
        Connection((proxy.host, proxy.port), user=user.login, password=user.password, **said),
        Connection((primary.host, primary.port), user=user.server_user, password=user.server_password, **said),
    )


def expect_alike(through: Connection, there: Connection, encoding: str, what: str) -> None:
    expect_equal(answers(through, encoding), answers(there, encoding), what)
    [client] = [packet for packet in through.query("SELECT @@character_set_client") if packet.kind == "row"]
    expect_equal(client.payload, b"\x07utf8mb4", "how the proxy writes")


def a_login_chooses_the_collation(proxy: Proxy) -> None:
    for collation, encoding in (KNOWN | UNKNOWN).items():
        for database in (None, "test"):
            through, there = both(proxy, ALICE, collation, database)
            with through, there:
                expect_alike(through, there, encoding, f"collation {collation} at a login")
                if collation in UNKNOWN:
                    # MariaDB has what the connection before has left then.
                    continue
                for connection in (through, there):
                    connection.query("SET NAMES utf8mb3")
                    expect_equal(connection.command(RESET_CONNECTION)[0].kind, "ok", "COM_RESET_CONNECTION")
                expect_alike(through, there, encoding, f"collation {collation} after a reset")


def a_change_of_user_chooses_the_collation(proxy: Proxy) -> None:
    through, there = both(proxy, ALICE, 47)
    with through, there:
        for collation, encoding in (KNOWN | UNKNOWN).items():
            for database in ("", "test"):
                through.change_user(BOB.login, BOB.password, database, collation)
                there.change_user(BOB.server_user, BOB.server_password, database, collation)
                expect_alike(through, there, encoding, f"collation {collation} of a change of user")


EVERYWHERE = (a_login_chooses_the_collation, a_change_of_user_chooses_the_collation)
