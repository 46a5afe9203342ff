//! `SHOW …`: lists of the server's own, and empty sets with the right columns. `SHOW PROCESSLIST` is the runtime's,
//! `SHOW CREATE …` the server's.

use sqlparser::tokenizer::Token;

use super::{
    Answer, Facts, catalogue,
    cursor::Cursor,
    prefilter::is_catalogue,
    relation::{Relation, text},
    select::limit,
    state::ClientState,
    stop::{Found, Stop},
    value_of::{Which, all},
};
use crate::model::{Column, ColumnType, ErrorKind, Level, OwnedValue, SqlError, Warning};

/// Answers `SHOW …`.
///
/// # Errors
/// Not ours, if it is a list that is not known here; 1046, 1049 and 1146 for databases and tables that are not there.
pub(super) fn answer(state: &mut ClientState, facts: &Facts<'_>, mut cursor: Cursor<'_>) -> Found<Answer> {
    cursor.expect_word("SHOW")?;
    if let Some(answer) = diagnostics(state, &mut cursor)? {
        state.note_diagnostic();
        return Ok(answer);
    }
    let answer = list(state, facts, &mut cursor)?.answer();
    state.clear_warnings();
    Ok(answer)
}

/// Answers `DESCRIBE table` and `DESC table`.
///
/// # Errors
/// 1046, 1049, 1146: no table is known to have columns. Not ours, if it is there, or if this describes a statement.
pub(super) fn describe(facts: &Facts<'_>, mut cursor: Cursor<'_>) -> Found<Answer> {
    cursor.skip();
    let (database, table) = table_name(facts, &mut cursor)?;
    if !cursor.at_end() && cursor.text().is_none() {
        // One column of it, perhaps with wildcards.
        cursor.name()?;
    }
    cursor.end()?;
    Err(missing(facts, &database, &table))
}

/// What SHOW says of the last statement; it leaves the warnings as they are.
fn diagnostics(state: &ClientState, cursor: &mut Cursor<'_>) -> Found<Option<Answer>> {
    let counted = matches!(cursor.peek(), Token::Word(w) if w.value.eq_ignore_ascii_case("COUNT"));
    if counted {
        cursor.skip();
        for token in [Token::LParen, Token::Mul, Token::RParen] {
            cursor.expect(&token)?;
        }
    }
    let Some(what) = cursor.any_word(&["WARNINGS", "ERRORS"]) else {
        return if counted { Err(Stop::NotOurs) } else { Ok(None) };
    };
    let shown = state.warnings().iter().filter(|w| what == "WARNINGS" || w.level == Level::Error);
    let (offset, count) = if counted { (0, usize::MAX) } else { limit(cursor)? };
    cursor.end()?;
    if counted {
        let name = if what == "WARNINGS" { "@@session.warning_count" } else { "@@session.error_count" };
        let columns = vec![Column::new(name, ColumnType::BigInt).unsigned()];
        return Ok(Some(Answer::Rows { columns, rows: vec![vec![OwnedValue::UInt(shown.count() as u64)]] }));
    }
    let rows = shown.skip(offset).take(count);
    let rows = rows.map(|w| w.row().into()).collect();
    Ok(Some(Relation { columns: Warning::columns(), rows }.answer()))
}

