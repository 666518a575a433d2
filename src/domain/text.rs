//! Texts that people give things as names: what may be in one so that it looks the same to everybody.

/// Whether a text is something to read and nothing else: not only spaces, no control character, no mark that turns the
/// direction of what follows or is not seen, and no accent without a letter before it.
pub fn is_plain(text: &str) -> bool {
    let unseen = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let accent = |letter: char| matches!(letter, '\u{300}'..='\u{36f}');
    !text.trim().is_empty() && !text.starts_with(accent) && !text.chars().any(unseen)
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn what_can_be_read_is_plain_and_what_hides_is_not() {
        for text in [
            "x",
            "Caf\u{e9} 24",
            "Cafe\u{301}",
            "<script>",
            "=cmd()",
            "${7*7}",
            "'; DROP",
            "\u{5d0}\u{5d1}",
            " padded ",
        ] {
            assert!(is_plain(text), "{text:?}");
        }
        for text in [
            "",
            " ",
            "\u{3000}",
            "a\u{0}",
            "a\nb",
            "a\tb",
            "a\u{202e}b",
            "a\u{2066}b",
            "\u{301}",
            "a\u{200b}b",
            "\u{feff}a",
            "a\u{2028}b",
        ] {
            assert!(!is_plain(text), "{text:?}");
        }
    }
}
