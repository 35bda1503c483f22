//! What the JVM, log4j and logback print of a throwable.
//!
//! The grammar is loose on purpose: the tabs may be lost (copied from a screen), messages may have several
//! lines that look like anything, and a trace may begin or end in the middle.

use std::ops::Range;

use super::{Exception, Found, Frame, LONGEST_CHAIN, MOST_FRAMES, Thrown, python};
use crate::model::exception::Throwable;

const CAUSED: &str = "Caused by: ";
const SUPPRESSED: &str = "Suppressed: ";
const WRAPPED: &str = "Wrapped by: ";
/// How the JVM reports what ended a thread, before the thread's name and a quotation mark.
const UNCAUGHT: &str = "Exception in thread \"";
const CIRCULAR: &str = "[CIRCULAR REFERENCE:";
/// Lines after a throwable's first one that may still be its message.
const LONGEST_MESSAGE: usize = 256;
/// Suppressed throwables that are kept.
const MOST_SUPPRESSED: usize = 64;

/// What a line is, in a trace.
#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    /// Function and place.
    Frame(&'a str, &'a str),
    /// Frames left out.
    Omitted(usize),
    Caused(&'a str),
    Wrapped(&'a str),
    Suppressed(&'a str),
    Text,
}

/// Whether a line goes on with a trace rather than being text.
#[must_use]
pub fn goes_on(line: &str) -> bool {
    part(line.trim_start()) != Part::Text
}

fn part(line: &str) -> Part<'_> {
    match line.as_bytes().first() {
        Some(b'a') => line.strip_prefix("at ").and_then(frame).map_or(Part::Text, |(name, at)| Part::Frame(name, at)),
        Some(b'.') => line.strip_prefix("... ").and_then(omitted).map_or(Part::Text, Part::Omitted),
        Some(b'C') => line.strip_prefix(CAUSED).map_or(Part::Text, Part::Caused),
        Some(b'S') => line.strip_prefix(SUPPRESSED).map_or(Part::Text, Part::Suppressed),
        Some(b'W') => line.strip_prefix(WRAPPED).map_or(Part::Text, Part::Wrapped),
        _ => Part::Text,
    }
}

/// `loader/module@version/package.Class.method(File.java:12) ~[library.jar:1.0]`.
fn frame(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.split_once('(')?;
    let (place, _) = rest.split_once(')')?;
    let sound = !name.is_empty() && name.contains('.') && !name.contains(char::is_whitespace);
    sound.then_some((name, place))
}

/// `7 more`, `7 common frames omitted`, `7 frames excluded`.
fn omitted(line: &str) -> Option<usize> {
    let (number, what) = line.split_once(' ')?;
    let known = what.starts_with("more") || what.contains("frame");
    known.then(|| number.parse().ok()).flatten()
}

fn to_frame(name: &str, place: &str) -> Frame {
    let generated = name.find("$$Lambda").unwrap_or(name.len());
    let start = name.get(..generated).and_then(|before| before.rfind('/')).map_or(0, |slash| slash + 1);
    let function = name.get(start..).unwrap_or(name).replace('\\', "");
    let library = is_library(&function);
    Frame { function: function.into(), place: place.into(), library }
}

/// Packages of the platform: their frames are in every failure's stack.
fn is_library(function: &str) -> bool {
    const APACHE: &[&str] = &["flink.", "beam.", "kafka.", "pekko.", "hadoop."];
    const OTHERS: &[&str] = &["java.", "javax.", "jdk.", "sun.", "scala.", "akka.", "com.sun.", "com.fasterxml."];
    match function.strip_prefix("org.apache.") {
        Some(project) => APACHE.iter().any(|name| project.starts_with(name)),
        None => OTHERS.iter().any(|name| function.starts_with(name)),
    }
}

/// How sure it is that a line is the first one of a throwable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Sure {
    /// The name of a class stands somewhere in it.
    Somewhere,
    /// It begins with what may be a class.
    Class,
    /// It begins with a class that is named as throwables are.
    Throwable,
}

fn is_class(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_$.\\".contains(&byte))
}

