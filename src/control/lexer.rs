//! The lexer: a statement's bytes as tokens, comments left out. It knows no keywords and copies nothing.

use super::{Syntax, Text, syntax::Opened};

/// A token and its place, in bytes from the statement's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: TokenKind<'a>,
    /// Where it begins.
    pub start: usize,
    /// Where it ends: the place after its last byte.
    pub end: usize,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind<'a> {
    /// A keyword or a bare identifier. One may begin with a digit (`12abc`).
    Word(&'a [u8]),
    /// A number.
    Number(Number<'a>),
    /// A string between `'` or `"`, with or without MySQL's `N` before it.
    Str(Text<'a>),
    /// An identifier between backquotes.
    QuotedIdent(Text<'a>),
    /// `@name`, the name bare or in quotes of any kind. The host of `user@host` comes as one too.
    UserVar(Text<'a>),
    /// `@@name`, with its scope as it is written (`@@global.x`), without the signs.
    SystemVar(&'a [u8]),
    /// Any other byte.
    Symbol(u8),
    /// A quote or a comment that is open at the end of the text, from its first byte to the end. An executable comment
    /// left open comes after its contents, as an empty token at the end.
    Unterminated,
    /// The end of the text.
    End,
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number<'a> {
    /// Decimal digits only.
    Integer(&'a [u8]),
    /// The hexadecimal digits of `0x18` or `x'18'`; may be none for `x''`.
    Hex(&'a [u8]),
    /// The binary digits of `0b11` or `b'11'`; may be none for `b''`.
    Bits(&'a [u8]),
    /// With a point or an exponent.
    Fractional(&'a [u8]),
}

/// Whether a backslash escapes a quote: a matter of the server's `sql_mode`, which a text does not show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escapes {
    /// MySQL's default.
    All,
    /// `ANSI_QUOTES`: not between double quotes, which hold a name.
    SingleQuotes,
    /// `NO_BACKSLASH_ESCAPES`, and the engines that follow the standard.
    None,
}

/// Reads tokens, one [`next_token`](Lexer::next_token) after the other.
///
/// It follows MySQL's own lexer in its default `sql_mode`. Comments are `/* … */`, `#` and `-- ` (two dashes before white
/// space, a control character or the end) to the end of the line. Where MySQL gives up, at a quote or a comment that is
/// not closed, it yields [`TokenKind::Unterminated`]. The text is read byte by byte: a character set whose characters may
/// have a backslash or a quote as a second byte (GBK, SJIS) is not known to it.
///
/// A copy of a lexer reads on from the same place: that is how to look ahead.
#[derive(Clone, Copy, Debug)]
pub struct Lexer<'a> {
    sql: &'a [u8],
    pos: usize,
    syntax: Syntax,
    /// Within an executable comment. One flag, not a depth: as in MySQL, the first `*/` closes them all.
    in_code: bool,
    escapes: Escapes,
}

impl<'a> Lexer<'a> {
    /// A lexer at the beginning of `sql`.
    pub fn new(sql: &'a [u8], syntax: &Syntax) -> Self {
        Self { sql, pos: 0, syntax: *syntax, in_code: false, escapes: Escapes::All }
    }

    /// The same with other escapes.
    pub(crate) fn escapes(self, escapes: Escapes) -> Self {
        Self { escapes, ..self }
    }

    /// The place that it has read up to.
    pub fn position(&self) -> usize {
        self.pos
    }

    /// Whether the last token stands within an executable comment.
    pub fn in_executable_comment(&self) -> bool {
        self.in_code
    }

    /// Leaves out the rest of the text.
    pub(super) fn skip_to_end(&mut self) {
        self.pos = self.sql.len();
        self.in_code = false;
    }

    /// Reads a token; at the end of the text [`TokenKind::End`], again and again.
    pub fn next_token(&mut self) -> Token<'a> {
        if let Err(start) = self.skip_blanks() {
            return self.token(TokenKind::Unterminated, start, self.sql.len());
        }
        let (sql, start) = (self.sql, self.pos);
        match &sql[start..] {
            [] if std::mem::take(&mut self.in_code) => self.token(TokenKind::Unterminated, start, start),
            [] => self.token(TokenKind::End, start, start),
            [b'\'' | b'"', ..] => self.quoted(start, start, TokenKind::Str),
            [b'n' | b'N', b'\'', ..] => self.quoted(start, start + 1, TokenKind::Str),
            [b'`', ..] => self.quoted(start, start, TokenKind::QuotedIdent),
            [b'@', b'@', ..] => self.system_var(start),
            [b'@', b'\'' | b'"' | b'`', ..] => self.quoted(start, start + 1, TokenKind::UserVar),
            [b'@', b, ..] if is_host(*b) => {
                let end = self.run(start + 1, is_host);
                self.token(TokenKind::UserVar(Text { raw: &sql[start + 1..end], quote: None }), start, end)
            }
            [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..] => self.number(start),
            [mark @ (b'x' | b'X' | b'b' | b'B'), b'\'', ..] => match self.quoted_digits(start, *mark) {
                Some((number, end)) => self.token(TokenKind::Number(number), start, end),
                None => self.word(start),
            },
            [b, ..] if is_word(*b) => self.word(start),
            [b, ..] => self.token(TokenKind::Symbol(*b), start, start + 1),
        }
    }

    fn token(&mut self, kind: TokenKind<'a>, start: usize, end: usize) -> Token<'a> {
        self.pos = end;
        Token { kind, start, end }
    }

    /// Skips white space and comments. The error is where a comment begins that does not end.
    fn skip_blanks(&mut self) -> Result<(), usize> {
        loop {
            match &self.sql[self.pos..] {
                [b, ..] if is_space(*b) => self.pos += 1,
                [b'#', ..] => self.pos = self.run(self.pos, |b| b != b'\n'),
                [b'-', b'-', rest @ ..] if rest.first().is_none_or(|b| *b == b' ' || b.is_ascii_control()) => {
                    self.pos = self.run(self.pos, |b| b != b'\n');
                }
                [b'*', b'/', ..] if self.in_code => {
                    self.in_code = false;
                    self.pos += 2;
                }
                [b'/', b'*', rest @ ..] => match self.syntax.open(rest) {
                    Opened::Code(marker) => {
                        self.in_code = true;
                        self.pos += 2 + marker;
                    }
                    Opened::OtherVersion => self.pos = self.comment_end(1).ok_or(self.pos)?,
                    Opened::Comment => self.pos = self.comment_end(0).ok_or(self.pos)?,
                },
                _ => return Ok(()),
            }
        }
    }

    /// Where the comment that begins here ends. Comments within it are known down to `depth` levels.
    fn comment_end(&self, depth: u32) -> Option<usize> {
        let (mut at, mut open) = (self.pos + 2, 0);
        loop {
            match self.sql.get(at..)? {
                [] => return None,
                [b'*', b'/', ..] if open == 0 => return Some(at + 2),
                [b'*', b'/', ..] => (at, open) = (at + 2, open - 1),
                [b'/', b'*', ..] if open < depth => (at, open) = (at + 2, open + 1),
                _ => at += 1,
            }
        }
    }

    /// The place after the bytes from `from` on that are `wanted`.
    fn run(&self, from: usize, wanted: impl Fn(u8) -> bool) -> usize {
        self.sql[from..].iter().position(|b| !wanted(*b)).map_or(self.sql.len(), |n| from + n)
    }

    fn word(&mut self, start: usize) -> Token<'a> {
        let end = self.run(start, is_word);
        self.token(TokenKind::Word(&self.sql[start..end]), start, end)
    }

    /// The place of the quote that closes the one at `open`.
    fn closing_quote(&self, open: usize) -> Option<usize> {
        let quote = self.sql[open];
        let escapes = match self.escapes {
            Escapes::All => quote != b'`',
            Escapes::SingleQuotes => quote == b'\'',
            Escapes::None => false,
        };
        let mut at = open + 1;
        loop {
            at += self.sql.get(at..)?.iter().position(|&b| b == quote || (escapes && b == b'\\'))?;
            if self.sql[at] == quote && self.sql.get(at + 1) != Some(&quote) {
                return Some(at);
            }
            at += 2;
        }
    }

    /// A token from `start` whose text stands in quotes from `open` on.
    fn quoted(&mut self, start: usize, open: usize, kind: impl Fn(Text<'a>) -> TokenKind<'a>) -> Token<'a> {
        match self.closing_quote(open) {
            Some(close) => {
                let text = Text { raw: &self.sql[open + 1..close], quote: Some(self.sql[open]) };
                self.token(kind(text), start, close + 1)
            }
            None => self.token(TokenKind::Unterminated, start, self.sql.len()),
        }
    }

    /// `x'18'` or `b'11'`. Wrong digits make it a word before a string, which no grammar accepts.
    fn quoted_digits(&self, start: usize, mark: u8) -> Option<(Number<'a>, usize)> {
        let hex = mark.eq_ignore_ascii_case(&b'x');
        let end = self.run(start + 2, |b| if hex { b.is_ascii_hexdigit() } else { matches!(b, b'0' | b'1') });
        let digits = &self.sql[start + 2..end];
        let whole = self.sql.get(end) == Some(&b'\'') && !(hex && digits.len() % 2 == 1);
        whole.then_some((if hex { Number::Hex(digits) } else { Number::Bits(digits) }, end + 1))
    }

    fn system_var(&mut self, start: usize) -> Token<'a> {
        let mut end = start + 2;
        loop {
            end = self.run(end, is_host);
            if self.sql.get(end) != Some(&b'`') {
                return self.token(TokenKind::SystemVar(&self.sql[start + 2..end]), start, end);
            }
            match self.closing_quote(end) {
                Some(close) => end = close + 1,
                None => return self.token(TokenKind::Unterminated, start, self.sql.len()),
            }
        }
    }

    /// A number, or a word that begins like one. MySQL: `0x18` is a number, `0X18` and `0x` are names.
    fn number(&mut self, start: usize) -> Token<'a> {
        let sql = self.sql;
        let prefixed = match &sql[start..] {
            [b'0', b'x', ..] => Some(self.run(start + 2, |b| b.is_ascii_hexdigit())),
            [b'0', b'b', ..] => Some(self.run(start + 2, |b| matches!(b, b'0' | b'1'))),
            _ => None,
        };
        if let Some(end) = prefixed
            && end > start + 2
            && !sql.get(end).copied().is_some_and(is_word)
        {
            let digits = &sql[start + 2..end];
            let number = if sql[start + 1] == b'x' { Number::Hex(digits) } else { Number::Bits(digits) };
            return self.token(TokenKind::Number(number), start, end);
        }
        let whole = self.run(start, |b| b.is_ascii_digit());
        let mut end = whole;
        if sql.get(end) == Some(&b'.') {
            end = self.run(end + 1, |b| b.is_ascii_digit());
        }
        let exponent = match sql.get(end..) {
            Some([b'e' | b'E', b'0'..=b'9', ..]) => Some(end + 1),
            Some([b'e' | b'E', b'+' | b'-', b'0'..=b'9', ..]) => Some(end + 2),
            _ => None,
        };
        if let Some(digits) = exponent {
            end = self.run(digits, |b| b.is_ascii_digit());
        }
        if end > whole {
            return self.token(TokenKind::Number(Number::Fractional(&sql[start..end])), start, end);
        }
        if sql.get(end).copied().is_some_and(is_word) {
            return self.word(start);
        }
        self.token(TokenKind::Number(Number::Integer(&sql[start..end])), start, end)
    }
}

/// MySQL's white space.
pub(super) fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t'..=b'\r')
}

/// What a bare identifier is made of. All bytes above ASCII belong to it, whatever the character set.
fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | 0x80..)
}

/// What a bare variable's or host's name is made of.
fn is_host(b: u8) -> bool {
    is_word(b) || b == b'.'
}

#[cfg(test)]
mod tests {
    use super::{TokenKind::*, *};

    fn kinds<'a>(sql: &'a [u8], syntax: &Syntax) -> Vec<TokenKind<'a>> {
        let mut lexer = Lexer::new(sql, syntax);
        std::iter::from_fn(|| Some(lexer.next_token().kind).filter(|kind| *kind != End)).collect()
    }

    fn quoted(raw: &str, quote: u8) -> Text<'_> {
        Text { raw: raw.as_bytes(), quote: Some(quote) }
    }

    #[test]
    fn tokens_are_cut_as_mysql_cuts_them() {
        let bare = |raw: &'static str| Text { raw: raw.as_bytes(), quote: None };
        for (sql, expected) in [
            ("kill", vec![Word(b"kill")]),
            ("12abc _x $y 1e x", vec![Word(b"12abc"), Word(b"_x"), Word(b"$y"), Word(b"1e"), Word(b"x")]),
            ("12 0x 0X18 0x1g", vec![Number(super::Number::Integer(b"12")), Word(b"0x"), Word(b"0X18"), Word(b"0x1g")]),
            (
                "0x1F x'18' X''",
                vec![
                    Number(super::Number::Hex(b"1F")),
                    Number(super::Number::Hex(b"18")),
                    Number(super::Number::Hex(b"")),
                ],
            ),
            ("x'1' x'zz'", vec![Word(b"x"), Str(quoted("1", b'\'')), Word(b"x"), Str(quoted("zz", b'\''))]),
            ("0b11 b'01'", vec![Number(super::Number::Bits(b"11")), Number(super::Number::Bits(b"01"))]),
            (
                "1.5 .5 1. 1e3 1.5E-3",
                vec![
                    Number(super::Number::Fractional(b"1.5")),
                    Number(super::Number::Fractional(b".5")),
                    Number(super::Number::Fractional(b"1.")),
                    Number(super::Number::Fractional(b"1e3")),
                    Number(super::Number::Fractional(b"1.5E-3")),
                ],
            ),
            (
                r#"'a''b\'c' "d" N'e' `f``g`"#,
                vec![
                    Str(quoted(r"a''b\'c", b'\'')),
                    Str(quoted("d", b'"')),
                    Str(quoted("e", b'\'')),
                    QuotedIdent(quoted("f``g", b'`')),
                ],
            ),
            (
                r#"@a.b$ @'c' @"d" @`e` @ "#,
                vec![
                    UserVar(bare("a.b$")),
                    UserVar(quoted("c", b'\'')),
                    UserVar(quoted("d", b'"')),
                    UserVar(quoted("e", b'`')),
                    Symbol(b'@'),
                ],
            ),
            ("@@x @@global.`y z`", vec![SystemVar(b"x"), SystemVar(b"global.`y z`")]),
            ("a--b", vec![Word(b"a"), Symbol(b'-'), Symbol(b'-'), Word(b"b")]),
            ("a-- b\n c--\td\n--", vec![Word(b"a"), Word(b"c")]),
            ("a#b\nc/*d*/e/**/f", vec![Word(b"a"), Word(b"c"), Word(b"e"), Word(b"f")]),
            ("*/ /", vec![Symbol(b'*'), Symbol(b'/'), Symbol(b'/')]),
            ("'a", vec![Unterminated]),
            (r"'a\'", vec![Unterminated]),
            ("a `b", vec![Word(b"a"), Unterminated]),
            ("@'a", vec![Unterminated]),
            ("/*/", vec![Unterminated]),
            ("/*! a", vec![Word(b"a"), Unterminated]),
        ] {
            assert_eq!(kinds(sql.as_bytes(), &Syntax::default()), expected, "{sql}");
        }
        assert_eq!(kinds(b"\xe4\xff \0", &Syntax::default()), [Word(b"\xe4\xff"), Symbol(0)]);
    }

    #[test]
    fn executable_comments_are_code_by_version() {
        let mysql = Syntax::default();
        let mysql_5 = Syntax { version: 50744, ..mysql };
        let mariadb = Syntax::MARIADB;
        let tidb = Syntax::TIDB;
        let (code, comment) = (true, false);
        for (syntax, sql, expected) in [
            (mysql, "/*!x*/", code),
            (mysql, "/*!50000 x*/", code),
            (mysql, "/*!50000x*/", code),
            (mysql, "/*!80036 x*/", code),
            (mysql, "/*!080036 x*/", code),
            (mysql, "/*!80037 x*/", comment),
            (mysql, "/*!500000 x*/", comment),
            (mysql, "/*!100103 x*/", comment),
            (mysql_5, "/*!80000 x*/", comment),
            (mysql_5, "/*!50744 x*/", code),
            (mysql, "/*M! x*/", comment),
            (mariadb, "/*M! x*/", code),
            (mariadb, "/*m! x*/", comment),
            (mariadb, "/*M!100103 x*/", code),
            (mariadb, "/*M!110000 x*/", comment),
            (mariadb, "/*M!80000 x*/", code),
            (mariadb, "/*!50699 x*/", code),
            (mariadb, "/*!50700 x*/", comment),
            (mariadb, "/*!99999 x*/", comment),
            (mariadb, "/*!100000 x*/", code),
            (mysql, "/* ! x*/", comment),
            (mysql, "/*T! x*/", comment),
            (mariadb, "/*T! x*/", comment),
            (tidb, "/*T! x*/", code),
            (tidb, "/*t! x*/", comment),
            (tidb, "/*T x*/", comment),
            (tidb, "/*T![auto_rand] x*/", code),
            (tidb, "/*T![a_1,b]x*/", code),
            (tidb, "/*M! x*/", comment),
            (tidb, "/*! x*/", code),
            (tidb, "/*!99999 x*/", code),
            (Syntax::EVERY_VERSION, "/*T! x*/", code),
            (Syntax::EVERY_VERSION, "/*T![a,b] x*/", code),
            (Syntax::EVERY_VERSION, "/*!99999 x*/", code),
            (Syntax::EVERY_VERSION, "/*!099999 x*/", code),
            (Syntax::EVERY_VERSION, "/*M!999999 x*/", code),
            // comments within comments
            (mysql, "/*! /* no */ x*/", code),
            (mysql, "/*!99999 /* no */ x*/", comment),
            (mysql, "/*! /*!99999 no */ x */", code),
            (mysql, "/*! -- */\nx*/", code),
        ] {
            let expected: &[TokenKind<'_>] = if expected { &[Word(b"x")] } else { &[] };
            assert_eq!(kinds(sql.as_bytes(), &syntax), expected, "{sql} {syntax:?}");
        }
    }

    #[test]
    fn only_tidbs_own_lists_of_features_are_skipped() {
        for (sql, expected) in [
            ("/*T![a] x*/", vec![Word(b"x")]),
            ("/*T![] x*/", vec![Symbol(b'['), Symbol(b']'), Word(b"x")]),
            ("/*T![a,] x*/", vec![Symbol(b'['), Word(b"a"), Symbol(b','), Symbol(b']'), Word(b"x")]),
            ("/*T![a b] x*/", vec![Symbol(b'['), Word(b"a"), Word(b"b"), Symbol(b']'), Word(b"x")]),
            ("/*T![a*/", vec![Symbol(b'['), Word(b"a")]),
            ("/*T![a", vec![Symbol(b'['), Word(b"a"), Unterminated]),
            // five digits are a version, to TiDB
            ("/*!080036 x*/", vec![Number(super::Number::Integer(b"6")), Word(b"x")]),
        ] {
            assert_eq!(kinds(sql.as_bytes(), &Syntax::TIDB), expected, "{sql}");
        }
    }
}
