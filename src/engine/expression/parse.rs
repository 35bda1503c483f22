//! Tokens into a tree, by the grammar of CEL without its comprehensions and messages.
//!
//! Why an own parser: the one of the usual library can end the process on a long sum, and has no bound of cost.
//!
//! How: recursive descent with a bound on how deep it goes, on the depth of the tree and on the count of its nodes, so
//! that whatever walks the tree later is bounded too. Names are looked up here, so that the message has their place.

use regex::RegexBuilder;

use super::problem::Fault;
use super::token::{Placed, Token, tokens};
use super::tree::{Arithmetic, Comparison, Function, Node, Part, Style};
use super::value::Value;
use super::{DEPTH_LIMIT, NODE_LIMIT, Scope};

/// Bytes of the compiled form of a pattern.
const PATTERN_LIMIT: usize = 256 << 10;

/// Words that are no names.
const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// What walks a list. A list in a list in a list takes more time than anyone has.
const LOOPS: &[&str] = &[
    "all",
    "exists",
    "exists_one",
    "existsOne",
    "map",
    "filter",
    "transformList",
    "transformMap",
    "transformMapEntry",
];

/// The tree of a source.
pub(super) fn parse(source: &str, scope: &Scope) -> Result<Node, Fault> {
    let tokens = tokens(source)?;
    let mut parser = Parser { tokens, next: 0, nodes: 0, level: 0, scope };
    let node = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(node),
        token => Err(Fault::new(parser.at(), format!("the expression is over before {}", shown(token)))),
    }
}

