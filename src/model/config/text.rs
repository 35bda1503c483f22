//! Lines and columns of a text.

/// Where lines begin.
#[derive(Debug, Default)]
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    pub(super) fn place(&self, at: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= at).max(1);
        let start = self.starts.get(line - 1).copied().unwrap_or_default();
        let before = self.text.get(start..at).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let lines = Lines::new("a\n  é = 1\n");
        assert_eq!([0, 1, 2, 4, 6, 11].map(|at| lines.place(at)), [(1, 1), (1, 2), (2, 1), (2, 3), (2, 4), (3, 1)]);
        assert_eq!(Lines::new("").place(0), (1, 1));
        assert_eq!(lines.place(9_999), (3, 1));
    }
}
