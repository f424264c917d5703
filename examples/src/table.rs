//! Small tables, on stdout or as Markdown.

/// Prints rows in columns: the first column to the left, numbers to the right.
pub fn print(header: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .chain([header[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let cells: Vec<String> = cells
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            })
            .collect();
        println!("{}", cells.join("  ").trim_end());
    };
    line(header.to_vec());
    for row in rows {
        line(row.iter().map(String::as_str).collect());
    }
}

/// A Markdown table: columns of numbers to the right, others to the left.
pub fn markdown(header: &[&str], rows: &[Vec<String>]) -> String {
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

/// The middle value, the mean of the two in the middle for an even number; none for no values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}
