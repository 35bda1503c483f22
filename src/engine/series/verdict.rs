//! What was found of a step besides its sums, in four bytes: there are a thousand steps of each service.

use std::sync::Arc;

use crate::model::signal::{Health, Saturation};

/// Components that are told apart; more are called [`OTHERS`].
const MOST: usize = 250;
const OTHERS: &str = "other";

/// Health, and the component nearest to its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    health: Level,
    /// Number of the component's name, from 1; 0 where nothing tells saturation.
    component: u8,
    /// Tenths of a percent.
    saturation: u16,
}

/// Health as a number from 0 to 3.
type Level = u8;

/// Names of components, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(Vec<Arc<str>>);

impl Names {
    /// The number of a name, from 1.
    fn number(&mut self, name: &Arc<str>) -> u8 {
        let known = self.0.iter().position(|known| known == name);
        let place = known.unwrap_or_else(|| {
            if self.0.len() <= MOST {
                self.0.push(if self.0.len() == MOST { OTHERS.into() } else { name.clone() });
            }
            self.0.len() - 1
        });
        u8::try_from(place + 1).unwrap_or(0)
    }

    fn name(&self, number: u8) -> Option<&Arc<str>> {
        self.0.get(usize::from(number).checked_sub(1)?)
    }
}

impl Verdict {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
    pub(super) fn new(health: Health, saturation: Option<&Saturation>, names: &mut Names) -> Self {
        let known = saturation.filter(|saturation| saturation.percent.is_finite());
        Self {
            health: health.level(),
            component: known.map_or(0, |known| names.number(&known.component)),
            saturation: known.map_or(0, |known| (known.percent * 10.0).round().clamp(0.0, f64::from(u16::MAX)) as u16),
        }
    }

    pub(super) fn health(self) -> Health {
        Health::new(self.health.into()).unwrap_or(Health::DOWN)
    }

    pub(super) fn saturation(self, names: &Names) -> Option<Saturation> {
        let component = names.name(self.component)?.clone();
        Some(Saturation { percent: f64::from(self.saturation) / 10.0, component })
    }

    /// The worse health of both, and the component that is nearer to its limit.
    pub(super) fn or_worse(self, other: Self) -> Self {
        let nearer = if (other.saturation, other.component) > (self.saturation, self.component) { other } else { self };
        Self { health: self.health.max(other.health), ..nearer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_was_found_and_the_worse_stays() {
        let mut names = Names::default();
        let saturation = |percent, component: &str| Saturation { percent, component: component.into() };
        let (cpu, lag) = (saturation(81.3, "cpu"), saturation(120.0, "lag"));
        let well = Verdict::new(Health::WELL, Some(&lag), &mut names);
        let down = Verdict::new(Health::DOWN, Some(&cpu), &mut names);
        let silent = Verdict::new(Health::WELL, None, &mut names);
        assert_eq!((down.health(), down.saturation(&names)), (Health::DOWN, Some(cpu)));
        assert_eq!(silent.saturation(&names), None);
        let worst = silent.or_worse(down).or_worse(well);
        assert_eq!((worst.health(), worst.saturation(&names)), (Health::DOWN, Some(lag)));
        let absurd = Verdict::new(Health::WELL, Some(&saturation(f64::NAN, "x")), &mut names);
        assert_eq!(absurd.saturation(&names), None);
    }

    #[test]
    fn names_are_bounded() {
        let mut names = Names::default();
        for number in 0..1_000 {
            let saturation = Saturation { percent: 1.0, component: number.to_string().into() };
            let verdict = Verdict::new(Health::WELL, Some(&saturation), &mut names);
            let expected = if number < 250 { number.to_string() } else { OTHERS.to_owned() };
            assert_eq!(*verdict.saturation(&names).unwrap().component, *expected);
        }
    }
}
