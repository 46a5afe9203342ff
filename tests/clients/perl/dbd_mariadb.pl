# DBD::MariaDB. Plays the scenes of ../scenes.py.
use strict;
use warnings;
use utf8;

use DBI qw(:sql_types);
use Time::HiRes qw(time);

use constant SLEEP => 'SELECT SLEEP(30)';
use constant ROWS => 100_000;
use constant PATIENCE => 10; # s
use constant TEXT => q(it's a "back\\slash", 100 % and ünïcödé 🐦);

use constant INTERRUPTED => 1317;
use constant UNKNOWN_THREAD => 1094;

my $tls = $ENV{KILLDEER_TLS};
# Over TLS, an end of the connection without TLS's own goodbye is 2026, which MariaDB's clients are given.
my @lost = (2006, 2013, $tls ? 2026 : ());

sub connect_to_server {
    my %more = @_;
    # A certificate that nobody has signed: over this driver's library, TLS without verification is an option only. That
    # it is taken is for the scene `connect` to see.
    my %encryption = $tls ? (mariadb_ssl => 1, mariadb_ssl_optional => 1) : ();
    return DBI->connect(
        "DBI:MariaDB:database=test;host=$ENV{KILLDEER_HOST};port=$ENV{KILLDEER_PORT}",
        $ENV{KILLDEER_USER}, $ENV{KILLDEER_PASSWORD},
        { RaiseError => 1, PrintError => 0, %encryption, %more },
    );
}

my @scenes = (
    connect => sub {
        my $session = connect_to_server();
        expect_alive($session);
        expect_equal(($session->selectrow_array('SELECT DATABASE()'))[0], 'test', 'the database');
        my (undef, $cipher) = $session->selectrow_array("SHOW STATUS LIKE 'Ssl_cipher'");
        expect_equal($cipher ne '' ? 1 : 0, $tls, 'a connection over TLS');
    },

    query => sub {
        my $session = connect_to_server();
        $session->do('SET @text = ?, @number = ?', undef, TEXT, -7);
        my ($text, $number, $unset) = $session->selectrow_array('SELECT @text, @number, @unset');
        expect_equal($text, TEXT, 'the text');
        expect_equal($number, -7, 'the number');
        expect_equal($unset, undef, 'the variable that is not set');
        expect_error([UNKNOWN_THREAD], sub { $session->do('KILL 999999') });
    },

    prepare => sub {
        my $session = connect_to_server(mariadb_server_prepare => 1, mariadb_server_prepare_disable_fallback => 1);
        my $statement = $session->prepare('SELECT ?, ?, ?, ?, ?, ?');
        for my $round (1, 2) {
            my @values = (-7, TEXT, undef, '2024-02-29', '-12345678901234567890.50', "\x00\xff'\\");
            $statement->bind_param(1, $values[0], SQL_INTEGER);
            $statement->bind_param($_ + 1, $values[$_]) for 1 .. 4;
            $statement->bind_param(6, $values[5], SQL_BLOB);
            $statement->execute();
            my @row = $statement->fetchrow_array();
            # Where the server says that it is text, as MariaDB does, the driver takes it for UTF-8.
            expect_equal($row[$_], $values[$_], 'value ' . ($_ + 1)) for 0 .. 4;
            expect_equal(length $row[5], 4, 'the length of the blob');
            expect_equal($statement->fetchrow_array() ? 1 : 0, 0, 'another row');
        }
    },

    stream => sub {
        my $session = connect_to_server();
        # Not with mariadb_use_result: 1.22 of the driver shows none of the rows then, to no server's fault.
        my $rows = $session->prepare($ENV{KILLDEER_ROWS});
        $rows->execute();
        my $count = 0;
        while (my ($number) = $rows->fetchrow_array()) {
            expect_equal($number, ++$count, 'the row');
        }
        expect_equal($count, ROWS, 'the rows');
        expect_alive($session);
    },

    # It has no way of its own: a second connection asks for it.
    cancel => sub {
        my ($session, $other) = (connect_to_server(), connect_to_server());
        kill_sleeping('KILL QUERY', $session, $other, INTERRUPTED);
        expect_alive($session);
    },

    killed => sub {
        my ($session, $other) = (connect_to_server(), connect_to_server());
        my $id = $session->{mariadb_thread_id};
        kill_sleeping('KILL', $session, $other, @lost);
        await_gone($id, $other);
        expect_error([UNKNOWN_THREAD], sub { $other->do("KILL $id") });
    },

    reconnect => sub {
        my ($session, $other) = (connect_to_server(mariadb_auto_reconnect => 1), connect_to_server());
        my $first = $session->{mariadb_thread_id};
        $other->do("KILL $first");
        await_gone($first, $other);
        my ($new) = eval { $session->selectrow_array('SELECT CONNECTION_ID()') };
        if (!defined $new && $tls && $DBI::err == 2026) {
            # It connects by itself behind 2006 and 2013 only.
            $session = $session->clone();
            ($new) = $session->selectrow_array('SELECT CONNECTION_ID()');
        }
        expect_equal($new, $session->{mariadb_thread_id}, "CONNECTION_ID() and the new greeting's id");
        expect_equal($new == $first ? 1 : 0, 0, 'the same id again');
    },
);

# Kills a session while it runs a statement, which ends with one of these errors.
sub kill_sleeping {
    my ($kill, $session, $other, @codes) = @_;
    my $id = $session->{mariadb_thread_id};
    my $sleeping = $session->prepare(SLEEP, { mariadb_async => 1 });
    $sleeping->execute();
    attempts('the statement in the list', sub {
        my $row = listed($other)->{$id};
        return $row && "$row->{Command}/$row->{State}/$row->{Info}" eq 'Query/User sleep/' . SLEEP;
    });
    $other->do("$kill $id");
    # The error is in the answer or in the place of its first row.
    expect_error(\@codes, sub { $sleeping->mariadb_async_result(); $sleeping->fetchrow_array() });
}

sub await_gone {
    my ($id, $other) = @_;
    attempts("session $id gone from the list", sub { !listed($other)->{$id} });
}

# The rows of the list of processes, by id.
sub listed {
    my ($session) = @_;
    return $session->selectall_hashref('SHOW PROCESSLIST', 'Id');
}

sub attempts {
    my ($what, $round) = @_;
    my $deadline = time() + PATIENCE;
    until ($round->()) {
        die "waited in vain: $what\n" if time() > $deadline;
    }
}

sub expect_alive {
    my ($session) = @_;
    my ($id) = $session->selectrow_array('SELECT CONNECTION_ID()');
    expect_equal($id, $session->{mariadb_thread_id}, "CONNECTION_ID() and the greeting's id");
}

sub expect_error {
    my ($codes, $action) = @_;
    my $done = eval { $action->(); 1 };
    my $code = $DBI::err // 0;
    die "an error of @$codes is wanted, but there is none\n" if $done;
    die "an error of @$codes is wanted, not $code: $@" unless grep { $_ == $code } @$codes;
}

sub expect_equal {
    my ($got, $wanted, $what) = @_;
    return if !defined $got && !defined $wanted;
    ($got, $wanted) = map { $_ // 'undef' } $got, $wanted;
    die "$what: $got instead of $wanted\n" unless $got eq $wanted;
}

$| = 1;
binmode STDERR, ':utf8';
my $failures = 0;
while (my ($name, $scene) = splice @scenes, 0, 2) {
    if (eval { $scene->(); 1 }) {
        print "$name\n";
    } else {
        $failures++;
        print STDERR "$name: $@";
    }
}
exit($failures ? 1 : 0);
