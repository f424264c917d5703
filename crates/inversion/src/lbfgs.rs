//! L-BFGS for one point, on the host in f64: what it computes is small beside a network.

use std::collections::VecDeque;

/// Steps and changes of the gradient that the curvature is estimated from.
const HISTORY: usize = 30;
/// Part of the decrease that the slope promises which is enough.
const ENOUGH_DECREASE: f64 = 1e-4;
/// Part of the slope that may be left at the end of a step.
const SLOPE_LEFT: f64 = 0.9;
/// Length of the first step, before anything is known of the curvature. A latent's numbers are a few units apart, and
/// there are hundreds of them.
const FIRST_LENGTH: f64 = 1.0;
/// Evaluations along one direction at most.
const MOST_TRIALS: usize = 12;

/// Minimizes a function that is evaluated elsewhere: [`trial`](Self::trial) is evaluated, and [`tell`](Self::tell)
/// hears the value and the gradient there.
///
/// The direction is that of Nocedal's two loops over the last pairs of steps and gradients (Nocedal and Wright 2006,
/// "Numerical Optimization", algorithm 7.4). Along it a bisection looks for a step of the weak Wolfe conditions (Lewis
/// and Overton 2013, "Nonsmooth optimization via quasi-Newton methods", algorithm 4.6), which exists also for functions
/// with the kinks of leaky ReLUs.
#[derive(Clone)]
pub struct Lbfgs {
    accepted: Vec<f64>,
    /// Value and gradient at the accepted point.
    known: Option<(f64, Vec<f64>)>,
    pairs: VecDeque<Pair>,
    line: Option<Line>,
    first_length: f64,
}

#[derive(Clone)]
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    product: f64,
}

/// The search along a direction from the accepted point.
#[derive(Clone)]
struct Line {
    direction: Vec<f64>,
    slope: f64,
    /// The step is longer than this and, once that is finite, shorter than `high`.
    low: f64,
    high: f64,
    length: f64,
    trials: usize,
    /// The last point that was low enough.
    found: Option<(Vec<f64>, f64, Vec<f64>)>,
}

impl Lbfgs {
    /// From a start, which is evaluated first.
    pub fn new(start: Vec<f64>) -> Self {
        Self {
            accepted: start,
            known: None,
            pairs: VecDeque::new(),
            line: None,
            first_length: FIRST_LENGTH,
        }
    }

    /// Where the current line starts; values there never rise.
    pub fn accepted(&self) -> &[f64] {
        &self.accepted
    }

    /// The point to evaluate next.
    pub fn trial(&self) -> Vec<f64> {
        match &self.line {
            Some(line) => line.at(&self.accepted),
            None => self.accepted.clone(),
        }
    }

    /// Goes on from the value and the gradient at the trial. A value that is no number counts as too large; a search
    /// for latents ends before it would tell one.
    pub fn tell(&mut self, value: f64, gradient: Vec<f64>) {
        let (Some(mut line), Some((least, _))) = (self.line.take(), &self.known) else {
            self.known = Some((value, gradient));
            self.line = self.next_line();
            return;
        };
        line.trials += 1;
        let is_low = value <= least + ENOUGH_DECREASE * line.length * line.slope;
        let is_flat = dot(&gradient, &line.direction) >= SLOPE_LEFT * line.slope;
        if is_low {
            line.found = Some((line.at(&self.accepted), value, gradient));
        }
        if (is_low && is_flat) || line.trials == MOST_TRIALS {
            match line.found {
                Some((point, value, gradient)) => self.accept(point, value, gradient),
                None if self.pairs.is_empty() => self.first_length *= line.length,
                // The curvature that was estimated is of elsewhere.
                None => self.pairs.clear(),
            }
            self.line = self.next_line();
            return;
        }
        match is_low {
            true => line.low = line.length,
            false => line.high = line.length,
        }
        line.length = match line.high.is_finite() {
            true => (line.low + line.high) / 2.0,
            false => 2.0 * line.low,
        };
        self.line = Some(line);
    }

    fn accept(&mut self, point: Vec<f64>, value: f64, gradient: Vec<f64>) {
        if let Some((_, before)) = &self.known {
            let step = difference(&point, &self.accepted);
            let change = difference(&gradient, before);
            let product = dot(&step, &change);
            if product > 0.0 {
                if self.pairs.len() == HISTORY {
                    self.pairs.pop_front();
                }
                self.pairs.push_back(Pair {
                    step,
                    change,
                    product,
                });
            }
        }
        self.accepted = point;
        self.known = Some((value, gradient));
    }

