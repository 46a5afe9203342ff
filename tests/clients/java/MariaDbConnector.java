import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLTimeoutException;
import java.sql.SQLTransientConnectionException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;

/** MariaDB Connector/J. Plays the scenes of ../scenes.py. */
public class MariaDbConnector {
    static final String SLEEP = "SELECT SLEEP(30)";
    static final int ROWS = 100_000;
    static final long PATIENCE = 10_000; // ms
    static final String TEXT = "it's a \"back\\slash\", 100 % and ünïcödé 🐦";
    static final int INTERRUPTED = 1317, TIMED_OUT = 1969, UNKNOWN_THREAD = 1094;

    // As in scenes.py.
    static final boolean PROXY = System.getenv("KILLDEER_PROXY").equals("1");
    static final long CONNECTION_BIT = PROXY ? 1L << 31 : 0;

    static int failures = 0;

    interface Action {
        void run() throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        play("connect", MariaDbConnector::connect);
        play("query", MariaDbConnector::query);
        play("prepare", MariaDbConnector::prepare);
        play("stream", MariaDbConnector::stream);
        play("cancel", MariaDbConnector::cancel);
        play("timeout", MariaDbConnector::timeout);
        play("killed", MariaDbConnector::killed);
        play("reconnect", MariaDbConnector::reconnect);
        // Whatever threads the driver keeps.
        System.exit(failures == 0 ? 0 : 1);
    }

    static void play(String name, Action scene) {
        try {
            scene.run();
        } catch (Throwable why) {
            failures++;
            System.err.print(name + ": ");
            why.printStackTrace();
            return;
        }
        System.out.println(name);
    }

    static void connect() throws Exception {
        try (Connection session = open()) {
            expect(id(session) > 0, "an id");
            expectEqual(value(session, "SELECT DATABASE()"), "test");
            // A proxy's client is told of the server's connection to the proxy.
            if (!PROXY) {
                boolean encrypted = !value(session, "SHOW STATUS LIKE 'Ssl_cipher'", 2).isEmpty();
                expectEqual(encrypted, System.getenv("KILLDEER_TLS").equals("1"));
            }
        }
    }

    static void query() throws Exception {
        try (Connection session = open(); Statement statement = session.createStatement()) {
            // The driver's own prepared statements write the arguments into the text.
            try (PreparedStatement set = session.prepareStatement("SET @text = ?, @number = ?")) {
                set.setString(1, TEXT);
                set.setInt(2, -7);
                set.execute();
            }
            ResultSet row = statement.executeQuery("SELECT @text, @number, @unset");
            expect(row.next(), "a row");
            expectEqual(row.getString(1), TEXT);
            expectEqual(row.getLong(2), -7L);
            expectEqual(row.getObject(3), null);
            expectError(UNKNOWN_THREAD, () -> statement.execute("KILL 999999"));
        }
    }

    static void prepare() throws Exception {
        byte[] blob = {0, -1, 39, 92};
        BigDecimal decimal = new BigDecimal("-12345678901234567890.50");
        Timestamp time = Timestamp.valueOf("2024-02-29 23:59:58.000007");
        try (Connection session = open("&useServerPrepStmts=true");
                PreparedStatement statement = session.prepareStatement("SELECT ?, ?, ?, ?, ?, ?, ?, ?")) {
            for (int round = 0; round < 2; round++) {
                statement.setInt(1, -7);
                statement.setLong(2, Long.MIN_VALUE);
                statement.setString(3, TEXT);
                statement.setObject(4, null);
                statement.setDate(5, Date.valueOf("2024-02-29"));
                statement.setTimestamp(6, time);
                statement.setBigDecimal(7, decimal);
                statement.setBytes(8, blob);
                ResultSet row = statement.executeQuery();
                expect(row.next(), "a row");
                expectEqual(row.getInt(1), -7);
                expectEqual(row.getLong(2), Long.MIN_VALUE);
                expectEqual(row.getString(3), TEXT);
                expectEqual(row.getObject(4), null);
                expectEqual(row.getDate(5), Date.valueOf("2024-02-29"));
                expectEqual(row.getTimestamp(6), time);
                expectEqual(row.getBigDecimal(7), decimal);
                expect(Arrays.equals(row.getBytes(8), blob), "the blob");
                expect(!row.next(), "one row");
            }
        }
    }

    static void stream() throws Exception {
        try (Connection session = open(); Statement statement = session.createStatement()) {
            statement.setFetchSize(1);
            int count = 0;
            try (ResultSet rows = statement.executeQuery(System.getenv("KILLDEER_ROWS"))) {
                while (rows.next()) {
                    expectEqual(rows.getInt(1), ++count);
                }
            }
            expectEqual(count, ROWS);
            id(session);
        }
    }

    static void cancel() throws Exception {
        try (Connection session = open(); Connection other = open(); Statement statement = session.createStatement()) {
            long id = id(session);
            CompletableFuture<Void> sleeping = sleep(statement, id, other);
            statement.cancel();
            expectError(INTERRUPTED, sleeping);
            expectEqual(id(session), id);
        }
    }

    static void timeout() throws Exception {
        try (Connection session = open(); Statement statement = session.createStatement()) {
            long id = id(session);
            statement.setQueryTimeout(1);
            SQLException error = error(() -> statement.executeQuery(SLEEP));
            // MariaDB is asked to see to the time itself, and has a code for it.
            expect(error.getErrorCode() == INTERRUPTED || error.getErrorCode() == TIMED_OUT, error);
            expect(error instanceof SQLTimeoutException, error.getClass());
            expectEqual(id(session), id);
        }
    }

