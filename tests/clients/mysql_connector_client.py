"""mysql-connector-python, the one in Python with `pure` behind its name, the one over libmysqlclient with `c`."""

import sys

PURE = {"pure": True, "c": False}[sys.argv[1]]
if not PURE:
    # Ahead of whatever else wants OpenSSL: it brings a newer one than the system may have, and only one can be loaded.
    import _mysql_connector  # noqa: F401

import datetime
import ssl
from decimal import Decimal

import dbapi
import mysql.connector
import scenes
from check import expect_equal
from mysql.connector.abstracts import MySQLConnectionAbstract, MySQLCursorAbstract


# Over a server that says it is text, as MariaDB does, the second reads up to a zero and nothing that is no text.
BLOB = b"\0\xff'\\" if PURE else b"1'\\"


class MySqlConnector(dbapi.Driver):
    error = mysql.connector.Error

    def connect(self) -> MySQLConnectionAbstract:
        connection = mysql.connector.connect(
            host=scenes.HOST,
            port=scenes.PORT,
            user=scenes.USER,
            password=scenes.PASSWORD,
            database="test",
            ssl_disabled=not scenes.TLS,
            use_pure=PURE,
        )
        kind = "MySQLConnection" if PURE else "CMySQLConnection"
        expect_equal(type(connection).__name__, kind, "the connection's class")
        if PURE:
            scenes.expect_tls(isinstance(connection._socket.sock, ssl.SSLSocket))
        else:
            scenes.expect_tls(bool(connection._cmysql.get_ssl_cipher()))
        return connection

    def greeted_id(self, connection: MySQLConnectionAbstract) -> int:
        return connection.connection_id

    def code(self, error: Exception) -> int:
        return error.errno

    def prepare(self, session: dbapi.Session) -> None:
        cursor = session.connection.cursor(prepared=True)
        values = (-7, 1.5, scenes.TEXT, datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 23, 59, 58, 7))
        for row in (values, tuple(None for _ in values)):
            cursor.execute("SELECT ?, ?, ?, ?, ?", row)
            expect_equal(cursor.fetchall(), [row], "the row")
        cursor.close()
        # Both are sent as strings and come back as such.
        cursor = session.connection.cursor(prepared=True)
        cursor.execute("SELECT ?, ?", (Decimal("-12345678901234567890.50"), BLOB))
        [(decimal, blob)] = cursor.fetchall()
        expect_equal(Decimal(decimal), Decimal("-12345678901234567890.50"), "the decimal")
        expect_equal(blob.encode() if isinstance(blob, str) else bytes(blob), BLOB, "the blob")
        cursor.close()

    def row_by_row(self, connection: MySQLConnectionAbstract) -> MySQLCursorAbstract:
        return connection.cursor(buffered=False)

    def revive(self, connection: MySQLConnectionAbstract) -> None:
        connection.reconnect()


dbapi.play(MySqlConnector())
