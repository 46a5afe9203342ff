//! The laws that hold for any text.

use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    super::{program::Program, *},
    id,
};
use crate::model::{KillMode, Lines, SqlError, is_clean};

/// White space or a comment, never nothing.
fn blank() -> impl Strategy<Value = String> {
    let one = select(vec![
        " ",
        "\t",
        "\n",
        "\r\n",
        "\x0b\x0c",
        "/**/",
        "/* '\"` ; */",
        "# it's\n",
        "-- \"\n",
        "--\n",
        "/*!99999 x */",
    ]);
    vec(one, 1..4).prop_map(|parts| parts.concat())
}

fn any_case(word: &'static str) -> impl Strategy<Value = String> {
    vec(any::<bool>(), word.len()).prop_map(move |upper| {
        let case = |(c, up): (char, bool)| if up { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        word.chars().zip(upper).map(case).collect()
    })
}

/// Bytes that are likely to mean something.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        vec(any::<u8>(), 0..6),
        select(vec![
            "'",
            "\"",
            "`",
            "\\",
            "\\'",
            "''",
            ";",
            " ",
            "\n",
            "--",
            "-- ",
            "#",
            "/*",
            "*/",
            "/*!",
            "/*!50000",
            "/*!99999 ",
            "/*M!",
            "/*T!",
            "/*T![a,b]",
            "@",
            "@@",
            "(",
            ")",
            "=",
            "0x",
            "x'",
            "b'1'",
            "1e",
            ".",
            "KILL",
            "SHOW ",
            "WARNINGS ",
            "COUNT(*)",
            "LIMIT ",
            ",",
            "TIDB ",
            "SESSION ",
            "session_context",
            "DEFAULT",
            "CONNECTION_ID()",
            "NULL",
            "?",
            "5 ",
            "+",
            "-",
            "*",
            "/",
            "%",
            "DIV ",
            "MOD ",
            "QUERY ",
            "USER ",
            "IDENTIFIED ",
            "WITH ",
            "BY ",
            "PASSWORD ",
            "SET ",
            "STATEMENT ",
            "GLOBAL ",
            "wait_timeout",
            "max_statement_time",
            "FLUSH HOSTS",
            "FOR ",
            "REPLACE",
            "_utf8",
            "N'",
            "ä",
            "a",
        ])
        .prop_map(|part| part.as_bytes().to_vec()),
    ];
    vec(part, 0..24).prop_map(|parts| parts.concat())
}

fn syntax() -> impl Strategy<Value = Syntax> {
    let ids = select(vec![IdForms::Value, IdForms::Expression]);
    let kill = (ids, any::<[bool; 5]>()).prop_map(|(ids, flags)| {
        let [mariadb, mariadb_errors, tidb_keyword, named_queries, alter_system] = flags;
        KillForms { ids, mariadb, mariadb_errors, tidb_keyword, named_queries, alter_system }
    });
    (select(vec![0, 50000, 80036, 101106]), any::<[bool; 4]>(), kill).prop_map(
        |(version, [mariadb_comments, tidb_comments, session_context, proxy_sessions], kill)| Syntax {
            version,
            mariadb_comments,
            tidb_comments,
            kill,
            session_context,
            proxy_sessions,
        },
    )
}

