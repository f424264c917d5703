//! Progress on stderr: bars on a terminal, a line every ten seconds elsewhere.

use std::cell::{Cell, RefCell};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Between two lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How far a piece of work is.
#[derive(Debug)]
pub struct Bar {
    /// Hidden where stderr is no terminal; it counts all the same.
    bar: ProgressBar,
    what: String,
    lines: Option<Lines>,
}

/// What is printed where no bar can be drawn.
#[derive(Debug)]
struct Lines {
    started: Instant,
    last: Cell<Instant>,
    message: RefCell<String>,
}

/// A bar over `length` units with a message.
pub fn bar(length: usize, what: &str) -> Bar {
    let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} {eta} {msg}")
        .expect("the template is valid");
    let now = Instant::now();
    let lines = (!std::io::stderr().is_terminal()).then(|| Lines {
        started: now,
        last: Cell::new(now),
        message: RefCell::default(),
    });
    Bar {
        bar: ProgressBar::new(length as u64)
            .with_style(style)
            .with_prefix(what.to_owned()),
        what: what.to_owned(),
        lines,
    }
}

impl Bar {
    /// Units that are done.
    pub fn set_position(&self, done: u64) {
        self.bar.set_position(done);
        self.line();
    }

    /// Units were done before, which say nothing about the time that the rest takes.
    pub fn reset_eta(&self) {
        self.bar.reset_eta();
    }

    /// What is to be known beside the position.
    pub fn set_message(&self, message: impl Into<String>) {
        let message = message.into();
        if let Some(lines) = &self.lines {
            lines.message.replace(message.clone());
        }
        self.bar.set_message(message);
    }

    /// Takes the bar away for what `print` writes.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// The work is done.
    pub fn finish_and_clear(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self) {
        let Some(lines) = &self.lines else { return };
        let now = Instant::now();
        if now.duration_since(lines.last.get()) < LINE_EVERY {
            return;
        }
        lines.last.set(now);
        let position = (self.bar.position(), self.bar.length().unwrap_or(0));
        let text = line(
            &self.what,
            position,
            now - lines.started,
            &lines.message.borrow(),
        );
        // Nobody may be there to read it, which is no reason to stop.
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

/// Such as `images: 12/50 after 20 s, PSNR 21.3 dB`.
fn line(what: &str, (done, all): (u64, u64), time: Duration, message: &str) -> String {
    let seconds = time.as_secs();
    let message = if message.is_empty() {
        String::new()
    } else {
        format!(", {message}")
    };
    format!("{what}: {done}/{all} after {seconds} s{message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_what_how_far_and_since_when() {
        let time = Duration::from_millis(20_400);
        assert_eq!(line("images", (3, 50), time, ""), "images: 3/50 after 20 s");
        assert_eq!(
            line("image 1 of 2", (7, 300), time, "PSNR 21.3 dB"),
            "image 1 of 2: 7/300 after 20 s, PSNR 21.3 dB"
        );
    }
}