struct Parser<'a> {
    tokens: Vec<Placed>,
    next: usize,
    nodes: usize,
    level: usize,
    scope: &'a Scope,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.tokens.get(self.next).map_or(&Token::End, |placed| &placed.token)
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).or_else(|| self.tokens.last()).map_or(0, |placed| placed.at)
    }

    fn eat(&mut self, sign: &str) -> bool {
        let eaten = matches!(self.peek(), Token::Sign(next) if *next == sign);
        self.next += usize::from(eaten);
        eaten
    }

    fn expect(&mut self, sign: &str, meaning: &str) -> Result<(), Fault> {
        if self.eat(sign) {
            return Ok(());
        }
        Err(Fault::new(self.at(), format!("{sign} is missing {meaning}, before {}", shown(self.peek()))))
    }

    fn node(&mut self, at: usize, part: Part) -> Result<Node, Fault> {
        let mut node = Node { at, depth: 0, part };
        node.depth = 1 + node.children().iter().map(|child| child.depth).max().unwrap_or(0);
        self.nodes += 1;
        if self.nodes > NODE_LIMIT {
            return Err(Fault::new(at, format!("this is too long: at most {NODE_LIMIT} names, values and operators")));
        }
        if node.depth > DEPTH_LIMIT {
            return Err(too_deep(at));
        }
        Ok(node)
    }

    /// One level deeper in the source.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        self.level += 1;
        if self.level > DEPTH_LIMIT {
            return Err(too_deep(self.at()));
        }
        let value = inner(self)?;
        self.level -= 1;
        Ok(value)
    }

    fn expression(&mut self) -> Result<Node, Fault> {
        self.deeper(|parser| {
            let condition = parser.either()?;
            let at = parser.at();
            if !parser.eat("?") {
                return Ok(condition);
            }
            let then = parser.either()?;
            parser.expect(":", "between the two outcomes of ? :")?;
            let otherwise = parser.expression()?;
            parser.node(at, Part::Choice(Box::new([condition, then, otherwise])))
        })
    }

    fn either(&mut self) -> Result<Node, Fault> {
        let mut left = self.both()?;
        loop {
            let at = self.at();
            if !self.eat("||") {
                return Ok(left);
            }
            let right = self.both()?;
            left = self.node(at, Part::Or(Box::new([left, right])))?;
        }
    }

    fn both(&mut self) -> Result<Node, Fault> {
        let mut left = self.relation()?;
        loop {
            let at = self.at();
            if !self.eat("&&") {
                return Ok(left);
            }
            let right = self.relation()?;
            left = self.node(at, Part::And(Box::new([left, right])))?;
        }
    }

    fn relation(&mut self) -> Result<Node, Fault> {
        let mut left = self.sum()?;
        loop {
            let at = self.at();
            let comparison = match self.peek() {
                Token::Word(word) if word == "in" => None,
                Token::Sign("==") => Some(Comparison::Equal),
                Token::Sign("!=") => Some(Comparison::NotEqual),
                Token::Sign("<") => Some(Comparison::Below),
                Token::Sign("<=") => Some(Comparison::AtMost),
                Token::Sign(">") => Some(Comparison::Above),
                Token::Sign(">=") => Some(Comparison::AtLeast),
                _ => return Ok(left),
            };
            self.next += 1;
            let both = Box::new([left, self.sum()?]);
            let part = match comparison {
                Some(comparison) => Part::Compare(comparison, both),
                None => Part::In(both),
            };
            left = self.node(at, part)?;
        }
    }

    fn sum(&mut self) -> Result<Node, Fault> {
        let mut left = self.product()?;
        loop {
            let at = self.at();
            let sign = match self.peek() {
                Token::Sign("+") => Arithmetic::Plus,
                Token::Sign("-") => Arithmetic::Minus,
                _ => return Ok(left),
            };
            self.next += 1;
            let right = self.product()?;
            left = self.node(at, Part::Arithmetic(sign, Box::new([left, right])))?;
        }
    }

    fn product(&mut self) -> Result<Node, Fault> {
        let mut left = self.unary()?;
        loop {
            let at = self.at();
            let sign = match self.peek() {
                Token::Sign("*") => Arithmetic::Times,
                Token::Sign("/") => Arithmetic::Over,
                Token::Sign("%") => Arithmetic::Remainder,
                _ => return Ok(left),
            };
            self.next += 1;
            let right = self.unary()?;
            left = self.node(at, Part::Arithmetic(sign, Box::new([left, right])))?;
        }
    }

    fn unary(&mut self) -> Result<Node, Fault> {
        let at = self.at();
        if self.eat("!") {
            let inner = self.deeper(Self::unary)?;
            return self.node(at, Part::Not(Box::new(inner)));
        }
        if !self.eat("-") {
            return self.member();
        }
        let literal = match self.peek() {
            Token::Int(number) => {
                let value = 0_i64.checked_sub_unsigned(*number);
                Some(value.map(Value::Int).ok_or_else(|| Fault::new(at, too_big(*number)))?)
            }
            Token::Double(number) => Some(Value::Double(-number)),
            _ => None,
        };
        if let Some(value) = literal {
            self.next += 1;
            let node = self.node(at, Part::Literal(value))?;
            return self.after(node);
        }
        let inner = self.deeper(Self::unary)?;
        self.node(at, Part::Negative(Box::new(inner)))
    }

    fn member(&mut self) -> Result<Node, Fault> {
        let node = self.primary()?;
        self.after(node)
    }

    /// What follows a value: `.field`, `.function(…)`, `[index]`.
    fn after(&mut self, mut node: Node) -> Result<Node, Fault> {
        loop {
            let at = self.at();
            if self.eat("[") {
                let index = self.expression()?;
                self.expect("]", "after an index")?;
                node = self.node(at, Part::Index(Box::new([node, index])))?;
            } else if self.eat(".") {
                node = self.selected(node)?;
            } else {
                return Ok(node);
            }
        }
    }

    fn selected(&mut self, node: Node) -> Result<Node, Fault> {
        let at = self.at();
        let (name, quoted) = match self.peek() {
            Token::Word(word) if matches!(word.as_str(), "true" | "false" | "null" | "in") => {
                return Err(Fault::new(at, format!("{word} cannot follow a dot: write [\"{word}\"]")));
            }
            Token::Word(word) => (word.clone(), false),
            Token::Quoted(name) => (name.clone(), true),
            token => return Err(Fault::new(at, format!("a name is missing after the dot, before {}", shown(token)))),
        };
        self.next += 1;
        if quoted || !self.eat("(") {
            return self.node(at, Part::Field(Box::new(node), name));
        }
        let mut arguments = vec![node];
        arguments.extend(self.list(")", "after the arguments")?);
        self.call(at, &name, Style::Receiver, arguments)
    }

    fn primary(&mut self) -> Result<Node, Fault> {
        let at = self.at();
        if self.eat("(") {
            let node = self.expression()?;
            self.expect(")", "after what is in ( )")?;
            return Ok(node);
        }
        if self.eat("[") {
            let items = self.list("]", "after a list")?;
            return self.node(at, Part::List(items));
        }
        if self.eat("{") {
            return self.map(at);
        }
        // `.name` is the name itself: nothing here is inside another name.
        let dotted = self.eat(".");
        let token = self.peek().clone();
        if dotted && !matches!(token, Token::Word(_)) {
            return Err(Fault::new(self.at(), format!("a name is missing after the dot, before {}", shown(&token))));
        }
        let value = match token {
            Token::Word(word) => {
                self.next += 1;
                return self.named(at, &word);
            }
            Token::Int(number) => Value::Int(i64::try_from(number).map_err(|_| Fault::new(at, too_big(number)))?),
            Token::Uint(number) => Value::Uint(number),
            Token::Double(number) => Value::Double(number),
            Token::Text(text) => Value::from(text.as_str()),
            token => return Err(Fault::new(at, format!("a value is missing before {}", shown(&token)))),
        };
        self.next += 1;
        self.node(at, Part::Literal(value))
    }

    /// Expressions up to a bracket; a comma may follow the last one of a list.
    fn list(&mut self, end: &str, meaning: &str) -> Result<Vec<Node>, Fault> {
        let mut items = Vec::new();
        loop {
            if self.eat(end) {
                return Ok(items);
            }
            items.push(self.expression()?);
            let comma = self.at();
            if !self.eat(",") {
                self.expect(end, meaning)?;
                return Ok(items);
            }
            if end == ")" && matches!(self.peek(), Token::Sign(")")) {
                return Err(Fault::new(comma, "an argument is missing after this comma"));
            }
        }
    }

    fn map(&mut self, at: usize) -> Result<Node, Fault> {
        let mut pairs = Vec::new();
        while !self.eat("}") {
            let key = self.expression()?;
            self.expect(":", "after a map's key")?;
            pairs.push([key, self.expression()?]);
            if !self.eat(",") {
                self.expect("}", "after a map")?;
                break;
            }
        }
        self.node(at, Part::Map(pairs))
    }

    /// A variable, a constant or a function.
    fn named(&mut self, at: usize, word: &str) -> Result<Node, Fault> {
        match word {
            "true" | "false" => return self.node(at, Part::Literal(Value::Bool(word == "true"))),
            "null" => {
                return Err(Fault::new(
                    at,
                    "there is no null: without data nothing is evaluated, and a missing text is \"\"",
                ));
            }
            "in" => return Err(Fault::new(at, "a value is missing before in")),
            _ if RESERVED.contains(&word) => {
                return Err(Fault::new(
                    at,
                    format!("CEL reserves the word {word}: choose with CONDITION ? THIS : THAT"),
                ));
            }
            _ => {}
        }
        if self.eat("(") {
            if word == "has" {
                return self.has(at);
            }
            let arguments = self.list(")", "after the arguments")?;
            return self.call(at, word, Style::Alone, arguments);
        }
        if matches!(self.peek(), Token::Sign("{")) {
            return Err(Fault::new(at, "there are no messages here: a map is {\"key\": value}"));
        }
        let slot = self.scope.slot(word).ok_or_else(|| Fault::new(at, self.scope.unknown(word)))?;
        self.node(at, Part::Variable(slot))
    }

    fn has(&mut self, at: usize) -> Result<Node, Fault> {
        let mut arguments = self.list(")", "after the argument")?;
        match (arguments.pop().map(|node| node.part), arguments.len()) {
            (Some(Part::Field(map, name)), 0) => self.node(at, Part::Has(map, name)),
            _ => Err(Fault::new(at, "has() asks whether a map has a key, as in has(tags.tier)")),
        }
    }

    fn call(&mut self, at: usize, name: &str, style: Style, mut arguments: Vec<Node>) -> Result<Node, Fault> {
        if name == "matches" && arguments.len() == 2 {
            let pattern = arguments.pop();
            let text = arguments.pop();
            if let (Some(pattern), Some(text)) = (pattern, text) {
                return self.matches(at, text, &pattern);
            }
        }
        if LOOPS.contains(&name) && style == Style::Receiver {
            return Err(Fault::new(
                at,
                format!(
                    "{name} walks a list, which is left out here so that every expression ends at once: ask with in, or write the cases out"
                ),
            ));
        }
        let known = Function::ALL.iter().find(|(known, ..)| *known == name);
        let Some((_, function, count, wanted)) = known else {
            return Err(Fault::new(at, self.scope.unknown_function(name)));
        };
        let form = match wanted {
            Style::Receiver => format!("x.{name}(y)"),
            Style::Alone | Style::Either => format!("{name}(x)"),
        };
        if (*wanted != Style::Either && *wanted != style) || arguments.len() != *count {
            return Err(Fault::new(at, format!("{name} is called as {form}")));
        }
        self.node(at, Part::Call(*function, arguments))
    }

    fn matches(&mut self, at: usize, text: Node, pattern: &Node) -> Result<Node, Fault> {
        let Part::Literal(Value::String(source)) = &pattern.part else {
            return Err(Fault::new(pattern.at, "the pattern of matches must be written out as a string"));
        };
        let regex = RegexBuilder::new(source).size_limit(PATTERN_LIMIT).dfa_size_limit(PATTERN_LIMIT).build();
        let regex = regex.map_err(|error| {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Fault::new(pattern.at, format!("this pattern cannot be used: {reason}"))
        })?;
        self.node(at, Part::Matches(Box::new(text), regex))
    }
}

fn too_deep(at: usize) -> Fault {
    Fault::new(
        at,
        format!("this nests too deep: at most {DEPTH_LIMIT} levels, and a long chain of operators counts too"),
    )
}

fn too_big(number: u64) -> String {
    format!("{number} does not fit into 64 bits with a sign")
}

fn shown(token: &Token) -> String {
    match token {
        Token::Word(word) => word.clone(),
        Token::Quoted(name) => format!("`{name}`"),
        Token::Int(number) => number.to_string(),
        Token::Uint(number) => format!("{number}u"),
        Token::Double(number) => format!("{number:?}"),
        Token::Text(_) => "the string".to_owned(),
        Token::Sign(sign) => (*sign).to_owned(),
        Token::End => "the end".to_owned(),
    }
}
