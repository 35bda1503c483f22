//! An expression as a tree.

use regex::Regex;

use super::value::Value;

/// A part of an expression.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where it is in the source: its first byte, or that of its operator.
    pub(super) at: usize,
    /// Levels below it and itself.
    pub(super) depth: usize,
    pub(super) part: Part,
}

#[derive(Clone, Debug)]
pub(super) enum Part {
    Literal(Value),
    /// The place of its value among the inputs.
    Variable(usize),
    Not(Box<Node>),
    Negative(Box<Node>),
    And(Box<[Node; 2]>),
    Or(Box<[Node; 2]>),
    /// Condition, then, else.
    Choice(Box<[Node; 3]>),
    Compare(Comparison, Box<[Node; 2]>),
    Arithmetic(Arithmetic, Box<[Node; 2]>),
    In(Box<[Node; 2]>),
    List(Vec<Node>),
    Map(Vec<[Node; 2]>),
    Field(Box<Node>, String),
    /// `has(map.field)`.
    Has(Box<Node>, String),
    Index(Box<[Node; 2]>),
    /// A receiver is the first argument.
    Call(Function, Vec<Node>),
    Matches(Box<Node>, Regex),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Below,
    AtMost,
    Above,
    AtLeast,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Plus,
    Minus,
    Times,
    Over,
    Remainder,
}

impl Arithmetic {
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times => "*",
            Self::Over => "/",
            Self::Remainder => "%",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    StartsWith,
    EndsWith,
    Contains,
    ToInt,
    ToUint,
    ToDouble,
    ToString,
    ToBool,
    Dyn,
}

impl Function {
    /// Its name, how many arguments it has with its receiver, and whether it is called on a receiver, alone, or either.
    pub(super) const ALL: [(&'static str, Self, usize, Style); 10] = [
        ("size", Self::Size, 1, Style::Either),
        ("startsWith", Self::StartsWith, 2, Style::Receiver),
        ("endsWith", Self::EndsWith, 2, Style::Receiver),
        ("contains", Self::Contains, 2, Style::Receiver),
        ("int", Self::ToInt, 1, Style::Alone),
        ("uint", Self::ToUint, 1, Style::Alone),
        ("double", Self::ToDouble, 1, Style::Alone),
        ("string", Self::ToString, 1, Style::Alone),
        ("bool", Self::ToBool, 1, Style::Alone),
        ("dyn", Self::Dyn, 1, Style::Alone),
    ];

    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, function, ..)| *function == self).map_or("", |(name, ..)| name)
    }
}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `x.f(y)`.
    Receiver,
    /// `f(x)`.
    Alone,
    /// Both.
    Either,
}

/// The parts right below a node, borrowed as `$iter` borrows.
macro_rules! children {
    ($part:expr, $iter:ident) => {
        match $part {
            Part::Literal(_) | Part::Variable(_) => Vec::new(),
            Part::Not(inner)
            | Part::Negative(inner)
            | Part::Field(inner, _)
            | Part::Has(inner, _)
            | Part::Matches(inner, _) => vec![inner],
            Part::And(both)
            | Part::Or(both)
            | Part::In(both)
            | Part::Index(both)
            | Part::Compare(_, both)
            | Part::Arithmetic(_, both) => both.$iter().collect(),
            Part::Choice(three) => three.$iter().collect(),
            Part::List(items) | Part::Call(_, items) => items.$iter().collect(),
            Part::Map(pairs) => pairs.$iter().flatten().collect(),
        }
    };
}

impl Node {
    /// The parts right below.
    pub(super) fn children(&self) -> Vec<&Self> {
        children!(&self.part, iter)
    }

    /// The same, to be replaced.
    pub(super) fn children_mut(&mut self) -> Vec<&mut Self> {
        children!(&mut self.part, iter_mut)
    }
}
