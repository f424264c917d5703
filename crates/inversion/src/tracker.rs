use burn::tensor::Tensor;

use crate::{EarlyStopping, LossTerms, StopReason};

/// The optimized numbers of one image: latents `[1, n, w_dim]` and noise images `[1, 1, resolution, resolution]`.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pub step: usize,
    pub latents: Tensor<3>,
    pub noise_images: Vec<Tensor<4>>,
}

/// What is remembered about one image while the batch is optimized.
#[derive(Default)]
pub(crate) struct Tracker {
    pub curve: Vec<LossTerms>,
    best: Option<(f64, Snapshot)>,
    /// Step and objective of the last improvement that early stopping counts.
    improved: Option<(usize, f64)>,
    out_of_patience: bool,
    pub stop: Option<StopReason>,
    /// Numbers when the image stopped; absent after a non-finite loss.
    pub last: Option<Snapshot>,
}

impl Tracker {
    pub fn best(&self) -> Option<&Snapshot> {
        self.best.as_ref().map(|(_, snapshot)| snapshot)
    }

    pub fn best_total(&self) -> Option<f64> {
        self.best.as_ref().map(|(total, _)| *total)
    }

    /// The step whose loss was not finite, where nothing before it was better than the start: that is no result of a
    /// search.
    pub fn led_nowhere(&self) -> Option<usize> {
        match (self.stop, self.best()) {
            (Some(StopReason::NonFiniteLoss { step }), Some(best)) if best.step == 0 => Some(step),
            _ => None,
        }
    }

    /// Adds the losses of `step`; where they are not finite the image stops, and what follows is of no use.
    pub fn record(&mut self, step: usize, losses: LossTerms, stopping: Option<EarlyStopping>) {
        if let Some(StopReason::NonFiniteLoss { .. }) = self.stop {
            return;
        }
        self.curve.push(losses);
        if !losses.total.is_finite() {
            self.stop = Some(StopReason::NonFiniteLoss { step });
            return;
        }
        let Some(stopping) = stopping else { return };
        match self.improved {
            Some((_, least)) if losses.total >= least * (1.0 - stopping.min_improvement) => {}
            _ => self.improved = Some((step, losses.total)),
        }
        self.out_of_patience |= self
            .improved
            .is_some_and(|(since, _)| step - since >= stopping.patience);
    }

    /// Stops an image that is out of patience, after `updates` updates: all that were made until its losses were read.
    pub fn settle(&mut self, updates: usize) {
        if self.out_of_patience {
            self.stop
                .get_or_insert(StopReason::EarlyStopping { step: updates });
        }
    }

    /// Keeps the numbers that `snapshot` takes when `total` is the least so far, and says whether it did.
    pub fn offer(&mut self, total: f64, snapshot: impl FnOnce() -> Snapshot) -> bool {
        let is_best = total.is_finite() && self.best_total().is_none_or(|best| total < best);
        if is_best {
            self.best = Some((total, snapshot()));
        }
        is_best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped_after(totals: &[f64], stopping: EarlyStopping) -> Option<StopReason> {
        let mut tracker = Tracker::default();
        for (step, total) in totals.iter().enumerate() {
            let losses = LossTerms {
                total: *total,
                ..LossTerms::default()
            };
            tracker.record(step, losses, Some(stopping));
            tracker.settle(step + 1);
            if tracker.stop.is_some() {
                break;
            }
        }
        tracker.stop
    }

    #[test]
    fn patience_counts_from_the_last_real_improvement() {
        let stopping = EarlyStopping {
            patience: 2,
            min_improvement: 0.1,
        };
        // 0.95 is no improvement on 1 by a tenth, 0.89 is.
        assert_eq!(
            stopped_after(&[1.0, 0.95, 0.89, 0.85, 0.79], stopping),
            None
        );
        let stop = stopped_after(&[1.0, 0.95, 0.91, 0.5], stopping);
        assert_eq!(stop, Some(StopReason::EarlyStopping { step: 3 }));
    }

    /// Where losses are read every few steps, the updates between go on: the curve holds them and the stop counts them.
    #[test]
    fn an_image_stops_when_its_losses_are_read() {
        let stopping = EarlyStopping {
            patience: 1,
            min_improvement: 0.0,
        };
        let mut tracker = Tracker::default();
        for (step, total) in [1.0, 1.5, 1.25, 1.125].into_iter().enumerate() {
            let losses = LossTerms {
                total,
                ..LossTerms::default()
            };
            tracker.record(step, losses, Some(stopping));
        }
        tracker.settle(4);
        assert_eq!(tracker.stop, Some(StopReason::EarlyStopping { step: 4 }));
        assert_eq!(tracker.curve.len(), 4);
    }

    #[test]
    fn a_search_that_never_fell_below_its_start_led_nowhere() {
        let device = burn::tensor::Device::flex();
        let search = |totals: &[f64]| {
            let mut tracker = Tracker::default();
            for (step, total) in totals.iter().enumerate() {
                let losses = LossTerms {
                    total: *total,
                    ..LossTerms::default()
                };
                tracker.record(step, losses, None);
                tracker.offer(*total, || Snapshot {
                    step,
                    latents: Tensor::zeros([1, 1, 1], &device),
                    noise_images: Vec::new(),
                });
            }
            tracker.led_nowhere()
        };
        assert_eq!(search(&[1.0, 1.5, f64::NAN]), Some(2));
        assert_eq!(search(&[1.0, 0.5, f64::INFINITY]), None);
        assert_eq!(search(&[1.0, 1.5]), None);
    }

    #[test]
    fn a_loss_that_is_not_finite_stops_the_image() {
        let stopping = EarlyStopping {
            patience: 9,
            min_improvement: 0.0,
        };
        let stop = stopped_after(&[1.0, f64::NAN, 0.5], stopping);
        assert_eq!(stop, Some(StopReason::NonFiniteLoss { step: 1 }));
    }
}
