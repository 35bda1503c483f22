//! Python's tracebacks.
//!
//! They stand on their head: the innermost call comes last, and the root cause first, before
//! `During handling of the above exception …` or `The above exception was the direct cause …`.

use super::{Exception, Found, Frame, LONGEST_CHAIN, MOST_FRAMES, Thrown};
use crate::model::exception::Throwable;

/// How a traceback begins.
pub const BEGINNING: &str = "Traceback (most recent call last):";
/// Between the traceback of a cause and that of what it caused.
const BETWEEN: &[&str] = &["During handling of the above exception", "The above exception was the direct cause"];

/// Whether a line joins two tracebacks or begins one.
#[must_use]
pub fn joins(line: &str) -> bool {
    line.starts_with(BEGINNING) || BETWEEN.iter().any(|words| line.starts_with(words))
}

/// The first traceback in a text, with those that it is joined to.
#[must_use]
pub fn find(text: &str) -> Option<Found> {
    let beginning = text.find(BEGINNING)?;
    let start = text.get(..beginning)?.rfind('\n').map_or(0, |end| end + 1);
    let mut chain: Vec<Thrown> = Vec::new();
    let (mut end, mut at) = (beginning, beginning);
    while let Some((thrown, length)) = text.get(at..).and_then(one) {
        if chain.len() < LONGEST_CHAIN {
            chain.push(thrown);
        }
        end = at + length;
        let rest = text.get(end..).unwrap_or_default();
        let joined = rest.trim_start_matches('\n');
        if !BETWEEN.iter().any(|words| joined.starts_with(words)) {
            break;
        }
        let Some(next) = rest.find(BEGINNING) else { break };
        at = end + next;
    }
    chain.reverse();
    Some(Found { exception: Exception::new(chain, Vec::new())?, range: start..end })
}

/// One traceback at the beginning of the text, and how many bytes it takes.
fn one(text: &str) -> Option<(Thrown, usize)> {
    let mut frames = Vec::new();
    let mut length = 0;
    let mut last: Option<String> = None;
    for (number, line) in text.split('\n').enumerate() {
        match &mut last {
            Some(message)
                if line.trim().is_empty() || joins(line) || message.len() > 4_096 || super::java::goes_on(line) =>
            {
                break;
            }
            Some(message) => {
                message.push('\n');
                message.push_str(line);
            }
            None if number == 0 || line.starts_with([' ', '\t']) => frames.extend(frame(line.trim_start())),
            None if line.trim().is_empty() || joins(line) => break,
            None => last = Some(line.to_owned()),
        }
        length += line.len() + 1;
    }
    if frames.len() > MOST_FRAMES {
        frames.drain(..frames.len() - MOST_FRAMES);
    }
    frames.reverse();
    let throwable = Throwable::parse(&last.filter(|line| !line.is_empty())?);
    Some((Thrown { throwable, frames, omitted: 0 }, length.saturating_sub(1).min(text.len())))
}

/// `File "/usr/lib/python3/site-packages/a/b.py", line 12, in work`.
fn frame(line: &str) -> Option<Frame> {
    let (file, rest) = line.strip_prefix("File \"")?.split_once("\", line ")?;
    let (number, function) = rest.split_once(", in ").unwrap_or((rest, "<module>"));
    let installed = file.split_once("site-packages/").or_else(|| file.split_once("dist-packages/"));
    let name = installed.map_or_else(|| file.rsplit('/').next().unwrap_or(file), |(_, inside)| inside);
    let module = name.trim_end_matches(".py").replace('/', ".");
    let library = installed.is_some() || file.contains("/lib/python") || file.starts_with('<');
    let short = file.rsplit('/').next().unwrap_or(file);
    Some(Frame { function: format!("{module}.{function}").into(), place: format!("{short}:{number}").into(), library })
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOINED: &str = "failed\nTraceback (most recent call last):\n  File \"/app/jobs/orders.py\", line 3, in parse\n    int(x)\nValueError: invalid literal: 'a'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"/usr/lib/python3.11/site-packages/apache_beam/runners/common.py\", line 9, in process\n    f(x)\n  File \"/app/jobs/orders.py\", line 7, in enrich\n    raise Bad(x)\norders.Bad: order 7\nsecond line\nmore [while running 'Map(f)']\n";

    #[test]
    fn joined_tracebacks_are_a_chain() {
        let found = find(JOINED).unwrap();
        let exception = &found.exception;
        assert_eq!(&*exception.outer().class, "orders.Bad");
        assert_eq!(&*exception.outer().message, "order 7\nsecond line\nmore [while running 'Map(f)']");
        assert_eq!((&*exception.root().class, exception.chain().len()), ("ValueError", 2));
        assert_eq!(&*exception.frames[0].function, "orders.parse");
        assert_eq!(&*exception.chain()[0].frames[1].function, "apache_beam.runners.common.process");
        assert!(exception.chain()[0].frames[1].library && !exception.frames[0].library);
        assert_eq!(JOINED.get(found.range).unwrap(), JOINED.trim_start_matches("failed\n").trim_end());
    }

    #[test]
    fn a_traceback_inside_a_java_message_is_the_root() {
        let text = "java.lang.RuntimeException: Error received from SDK harness for instruction 5: Traceback (most recent call last):\n  File \"/app/x.py\", line 3, in f\n    g()\nKeyError: 'k'\n\n\tat org.apache.beam.X.y(X.java:1)\n";
        let exception = super::super::java::find(text).unwrap().exception;
        assert_eq!(&*exception.outer().class, "java.lang.RuntimeException");
        assert_eq!((&*exception.root().class, &*exception.root().message), ("KeyError", "'k'"));
        assert_eq!(&*exception.frames[0].function, "x.f");
    }
}
