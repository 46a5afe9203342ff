//! What expressions in the place of an id come to.

use super::{BOTH, id, kill, resolved};
use crate::{
    control::{IdExpr, IdLiteral, KillTarget, Operator, parse},
    model::{SqlError, Target},
};

#[test]
fn they_are_computed_exactly() {
    for (sql, expected) in [
        ("KILL 1+2", 3),
        ("KILL +5", 5),
        ("KILL (5)", 5),
        ("KILL ((5))", 5),
        ("KILL --5", 5),
        ("KILL -(-5)", 5),
        ("KILL 2+3*4", 14),
        ("KILL (2+3)*4", 20),
        ("KILL 20-3-2", 15),
        ("KILL 10 - -5", 15),
        ("KILL 100/5/2", 10),
        ("KILL 10/4*2", 5),
        ("KILL 1/3+1/3+1/3", 1),
        ("KILL 7 DIV 2", 3),
        ("KILL 7 % 4", 3),
        ("KILL 7 MOD 4", 3),
        ("KILL 7 mod-4", 3),
        ("KILL 5/2 DIV 1", 2),
        ("KILL 0x18+x'18'+b'11'", 51),
        ("KILL '24' + 1", 25),
        ("KILL 0 + 5", 5),
        ("KILL 18446744073709551616 - 1", u64::MAX),
        ("KILL 4294967296 * 4294967295 + 4294967295", u64::MAX),
        ("KILL CONNECTION_ID()+1", 4),
        ("KILL QUERY @x * @s", 168),
        ("KILL @minus * @float", 14),
        ("KILL -@minus", 7),
        ("KILL ? * 10 + ?", 89),
        ("KILL ?", 8),
        ("KILL/*!50000 1 + */2", 3),
        ("KILL 1 -- 5\n + 2", 3),
    ] {
        assert_eq!(id(sql), Ok(expected), "{sql}");
    }
    assert_eq!(resolved("KILL QUERY ID 3 + 4", &BOTH), Ok(Target::Statement(7)));
}

#[test]
fn what_is_not_exactly_an_id_is_shown() {
    for (sql, shown) in [
        ("KILL 1-1", "0"),
        ("KILL 1-5", "-4"),
        ("KILL -'5'", "-5"),
        ("KILL -0x5", "-5"),
        ("KILL 18446744073709551615 + 1", "18446744073709551616"),
        ("KILL 5/2", "5 / 2"),
        ("KILL 2*(1+-3)/3", "(2 * (1 + (-3))) / 3"),
        ("KILL 5/0", "0"),
        ("KILL 5 DIV 0", "0"),
        ("KILL 5 MOD (1-1)", "0"),
        ("KILL NULL + 1", "0"),
        ("KILL -NULL", "0"),
        ("KILL @unset + 1", "0"),
        ("KILL 24.0 + 0", "24.0 + 0"),
        ("KILL 1.5 * 2", "1.5 * 2"),
        ("KILL 1e3 + 1", "1e3 + 1"),
        ("KILL '12abc' + 1", "12abc + 1"),
        ("KILL @word + 1", "@word + 1"),
        ("KILL @half * 2", "@half * 2"),
        ("KILL CONNECTION_ID() / ?", "CONNECTION_ID() / ?"),
        ("KILL 18446744073709551615*18446744073709551615*5", "(18446744073709551615 * 18446744073709551615) * 5"),
        ("KILL 999999999999999999999999999999999999999999 - 1", "999999999999999999999999999999999999999999 - 1"),
    ] {
        assert_eq!(id(sql), Err(SqlError::unknown_thread(shown)), "{sql}");
    }
    let error = resolved("KILL QUERY ID 1-5", &BOTH).unwrap_err();
    assert_eq!((error.code(), error.message()), (1957, "Unknown query id: -4"));
    assert_eq!(resolved("KILL ? + ? + ?", &BOTH).unwrap_err().code(), 1210);
    let long = format!("KILL 1 + '{}'", "x".repeat(1 << 20));
    assert!(id(&long).unwrap_err().message().len() < 120, "it is cut");
}

#[test]
fn they_are_parsed_as_they_bind() {
    let number = |n: i128| Box::new(IdExpr::Literal(IdLiteral::new(n.to_string(), Some(n))));
    let product = IdExpr::Binary { operator: Operator::Multiply, left: number(2), right: number(3) };
    let negated = Box::new(IdExpr::Negated(Box::new(IdExpr::Placeholder(0))));
    let sum = IdExpr::Binary { operator: Operator::Add, left: Box::new(product), right: negated };
    assert_eq!(kill("KILL 2*3 + -?").target, KillTarget::Id(sum));
}

#[test]
fn their_length_and_depth_have_an_end() {
    let repeated = |piece: &str, count: usize, end: &str| format!("KILL {}5{}", piece.repeat(count), end.repeat(count));
    for (piece, end) in [("1+", ""), ("-", ""), ("+", ""), ("(", ")"), ("-(", ")"), ("2*", "")] {
        let terms = if piece == "-(" { 2 } else { 1 };
        let most = 63 / terms;
        let sql = repeated(piece, most, end);
        assert!(parse(sql.as_bytes(), &BOTH).is_ok(), "{sql}");
        for more in [most + 1, 100_000] {
            let error = parse(repeated(piece, more, end).as_bytes(), &BOTH).unwrap_err();
            let text = "This version of the server doesn't yet support 'KILL with an expression of more than 64 terms'";
            assert_eq!((error.code(), error.state(), error.message()), (1235, "42000", text), "{piece}");
        }
    }
}
