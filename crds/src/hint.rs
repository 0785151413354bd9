//! "Did you mean": the known word that is nearest to one that is not known.

/// The word of `known` that needs the fewest changed letters to become `word`, if they are few enough.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_ascii_lowercase();
    // A hostile file may hold tens of thousands of names and as many mistakes.
    let known = known.into_iter().take(1000);
    let allowed = 1 + word.chars().count().min(64) / 4;
    known
        .map(|candidate| (distance(&lower, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean X?`, or the known words.
pub(crate) fn help<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(candidate) => format!("did you mean {candidate}?"),
        None => format!("known: {}", list(known)),
    }
}

/// The words, at most 20 of them, or `none`.
pub(crate) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.len() {
        0 => "none".to_owned(),
        1..=20 => words.join(", "),
        more => format!(
            "{} and {} more",
            words.iter().take(20).copied().collect::<Vec<_>>().join(", "),
            more - 20
        ),
    }
}

/// Levenshtein, with a swap of neighbours as one change; words are cut at 64 letters.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().take(64).collect();
    let other: Vec<char> = other.chars().take(64).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let at = |row: &[usize], place: usize| row.get(place).copied().unwrap_or(usize::MAX / 2);
            let mut cost = at(&row, j) + usize::from(a != b);
            cost = cost.min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            let swapped = i > 0 && j > 0 && one.get(i - 1) == Some(b) && other.get(j - 1) == Some(a);
            if swapped {
                cost = cost.min(at(&before, j - 1) + 1);
            }
            next.push(cost);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_far_ones_are_not() {
        let known = ["command", "template", "file", "pull", "publish"];
        for (word, nearest_word) in [
            ("comand", Some("command")),
            ("Command", Some("command")),
            ("comamnd", Some("command")),
            ("fiel", Some("file")),
            ("zebra", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), nearest_word, "{word}");
        }
    }
}
