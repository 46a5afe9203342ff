//! What a client does once it is in, and what may come of it.

use std::time::Duration;

use crate::{
    client::{Answer, LONGEST, Lost, PATIENCE, Who, fault},
    dice::Dice,
    ledger::Parting,
    raw::framed,
    visit::{Guest, USERS, pause},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Echo,
    Own,
    Count,
    Sleep,
    Compute,
    Several,
    Pipeline,
    Prepared,
    LeavePrepared,
    Transaction,
    Begin,
    Variable,
    Database,
    NoDatabase,
    Empty,
    UnknownCommand,
    Ping,
    Statistics,
    List,
    ProcessInfo,
    SystemTable,
    History,
    KillQuery,
    KillConnection,
    ProcessKill,
    KillOwnQuery,
    ChangeUser,
    Reset,
    // Those that end it.
    KillOwn,
    FailedChangeUser,
    Quit,
    Vanish,
    VanishInStatement,
    VanishInRows,
    VanishInPacket,
    Stall,
    WrongSequence,
    TooLong,
    RubbishBytes,
    RubbishPackets,
}

/// An answer to a kill.
const UNKNOWN_THREAD: u16 = 1094;
const NOT_OWNER: u16 = 1095;
const INTERRUPTED: u16 = 1317;

impl Act {
    pub const ORDINARY: [(u64, Act); 28] = [
        (20, Act::Echo),
        (5, Act::Own),
        (10, Act::Count),
        (15, Act::Sleep),
        (3, Act::Compute),
        (4, Act::Several),
        (4, Act::Pipeline),
        (6, Act::Prepared),
        (4, Act::LeavePrepared),
        (4, Act::Transaction),
        (3, Act::Begin),
        (2, Act::Variable),
        (2, Act::Database),
        (1, Act::NoDatabase),
        (1, Act::Empty),
        (1, Act::UnknownCommand),
        (3, Act::Ping),
        (1, Act::Statistics),
        (1, Act::List),
        (1, Act::ProcessInfo),
        (1, Act::SystemTable),
        (1, Act::History),
        (3, Act::KillQuery),
        (2, Act::KillConnection),
        (1, Act::ProcessKill),
        (1, Act::KillOwnQuery),
        (3, Act::ChangeUser),
        (3, Act::Reset),
    ];

    pub const ENDS: [(u64, Act); 12] = [
        (25, Act::Quit),
        (15, Act::Vanish),
        (12, Act::VanishInStatement),
        (8, Act::VanishInRows),
        (6, Act::VanishInPacket),
        (8, Act::Stall),
        (3, Act::WrongSequence),
        (3, Act::TooLong),
        (5, Act::RubbishBytes),
        (5, Act::RubbishPackets),
        (4, Act::KillOwn),
        (3, Act::FailedChangeUser),
    ];

    pub fn name(self) -> &'static str {
        match self {
            Act::Echo => "echo",
            Act::Own => "own id",
            Act::Count => "seq(n)",
            Act::Sleep => "SLEEP",
            Act::Compute => "BENCHMARK",
            Act::Several => "several statements",
            Act::Pipeline => "pipelined statements",
            Act::Prepared => "prepare, execute, close",
            Act::LeavePrepared => "prepare, execute",
            Act::Transaction => "transaction",
            Act::Begin => "BEGIN",
            Act::Variable => "SET @x",
            Act::Database => "COM_INIT_DB",
            Act::NoDatabase => "unknown database",
            Act::Empty => "empty statement",
            Act::UnknownCommand => "unknown command",
            Act::Ping => "ping",
            Act::Statistics => "statistics",
            Act::List => "SHOW PROCESSLIST",
            Act::ProcessInfo => "COM_PROCESS_INFO",
            Act::SystemTable => "information_schema.processlist",
            Act::History => "killdeer.kill_history",
            Act::KillQuery => "KILL QUERY",
            Act::KillConnection => "KILL CONNECTION",
            Act::ProcessKill => "COM_PROCESS_KILL",
            Act::KillOwnQuery => "KILL QUERY of itself",
            Act::ChangeUser => "change of user",
            Act::Reset => "reset",
            Act::KillOwn => "KILL of itself",
            Act::FailedChangeUser => "failed change of user",
            Act::Quit => "quit",
            Act::Vanish => "vanish while idle",
            Act::VanishInStatement => "vanish in a statement",
            Act::VanishInRows => "vanish amid rows",
            Act::VanishInPacket => "vanish amid a packet",
            Act::Stall => "stop reading",
            Act::WrongSequence => "wrong sequence number",
            Act::TooLong => "packet that is too long",
            Act::RubbishBytes => "rubbish: bytes",
            Act::RubbishPackets => "rubbish: packets",
        }
    }
}

