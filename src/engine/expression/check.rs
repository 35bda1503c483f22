//! The type of an expression, before anything is evaluated.
//!
//! How: CEL's own rules, but for numbers: `availability > 99` compares an int with a double by value, as implementations
//! allow when they are asked to; nobody who writes a threshold should fail for a missing `.0`.

use super::Scope;
use super::problem::Fault;
use super::tree::{Arithmetic, Comparison, Function, Node, Part};
use super::value::{Type, Value};

/// The type of a node.
pub(super) fn type_of(node: &Node, scope: &Scope) -> Result<Type, Fault> {
    let of = |node: &Node| type_of(node, scope);
    match &node.part {
        Part::Literal(value) => Ok(literal(value)),
        Part::Variable(slot) => Ok(scope.kind(*slot).clone()),
        Part::Not(inner) => expect(&of(inner)?, &Type::Bool, inner.at, "! turns true and false around"),
        Part::Negative(inner) => match of(inner)? {
            kind @ (Type::Int | Type::Double | Type::Dyn) => Ok(kind),
            kind => Err(Fault::new(node.at, format!("- needs an int or a double, and this is {}", a(&kind)))),
        },
        Part::And(both) | Part::Or(both) => {
            for side in both.iter() {
                expect(&of(side)?, &Type::Bool, side.at, "&& and || join conditions")?;
            }
            Ok(Type::Bool)
        }
        Part::Choice(three) => choice(node.at, three, scope),
        Part::Compare(comparison, both) => compare(node.at, *comparison, &of(&both[0])?, &of(&both[1])?),
        Part::Arithmetic(sign, both) => arithmetic(node.at, *sign, &of(&both[0])?, &of(&both[1])?),
        Part::In(both) => contained(node.at, &of(&both[0])?, &of(&both[1])?),
        Part::List(items) => {
            let kinds = items.iter().map(of).collect::<Result<Vec<_>, _>>()?;
            Ok(Type::List(Box::new(joined(&kinds))))
        }
        Part::Map(pairs) => {
            let keys = pairs.iter().map(|[key, _]| map_key(key, of(key)?)).collect::<Result<Vec<_>, _>>()?;
            let values = pairs.iter().map(|[_, value]| of(value)).collect::<Result<Vec<_>, _>>()?;
            Ok(Type::Map(Box::new(joined(&keys)), Box::new(joined(&values))))
        }
        Part::Field(map, name) => field(node.at, &of(map)?, name),
        Part::Has(map, name) => field(node.at, &of(map)?, name).map(|_| Type::Bool),
        Part::Index(both) => index(node.at, of(&both[0])?, &of(&both[1])?),
        Part::Call(function, arguments) => {
            let kinds = arguments.iter().map(of).collect::<Result<Vec<_>, _>>()?;
            call(node.at, *function, &kinds)
        }
        Part::Matches(text, _) => {
            expect(&of(text)?, &Type::String, text.at, "matches looks at a string").map(|_| Type::Bool)
        }
    }
}

/// With its article, as a sentence needs it.
pub(super) fn a(kind: &Type) -> String {
    let article = if matches!(kind, Type::Int) { "an" } else { "a" };
    format!("{article} {kind}")
}

fn literal(value: &Value) -> Type {
    match value {
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::Uint(_) => Type::Uint,
        Value::Double(_) => Type::Double,
        Value::String(_) => Type::String,
        Value::List(_) => Type::List(Box::new(Type::Dyn)),
        Value::Map(_) => Type::Map(Box::new(Type::Dyn), Box::new(Type::Dyn)),
    }
}

fn joined(kinds: &[Type]) -> Type {
    kinds.iter().cloned().reduce(|one, two| one.join(&two)).unwrap_or(Type::Dyn)
}

fn expect(kind: &Type, wanted: &Type, at: usize, why: &str) -> Result<Type, Fault> {
    if kind.agrees(wanted) {
        return Ok(wanted.clone());
    }
    Err(Fault::new(at, format!("{why}, and this is {}", a(kind))))
}

fn choice(at: usize, three: &[Node; 3], scope: &Scope) -> Result<Type, Fault> {
    let [condition, then, otherwise] = three;
    let kind = type_of(condition, scope)?;
    expect(&kind, &Type::Bool, condition.at, "what stands before ? must be true or false")?;
    let (one, two) = (type_of(then, scope)?, type_of(otherwise, scope)?);
    if one.agrees(&two) {
        return Ok(one.join(&two));
    }
    Err(Fault::new(at, format!("both outcomes of ? : must be of one type: this gives {} or {}", a(&one), a(&two))))
}

