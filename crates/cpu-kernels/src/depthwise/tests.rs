use super::*;

fn values(count: usize, step: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * step + 3) % 23) as f32 / 7.0 - 1.0)
        .collect()
}

/// By the definition, in f64.
fn expected(operands: &Depthwise<'_>) -> Vec<f64> {
    let Depthwise {
        x,
        weight,
        bias,
        input: [height, width],
        side,
        stride,
        padding: [(top, bottom), (left, right)],
        limit,
    } = *operands;
    let clamp = |value: f64| value.clamp(0.0, f64::from(limit));
    let [out_height, out_width] = [
        (top + height + bottom - side) / stride + 1,
        (left + width + right - side) / stride + 1,
    ];
    let mut out = Vec::new();
    for plane in 0..x.len() / (height * width) {
        let channel = plane % bias.len();
        for y in 0..out_height {
            for column in 0..out_width {
                let mut sum = f64::from(bias[channel]);
                for ky in 0..side {
                    for kx in 0..side {
                        let row = (y * stride + ky).wrapping_sub(top);
                        let at = (column * stride + kx).wrapping_sub(left);
                        if row < height && at < width {
                            let pixel = x[(plane * height + row) * width + at];
                            let tap = weight[(channel * side + ky) * side + kx];
                            sum += clamp(f64::from(pixel)) * f64::from(tap);
                        }
                    }
                }
                out.push(clamp(sum));
            }
        }
    }
    out
}

#[test]
fn every_set_computes_the_definition() {
    let channels = 3;
    let mut between = 0;
    for side in [3, 5] {
        for stride in [1, 2, 3] {
            // Widths around whole vectors and halves of them.
            for width in [5, 7, 8, 9, 15, 16, 17, 24, 25, 33, 40] {
                let (height, padding) = (6, [(1, 2), (side / 2, side - 1 - side / 2)]);
                let x = values(2 * channels * height * width, 5);
                let weight = values(channels * side * side, 11);
                let bias = values(channels, 2);
                let operands = Depthwise {
                    x: &x,
                    weight: &weight,
                    bias: &bias,
                    input: [height, width],
                    side,
                    stride,
                    padding,
                    limit: 1.5,
                };
                let expected = expected(&operands);
                between += expected.iter().filter(|v| **v > 0.0 && **v < 1.5).count();
                for set in InstructionSet::available() {
                    let found = filtered(&operands, set);
                    assert_eq!(found.len(), expected.len());
                    for (found, expected) in found.iter().zip(&expected) {
                        // Up to 26 roundings of sums below 100.
                        assert!(
                            (f64::from(*found) - expected).abs() < 1e-4,
                            "{:?}, {side}x{side}, stride {stride}, width {width}: {found} and {expected}",
                            set.width()
                        );
                    }
                }
            }
        }
    }
    assert!(between > 1000, "{between} outputs that no clamp decides");
}

#[test]
fn a_pixel_that_is_no_number_reaches_the_outputs_that_read_it() {
    let mut x = vec![1.0; 20 * 20];
    x[10 * 20 + 10] = f32::NAN;
    let operands = Depthwise {
        x: &x,
        weight: &[0.1; 9],
        bias: &[0.0],
        input: [20, 20],
        side: 3,
        stride: 1,
        padding: [(1, 1), (1, 1)],
        limit: 6.0,
    };
    for set in InstructionSet::available() {
        let out = filtered(&operands, set);
        let found = out.iter().filter(|value| value.is_nan()).count();
        assert_eq!(found, 9, "{:?}", set.width());
    }
}
