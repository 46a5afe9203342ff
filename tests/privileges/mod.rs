//! Who sees and kills whom in each of the six systems: the tables, and how they are read. The tests of the dialects, of
//! sessions and of the wire go by them.
//!
//! A line is for somebody who asks, a column for the owner of a session. An account is its user name, `@` and the host it is
//! bound to if that is not `%`, `:` and its tenant (with `#` and its cluster), and its privileges; `itself` is another session of whoever asks, and
//! `nobody` one before login. A cell says whether the session is seen (`+`) or not (`-`), and the answer to a kill, which is
//! the same for `KILL QUERY` and `KILL CONNECTION`: `ok` or the error, and after a `/` the error where denials are hidden,
//! if that is another one. Cells with a `*` are tried over real connections too.

use super::{Principal, Privileges, Tenant};

/// The tables, each with the name of its system.
pub const TABLES: [(&str, &str); 6] =
    [("mysql", MYSQL), ("mariadb", MARIADB), ("doris", DORIS), ("oceanbase", OCEANBASE), ("tidb", TIDB), ("odp", ODP)];

/// The same user name is the same user, whatever the host. Sight is PROCESS, the right to kill CONNECTION_ADMIN or SUPER;
/// whoever has SYSTEM_USER is protected from those who have not, be it the same user.
const MYSQL: &str = "
                                  | itself | alice         | alice @10.%   | system SYSTEM_USER | nobody
alice                             | + ok * | + ok          | + ok *        | - 1095/1094 *      | - 1095/1094
alice @10.%                       | + ok   | + ok          | + ok          | - 1095/1094        | - 1095/1094
bob                               | + ok   | - 1095/1094 * | - 1095/1094   | - 1095/1094        | - 1095/1094 *
bob PROCESS                       | + ok   | + 1095 *      | + 1095        | + 1095             | + 1095
bob SUPER                         | + ok   | - ok          | - ok          | - 1095/1094 *      | - ok *
bob CONNECTION_ADMIN              | + ok   | - ok          | - ok          | - 1095/1094        | - ok
bob PROCESS CONNECTION_ADMIN      | + ok   | + ok          | + ok          | + 1095             | + ok
bob SUPER SYSTEM_USER             | + ok   | - ok          | - ok          | - ok               | - ok
bob CONNECTION_ADMIN SYSTEM_USER  | + ok   | - ok          | - ok          | - ok *             | - ok
bob SYSTEM_USER                   | + ok   | - 1095/1094   | - 1095/1094   | - 1095/1094        | - 1095/1094
system                            | + ok   | - 1095/1094   | - 1095/1094   | + 1095 *           | - 1095/1094
system SYSTEM_USER                | + ok   | - 1095/1094   | - 1095/1094   | + ok               | - 1095/1094
root ALL                          | + ok   | + ok          | + ok          | + ok               | + ok
";

/// The account counts, its host included. SYSTEM_USER means nothing.
const MARIADB: &str = "
                                  | itself | alice         | alice @10.%   | system SYSTEM_USER | nobody
alice                             | + ok   | + ok *        | - 1095/1094 * | - 1095/1094        | - 1095/1094 *
alice @10.%                       | + ok   | - 1095/1094   | + ok *        | - 1095/1094        | - 1095/1094
bob                               | + ok   | - 1095/1094 * | - 1095/1094   | - 1095/1094        | - 1095/1094
bob PROCESS                       | + ok   | + 1095 *      | + 1095        | + 1095             | + 1095
bob SUPER                         | + ok   | - ok          | - ok          | - ok *             | - ok *
bob CONNECTION_ADMIN              | + ok   | - ok *        | - ok          | - ok               | - ok
bob PROCESS SUPER                 | + ok   | + ok          | + ok          | + ok               | + ok
bob SYSTEM_USER                   | + ok   | - 1095/1094   | - 1095/1094   | - 1095/1094        | - 1095/1094
system                            | + ok   | - 1095/1094   | - 1095/1094   | + ok *             | - 1095/1094
root ALL                          | + ok   | + ok          | + ok          | + ok               | + ok
";

/// The same user name is the same user. ADMIN_PRIV is sight and right, the administrator who reads has sight alone;
/// MySQL's privileges mean nothing.
const DORIS: &str = "
                                  | itself | alice         | alice @10.%   | root ADMIN_PRIV    | nobody
