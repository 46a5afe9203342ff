//! The words of MySQL's questions: which are keywords here, and what each function is called in SQLite.

/// The keywords that pass as they are. Whatever else is a word is a name, and is quoted: SQLite's own keywords (`ATTACH`,
/// `PRAGMA`, `GLOB`) are names too.
const PASSED: [&str; 56] = [
    "ALL",
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CROSS",
    "CURRENT",
    "DESC",
    "DISTINCT",
    "ELSE",
    "ESCAPE",
    "EXCEPT",
    "EXISTS",
    "FALSE",
    "FOLLOWING",
    "FROM",
    "GROUP",
    "GROUPS",
    "HAVING",
    "IN",
    "INNER",
    "INTERSECT",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NATURAL",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "PRECEDING",
    "RANGE",
    "RECURSIVE",
    "REGEXP",
    "RIGHT",
    "ROW",
    "ROWS",
    "SELECT",
    "THEN",
    "TRUE",
    "UNBOUNDED",
    "UNION",
    "USING",
    "WHEN",
    "WHERE",
    "WINDOW",
    "WITH",
    "XOR",
];

/// The keyword that SQLite has for this word, which is in capitals.
pub(super) fn keyword(word: &str) -> Option<&'static str> {
    match word {
        "RLIKE" => Some("REGEXP"),
        "STRAIGHT_JOIN" => Some("JOIN"),
        _ => PASSED.binary_search(&word).ok().map(|place| PASSED[place]),
    }
}

/// What may stand behind `SELECT` and says nothing here.
pub(super) const MODIFIERS: [&str; 9] = [
    "ALL",
    "HIGH_PRIORITY",
    "SQL_BIG_RESULT",
    "SQL_BUFFER_RESULT",
    "SQL_CACHE",
    "SQL_CALC_FOUND_ROWS",
    "SQL_NO_CACHE",
    "SQL_SMALL_RESULT",
    "STRAIGHT_JOIN",
];

/// The functions that need no parentheses.
pub(super) const BARE: [&str; 10] = [
    "CURRENT_DATE",
    "CURRENT_ROLE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "UTC_DATE",
    "UTC_TIME",
    "UTC_TIMESTAMP",
];

/// The units of `INTERVAL`, `TIMESTAMPDIFF` and `EXTRACT`.
pub(super) const UNITS: [&str; 9] =
    ["MICROSECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR"];

/// The functions that SQLite has as MySQL means them.
const SQLITES: [&str; 21] = [
    "AVG",
    "COALESCE",
    "COUNT",
    "CUME_DIST",
    "DENSE_RANK",
    "FIRST_VALUE",
    "GROUP_CONCAT",
    "IFNULL",
    "LAG",
    "LAST_VALUE",
    "LEAD",
    "MAX",
    "MIN",
    "NTH_VALUE",
    "NTILE",
    "NULLIF",
    "PERCENT_RANK",
    "RANK",
    "ROW_NUMBER",
    "SIGN",
    "SUM",
];

/// What SQLite calls the function of this name, which is in capitals. `None`: there is none.
pub(super) fn function(name: &str) -> Option<String> {
    let one_of_ours = |name: &str| {
        crate::system::functions::is_known(name).then(|| format!("{}{}", crate::system::functions::PREFIX, name))
    };
    let other = match name {
        "IF" => return Some("iif".into()),
        "SUBSTR" | "MID" => "SUBSTRING",
        "UCASE" => "UPPER",
        "LCASE" => "LOWER",
        "CHARACTER_LENGTH" => "CHAR_LENGTH",
        "OCTET_LENGTH" => "LENGTH",
        "CEILING" => "CEIL",
        "POWER" => "POW",
        "LOCALTIME" | "LOCALTIMESTAMP" | "CURRENT_TIMESTAMP" | "SYSDATE" => "NOW",
        "CURRENT_DATE" => "CURDATE",
        "CURRENT_TIME" => "CURTIME",
        "SESSION_USER" | "SYSTEM_USER" => "USER",
        "SCHEMA" => "DATABASE",
        "ADDDATE" => "DATE_ADD",
        "SUBDATE" => "DATE_SUB",
        "DAYOFMONTH" => "DAY",
        other if SQLITES.binary_search(&other).is_ok() => return Some(other.to_ascii_lowercase()),
        other => other,
    };
    one_of_ours(&other.to_ascii_lowercase())
}

/// Whether this is a name that [`function`] gives, or one that SQLite calls for an operator.
pub(super) fn is_function(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    name.starts_with("MY_")
        || matches!(name.as_str(), "IIF" | "LIKE" | "REGEXP")
        || SQLITES.binary_search(&name.as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted() {
        assert!(PASSED.is_sorted() && SQLITES.is_sorted());
        assert_eq!(keyword("RLIKE"), Some("REGEXP"));
        assert_eq!(keyword("ATTACH"), None);
    }
}
