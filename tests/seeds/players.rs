//! Who plays a client: a library, whose answers are printed here, or the `mariadb` command-line client, which prints
//! them itself.

use std::{
    io::{BufRead, BufReader, ErrorKind, PipeReader, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, Command},
    sync::mpsc,
};

use mysql_async::{Column, Conn, Error, OptsBuilder, Row, Value, consts::ColumnFlags, prelude::Queryable};
use tokio::task::JoinHandle;

use crate::{
    replay::{Client, LOST, shown},
    stage::{PASSWORD, PATIENCE},
};

/// A client that is connected, or about to be.
pub trait Player {
    /// Says a statement.
    fn begin(&mut self, statement: &str);

    /// How the statement that was begun is answered, in the lines that the mariadb client prints with `--table`, without
    /// times and numbers of rows.
    fn answer(&mut self) -> Vec<String>;
}

/// A client by a library.
pub struct Library {
    own: tokio::runtime::Runtime,
    conn: Option<Conn>,
    asked: Option<JoinHandle<(Conn, Vec<String>)>>,
}

impl Library {
    pub fn connect(address: SocketAddr, client: &Client) -> Self {
        let own = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let opts = OptsBuilder::default()
            .ip_or_hostname(address.ip().to_string())
            .tcp_port(address.port())
            .prefer_socket(false)
            .user(Some(&client.user))
            .pass(Some(PASSWORD))
            .db_name(client.database.as_ref())
            // Else it asks for them, and those would be statements.
            .max_allowed_packet(Some(64 << 20))
            .wait_timeout(Some(28800));
        let conn = own.block_on(Conn::new(opts)).unwrap();
        Self { own, conn: Some(conn), asked: None }
    }
}

impl Player for Library {
    fn begin(&mut self, statement: &str) {
        let (mut conn, statement) = (self.conn.take().expect("one statement at a time"), statement.to_owned());
        self.asked = Some(self.own.spawn(async move {
            let lines = ask(&mut conn, &statement).await;
            (conn, lines)
        }));
    }

    fn answer(&mut self) -> Vec<String> {
        let asked = self.asked.take().expect("a statement was begun");
        let answered = self.own.block_on(async { tokio::time::timeout(PATIENCE, asked).await });
        let (conn, lines) = answered.expect("an answer").unwrap();
        self.conn = Some(conn);
        lines
    }
}

async fn ask(conn: &mut Conn, statement: &str) -> Vec<String> {
    let result = match conn.query_iter(statement).await {
        Ok(mut result) => match result.columns().filter(|columns| !columns.is_empty()) {
            Some(columns) => result.collect::<Row>().await.map(|rows| table(&columns, &rows)),
            None => {
                let (affected, warnings) = (result.affected_rows(), result.warnings());
                let rows = if affected == 1 { "row" } else { "rows" };
                let warned = match warnings {
                    0 => String::new(),
                    1 => ", 1 warning".to_owned(),
                    more => format!(", {more} warnings"),
                };
                Ok(vec![format!("Query OK, {affected} {rows} affected{warned}")])
            }
        },
        Err(error) => Err(error),
    };
    match result {
        Ok(lines) => lines,
        Err(Error::Server(error)) => vec![format!("ERROR {} ({}): {}", error.code, error.state, error.message)],
        Err(Error::Io(_) | Error::Driver(_)) => vec![LOST.to_owned()],
        Err(other) => panic!("{statement}: {other}"),
    }
}