fn compare(at: usize, comparison: Comparison, one: &Type, two: &Type) -> Result<Type, Fault> {
    let is_equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    if !one.is_comparable(two) {
        let verb = if is_equality { "never equals" } else { "cannot be compared with" };
        return Err(Fault::new(at, format!("{} {verb} {}", a(one), a(two))));
    }
    let has_order = |kind: &Type| !matches!(kind, Type::List(_) | Type::Map(..));
    if is_equality || (has_order(one) && has_order(two)) {
        return Ok(Type::Bool);
    }
    Err(Fault::new(at, "lists and maps have no order: compare them with == and !="))
}

fn arithmetic(at: usize, sign: Arithmetic, one: &Type, two: &Type) -> Result<Type, Fault> {
    let is_plus = sign == Arithmetic::Plus;
    let kind = if *one == Type::Dyn { two } else { one };
    let fits = match kind {
        Type::Int | Type::Uint | Type::Dyn => true,
        Type::Double => sign != Arithmetic::Remainder,
        Type::String | Type::List(_) => is_plus,
        Type::Bool | Type::Map(..) => false,
    };
    if fits && one.agrees(two) {
        return Ok(one.join(two));
    }
    let sign = sign.sign();
    if one.is_number() && two.is_number() && one != two {
        let other = if *one == Type::Double { two } else { one };
        return Err(Fault::new(
            at,
            format!("CEL does not mix {one} {sign} {two}: write double(…) around the {other}, or 60.0 for 60"),
        ));
    }
    Err(Fault::new(at, format!("{} {sign} {} means nothing", a(one), a(two))))
}

fn contained(at: usize, item: &Type, all: &Type) -> Result<Type, Fault> {
    let inside = match all {
        Type::List(inside) | Type::Map(inside, _) => inside,
        Type::Dyn => return Ok(Type::Bool),
        kind => {
            return Err(Fault::new(
                at,
                format!("in needs a list such as [\"a\", \"b\"] at its right, and this is {}", a(kind)),
            ));
        }
    };
    if item.is_comparable(inside) {
        return Ok(Type::Bool);
    }
    Err(Fault::new(at, format!("{} is never in {}", a(item), a(all))))
}

fn map_key(node: &Node, kind: Type) -> Result<Type, Fault> {
    match kind {
        Type::Bool | Type::Int | Type::Uint | Type::String | Type::Dyn => Ok(kind),
        kind => {
            Err(Fault::new(node.at, format!("a map's key is a string, an int or a bool, and this is {}", a(&kind))))
        }
    }
}

fn field(at: usize, map: &Type, name: &str) -> Result<Type, Fault> {
    match map {
        Type::Map(key, value) if key.agrees(&Type::String) => Ok((**value).clone()),
        Type::Dyn => Ok(Type::Dyn),
        kind => Err(Fault::new(
            at,
            format!(".{name} needs a map with strings as keys, such as tags, and this is {}", a(kind)),
        )),
    }
}

fn index(at: usize, container: Type, index: &Type) -> Result<Type, Fault> {
    match container {
        Type::List(item) if matches!(index, Type::Int | Type::Dyn) => Ok(*item),
        Type::Map(key, value) if key.is_comparable(index) => Ok(*value),
        Type::Dyn => Ok(Type::Dyn),
        kind => Err(Fault::new(at, format!("{} has nothing at {}", a(&kind), a(index)))),
    }
}

fn call(at: usize, function: Function, kinds: &[Type]) -> Result<Type, Fault> {
    let number_or_text = |kind: &Type| kind.is_number() || matches!(kind, Type::String | Type::Dyn);
    let text = |kind: &Type| kind.agrees(&Type::String);
    let (fits, result, wants) = match function {
        Function::Size => (
            kinds.iter().all(|kind| matches!(kind, Type::String | Type::List(_) | Type::Map(..) | Type::Dyn)),
            Type::Int,
            "a string, a list or a map",
        ),
        Function::StartsWith | Function::EndsWith | Function::Contains => {
            (kinds.iter().all(text), Type::Bool, "strings")
        }
        Function::ToInt => (kinds.iter().all(number_or_text), Type::Int, "a number or a string"),
        Function::ToUint => (kinds.iter().all(number_or_text), Type::Uint, "a number or a string"),
        Function::ToDouble => (kinds.iter().all(number_or_text), Type::Double, "a number or a string"),
        Function::ToString => (
            kinds.iter().all(|kind| number_or_text(kind) || *kind == Type::Bool),
            Type::String,
            "a number, a bool or a string",
        ),
        Function::ToBool => {
            (kinds.iter().all(|kind| text(kind) || *kind == Type::Bool), Type::Bool, "a string or a bool")
        }
        Function::Dyn => (true, Type::Dyn, ""),
    };
    if fits {
        return Ok(result);
    }
    let given = kinds.iter().map(a).collect::<Vec<_>>().join(" and ");
    Err(Fault::new(at, format!("{} needs {wants}, and this is {given}", function.name())))
}