fn list(state: &ClientState, facts: &Facts<'_>, cursor: &mut Cursor<'_>) -> Found<Relation> {
    let which = match cursor.any_word(&["GLOBAL", "SESSION", "LOCAL"]) {
        Some("GLOBAL") => Which::Global,
        Some(_) => Which::Session,
        None => Which::Either,
    };
    if cursor.word("VARIABLES") {
        let list = catalogue::pairs(all(state, facts, which));
        return filtered(state, facts, cursor, Relation::of_text(&["Variable_name", "Value"]).with_rows(list));
    }
    if cursor.word("STATUS") {
        let list = catalogue::pairs(catalogue::status(facts));
        return filtered(state, facts, cursor, Relation::of_text(&["Variable_name", "Value"]).with_rows(list));
    }
    if which != Which::Either {
        return Err(Stop::NotOurs);
    }
    if cursor.any_word(&["DATABASES", "SCHEMAS"]).is_some() {
        let rows = facts.databases.iter().map(|name| vec![text(*name)]);
        let relation = Relation::of_text(&["Database"]).with_rows(rows);
        return headed_by_pattern(state, facts, cursor, relation, "Database");
    }
    if cursor.word("COLLATION") {
        let relation = Relation::empty("Collation Charset Id# Default Compiled Sortlen# Pad_attribute");
        return filtered(state, facts, cursor, relation.with_rows(catalogue::collations()));
    }
    if cursor.words(&["CHARACTER", "SET"]) || cursor.word("CHARSET") {
        let mut relation = Relation::empty("Charset Description Default_collation Maxlen#");
        // The one name with a blank in it.
        relation.columns[2].name = "Default collation".into();
        return filtered(state, facts, cursor, relation.with_rows(catalogue::charsets()));
    }
    if cursor.words(&["STORAGE", "ENGINES"]) || cursor.word("ENGINES") {
        cursor.end()?;
        return Ok(Relation::empty("Engine Support Comment Transactions XA Savepoints").with_rows(catalogue::engines()));
    }
    if cursor.word("GRANTS") {
        return grants(facts, cursor);
    }
    if cursor.words(&["TABLE", "STATUS"]) {
        return table_status(state, facts, cursor);
    }
    let full = tables_or_columns(cursor);
    if cursor.word("TABLES") {
        return tables(state, facts, cursor, full);
    }
    if cursor.any_word(&["COLUMNS", "FIELDS", "INDEX", "INDEXES", "KEYS"]).is_some() {
        return columns(facts, cursor);
    }
    if full {
        return Err(Stop::NotOurs);
    }
    for (words, columns) in EMPTY {
        if cursor.words(words) {
            let mut relation = Relation::empty(columns);
            for column in &mut relation.columns {
                column.name = column.name.replace('~', " ").into();
            }
            in_database(facts, cursor)?;
            return filtered(state, facts, cursor, relation);
        }
    }
    Err(Stop::NotOurs)
}

/// Lists that are empty here, and their columns (`~` stands for a blank).
#[rustfmt::skip] // one list each
const EMPTY: &[(&[&str], &str)] = &[
    (&["PLUGINS"], "Name Status Type Library License"),
    (&["PRIVILEGES"], "Privilege Context Comment"),
    (&["PROFILES"], "Query_ID# Duration Query"),
    (&["EVENTS"], "Db Name Definer Time~zone Type Execute~at! Interval~value Interval~field Starts! Ends! Status \
        Originator# character_set_client collation_connection Database~Collation"),
    (&["TRIGGERS"], "Trigger Event Table Statement Timing Created! sql_mode Definer character_set_client \
        collation_connection Database~Collation"),
    (&["OPEN", "TABLES"], "Database Table In_use# Name_locked#"),
    (&["PROCEDURE", "STATUS"], ROUTINES),
    (&["FUNCTION", "STATUS"], ROUTINES),
    (&["BINARY", "LOGS"], "Log_name File_size# Encrypted"),
    (&["MASTER", "LOGS"], "Log_name File_size# Encrypted"),
    (&["MASTER", "STATUS"], POSITION),
    (&["BINARY", "LOG", "STATUS"], POSITION),
    (&["REPLICAS"], "Server_Id# Host Port# Source_Id# Replica_UUID"),
    (&["SLAVE", "HOSTS"], "Server_id# Host Port# Master_id# Slave_UUID"),
    (&["SLAVE", "STATUS"], "Slave_IO_State Master_Host Master_User Master_Port# Connect_Retry# Master_Log_File \
        Read_Master_Log_Pos# Relay_Log_File Relay_Log_Pos# Relay_Master_Log_File Slave_IO_Running Slave_SQL_Running \
        Replicate_Do_DB Replicate_Ignore_DB Replicate_Do_Table Replicate_Ignore_Table Replicate_Wild_Do_Table \
        Replicate_Wild_Ignore_Table Last_Errno# Last_Error Skip_Counter# Exec_Master_Log_Pos# Relay_Log_Space# \
        Until_Condition Until_Log_File Until_Log_Pos# Master_SSL_Allowed Master_SSL_CA_File Master_SSL_CA_Path \
        Master_SSL_Cert Master_SSL_Cipher Master_SSL_Key Seconds_Behind_Master# Master_SSL_Verify_Server_Cert \
        Last_IO_Errno# Last_IO_Error Last_SQL_Errno# Last_SQL_Error Replicate_Ignore_Server_Ids Master_Server_Id# \
        Master_UUID Master_Info_File SQL_Delay# SQL_Remaining_Delay# Slave_SQL_Running_State Master_Retry_Count# \
        Master_Bind Last_IO_Error_Timestamp Last_SQL_Error_Timestamp Master_SSL_Crl Master_SSL_Crlpath \
        Retrieved_Gtid_Set Executed_Gtid_Set Auto_Position# Replicate_Rewrite_DB Channel_Name Master_TLS_Version \
        Master_public_key_path Get_master_public_key# Network_Namespace"),
    (&["REPLICA", "STATUS"], "Replica_IO_State Source_Host Source_User Source_Port# Connect_Retry# Source_Log_File \
        Read_Source_Log_Pos# Relay_Log_File Relay_Log_Pos# Relay_Source_Log_File Replica_IO_Running \
        Replica_SQL_Running Replicate_Do_DB Replicate_Ignore_DB Replicate_Do_Table Replicate_Ignore_Table \
        Replicate_Wild_Do_Table Replicate_Wild_Ignore_Table Last_Errno# Last_Error Skip_Counter# \
        Exec_Source_Log_Pos# Relay_Log_Space# Until_Condition Until_Log_File Until_Log_Pos# Source_SSL_Allowed \
        Source_SSL_CA_File Source_SSL_CA_Path Source_SSL_Cert Source_SSL_Cipher Source_SSL_Key \
        Seconds_Behind_Source# Source_SSL_Verify_Server_Cert Last_IO_Errno# Last_IO_Error Last_SQL_Errno# \
        Last_SQL_Error Replicate_Ignore_Server_Ids Source_Server_Id# Source_UUID Source_Info_File SQL_Delay# \
        SQL_Remaining_Delay# Replica_SQL_Running_State Source_Retry_Count# Source_Bind Last_IO_Error_Timestamp \
        Last_SQL_Error_Timestamp Source_SSL_Crl Source_SSL_Crlpath Retrieved_Gtid_Set Executed_Gtid_Set \
        Auto_Position# Replicate_Rewrite_DB Channel_Name Source_TLS_Version Source_public_key_path \
        Get_Source_public_key# Network_Namespace"),
];

