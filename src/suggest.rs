//! "Did you mean": the nearest known word to a mistyped one. It never decides anything, it only helps a message.

/// The candidate nearest to `word`, or `None` when nothing is near enough to be a typing mistake.
///
/// Near enough: at most one third of the longer word's letters changed, added, removed or swapped with a neighbour (and
/// always at least one). Letter case and the difference between `-` and `_` cost nothing. Among equals the first wins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A word longer than this is no mistyped name, and comparing is quadratic in its length.
    const LETTERS_MAX: usize = 64;
    let word = folded(word);
    if word.is_empty() || word.len() > LETTERS_MAX {
        return None;
    }
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        let other = folded(candidate);
        let allowed = (word.len().max(other.len()) / 3).max(1);
        if other.len() > LETTERS_MAX || word.len().abs_diff(other.len()) > allowed {
            continue;
        }
        let distance = distance(&word, &other);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn folded(word: &str) -> Vec<char> {
    word.chars().flat_map(char::to_lowercase).map(|letter| if letter == '-' { '_' } else { letter }).collect()
}

/// Edits between two words: insert, delete, replace, or swap two neighbours.
fn distance(left: &[char], right: &[char]) -> usize {
    let width = right.len() + 1;
    let mut before_last: Vec<usize> = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    for (row, letter) in left.iter().enumerate() {
        let mut current = vec![row + 1; width];
        for (column, other) in right.iter().enumerate() {
            let replaced = last[column] + usize::from(letter != other);
            let mut least = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            let swapped = row > 0 && column > 0 && *letter == right[column - 1] && left[row - 1] == *other;
            if swapped {
                least = least.min(before_last[column - 1] + 1);
            }
            current[column + 1] = least;
        }
        before_last = last;
        last = current;
    }
    last[width - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_mistake_finds_its_word() {
        let words = ["listen", "library", "zone", "four_eyes", "secret_file"];
        let check = |word: &str, want: Option<&str>| assert_eq!(nearest(word, words), want, "{word}");
        check("lisetn", Some("listen"));
        check("LISTEN", Some("listen"));
        check("four-eyes", Some("four_eyes"));
        check("secretfile", Some("secret_file"));
        check("zoen", Some("zone"));
        check("banana", None);
        check("", None);
        check(&"z".repeat(10_000), None);
    }

    #[test]
    fn edges_of_near_enough() {
        assert_eq!(nearest("abxxef", ["abcdef"]), Some("abcdef"), "two of six letters");
        assert_eq!(nearest("axxxef", ["abcdef"]), None, "three of six letters");
        assert_eq!(nearest("b", ["a"]), Some("a"), "one letter may always differ");
    }
}
