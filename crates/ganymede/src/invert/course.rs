use inversion::{LossTerms, Progress};

use crate::{Number, Observer};

/// Tells an observer how far an inversion is, within a phase of as many units as it has steps.
pub fn tell(observer: &mut dyn Observer, progress: &Progress<'_>) {
    let now = match progress {
        Progress::Step(now) => now,
        Progress::Start { chosen, .. } => {
            return observer.numbers(&[Number::new("starts compared", *chosen as f64, "", 0)]);
        }
        _ => return,
    };
    let mean = |term: fn(&LossTerms) -> f64| {
        now.losses.iter().map(term).sum::<f64>() / now.losses.len() as f64
    };
    let psnr = now.psnr();
    let psnr = psnr.iter().sum::<f64>() / psnr.len() as f64;
    observer.position(now.step as u64 + 1);
    observer.numbers(&[
        Number::new("loss", mean(|losses| losses.total), "", 4),
        Number::new("LPIPS", mean(|losses| losses.lpips), "", 4),
        Number::new("PSNR", psnr, "dB", 1),
    ]);
}
