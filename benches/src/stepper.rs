use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::Error;

/// One step of a job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Wall-clock time, without the waiting between requests.
    pub duration: Duration,
    /// What was minimized, summed over the batch; 0 where nothing is.
    pub loss: f64,
}

/// A job that runs in a thread of its own and takes steps only when asked to.
///
/// So a long computation with a callback, such as an inversion, can be timed in rounds with other work in between,
/// without starting it anew.
#[derive(Debug)]
pub struct Stepper {
    requests: Option<Sender<usize>>,
    reports: Receiver<Vec<Step>>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Stepper {
    /// Starts `job` at the first request. The job calls its argument with the loss after each step, and ends when that
    /// breaks.
    pub fn spawn<J>(job: J) -> Self
    where
        J: FnOnce(&mut dyn FnMut(f64) -> ControlFlow<()>) -> Result<(), Error> + Send + 'static,
    {
        let (requests, received) = channel();
        let (report, reports) = channel();
        let thread = std::thread::spawn(move || {
            let mut pace = Pace {
                requests: received,
                reports: report,
                due: 0,
                done: Vec::new(),
                begin: Instant::now(),
            };
            if pace.wait().is_break() {
                return Ok(());
            }
            job(&mut |loss| pace.step(loss))
        });
        Self {
            requests: Some(requests),
            reports,
            thread: Some(thread),
        }
    }

    /// Takes `count` steps. The first step of all includes the job's preparation.
    ///
    /// # Errors
    /// When `count` is 0, or the job has failed or ended.
    pub fn run(&mut self, count: usize) -> Result<Vec<Step>, Error> {
        if count == 0 {
            return Err("asked for 0 steps, expected at least 1".into());
        }
        let sent = self
            .requests
            .as_ref()
            .is_some_and(|r| r.send(count).is_ok());
        if sent && let Ok(steps) = self.reports.recv() {
            return Ok(steps);
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(Err(error))) => Err(error),
            Some(Err(_)) => Err("the job panicked".into()),
            Some(Ok(Ok(()))) | None => Err("the job has ended".into()),
        }
    }
}

impl Drop for Stepper {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // Its result has no reader any more.
            let _ = thread.join();
        }
    }
}

/// The job's side: counts its steps and makes it wait.
struct Pace {
    requests: Receiver<usize>,
    reports: Sender<Vec<Step>>,
    due: usize,
    done: Vec<Step>,
    begin: Instant,
}

impl Pace {
    fn step(&mut self, loss: f64) -> ControlFlow<()> {
        self.done.push(Step {
            duration: self.begin.elapsed(),
            loss,
        });
        if self.done.len() < self.due {
            self.begin = Instant::now();
            return ControlFlow::Continue(());
        }
        if self.reports.send(std::mem::take(&mut self.done)).is_err() {
            return ControlFlow::Break(());
        }
        self.wait()
    }

    fn wait(&mut self) -> ControlFlow<()> {
        match self.requests.recv() {
            Ok(count) => {
                self.due = count;
                self.begin = Instant::now();
                ControlFlow::Continue(())
            }
            Err(_) => ControlFlow::Break(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn counting() -> Stepper {
        Stepper::spawn(|step| {
            let mut loss = 0.0;
            while step(loss).is_continue() {
                loss += 1.0;
            }
            Ok(())
        })
    }

    fn losses(steps: &[Step]) -> Vec<f64> {
        steps.iter().map(|step| step.loss).collect()
    }

    #[test]
    fn rounds_continue_where_the_last_one_ended() {
        let mut stepper = counting();
        assert_eq!(losses(&stepper.run(2).unwrap()), [0.0, 1.0]);
        assert_eq!(losses(&stepper.run(3).unwrap()), [2.0, 3.0, 4.0]);
    }

    #[test]
    fn waiting_between_rounds_is_not_counted() {
        let pause = Duration::from_millis(50);
        let mut stepper = counting();
        stepper.run(1).unwrap();
        std::thread::sleep(pause);
        assert!(stepper.run(1).unwrap()[0].duration < pause);
    }

    #[test]
    fn a_failing_job_hands_its_error_to_the_next_round() {
        let mut stepper = Stepper::spawn(|step| {
            let _ = step(0.0);
            Err("no more".into())
        });
        assert!(stepper.run(1).is_ok());
        assert_eq!(stepper.run(1).unwrap_err().to_string(), "no more");
        assert_eq!(stepper.run(1).unwrap_err().to_string(), "the job has ended");
    }

    #[test]
    fn no_steps_are_refused() {
        assert!(counting().run(0).is_err());
    }
}
