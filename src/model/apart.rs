//! Names of pods, short enough for a column and still apart.
//!
//! What all have in common before the pod's role says nothing, `taskmanager` is `tm`, and the hash of a `ReplicaSet`
//! tells no two pods apart that their own five letters do not. A name that would be another's is left whole.

use std::collections::HashMap;
use std::sync::Arc;

/// The letters that Kubernetes makes names of (`k8s.io/apimachinery/pkg/util/rand`): no vowels, no digits like letters.
const LETTERS: &str = "bcdfghjklmnpqrstvwxz2456789";
/// How long a pod's own part of its name is.
const OWN: usize = 5;

/// A short form for each name.
#[must_use]
pub fn short_names<'a>(names: impl IntoIterator<Item = &'a Arc<str>>) -> Vec<Arc<str>> {
    let names: Vec<&Arc<str>> = names.into_iter().collect();
    let parts: Vec<Vec<&str>> = names.iter().map(|name| words(name)).collect();
    let common = common(&parts);
    let short: Vec<String> = parts.iter().map(|parts| shown(parts.get(common..).unwrap_or_default())).collect();
    let mut owners: HashMap<&str, &str> = HashMap::new();
    let mut is_taken: HashMap<&str, bool> = HashMap::new();
    for (short, name) in short.iter().zip(&names) {
        let owner = owners.entry(short).or_insert(name);
        *is_taken.entry(short).or_default() |= *owner != &***name;
    }
    let unless_taken = |(short, name): (&String, &&Arc<str>)| {
        let taken = short.is_empty() || is_taken.get(short.as_str()).copied().unwrap_or(true);
        if taken { (*name).clone() } else { Arc::from(short.as_str()) }
    };
    short.iter().zip(&names).map(unless_taken).collect()
}

/// The words of a name, without the hash of a `ReplicaSet`.
fn words(name: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = name.split('-').collect();
    if let [.., hash, own] = &*parts
        && own.len() == OWN
        && (8..=10).contains(&hash.len())
        && [*hash, *own].iter().all(|part| part.chars().all(|letter| LETTERS.contains(letter)))
    {
        parts.remove(parts.len() - 2);
    }
    parts
}

/// How many words all names begin with; roles and at least one word of each stay.
fn common(names: &[Vec<&str>]) -> usize {
    let Some((first, others)) = names.split_first() else { return 0 };
    let shortest = names.iter().map(Vec::len).min().unwrap_or(0);
    let is_role = |place: usize| matches!(first.get(place), Some(&("taskmanager" | "jobmanager")));
    let is_common =
        |place: &usize| !is_role(*place) && others.iter().all(|other| other.get(*place) == first.get(*place));
    (0..shortest.saturating_sub(1)).take_while(is_common).count()
}

fn shown(parts: &[&str]) -> String {
    let word = |part: &&str| match *part {
        "taskmanager" => "tm".to_owned(),
        "jobmanager" => "jm".to_owned(),
        other => other.to_owned(),
    };
    parts.iter().map(word).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::short_names;

    fn short(names: &[&str]) -> Vec<String> {
        let names: Vec<Arc<str>> = names.iter().map(|name| Arc::from(*name)).collect();
        short_names(&names).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn pods_of_two_processors_stay_apart() {
        let names = [
            "vep-int-clickstream-taskmanager-1-1",
            "vep-int-match-making-taskmanager-1-1",
            "vep-int-match-making-59b7gsnct-lql4s",
            "vep-int-match-making-taskmanager-q7jjmpps4h-wvkk2",
        ];
        assert_eq!(
            short(&names),
            ["clickstream-tm-1-1", "match-making-tm-1-1", "match-making-lql4s", "match-making-tm-wvkk2"]
        );
    }

    #[test]
    fn one_name_and_names_that_would_be_the_same_are_left_whole() {
        assert_eq!(short(&["clicks-taskmanager-1-1", "clicks-taskmanager-1-2"]), ["tm-1-1", "tm-1-2"]);
        assert_eq!(short(&["clicks"]), ["clicks"]);
        assert_eq!(short(&["a-bcdfghjk-bcdfg", "a-hjklmnpq-bcdfg"]), ["a-bcdfghjk-bcdfg", "a-hjklmnpq-bcdfg"]);
        // Several containers of a pod.
        assert_eq!(short(&["a-b", "a-b", "a-c"]), ["b", "b", "c"]);
        assert_eq!(short(&[]), Vec::<String>::new());
        assert_eq!(short(&["", "-"]), ["", "-"]);
    }
}