    /// The next direction that leads down; none where the gradient is zero.
    fn next_line(&mut self) -> Option<Line> {
        let (_, gradient) = self.known.as_ref()?;
        let mut direction = self.direction(gradient);
        let mut slope = dot(gradient, &direction);
        if slope >= 0.0 || !slope.is_finite() {
            self.pairs.clear();
            let (_, gradient) = self.known.as_ref()?;
            direction = self.direction(gradient);
            slope = dot(gradient, &direction);
        }
        (slope < 0.0 && slope.is_finite()).then_some(Line {
            direction,
            slope,
            low: 0.0,
            high: f64::INFINITY,
            length: 1.0,
            trials: 0,
            found: None,
        })
    }

    /// Minus the estimated inverse of the second derivatives times the gradient.
    fn direction(&self, gradient: &[f64]) -> Vec<f64> {
        let mut direction: Vec<f64> = gradient.iter().map(|value| -value).collect();
        let mut weights = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let weight = dot(&pair.step, &direction) / pair.product;
            add(&mut direction, -weight, &pair.change);
            weights.push(weight);
        }
        let scale = match self.pairs.back() {
            Some(pair) => pair.product / dot(&pair.change, &pair.change),
            None => self.first_length / dot(gradient, gradient).sqrt(),
        };
        direction.iter_mut().for_each(|value| *value *= scale);
        for (pair, weight) in self.pairs.iter().zip(weights.into_iter().rev()) {
            let other = dot(&pair.change, &direction) / pair.product;
            add(&mut direction, weight - other, &pair.step);
        }
        direction
    }
}

impl Line {
    fn at(&self, from: &[f64]) -> Vec<f64> {
        let mut point = from.to_vec();
        add(&mut point, self.length, &self.direction);
        point
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], factor: f64, what: &[f64]) {
    for (to, what) in to.iter_mut().zip(what) {
        *to += factor * what;
    }
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Function = fn(&[f64]) -> (f64, Vec<f64>);

    /// Values at the accepted points after each evaluation.
    fn minimize(function: Function, start: &[f64], evaluations: usize) -> (Vec<f64>, Lbfgs) {
        let mut search = Lbfgs::new(start.to_vec());
        let values = (0..evaluations).map(|_| {
            let (value, gradient) = function(&search.trial());
            search.tell(value, gradient);
            function(search.accepted()).0
        });
        (values.collect(), search)
    }

    /// `sum (i + 1)^3 (x_i - i)^2 / 2`, whose second derivatives are 1 to 1000.
    fn quadratic(x: &[f64]) -> (f64, Vec<f64>) {
        let weight = |i: usize| ((i + 1) as f64).powi(3);
        let apart: Vec<f64> = x.iter().enumerate().map(|(i, x)| x - i as f64).collect();
        let parts = apart.iter().enumerate();
        let value = parts.clone().map(|(i, a)| 0.5 * weight(i) * a * a).sum();
        (value, parts.map(|(i, a)| weight(i) * a).collect())
    }

    fn rosenbrock(x: &[f64]) -> (f64, Vec<f64>) {
        let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
        (
            a * a + 100.0 * b * b,
            vec![-2.0 * a - 400.0 * x[0] * b, 200.0 * b],
        )
    }

    /// `|x_0| + 10 |x_1|`, with a kink at its minimum, and no number for x_0 < -0.1.
    fn kinks(x: &[f64]) -> (f64, Vec<f64>) {
        if x[0] < -0.1 {
            return (f64::NAN, vec![f64::NAN; 2]);
        }
        (
            x[0].abs() + 10.0 * x[1].abs(),
            vec![x[0].signum(), 10.0 * x[1].signum()],
        )
    }

    #[test]
    fn a_quadratic_function_is_minimized_at_its_minimum() {
        let (values, search) = minimize(quadratic, &[3.0; 10], 60);
        assert!(values[59] < 1e-12, "{}", values[59]);
        for (i, x) in search.accepted().iter().enumerate() {
            assert!((x - i as f64).abs() < 1e-5, "{x} is not {i}");
        }
    }

    #[test]
    fn a_curved_valley_is_followed_to_its_end() {
        let (values, search) = minimize(rosenbrock, &[-1.2, 1.0], 80);
        assert!(values[79] < 1e-12, "{}", values[79]);
        assert!(search.accepted().iter().all(|x| (x - 1.0).abs() < 1e-5));
    }

    #[test]
    fn values_never_rise_whatever_the_function_does() {
        for (function, start) in [
            (quadratic as Function, &[3.0; 10][..]),
            (rosenbrock, &[-1.2, 1.0]),
            (kinks, &[3.9, 1.0]),
        ] {
            let (values, _) = minimize(function, start, 80);
            assert!(values.is_sorted_by(|before, after| before >= after));
            // A hundredth of the start, also where kinks keep every step short.
            assert!(values[79] < 0.01 * function(start).0, "{}", values[79]);
        }
    }

    #[test]
    fn a_minimum_is_kept() {
        let (values, search) = minimize(quadratic, &[0.0, 1.0, 2.0], 5);
        assert_eq!(values, [0.0; 5]);
        assert_eq!(search.trial(), [0.0, 1.0, 2.0]);
    }
}
