use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};

use crate::Optimizer;
use crate::adam_variable::AdamVariable;
use crate::lbfgs::Lbfgs;

/// The latents of a batch `[batch, n, w_dim]`, each moved as if alone.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each search, and it is not moved about"
)]
pub(crate) enum Latents {
    Adam(AdamVariable<3>),
    Lbfgs(Rows),
}

/// Latents that are searched on the host.
pub(crate) struct Rows {
    searches: Vec<Lbfgs>,
    /// `[n, w_dim]`
    shape: [usize; 2],
    device: Device,
}

impl Latents {
    pub fn new(optimizer: Optimizer, start: Tensor<3>) -> Self {
        match optimizer {
            Optimizer::Adam => Self::Adam(AdamVariable::new(start)),
            Optimizer::Lbfgs => {
                let [_, n, w_dim] = start.dims();
                Self::Lbfgs(Rows {
                    device: start.device().inner(),
                    searches: rows(start).into_iter().map(Lbfgs::new).collect(),
                    shape: [n, w_dim],
                })
            }
        }
    }

    /// Whether [`step`](Self::step) needs the losses of each step.
    pub fn needs_losses(&self) -> bool {
        matches!(self, Self::Lbfgs(_))
    }

    /// Where the search is, on the plain device.
    pub fn value(&self) -> Tensor<3> {
        match self {
            Self::Adam(variable) => variable.value(),
            Self::Lbfgs(rows) => rows.tensor(|search| search.accepted().to_vec()),
        }
    }

    /// What is evaluated next, as the start of a new graph.
    pub fn leaf(&self) -> Tensor<3> {
        match self {
            Self::Adam(variable) => variable.leaf(),
            Self::Lbfgs(rows) => rows.tensor(Lbfgs::trial).autodiff().require_grad(),
        }
    }

    /// Goes on along the gradient that reached `leaf`; `rate` is Adam's, `losses` are those of the rows where they are
    /// needed.
    pub fn step(&mut self, rate: f64, leaf: &Tensor<3>, gradients: &mut Gradients, losses: &[f64]) {
        match self {
            Self::Adam(variable) => variable.step(rate, leaf, gradients),
            Self::Lbfgs(own) => {
                let Some(gradient) = leaf.grad_remove(gradients) else {
                    return;
                };
                let told = losses.iter().zip(rows(gradient));
                for (search, (loss, gradient)) in own.searches.iter_mut().zip(told) {
                    search.tell(*loss, gradient);
                }
            }
        }
    }

    /// Keeps these rows of the batch, which `indices` has too.
    pub fn keep(&mut self, kept: &[usize], indices: &Tensor<1, Int>) {
        match self {
            Self::Adam(variable) => variable.keep(indices),
            Self::Lbfgs(rows) => {
                let searches = kept.iter().map(|row| rows.searches[*row].clone());
                rows.searches = searches.collect();
            }
        }
    }
}

impl Rows {
    fn tensor(&self, values: impl Fn(&Lbfgs) -> Vec<f64>) -> Tensor<3> {
        let all = self.searches.iter().flat_map(values);
        let all: Vec<f32> = all.map(|value| value as f32).collect();
        let [n, w_dim] = self.shape;
        Tensor::from_data(
            TensorData::new(all, [self.searches.len(), n, w_dim]),
            &self.device,
        )
    }
}

fn rows(tensor: Tensor<3>) -> Vec<Vec<f64>> {
    let [_, n, w_dim] = tensor.dims();
    let values: Vec<f64> = tensor.into_data().iter::<f64>().collect();
    values.chunks(n * w_dim).map(<[f64]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of `|w - 3|^2`, whose gradient is 2 (w - 3).
    fn steps(latents: &mut Latents, count: usize) {
        for _ in 0..count {
            let leaf = latents.leaf();
            let apart = leaf.clone() - 3.0;
            let squares = (apart.clone() * apart).sum_dim(1).sum_dim(2);
            let losses: Vec<f64> = squares.clone().into_data().iter::<f64>().collect();
            let mut gradients = squares.sum().backward();
            latents.step(1.0, &leaf, &mut gradients, &losses);
        }
    }

    fn start(rows: &[f32]) -> Latents {
        let all: Vec<f32> = rows
            .iter()
            .flat_map(|row| [*row, 2.0 * row, 1.0, 0.5])
            .collect();
        let data = TensorData::new(all, [rows.len(), 2, 2]);
        Latents::new(Optimizer::Lbfgs, Tensor::from_data(data, &Device::flex()))
    }

    fn values(latents: &Latents) -> Vec<f32> {
        latents.value().into_data().iter::<f32>().collect()
    }

    #[test]
    fn rows_that_are_kept_go_on_as_if_they_had_been_alone() {
        let mut together = start(&[0.25, -7.0, 20.0]);
        steps(&mut together, 2);
        let kept = [0, 2];
        let indices = Tensor::from_data(TensorData::new(vec![0i64, 2], [2]), &Device::flex());
        together.keep(&kept, &indices);
        steps(&mut together, 2);
        let alone = [0.25, 20.0].map(|row| {
            let mut alone = start(&[row]);
            steps(&mut alone, 4);
            values(&alone)
        });
        // The same operations on each row, so the same bits.
        assert_eq!(values(&together), alone.concat());
        assert_ne!(alone[0], values(&start(&[0.25])));
    }
}
