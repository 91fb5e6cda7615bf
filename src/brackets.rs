//! The brackets in the names of types and functions.

/// Each character of a name, with its place and the number of brackets that it is within. A
/// bracket is not within itself.
pub(crate) fn with_depths(name: &str) -> impl Iterator<Item = (usize, char, usize)> {
    let (mut depth, mut before) = (0usize, ' ');
    name.char_indices().map(move |(at, c)| {
        // The arrow of `fn() -> T` closes nothing.
        let is_arrow = before == '-' && c == '>';
        before = c;
        if matches!(c, '>' | ')' | ']') && !is_arrow {
            depth = depth.saturating_sub(1);
        }
        let within = depth;
        if matches!(c, '<' | '(' | '[') {
            depth += 1;
        }
        (at, c, within)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bracket_is_not_within_itself_and_an_arrow_is_none() {
        let depths = |name| -> String {
            let digits = with_depths(name).map(|(_, _, depth)| depth.to_string());
            digits.collect()
        };
        assert_eq!(depths("a<b<c>>::d"), "0011210000");
        assert_eq!(depths("f<fn(u) -> [u]>"), "001112111111210");
        assert_eq!(depths(">a"), "00");
    }
}
