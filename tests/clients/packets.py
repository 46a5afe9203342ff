"""The MySQL protocol, byte by byte: a small client of its own, and what the fields of an answer's packets are.

A packet is shown as its fields, a list of names and bytes; put together, the bytes are the packet's payload. Nothing is
interpreted beyond that, so that two servers' packets can be compared field by field and byte by byte.
"""

import hashlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from check import PATIENCE, Failure

LONG_PASSWORD = 1
CONNECT_WITH_DB = 8
PROTOCOL_41 = 0x200
TRANSACTIONS = 0x2000
SECURE_CONNECTION = 0x8000
MULTI_STATEMENTS = 0x10000
MULTI_RESULTS = 0x20000
PS_MULTI_RESULTS = 0x40000
PLUGIN_AUTH = 0x80000
DEPRECATE_EOF = 0x1000000

# What an ordinary client asks for, but for the choice of DEPRECATE_EOF.
ORDINARY = (
    LONG_PASSWORD | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | MULTI_STATEMENTS | MULTI_RESULTS
    | PS_MULTI_RESULTS | PLUGIN_AUTH
)  # fmt: skip

QUIT, INIT_DB, QUERY, STATISTICS, PROCESS_INFO, PING = 0x01, 0x02, 0x03, 0x09, 0x0A, 0x0E
STMT_PREPARE, STMT_EXECUTE, STMT_SEND_LONG_DATA, STMT_CLOSE, STMT_RESET = 0x16, 0x17, 0x18, 0x19, 0x1A
CHANGE_USER = 0x11
RESET_CONNECTION = 0x1F

NATIVE = b"mysql_native_password"
UTF8MB4_GENERAL_CI = 45
MORE_RESULTS_EXISTS = 0x0008

Field = tuple[str, bytes]


@dataclass
class Packet:
    """One packet of an answer: what it is, its sequence number, and its payload as fields."""

    kind: str
    sequence: int
    fields: list[Field]

    @property
    def payload(self) -> bytes:
        return b"".join(data for _, data in self.fields)

    def get(self, name: str) -> bytes:
        return next(data for field, data in self.fields if field == name)


class Reader:
    """A payload that is taken apart from the front."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._at = 0
        self.fields: list[Field] = []

    @property
    def left(self) -> int:
        return len(self._payload) - self._at

    def peek(self) -> int:
        return self._payload[self._at]

    def take(self, name: str, length: int) -> bytes:
        if length > self.left:
            raise Failure(f"{name} wants {length} bytes of {self._payload[self._at:].hex(' ')}")
        data = self._payload[self._at : self._at + length]
        self._at += length
        self.fields.append((name, data))
        return data

    def number(self, name: str, length: int) -> int:
        return int.from_bytes(self.take(name, length), "little")

    def until_zero(self, name: str) -> bytes:
        return self.take(name, self._payload.index(0, self._at) - self._at + 1)

    def rest(self, name: str) -> bytes:
        return self.take(name, self.left)

    def _lenenc(self) -> tuple[int, int]:
        """A length-encoded integer at the front, and the bytes that it takes; nothing is taken."""
        first = self.peek()
        width = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first, 0)
        if width == 0:
            return first, 1
        return int.from_bytes(self._payload[self._at + 1 : self._at + 1 + width], "little"), 1 + width

    def lenenc_int(self, name: str) -> int:
        value, taken = self._lenenc()
        self.take(name, taken)
        return value

    def lenenc_bytes(self, name: str) -> bytes:
        """The length is a part of the field: it is compared, too."""
        if self.left and self.peek() == 0xFB:
            return self.take(name, 1)
        length, taken = self._lenenc()
        return self.take(name, taken + length)[taken:]


# Packets as fields


def greeting(payload: bytes) -> list[Field]:
    reader = Reader(payload)
    reader.take("protocol", 1)
    reader.until_zero("version")
    reader.take("connection id", 4)
    reader.take("nonce, first part", 8)
    reader.take("filler", 1)
    reader.take("capabilities, low", 2)
    reader.take("collation", 1)
    reader.take("status", 2)
    reader.take("capabilities, high", 2)
    reader.take("nonce length", 1)
    reader.take("reserved", 6)
    reader.take("reserved for MariaDB", 4)
    reader.take("nonce, second part", 12)
    reader.take("nonce end", 1)
    reader.until_zero("plugin")
    return reader.fields


def ok(payload: bytes) -> list[Field]:
    reader = Reader(payload)
    reader.take("marker", 1)
    reader.lenenc_int("affected")
    reader.lenenc_int("insert id")
    reader.take("status", 2)
    reader.take("warnings", 2)
    reader.rest("info")
    return reader.fields


def eof(payload: bytes) -> list[Field]:
    reader = Reader(payload)
    reader.take("marker", 1)
    reader.take("warnings", 2)
    reader.take("status", 2)
    reader.rest("rest")
    return reader.fields


def error(payload: bytes) -> list[Field]:
    reader = Reader(payload)
    reader.take("marker", 1)
    reader.take("code", 2)
    if reader.left and reader.peek() == ord("#"):
        reader.take("state", 6)
    reader.rest("message")
    return reader.fields


def column(payload: bytes) -> list[Field]:
    reader = Reader(payload)
    for name in ("catalog", "schema", "table", "original table", "name", "original name"):
        reader.lenenc_bytes(name)
    reader.take("fixed length", 1)
    reader.take("charset", 2)
    reader.take("length", 4)
    reader.take("type", 1)
    reader.take("flags", 2)
    reader.take("decimals", 1)
    reader.rest("filler")
    return reader.fields


def prepared(payload: bytes) -> list[Field]:
    reader = Reader(payload)
    reader.take("marker", 1)
    reader.take("statement id", 4)
    reader.take("columns", 2)
    reader.take("parameters", 2)
    reader.take("filler", 1)
    reader.take("warnings", 2)
    reader.rest("rest")
    return reader.fields


def text_row(payload: bytes, columns: list[Packet]) -> list[Field]:
    reader = Reader(payload)
    for head in columns:
        reader.lenenc_bytes(name_of(head))
    reader.rest("rest")
    return reader.fields


# Bytes of a binary value, by type; the others are length-encoded.
FIXED = {0x01: 1, 0x02: 2, 0x0D: 2, 0x03: 4, 0x09: 4, 0x04: 4, 0x08: 8, 0x05: 8}


def binary_row(payload: bytes, columns: list[Packet]) -> list[Field]:
    reader = Reader(payload)
    reader.take("marker", 1)
    nulls = reader.take("nulls", (len(columns) + 9) // 8)
    for at, head in enumerate(columns):
        if nulls[(at + 2) // 8] >> (at + 2) % 8 & 1:
            continue
        fixed = FIXED.get(head.get("type")[0])
        if fixed is None:
            reader.lenenc_bytes(name_of(head))
        else:
            reader.take(name_of(head), fixed)
    reader.rest("rest")
    return reader.fields


def name_of(head: Packet) -> str:
    """The column's name, for its field in a row."""
    return Reader(head.get("name")).lenenc_bytes("name").decode()


