//! The name of a failure: the same whenever, wherever and in whatever layout it is reported.
//!
//! It is made of the chain of types and of the root cause's topmost frames in the user's code. What changes
//! from build to build, or between the logs of JobManager and TaskManager, is left out: line numbers, jars,
//! class loaders, modules, the numbers of lambdas and generated classes, and classes that only pass a failure
//! on. Without a frame in the user's code, the root's message without what varies in it stands in.
//!
//! Fingerprints are written down by users and compared between versions: a change of the rules changes them
//! all, and `tests/logs.rs` holds some to what they are.

use std::fmt;

use serde::ser::{Serialize, Serializer};

use super::trace::{Frame, Thrown};

/// Frames of the user's code that tell failures apart.
const FRAMES_IN_APP: usize = 5;
/// Frames that do when none is of the user's code.
const FRAMES_ELSEWHERE: usize = 3;
/// Bytes of a message that do.
const MESSAGE: usize = 300;

/// Classes that wrap a failure to pass it on: whether one is there depends on who reports.
const CARRIERS: &[&str] = &[
    "java.util.concurrent.CompletionException",
    "java.util.concurrent.ExecutionException",
    "org.apache.beam.sdk.Pipeline$PipelineExecutionException",
    "org.apache.beam.sdk.util.UserCodeException",
    "org.apache.flink.client.program.ProgramInvocationException",
    "org.apache.flink.runtime.JobException",
    "org.apache.flink.runtime.client.JobExecutionException",
    "org.apache.flink.util.SerializedThrowable",
];

/// Words after which a class or method name is generated.
const GENERATED_AFTER: &[&str] = &[
    "Lambda",
    "DoFnInvoker",
    "ByteBuddy",
    "auxiliary",
    "EnhancerBySpringCGLIB",
    "FastClassBySpringCGLIB",
    "EnhancerByGuice",
];

/// Beginnings of generated names that end in a number.
const NUMBERED: &[&str] =
    &["Proxy", "GeneratedMethodAccessor", "GeneratedConstructorAccessor", "GeneratedSerializationConstructorAccessor"];

/// The name of a failure; sixteen hexadecimal digits when shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// As a number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// From what [`Self::number`] gave.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The fingerprint of a chain whose root has these frames.
#[must_use]
pub fn of(chain: &[Thrown], frames: &[Frame]) -> Fingerprint {
    let mut hash = Hash::default();
    for (number, thrown) in chain.iter().enumerate() {
        let class = &*thrown.throwable.class;
        if number + 1 == chain.len() || !CARRIERS.contains(&class) {
            hash.add(&stable_name(class));
        }
    }
    let mut names: Vec<String> =
        frames.iter().filter(|frame| !frame.library).map(|frame| stable_name(&frame.function)).collect();
    let in_app = !names.is_empty();
    if !in_app {
        let message = chain.last().map_or("", |root| &*root.throwable.message);
        hash.add(&stable_message(message));
        names = frames.iter().map(|frame| stable_name(&frame.function)).collect();
    }
    // A recursion is as deep as its data.
    names.dedup();
    for name in names.iter().take(if in_app { FRAMES_IN_APP } else { FRAMES_ELSEWHERE }) {
        hash.add(name);
    }
    Fingerprint(hash.0)
}

/// A class or `Class.method` without what a compiler or a library made up.
#[must_use]
pub fn stable_name(name: &str) -> String {
    let mut name = name.replace('\\', "");
    // `Orders$$Lambda/0x00007f.apply`, `Orders$$Lambda$14/1234.apply`
    while let Some(slash) = name.find('/') {
        let end = name.get(slash..).and_then(|rest| rest.find('.')).map_or(name.len(), |dot| slash + dot);
        name.replace_range(slash..end, "");
    }
    name.split('.').map(stable_part).collect::<Vec<_>>().join(".")
}

