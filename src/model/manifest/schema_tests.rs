//! The JSON Schemas in `assets/schemas` and the types say the same: fields, words, and what must be there.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{self, Deserializer, Visitor, value::Error};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::Value;

use super::wire::{
    Colour, Icon, Identity, Override, Owner, Pipeline, PipelineSpec, Processor, ProcessorSpec, Runtime, Step,
    Visibility,
};

const PIPELINE: &str = include_str!("../../../assets/schemas/pipeline.schema.json");
const PROCESSOR: &str = include_str!("../../../assets/schemas/processor.schema.json");

/// Asks a type for the names that it reads, and gives it nothing.
struct Asker<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Asker<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(de::Error::custom("only structs and enums have names"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(de::Error::custom("asked"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = variants;
        Err(de::Error::custom("asked"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

fn names<'de, T: Deserialize<'de> + fmt::Debug>() -> BTreeSet<String> {
    let mut names: &[&str] = &[];
    T::deserialize(Asker(&mut names)).unwrap_err();
    assert!(!names.is_empty());
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn schema(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[track_caller]
fn fields(schema: &Value, at: &str) -> BTreeSet<String> {
    let object = schema.pointer(at).unwrap_or_else(|| panic!("{at}"));
    assert_eq!(object["additionalProperties"], false, "{at}");
    object["properties"].as_object().unwrap().keys().cloned().collect()
}

#[track_caller]
fn words(schema: &Value, at: &str) -> BTreeSet<String> {
    let list = schema.pointer(at).and_then(|it| it["enum"].as_array()).unwrap_or_else(|| panic!("{at}"));
    list.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

#[test]
fn schemas_have_the_fields_of_the_types() {
    let (pipeline, processor) = (schema(PIPELINE), schema(PROCESSOR));
    let spec = "/properties/spec";
    let steps = "/properties/spec/properties/processors/items";
    let overrides = "/properties/spec/properties/overrides/additionalProperties/additionalProperties";
    assert_eq!(fields(&pipeline, ""), names::<Pipeline>());
    assert_eq!(fields(&pipeline, spec), names::<PipelineSpec>());
    assert_eq!(fields(&pipeline, steps), names::<Step>());
    assert_eq!(fields(&pipeline, overrides), names::<Override>());
    assert_eq!(fields(&processor, ""), names::<Processor>());
    assert_eq!(fields(&processor, spec), names::<ProcessorSpec>());
    for schema in [&pipeline, &processor] {
        let metadata = "/properties/metadata";
        assert_eq!(fields(schema, metadata), names::<Identity>());
        assert_eq!(fields(schema, &format!("{metadata}/properties/icon")), names::<Icon>());
        assert_eq!(words(schema, &format!("{metadata}/properties/icon/properties/colour")), names::<Colour>());
        assert_eq!(words(schema, &format!("{metadata}/properties/visibility")), names::<Visibility>());
        assert_eq!(words(schema, &format!("{metadata}/properties/owner")), names::<Owner>());
    }
    assert_eq!(words(&pipeline, "/properties/spec/properties/runtime"), names::<Runtime>());
}

/// An example of what a schema asks for, and of nothing else.
fn least(schema: &Value) -> Value {
    let first = |it: &Value| it.as_array().and_then(|all| all.first().cloned());
    if let Some(value) = schema.get("const").cloned().or_else(|| schema.get("enum").and_then(first)) {
        return value;
    }
    match schema["type"].as_str() {
        Some("object") => {
            let required = schema["required"].as_array().into_iter().flatten();
            let of = |name: &Value| {
                let name = name.as_str().unwrap();
                (name.to_owned(), least(&schema["properties"][name]))
            };
            Value::Object(required.map(of).collect())
        }
        Some("array") => Value::Array(vec![least(&schema["items"])]),
        Some("integer" | "number") => 1.into(),
        _ => "a".into(),
    }
}

#[test]
fn what_a_schema_requires_is_what_the_types_require() {
    for text in [PIPELINE, PROCESSOR] {
        let least = least(&schema(text));
        assert!(super::wire::documents(&least.to_string()).all(|it| it.is_ok()), "{least}");
        let mut paths = Vec::new();
        collect(&least, "", &mut paths);
        assert!(paths.len() > 5);
        for path in paths {
            let mut without = least.clone();
            let (parent, field) = path.rsplit_once('/').unwrap();
            without.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field);
            let read: Vec<_> = super::wire::documents(&without.to_string()).collect();
            assert!(read.iter().any(Result::is_err), "{path} is required by the schema alone");
        }
    }
}

fn collect(value: &Value, path: &str, paths: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            paths.push(format!("{path}/{name}"));
            collect(value, &format!("{path}/{name}"), paths);
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| collect(item, &format!("{path}/{index}"), paths));
        }
        _ => {}
    }
}
