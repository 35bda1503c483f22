//! Objects as the API server sends them, cut down to what is shown.
//!
//! The full types keep some 40 KB for each pod, these under four while they are read, and nothing after they
//! became model values. Fields that are not named here are skipped by the parser. Nothing here may
//! fail on a field that an old or new server leaves out or sets to null: one such object would stop a
//! whole list.

pub mod flink;
pub mod meta;
pub mod pod;
pub mod record;
pub mod workload;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Reads `null` as the default: Go writes empty lists and maps so.
///
/// # Errors
/// When the value is there and has another shape.
pub fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

pub use crate::plan::object::scalar as text;

/// A whole number, written as a number or as a string.
#[must_use]
pub fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Says what kind of object a type is, so that kube can ask for it.
macro_rules! resource {
    ($type:ident, $group:literal, $version:literal, $kind:literal, $plural:literal) => {
        impl ::kube::Resource for $type {
            type DynamicType = ();
            type Scope = ::kube::core::NamespaceResourceScope;

            fn kind(_: &()) -> ::std::borrow::Cow<'_, str> {
                $kind.into()
            }
            fn group(_: &()) -> ::std::borrow::Cow<'_, str> {
                $group.into()
            }
            fn version(_: &()) -> ::std::borrow::Cow<'_, str> {
                $version.into()
            }
            fn plural(_: &()) -> ::std::borrow::Cow<'_, str> {
                $plural.into()
            }
            fn meta(&self) -> &::kube::core::ObjectMeta {
                &self.metadata.head
            }
            fn meta_mut(&mut self) -> &mut ::kube::core::ObjectMeta {
                &mut self.metadata.head
            }
        }
    };
}
pub(crate) use resource;
