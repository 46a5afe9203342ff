"""Scenes of proxy_split.py: a client is answered as it would be by the server itself."""

import packets
from check import Failure, expect_equal
from cluster import SqlError
from packets import ORDINARY, Connection
from proxy import ALICE, CONNECTION_BIT, Proxy, told, value

LOCAL_FILES = 0x80
FOUND_ROWS = 2
# The most that a packet has, in bytes.
LONGEST = (1 << 24) - 1


def several_results(proxy: Proxy) -> None:
    with proxy.client() as client:
        answer = client._connection.query("SELECT 1; DO 0; SELECT 2 UNION SELECT 3; SELECT * FROM nowhere; SELECT 4")
        kinds = [packet.kind for packet in answer if packet.kind not in ("column count", "column")]
        expect_equal(kinds, ["row", "end of rows", "ok", "row", "row", "end of rows", "error"], "the answer's packets")
        client.run("DROP PROCEDURE IF EXISTS twice")
        client.run("CREATE PROCEDURE twice() BEGIN SELECT 'a'; SELECT 'b'; END")
        answer = client._connection.query("CALL twice()")
        kinds = [packet.kind for packet in answer if packet.kind not in ("column count", "column")]
        expect_equal(kinds, ["row", "end of rows", "row", "end of rows", "ok"], "a procedure's packets")
        more = answer[-1].get("status")[0] & packets.MORE_RESULTS_EXISTS
        expect_equal(more, 0, "the flag of more results at the end")
        client.run("DROP PROCEDURE twice")


def texts_for_people_come_along(proxy: Proxy) -> None:
    """What servers say in their OKs, which the mysql client prints."""
    with proxy.client() as client, proxy.pair.primary.administrator() as by:
        for at in (client, by):
            at.run("CREATE TEMPORARY TABLE test.told (a INT)")
        for sql, info in (
            ("INSERT INTO test.told VALUES (1), (2), (2)", b"Records: 3  Duplicates: 0  Warnings: 0"),
            ("UPDATE test.told SET a = 2", b"Rows matched: 3  Changed: 1  Warnings: 0"),
            ("DELETE FROM test.told", b""),
        ):
            wanted = bytes([len(info)]) + info if info else b""
            told = [at._connection.query(sql)[-1].get("info") for at in (client, by)]
            expect_equal(told, [wanted, wanted], f"what is said behind {sql}")


def long_packets(proxy: Proxy) -> None:
    """What is longer than a packet may be comes in several, both ways."""
    size = LONGEST + 1000
    for backend in proxy.pair.backends:
        backend.do("SET GLOBAL max_allowed_packet = 67108864")
    with proxy.client() as client:
        connection = client._connection
        statement = bytes([packets.QUERY]) + b"SELECT '" + b"x" * size + b"' AS long_one, 'end' AS last"
        connection._send(0, statement[:LONGEST])
        connection._send(1, statement[LONGEST:])
        # The count, two definitions; then the row, and its end.
        heads = [connection._raw() for _ in range(3)]
        if heads[0][1] != b"\x02":
            raise Failure(f"instead of the count of columns: {heads[0][1][:200]!r}")
        first, second, end = (connection._raw() for _ in range(3))
        wanted = b"\xfe" + size.to_bytes(8, "little") + b"x" * size + b"\x03end"
        if size < 1 << 24:
            wanted = b"\xfd" + size.to_bytes(3, "little") + wanted[9:]
        expect_equal(len(first[1]), LONGEST, "the length of the row's first packet")
        expect_equal(first[1] + second[1] == wanted, True, "whether it is the row")
        numbers = [sequence for sequence, _ in (*heads, first, second, end)]
        expect_equal(numbers, [(numbers[0] + at) % 256 for at in range(6)], "the packets' numbers")
        expect_equal(end[1][0], 0xFE, "the end of rows")
        # A row that fills a packet to the last byte has an empty one behind it.
        connection._send(0, bytes([packets.QUERY]) + b"SELECT REPEAT('x', %d)" % (LONGEST - 4))
        lengths = [len(connection._raw()[1]) for _ in range(4)]
        expect_equal(lengths[2:], [LONGEST, 0], "the packets of a row that fills one")
        connection._raw()
        expect_equal(value(client, "SELECT 'next'"), "next", "the next answer")


def errors_behind_results_leave_them_whole(proxy: Proxy) -> None:
    with proxy.client() as client, proxy.pair.primary.administrator() as by:
        client.run("CREATE PROCEDURE odd() BEGIN SELECT 1; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'boom'; END")
        for at in (client, by):
            kinds = [packet.kind for packet in at._connection.query("CALL test.odd()")]
            expect_equal(kinds[-3:], ["row", "end of rows", "error"], "how it ends")
        client.run("DROP PROCEDURE odd")


def rows_that_were_found_are_counted(proxy: Proxy) -> None:
    """By those who want that, also if they log in with a database."""
    for database in (None, "test"):
        for capabilities, count in ((ORDINARY, 0), (ORDINARY | FOUND_ROWS, 1)):
            address = (proxy.host, proxy.port)
            login = {"user": ALICE.login, "password": ALICE.password, "database": database}
            with Connection(address, capabilities=capabilities, **login) as connection:
                connection.query("CREATE TEMPORARY TABLE test.found SELECT 1 AS a")
                [ok] = connection.query("UPDATE test.found SET a = 1")
                expect_equal(ok.get("affected")[0], count, f"rows, with {database}")


