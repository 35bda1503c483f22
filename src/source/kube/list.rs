//! Lists of the API server's objects, page by page: of each object only what is wanted is kept.

use serde_json::Value;

use super::Cluster;
use super::change::{encoded, parsed};
use super::trouble::Trouble;

/// Objects of a page.
const PAGE: usize = 500;
/// Pages at most: beyond that a list is of no use to anybody here.
const PAGES: usize = 400;

impl Cluster {
    /// All objects of a path that a label selects, as far as `keep` keeps something of them. A server without that kind
    /// has none.
    ///
    /// # Errors
    /// When the server does not list them.
    pub async fn list<T>(
        &self,
        path: &str,
        selector: Option<&str>,
        mut keep: impl FnMut(Value) -> Option<T>,
    ) -> Result<Vec<T>, Trouble> {
        let selector = selector.map_or_else(String::new, |it| format!("&labelSelector={}", encoded(it)));
        let (mut kept, mut next) = (Vec::new(), String::new());
        for _ in 0..PAGES {
            let page = if next.is_empty() { String::new() } else { format!("&continue={}", encoded(&next)) };
            let answer = self.get(&format!("{path}?limit={PAGE}{selector}{page}")).await?;
            if answer.code == 404 {
                return Ok(kept);
            }
            let mut list = parsed(&answer)?;
            let items = list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
            kept.extend(items.into_iter().filter_map(&mut keep));
            match list.pointer("/metadata/continue").and_then(Value::as_str).filter(|it| !it.is_empty()) {
                Some(token) => token.clone_into(&mut next),
                None => return Ok(kept),
            }
        }
        Err(Trouble::Garbled(format!("{path} has more than {} objects", PAGE * PAGES).into()))
    }
}