alice                             | + ok * | + ok          | + ok *        | - 1095/1094 *      | - 1095/1094
alice @10.%                       | + ok   | + ok          | + ok          | - 1095/1094        | - 1095/1094
bob                               | + ok   | - 1095/1094 * | - 1095/1094   | - 1095/1094        | - 1095/1094 *
bob ADMIN_PRIV                    | + ok   | + ok *        | + ok          | + ok               | + ok *
bob READ_ONLY_ADMIN               | + ok   | + 1095 *      | + 1095        | + 1095             | + 1095 *
bob READ_ONLY_ADMIN ADMIN_PRIV    | + ok   | + ok          | + ok          | + ok               | + ok
bob PROCESS SUPER                 | + ok   | - 1095/1094 * | - 1095/1094   | - 1095/1094        | - 1095/1094
bob CONNECTION_ADMIN              | + ok   | - 1095/1094   | - 1095/1094   | - 1095/1094        | - 1095/1094
root                              | + ok   | - 1095/1094   | - 1095/1094   | + ok               | - 1095/1094
root ADMIN_PRIV                   | + ok   | + ok          | + ok          | + ok               | + ok
";

/// Sessions of another tenant, and those of no tenant yet, do not exist but for the tenant sys, which sees and kills all.
/// Within a tenant, PROCESS is sight and SUPER the right.
const OCEANBASE: &str = "
                                  | itself | alice :acme   | alice @10.% :acme | alice :other | root :sys | nobody
alice :acme                       | + ok   | + ok          | + ok              | - 1094 *     | - 1094    | - 1094
alice @10.% :acme                 | + ok   | + ok          | + ok              | - 1094       | - 1094    | - 1094
alice :other                      | + ok   | - 1094        | - 1094            | + ok         | - 1094    | - 1094
bob :acme                         | + ok   | - 1095/1094 * | - 1095/1094       | - 1094       | - 1094    | - 1094 *
bob PROCESS :acme                 | + ok   | + 1095 *      | + 1095            | - 1094       | - 1094    | - 1094
bob SUPER :acme                   | + ok   | - ok *        | - ok              | - 1094       | - 1094 *  | - 1094
bob PROCESS SUPER :acme           | + ok   | + ok          | + ok              | - 1094       | - 1094    | - 1094
bob CONNECTION_ADMIN :acme        | + ok   | - 1095/1094   | - 1095/1094       | - 1094       | - 1094    | - 1094
bob PROCESS SUPER :other          | + ok   | - 1094 *      | - 1094            | + ok         | - 1094    | - 1094
root ALL :acme                    | + ok   | + ok          | + ok              | - 1094       | - 1094    | - 1094
root :sys                         | + ok   | + ok *        | + ok              | + ok         | + ok      | + ok *
alice :sys                        | + ok   | + ok          | + ok              | + ok         | + ok *    | + ok
";

/// The same user name is the same user. Sight is PROCESS, the right CONNECTION_ADMIN or SUPER; whoever has
/// RESTRICTED_USER_ADMIN is protected from those who have no RESTRICTED_CONNECTION_ADMIN beside that.
const TIDB: &str = "
                                                 | itself | alice         | alice @10.%   | ops RESTRICTED_USER_ADMIN | nobody
alice                                            | + ok * | + ok          | + ok *        | - 1227/1094               | - 1227/1094
alice @10.%                                      | + ok   | + ok          | + ok          | - 1227/1094               | - 1227/1094
bob                                              | + ok   | - 1227/1094 * | - 1227/1094   | - 1227/1094               | - 1227/1094 *
bob PROCESS                                      | + ok   | + 1227 *      | + 1227        | + 1227                    | + 1227
bob SUPER                                        | + ok   | - ok *        | - ok          | - 1227/1094 *             | - ok *
bob CONNECTION_ADMIN                             | + ok   | - ok          | - ok          | - 1227/1094               | - ok
bob PROCESS SUPER                                | + ok   | + ok          | + ok          | + 1227                    | + ok
bob SUPER RESTRICTED_CONNECTION_ADMIN            | + ok   | - ok          | - ok          | - ok                      | - ok
bob CONNECTION_ADMIN RESTRICTED_CONNECTION_ADMIN | + ok   | - ok          | - ok          | - ok *                    | - ok
bob RESTRICTED_CONNECTION_ADMIN                  | + ok   | - 1227/1094   | - 1227/1094   | - 1227/1094               | - 1227/1094
bob RESTRICTED_USER_ADMIN                        | + ok   | - 1227/1094   | - 1227/1094   | - 1227/1094               | - 1227/1094
ops                                              | + ok   | - 1227/1094   | - 1227/1094   | + ok *                    | - 1227/1094
root ALL                                         | + ok   | + ok          | + ok          | + ok                      | + ok
";

/// Sessions of another tenant, or of a tenant of the same name in another cluster, do not exist. The tenant sys sees all, and
/// kills those of its cluster and those before login; the proxy's administrator kills all, and is of no cluster. Within a tenant SUPER is the right,
/// and nothing is sight.
const ODP: &str = "
                         | itself | alice :acme   | alice @10.% :acme | alice :acme#two | alice :other | root :sys | root :proxysys | nobody
