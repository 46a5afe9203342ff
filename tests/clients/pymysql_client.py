"""PyMySQL. Its statements are texts: arguments are written into them by the client."""

import ssl

import dbapi
import pymysql
import scenes
from pymysql.cursors import SSCursor


class PyMySql(dbapi.Driver):
    error = pymysql.MySQLError

    def connect(self) -> pymysql.Connection:
        connection = pymysql.connect(
            host=scenes.HOST,
            port=scenes.PORT,
            user=scenes.USER,
            password=scenes.PASSWORD,
            database="test",
            ssl=scenes.tls_context(),
            ssl_disabled=not scenes.TLS,
        )
        scenes.expect_tls(isinstance(connection._sock, ssl.SSLSocket))
        return connection

    def greeted_id(self, connection: pymysql.Connection) -> int:
        return connection.thread_id()

    def code(self, error: Exception) -> int:
        return error.args[0]

    def prepare(self, session: dbapi.Session) -> None:
        dbapi.prepare_as_text(session)

    def row_by_row(self, connection: pymysql.Connection) -> SSCursor:
        return connection.cursor(SSCursor)

    def revive(self, connection: pymysql.Connection) -> None:
        connection.connect()


dbapi.play(PyMySql())
