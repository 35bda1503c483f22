//! A swimlane expression as an expression of SQL.
//!
//! Why: a job that counts by swimlane must compute the swimlane as the engine does.
//!
//! How: of the language that part is written down which cannot fail and in which both languages agree: names that are
//! text, literals, conditions, equality, lists of literals, and what is asked of a text. The rest is refused by name.
//!
//! It must not guess: what SQL would do otherwise is refused.

use super::tree::{Comparison, Function, Node, Part};
use super::value::Value;

/// What an expression has that is not written in SQL.
pub type Unwritten = &'static str;

/// A node as SQL; `names` are the columns of its inputs, in order, `None` where there is none.
pub(super) fn write(node: &Node, names: &[Option<String>]) -> Result<String, Unwritten> {
    let of = |node: &Node| write(node, names);
    match &node.part {
        Part::Literal(value) => literal(value),
        Part::Variable(slot) => {
            names.get(*slot).cloned().flatten().ok_or("tags: they are the owner's, which a job does not read")
        }
        Part::Not(inner) => Ok(format!("(NOT {})", of(inner)?)),
        Part::And(both) => Ok(format!("({} AND {})", of(&both[0])?, of(&both[1])?)),
        Part::Or(both) => Ok(format!("({} OR {})", of(&both[0])?, of(&both[1])?)),
        Part::Choice(three) => {
            let [condition, then, otherwise] = &**three;
            Ok(format!("CASE WHEN {} THEN {} ELSE {} END", of(condition)?, of(then)?, of(otherwise)?))
        }
        Part::Compare(Comparison::Equal, both) => Ok(format!("({} = {})", of(&both[0])?, of(&both[1])?)),
        Part::Compare(Comparison::NotEqual, both) => Ok(format!("({} <> {})", of(&both[0])?, of(&both[1])?)),
        Part::Compare(..) => Err("an order of texts"),
        Part::In(both) => contained(&both[0], &both[1], names),
        Part::Call(function, arguments) => call(*function, arguments, names),
        Part::Arithmetic(..) | Part::Negative(_) => Err("arithmetic"),
        Part::Matches(..) => Err("matches(): regular expressions of Java are not those of the engine"),
        Part::List(_) | Part::Map(_) | Part::Field(..) | Part::Has(..) | Part::Index(_) => Err("a list or a map"),
    }
}

fn literal(value: &Value) -> Result<String, Unwritten> {
    match value {
        Value::String(text) => Ok(format!("'{}'", text.replace('\'', "''"))),
        Value::Bool(true) => Ok("TRUE".to_owned()),
        Value::Bool(false) => Ok("FALSE".to_owned()),
        _ => Err("a number, a list or a map"),
    }
}

/// Texts in a list. An empty one holds nothing.
fn contained(item: &Node, list: &Node, names: &[Option<String>]) -> Result<String, Unwritten> {
    let items = match &list.part {
        Part::Literal(Value::List(values)) => values.iter().map(literal).collect::<Result<Vec<_>, _>>()?,
        Part::List(nodes) => nodes.iter().map(|node| write(node, names)).collect::<Result<Vec<_>, _>>()?,
        _ => return Err("in, of something else than a list"),
    };
    let item = write(item, names)?;
    Ok(if items.is_empty() { "FALSE".to_owned() } else { format!("({item} IN ({}))", items.join(", ")) })
}

fn call(function: Function, arguments: &[Node], names: &[Option<String>]) -> Result<String, Unwritten> {
    let [text, part] = arguments else { return Err("a function of one value") };
    let (text, part) = (write(text, names)?, write(part, names)?);
    match function {
        Function::Contains => Ok(format!("(POSITION({part} IN {text}) > 0)")),
        Function::StartsWith => Ok(format!("(LEFT({text}, CHAR_LENGTH({part})) = {part})")),
        Function::EndsWith => Ok(format!("(RIGHT({text}, CHAR_LENGTH({part})) = {part})")),
        _ => Err("a function"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::SwimlaneExpression;

    fn sql(source: &str) -> Result<String, &'static str> {
        SwimlaneExpression::compile(source, &["host".into(), "zone".into()])
            .unwrap()
            .sql("`service`", &["`h`".to_owned(), "`z`".to_owned()])
    }

    #[test]
    fn what_both_languages_agree_on_is_written() {
        for (source, expected) in [
            ("host in ['a', \"it's\"] ? 'ec2' : ''", "CASE WHEN (`h` IN ('a', 'it''s')) THEN 'ec2' ELSE '' END"),
            ("host in [zone] ? 'x' : ''", "CASE WHEN (`h` IN (`z`)) THEN 'x' ELSE '' END"),
            ("host in [] ? 'x' : zone", "CASE WHEN FALSE THEN 'x' ELSE `z` END"),
            (
                "!(service == 'a') && zone != '' || host.startsWith('ip-') ? zone : 'none'",
                "CASE WHEN (((NOT (`service` = 'a')) AND (`z` <> '')) OR (LEFT(`h`, CHAR_LENGTH('ip-')) = 'ip-')) THEN `z` ELSE 'none' END",
            ),
            (
                "host.endsWith('.x') ? 'e' : host.contains('y') ? 'c' : ''",
                "CASE WHEN (RIGHT(`h`, CHAR_LENGTH('.x')) = '.x') THEN 'e' ELSE CASE WHEN (POSITION('y' IN `h`) > 0) THEN 'c' ELSE '' END END",
            ),
        ] {
            assert_eq!(sql(source).as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn what_sql_would_do_otherwise_is_refused_by_name() {
        for (source, named) in [
            ("tags.tier", "a list or a map"),
            ("host.matches('a+') ? 'x' : ''", "matches()"),
            ("host < zone ? 'x' : ''", "order"),
            ("host + zone", "arithmetic"),
            ("size(host) > 3 ? 'x' : ''", "order"),
            ("string(size(host))", "function"),
        ] {
            let refused = sql(source).unwrap_err();
            assert!(refused.contains(named), "{source}: {refused}");
        }
    }
}