alice :acme              | + ok * | + ok          | + ok              | - 1094          | - 1094 *     | - 1094    | - 1094         | - 1094
alice @10.% :acme        | + ok   | + ok          | + ok              | - 1094          | - 1094       | - 1094    | - 1094         | - 1094
alice :acme#two          | + ok   | - 1094        | - 1094            | + ok            | - 1094       | - 1094    | - 1094         | - 1094
bob :acme                | + ok   | - 1095/1094 * | - 1095/1094       | - 1094          | - 1094       | - 1094    | - 1094         | - 1094 *
bob PROCESS :acme        | + ok   | - 1095/1094 * | - 1095/1094       | - 1094          | - 1094       | - 1094    | - 1094         | - 1094
bob SUPER :acme          | + ok   | - ok *        | - ok              | - 1094          | - 1094       | - 1094 *  | - 1094         | - 1094
bob PROCESS SUPER :other | + ok   | - 1094        | - 1094            | - 1094          | - ok         | - 1094    | - 1094         | - 1094
root ALL :acme           | + ok   | - ok          | - ok              | - 1094          | - 1094       | - 1094    | - 1094         | - 1094
root :sys                | + ok   | + ok *        | + ok              | + 1094          | + ok         | + ok      | + 1094         | + ok *
root :sys#two            | + ok   | + 1094        | + 1094            | + ok            | + 1094       | + 1094    | + 1094         | + ok
alice :sys               | + ok   | + ok          | + ok              | + 1094          | + ok         | + ok      | + 1094         | + ok
bob :proxysys            | + ok   | - 1094        | - 1094            | - 1094          | - 1094       | - 1094    | - 1095/1094    | - 1094
root :proxysys           | + ok   | + ok          | + ok              | + ok            | + ok         | + ok *    | + ok           | + ok
";

/// A line: somebody who asks.
pub struct Line {
    /// As the table has it, the words joined by `+`; [`principal`] is who that is.
    pub name: String,
    pub cells: Vec<Cell>,
}

/// What it may do to the sessions of one owner.
pub struct Cell {
    /// The owner's name, as [`Line::name`]; `None`: nobody yet.
    pub owner: Option<String>,
    /// Whether the session is in the list.
    pub seen: bool,
    /// What the kill of one gives; 0: OK.
    pub told: u16,
    /// The same where denials are hidden.
    pub hidden: u16,
    /// Whether it is one of those that are tried over real connections.
    pub real: bool,
}

/// Reads a table.
pub fn lines(table: &str) -> Vec<Line> {
    let mut lines = table.trim_matches('\n').lines().map(|line| line.split('|').map(str::trim));
    let owners: Vec<&str> = lines.next().unwrap().skip(1).collect();
    let lines: Vec<Line> = lines
        .map(|mut line| {
            let name = name(line.next().unwrap());
            let cells: Vec<Cell> = owners.iter().zip(line).map(|(owner, text)| cell(&name, owner, text)).collect();
            assert_eq!(cells.len(), owners.len(), "{name}");
            Line { cells, name }
        })
        .collect();
    assert_eq!(lines.iter().flat_map(|line| &line.cells).filter(|cell| cell.real).count(), 10);
    lines
}

fn cell(by: &str, owner: &str, text: &str) -> Cell {
    let (seen, rest) = text.split_at(1);
    assert!(["+", "-"].contains(&seen), "{text}");
    let (answers, real) = rest.strip_suffix('*').map_or((rest, false), |rest| (rest, true));
    let answer = |text: &str| if text == "ok" { 0 } else { text.parse().unwrap() };
    let (told, hidden) = answers.trim().split_once('/').unwrap_or((answers.trim(), answers.trim()));
    let owner = match owner {
        "nobody" => None,
        "itself" => Some(by.to_owned()),
        owner => Some(name(owner)),
    };
    Cell { owner, seen: seen == "+", told: answer(told), hidden: answer(hidden), real }
}

fn name(account: &str) -> String {
    account.split_whitespace().collect::<Vec<_>>().join("+")
}

/// The account of this name.
pub fn principal(name: &str) -> Principal {
    let mut words = name.split('+');
    let user = words.next().unwrap();
    let (mut privileges, mut host, mut tenant) = (Vec::new(), "%", None);
    for word in words {
        match word.split_at(1) {
            ("@", pattern) => host = pattern,
            (":", place) => {
                let (name, cluster) =
                    place.split_once('#').map_or((place, None), |(name, of)| (name, Some(of.to_owned())));
                tenant = Some(Tenant { name: name.to_owned(), cluster });
            }
            _ => privileges.push(word),
        }
    }
    let account = Principal::new(user, Privileges::from_names(privileges).unwrap()).at_host(host);
    match tenant {
        Some(tenant) => account.in_tenant(tenant),
        None => account,
    }
}
