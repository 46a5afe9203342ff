// Go's driver. Plays the scenes of ../scenes.py.
package main

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-sql-driver/mysql"
)

const (
	sleep    = "SELECT SLEEP(30)"
	rows     = 100000
	patience = 10 * time.Second
	text     = "it's a \"back\\slash\", 100 % and ünïcödé 🐦"

	interrupted   = 1317
	unknownThread = 1094
)

var (
	connector  driver.Connector
	pool       *sql.DB
	background = context.Background()
	encrypted  = os.Getenv("KILLDEER_TLS") == "1"
)

func main() {
	config := mysql.NewConfig()
	config.Net = "tcp"
	config.Addr = os.Getenv("KILLDEER_HOST") + ":" + os.Getenv("KILLDEER_PORT")
	config.User = os.Getenv("KILLDEER_USER")
	config.Passwd = os.Getenv("KILLDEER_PASSWORD")
	config.DBName = "test"
	config.ParseTime = true
	if encrypted {
		// A certificate that nobody has signed.
		config.TLSConfig = "skip-verify"
	}
	var err error
	if connector, err = mysql.NewConnector(config); err != nil {
		panic(err)
	}
	pool = sql.OpenDB(connector)
	failures := 0
	for _, scene := range []struct {
		name string
		play func() error
	}{
		{"connect", connect},
		{"query", query},
		{"prepare", prepare},
		{"stream", stream},
		{"cancel", cancel},
		{"context", cancelledContext},
		{"killed", killed},
		{"reconnect", reconnect},
	} {
		if err := scene.play(); err != nil {
			failures++
			fmt.Fprintf(os.Stderr, "%s: %v\n", scene.name, err)
		} else {
			fmt.Println(scene.name)
		}
	}
	if failures > 0 {
		os.Exit(1)
	}
}

func connect() error {
	session, id, err := open()
	if err != nil {
		return err
	}
	defer session.Close()
	var database, name, cipher string
	if err := session.QueryRowContext(background, "SELECT DATABASE()").Scan(&database); err != nil {
		return err
	}
	if err := session.QueryRowContext(background, "SHOW STATUS LIKE 'Ssl_cipher'").Scan(&name, &cipher); err != nil {
		return err
	}
	if id == 0 || database != "test" || (cipher != "") != encrypted {
		return fmt.Errorf("id %d, database %q, cipher %q", id, database, cipher)
	}
	return nil
}

func query() error {
	session, _, err := open()
	if err != nil {
		return err
	}
	defer session.Close()
	if _, err := session.ExecContext(background, `SET @text = 'it''s', @number = -7`); err != nil {
		return err
	}
	var said string
	var number int64
	var unset sql.NullString
	err = session.QueryRowContext(background, "SELECT @text, @number, @unset").Scan(&said, &number, &unset)
	if err != nil {
		return err
	}
	if said != "it's" || number != -7 || unset.Valid {
		return fmt.Errorf("%q, %d, %v", said, number, unset)
	}
	_, err = session.ExecContext(background, "KILL 999999")
	return expectCode(err, unknownThread)
}

func prepare() error {
	session, _, err := open()
	if err != nil {
		return err
	}
	defer session.Close()
	statement, err := session.PrepareContext(background, "SELECT ?, ?, ?, ?, ?, ?")
	if err != nil {
		return err
	}
	defer statement.Close()
	when := time.Date(2024, 2, 29, 23, 59, 58, 7000, time.UTC)
	blob := []byte{0, 255, 39, 92}
	for round := 0; round < 2; round++ {
		var number int64
		var said, moment string
		var float float64
		var null sql.NullString
		var data []byte
		row := statement.QueryRowContext(background, int64(-7), text, 1.5, nil, when, blob)
		if err := row.Scan(&number, &said, &float, &null, &moment, &data); err != nil {
			return err
		}
		// The driver writes times as strings.
		if number != -7 || said != text || float != 1.5 || null.Valid ||
			moment != "2024-02-29 23:59:58.000007" || !bytes.Equal(data, blob) {
			return fmt.Errorf("%d, %q, %v, %v, %q, %v", number, said, float, null, moment, data)
		}
	}
	return nil
}

func stream() error {
	session, id, err := open()
	if err != nil {
		return err
	}
	defer session.Close()
	numbers, err := session.QueryContext(background, os.Getenv("KILLDEER_ROWS"))
	if err != nil {
		return err
	}
	defer numbers.Close()
	count, number := 0, 0
	for numbers.Next() {
		count++
		if err := numbers.Scan(&number); err != nil {
			return err
		}
		if number != count {
			return fmt.Errorf("row %d holds %d", count, number)
		}
	}
	if err := numbers.Err(); err != nil {
		return err
	}
	if count != rows {
		return fmt.Errorf("%d rows", count)
	}
	return expectAlive(session, id)
}

