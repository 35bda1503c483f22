use proptest::prelude::*;
use ratatui::buffer::Buffer;

use super::super::theme::Colours;
use super::*;

fn drawn(values: &[Option<f64>], (width, height): (u16, u16), ascii: bool) -> Vec<String> {
    let area = Rect::new(0, 0, GUTTER + width, height);
    let mut buffer = Buffer::empty(area);
    let theme = Theme::new(Colours::None, ascii);
    let curve = Curve { values: values.to_vec(), style: |theme, _| theme.text() };
    let chart =
        Chart { titles: &["x"], top: 10.0, label: |value| format!("{value}"), curves: vec![curve], cursor: Some(0) };
    draw(&mut Canvas { buffer: &mut buffer, theme: &theme }, area, &chart);
    let lines = buffer
        .content
        .chunks(usize::from(area.width))
        .map(|line| line.iter().skip(usize::from(GUTTER)).map(ratatui::buffer::Cell::symbol).collect::<String>());
    lines.collect()
}

fn climbing(gap: std::ops::Range<usize>) -> Vec<Option<f64>> {
    (0..12_u8).map(|step| (!gap.contains(&usize::from(step))).then(|| f64::from(step) * 10.0 / 11.0)).collect()
}

#[test]
fn a_curve_climbs() {
    assert_eq!(drawn(&climbing(0..0), (6, 3), false), ["    ⣠⠞", "  ⣠⠞⠁ ", "⣠⠞⠁───"]);
}

#[test]
fn a_gap_is_empty_to_the_ground() {
    for ascii in [false, true] {
        let lines = drawn(&climbing(4..8), (12, 4), ascii);
        for line in &lines {
            let cells: Vec<char> = line.chars().collect();
            assert!(cells.iter().skip(4).take(4).all(|cell| *cell == ' '), "{lines:?}");
            assert!(cells.len() == 12);
        }
        assert!(lines.iter().all(|line| !ascii || line.is_ascii()), "{lines:?}");
        assert!(lines.last().unwrap().chars().enumerate().all(|(place, cell)| (4..8).contains(&place) || cell != ' '));
    }
}

#[test]
fn scales_end_in_round_numbers() {
    let tops = [0.0, 0.3, 1.0, 1.1, 4.9, 7.0, 12_000.0, 51_000.0].map(|value| round_top([value].into_iter(), 1.0));
    assert_eq!(format!("{tops:?}"), "[1.0, 1.0, 1.0, 2.0, 5.0, 10.0, 20000.0, 100000.0]");
}

#[test]
fn a_sparkline_shows_the_newest_and_leaves_gaps() {
    let theme = Theme::new(Colours::None, false);
    let values = [Some(9.0), None, Some(0.0), Some(2.0), Some(4.0)];
    assert_eq!(sparkline(theme, &values, 4), " ▁▄█");
    assert_eq!(sparkline(theme, &[Some(0.0)], 4), "▁");
}

proptest! {
    #[test]
    fn whatever_the_values_nothing_is_drawn_outside(
        values in prop::collection::vec(prop::option::of(any::<f64>()), 0..200),
        size in (0..40_u16, 1..9_u16),
    ) {
        let lines = drawn(&values, size, false);
        prop_assert!(lines.iter().all(|line| line.chars().count() == usize::from(size.0)));
    }
}
