//! Colours, glyphs and words by meaning. Raw colours and non-ASCII glyphs appear only here and in `plot`.
//!
//! A state is always a glyph and a word too, so that nothing is said by colour alone.

mod plot;

use ratatui::style::{Color, Modifier, Style};

use super::text::Charset;
use crate::model::change::ScopeState;
use crate::model::environment::Link;
use crate::model::pod::PodHealth;
use crate::model::verdict::Condition;
pub use plot::{Lowest, alert_tone};

/// What the terminal can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colours {
    /// None, or the user does not want any (`NO_COLOR`).
    None,
    /// The sixteen that every terminal has.
    #[default]
    Sixteen,
    /// 256 or more.
    Full,
}

/// How good or bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Worth a look, or on its way.
    Warn,
    /// Broken.
    Bad,
    /// Neither.
    Quiet,
}

/// A sign that stands for something; one cell wide in either character set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// The selected row.
    Selected,
    /// It got worse lately.
    Worse,
    /// It needs a look.
    Attention,
    /// What is shown is old.
    Stale,
    /// Flows to.
    Arrow,
    /// A branch below.
    Branch,
    /// A branch, with more below it.
    Fork,
    /// A line that goes on to a branch below.
    Stem,
    /// The rest is cut off.
    Cut,
    /// Nothing known.
    Unknown,
    /// Up.
    Ascending,
    /// Down.
    Descending,
    /// A step down in a path.
    Crumb,
    /// A horizontal line.
    Rule,
    /// The cursor of an input.
    Cursor,
    /// The enter key.
    Enter,
    /// The keys to the left and to the right.
    Sideways,
    /// A line of a text that something is wrong with.
    Problem,
    /// It is well.
    Healthy,
    /// A row that others are compared with.
    Marked,
}

/// How everything looks.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    colours: Colours,
    charset: Charset,
}

impl Theme {
    /// A theme for a terminal.
    #[must_use]
    pub const fn new(capability: Colours, ascii: bool) -> Self {
        Self { colours: capability, charset: if ascii { Charset::Ascii } else { Charset::Unicode } }
    }

    /// Characters that may be drawn.
    #[must_use]
    pub const fn charset(self) -> Charset {
        self.charset
    }

    /// Ordinary text.
    #[must_use]
    pub const fn text(self) -> Style {
        Style::new()
    }

    /// Text of less weight: headings, units, what is old.
    #[must_use]
    pub const fn dim(self) -> Style {
        match self.colours {
            Colours::None => Style::new().add_modifier(Modifier::DIM),
            Colours::Sixteen => Style::new().fg(Color::DarkGray),
            Colours::Full => Style::new().fg(Color::Indexed(245)),
        }
    }

    /// Text of more weight.
    #[must_use]
    pub const fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The one accent: where you are, what you can press.
    #[must_use]
    pub const fn accent(self) -> Style {
        match self.colours {
            Colours::None => Style::new().add_modifier(Modifier::BOLD),
            Colours::Sixteen => Style::new().fg(Color::Cyan),
            Colours::Full => Style::new().fg(Color::Indexed(80)),
        }
    }

    /// Something by how good it is.
    #[must_use]
    pub const fn tone(self, tone: Tone) -> Style {
        match (self.colours, tone) {
            (Colours::None, Tone::Bad) => Style::new().add_modifier(Modifier::BOLD),
            (Colours::None, Tone::Warn | Tone::Good) => Style::new(),
            (Colours::Sixteen, Tone::Good) => Style::new().fg(Color::Green),
            (Colours::Sixteen, Tone::Warn) => Style::new().fg(Color::Yellow),
            (Colours::Sixteen, Tone::Bad) => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
            (Colours::Full, Tone::Good) => Style::new().fg(Color::Indexed(114)),
            (Colours::Full, Tone::Warn) => Style::new().fg(Color::Indexed(221)),
            (Colours::Full, Tone::Bad) => Style::new().fg(Color::Indexed(203)).add_modifier(Modifier::BOLD),
            (_, Tone::Quiet) => self.dim(),
        }
    }

    /// Lays the look of the selected row over a style.
    #[must_use]
    pub const fn selected(self, style: Style) -> Style {
        match self.colours {
            Colours::Full => style.bg(Color::Indexed(237)),
            Colours::None | Colours::Sixteen => {
                let bold = style.add_modifier.contains(Modifier::BOLD);
                let plain = Style::new().add_modifier(Modifier::REVERSED);
                if bold { plain.add_modifier(Modifier::BOLD) } else { plain }
            }
        }
    }

    /// The letter under the cursor of a text.
    #[must_use]
    pub const fn cursor(self) -> Style {
        self.text().add_modifier(Modifier::REVERSED)
    }