const ROUTINES: &str = "Db Name Type Definer Modified! Created! Security_type Comment character_set_client \
                        collation_connection Database~Collation";
const POSITION: &str = "File Position# Binlog_Do_DB Binlog_Ignore_DB Executed_Gtid_Set";

/// `[EXTENDED] [FULL]`, if it is tables or columns that follow (and not the process list).
fn tables_or_columns(cursor: &mut Cursor<'_>) -> bool {
    cursor.word("EXTENDED");
    cursor.word("FULL")
}

/// `[LIKE 'pattern' | WHERE condition]`, and the end.
fn filtered(
    state: &ClientState,
    facts: &Facts<'_>,
    cursor: &mut Cursor<'_>,
    mut relation: Relation,
) -> Found<Relation> {
    if cursor.word("LIKE") {
        relation.keep_like(&cursor.text().ok_or(Stop::NotOurs)?);
    } else if cursor.word("WHERE") {
        let condition = cursor.expression()?;
        relation.keep_where(&condition, state, facts)?;
    }
    cursor.end()?;
    Ok(relation)
}

/// The same where MySQL puts the pattern into the first column's name.
fn headed_by_pattern(
    state: &ClientState,
    facts: &Facts<'_>,
    cursor: &mut Cursor<'_>,
    relation: Relation,
    name: &str,
) -> Found<Relation> {
    let relation = match (cursor.sees("LIKE"), cursor.peek_second()) {
        (true, Token::SingleQuotedString(pattern) | Token::DoubleQuotedString(pattern)) => {
            let name = format!("{name} ({pattern})");
            relation.headed(name)
        }
        _ => relation,
    };
    filtered(state, facts, cursor, relation)
}

/// `[FROM | IN database]`: that or the current one, which must be there.
fn in_database(facts: &Facts<'_>, cursor: &mut Cursor<'_>) -> Found<Option<String>> {
    if cursor.any_word(&["FROM", "IN"]).is_none() {
        return Ok(facts.database.map(str::to_owned));
    }
    let name = cursor.name()?;
    check_database(facts, &name)?;
    Ok(Some(name))
}

fn check_database(facts: &Facts<'_>, name: &str) -> Found<()> {
    let known = facts.database == Some(name) || facts.databases.iter().any(|d| d.eq_ignore_ascii_case(name));
    if known || is_catalogue(name) { Ok(()) } else { Err(SqlError::unknown_database(name).into()) }
}

fn no_database() -> Stop {
    SqlError::of(ErrorKind::NoDatabaseSelected, "No database selected").into()
}

