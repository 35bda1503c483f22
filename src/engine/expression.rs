//! Expressions: health and swimlanes as their owners write them, in CEL.
//!
//! Why: who owns a service knows when it is ill. The language is the Common Expression Language, without its loops
//! (`map`, `exists`), messages, bytes, null and timestamps, so that no expression can stall or end the process.
//!
//! How: [`Expression::compile`] reads the source ([`token`], [`parse`]), finds its type ([`check`]) and computes what
//! does not depend on inputs; [`Expression::evaluate`] walks the tree once ([`evaluate`]). Source, nodes, depth and what
//! an evaluation may cost are bounded. [`mod@backtest`] asks what would have been. The conformance tests of CEL hold it (`tests/expression`).
//!
//! It must not be given NaN or a made-up 0 for what is not known: such an input is `None`, and reading it an error.

mod backtest;
mod call;
mod check;
mod evaluate;
mod parse;
mod problem;
mod scope;
mod signals;
mod sql;
mod token;
mod tree;
mod value;

use std::fmt;
use std::sync::Arc;

pub use backtest::{Backtest, Change, backtest};
pub use evaluate::EvaluationError;
pub use problem::Problem;
pub use scope::Scope;
pub use signals::{HealthExpression, Inputs, SwimlaneExpression};
pub use sql::Unwritten;
pub use value::{Key, Type, Value};

use problem::Fault;
use tree::{Node, Part};

/// Bytes of a source.
pub const SOURCE_LIMIT: usize = 4 << 10;
/// Names, values and operators of an expression.
pub const NODE_LIMIT: usize = 1_000;
/// Levels of an expression. A chain of operators counts too.
pub const DEPTH_LIMIT: usize = 100;

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Expression {
    source: Arc<str>,
    root: Node,
    kind: Type,
    scope: Scope,
}

impl Expression {
    /// Reads and checks an expression over these names.
    ///
    /// # Errors
    ///
    /// When it is too long, no CEL, uses an unknown name, or its types do not fit.
    pub fn compile(source: &str, scope: &Scope) -> Result<Self, Problem> {
        Self::build(source, scope, Checking::Types).map_err(|fault| fault.place(source))
    }

    /// The same without looking at types: what does not fit fails when it is evaluated.
    ///
    /// # Errors
    ///
    /// When it is too long, no CEL, or uses an unknown name.
    pub fn compile_unchecked(source: &str, scope: &Scope) -> Result<Self, Problem> {
        Self::build(source, scope, Checking::Nothing).map_err(|fault| fault.place(source))
    }

    fn build(source: &str, scope: &Scope, checking: Checking) -> Result<Self, Fault> {
        if source.len() > SOURCE_LIMIT {
            let sentence = format!("this is too long: {} bytes, and at most {SOURCE_LIMIT} are read", source.len());
            return Err(Fault::new(0, sentence));
        }
        if source.trim().is_empty() {
            return Err(Fault::new(0, "there is no expression"));
        }
        let mut root = parse::parse(source, scope)?;
        let kind = match checking {
            Checking::Types => check::type_of(&root, scope)?,
            Checking::Nothing => Type::Dyn,
        };
        fold(&mut root);
        Ok(Self { source: source.into(), root, kind, scope: scope.clone() })
    }

    /// As written.
    pub const fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// What it gives.
    pub const fn kind(&self) -> &Type {
        &self.kind
    }

    /// The names that it reads: the places in its scope, each once.
    pub fn reads(&self) -> Vec<usize> {
        let mut slots = Vec::new();
        collect(&self.root, &mut slots);
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// Its value for these inputs, in the order of the scope's names; `None` is what is not known.
    ///
    /// # Errors
    ///
    /// When it divides by zero, asks for a key that is not there, reads what is not known, and the like.
    pub fn evaluate(&self, inputs: &[Option<Value>]) -> Result<Value, EvaluationError> {
        evaluate::evaluate(&self.root, inputs)
    }

    /// What went wrong, in words, with the names of this expression.
    pub fn explain(&self, error: &EvaluationError) -> String {
        match error {
            EvaluationError::NotKnown(slot) => format!("{} is not known", self.scope.name(*slot)),
            error => error.to_string(),
        }
    }

    /// The same as an expression of SQL over these columns.
    fn sql(&self, names: &[Option<String>]) -> Result<String, Unwritten> {
        sql::write(&self.root, names)
    }

    /// The literals that it may give: where ternaries end.
    fn outcomes(&self) -> Vec<(usize, &Value)> {
        let mut outcomes = Vec::new();
        let mut open = vec![&self.root];
        while let Some(node) = open.pop() {
            match &node.part {
                Part::Literal(value) => outcomes.push((node.at, value)),
                Part::Choice(three) => {
                    let [_, then, otherwise] = &**three;
                    open.extend([then, otherwise]);
                }
                _ => {}
            }
        }
        outcomes
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.source)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checking {
    Types,
    Nothing,
}

/// Computes what does not depend on inputs. What fails is left as it is: perhaps nobody asks for it.
fn fold(node: &mut Node) {
    if matches!(node.part, Part::Literal(_) | Part::Variable(_)) {
        return;
    }
    node.children_mut().into_iter().for_each(fold);
    let is_constant = node.children().iter().all(|child| matches!(child.part, Part::Literal(_)));
    if let Some(value) = is_constant.then(|| evaluate::evaluate(node, &[])).and_then(Result::ok) {
        node.part = Part::Literal(value);
    }
}

fn collect(node: &Node, slots: &mut Vec<usize>) {
    if let Part::Variable(slot) = node.part {
        slots.push(slot);
    }
    node.children().into_iter().for_each(|child| collect(child, slots));
}

#[cfg(test)]
mod tests;
