//! `flowdeck` without a command: the console.

use crate::app::{Options, State};
use crate::runtime::backends::{Backends, Counting};
use crate::runtime::console::{self, Ending};
use crate::settings::{ColourSettings, Settings};
use crate::telemetry;
use crate::term::{Guard, Notices};
use crate::ui::{Colours, Theme};

use super::{Failure, exit};

/// Opens the console and stays until it ends.
pub fn run(settings: &Settings) -> Result<u8, Failure> {
    run_with(settings, State::new)
}

/// The same, beginning with a state of one's own.
pub fn run_with(settings: &Settings, begin: impl FnOnce(Options) -> State) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let code = runtime.block_on(open(settings, begin));
    // Tasks that block on a dead backend must not hold the user's shell.
    runtime.shutdown_background();
    code
}

async fn open(settings: &Settings, begin: impl FnOnce(Options) -> State) -> Result<u8, Failure> {
    let log = telemetry::start(&settings.log);
    let notices = if settings.screen.desktop_notices { Notices::Desktop } else { Notices::Bell };
    let mut guard = Guard::take(notices).map_err(Failure::usage)?;
    let size = guard.size()?;
    let theme = Theme::new(colours(settings.screen.colours), settings.screen.ascii || !speaks_utf8());
    let mut state = begin(Options { now: chrono::Utc::now(), size });
    let (backends, mut events) = Backends::start(settings, Counting::Always);
    let ending = console::run(&mut guard, &mut state, &theme, &backends, &mut events).await?;
    drop(guard);
    drop(log);
    Ok(match ending {
        Ending::Quit => exit::OK,
        Ending::Signal(number) => exit::SIGNAL.saturating_add(u8::try_from(number).unwrap_or(0)),
    })
}

/// What the terminal can show, by the usual variables.
fn colours(settings: ColourSettings) -> Colours {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    match settings {
        ColourSettings::None => Colours::None,
        ColourSettings::Full => Colours::Full,
        ColourSettings::Auto if !variable("NO_COLOR").is_empty() => Colours::None,
        ColourSettings::Auto if ["truecolor", "24bit"].contains(&variable("COLORTERM").as_str()) => Colours::Full,
        ColourSettings::Sixteen | ColourSettings::Auto => Colours::Sixteen,
    }
}

/// By the locale, as other full-screen programs decide it; the Linux console's fonts lack Braille.
fn speaks_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let utf8 = locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    utf8 && std::env::var("TERM").is_ok_and(|term| term != "linux")
}
