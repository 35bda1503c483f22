//! Which bracket belongs to which. Strings end with their line, as JSON has it.

/// The partner of the bracket at the cursor or right before it.
pub(super) fn partner(lines: &[String], (line, letter): (usize, usize)) -> Option<(usize, usize)> {
    let here: Vec<(usize, char)> = outside_strings(lines.get(line)?).collect();
    let bracket = |at: usize| here.iter().find(|(place, _)| *place == at).copied();
    let (place, open) = bracket(letter).or_else(|| bracket(letter.checked_sub(1)?))?;
    let other = match open {
        '{' => '}',
        '[' => ']',
        '}' => '{',
        ']' => '[',
        _ => return None,
    };
    let all = lines.iter().enumerate();
    let places = |(row, text): (usize, &String)| {
        outside_strings(text).map(|(column, letter)| (row, column, letter)).collect::<Vec<_>>()
    };
    let mut depth = 0_usize;
    let mut step = |(row, column, letter): (usize, usize, char)| {
        if letter == open {
            depth += 1;
        } else if letter == other {
            depth = depth.saturating_sub(1);
            return (depth == 0).then_some((row, column));
        }
        None
    };
    if "{[".contains(open) {
        let rest = all.skip(line).flat_map(places).skip_while(|it| (it.0, it.1) < (line, place));
        return rest.into_iter().find_map(&mut step);
    }
    let before = all.take(line + 1).collect::<Vec<_>>().into_iter().rev();
    let backwards = before.flat_map(|it| places(it).into_iter().rev());
    backwards.skip_while(|it| (it.0, it.1) > (line, place)).find_map(&mut step)
}

/// The brackets of a line that stand in no string, with their places.
fn outside_strings(line: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let (mut inside, mut escaped) = (false, false);
    line.chars().enumerate().filter(move |(_, letter)| {
        let quote = *letter == '"' && !escaped;
        inside ^= quote;
        escaped = inside && *letter == '\\' && !escaped;
        !inside && "{}[]".contains(*letter)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_find_each_other_over_lines_and_past_strings() {
        let lines: Vec<String> = ["{\"a}\": [1, {}],", " \"b\\\"{\": 2", "}"].map(str::to_owned).to_vec();
        assert_eq!(partner(&lines, (0, 0)), Some((2, 0)));
        assert_eq!(partner(&lines, (2, 0)), Some((0, 0)));
        assert_eq!(partner(&lines, (2, 1)), Some((0, 0)), "right behind it");
        assert_eq!(partner(&lines, (0, 7)), Some((0, 13)));
        assert_eq!(partner(&lines, (0, 3)), None, "inside a string");
        assert_eq!(partner(&lines, (9, 0)), None);
    }
}
