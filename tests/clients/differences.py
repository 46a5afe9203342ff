"""Where echo_sql's packets differ from MariaDB's, field by field, and why: the table that golden.py compares by."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import packets
from packets import Packet


@dataclass(frozen=True)
class Difference:
    """A field of a kind of packet that is not compared as it is: `same` gives what is compared in its place."""

    kind: str
    field: str
    why: str
    # The columns that it holds for, by name.
    columns: str = ".*"
    same: Callable[[bytes], bytes] = lambda _: b""

    def meets(self, packet: Packet, field: str) -> bool:
        if not re.fullmatch(self.kind, packet.kind) or not re.fullmatch(self.field, field):
            return False
        of_all = not packet.kind.endswith("column")
        return of_all or re.fullmatch(self.columns, packets.name_of(packet)) is not None


def shared_capabilities(half: int) -> Callable[[bytes], bytes]:
    """Keeps the bits that neither server has alone; `half` is 0 for the lower 16 of them and 1 for the upper."""
    return lambda data: (int.from_bytes(data, "little") & ~(OF_ONE_ALONE >> 16 * half) & 0xFFFF).to_bytes(2, "little")


# Capabilities that only one of the two may have.
OF_ONE_ALONE = (
    packets.LONG_PASSWORD  # MariaDB leaves it out to say that it has capabilities of its own
    | 0x10  # no database.table.column: read by nobody
    | 0x20  # zlib compression: MariaDB offers it to everybody
    | 0x40  # ODBC: read by nobody
    | 0x80  # LOAD DATA LOCAL: there are no tables to load into
    | 0x800  # TLS: this MariaDB has no certificate
    | 0x1000  # SIGPIPE: the client's own affair
    | 0x4000  # 4.1, in an old place: read by nobody
    | packets.PS_MULTI_RESULTS  # for procedures, which are not served
    | 0x400000  # expired passwords: there are none
    | 0x800000  # session tracking: what it adds to an OK packet is not asked for here
    | 0x2000000  # result sets without metadata: MySQL's alone
    | 0x4000000  # zstd compression: MySQL's alone
    | 0x80000000  # the client's own affair
)

# Columns whose values are whole numbers, of literals or functions.
WHOLE_NUMBERS = r"-?\d{1,19}|SLEEP\(0\)|CONNECTION_ID\(\)"

# Columns that give a parameter back.
PARAMETERS = "(whole|float|text|bytes|date|time|exact|nothing).*"

# The widest type of a kind: of whole numbers, of texts, of bytes, of points in time.
WIDEST = {
    0x01: b"\x08", 0x02: b"\x08", 0x03: b"\x08", 0x09: b"\x08",
    0xFE: b"\xfd", 0x0F: b"\xfd",
    0xFC: b"\xfb", 0xFA: b"\xfb", 0xF9: b"\xfb",
    0x07: b"\x0c",
}  # fmt: skip


def widened(number: bytes) -> bytes:
    """A signed number of 1 to 8 bytes in 8."""
    return int.from_bytes(number, "little", signed=True).to_bytes(8, "little", signed=True)


DIFFERENCES = [
    Difference("greeting", "version", "each says its own"),
    Difference("greeting", "connection id", "each counts its own"),
    Difference("greeting", "nonce, .* part", "random"),
    Difference("greeting", "capabilities, low", "those of one alone", same=shared_capabilities(0)),
    Difference("greeting", "capabilities, high", "those of one alone", same=shared_capabilities(1)),
    Difference("greeting", "reserved for MariaDB", "capabilities that only MariaDB has"),
    Difference("greeting", "plugin", "the server's choice; MySQL 8 begins with caching_sha2_password"),
    Difference(
        "error",
        "message",
        "each names itself in 1064, and counts its own statements in 1243",
        same=lambda text: re.sub(
            rb"handler \(\d+\)", b"handler (#)", text.replace(b"MariaDB server version", b"MySQL server version")
        ),
    ),
    Difference(
        ".*column",
        "decimals",
        "not fixed is 31 in MySQL, 39 in MariaDB",
        same=lambda decimals: b"\x1f" if decimals == b"\x27" else decimals,
    ),
    Difference(".*column", "type", "MySQL 8 has 64 bits for every whole number", WHOLE_NUMBERS),
    Difference(".*column", "length", "MySQL 8 has room for a sign, and for 21 digits in a function", WHOLE_NUMBERS),
    Difference(".*column", "length", "MySQL 8: 288 characters of user@host, MariaDB 384", r"(CURRENT_)?USER\(\)"),
    Difference(".*column", "length", "as long as the value, which each has its own", r"VERSION\(\)|@@version_comment"),
    Difference(".*column", "length", "echo_sql keeps one column for all that it says back", "echo"),
    Difference(".*column", "length", "a process list's are MySQL 8's: 64 bits, 32 and 261 characters", "Id|User|Host"),
    Difference(
        ".*column",
        "length",
        "of a text over 65,535 bytes: MariaDB multiplies by the bytes of a character twice",
        "Info|z",
        same=lambda length: length if int.from_bytes(length, "little") < 1 << 16 else b"",
    ),
    Difference("prepared", "statement id", "MariaDB counts those of all connections"),
    Difference("parameter", "name", "MariaDB may give it the name of the column that it becomes"),
    Difference(
        "prepared column",
        "charset|length|type|flags|decimals",
        "a parameter of which nothing is known yet is text in MySQL 8, and NULL in MariaDB",
        r"\?|" + PARAMETERS,
    ),
    Difference(
        "column",
        "type",
        "a parameter has the widest type of its kind in MySQL 8",
        PARAMETERS,
        same=lambda kind: WIDEST.get(kind[0], kind),
    ),
    Difference("column", "length|decimals", "a parameter's are those of its type in MySQL 8", PARAMETERS),
    Difference(
        "column",
        "flags",
        "a parameter may be NULL in MySQL 8, whatever it is now",
        PARAMETERS,
        same=lambda flags: bytes([flags[0] & ~1, flags[1]]),
    ),
    Difference("binary row", WHOLE_NUMBERS, "MySQL 8 has 64 bits for every whole number", same=widened),
    Difference("binary row", "whole.*", "a parameter has the widest type of its kind in MySQL 8", same=widened),
    Difference("(binary )?row", r"CONNECTION_ID\(\)|Id", "each counts its own connections"),
    Difference("row", r"VERSION\(\)|@@version_comment", "each says its own"),
    Difference("row", "Host", "the client's port"),
    Difference("row", "Time", "seconds, which may pass"),
    Difference(
        "line",
        "text",
        "the figures, and MySQL has one more; their names and order are compared",
        same=lambda text: re.sub(rb"[\d.]+", b"#", text).replace(b"Flush tables: #  ", b""),
    ),
    Difference(
        "row",
        "Command",
        "COM_PROCESS_INFO is carried out as SHOW PROCESSLIST",
        same=lambda text: text.replace(b"\x0bProcesslist", b"\x05Query"),
    ),
    Difference(
        "row",
        "Info",
        "COM_PROCESS_INFO is carried out as SHOW PROCESSLIST",
        same=lambda text: text.replace(b"\xfb", b"\x10SHOW PROCESSLIST"),
    ),
]


def normal(packet: Packet) -> Packet:
    """The packet with its documented differences taken out."""
    fields = []
    for field, data in packet.fields:
        for difference in DIFFERENCES:
            if difference.meets(packet, field):
                data = difference.same(data)
        fields.append((field, data))
    return replace(packet, fields=fields)
