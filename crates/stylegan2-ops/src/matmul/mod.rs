pub(crate) mod extension;

use burn::backend::Dispatch;
use burn::tensor::{DType, Tensor};

use extension::MatrixProductOps;

/// The product of matrices `[.., M, K]` and `[.., K, N]` with the full precision of `f32` on every device.
///
/// Burn's own product computes with TensorFloat-32 on NVIDIA GPUs, which keeps ten bits of each factor: a relative
/// error of 5e-4, a hundred times what the networks here are compared to. Elsewhere both are the same. Leading sizes
/// are equal or 1. Differentiable in both factors; the gradient of an untracked one is not computed. Other float types
/// than `f32` are left to Burn.
///
/// # Panics
/// When the sizes do not match.
///
/// ```
/// use burn::tensor::{Device, Tensor};
///
/// let device = Device::flex();
/// let a = Tensor::<2>::from_floats([[1.0, 2.0]], &device);
/// let b = Tensor::<2>::from_floats([[3.0], [4.0]], &device);
/// assert_eq!(stylegan2_ops::matmul(a, b).into_scalar::<f32>(), 11.0);
/// ```
pub fn matmul<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    if a.dtype() != DType::F32 || b.dtype() != DType::F32 {
        return a.matmul(b);
    }
    let (left, right) = (a.dims(), b.dims());
    assert!(
        D >= 2
            && left[D - 1] == right[D - 2]
            && (0..D - 2)
                .all(|axis| left[axis] == right[axis] || left[axis] == 1 || right[axis] == 1),
        "matmul: matrices {left:?} and {right:?} do not fit: expected [.., M, K] and [.., K, N] with leading sizes that are equal or 1"
    );
    Tensor::from_dispatch(Dispatch::matrix_product(
        a.into_dispatch(),
        b.into_dispatch(),
    ))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use testkit::{assert_close, assert_gradient, seeded};

    use super::*;

    /// A few rounding errors of f32 in sums of up to 512 products; TensorFloat-32 rounds each factor by up to 5e-4.
    const ROUNDING: f64 = 1e-6;

    /// Along a direction a bilinear function has no third derivative, so that only the rounding of its values remains.
    const DIFFERENCE: f64 = 2e-3;

    fn tensor<const D: usize>(name: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
        let values = seeded(name, shape.iter().product(), 1.0);
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_into_vec().expect("f32 tensors")
    }

    /// The definition, in f64.
    fn slow(a: &[f32], b: &[f32], [m, k, n]: [usize; 3]) -> Vec<f32> {
        let mut product = Vec::with_capacity(m * n);
        for row in 0..m {
            for column in 0..n {
                let terms =
                    (0..k).map(|i| f64::from(a[row * k + i]) * f64::from(b[i * n + column]));
                product.push(terms.sum::<f64>() as f32);
            }
        }
        product
    }

    #[test]
    fn equals_its_definition_in_full_precision() {
        for (name, device) in testkit::devices() {
            for size @ [m, k, n] in [
                [1, 1, 1],
                [3, 300, 17],
                [65, 130, 33],
                [1, 512, 512],
                [16, 64, 3],
            ] {
                let a = tensor("a", [m, k], &device);
                let b = tensor("b", [k, n], &device);
                let expected = slow(&values(a.clone()), &values(b.clone()), size);
                let what = format!("{name}: {size:?}");
                let y = matmul(a.clone(), b.clone());
                assert_eq!(y.dims(), [m, n], "{what}");
                assert_close(&what, &values(y), &expected, ROUNDING);
                let turned = matmul(a, b.transpose().mul_scalar(1.0).transpose());
                assert_close(&what, &values(turned), &expected, ROUNDING);
            }
        }
    }

    #[test]
    fn leading_sizes_are_repeated() {
        for (name, device) in testkit::devices() {
            let a = tensor("a", [1, 4, 5], &device);
            let b = tensor("b", [3, 5, 6], &device);
            let y = values(matmul(a.clone(), b.clone()));
            for (i, part) in y.chunks(24).enumerate() {
                let b = values(b.clone().slice([i..i + 1, 0..5, 0..6]));
                assert_close(
                    name,
                    part,
                    &slow(&values(a.clone()), &b, [4, 5, 6]),
                    ROUNDING,
                );
            }
        }
    }

    #[test]
    fn leading_sizes_of_one_may_have_any_stride() {
        for (name, device) in testkit::devices() {
            let whole = tensor("a", [1, 3, 4, 5], &device);
            let a = whole.clone().swap_dims(0, 1); // [3, 1, 4, 5]
            let b = tensor("b", [3, 2, 5, 6], &device);
            let y = values(matmul(a, b.clone()));
            for (i, part) in y.chunks(24).enumerate() {
                let (first, second) = (i / 2, i % 2);
                let a = whole.clone().slice([0..1, first..first + 1, 0..4, 0..5]);
                let b = b
                    .clone()
                    .slice([first..first + 1, second..second + 1, 0..5, 0..6]);
                let expected = slow(&values(a), &values(b), [4, 5, 6]);
                assert_close(name, part, &expected, ROUNDING);
            }
            let alone = values(matmul(
                whole.clone().swap_dims(0, 1),
                b.slice([0..3, 0..1, 0..5, 0..6]),
            ));
            let expected: Vec<f32> = y.chunks(48).flat_map(|pair| pair[..24].to_vec()).collect();
            assert_close(name, &alone, &expected, ROUNDING);
        }
    }

    #[test]
    fn gradients_agree_with_differences() {
        for (name, device) in testkit::devices() {
            for (left, right) in [
                ([2, 3, 4], [2, 4, 5]),
                ([1, 3, 4], [2, 4, 5]),
                ([2, 3, 4], [1, 4, 5]),
            ] {
                let loss = |y: Tensor<3>| {
                    let probe = tensor::<3>("probe", y.dims(), &y.device());
                    (y.clone() * probe + y.powi_scalar(2) * 0.1).mean()
                };
                let b = tensor::<3>("b", right, &device);
                assert_gradient(
                    &format!("{name}: a of {left:?} x {right:?}"),
                    &device,
                    left,
                    &seeded("a", left.iter().product(), 1.0),
                    0.05,
                    DIFFERENCE,
                    |a: Tensor<3>| loss(matmul(a, b.clone())),
                );
                let a = tensor::<3>("a", left, &device);
                assert_gradient(
                    &format!("{name}: b of {left:?} x {right:?}"),
                    &device,
                    right,
                    &seeded("b", right.iter().product(), 1.0),
                    0.05,
                    DIFFERENCE,
                    |b: Tensor<3>| loss(matmul(a.clone(), b)),
                );
            }
        }
    }

    #[test]
    #[should_panic(expected = "do not fit")]
    fn sizes_that_do_not_match_are_named() {
        let device = testkit::devices().remove(0).1;
        matmul(
            Tensor::<2>::ones([2, 3], &device),
            Tensor::<2>::ones([2, 3], &device),
        );
    }
}
