//! A replay: what a file of this folder says, and nothing of how it is played.
//!
//! A line is one of these; `#` begins a comment, an empty line ends an answer.
//!
//! | line | what it says |
//! | --- | --- |
//! | `seed FILE` | the document that is replayed |
//! | `dialect NAME` | in which dialect |
//! | `ids plain FIRST`, `ids oceanbase SERVER FIRST`, `ids tidb64 SERVER FIRST` | which ids, of which server, from which local number on |
//! | `node ADDRESS` | what the server is called in lists |
//! | `query N NAME` | what its Nth command is called |
//! | `clock SECONDS` | what time it is, since 1970, and stays |
//! | `mask ADDRESS TEXT` | in tables the address is printed as this text |
//! | `hold STATEMENT` | the engine has no end of this one |
//! | `connect NAME ID USER HOST [DATABASE]` | a client comes from there, and has to get that id |
//! | `others N` | so many others come and go |
//! | `wait SECONDS` | so much time passes |
//! | `NAME> STATEMENT;` | the client says it, and is answered with the lines behind |
//! | `NAME>> STATEMENT;` | the client says it; it has begun, and goes on |
//! | `NAME<` | what it began is answered with the lines behind |
//! | `misprint STATEMENT;` | the document prints this where it means what follows |
//! | `also …` | this statement, or this line of an answer, the document does not have |
//! | `~ …` | this line of an answer is in the document, but is not expected here |

use std::{collections::HashMap, path::Path};

/// What a client is told that is told nothing any more.
pub const LOST: &str = "the connection is lost";

/// A file.
#[derive(Debug, Default)]
pub struct Replay {
    pub seed: String,
    pub dialect: String,
    /// The layout's name and numbers.
    pub ids: Vec<String>,
    pub node: Option<String>,
    /// A command's number, from 1 on, and what it is called.
    pub query: Option<(u64, String)>,
    pub clock: Option<u64>,
    pub mask: Option<(String, String)>,
    pub held: Vec<String>,
    pub steps: Vec<Step>,
}

#[derive(Debug)]
pub enum Step {
    Connect(Client),
    Others(usize),
    Wait(u64),
    /// What the document prints in place of the next statement, with its semicolon.
    Misprint(String),
    /// A statement, without the semicolon, and its answer; without one, it goes on.
    Say {
        who: String,
        statement: String,
        printed: bool,
        answer: Option<Answer>,
    },
    Get {
        who: String,
        answer: Answer,
    },
}

#[derive(Clone, Debug)]
pub struct Client {
    pub name: String,
    pub id: u64,
    pub user: String,
    pub host: String,
    pub database: Option<String>,
}

#[derive(Debug, Default)]
pub struct Answer {
    /// As the client is to show it: without times and numbers of rows.
    pub expected: Vec<String>,
    /// What of it, and around it, stands in the document, in one piece.
    pub printed: Vec<String>,
}

impl Replay {
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut replay = Self::default();
        for (at, line) in text.lines().enumerate() {
            replay.take(line).unwrap_or_else(|why| panic!("{}:{}: {why}: {line}", path.display(), at + 1));
        }
        assert!(!replay.seed.is_empty() && !replay.steps.is_empty(), "{} replays nothing", path.display());
        replay
    }

    fn take(&mut self, line: &str) -> Result<(), &'static str> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (also, bare) = line.strip_prefix("also ").map_or((false, line), |rest| (true, rest));
        let (word, rest) = bare.split_once(' ').unwrap_or((bare, ""));
        let number = || rest.parse().map_err(|_| "a number is wanted");
        match word {
            "seed" => rest.clone_into(&mut self.seed),
            "dialect" => rest.clone_into(&mut self.dialect),
            "ids" => self.ids = rest.split(' ').map(str::to_owned).collect(),
            "node" => self.node = Some(rest.to_owned()),
            "query" => {
                let (number, name) = rest.split_once(' ').ok_or("a number and a name are wanted")?;
                self.query = Some((number.parse().map_err(|_| "a number is wanted")?, name.to_owned()));
            }
            "clock" => self.clock = Some(number()?),
            "hold" => self.held.push(rest.to_owned()),
            "misprint" => self.steps.push(Step::Misprint(rest.to_owned())),
            "mask" => {
                let (address, text) = rest.split_once(' ').ok_or("an address and a text are wanted")?;
                self.mask = Some((address.to_owned(), text.to_owned()));
            }
            "others" => self.steps.push(Step::Others(usize::try_from(number()?).map_err(|_| "too many")?)),
            "wait" => self.steps.push(Step::Wait(number()?)),
            "connect" => {
                self.steps.push(Step::Connect(client(rest).ok_or("a name, an id, a user, a host are wanted")?))
            }
            _ => {
                if let Some(who) = word.strip_suffix(">>") {
                    self.say(who, rest, !also, None)?;
                } else if let Some(who) = word.strip_suffix('>') {
                    self.say(who, rest, !also, Some(Answer::default()))?;
                } else if let Some(who) = word.strip_suffix('<') {
                    self.steps.push(Step::Get { who: who.to_owned(), answer: Answer::default() });
                } else {
                    return self.answered(line);
                }
            }
        }
        Ok(())
    }

    fn say(&mut self, who: &str, text: &str, printed: bool, answer: Option<Answer>) -> Result<(), &'static str> {
        let statement = text.strip_suffix(';').ok_or("a statement ends with a semicolon")?.to_owned();
        self.steps.push(Step::Say { who: who.to_owned(), statement, printed, answer });
        Ok(())
    }

    /// A line of the last step's answer.
    fn answered(&mut self, line: &str) -> Result<(), &'static str> {
        let (answer, printed) = match self.steps.last_mut() {
            Some(Step::Say { answer: Some(answer), printed, .. }) => (answer, *printed),
            Some(Step::Get { answer, .. }) => (answer, true),
            _ => return Err("nothing was asked that this could answer"),
        };
        if let Some(text) = line.strip_prefix("also ") {
            answer.expected.extend(shown(text));
        } else if let Some(text) = line.strip_prefix("~ ") {
            answer.printed.push(text.to_owned());
        } else {
            answer.expected.extend(shown(line));
            if printed && line != LOST {
                answer.printed.push(line.to_owned());
            }
        }
        Ok(())
    }

    /// What each client is, by its name.
    pub fn clients(&self) -> HashMap<&str, &Client> {
        let connected = self.steps.iter().filter_map(|step| match step {
            Step::Connect(client) => Some((client.name.as_str(), client)),
            _ => None,
        });
        connected.collect()
    }
}

fn client(text: &str) -> Option<Client> {
    let mut words = text.split(' ').map(str::to_owned);
    let (name, id, user, host) = (words.next()?, words.next()?.parse().ok()?, words.next()?, words.next()?);
    Some(Client { name, id, user, host, database: words.next() })
}

/// A line without what is not compared: how long it took, how many rows there were.
pub fn shown(line: &str) -> Option<String> {
    let counts = |text: &str| {
        let number = text.split(' ').next().unwrap_or_default();
        number.parse::<u64>().is_ok() && (text.contains(" row in set") || text.contains(" rows in set"))
    };
    if counts(line) {
        return None;
    }
    let timed = line.strip_suffix(" sec)").and_then(|rest| rest.rsplit_once(" ("));
    Some(match timed {
        Some((text, time)) if time.parse::<f64>().is_ok() => text.to_owned(),
        _ => line.to_owned(),
    })
}
