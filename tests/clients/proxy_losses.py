"""Scenes of proxy_split.py: what a client has at its servers when a server session of its is lost, and where servers are not
alike. After a loss clients read before they write: it must not be the replica that takes the writes then.
"""

import shutil
import subprocess
import time

import packets
from check import PATIENCE, Failure, attempts, expect_equal, expect_match
from cluster import Client
from proxy import ALICE, LOST, Proxy, server_sessions, told, value

WHERE = "SELECT server FROM test.place"
PRIMARY, REPLICA = "1", "2"
BOTH = {PRIMARY, REPLICA}
TURNS = 8
# A number as a prepared statement's parameter.
LONG = 0x08


def places(client: Client) -> set[str | None]:
    """Where a client's reads go."""
    return {value(client, WHERE) for _ in range(TURNS)}


def splits(proxy: Proxy) -> set[str]:
    """Where reads go that nothing binds."""
    return BOTH if "--read-split" in proxy.options else {PRIMARY}


def lose(proxy: Proxy, client: Client) -> None:
    """The primary closes the client's session there, and the proxy has seen it."""
    address = proxy.pair.primary.address
    with proxy.administrator() as by:
        for session in server_sessions(by, client.greeted_id):
            if session.server == address:
                proxy.pair.primary.do(f"KILL {session.server_sessid}")
        for _ in attempts("the proxy has seen the loss"):
            if not any(session.server == address for session in server_sessions(by, client.greeted_id)):
                return


def status(client: Client, sql: str = "DO 0") -> int:
    """The flags that an answer ends with."""
    return int.from_bytes(client._connection.query(sql)[-1].get("status"), "little")


def what_binds_a_client_outlives_its_server_session(proxy: Proxy) -> None:
    settings = ("autocommit = 0", "sql_mode = 'ANSI_QUOTES'", "sql_mode = 'NO_BACKSLASH_ESCAPES'")
    for number, setting in enumerate(settings):
        with proxy.client() as client:
            expect_equal(places(client), splits(proxy), "where reads go at first")
            client.run(f"SET {setting}")
            for _ in range(2):
                lose(proxy, client)
                expect_equal(places(client), {PRIMARY}, f"where reads go after {setting} and a loss")
                client.run(f"INSERT INTO entry (who, n) SELECT CONCAT('lost {number} ', server), 1 FROM place")
                client.run("COMMIT")
            lose(proxy, client)
            client._connection.command(packets.INIT_DB, b"test")
            expect_equal(places(client), {PRIMARY}, f"where reads go after {setting}, a loss and COM_INIT_DB")
        rows = proxy.pair.primary.rows(f"SELECT who FROM test.entry WHERE who LIKE 'lost {number}%'")
        expect_equal(rows, [{"who": f"lost {number} 1"}] * 2, "what was written, and where")
    proxy.pair.primary.do("DELETE FROM test.entry WHERE who LIKE 'lost %'")
    proxy.pair.catch_up()