fn is_throwable(class: &str) -> bool {
    let numbered = || class.rsplit('$').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    let named = ["Exception", "Error", "Throwable"].iter().any(|end| class.ends_with(end));
    is_class(class) && (named || (class.contains('$') && numbered()))
}

/// Whether the line begins with a throwable's class, and nothing else is likely.
#[must_use]
pub fn is_first_line(line: &str) -> bool {
    first_line(line).is_some_and(|(sure, _)| sure == Sure::Throwable)
}

/// Whether a throwable is named in the line.
#[must_use]
pub fn names_throwable(line: &str) -> bool {
    first_line(line).is_some()
}

fn first_line(line: &str) -> Option<(Sure, &str)> {
    let line = line.trim_end();
    let line = line.strip_prefix(UNCAUGHT).and_then(|rest| rest.split_once("\" ")).map_or(line, |(_, rest)| rest);
    let class = line.split(": ").next().unwrap_or(line).trim_end_matches(':');
    if is_throwable(class) {
        return Some((Sure::Throwable, line));
    }
    if is_class(class) && class.contains('.') && !class.ends_with('.') {
        return Some((Sure::Class, line));
    }
    let word = line.split(' ').rfind(|word| is_throwable(word.trim_end_matches(':')))?;
    let at = word.as_ptr() as usize - line.as_ptr() as usize;
    line.get(at..).map(|rest| (Sure::Somewhere, rest))
}

/// A text's lines with where they begin.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut next = 0;
    text.split('\n').map(move |line| {
        let at = next;
        next += line.len() + 1;
        (at, line)
    })
}

/// The first trace in a text, also one of a throwable without frames that follows the text's first line.
#[must_use]
pub fn find(text: &str) -> Option<Found> {
    let mut candidate: Option<(usize, usize, Sure, &str)> = None;
    for (number, (at, line)) in lines(text).enumerate() {
        match part(line.trim_start()) {
            Part::Text | Part::Suppressed(_) => {
                let better = first_line(line).filter(|(sure, _)| {
                    candidate.is_none_or(|(known, _, held, _)| {
                        // A message is often the throwable's first line once more.
                        *sure > held || (*sure == held && number == 1) || known + LONGEST_MESSAGE < number
                    })
                });
                if let Some((sure, first)) = better {
                    candidate = Some((number, at, sure, first));
                }
            }
            Part::Caused(first) if candidate.is_none() => return Some(read(text, at, first)?.into_found(at)),
            Part::Frame(..) | Part::Omitted(_) | Part::Caused(_) | Part::Wrapped(_) => {
                let near =
                    |(known, _, sure, _): &(usize, usize, Sure, &str)| *sure > Sure::Somewhere || known + 1 == number;
                if let Some((_, start, _, first)) = candidate.filter(near) {
                    return Some(read(text, start, first)?.into_found(start));
                }
            }
        }
    }
    let (_, at, _, first) = candidate.filter(|(number, _, sure, _)| *number <= 1 && *sure == Sure::Throwable)?;
    let thrown = Thrown { throwable: Throwable::parse(first), frames: Vec::new(), omitted: 0 };
    Some(Found { exception: Exception::new(vec![thrown], Vec::new())?, range: at..at + first.len() })
}

/// The trace that a field holds: its first line is the throwable's, whatever it looks like.
#[must_use]
pub fn of_field(text: &str) -> Option<Exception> {
    let text = text.trim_end();
    let first = text.lines().next().filter(|first| !first.trim().is_empty())?;
    let trace = read(text, 0, first)?;
    Some(trace.exception)
}

struct Trace {
    exception: Exception,
    end: usize,
}

impl Trace {
    fn into_found(self, start: usize) -> Found {
        Found { exception: self.exception, range: Range { start, end: self.end } }
    }
}

/// A throwable while its lines come in.
#[derive(Default)]
struct Open {
    first: String,
    frames: Vec<Frame>,
    omitted: usize,
    /// Lines that belong to the message if the trace goes on after them.
    doubtful: Vec<String>,
    /// Frames have come: what is no frame now ends the trace.
    closed: bool,
}

