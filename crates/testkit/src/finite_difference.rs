use burn::tensor::{Device, Tensor, TensorData};

/// Checks the gradient of a scalar function against central differences along a few seeded directions.
///
/// `function` maps `x` (shape `shape`, on an autodiff device) to a tensor of one element. Along each unit direction `d`
/// the derivative `<gradient, d>` must agree with `(f(x + h d) - f(x - h d)) / 2h` within `tolerance`, relative to the
/// larger of the two and to the gradient's own norm; `h` is `step`. In f32 a step near 1e-2 for values near 1 balances
/// truncation and rounding.
///
/// # Panics
/// When a directional derivative disagrees.
#[track_caller]
pub fn assert_gradient<const D: usize>(
    what: &str,
    device: &Device,
    shape: [usize; D],
    x: &[f32],
    step: f32,
    tolerance: f64,
    function: impl Fn(Tensor<D>) -> Tensor<1>,
) {
    const DIRECTIONS: usize = 4;
    let autodiff = device.clone().autodiff();
    let input =
        Tensor::<D>::from_data(TensorData::new(x.to_vec(), shape), &autodiff).require_grad();
    let gradients = function(input.clone()).backward();
    let gradient: Vec<f32> = input
        .grad(&gradients)
        .unwrap_or_else(|| panic!("{what}: no gradient reached the input"))
        .into_data()
        .convert::<f32>()
        .try_to_vec()
        .expect("converted to f32 above");
    let gradient_norm = norm(&gradient);

    let evaluate = |values: Vec<f32>| -> f64 {
        let value: f32 =
            function(Tensor::from_data(TensorData::new(values, shape), device)).into_scalar();
        f64::from(value)
    };
    for index in 0..DIRECTIONS {
        let mut direction = crate::seeded(&format!("direction/{what}/{index}"), x.len(), 1.0);
        // The first direction is the gradient itself, where the derivative is largest and noise matters least.
        if index == 0 {
            direction.clone_from(&gradient);
        }
        let length = norm(&direction).max(f64::MIN_POSITIVE);
        for value in &mut direction {
            *value = (f64::from(*value) / length) as f32;
        }
        let shifted = |sign: f32| -> Vec<f32> {
            x.iter()
                .zip(&direction)
                .map(|(v, d)| v + sign * step * d)
                .collect()
        };
        let numeric = (evaluate(shifted(1.0)) - evaluate(shifted(-1.0))) / (2.0 * f64::from(step));
        let analytic: f64 = gradient
            .iter()
            .zip(&direction)
            .map(|(g, d)| f64::from(*g) * f64::from(*d))
            .sum();
        let scale = analytic.abs().max(numeric.abs()).max(gradient_norm);
        assert!(
            (analytic - numeric).abs() <= tolerance * scale,
            "{what}, direction {index}: gradient gives {analytic:.6e}, differences give {numeric:.6e}"
        );
    }
}

fn norm(values: &[f32]) -> f64 {
    values
        .iter()
        .map(|v| f64::from(*v).powi(2))
        .sum::<f64>()
        .sqrt()
}