    /// A sign.
    #[must_use]
    pub const fn sign(self, sign: Sign) -> &'static str {
        let (unicode, ascii) = match sign {
            Sign::Selected => ("▸", ">"),
            Sign::Worse => ("↓", "!"),
            Sign::Attention => ("▲", "!"),
            Sign::Stale => ("~", "~"),
            Sign::Arrow => ("▶", ">"),
            Sign::Branch => ("└", "`"),
            Sign::Fork => ("├", "|"),
            Sign::Stem => ("│", "|"),
            Sign::Cut => ("…", "~"),
            Sign::Unknown => ("–", "-"),
            Sign::Ascending => ("↑", "^"),
            Sign::Descending => ("↓", "v"),
            Sign::Crumb => ("›", ">"),
            Sign::Rule => ("─", "-"),
            Sign::Cursor => ("▏", "_"),
            Sign::Enter => ("↵", "ret"),
            Sign::Sideways => ("←→", "left/right"),
            Sign::Marked => ("•", "*"),
            Sign::Problem => ("✖", "x"),
            Sign::Healthy => ("●", "*"),
        };
        self.pick(unicode, ascii)
    }

    /// Glyph of a condition.
    #[must_use]
    pub const fn condition_glyph(self, condition: Condition) -> &'static str {
        match condition {
            Condition::Failing => self.pick("✖", "x"),
            Condition::Degraded => self.pick("▲", "!"),
            Condition::Deploying => self.pick("◐", "~"),
            Condition::Unknown => self.pick("?", "?"),
            Condition::Running => self.pick("●", "*"),
            Condition::Stopped => self.pick("○", "o"),
        }
    }

    /// Glyph of a link.
    #[must_use]
    pub const fn link_glyph(self, link: &Link) -> &'static str {
        match link {
            Link::Idle => self.pick("·", "."),
            Link::Connecting => self.pick("◐", "~"),
            Link::Up { .. } => self.pick("●", "*"),
            Link::Down { .. } => self.pick("✖", "x"),
            Link::Forbidden { .. } => self.pick("▲", "!"),
        }
    }

    /// Glyph of a watch.
    #[must_use]
    pub const fn scope_glyph(self, scope: &ScopeState) -> &'static str {
        match scope {
            ScopeState::Absent => self.pick("·", "."),
            ScopeState::Loading => self.pick("◐", "~"),
            ScopeState::Live => self.pick("●", "*"),
            ScopeState::Stale(..) | ScopeState::Failed(..) => self.pick("✖", "x"),
            ScopeState::Forbidden(_) => self.pick("▲", "!"),
        }
    }

    /// Glyph of a pod's health.
    #[must_use]
    pub const fn health_glyph(self, health: PodHealth) -> &'static str {
        match health {
            PodHealth::Ready => self.pick("●", "*"),
            PodHealth::Moving => self.pick("◐", "~"),
            PodHealth::Done => self.pick("○", "o"),
            PodHealth::Bad => self.pick("✖", "x"),
        }
    }

    /// A bar of so many cells, filled to a share from 0 to 1.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the share is bounded before the cast")]
    pub fn bar(self, share: f64, cells: u16) -> String {
        const PARTS: [&str; 9] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        let mut eighths = (share * f64::from(cells) * 8.0).round() as usize;
        if share > 0.0 {
            eighths = eighths.max(1);
        }
        let mut bar = String::new();
        for _ in 0..cells {
            let part = eighths.min(8);
            eighths -= part;
            bar.push_str(match (self.charset, part) {
                (_, 0) => " ",
                (Charset::Unicode, part) => PARTS.get(part).copied().unwrap_or(" "),
                (Charset::Ascii, 4..) => "#",
                (Charset::Ascii, _) => "-",
            });
        }
        bar
    }

    const fn pick(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        match self.charset {
            Charset::Unicode => unicode,
            Charset::Ascii => ascii,
        }
    }
}

/// Tone of a condition.
#[must_use]
pub const fn condition_tone(condition: Condition) -> Tone {
    match condition {
        Condition::Failing => Tone::Bad,
        Condition::Degraded | Condition::Deploying => Tone::Warn,
        Condition::Running => Tone::Good,
        Condition::Unknown | Condition::Stopped => Tone::Quiet,
    }
}

/// Tone of a link.
#[must_use]
pub const fn link_tone(link: &Link) -> Tone {
    match link {
        Link::Idle => Tone::Quiet,
        Link::Connecting => Tone::Warn,
        Link::Up { .. } => Tone::Good,
        Link::Down { .. } | Link::Forbidden { .. } => Tone::Bad,
    }
}

/// Tone of a watch.
#[must_use]
pub const fn scope_tone(scope: &ScopeState) -> Tone {
    match scope {
        ScopeState::Absent => Tone::Quiet,
        ScopeState::Loading | ScopeState::Stale(..) | ScopeState::Failed(..) => Tone::Warn,
        ScopeState::Live => Tone::Good,
        ScopeState::Forbidden(_) => Tone::Bad,
    }
}

/// Tone of a pod's health.
#[must_use]
pub const fn health_tone(health: PodHealth) -> Tone {
    match health {
        PodHealth::Ready => Tone::Good,
        PodHealth::Moving => Tone::Warn,
        PodHealth::Done => Tone::Quiet,
        PodHealth::Bad => Tone::Bad,
    }
}