// By KILL QUERY from a second connection.
func cancel() error {
	return whileAsleep(background, func(other *sql.Conn, id uint64) error {
		_, err := other.ExecContext(background, fmt.Sprintf("KILL QUERY %d", id))
		return err
	}, func(session, _ *sql.Conn, id uint64, err error) error {
		if err := expectCode(err, interrupted); err != nil {
			return err
		}
		return expectAlive(session, id)
	})
}

// By the driver's own means: it closes the connection, and the server is to end the statement.
func cancelledContext() error {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	return whileAsleep(ctx, func(*sql.Conn, uint64) error {
		cancel()
		return nil
	}, func(_, other *sql.Conn, id uint64, err error) error {
		if !errors.Is(err, context.Canceled) {
			return fmt.Errorf("the end of the context is wanted, not %v", err)
		}
		return awaitGone(other, id)
	})
}

func killed() error {
	return whileAsleep(background, func(other *sql.Conn, id uint64) error {
		_, err := other.ExecContext(background, fmt.Sprintf("KILL %d", id))
		return err
	}, func(_, other *sql.Conn, id uint64, err error) error {
		if !errors.Is(err, mysql.ErrInvalidConn) {
			return fmt.Errorf("an invalid connection is wanted, not %v", err)
		}
		if err := awaitGone(other, id); err != nil {
			return err
		}
		_, err = other.ExecContext(background, fmt.Sprintf("KILL %d", id))
		return expectCode(err, unknownThread)
	})
}

// The pool opens another connection in the place of one that was killed while nobody used it.
func reconnect() error {
	small := sql.OpenDB(connector)
	defer small.Close()
	small.SetMaxOpenConns(1)
	other, _, err := open()
	if err != nil {
		return err
	}
	defer other.Close()
	var first, next uint64
	if err := small.QueryRow("SELECT CONNECTION_ID()").Scan(&first); err != nil {
		return err
	}
	if _, err := other.ExecContext(background, fmt.Sprintf("KILL %d", first)); err != nil {
		return err
	}
	if err := awaitGone(other, first); err != nil {
		return err
	}
	if err := small.QueryRow("SELECT CONNECTION_ID()").Scan(&next); err != nil {
		return err
	}
	if next == first {
		return fmt.Errorf("id %d again", next)
	}
	return nil
}

func open() (*sql.Conn, uint64, error) {
	session, err := pool.Conn(background)
	if err != nil {
		return nil, 0, err
	}
	id, err := idOf(session)
	return session, id, err
}

func idOf(session *sql.Conn) (id uint64, err error) {
	err = session.QueryRowContext(background, "SELECT CONNECTION_ID()").Scan(&id)
	return
}

func expectAlive(session *sql.Conn, id uint64) error {
	if got, err := idOf(session); err != nil || got != id {
		return fmt.Errorf("id %d afterwards, %v", got, err)
	}
	return nil
}

// Ends a statement that runs, and looks at how it ended.
func whileAsleep(
	ctx context.Context,
	end func(other *sql.Conn, id uint64) error,
	look func(session, other *sql.Conn, id uint64, err error) error,
) error {
	session, id, err := open()
	if err != nil {
		return err
	}
	defer session.Close()
	other, _, err := open()
	if err != nil {
		return err
	}
	defer other.Close()
	ended := make(chan error, 1)
	go func() {
		var slept int
		ended <- session.QueryRowContext(ctx, sleep).Scan(&slept)
	}()
	err = attempts("the statement in the list", func() (bool, error) {
		list, err := listed(other)
		return list[id] == "Query/User sleep/"+sleep, err
	})
	if err != nil {
		return err
	}
	if err := end(other, id); err != nil {
		return err
	}
	return look(session, other, id, <-ended)
}

func awaitGone(other *sql.Conn, id uint64) error {
	return attempts(fmt.Sprintf("session %d gone from the list", id), func() (bool, error) {
		list, err := listed(other)
		_, there := list[id]
		return !there, err
	})
}

// Command, State and Info by id, of the list of processes.
func listed(session *sql.Conn) (map[uint64]string, error) {
	processes, err := session.QueryContext(background, "SHOW PROCESSLIST")
	if err != nil {
		return nil, err
	}
	defer processes.Close()
	list := map[uint64]string{}
	columns, err := processes.Columns()
	for processes.Next() {
		var id uint64
		cells := make([]sql.NullString, len(columns))
		places := []interface{}{&id}
		for column := 1; column < len(columns); column++ {
			places = append(places, &cells[column])
		}
		if err := processes.Scan(places...); err != nil {
			return nil, err
		}
		list[id] = cells[4].String + "/" + cells[6].String + "/" + cells[7].String
	}
	return list, err
}

func attempts(what string, round func() (bool, error)) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if done, err := round(); done || err != nil {
			return err
		}
	}
	return fmt.Errorf("waited in vain: %s", what)
}

func expectCode(err error, code uint16) error {
	var said *mysql.MySQLError
	if errors.As(err, &said) && said.Number == code {
		return nil
	}
	return fmt.Errorf("error %d is wanted, not %v", code, err)
}
