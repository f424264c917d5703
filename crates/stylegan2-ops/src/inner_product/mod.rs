mod extension;

use burn::backend::Dispatch;
use burn::tensor::{DType, Tensor};

use crate::dtype::to_f32;
use extension::InnerProductOps;

/// Inner products of the rows of `a` and `b`, both `[rows, length]`: `[rows]`. Of a tensor with itself, the rows' sums
/// of squares.
///
/// A few long rows, such as the pixels of the images of a batch, are summed by the whole of a graphics processor, where
/// Burn's sums along a dimension take a unit for each row. Differentiable in both; the gradient of an untracked one is
/// not computed. Computed in `f32`; other float types are cast there and back.
///
/// # Panics
/// When the shapes differ.
///
/// ```
/// use burn::tensor::{Device, Tensor};
///
/// let device = Device::flex();
/// let a = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &device);
/// let b = Tensor::<2>::from_floats([[1.0, 1.0], [1.0, 0.0]], &device);
/// let products: Vec<f32> = stylegan2_ops::inner_products(a, b).into_data().try_into_vec().unwrap();
/// assert_eq!(products, [3.0, 3.0]);
/// ```
pub fn inner_products(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    assert_eq!(
        a.dims(),
        b.dims(),
        "inner_products: the rows of two tensors of one shape"
    );
    let dtype = a.dtype();
    let (a, b) = (to_f32(a), to_f32(b));
    let products = Dispatch::row_products(a.into_dispatch(), b.into_dispatch());
    let products = Tensor::from_dispatch(products);
    if dtype == DType::F32 {
        products
    } else {
        products.cast(dtype)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use testkit::{assert_close, assert_gradient, seeded};

    use super::*;

    /// A few rounding errors of f32: sums of up to 70,001 products in parts, of which none has more than some hundred
    /// terms. Burn's eight vectors of four lanes in WebAssembly and on 64-bit Arm are parts of 2,188 terms.
    const ROUNDING: f64 = if cfg!(any(target_family = "wasm", target_arch = "aarch64")) {
        5e-6
    } else {
        1e-6
    };

    fn tensor(name: &str, shape: [usize; 2], device: &Device) -> Tensor<2> {
        let values = seeded(name, shape.iter().product(), 1.0);
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_into_vec().expect("f32 tensors")
    }

    #[test]
    fn equal_their_definition() {
        for (name, device) in testkit::devices() {
            // Rows for a unit, for a cube and for several; ends inside each.
            for shape in [[3, 1], [300, 9], [5, 65], [70, 1000], [2, 70_001]] {
                let (a, b) = (tensor("a", shape, &device), tensor("b", shape, &device));
                let (left, right) = (values(a.clone()), values(b.clone()));
                let expected: Vec<f32> = left
                    .chunks(shape[1])
                    .zip(right.chunks(shape[1]))
                    .map(|(a, b)| {
                        let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
                        products.sum::<f64>() as f32
                    })
                    .collect();
                let found = values(inner_products(a, b));
                assert_close(&format!("{name}: {shape:?}"), &found, &expected, ROUNDING);
            }
        }
    }

    #[test]
    fn other_float_types_are_cast_there_and_back() {
        for (name, device) in testkit::devices() {
            let a = Tensor::<2>::from_floats([[1.0, 2.0], [3.0, 4.0]], &device);
            let b = Tensor::<2>::from_floats([[1.0, 1.0], [1.0, 0.0]], &device);
            let y = inner_products(a.cast(DType::F16), b.cast(DType::F16));
            assert_eq!(y.dtype(), DType::F16, "{name}");
            assert_eq!(values(y.cast(DType::F32)), [3.0, 3.0], "{name}");
        }
    }

    #[test]
    fn gradients_agree_with_differences() {
        for (name, device) in testkit::devices() {
            let shape = [3, 70];
            let b = tensor("b", shape, &device);
            assert_gradient(
                name,
                &device,
                shape,
                &seeded("a", 210, 1.0),
                0.05,
                // The rounding of the values; the function is of second degree.
                2e-3,
                |a: Tensor<2>| {
                    let mixed = inner_products(a.clone(), b.clone());
                    (mixed + inner_products(a.clone(), a)).mean()
                },
            );
        }
    }
}