def temporary_tables_stay_though_an_id_is_asked_for(proxy: Proxy) -> None:
    # What lets an account tell its server the id.
    privilege, account = "BINLOG REPLAY ON *.*", f"'{ALICE.server_user}'@'%'"
    with proxy.pair.primary.administrator() as by:
        by.run(f"GRANT {privilege} TO {account}")
    with proxy.client() as client:
        client.run("CREATE TEMPORARY TABLE entry (mine INT)")
        client.run("INSERT INTO entry VALUES (1)")
        for sql in ("SELECT CONNECTION_ID() + 0", "SET @id = CONNECTION_ID()", "DO CONNECTION_ID()"):
            client.run(sql)
            expect_equal(client.run("SELECT * FROM entry"), [{"mine": "1"}], f"the temporary table after {sql}")
    with proxy.pair.primary.administrator() as by:
        by.run(f"REVOKE {privilege} FROM {account}")


def dumps_in_other_character_sets_are_restored(proxy: Proxy) -> None:
    """They keep what the client writes in a variable, and give it back."""
    with proxy.client() as client:
        client.run("CREATE TEMPORARY TABLE told (a VARCHAR(9) CHARACTER SET utf8mb4)")
        client.run("SET NAMES latin1")
        client.run("/*!40101 SET @saved_cs_client = @@character_set_client */")
        client.run("/*!40101 SET character_set_client = utf8mb4 */")
        client.run("/*!40101 SET character_set_client = @saved_cs_client */")
        insert = b"INSERT INTO told VALUES ('m\xfcller')"
        expect_equal(client._connection.command(packets.QUERY, insert)[0].kind, "ok", "the row")
        expect_equal(value(client, "SELECT HEX(a) FROM told"), "6DC3BC6C6C6572", "its text")


def code_in_comments_reaches_its_server(proxy: Proxy) -> None:
    with proxy.client() as client:
        client.run("/*M!100101 SET @here = 1 */")
        expect_equal(value(client, "SELECT @here"), "1", "what MariaDB alone takes for code")
        expect_equal(client.run("/*!80013 SET @there = 1 */"), [], "what MariaDB takes for none")
        expect_equal(told(client, "/*M!100101 KILL 4000000000 */")[0], 1094, "a KILL, which is the proxy's")


def what_is_executed_by_its_name_reads_as_ever(proxy: Proxy) -> None:
    """Its values come in the binary format from the server, and are texts to the client."""
    columns = {
        "DATETIME(2)": "'2024-02-03 04:05:06.78'",
        "DATETIME(6)": "'2024-02-03 04:05:06'",
        "TIMESTAMP(3)": "'2024-02-03 04:05:06.7'",
        "TIME(3)": "'-10:11:12.5'",
        "TIME": "'838:59:59'",
        "DATE": "'2024-02-03'",
        "INT(6) ZEROFILL": "42",
        "BIGINT": "-42",
        "FLOAT(7,3)": "12.5",
        "FLOAT": "12.3456789",
        "DOUBLE(10,4)": "0",
        "DOUBLE": "1e300",
        "DECIMAL(10,4)": "1.5",
        "YEAR(4)": "0",
        "BIT(4)": "5",
        "JSON": "'[1]'",
        "VARCHAR(9)": "'text'",
        "BLOB": "x'00ff'",
    }
    with proxy.client() as client:
        made = ", ".join(f"c{number} {kind}" for number, kind in enumerate(columns))
        client.run(f"CREATE TEMPORARY TABLE kinds ({made})")
        client.run(f"INSERT INTO kinds VALUES ({', '.join(columns.values())}), ({', '.join(['NULL'] * len(columns))})")
        client.run("PREPARE kinds FROM 'SELECT * FROM kinds'")
        for names in ("utf8mb4", "latin1"):
            client.run(f"SET NAMES {names}")
            expect_equal(client.run("EXECUTE kinds"), client.run("SELECT * FROM kinds"), f"the values in {names}")
        client.run("DEALLOCATE PREPARE kinds")


def local_files_are_refused(proxy: Proxy) -> None:
    capabilities = ORDINARY | LOCAL_FILES
    address = (proxy.host, proxy.port)
    statements = (
        "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE test.entry",
        "LOAD /* x */ DATA LOW_PRIORITY LOCAL INFILE 'y' INTO TABLE z",
    )
    with Connection(address, capabilities=capabilities, user=ALICE.login, password=ALICE.password) as connection:
        for sql in statements:
            [answer] = connection.query(sql)
            expect_equal(answer.kind, "error", "the answer to LOAD DATA LOCAL")
        expect_equal(connection.query("SELECT 1")[-2].kind, "row", "the next answer")


def ids_within_expressions(proxy: Proxy) -> None:
    with proxy.client() as client:
        wanted = client.greeted_id | CONNECTION_BIT
        rows = client.run("SELECT  connection_id ( )")
        expect_equal(rows, [{"connection_id ( )": str(wanted)}], "the header as it was typed")
        rows = client.run("SELECT CONNECTION_ID() AS mine")
        expect_equal(rows, [{"mine": str(wanted)}], "an alias")
        for sql in ("SELECT CONNECTION_ID() + 1 AS more", "SELECT 1 + (SELECT CONNECTION_ID()) AS more"):
            try:
                expect_equal(value(client, sql), str(wanted + 1), sql)
            except SqlError as refused:
                expect_equal("CONNECTION_ID" in refused.text.upper(), True, f"whether it is said why: {refused}")


EVERYWHERE = (
    several_results,
    texts_for_people_come_along,
    errors_behind_results_leave_them_whole,
    rows_that_were_found_are_counted,
    temporary_tables_stay_though_an_id_is_asked_for,
    dumps_in_other_character_sets_are_restored,
    code_in_comments_reaches_its_server,
    what_is_executed_by_its_name_reads_as_ever,
    long_packets,
    local_files_are_refused,
    ids_within_expressions,
)
