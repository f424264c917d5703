//! The tables of `index evaluate`.

use ganymede::index::{Accuracies, CrossFitted, Row, Settings};
use ganymede::statistics::Interval;

use examples::table;

/// Print all choices, and each method with settings that other images chose.
pub fn print(found: &Accuracies) {
    print_rows(&found.rows);
    println!("{} images of {} models", found.queries, found.models);
    if !found.cross_fitted.is_empty() {
        println!(
            "\nwith settings that the other half of the images chose; in brackets intervals of 95 %"
        );
        print_cross_fitted(&found.cross_fitted);
    }
}

fn print_rows(rows: &[Row]) {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.method.clone(),
                row.dimension.to_string(),
                ridge(&row.method, row.ridge).unwrap_or_else(|| "-".to_owned()),
                format!("{:.3}", row.top_1),
                format!("{:.3}", row.top_5),
                format!("{:.3}", row.top_10),
                format!("{:.3}", row.map_5),
                format!("{:.3}", row.map_10),
            ]
        })
        .collect();
    let header = [
        "method",
        "dimensions",
        "ridge",
        "top-1",
        "top-5",
        "top-10",
        "mAP@5",
        "mAP@10",
    ];
    table::print(&header, &cells);
}

fn print_cross_fitted(rows: &[CrossFitted]) {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let settings = |s: &Settings| match ridge(&row.method, s.ridge) {
                Some(ridge) => format!("{}, {ridge}", s.dimension),
                None => s.dimension.to_string(),
            };
            vec![
                row.method.clone(),
                row.settings.each_ref().map(settings).join(" / "),
                interval(&row.top_1),
                interval(&row.map_5),
                row.first_is_better_by
                    .as_ref()
                    .map_or_else(String::new, interval),
            ]
        })
        .collect();
    let header = [
        "method",
        "dimensions, ridge",
        "top-1",
        "mAP@5",
        "top-1 of the first row is higher by",
    ];
    table::print(&header, &cells);
}

/// Only the density has one.
fn ridge(method: &str, ridge: f64) -> Option<String> {
    (method == "gaussian density").then(|| format!("{ridge:.0e}"))
}

fn interval(of: &Interval) -> String {
    format!("{:.3} ({:.3} to {:.3})", of.mean, of.low, of.high)
}