impl Guest<'_> {
    /// Counts an error, and looks whether it may be. One that is interrupted has an explanation of its own.
    fn look(&mut self, act: Act, code: u16, allowed: &[u16]) -> Result<(), Lost> {
        if code != 0 {
            self.stage.ledger.met(code);
        }
        match code {
            INTERRUPTED => self.interrupted = true,
            code if allowed.contains(&code) => {}
            code => return fault(format!("{act:?} of {:?} was answered by {code}", self.who)),
        }
        Ok(())
    }

    /// A statement; what its answer may be, beside an interruption.
    async fn ask(&mut self, act: Act, sql: &str, allowed: &[u16]) -> Result<Answer, Lost> {
        let answer = self.client.query(sql).await?;
        self.look(act, answer.code(), allowed)?;
        Ok(answer)
    }

    /// One of the acts that end nothing. If it ended the connection after all, how.
    pub async fn act(&mut self, act: Act, dice: &mut Dice) -> Result<Option<Parting>, Lost> {
        match act {
            Act::Echo => {
                let said = format!("SELECT 'echo {}'", dice.next());
                let heard = self.one_cell(act, &said).await?;
                if heard.is_some_and(|heard| heard != said.as_bytes()) {
                    return fault("it did not say back what was said");
                }
            }
            Act::Own => {
                let heard = self.one_cell(act, "SELECT CONNECTION_ID()").await?;
                if heard.is_some_and(|heard| heard != self.client.id.to_string().into_bytes()) {
                    return fault("the id of the greeting is not the session's");
                }
            }
            Act::Count => self.count(act, 1 + dice.below(5000)).await?,
            Act::Sleep => {
                let time = dice.below(300);
                self.ask(act, &format!("SELECT SLEEP({}.{:03})", time / 1000, time % 1000), &[0]).await?;
            }
            Act::Compute => _ = self.ask(act, "SELECT BENCHMARK(100000, 1)", &[0]).await?,
            Act::Several => self.several(act).await?,
            Act::Pipeline => self.pipeline(act, 2 + dice.below(20)).await?,
            Act::Prepared => self.prepared(act, dice, true).await?,
            Act::LeavePrepared => self.prepared(act, dice, false).await?,
            Act::Transaction => {
                self.ask(act, "BEGIN", &[0]).await?;
                self.ask(act, "INSERT INTO t VALUES (1)", &[0]).await?;
                self.ask(act, dice.one_of(&["COMMIT", "ROLLBACK"]), &[0]).await?;
            }
            Act::Begin => _ = self.ask(act, "BEGIN", &[0]).await?,
            Act::Variable => _ = self.ask(act, "SET @x = 5", &[0]).await?,
            Act::Database => self.told(act, 0x02, b"test", &[0]).await?,
            Act::NoDatabase => self.told(act, 0x02, b"nosuch", &[1049]).await?,
            Act::Empty => _ = self.ask(act, "", &[1065]).await?,
            Act::UnknownCommand => self.told(act, 0x99, &[], &[1047]).await?,
            Act::Ping => self.told(act, 0x0e, &[], &[0]).await?,
            Act::Reset => self.told(act, 0x1f, &[], &[0]).await?,
            Act::Statistics => {
                self.client.command(0x09, &[]).await?;
                if !self.client.receive().await?.starts_with(b"Uptime: ") {
                    return fault("no statistics");
                }
            }
            Act::List => self.list(act, 0x03, b"SHOW FULL PROCESSLIST").await?,
            Act::ProcessInfo => self.list(act, 0x0a, b"").await?,
            Act::SystemTable => {
                let sql = "SELECT id, user, command, COUNT(*) OVER () FROM information_schema.processlist";
                self.list(act, 0x03, sql.as_bytes()).await?;
            }
            Act::History => {
                let sql = "SELECT by_user, mode, outcome, COUNT(*) FROM killdeer.kill_history GROUP BY 1, 2, 3";
                self.ask(act, sql, &[0]).await?;
            }
            Act::KillQuery | Act::KillConnection | Act::ProcessKill => self.kill(act, dice).await?,
            Act::KillOwnQuery => {
                let answer = self.client.query(&format!("KILL QUERY {}", self.client.id)).await?;
                self.stage.ledger.met(answer.code());
                if answer.code() != INTERRUPTED {
                    return fault(format!("who killed its own statement was answered by {answer:?}"));
                }
            }
            Act::ChangeUser => return self.change_user(act, dice).await,
            _ => unreachable!("{act:?} is an end"),
        }
        Ok(None)
    }

    /// A command that is answered by OK or an error.
    async fn told(&mut self, act: Act, command: u8, rest: &[u8], allowed: &[u16]) -> Result<(), Lost> {
        self.client.command(command, rest).await?;
        let answer = self.client.answer().await?;
        self.look(act, answer.code(), allowed)
    }

    /// The one cell of the one row; `None`: it was interrupted.
    async fn one_cell(&mut self, act: Act, sql: &str) -> Result<Option<Vec<u8>>, Lost> {
        self.client.command(0x03, sql.as_bytes()).await?;
        let mut cell = None;
        let answer = self.client.answer_with(|row| {
            cell = cells(row).into_iter().next().flatten();
            Ok(())
        });
        let answer = answer.await?;
        self.look(act, answer.code(), &[0])?;
        match answer {
            Answer::Error(_) => Ok(None),
            Answer::Rows(1, false) => Ok(Some(cell.unwrap_or_default())),
            other => fault(format!("{sql} gave {other:?}")),
        }
    }

    async fn count(&mut self, act: Act, last: u64) -> Result<(), Lost> {
        self.client.command(0x03, format!("SELECT * FROM seq({last})").as_bytes()).await?;
        let mut next = 1;
        let answer = self.client.answer_with(|row| {
            if cells(row) != [Some(next.to_string().into_bytes())] {
                return fault(format!("row {next} is {row:?}"));
            }
            next += 1;
            Ok(())
        });
        let answer = answer.await?;
        self.look(act, answer.code(), &[0])?;
        match answer {
            Answer::Error(_) => Ok(()),
            Answer::Rows(rows, false) if rows == last => Ok(()),
            other => fault(format!("{other:?} instead of {last} rows")),
        }
    }

    async fn several(&mut self, act: Act) -> Result<(), Lost> {
        self.client.command(0x03, b"SELECT 1; DO 1; SELECT * FROM seq(3)").await?;
        for wanted in [Answer::Rows(1, true), Answer::Ok(true), Answer::Rows(3, false)] {
            let answer = self.client.answer().await?;
            self.look(act, answer.code(), &[0])?;
            match answer {
                // The rest is dropped.
                Answer::Error(_) => return Ok(()),
                answer if answer == wanted => {}
                answer => return fault(format!("{answer:?} instead of {wanted:?}")),
            }
        }
        Ok(())
    }

    async fn pipeline(&mut self, act: Act, count: u64) -> Result<(), Lost> {
        let one = framed(0, b"\x03DO 1");
        self.client.write(&one.repeat(usize::try_from(count).unwrap())).await?;
        for _ in 0..count {
            self.client.expect_next(1);
            let answer = self.client.answer().await?;
            self.look(act, answer.code(), &[0])?;
        }
        Ok(())
    }

    async fn prepared(&mut self, act: Act, dice: &mut Dice, close: bool) -> Result<(), Lost> {
        self.client.command(0x16, b"SELECT ?, ?").await?;
        let first = self.client.receive().await?;
        if first[0] == 0xff {
            return self.look(act, u16::from_le_bytes([first[1], first[2]]), &[]);
        }
        let id = &first[1..5];
        for _ in 0..first[5] + first[7] {
            self.client.receive().await?;
        }
        let number = dice.next();
        let text = format!("parameter {}", dice.below(1 << 40));
        for _ in 0..1 + dice.below(3) {
            let mut payload = [id, &[0, 1, 0, 0, 0, 0, 1, 8, 0x80, 0xfd, 0], &number.to_le_bytes()].concat();
            payload.push(u8::try_from(text.len()).unwrap());
            payload.extend_from_slice(text.as_bytes());
            self.client.command(0x17, &payload).await?;
            let wanted = payload[payload.len() - 9 - text.len()..].to_vec();
            let answer = self.client.answer_with(|row| match row.ends_with(&wanted) {
                true => Ok(()),
                false => fault(format!("{wanted:?} came back as {row:?}")),
            });
            let answer = answer.await?;
            self.look(act, answer.code(), &[0])?;
        }
        if close {
            self.client.command(0x19, id).await?;
        }
        Ok(())
    }

    /// A list; it has the client itself and, of those whom it may not see, none.
    async fn list(&mut self, act: Act, command: u8, sql: &[u8]) -> Result<(), Lost> {
        self.client.command(command, sql).await?;
        let (own, user) = (self.client.id.to_string(), self.who.user);
        let mut seen = false;
        let answer = self.client.answer_with(|row| {
            let cells = cells(row);
            seen |= cells[0].as_deref() == Some(own.as_bytes());
            let whose = cells[1].as_deref().unwrap_or_default();
            if user != "root" && whose != user.as_bytes() {
                return fault(format!("{user} sees {}", String::from_utf8_lossy(whose)));
            }
            Ok(())
        });
        let answer = answer.await?;
        self.look(act, answer.code(), &[0])?;
        if answer.code() == 0 && !seen { fault("who lists is not in the list") } else { Ok(()) }
    }

    async fn kill(&mut self, act: Act, dice: &mut Dice) -> Result<(), Lost> {
        let id = self.stage.somebody(self.client.id, dice);
        match act {
            Act::KillQuery => self.client.command(0x03, format!("KILL QUERY {id}").as_bytes()).await?,
            Act::KillConnection => self.client.command(0x03, format!("KILL {id}").as_bytes()).await?,
            _ => self.client.command(0x0c, &id.to_le_bytes()).await?,
        }
        let answer = self.client.answer().await?;
        let allowed = if self.who.user == "root" { &[0, UNKNOWN_THREAD][..] } else { &[0, UNKNOWN_THREAD, NOT_OWNER] };
        self.look(act, answer.code(), allowed)
    }

    async fn change_user(&mut self, act: Act, dice: &mut Dice) -> Result<Option<Parting>, Lost> {
        let whom: Vec<_> = USERS.into_iter().filter(|who| who.tls == self.who.tls).collect();
        let who = dice.one_of(&whom);
        self.changing = true;
        let code = self.client.change_user(who).await?;
        self.changing = false;
        self.look(act, code, &[0])?;
        self.who = who;
        // A kill ends the session, which is told 1317 then.
        Ok((code == INTERRUPTED).then_some(Parting::Refused))
    }

    /// One of the acts that end it: how, and whether by a reset.
    pub async fn end(&mut self, act: Act, dice: &mut Dice) -> Result<(Parting, bool), Lost> {
        let reset = dice.percent(50);
        let parting = match act {
            Act::Quit => {
                self.client.command(0x01, &[]).await?;
                if !self.client.drain(PATIENCE).await {
                    return fault("a goodbye was not heard");
                }
                return Ok((Parting::Quit, false));
            }
            Act::Vanish => Parting::Vanished,
            Act::VanishInStatement => {
                let sql = dice.one_of(&["SELECT SLEEP(1000)", "SELECT BENCHMARK(1000000000000, 1)", "SELECT 1"]);
                self.client.command(0x03, sql.as_bytes()).await?;
                pause(Duration::from_millis(dice.below(200)), self.until).await;
                Parting::Vanished
            }
            Act::VanishInRows | Act::Stall => {
                self.client.command(0x03, b"SELECT * FROM seq(1000000000)").await?;
                for _ in 0..dice.below(3000) {
                    if self.client.receive().await?[0] == 0xff {
                        // Nothing but a kill ends it.
                        self.interrupted = true;
                        return Ok((Parting::Vanished, reset));
                    }
                }
                if act == Act::Stall {
                    pause(Duration::from_millis(dice.below(4000)), self.until).await;
                }
                Parting::Vanished
            }
            Act::VanishInPacket => {
                let whole = framed(0, b"\x03SELECT 'the rest of this never comes'");
                let part = 1 + usize::try_from(dice.below(whole.len() as u64 - 1)).unwrap();
                self.client.write(&whole[..part]).await?;
                pause(Duration::from_millis(dice.below(50)), self.until).await;
                Parting::Vanished
            }
            Act::WrongSequence => return self.is_refused(&framed(7, b"\x03SELECT 1"), 1156).await,
            Act::TooLong => {
                let length = u32::try_from(LONGEST + 1).unwrap().to_le_bytes();
                return self.is_refused(&[&length[..3], &[0], b"\x03"].concat(), 1153).await;
            }
            Act::RubbishBytes => {
                let bytes = dice.bytes(300);
                self.client.write(&bytes).await?;
                self.client.drain(Duration::from_millis(dice.below(100))).await;
                Parting::Rubbish
            }
            Act::RubbishPackets => {
                for _ in 0..1 + dice.below(5) {
                    let payload = dice.bytes(60);
                    self.client.write(&framed(0, &payload)).await?;
                }
                self.client.drain(Duration::from_millis(dice.below(100))).await;
                Parting::Rubbish
            }
            Act::KillOwn => {
                let answer = self.client.query(&format!("KILL {}", self.client.id)).await?;
                self.stage.ledger.met(answer.code());
                if answer.code() != INTERRUPTED || !self.client.drain(PATIENCE).await {
                    return fault(format!("who killed itself was answered by {answer:?}"));
                }
                return Ok((Parting::OwnKill, false));
            }
            Act::FailedChangeUser => {
                let nobody = Who { user: "nobody", tls: self.who.tls, ..USERS[5] };
                self.changing = true;
                let code = self.client.change_user(nobody).await?;
                self.changing = false;
                self.look(act, code, &[1045])?;
                return Ok((Parting::Refused, reset));
            }
            _ => unreachable!("{act:?} ends nothing"),
        };
        Ok((parting, reset))
    }

    /// Sends what ends the connection with this error.
    async fn is_refused(&mut self, bytes: &[u8], wanted: u16) -> Result<(Parting, bool), Lost> {
        self.client.write(bytes).await?;
        let packet = self.client.receive_any().await?;
        match packet[..] {
            [0xff, low, high, ..] if u16::from_le_bytes([low, high]) == wanted => self.stage.ledger.met(wanted),
            _ => return fault(format!("{packet:?} instead of {wanted}")),
        }
        Ok((Parting::Refused, false))
    }
}

/// The cells of a row of text.
fn cells(mut row: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut cells = Vec::new();
    while let Some((&length, rest)) = row.split_first() {
        let (length, rest) = match length {
            0xfb => {
                cells.push(None);
                row = rest;
                continue;
            }
            0xfc => (usize::from(u16::from_le_bytes([rest[0], rest[1]])), &rest[2..]),
            0xfd => (u32::from_le_bytes([rest[0], rest[1], rest[2], 0]) as usize, &rest[3..]),
            short => (usize::from(short), rest),
        };
        cells.push(Some(rest[..length].to_vec()));
        row = &rest[length..];
    }
    cells
}