/// An expression, and its value by plain arithmetic: `None` where that has none, or no whole one.
fn expression() -> impl Strategy<Value = (String, Option<i128>)> {
    let leaf = prop_oneof![
        (0u64..20).prop_map(|n| (n.to_string(), Some(n.into()))),
        any::<u64>().prop_map(|n| (format!("0x{n:x}"), Some(n.into()))),
        (0u64..9).prop_map(|n| (format!("'{n}'"), Some(n.into()))),
        Just(("CONNECTION_ID()".to_owned(), Some(3))),
        Just(("@x".to_owned(), Some(7))),
        Just(("@minus".to_owned(), Some(-7))),
        Just(("NULL".to_owned(), None)),
    ];
    leaf.prop_recursive(4, 16, 2, |inner| {
        prop_oneof![
            (inner.clone(), blank())
                .prop_map(|((text, value), blank)| (format!("-{blank}({text})"), value.map(|v| -v))),
            (inner.clone(), blank()).prop_map(|((text, value), blank)| (format!("+{blank}({text})"), value)),
            (inner.clone(), select(vec!["+", "-", "*", "DIV", "%", "mod"]), inner, blank()).prop_map(
                |((a, x), operator, (b, y), blank)| {
                    let value = x.zip(y).and_then(|(x, y): (i128, i128)| match operator {
                        "+" => x.checked_add(y),
                        "-" => x.checked_sub(y),
                        "*" => x.checked_mul(y),
                        "DIV" => x.checked_div(y),
                        _ => x.checked_rem(y),
                    });
                    (format!("({a}){blank}{operator}{blank}({b})"), value)
                }
            ),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_upsets_them(sql in text(), syntax in syntax(), show in any::<bool>()) {
        let prefixed = [if show { &b"SHOW FULL PROCESSLIST "[..] } else { b"KILL " }, &sql].concat();
        let others = [&b"SHOW "[..], b"SHOW WARNINGS ", b"SET session_context ", b"ALTER SYSTEM KILL SESSION "];
        let others = others.map(|prefix| [prefix, &sql].concat());
        for sql in [sql, prefixed].into_iter().chain(others) {
            let _ = parse(&sql, &syntax);
            let shown = redact(&sql, &syntax);
            prop_assert!(is_clean(&shown, Lines::Kept));
            prop_assert!(shown.chars().count() >= truncate_chars(&shown, 100).chars().count());
            first_statement(&sql, &syntax);
        }
    }

    #[test]
    fn the_lexer_moves_on_and_ends(sql in text(), syntax in syntax()) {
        let mut lexer = Lexer::new(&sql, &syntax);
        let mut at = 0;
        loop {
            let token = lexer.next_token();
            prop_assert!(at <= token.start && token.end <= sql.len() && token.end == lexer.position());
            if token.kind == TokenKind::End {
                break;
            }
            prop_assert!(token.start < token.end || token.kind == TokenKind::Unterminated);
            at = token.end;
        }
        prop_assert_eq!(lexer.next_token().kind, TokenKind::End);
    }

    #[test]
    fn the_pieces_hold_all_but_the_separators(sql in text(), syntax in syntax()) {
        let mut pieces = split(&sql, &syntax);
        let mut lexer = Lexer::new(&sql, &syntax);
        let mut parted = true;
        let mut current = 0..0;
        let mut program = Program::default();
        loop {
            let token = lexer.next_token();
            if token.kind == TokenKind::End || token.start == sql.len() {
                break;
            }
            program.see(&token);
            let semicolon = token.kind == TokenKind::Symbol(b';') && !lexer.in_executable_comment();
            // In the body of a program it parts no statements.
            let separator = semicolon && !program.is_open();
            if separator {
                program = Program::default();
            }
            if parted && !separator {
                let piece = pieces.next().expect("a statement for each run of tokens");
                prop_assert!(piece.contains(&token.start));
                current = piece;
            } else if separator {
                prop_assert!(current.end <= token.start);
            } else {
                prop_assert!(current.contains(&token.start) && (token.end <= current.end || token.kind == TokenKind::Unterminated));
            }
            parted = separator;
        }
        let (first, rest) = first_statement(&sql, &syntax);
        let mut all = split(&sql, &syntax);
        prop_assert_eq!(first, all.next().unwrap_or(0..0));
        prop_assert_eq!(rest.is_some(), all.next().is_some());
    }

    #[test]
    fn any_id_is_killed_however_it_is_written(
        id in 1u64.., query in any::<bool>(), kill in any_case("KILL"), mode in any_case("QUERY"),
        blanks in vec(blank(), 4), form in 0..4,
    ) {
        let written = match form {
            0 => id.to_string(),
            1 => format!("'{id}'"),
            2 => format!("0x{id:x}"),
            _ => format!("x'{id:016X}'"),
        };
        let mode = if query { mode + &blanks[2] } else { String::new() };
        let sql = format!("{}{kill}{}{mode}{written}{};", blanks[0], blanks[1], blanks[3]);
        let Ok(Some(Control::Kill(parsed))) = parse(sql.as_bytes(), &Syntax::default()) else { panic!("{sql}") };
        prop_assert_eq!(parsed.mode == KillMode::Query, query);
        let KillTarget::Id(IdExpr::Literal(literal)) = parsed.target else { panic!("{sql}") };
        prop_assert_eq!(literal.id(), Ok(id));
    }

    #[test]
    fn no_number_that_is_not_an_id_becomes_one(digits in "[1-9][0-9]{20,30}", tail in "[.][0-9]{1,3}|e[0-9]|[eE][+-][0-9]") {
        for sql in [format!("KILL {digits}"), format!("KILL -{digits}"), format!("KILL 5{tail}"), format!("KILL '{digits}'"), format!("KILL 5{tail} + 1")] {
            prop_assert_eq!(id(&sql).unwrap_err().code(), 1094, "{}", sql);
        }
    }

    #[test]
    fn an_expression_means_what_plain_arithmetic_says((text, value) in expression()) {
        let expected = value.and_then(|value| u64::try_from(value).ok()).filter(|id| *id != 0);
        match (id(&format!("KILL {text}")), expected) {
            (Ok(id), expected) => prop_assert_eq!(Some(id), expected, "{}", text),
            (Err(error), None) => prop_assert_eq!(error.code(), 1094, "{}", text),
            (Err(error), Some(_)) => prop_assert!(false, "{}: {}", text, error),
        }
    }

    #[test]
    fn operators_bind_as_in_mysql(numbers in vec(1i128..9, 2..8), operators in vec(select(vec!["+", "-", "*", "DIV", "%"]), 7)) {
        let mut text = numbers[0].to_string();
        // sums of products
        let (mut sum, mut product, mut minus) = (0, numbers[0], false);
        for (number, operator) in numbers[1..].iter().zip(&operators) {
            text = format!("{text} {operator} {number}");
            match *operator {
                "*" => product *= number,
                "DIV" => product /= number,
                "%" => product %= number,
                sign => {
                    sum += if minus { -product } else { product };
                    (product, minus) = (*number, sign == "-");
                }
            }
        }
        sum += if minus { -product } else { product };
        match u64::try_from(sum) {
            Ok(expected) if expected != 0 => prop_assert_eq!(id(&format!("KILL {text}")), Ok(expected), "{}", text),
            _ => prop_assert_eq!(id(&format!("KILL {text}")), Err(SqlError::unknown_thread(sum)), "{}", text),
        }
    }

    #[test]
    fn no_secret_is_shown(
        secret in "[a-z]{3}[0-9]{8}", before in "(x|''|\\\\\\\\|\\\\'|\\\\n|;|-- |/\\*|ä| ){0,3}", form in select(SECRET_FORMS.to_vec()),
        literal in select([LITERALS, BADLY_QUOTED].concat()), blanks in vec(blank(), 2), upper in any::<bool>(), tail in "( ACCOUNT LOCK| -- x)?",
    ) {
        let text = if BADLY_QUOTED.contains(&literal) { secret.clone() } else { before + &secret };
        let hex: String = text.bytes().map(|b| format!("{b:02x}")).collect();
        let value = literal.replace('$', &text).replace('%', &hex);
        let form = if upper { form.to_uppercase() } else { form.to_lowercase() };
        let sql = form.replacen(' ', &blanks[0], 1).replacen('?', &value, 1) + &blanks[1] + &tail;
        let shown = redact(sql.as_bytes(), &Syntax::default());
        prop_assert!(!shown.contains(&secret), "{} -> {}", sql, shown);
        prop_assert!(!shown.contains(&hex), "{} -> {}", sql, shown);
        prop_assert!(shown.contains(SECRET));
    }
}

/// Where a secret may stand, at the `?`.
const SECRET_FORMS: &[&str] = &[
    "create user u identified by ?",
    "create user 'u'@'h' identified by password ?",
    "create user u identified with p by ? replace 'x'",
    "create user u identified with 'p' as ? default role r",
    "alter user u identified via `p` using ?",
    "alter user u identified via p using password(?) or q using 'x'",
    "alter user u identified by 'new' replace ? retain current password",
    "alter user u identified with p by 'new' and identified with q by ?",
    "grant all on *.* to u identified by ? with grant option",
    "set password = ?",
    "set password for u = ?",
    "set password for 'u'@'h' = ?",
    "set password for current_user() = ?",
    "set password = password(?)",
    "set password for `u`@h = old_password( ?)",
    "select password(?)",
    "select 1, concat(password( concat('a', ?) ), 'b')",
    "change master to master_user='u', master_password = ?, master_port=3306",
    "change replication source to source_password=?",
    "create server s foreign data wrapper mysql options (user 'u', password ?)",
    "start group_replication user='u', password=?",
    "/*!99999 set password = ? */",
    "/*m!110000 set password = ? */ ",
    "/*t! set password = ? */ ",
    "/*t![auto_rand] set password = ? */ ",
    "select 1; /* a */ set password = ?; select 2",
    "change replication source to source_user='u', source_password=?",
    "alter user u password ?",
    "create user u pasword ?",
    "create user u@h identifed by ? comment 'x'",
    "set @pw = ?",
    "set @@session.my_token := ?",
    "load label d.l (data infile('s3://b')) with s3 (\"s3.access_key\"=\"x\", \"s3.secret_key\" = ?)",
    "export table t to 's3://b' with s3 ('secret_key' = ?, 'a' = 'b')",
    "create repository r properties ('AWS_SECRET_KEY'=?)",
    "create catalog c properties ('type'='jdbc', 'password' = ?)",
    "alter tablespace t encryption key ?",
    "select json_object('password', ?)",
    "update mysql.user set authentication_string = password(?) where user = 'u'",
    "traffic replay from 'x' user='root' password=?",
];

/// How it may be written: `$` is the text, `%` its bytes in hexadecimal.
const LITERALS: &[&str] = &[
    "'$'",
    "\"$\"",
    "N'$'",
    "_utf8'$'",
    "_utf8mb4 '$'",
    "'a' '$'",
    "'a'\n\"$\"",
    "'a''$'",
    "'a\\'$'",
    "0x%",
    "x'%'",
    "X'%'",
    "_binary x'%'",
];

/// How it should not be.
const BADLY_QUOTED: &[&str] =
    &["'$", "\"$", "'a'$'", "'a'b$'c'", "'a'--$'", "'a'-- $'", "'a'#$'", "'a'/*$'", "'a'/*$*/'b'", "'a'\\'$'"];