def what_is_lost_is_told_to_mariadbs_client(proxy: Proxy) -> None:
    """Which takes no error of a server that has a client's own number, 2013 for instance."""
    if shutil.which("mariadb") is None:
        raise Failure("mariadb is not installed; to install it: apt-get install mariadb-client")
    statement = "INSERT INTO test.entry (who, n) SELECT 'in vain', SLEEP(100)"
    login = (f"--host={proxy.host}", f"--port={proxy.port}", f"--user={ALICE.login}", f"--password={ALICE.password}")
    asking = ["mariadb", "--no-defaults", "--skip-ssl", *login, f"--execute={statement}"]
    with subprocess.Popen(asking, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
        runs = proxy.pair.primary.await_runs(statement)
        proxy.pair.primary.do(f"KILL {runs['Id']}")
        _, said = client.communicate(timeout=PATIENCE)
    expect_match(said, rf"ERROR 1158 \(08S01\).*: Lost connection to MySQL server '{proxy.pair.primary.address}'")


def settings_of_the_servers_are_heeded(proxy: Proxy) -> None:
    backends = proxy.pair.backends
    for variable, odd, plain in (("autocommit", "0", "1"), ("sql_mode", "'NO_BACKSLASH_ESCAPES'", "DEFAULT")):
        for backend in backends:
            backend.do(f"SET GLOBAL {variable} = {odd}")
        try:
            for _ in range(2):
                with proxy.client() as client:
                    expect_equal(places(client), {PRIMARY}, f"where reads go with {variable} = {odd} at the servers")
                    client.run(f"SET {variable} = {plain.replace('DEFAULT', chr(39) * 2)}")
                    expect_equal(places(client), splits(proxy), f"where reads go with {variable} = {plain}")
        finally:
            for backend in backends:
                backend.do(f"SET GLOBAL {variable} = {plain}")


def texts_and_the_clock_are_brought_along_as_they_were(proxy: Proxy) -> None:
    with proxy.client() as client:
        client.run(r"""SET @path = 'C:\\new', @quoted = "it's", @line = 'a\nb'""")
        client.run("SET sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES', timestamp = 86400")
        expect_equal(status(client) & 0x0200, 0x0200, "the flag of NO_BACKSLASH_ESCAPES")
        for _ in range(2):
            rows = client.run("SELECT @path AS a, @quoted AS b, @line AS c, UNIX_TIMESTAMP() AS d")
            wanted = {"a": r"C:\new", "b": "it's", "c": "a\nb", "d": "86400"}
            expect_equal(rows, [wanted], "what was set")
            lose(proxy, client)
        client.run("SET sql_mode = '', timestamp = DEFAULT")
        expect_equal(status(client) & 0x0200, 0, "the flag of NO_BACKSLASH_ESCAPES")
        for _ in range(TURNS):
            [row] = client.run("SELECT NOW() = SYSDATE() OR NOW() + INTERVAL 1 SECOND >= SYSDATE() AS now FROM place")
            expect_equal(row, {"now": "1"}, "whether the clock goes on")
            time.sleep(0.25)
        # A text that the proxy reads otherwise than the server is tied to its session.
        client.run("SET sql_mode = 'NO_BACKSLASH_ESCAPES'")
        client.run(r"SET @path = 'C:\new'")
        expect_equal(value(client, "SELECT @path"), r"C:\new", "the path")
        lose(proxy, client)
        expect_equal(told(client, "SELECT @path")[0] in LOST, True, "whether the loss is told")
        expect_equal(value(client, "SELECT @path"), None, "the path afterwards")


def prepared_statements_stay_in_their_databases(proxy: Proxy) -> None:
    primary = proxy.pair.primary
    for name in ("one", "two"):
        primary.do(f"CREATE DATABASE {name}", f"CREATE TABLE {name}.t (x INT)")
        primary.do(f"GRANT ALL ON {name}.* TO '{ALICE.server_user}'@'%'")
    proxy.pair.catch_up()
    with proxy.client() as client:
        connection = client._connection

        def prepare() -> int:
            return int.from_bytes(connection.prepare("INSERT INTO t VALUES (?)")[0].get("statement id"), "little")

        def execute(statement: int, number: int) -> None:
            [answer] = connection.execute(statement, [(LONG, number.to_bytes(8, "little"))])
            expect_equal(answer.kind, "ok", "the answer to an execution")

        client.run("USE one")
        in_one = prepare()
        client.run("USE two")
        in_two = prepare()
        client.run("USE one")
        execute(in_one, 1)
        execute(in_two, 2)
        client.run("USE two")
        for number in (3, 5):
            lose(proxy, client)
            execute(in_one, number)
            execute(in_two, number + 1)
            expect_equal(value(client, "SELECT DATABASE()"), "two", "the current database")
        # Also without the server's word for it.
        client.run("SET session_track_schema = 0")
        client.run("USE one")
        lose(proxy, client)
        client.run("INSERT INTO t VALUES (7)")
    for name, numbers in (("one", "1,3,5,7"), ("two", "2,4,6")):
        rows = primary.rows(f"SELECT GROUP_CONCAT(x ORDER BY x) AS all_of_it FROM {name}.t")
        expect_equal(rows, [{"all_of_it": numbers}], f"the rows of {name}")
        primary.do(f"DROP DATABASE {name}")
    proxy.pair.catch_up()


def procedures_that_fail_leave_what_they_began(proxy: Proxy) -> None:
    proxy.pair.primary.do(
        "CREATE OR REPLACE PROCEDURE test.fails() BEGIN CREATE TEMPORARY TABLE test.place AS SELECT 99 AS server; "
        "START TRANSACTION; INSERT INTO test.entry (who, n) VALUES ('fails', 1); SIGNAL SQLSTATE '45000'; END"
    )
    proxy.pair.catch_up()
    with proxy.client() as client, proxy.administrator() as by:
        value(client, "SELECT 1")
        expect_equal(told(client, "CALL fails()")[0], 1644, "the procedure's error")
        expect_equal(places(client), {"99"}, "which table is read")
        [session] = [one for one in server_sessions(by, client.greeted_id) if one.about == "curr used ss"]
        expect_equal(session.server, proxy.pair.primary.address, "where the client is bound")
        lose(proxy, client)
        expect_equal(told(client, "COMMIT")[0] in LOST, True, "whether the loss is told")
    rows = proxy.pair.primary.rows("SELECT n FROM test.entry WHERE who = 'fails'")
    expect_equal(rows, [], "what is left of the transaction")
    proxy.pair.primary.do("DROP PROCEDURE test.fails")
    proxy.pair.catch_up()


def results_that_are_lost_are_not_other_ones(proxy: Proxy) -> None:
    questions = ("SELECT FOUND_ROWS()", "SELECT ROW_COUNT()", "SHOW WARNINGS")
    with proxy.client() as client:
        for question in questions:
            client.run("INSERT INTO entry (who, n) VALUES ('results', '1')")
            lose(proxy, client)
            expect_equal(told(client, question)[0] in LOST, True, f"whether {question} says what is lost")
            expect_equal(told(client, question)[0], 0, f"the error of {question} when it was told")


def reads_seven_at_the_replica(client: Client) -> None:
    """The client's last statement is one at the replica that gives seven rows."""
    for _ in attempts("a read at the replica"):
        if client.run("SELECT server FROM place JOIN seq_1_to_7")[0]["server"] == REPLICA:
            return


def rows_are_counted_for_what_writes(proxy: Proxy) -> None:
    with proxy.client() as client:
        for write in (
            "SET @n = FOUND_ROWS()",
            "SELECT FOUND_ROWS() INTO @n",
            "CREATE TEMPORARY TABLE counted AS SELECT @n := FOUND_ROWS() AS n",
        ):
            for _ in range(TURNS):
                client.run("DROP TEMPORARY TABLE IF EXISTS counted")
                client.run("SELECT SQL_CALC_FOUND_ROWS seq FROM seq_1_to_25 LIMIT 3")
                client.run(write)
                expect_equal(value(client, "SELECT @n"), "25", f"what {write} has seen")
            connection = client._connection
            expect_equal(connection.command(packets.RESET_CONNECTION)[0].kind, "ok", "COM_RESET_CONNECTION")
        client.run("INSERT INTO entry (who, n) VALUES ('counted', 1), ('counted', 2)")
        client.run("GET DIAGNOSTICS @rows = ROW_COUNT, @warnings = NUMBER")
        rows = client.run("SELECT @rows AS a, @warnings AS b")
        expect_equal(rows, [{"a": "2", "b": "0"}], "what the diagnostics have told")


def questions_about_a_read_elsewhere_are_refused(proxy: Proxy) -> None:
    for question in (
        "SET @n = FOUND_ROWS()",
        "SELECT FOUND_ROWS() INTO @n",
        "INSERT INTO entry (who, n) SELECT 'asked', FOUND_ROWS()",
        "SET @n = @@warning_count",
        "GET DIAGNOSTICS @n = NUMBER",
    ):
        with proxy.client() as client:
            value(client, "SELECT LAST_INSERT_ID()")
            connection = client._connection
            if not question.startswith("GET"):
                answer = connection.prepare(question)
                statement = int.from_bytes(answer[0].get("statement id"), "little")
                reads_seven_at_the_replica(client)
                expect_equal(connection.execute(statement, [])[0].kind, "error", f"the answer to {question}, prepared")
            reads_seven_at_the_replica(client)
            code, text = told(client, question)
            expect_equal((code, "SELECT or SHOW of its own" in text), (1235, True), f"the answer to {question}: {text}")
            # To prepare it says nothing of where it was.
            answer = connection.prepare("SELECT FOUND_ROWS() AS n")
            expect_equal(value(client, "SELECT FOUND_ROWS()"), "7", "FOUND_ROWS() in a statement of its own")
            reads_seven_at_the_replica(client)
            statement = int.from_bytes(answer[0].get("statement id"), "little")
            [row] = [packet for packet in connection.execute(statement, []) if packet.kind == "binary row"]
            expect_equal(int.from_bytes(row.get("n"), "little"), 7, "FOUND_ROWS() in a prepared statement")
            client.run("INSERT INTO entry (who, n) VALUES ('asked', 1)")
            expect_equal(told(client, question)[0], 0, f"the error of {question} behind a write")


def statements_with_settings_of_their_own(proxy: Proxy) -> None:
    setting = "SET STATEMENT sort_buffer_size = 1000000 FOR"
    with proxy.client() as client:
        client.run(f"{setting} CREATE TEMPORARY TABLE place AS SELECT 99 AS server")
        expect_equal(places(client), {"99"}, "which table is read")
    proxy.pair.primary.do(
        "CREATE OR REPLACE PROCEDURE test.leaves() CREATE TEMPORARY TABLE test.place AS SELECT 99 AS server"
    )
    proxy.pair.catch_up()
    with proxy.client() as client:
        client.run(f"{setting} CALL leaves()")
        expect_equal(places(client), {"99"}, "which table is read after a procedure")
    with proxy.client() as client:
        # The server tells of the setting, which is gone with its statement.
        client.run("SET STATEMENT group_concat_max_len = 5 FOR SET @five = 5, time_zone = '+05:00'")
        for _ in range(TURNS):
            [row] = client.run("SELECT GROUP_CONCAT(seq) AS list, HOUR(FROM_UNIXTIME(0)) AS hour FROM seq_1_to_7")
            expect_equal(row, {"list": "1,2,3,4,5,6,7", "hour": "5"}, "what there is of the settings")
        expect_equal(value(client, "SELECT @five"), "5", "the variable")
        expect_equal(places(client), splits(proxy), "where reads go")
        client.run(f"{setting} USE information_schema")
        which = "SELECT VARIABLE_VALUE AS id FROM GLOBAL_VARIABLES WHERE VARIABLE_NAME = 'SERVER_ID'"
        seen = {value(client, which) for _ in range(TURNS)}
        expect_equal(seen, {PRIMARY}, "which server shows itself")
        client.run(f"{setting} USE test")
        expect_equal(places(client), splits(proxy), "where reads go again")
    proxy.pair.primary.do("DROP PROCEDURE test.leaves")
    proxy.pair.catch_up()


def a_replica_that_lags_or_differs(proxy: Proxy) -> None:
    primary, replica = proxy.pair.backends
    primary.do(f"GRANT ALL ON fresh.* TO '{ALICE.server_user}'@'%'")
    # The primary alone knows this zone.
    with primary.administrator() as root:
        root.run("SET sql_log_bin = 0")
        root.run("INSERT INTO mysql.time_zone (Time_zone_id, Use_leap_seconds) VALUES (7777, 'N')")
        root.run("INSERT INTO mysql.time_zone_name VALUES ('Nowhere/Here', 7777)")
        root.run("INSERT INTO mysql.time_zone_transition_type VALUES (7777, 0, 3600, 0, 'NWH')")
    proxy.pair.catch_up()
    with proxy.client() as client:
        client.run("CREATE TABLE here AS SELECT 'test' AS db")
        proxy.pair.catch_up()
        expect_equal(places(client), BOTH, "where reads go")
        replica.do("STOP SLAVE SQL_THREAD")
        try:
            client.run("CREATE DATABASE fresh")
            client.run("USE fresh")
            client.run("CREATE TABLE here AS SELECT 'fresh' AS db")
            seen = {value(client, "SELECT db FROM here") for _ in range(TURNS)}
            expect_equal(seen, {"fresh"}, "in which database reads run")
            replica.do("START SLAVE SQL_THREAD")
            proxy.pair.catch_up()
            for _ in attempts("reads on the replica again"):
                if REPLICA in places(client):
                    break
            replica.do("STOP SLAVE SQL_THREAD")
            client.run("DROP DATABASE fresh")
            codes = {told(client, "SELECT db FROM here")[0] for _ in range(TURNS)}
            expect_equal(codes, {1046}, "the errors of reads in no database")
        finally:
            replica.do("START SLAVE SQL_THREAD")
        proxy.pair.catch_up()
        client.run("USE test")
        client.run("DROP TABLE here")
        proxy.pair.catch_up()
        client.run("SET time_zone = 'Nowhere/Here'")
        expect_equal(places(client), {PRIMARY}, "where reads go that the replica does not take")
        client.run("SET time_zone = '+01:00'")
        expect_equal(places(client), BOTH, "where reads go that it takes again")


EVERYWHERE = (
    what_is_lost_is_told_to_mariadbs_client,
    what_binds_a_client_outlives_its_server_session,
    settings_of_the_servers_are_heeded,
    texts_and_the_clock_are_brought_along_as_they_were,
    prepared_statements_stay_in_their_databases,
    procedures_that_fail_leave_what_they_began,
    results_that_are_lost_are_not_other_ones,
    rows_are_counted_for_what_writes,
    statements_with_settings_of_their_own,
)
