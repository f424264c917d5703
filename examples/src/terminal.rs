//! A terminal as the observer of a job: progress bars, warnings, Ctrl-C.

use ganymede::index_record::Outdated;
use ganymede::{Milestone, Number, Observer, Phase, Warning};

use crate::interrupt::Interrupt;
use crate::progress::Bar;
use crate::{Failure, progress};

/// Shows a job's progress on stderr and passes Ctrl-C on to it.
#[derive(Debug, Default)]
pub struct Terminal {
    interrupt: Interrupt,
    bar: Option<Bar>,
    phase: String,
}

impl Terminal {
    /// Listens for Ctrl-C from now on.
    pub fn listen() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: Interrupt::listen()?,
            ..Self::default()
        })
    }

    fn beside_the_bar(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// The last phase that began.
    pub fn phase(&self) -> &str {
        &self.phase
    }
}

impl Observer for Terminal {
    fn begin(&mut self, phase: &Phase<'_>) {
        self.end();
        self.bar = Some(progress::bar(phase.length as usize, phase.name));
        self.phase = phase.name.to_owned();
    }

    fn position(&mut self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        }
    }

    fn resume(&mut self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.reset_eta();
        }
    }

    fn numbers(&mut self, numbers: &[Number]) {
        if let Some(bar) = &self.bar {
            bar.set_message(shown(numbers));
        }
    }

    fn warn(&mut self, warning: &Warning) {
        let print = || match warning {
            Warning::IndexOutdated(outdated) => warn_of_outdated(outdated),
            Warning::FewSamples {
                samples,
                components,
                wanted,
            } => eprintln!(
                "warning: --samples {samples}: too few for {components} components, of which the later ones say more about the samples than about the model; \
                 take {wanted} or more"
            ),
            Warning::Collapsed { .. } => eprintln!(
                "warning: {}",
                warning.to_string().replace("augmentations", "--augment")
            ),
            Warning::NoReference { .. } => eprintln!(
                "{warning}; for all images of a few-shot set run `node few_shot.js` in weights/zoo/render, for others name some with --reference"
            ),
            Warning::RankLeftOut { .. }
            | Warning::RankBeyond { .. }
            | Warning::ModelLeftOut { .. }
            | Warning::StylesLeftOut { .. }
            | Warning::RankUnranked { .. }
            | Warning::FewImages { .. }
            | Warning::FewModels { .. }
            | Warning::InvertedAgain { .. }
            | Warning::NoEdits { .. }
            | Warning::Unpublished => eprintln!("{warning}"),
            other => eprintln!("warning: {other}"),
        };
        self.beside_the_bar(print);
    }

    fn milestone(&mut self, milestone: &Milestone) {
        self.beside_the_bar(|| match milestone {
            // What there is now, as against what is begun.
            Milestone::Trained { .. } | Milestone::Turn { .. } => println!("{milestone}"),
            Milestone::Stopped { .. } => println!("{milestone}; continue with --resume"),
            other => eprintln!("{other}"),
        });
    }

    fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn cancelled(&self) -> bool {
        self.interrupt.requested()
    }
}

/// A terminal whose job is ended by something else than Ctrl-C alone.
pub struct Asking<'a> {
    terminal: Terminal,
    interrupted: &'a dyn Fn() -> bool,
}

impl<'a> Asking<'a> {
    /// Shows progress, and ends the job when `interrupted` says so.
    pub fn new(interrupted: &'a dyn Fn() -> bool) -> Self {
        Self {
            terminal: Terminal::default(),
            interrupted,
        }
    }
}

impl Observer for Asking<'_> {
    fn begin(&mut self, phase: &Phase<'_>) {
        self.terminal.begin(phase);
    }

    fn position(&mut self, done: u64) {
        self.terminal.position(done);
    }

    fn resume(&mut self, done: u64) {
        self.terminal.resume(done);
    }

    fn numbers(&mut self, numbers: &[Number]) {
        self.terminal.numbers(numbers);
    }

    fn warn(&mut self, warning: &Warning) {
        self.terminal.warn(warning);
    }

    fn milestone(&mut self, milestone: &Milestone) {
        self.terminal.milestone(milestone);
    }

    fn end(&mut self) {
        self.terminal.end();
    }

    fn cancelled(&self) -> bool {
        (self.interrupted)()
    }
}

/// Says on stderr what a search cannot know, and how to mend it.
fn warn_of_outdated(outdated: &Outdated) {
    const MEND: &str = "`cargo run --release --example index -- update` samples them";
    if !outdated.changed.is_empty() {
        eprintln!(
            "warning: the index was not made of the generators that are here now: {}; their ranks may be wrong until {MEND}",
            outdated.changed.join(", ")
        );
    }
    if !outdated.new.is_empty() {
        eprintln!(
            "warning: not in the index, and so never found: {}; {MEND}",
            outdated.new.join(", ")
        );
    }
}

/// Numbers in one line.
fn shown(numbers: &[Number]) -> String {
    let numbers: Vec<String> = numbers
        .iter()
        .map(|number| {
            let value = format!("{} {:.*}", number.name, number.decimals, number.value);
            format!("{value} {}", number.unit).trim_end().to_owned()
        })
        .collect();
    numbers.join(", ")
}

#[cfg(test)]
mod tests {
    use ganymede::Number;

    use super::shown;

    #[test]
    fn numbers_have_their_units_and_decimals() {
        let numbers = [
            Number::new("LPIPS", 0.123_45, "", 4),
            Number::new("PSNR", 21.06, "dB", 1),
        ];
        assert_eq!(shown(&numbers), "LPIPS 0.1235, PSNR 21.1 dB");
    }
}