/// A result set as the mariadb client prints it: numbers at the right of their columns, and room for NULL where there may
/// be one.
fn table(columns: &[Column], rows: &[Row]) -> Vec<String> {
    let names: Vec<String> = columns.iter().map(|column| column.name_str().into_owned()).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(|row| (0..names.len()).map(|at| cell(&row[at])).collect()).collect();
    let width = |at: usize| {
        let cells = rows.iter().map(|row| row[at].chars().count());
        let room = if columns[at].flags().contains(ColumnFlags::NOT_NULL_FLAG) { 0 } else { "NULL".len() };
        cells.chain([names[at].chars().count(), room]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let border: String = widths.iter().map(|width| format!("+{}", "-".repeat(width + 2))).chain(["+".into()]).collect();
    let line = |cells: &[String], right: &dyn Fn(usize) -> bool| -> String {
        let padded = cells.iter().zip(&widths).enumerate().map(|(at, (cell, width))| match right(at) {
            true => format!("| {cell:>width$} "),
            false => format!("| {cell:<width$} "),
        });
        padded.chain(["|".into()]).collect()
    };
    let numeric = |at: usize| columns[at].column_type().is_numeric_type();
    let mut lines = vec![border.clone(), line(&names, &|_| false), border.clone()];
    if !rows.is_empty() {
        lines.extend(rows.iter().map(|row| line(row, &numeric)));
        lines.push(border);
    }
    lines
}

fn cell(value: &Value) -> String {
    match value {
        Value::NULL => "NULL".to_owned(),
        Value::Bytes(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        other => panic!("text was asked for: {other:?}"),
    }
}

/// The mariadb client, with its statements on a pipe.
pub struct Cli {
    client: Child,
    input: ChildStdin,
    lines: mpsc::Receiver<String>,
    statements: usize,
}

impl Cli {
    pub fn start(address: SocketAddr, client: &Client) -> Self {
        let (output, said) = std::io::pipe().unwrap();
        let spawned = Command::new("mariadb")
            // Nothing of the caller's options and history.
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", std::env::temp_dir())
            .args(["--no-defaults", "--skip-ssl", "--protocol=tcp", "--skip-reconnect"])
            // Tables, OKs too, at once, and on after an error.
            .args(["--table", "-vv", "--unbuffered", "--force"])
            .arg(format!("--host={}", address.ip()))
            .arg(format!("--port={}", address.port()))
            .args([format!("--user={}", client.user), format!("--password={PASSWORD}")])
            .args(client.database.iter().map(|name| format!("--database={name}")))
            .stdin(std::process::Stdio::piped())
            .stdout(said.try_clone().unwrap())
            .stderr(said)
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("there is no mariadb client: apt-get install mariadb-client")
            }
            Err(error) => panic!("the mariadb client: {error}"),
        };
        let input = child.stdin.take().expect("it is piped");
        Self { client: child, input, lines: read(output), statements: 0 }
    }

    /// What the client prints itself once it is through with the last statement.
    fn mark(&self) -> String {
        format!("end of statement {}", self.statements)
    }
}

/// The lines of a pipe, as they come.
fn read(output: PipeReader) -> mpsc::Receiver<String> {
    let (send, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            if line.is_ok_and(|line| send.send(line).is_err()) {
                return;
            }
        }
    });
    lines
}

impl Player for Cli {
    fn begin(&mut self, statement: &str) {
        self.statements += 1;
        writeln!(self.input, "{statement};\n\\! echo {}", self.mark()).expect("the mariadb client reads");
    }

    fn answer(&mut self) -> Vec<String> {
        let (mark, mut lines) = (self.mark(), Vec::new());
        let mut repeats = false;
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no answer behind {lines:#?}"));
            if line == mark {
                return lines;
            }
            // It repeats each statement, between two lines; on another pace than its errors.
            if line == "--------------" {
                repeats = !repeats;
            } else if !repeats && !line.is_empty() {
                lines.extend(shown(&line).map(without_place));
            }
        }
    }
}

/// `ERROR 1317 (70100) at line 3: …` without the line; those that the client has of its own say that nobody is there.
fn without_place(line: String) -> String {
    let Some((error, text)) = line.split_once(" at line ").filter(|_| line.starts_with("ERROR ")) else { return line };
    match error {
        "ERROR 2006 (HY000)" | "ERROR 2013 (HY000)" => LOST.to_owned(),
        _ => format!("{error}:{}", text.split_once(':').map_or("", |(_, text)| text)),
    }
}

impl Drop for Cli {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}