# Commands


def parameters(values: list[tuple[int, bytes | None]]) -> bytes:
    """The part of COM_STMT_EXECUTE behind its iterations: types (the unsigned flag is 0x8000) and encoded values."""
    if not values:
        return b""
    nulls = bytearray((len(values) + 7) // 8)
    for at, (_, data) in enumerate(values):
        if data is None:
            nulls[at // 8] |= 1 << at % 8
    types = b"".join(kind.to_bytes(2, "little") for kind, _ in values)
    return bytes(nulls) + b"\1" + types + b"".join(data for _, data in values if data is not None)


def execute(statement: int, values: list[tuple[int, bytes | None]]) -> bytes:
    return statement.to_bytes(4, "little") + b"\0" + (1).to_bytes(4, "little") + parameters(values)


def scramble(password: bytes, nonce: bytes) -> bytes:
    """mysql_native_password's proof."""
    if not password:
        return b""
    once = hashlib.sha1(password).digest()
    mixed = hashlib.sha1(nonce + hashlib.sha1(once).digest()).digest()
    return bytes(a ^ b for a, b in zip(once, mixed, strict=True))


class Connection:
    """A connection to a server. `greeting` and `login` are its first two answers."""

    def __init__(
        self,
        address: tuple[str, int],
        *,
        capabilities: int = ORDINARY,
        user: str = "root",
        password: str = "",
        database: str | None = None,
        collation: int = UTF8MB4_GENERAL_CI,
    ) -> None:
        self._socket = socket.create_connection(address, PATIENCE)
        self._socket.settimeout(PATIENCE)
        self._deprecates_eof = bool(capabilities & DEPRECATE_EOF)
        try:
            self.greeting = self._packet("greeting", greeting)
            if self.greeting.kind == "error":
                # There is no room for it.
                self.login = self.greeting
                return
            nonce = self.greeting.get("nonce, first part") + self.greeting.get("nonce, second part")
            self.id = int.from_bytes(self.greeting.get("connection id"), "little")
            proof = scramble(password.encode(), nonce)
            if database is not None:
                capabilities |= CONNECT_WITH_DB
            hello = capabilities.to_bytes(4, "little") + (1 << 30).to_bytes(4, "little")
            hello += bytes([collation]) + bytes(23) + user.encode() + b"\0" + bytes([len(proof)]) + proof
            if database is not None:
                hello += database.encode() + b"\0"
            self._send(self.greeting.sequence + 1, hello + NATIVE + b"\0")
            self.login = self._one()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What is sent and received

    def _send(self, sequence: int, payload: bytes) -> None:
        self._socket.sendall(len(payload).to_bytes(3, "little") + bytes([sequence]) + payload)

    def _exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            more = self._socket.recv(length - len(data))
            if not more:
                raise Failure(f"the server has closed the connection after {data.hex(' ') or 'nothing'}")
            data += more
        return data

    def receive_some(self) -> int:
        """Takes whatever comes next, and throws it away; 0: the server has closed."""
        return len(self._socket.recv(1 << 14))

    def _raw(self) -> tuple[int, bytes]:
        head = self._exactly(4)
        return head[3], self._exactly(int.from_bytes(head[:3], "little"))

    def _packet(self, kind: str, fields: Callable[[bytes], list[Field]]) -> Packet:
        sequence, payload = self._raw()
        if payload[:1] == b"\xff":
            return Packet("error", sequence, error(payload))
        return Packet(kind, sequence, fields(payload))

    def _one(self) -> Packet:
        """An answer of one packet: OK or an error."""
        return self._packet("ok", ok)

    # Commands and their answers

    def send(self, command: int, payload: bytes = b"") -> None:
        """A command that has no answer."""
        self._send(0, bytes([command]) + payload)

    def change_user(
        self, user: str, password: str, database: str, collation: int = UTF8MB4_GENERAL_CI
    ) -> None:
        """COM_CHANGE_USER, by a native password."""
        nonce = self.greeting.get("nonce, first part") + self.greeting.get("nonce, second part")
        proof = scramble(password.encode(), nonce)
        about = user.encode() + b"\0" + bytes([len(proof)]) + proof + database.encode() + b"\0"
        self.send(CHANGE_USER, about + collation.to_bytes(2, "little") + NATIVE + b"\0")
        sequence, payload = self._raw()
        if payload[:1] == b"\xfe":
            # Asked anew, with another nonce.
            nonce = payload[1:].split(b"\0", 1)[1][:20]
            self._send(sequence + 1, scramble(password.encode(), nonce))
            sequence, payload = self._raw()
        if payload[0] != 0:
            raise Failure(f"COM_CHANGE_USER: {payload!r}")

    def command(self, command: int, payload: bytes = b"") -> list[Packet]:
        """A command that is answered by OK or an error."""
        self.send(command, payload)
        return [self._one()]

    def line(self, command: int) -> list[Packet]:
        """A command that is answered by a line of text."""
        self.send(command)
        return [self._packet("line", lambda payload: [("text", payload)])]

    def query(self, sql: str) -> list[Packet]:
        """COM_QUERY, and all the results that it has."""
        return self.rows(QUERY, sql.encode())

    def execute(self, statement: int, values: list[tuple[int, bytes | None]] | None = None) -> list[Packet]:
        """COM_STMT_EXECUTE."""
        self.send(STMT_EXECUTE, execute(statement, values or []))
        return list(self._results("binary row", binary_row))

    def rows(self, command: int, payload: bytes = b"") -> list[Packet]:
        """A command that may be answered by rows in the text format."""
        self.send(command, payload)
        return self.results()

    def results(self) -> list[Packet]:
        """The answer to such a command, once it was sent."""
        return list(self._results("row", text_row))

    def prepare(self, sql: str) -> list[Packet]:
        """COM_STMT_PREPARE; the first packet of the answer has the statement's id."""
        self.send(STMT_PREPARE, sql.encode())
        return list(self._prepared())

    def _prepared(self) -> Iterator[Packet]:
        first = self._packet("prepared", prepared)
        yield first
        if first.kind == "error":
            return
        for what, kind in (("parameters", "parameter"), ("columns", "prepared column")):
            count = int.from_bytes(first.get(what), "little")
            for _ in range(count):
                yield self._packet(kind, column)
            if count and not self._deprecates_eof:
                yield self._packet("eof", eof)

    def _results(self, kind: str, row: Callable[[bytes, list[Packet]], list[Field]]) -> Iterator[Packet]:
        more = True
        while more:
            last = None
            for last in self._result(kind, row):
                yield last
            more = last.kind != "error" and bool(last.get("status")[0] & MORE_RESULTS_EXISTS)

    def _result(self, row_kind: str, row: Callable[[bytes, list[Packet]], list[Field]]) -> Iterator[Packet]:
        sequence, payload = self._raw()
        if payload[0] in (0x00, 0xFF):
            kind, fields = ("ok", ok) if payload[0] == 0 else ("error", error)
            yield Packet(kind, sequence, fields(payload))
            return
        reader = Reader(payload)
        count = reader.lenenc_int("columns")
        reader.rest("rest")
        yield Packet("column count", sequence, reader.fields)
        columns = []
        for _ in range(count):
            columns.append(self._packet("column", column))
            yield columns[-1]
        if not self._deprecates_eof:
            yield self._packet("eof", eof)
        while True:
            sequence, payload = self._raw()
            if payload[0] == 0xFF:
                yield Packet("error", sequence, error(payload))
                return
            if payload[0] == 0xFE and len(payload) < 0xFFFFFF:
                yield Packet("end of rows", sequence, (ok if self._deprecates_eof else eof)(payload))
                return
            yield Packet(row_kind, sequence, row(payload, columns))
