//! Text into tokens, as the lexis of CEL says.
//!
//! It must not accept bytes: no signal is made of them.

use super::problem::Fault;

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name, or a word such as `true` or `in`.
    Word(String),
    /// A name in backquotes, which only follows a dot.
    Quoted(String),
    /// A whole number without its sign, which may be one more than an `i64` holds.
    Int(u64),
    /// A whole number with `u`.
    Uint(u64),
    /// A number with a point or an exponent.
    Double(f64),
    /// A string, escapes resolved.
    Text(String),
    /// An operator or a bracket.
    Sign(&'static str),
    /// After the last.
    End,
}

/// A token and its first byte.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) at: usize,
}

/// The longer ones first.
const SIGNS: &[&str] = &[
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", "(", ")", "[", "]", "{", "}",
    ",", ".",
];

/// All tokens of a source, the last of them [`Token::End`].
pub(super) fn tokens(source: &str) -> Result<Vec<Placed>, Fault> {
    let mut lexer = Lexer { source, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank();
        let at = lexer.at;
        let token = lexer.next()?;
        let is_last = token == Token::End;
        tokens.push(Placed { token, at });
        if is_last {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, text: &str) -> bool {
        let eaten = self.rest().starts_with(text);
        if eaten {
            self.at += text.len();
        }
        eaten
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let taken = rest.find(|letter| !wanted(letter)).map_or(rest, |end| rest.get(..end).unwrap_or_default());
        self.at += taken.len();
        taken
    }

    fn skip_blank(&mut self) {
        loop {
            self.take_while(|letter| matches!(letter, '\t' | '\n' | '\x0c' | '\r' | ' '));
            if !self.eat("//") {
                return;
            }
            self.take_while(|letter| letter != '\n');
        }
    }

    fn next(&mut self) -> Result<Token, Fault> {
        let Some(first) = self.peek() else { return Ok(Token::End) };
        let second = self.rest().chars().nth(1);
        if first.is_ascii_digit() || (first == '.' && second.is_some_and(|letter| letter.is_ascii_digit())) {
            return self.number();
        }
        if matches!(first, '"' | '\'') {
            return self.text(false);
        }
        if first.is_ascii_alphabetic() || first == '_' {
            return self.word();
        }
        if self.eat("`") {
            let at = self.at - 1;
            let name = self.take_while(|letter| letter.is_ascii_alphanumeric() || "_.-/ ".contains(letter));
            if self.eat("`") && !name.is_empty() {
                return Ok(Token::Quoted(name.to_owned()));
            }
            return Err(Fault::new(at, "a name in backquotes holds letters, digits, and the signs _ . - / and space"));
        }
        if let Some(sign) = SIGNS.iter().find(|sign| self.rest().starts_with(**sign)) {
            self.at += sign.len();
            return Ok(Token::Sign(sign));
        }
        Err(Fault::new(self.at, unexpected(first)))
    }

    fn word(&mut self) -> Result<Token, Fault> {
        let at = self.at;
        let word = self.take_while(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        if !matches!(self.peek(), Some('"' | '\'')) {
            return Ok(Token::Word(word.to_owned()));
        }
        match word {
            "r" | "R" => self.text(true),
            "b" | "B" | "br" | "bR" | "Br" | "BR" | "rb" | "rB" | "Rb" | "RB" => {
                Err(Fault::new(at, "there are no bytes here: leave the b away and write a string"))
            }
            _ => Err(Fault::new(self.at, format!("a string cannot follow {word:?} directly"))),
        }
    }

    fn number(&mut self) -> Result<Token, Fault> {
        let at = self.at;
        if self.eat("0x") || self.eat("0X") {
            let digits = self.take_while(|letter| letter.is_ascii_hexdigit());
            return self.whole(at, u64::from_str_radix(digits, 16).ok());
        }
        let digits = self.take_while(|letter| letter.is_ascii_digit());
        let mut is_double = false;
        let after_point = self.rest().strip_prefix('.').and_then(|rest| rest.chars().next());
        if after_point.is_some_and(|letter| letter.is_ascii_digit()) {
            is_double = true;
            self.at += 1;
            self.take_while(|letter| letter.is_ascii_digit());
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            is_double = true;
            self.at += 1;
            if matches!(self.peek(), Some('+' | '-')) {
                self.at += 1;
            }
            if self.take_while(|letter| letter.is_ascii_digit()).is_empty() {
                return Err(Fault::new(at, "a number such as 1e6 needs digits after its e"));
            }
        }
        if is_double {
            let text = self.source.get(at..self.at).unwrap_or_default();
            let value = text.parse().map_err(|_| Fault::new(at, "this is no number"))?;
            self.no_word_follows(at)?;
            return Ok(Token::Double(value));
        }
        self.whole(at, digits.parse().ok())
    }

    fn whole(&mut self, at: usize, value: Option<u64>) -> Result<Token, Fault> {
        let is_unsigned = self.eat("u") || self.eat("U");
        self.no_word_follows(at)?;
        let value = value.ok_or_else(|| Fault::new(at, "this number does not fit into 64 bits"))?;
        Ok(if is_unsigned { Token::Uint(value) } else { Token::Int(value) })
    }

    fn no_word_follows(&self, at: usize) -> Result<(), Fault> {
        match self.peek().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '_') {
            Some(letter) => Err(Fault::new(at, format!("a number cannot be followed by {letter:?}"))),
            None => Ok(()),
        }
    }

    fn text(&mut self, raw: bool) -> Result<Token, Fault> {
        let at = self.at;
        let quotes = ["\"\"\"", "'''", "\"", "'"];
        let quote = quotes.into_iter().find(|quote| self.eat(quote)).unwrap_or_default();
        let mut text = String::new();
        loop {
            if self.eat(quote) {
                return Ok(Token::Text(text));
            }
            match self.peek() {
                None => return Err(Fault::new(at, format!("this string has no end: {quote} is missing"))),
                Some('\n' | '\r') if quote.len() == 1 => {
                    return Err(Fault::new(at, format!("this string does not end on its line: {quote} is missing")));
                }
                Some('\\') if !raw => text.push(self.escape()?),
                Some(letter) => {
                    self.at += letter.len_utf8();
                    text.push(letter);
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let at = self.at;
        let wrong =
            || Fault::new(at, "CEL knows no such escape: write \\\\ for a backslash, or r\"…\" for a raw string");
        self.at += 1;
        let letter = self.peek().ok_or_else(wrong)?;
        self.at += letter.len_utf8();
        let (digits, radix) = match letter {
            'a' => return Ok('\x07'),
            'b' => return Ok('\x08'),
            'f' => return Ok('\x0c'),
            'n' => return Ok('\n'),
            'r' => return Ok('\r'),
            't' => return Ok('\t'),
            'v' => return Ok('\x0b'),
            '\\' | '?' | '"' | '\'' | '`' => return Ok(letter),
            'x' | 'X' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            '0'..='3' => {
                self.at -= 1;
                (3, 8)
            }
            _ => return Err(wrong()),
        };
        let number = self.source.get(self.at..self.at + digits).ok_or_else(wrong)?;
        self.at += digits;
        let is_digits = number.chars().all(|digit| digit.is_digit(radix));
        let code = u32::from_str_radix(number, radix).ok().filter(|_| is_digits).ok_or_else(wrong)?;
        char::from_u32(code).ok_or_else(|| Fault::new(at, "there is no such character"))
    }
}

fn unexpected(letter: char) -> String {
    match letter {
        '=' => "CEL compares with ==, and assigns nothing".to_owned(),
        '&' => "write && for \"and\"".to_owned(),
        '|' => "write || for \"or\"".to_owned(),
        ';' => "one expression, and no ; after it".to_owned(),
        '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}' => {
            format!("{letter} is a quote of a word processor: write ' or \"")
        }
        letter => format!("{} means nothing here", letter.escape_debug()),
    }
}