impl Open {
    fn new(first: &str) -> Self {
        Self { first: first.to_owned(), ..Self::default() }
    }

    fn settle(&mut self) {
        for line in self.doubtful.drain(..) {
            self.first.push('\n');
            self.first.push_str(&line);
        }
    }

    fn close(self) -> Thrown {
        Thrown { throwable: Throwable::parse(&self.first), frames: self.frames, omitted: self.omitted }
    }
}

struct Builder {
    /// Spaces before the first line: causes of the main chain stand there too.
    indent: usize,
    chain: Vec<Thrown>,
    suppressed: Vec<Throwable>,
    open: Open,
    /// The open one is a suppressed throwable, or caused one.
    aside: bool,
    /// Root cause first, as logback can print it.
    root_first: bool,
}

fn read(text: &str, start: usize, first: &str) -> Option<Trace> {
    let body = text.get(start..)?;
    let first_line = body.lines().next().unwrap_or_default();
    let mut builder = Builder {
        indent: first_line.len() - first_line.trim_start().len(),
        chain: Vec::new(),
        suppressed: Vec::new(),
        open: Open::new(first.trim_start()),
        aside: false,
        root_first: false,
    };
    let mut end = start + first_line.len();
    for (at, line) in lines(body).skip(1) {
        match builder.take(line) {
            Taken::Yes => end = start + at + line.len(),
            Taken::Perhaps => {}
            Taken::No => break,
        }
    }
    builder.finish().map(|exception| Trace { exception, end })
}

enum Taken {
    Yes,
    Perhaps,
    No,
}

impl Builder {
    fn take(&mut self, line: &str) -> Taken {
        let trimmed = line.trim_start();
        let part = part(trimmed);
        if part == Part::Text {
            if self.open.closed || self.open.doubtful.len() >= LONGEST_MESSAGE {
                return Taken::No;
            }
            self.open.doubtful.push(line.to_owned());
            return Taken::Perhaps;
        }
        self.open.settle();
        match part {
            Part::Frame(name, place) => {
                if self.open.frames.len() < MOST_FRAMES {
                    self.open.frames.push(to_frame(name, place));
                }
                self.open.closed = true;
            }
            Part::Omitted(number) => {
                self.open.omitted = number;
                self.open.closed = true;
            }
            Part::Caused(first) => self.begin(first, self.aside && line.len() - trimmed.len() > self.indent),
            Part::Suppressed(first) => self.begin(first, true),
            Part::Wrapped(first) => {
                self.root_first = true;
                self.begin(first, false);
            }
            Part::Text => {}
        }
        Taken::Yes
    }

    fn begin(&mut self, first: &str, aside: bool) {
        let open = std::mem::replace(&mut self.open, Open::new(first));
        self.put(open);
        self.aside = aside;
    }

    fn put(&mut self, open: Open) {
        let thrown = open.close();
        if self.aside {
            if self.suppressed.len() < MOST_SUPPRESSED {
                self.suppressed.push(thrown.throwable);
            }
        } else if !self.is_circle(&thrown) {
            if self.chain.len() >= LONGEST_CHAIN {
                self.chain.pop();
            }
            self.chain.push(thrown);
        }
    }

    /// A cause that is one of what it caused says nothing new: the JVM marks it, log4j repeats it.
    fn is_circle(&self, thrown: &Thrown) -> bool {
        let repeated = || self.chain.iter().any(|known| known.throwable == thrown.throwable);
        thrown.throwable.class.starts_with(CIRCULAR) || (thrown.frames.is_empty() && thrown.omitted > 0 && repeated())
    }

    fn finish(mut self) -> Option<Exception> {
        let open = std::mem::take(&mut self.open);
        self.put(open);
        if self.root_first {
            self.chain.reverse();
            self.chain.iter_mut().for_each(|thrown| thrown.omitted = 0);
        }
        let inner = self.chain.last().and_then(|root| python::find(&root.throwable.message));
        if let Some(inner) = inner {
            self.chain.extend_from_slice(inner.exception.chain());
        }
        Exception::new(self.chain, self.suppressed)
    }
}
