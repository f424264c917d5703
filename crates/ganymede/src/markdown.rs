//! Tables of reports.

/// A Markdown table: columns of numbers to the right, others to the left.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[&str]| format!("| {} |\n", cells.join(" | "));
    let starts_a_number = |cell: &String| {
        let first = cell.chars().next();
        first.is_none_or(|first| first.is_ascii_digit() || "+-".contains(first))
    };
    let alignments: Vec<&str> = (0..header.len())
        .map(
            |column| match rows.iter().all(|row| starts_a_number(&row[column])) {
                true => "---:",
                false => "---",
            },
        )
        .collect();
    let body = rows.iter().map(|row| {
        let cells: Vec<&str> = row.iter().map(String::as_str).collect();
        line(&cells)
    });
    [line(header), line(&alignments)]
        .into_iter()
        .chain(body)
        .collect()
}
