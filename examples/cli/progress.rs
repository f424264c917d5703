//! Progress bars on stderr; indicatif hides them where it is not a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `length` units with a message.
pub fn bar(length: usize, what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} {eta} {msg}")
        .expect("the template is valid");
    ProgressBar::new(length as u64)
        .with_style(style)
        .with_prefix(what.to_owned())
}