    static void killed() throws Exception {
        try (Connection session = open(); Connection other = open(); Statement statement = session.createStatement()) {
            long id = id(session);
            CompletableFuture<Void> sleeping = sleep(statement, id, other);
            execute(other, "KILL " + id);
            SQLException error = error(() -> await(sleeping));
            expect(error.getSQLState().startsWith("08"), error);
            expect(session.isClosed() || !session.isValid(1), "the end of the connection");
            awaitGone(id, other);
            expectError(UNKNOWN_THREAD, () -> execute(other, "KILL " + id));
        }
    }

    static void reconnect() throws Exception {
        // Without a pool, it connects by itself where it is told so; but sends no statement twice.
        try (Connection session = open("&autoReconnect=true"); Connection other = open()) {
            long first = id(session);
            execute(other, "KILL " + first);
            awaitGone(first, other);
            SQLException error = error(() -> id(session));
            expect(error instanceof SQLTransientConnectionException, error + " " + error.getSQLState());
            long next = id(session);
            expect(next != first, "another id than " + first);
        }
    }

    static Connection open(String... options) throws SQLException {
        String address = System.getenv("KILLDEER_HOST") + ":" + System.getenv("KILLDEER_PORT");
        boolean tls = System.getenv("KILLDEER_TLS").equals("1");
        String url = "jdbc:mariadb://" + address + "/test?allowPublicKeyRetrieval=true" + String.join("", options)
                // A certificate that nobody has signed.
                + (tls ? "&useSsl=true&trustServerCertificate=true" : "");
        return DriverManager.getConnection(url, System.getenv("KILLDEER_USER"), System.getenv("KILLDEER_PASSWORD"));
    }

    static long id(Connection session) throws SQLException {
        return Long.parseLong(value(session, "SELECT CONNECTION_ID()")) - CONNECTION_BIT;
    }

    static String value(Connection session, String sql) throws SQLException {
        return value(session, sql, 1);
    }

    static String value(Connection session, String sql, int column) throws SQLException {
        try (Statement statement = session.createStatement(); ResultSet rows = statement.executeQuery(sql)) {
            return rows.next() ? rows.getString(column) : "";
        }
    }

    static void execute(Connection session, String sql) throws SQLException {
        try (Statement statement = session.createStatement()) {
            statement.execute(sql);
        }
    }

    /** Begins a long statement, and returns when it runs. */
    static CompletableFuture<Void> sleep(Statement statement, long id, Connection other) throws Exception {
        CompletableFuture<Void> sleeping = CompletableFuture.runAsync(() -> {
            try {
                statement.executeQuery(SLEEP);
            } catch (SQLException error) {
                throw new CompletionException(error);
            }
        });
        attempts("the statement in the list", () -> PROXY ? runs(id, other) : ("Query/User sleep/" + SLEEP).equals(listed(id, other)));
        return sleeping;
    }

    /** Whether a session behind a proxy runs a statement at its server. */
    static boolean runs(long id, Connection other) throws SQLException {
        String attributes = "SHOW PROXYSESSION ATTRIBUTE " + id + " LIKE 'state'";
        try (Statement statement = other.createStatement(); ResultSet rows = statement.executeQuery(attributes)) {
            while (rows.next()) {
                if (rows.getString(2).equals("MSS_ACTIVE")) {
                    return true;
                }
            }
            return false;
        }
    }

    /** Command, State and Info of a session in the list of processes; null where it is not in it. */
    static String listed(long id, Connection other) throws SQLException {
        try (Statement statement = other.createStatement(); ResultSet rows = statement.executeQuery("SHOW PROCESSLIST")) {
            while (rows.next()) {
                if (rows.getLong("Id") == id) {
                    return PROXY ? "" : rows.getString("Command") + "/" + rows.getString("State") + "/" + rows.getString("Info");
                }
            }
            return null;
        }
    }

    static void awaitGone(long id, Connection other) throws Exception {
        attempts("session " + id + " gone from the list", () -> listed(id, other) == null);
    }

    interface Round {
        boolean run() throws Exception;
    }

    static void attempts(String what, Round round) throws Exception {
        long deadline = System.currentTimeMillis() + PATIENCE;
        while (!round.run()) {
            expect(System.currentTimeMillis() < deadline, "waited in vain: " + what);
        }
    }

    static void await(CompletableFuture<Void> task) throws Exception {
        try {
            task.get();
        } catch (ExecutionException why) {
            throw (Exception) why.getCause();
        }
    }

    static SQLException error(Action action) throws Exception {
        try {
            action.run();
        } catch (SQLException error) {
            return error;
        }
        throw new AssertionError("no error");
    }

    static void expectError(int code, Action action) throws Exception {
        SQLException error = error(action);
        expect(error.getErrorCode() == code, code + " is wanted, not " + error.getErrorCode() + ": " + error);
    }

    static void expectError(int code, CompletableFuture<Void> task) throws Exception {
        expectError(code, () -> await(task));
    }

    static void expectEqual(Object got, Object wanted) {
        expect(Objects.equals(got, wanted), got + " instead of " + wanted);
    }

    static void expect(boolean right, Object what) {
        if (!right) {
            throw new AssertionError(what);
        }
    }
}
