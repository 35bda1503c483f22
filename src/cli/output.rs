//! How commands speak: tables, JSON, YAML, names; complaints on standard error.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

/// Form of the data on standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table
    #[default]
    Table,
    /// A table with more columns
    Wide,
    /// A JSON array; with --watch one object a line
    Json,
    /// YAML
    Yaml,
    /// Names alone
    Name,
}

impl Format {
    /// Whether it is for eyes rather than programs.
    pub const fn is_table(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

/// A column of a table.
pub struct Column<T> {
    /// Heading.
    pub title: &'static str,
    /// Numbers are aligned to the right.
    pub right: bool,
    /// Shown only in the wide form.
    pub wide: bool,
    /// The cell's text.
    pub cell: fn(&T, crate::model::Time) -> String,
}

/// Writes text to standard output.
pub fn print(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// Writes a sentence to standard error; when that is closed nobody listens.
pub fn complain(sentence: &str) {
    // It may quote an API server, a login helper or a broker.
    if writeln!(io::stderr(), "flowdeck: {}", clean_lines(sentence).trim_end()).is_err() {
        tracing::debug!("standard error is closed");
    }
}

/// Whether the reader of our output went away, which is its right.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}

/// JSON in which nothing acts on a terminal: what JSON lets stand is written by its number.
pub fn harmless_json(json: String) -> String {
    let acts = |letter: char| matches!(letter, '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !json.contains(acts) {
        return json;
    }
    let mut harmless = String::with_capacity(json.len() + 16);
    for letter in json.chars() {
        if acts(letter) {
            harmless.push_str(&format!("\\u{:04x}", u32::from(letter)));
        } else {
            harmless.push(letter);
        }
    }
    harmless
}

/// Renders rows in a form; `name` gives what `-o name` prints.
pub fn render<T: Serialize>(
    rows: &[T],
    columns: &'static [Column<T>],
    format: Format,
    name: fn(&T) -> String,
    now: crate::model::Time,
) -> anyhow::Result<String> {
    Ok(match format {
        Format::Json => harmless_json(serde_json::to_string_pretty(rows)?) + "\n",
        Format::Yaml => serde_saphyr::to_string(&rows)?,
        Format::Name => rows.iter().map(|row| clean(&name(row)) + "\n").collect(),
        Format::Table | Format::Wide => table(rows, columns, format == Format::Wide, now),
    })
}

fn table<T>(rows: &[T], columns: &'static [Column<T>], wide: bool, now: crate::model::Time) -> String {
    let mut table = Table::new(columns, wide);
    rows.iter().for_each(|row| table.widen(row, now));
    rows.iter().fold(table.heading(), |text, row| text + &table.line(row, now))
}

/// A table whose lines come one by one: columns never get narrower, so that lines stay under each other.
pub struct Table<T: 'static> {
    columns: Vec<&'static Column<T>>,
    widths: Vec<usize>,
}

impl<T> Table<T> {
    /// A table without lines.
    pub fn new(columns: &'static [Column<T>], wide: bool) -> Self {
        let columns: Vec<_> = columns.iter().filter(|column| wide || !column.wide).collect();
        let widths = columns.iter().map(|column| column.title.width()).collect();
        Self { columns, widths }
    }

    /// Makes room for a row.
    pub fn widen(&mut self, row: &T, now: crate::model::Time) {
        for (width, column) in self.widths.iter_mut().zip(&self.columns) {
            *width = (*width).max(clean(&(column.cell)(row, now)).width());
        }
    }

    /// The titles.
    pub fn heading(&self) -> String {
        self.join(self.columns.iter().map(|column| column.title.to_owned()))
    }

    /// A row.
    pub fn line(&self, row: &T, now: crate::model::Time) -> String {
        self.join(self.columns.iter().map(|column| clean(&(column.cell)(row, now))))
    }

    fn join(&self, cells: impl Iterator<Item = String>) -> String {
        let places = self.widths.iter().zip(&self.columns);
        let cells: Vec<String> =
            cells.zip(places).map(|(cell, (width, column))| pad(&cell, *width, column.right)).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    }
}

fn pad(cell: &str, width: usize, right: bool) -> String {
    let space = " ".repeat(width.saturating_sub(cell.width()));
    if right { space + cell } else { cell.to_owned() + &space }
}

/// Text from outside as it may reach a terminal: one line, nothing that a terminal would obey.
pub fn clean(text: &str) -> String {
    crate::ui::text::clean(text).into_owned()
}

/// The same for text that is meant to have several lines.
pub fn clean_lines(text: &str) -> String {
    text.lines().map(|line| clean(line) + "\n").collect()
}
