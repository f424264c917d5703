//! Changing one table of a card's text.

/// The text with the table `name` and its subtables replaced by `body`, the table's entries; a table that was not there
/// is added at the end.
///
/// All other lines stay as they are. The caller parses the result: a line of a long string or array may look like a
/// header.
pub(crate) fn with_table(text: &str, name: &str, body: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut place = None;
    let mut inside = false;
    // Empty lines and comments at the end of a table belong to what follows it.
    let mut pending: Vec<&str> = Vec::new();
    for line in text.lines() {
        if let Some(header) = header(line) {
            inside = header == name
                || header
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with('.'));
            if inside {
                place.get_or_insert(kept.len() + pending.len());
            }
            kept.append(&mut pending);
        }
        if !inside {
            kept.push(line);
        } else if line.trim().is_empty() || line.trim_start().starts_with('#') {
            pending.push(line);
        } else {
            pending.clear();
        }
    }
    kept.append(&mut pending);
    let place = place.unwrap_or_else(|| {
        if kept.last().is_some_and(|line| !line.is_empty()) {
            kept.push("");
        }
        kept.len()
    });
    let (before, after) = kept.split_at(place);
    let title = format!("[{name}]");
    let lines = before
        .iter()
        .copied()
        .chain([title.as_str()])
        .chain(body.trim_end().lines())
        .chain(after.iter().copied());
    let mut text: String = lines.flat_map(|line| [line, "\n"]).collect();
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// The name in a table's header.
fn header(line: &str) -> Option<&str> {
    let line = line.trim().strip_prefix('[')?;
    let line = line.strip_prefix('[').unwrap_or(line);
    Some(line.split(']').next().unwrap_or(line).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_replaced_where_it_stands() {
        let text =
            "name = \"a\"\n\n[quality]\n# old\nx = 1\n\n# of the network\n[configuration]\nz = 2\n";
        assert_eq!(
            with_table(text, "quality", "y = 3\n"),
            "name = \"a\"\n\n[quality]\ny = 3\n\n# of the network\n[configuration]\nz = 2\n"
        );
        let last = "name = \"a\"\n[quality]\nx = 1\n[quality.more]\nz = 1\n";
        assert_eq!(
            with_table(last, "quality", "y = 3"),
            "name = \"a\"\n[quality]\ny = 3\n"
        );
    }

    #[test]
    fn a_table_that_is_not_there_is_added_at_the_end() {
        assert_eq!(
            with_table("[qualities]\nx = 1", "quality", "y = 3"),
            "[qualities]\nx = 1\n\n[quality]\ny = 3\n"
        );
        assert_eq!(with_table("", "quality", "y = 3"), "[quality]\ny = 3\n");
    }
}
