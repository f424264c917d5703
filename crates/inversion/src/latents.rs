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

    /// Goes on along the gradient that reached `leaf`; `rate` is Adam's, `losses` are those of the rows where they are needed.
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
