use burn::module::{Param, ParamId};
use burn::tensor::{Device, Tensor, TensorData};

use crate::RandomState;

/// Where the first values of parameters come from.
#[derive(Debug)]
pub(crate) enum Initializer<'a> {
    /// The values follow from a file: nothing is allocated before its tensors have been checked.
    Deferred(&'a Device),
    /// The official initial values, drawn in the order of construction.
    Seeded(&'a Device, Box<RandomState>),
}

impl<'a> Initializer<'a> {
    pub(crate) fn seeded(device: &'a Device, seed: u32) -> Self {
        Self::Seeded(device, Box::new(RandomState::new(seed)))
    }

    /// A trainable parameter of independent normal values.
    pub(crate) fn normal<const D: usize>(
        &mut self,
        shape: [usize; D],
        std: f32,
    ) -> Param<Tensor<D>> {
        match self {
            Self::Deferred(device) => deferred(shape, device),
            Self::Seeded(device, random) => {
                let values: Vec<f32> = (0..shape.iter().product())
                    .map(|_| (random.standard_normal() * f64::from(std)) as f32)
                    .collect();
                Param::from_data(TensorData::new(values, shape), device)
            }
        }
    }

    /// A trainable parameter of one value.
    pub(crate) fn constant<const D: usize>(
        &mut self,
        shape: [usize; D],
        value: f32,
    ) -> Param<Tensor<D>> {
        match self {
            Self::Deferred(device) => deferred(shape, device),
            Self::Seeded(device, _) => Param::from_tensor(Tensor::full(shape, value, &**device)),
        }
    }
}

fn deferred<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    Param::uninitialized(
        ParamId::new(),
        move |device, require_grad| Tensor::zeros(shape, device).set_require_grad(require_grad),
        device.clone(),
        true,
        shape.into(),
    )
}