/// The names of a database's tables.
fn names(facts: &Facts<'_>, database: &str) -> Found<Vec<String>> {
    let within = || {
        let tables = facts.tables.into_iter().flatten();
        tables.filter(|table| table.database.eq_ignore_ascii_case(database)).map(|table| table.name.to_owned())
    };
    if is_catalogue(database) {
        // And what the server has there beside.
        let mut all: Vec<_> = catalogue::names(database).map(str::to_owned).chain(within()).collect();
        all.sort_unstable_by_key(|name| name.to_ascii_lowercase());
        all.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
        return Ok(all);
    }
    if facts.tables.is_none() { Err(Stop::NotOurs) } else { Ok(within().collect()) }
}

fn tables(state: &ClientState, facts: &Facts<'_>, cursor: &mut Cursor<'_>, full: bool) -> Found<Relation> {
    let database = in_database(facts, cursor)?.ok_or_else(no_database)?;
    let kind =
        if is_catalogue(&database) && !database.eq_ignore_ascii_case("mysql") { "SYSTEM VIEW" } else { "BASE TABLE" };
    let name = format!("Tables_in_{database}");
    let columns: &[&str] = if full { &["", "Table_type"] } else { &[""] };
    let rows = names(facts, &database)?;
    let rows = rows.into_iter().map(|name| if full { vec![text(name), text(kind)] } else { vec![text(name)] });
    let relation = Relation::of_text(columns).with_rows(rows).headed(name.clone());
    headed_by_pattern(state, facts, cursor, relation, &name)
}

fn table_status(state: &ClientState, facts: &Facts<'_>, cursor: &mut Cursor<'_>) -> Found<Relation> {
    let database = in_database(facts, cursor)?.ok_or_else(no_database)?;
    let relation = Relation::empty(
        "Name Engine Version# Row_format Rows# Avg_row_length# Data_length# Max_data_length# Index_length# Data_free# \
         Auto_increment# Create_time! Update_time! Check_time! Collation Checksum# Create_options Comment",
    );
    let width = relation.columns.len();
    let rows = names(facts, &database)?.into_iter().map(|name| {
        let mut row = vec![text(name)];
        row.resize(width, OwnedValue::Null);
        row
    });
    filtered(state, facts, cursor, relation.with_rows(rows))
}

/// `database.table` or `table`.
fn table_name(facts: &Facts<'_>, cursor: &mut Cursor<'_>) -> Found<(String, String)> {
    let name = cursor.name()?;
    if cursor.take(&Token::Period) {
        return Ok((name, cursor.name()?));
    }
    Ok((facts.database.ok_or_else(no_database)?.to_owned(), name))
}

/// The error for a table that is not there; not ours, if it is: then the server knows its columns.
fn missing(facts: &Facts<'_>, database: &str, table: &str) -> Stop {
    if let Err(stop) = check_database(facts, database) {
        return stop;
    }
    match names(facts, database) {
        Ok(names) if !names.iter().any(|name| name.eq_ignore_ascii_case(table)) => {
            let message = format!("Table '{database}.{table}' doesn't exist");
            SqlError::of(ErrorKind::NoSuchTable, message).into()
        }
        _ => Stop::NotOurs,
    }
}

/// `SHOW COLUMNS FROM table [FROM database] …`.
fn columns(facts: &Facts<'_>, cursor: &mut Cursor<'_>) -> Found<Relation> {
    cursor.any_word(&["FROM", "IN"]).ok_or(Stop::NotOurs)?;
    let name = cursor.name()?;
    let (database, table) = if cursor.take(&Token::Period) {
        (name, cursor.name()?)
    } else if cursor.any_word(&["FROM", "IN"]).is_some() {
        (cursor.name()?, name)
    } else {
        (facts.database.ok_or_else(no_database)?.to_owned(), name)
    };
    Err(missing(facts, &database, &table))
}

/// `SHOW GRANTS [FOR CURRENT_USER[()]]`: one's own only.
fn grants(facts: &Facts<'_>, cursor: &mut Cursor<'_>) -> Found<Relation> {
    if cursor.word("FOR") {
        cursor.expect_word("CURRENT_USER")?;
        if cursor.take(&Token::LParen) {
            cursor.expect(&Token::RParen)?;
        }
    }
    cursor.end()?;
    let privileges: Vec<&str> = catalogue::privileges(facts).collect();
    let grant = format!("GRANT {} ON *.* TO {}", privileges.join(", "), catalogue::quoted(facts.current_user, '`'));
    let column = format!("Grants for {}", facts.current_user);
    Ok(Relation::of_text(&[""]).headed(column).with_rows([vec![text(grant)]]))
}