fn stable_part(part: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for piece in part.split('$') {
        let piece = piece.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let numbered = NUMBERED.iter().any(|beginning| piece.starts_with(beginning));
        let piece = if numbered { piece.trim_end_matches(|letter: char| letter.is_ascii_digit()) } else { piece };
        if piece.is_empty() || piece == "adapted" {
            continue;
        }
        kept.push(piece);
        if GENERATED_AFTER.contains(&piece) {
            break;
        }
    }
    kept.join("$")
}

/// A message's first line without numbers, identifiers and quoted text.
#[must_use]
pub fn stable_message(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let mut stable = String::new();
    let mut rest = first;
    let mut in_word = false;
    while let Some(letter) = rest.chars().next().filter(|_| stable.len() < MESSAGE) {
        let after = rest.get(letter.len_utf8()..).unwrap_or_default();
        let quoted = (letter == '"' || (letter == '\'' && !in_word)).then(|| after.split_once(letter)).flatten();
        if let Some((_, behind)) = quoted {
            stable.push('?');
            rest = behind;
        } else if is_of_word(letter) {
            let end = rest.find(|letter| !is_of_word(letter)).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(end);
            stable.push_str(if word.contains(|letter: char| letter.is_ascii_digit()) { "#" } else { word });
            rest = behind;
            in_word = true;
            continue;
        } else {
            stable.push(letter);
            rest = after;
        }
        in_word = false;
    }
    stable
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '-' || letter == '_'
}

/// FNV-1a: the same on every machine and in every version of the compiler.
struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    fn add(&mut self, text: &str) {
        for byte in text.bytes().chain([0]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_generated_goes() {
        for (name, stable) in [
            ("com.acme.Orders$$Lambda/0x00007f0a1c.apply", "com.acme.Orders$Lambda.apply"),
            ("com.acme.Orders$$Lambda$14/0x0000000800066840.apply", "com.acme.Orders$Lambda.apply"),
            ("com.acme.Orders$$Lambda$14/123456.apply", "com.acme.Orders$Lambda.apply"),
            ("com.acme.Orders.lambda$open$2", "com.acme.Orders.lambda$open"),
            ("com.acme.Orders.lambda\\$open\\$2", "com.acme.Orders.lambda$open"),
            ("com.acme.Orders.access$301", "com.acme.Orders.access"),
            ("com.acme.Orders$1.run", "com.acme.Orders.run"),
            ("com.acme.Orders$1Local.run", "com.acme.Orders$Local.run"),
            ("com.acme.Orders$Inner.run", "com.acme.Orders$Inner.run"),
            ("com.acme.Orders$.$anonfun$parse$1", "com.acme.Orders.anonfun$parse"),
            ("com.acme.Orders$.$anonfun$parse$1$adapted", "com.acme.Orders.anonfun$parse"),
            ("com.sun.proxy.$Proxy12.call", "com.sun.proxy.Proxy.call"),
            (
                "jdk.internal.reflect.GeneratedMethodAccessor16.invoke",
                "jdk.internal.reflect.GeneratedMethodAccessor.invoke",
            ),
            ("com.acme.Fn$DoFnInvoker$x7Ya.invokeProcess", "com.acme.Fn$DoFnInvoker.invokeProcess"),
            ("com.acme.Fn$ByteBuddy$9dQ2.x", "com.acme.Fn$ByteBuddy.x"),
            ("StreamExecCalc$57.processElement", "StreamExecCalc.processElement"),
        ] {
            assert_eq!(stable_name(name), stable, "{name}");
        }
    }

    #[test]
    fn what_varies_in_a_message_goes() {
        for (message, stable) in [
            (
                "KafkaWriter : failed to send 1 records (since last report)",
                "KafkaWriter : failed to send # records (since last report)",
            ),
            ("For input string: \"order-175\"", "For input string: ?"),
            ("Can't find key 'a b' in 7f3c\nsecond", "Can't find key ? in #"),
            ("task 430f1e7f-4771-aaaa-bbbb-00c78c16bb2_1 is gone", "task # is gone"),
            ("half \"quote", "half \"quote"),
        ] {
            assert_eq!(stable_message(message), stable);
        }
    }
}
