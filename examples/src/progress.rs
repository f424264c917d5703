//! Progress bars on stderr; indicatif hides them where it is not a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use inversion::{LossTerms, Progress};

/// A bar over `length` units with a message.
pub fn bar(length: usize, what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} {eta} {msg}")
        .expect("the template is valid");
    ProgressBar::new(length as u64)
        .with_style(style)
        .with_prefix(what.to_owned())
}

/// Shows how far an inversion is.
pub fn show_inversion(bar: &ProgressBar, progress: &Progress<'_>) {
    let now = match progress {
        Progress::Step(now) => now,
        Progress::Start { chosen, samples } => {
            return bar.set_message(format!("compared {chosen} of {samples} starts"));
        }
        _ => return,
    };
    let mean = |term: fn(&LossTerms) -> f64| {
        now.losses.iter().map(term).sum::<f64>() / now.losses.len() as f64
    };
    bar.set_position(now.step as u64 + 1);
    bar.set_message(format!(
        "LPIPS {:.4}, PSNR {:.1} dB",
        mean(|losses| losses.lpips),
        inversion::psnr(mean(|losses| losses.mse))
    ));
}
