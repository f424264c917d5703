use burn::tensor::{DType, Device, Tensor};
use stylegan2_ops::{Filter, UpFirDn2d, downsample2d, filter2d, upfirdn2d, upsample2d};
use testkit::{Golden, assert_close, assert_gradient, devices};

use crate::{dot, reference, seeded, values};

/// Sums of at most 15 products, each rounded to 2^-24: well under this.
const VALUES: f64 = 1e-6;

/// Filters of rank one and of full rank, even and odd.
fn filters() -> [Filter; 4] {
    [
        Filter::normalized_outer(&[1.0, 3.0, 3.0, 1.0]),
        Filter::new(3, 5, testkit::seeded("filter/3x5", 15, 1.0)),
        Filter::new(2, 3, vec![1.0, 2.0, -1.0, 0.5, 1.0, -0.5]),
        Filter::new(1, 1, vec![2.0]),
    ]
}

/// Parameters that cover both factors, unequal along the axes, with padding and cropping.
fn parameter_sets() -> Vec<UpFirDn2d> {
    let mut sets = Vec::new();
    for up in [[1, 1], [2, 2], [3, 1]] {
        for down in [[1, 1], [2, 2], [1, 3]] {
            for padding in [[2, 1, 2, 1], [-1, 3, 0, -2]] {
                for flip_filter in [false, true] {
                    sets.push(UpFirDn2d {
                        up,
                        down,
                        padding,
                        flip_filter,
                        gain: 1.5,
                    });
                }
            }
        }
    }
    sets
}

#[test]
fn an_impulse_gives_the_filter() {
    let filter = Filter::new(2, 3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    for (_, device) in devices() {
        let impulse = Tensor::<4>::from_data([[[[1.0]]]], &device);
        let full = UpFirDn2d {
            padding: [2, 2, 1, 1],
            ..UpFirDn2d::default()
        };
        // A convolution copies the filter, a correlation turns it round.
        let y = upfirdn2d(impulse.clone(), &filter, &full);
        assert_eq!(values(y), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let flipped = UpFirDn2d {
            flip_filter: true,
            gain: 10.0,
            ..full
        };
        let y = upfirdn2d(impulse, &filter, &flipped);
        assert_eq!(values(y), [60.0, 50.0, 40.0, 30.0, 20.0, 10.0]);
    }
}

#[test]
fn zeros_are_inserted_after_each_pixel_and_negative_padding_crops() {
    let one = Filter::new(1, 1, vec![1.0]);
    for (_, device) in devices() {
        let x = Tensor::<4>::from_data([[[[1.0, 2.0], [3.0, 4.0]]]], &device);
        let up = UpFirDn2d {
            up: [1, 3],
            padding: [1, -2, 0, 0],
            ..UpFirDn2d::default()
        };
        let y = upfirdn2d(x.clone(), &one, &up);
        assert_eq!(
            values(y),
            [0.0, 1.0, 0.0, 0.0, 2.0, 0.0, 3.0, 0.0, 0.0, 4.0]
        );
        let down = UpFirDn2d {
            down: [1, 2],
            padding: [0, 0, -1, 0],
            ..UpFirDn2d::default()
        };
        assert_eq!(values(upfirdn2d(x, &one, &down)), [3.0]);
    }
}

#[test]
fn resampling_keeps_a_constant_image_away_from_its_edges() {
    let filter = Filter::normalized_outer(&[1.0, 3.0, 3.0, 1.0]);
    for (_, device) in devices() {
        let x = Tensor::<4>::ones([1, 2, 8, 8], &device);
        for y in [
            upsample2d(x.clone(), &filter, 2).slice([0..1, 0..2, 2..14, 2..14]),
            downsample2d(x.clone(), &filter, 2).slice([0..1, 0..2, 1..3, 1..3]),
            filter2d(x.clone(), &filter, 1.0).slice([0..1, 0..2, 2..6, 2..6]),
        ] {
            // The taps are eighths: exact.
            assert!(values(y).iter().all(|v| *v == 1.0));
        }
        assert_eq!(upsample2d(x.clone(), &filter, 2).dims(), [1, 2, 16, 16]);
        assert_eq!(downsample2d(x.clone(), &filter, 2).dims(), [1, 2, 4, 4]);
        assert_eq!(filter2d(x, &filter, 1.0).dims(), [1, 2, 8, 8]);
    }
}

#[test]
fn the_gradient_is_the_adjoint() {
    for (name, device) in devices() {
        // Each set of factors and filter sizes is a kernel of its own, and a software GPU compiles slowly.
        let filters = match name {
            "flex" => filters().to_vec(),
            _ => filters()[1..2].to_vec(),
        };
        for filter in filters {
            for parameters in parameter_sets() {
                let x = seeded("adjoint/x", [1, 2, 6, 7], &device.clone().autodiff());
                let x = x.require_grad();
                let y = upfirdn2d(x.clone(), &filter, &parameters);
                let probe = seeded("adjoint/y", y.dims(), &device);
                let lhs = dot(&values(y.clone()), &values(probe.clone()));
                let probe = Tensor::from_data(probe.into_data(), &y.device());
                let gradients = (y * probe).sum().backward();
                let rhs = dot(
                    &values(x.clone().inner()),
                    &values(x.grad(&gradients).unwrap()),
                );
                // <Ax, y> = <x, A'y>; sums of some 100 terms near 1 in f32.
                assert!(
                    (lhs - rhs).abs() <= 1e-5 * lhs.abs().max(10.0),
                    "{name}: {parameters:?}, {}x{} taps: {lhs} and {rhs}",
                    filter.height(),
                    filter.width()
                );
            }
        }
    }
}

#[test]
fn it_is_linear() {
    for (name, device) in devices() {
        let filter = &filters()[1];
        let parameters = UpFirDn2d {
            up: [2, 1],
            down: [1, 2],
            padding: [2, 2, 1, 1],
            ..UpFirDn2d::default()
        };
        let run = |x: Tensor<4>| upfirdn2d(x, filter, &parameters);
        let a = seeded("linear/a", [2, 1, 5, 9], &device);
        let b = seeded("linear/b", [2, 1, 5, 9], &device);
        let separate = run(a.clone()).mul_scalar(3.0) + run(b.clone());
        let together = run(a.mul_scalar(3.0) + b);
        assert_close(name, &values(together), &values(separate), VALUES);
    }
}

fn assert_as_reference(
    what: &str,
    device: &Device,
    shape: [usize; 4],
    filter: &Filter,
    parameters: &UpFirDn2d,
) {
    // The reference runs on the processor: its dozens of small operations take seconds on a software GPU.
    let expected = seeded("reference/x", shape, &Device::flex());
    let expected = reference::upfirdn2d(expected, filter, parameters);
    let actual = upfirdn2d(seeded("reference/x", shape, device), filter, parameters);
    assert_eq!(actual.dims(), expected.dims(), "{what}: {parameters:?}");
    assert_close(
        &format!("{what}: {shape:?} {parameters:?}"),
        &values(actual),
        &values(expected),
        VALUES,
    );
}

#[test]
fn it_agrees_with_the_slow_reference() {
    for (name, device) in devices() {
        for filter in filters() {
            for parameters in parameter_sets() {
                assert_as_reference(name, &device, [2, 3, 6, 7], &filter, &parameters);
            }
        }
    }
}

#[test]
fn every_width_agrees_with_the_slow_reference() {
    // Blocks of vectors are the processor's affair.
    let device = Device::flex();
    for width in 1..=70 {
        for (up, down) in [(1, 1), (2, 1), (1, 2)] {
            let parameters = UpFirDn2d {
                up: [up; 2],
                down: [down; 2],
                padding: [2, 2, 2, 2],
                ..UpFirDn2d::default()
            };
            for filter in &filters()[..2] {
                assert_as_reference("flex", &device, [1, 2, 3, width], filter, &parameters);
            }
        }
    }
}

#[test]
fn work_for_all_threads_agrees_with_the_slow_reference() {
    for (name, device) in devices() {
        let parameters = UpFirDn2d {
            up: [2; 2],
            padding: [2, 1, 2, 1],
            gain: 4.0,
            ..UpFirDn2d::default()
        };
        for filter in &filters()[..2] {
            // More than 2^16 results, planes that no piece of work divides, and one large plane.
            assert_as_reference(name, &device, [3, 7, 37, 41], filter, &parameters);
            assert_as_reference(name, &device, [1, 1, 181, 203], filter, &parameters);
        }
    }
}

#[test]
fn the_layout_of_the_input_does_not_matter() {
    let filter = &filters()[1];
    let parameters = UpFirDn2d {
        padding: [2, 2, 1, 1],
        ..UpFirDn2d::default()
    };
    for (name, device) in devices() {
        let x = seeded("layout/x", [2, 3, 8, 9], &device);
        let turned = x.clone().swap_dims(2, 3);
        let part = x.clone().slice([1..2, 1..3, 2..7, 3..9]);
        for view in [turned, part] {
            let copy = Tensor::from_data(view.clone().into_data(), &device);
            let expected = values(upfirdn2d(copy, filter, &parameters));
            assert_eq!(
                values(upfirdn2d(view, filter, &parameters)),
                expected,
                "{name}"
            );
        }
    }
}

#[test]
fn half_precision_comes_back_as_it_was() {
    let filter = Filter::normalized_outer(&[1.0, 3.0, 3.0, 1.0]);
    let device = Device::flex();
    let x = seeded("half/x", [1, 1, 8, 8], &device);
    let expected = values(upsample2d(x.clone(), &filter, 2));
    let half = upsample2d(x.cast(DType::F16), &filter, 2);
    assert_eq!(half.dtype(), DType::F16);
    // f16 has 11 significant bits.
    assert_close("f16", &values(half), &expected, 1e-3);
}

#[test]
fn an_empty_batch_gives_an_empty_batch() {
    let filter = Filter::normalized_outer(&[1.0, 1.0]);
    for (_, device) in devices() {
        let x = Tensor::<4>::zeros([0, 3, 4, 4], &device);
        assert_eq!(upsample2d(x, &filter, 2).dims(), [0, 3, 8, 8]);
    }
}

#[test]
fn the_gradient_agrees_with_finite_differences() {
    for (name, device) in devices() {
        let shape = [1, 2, 5, 6];
        let filter = &filters()[1];
        let parameters = UpFirDn2d {
            up: [2, 3],
            down: [3, 2],
            padding: [2, 4, 3, 1],
            ..UpFirDn2d::default()
        };
        let x = testkit::seeded("difference/x", 60, 1.0);
        // The function is quadratic, so central differences are exact up to rounding, 1e-7 / step of the value.
        assert_gradient(
            &format!("upfirdn2d on {name}"),
            &device,
            shape,
            &x,
            1e-1,
            1e-4,
            |x| upfirdn2d(x, filter, &parameters).powi_scalar(2).sum(),
        );
    }
}

#[test]
fn it_agrees_with_the_official_implementation() {
    let golden = Golden::open(
        env!("CARGO_MANIFEST_DIR"),
        "stylegan2/upfirdn2d.expected.safetensors",
    );
    let cases = golden.metadata_json("cases");
    let cases = cases.as_array().unwrap();
    for (name, device) in devices() {
        for case in cases {
            let integer = |key: &str| case[key].as_i64().unwrap();
            let number = integer("case");
            let filter = match case["filter"].as_str().unwrap() {
                "1331" => Filter::normalized_outer(&[1.0, 3.0, 3.0, 1.0]),
                other => {
                    let key = format!("{other}_filter");
                    let shape = golden.shape(&key);
                    Filter::new(shape[0], shape[1], golden.values(&key))
                }
            };
            let padding = ["pad_x0", "pad_x1", "pad_y0", "pad_y1"].map(|k| integer(k) as isize);
            let parameters = UpFirDn2d {
                up: [integer("up") as usize; 2],
                down: [integer("down") as usize; 2],
                padding,
                flip_filter: case["flip_filter"].as_bool().unwrap(),
                gain: case["gain"].as_f64().unwrap() as f32,
            };
            let autodiff = device.clone().autodiff();
            let x: Tensor<4> = golden.tensor("x", &autodiff).require_grad();
            let probe: Tensor<4> = golden.tensor(&format!("{number}/probe"), &autodiff);
            let y = upfirdn2d(x.clone(), &filter, &parameters);
            let what = format!("{name}, case {case}");
            assert_eq!(
                y.dims().to_vec(),
                golden.shape(&format!("{number}/y")),
                "{what}"
            );
            // The reference is computed in f64 and stored as f32.
            assert_close(
                &what,
                &values(y.clone()),
                &golden.values(&format!("{number}/y")),
                VALUES,
            );
            let gradients = (y * probe).sum().backward();
            let gradient = values(x.grad(&gradients).unwrap());
            assert_close(
                &format!("gradient on {what}"),
                &gradient,
                &golden.values(&format!("{number}/grad_x")),
                VALUES,
            );
        }
    }
}

#[test]
fn a_constant_input_has_no_gradient() {
    let device = Device::flex().autodiff();
    let filter = Filter::normalized_outer(&[1.0, 1.0]);
    let constant = seeded("constant", [1, 1, 4, 4], &device);
    let scale = seeded("scale", [1, 1, 1, 1], &device).require_grad();
    let y = upsample2d(constant.clone(), &filter, 2) * scale.clone();
    let gradients = y.sum().backward();
    assert!(constant.grad(&gradients).is_none());
    assert!(scale.grad(&gradients).is_some());
}

#[test]
#[should_panic(expected = "the filter has 4 taps along y, but the padded image only 3 pixels")]
fn an_image_smaller_than_the_filter_is_refused() {
    let x = Tensor::<4>::zeros([1, 1, 3, 8], &Device::flex());
    let filter = Filter::normalized_outer(&[1.0, 3.0, 3.0, 1.0]);
    let _ = upfirdn2d(x, &filter, &UpFirDn2d::default());
}

#[test]
#[should_panic(expected = "factors must be at least 1, found up 0")]
fn a_factor_of_zero_is_refused() {
    let x = Tensor::<4>::zeros([1, 1, 8, 8], &Device::flex());
    let parameters = UpFirDn2d {
        up: [0, 1],
        ..UpFirDn2d::default()
    };
    let _ = upfirdn2d(x, &Filter::new(1, 1, vec![1.0]), &parameters);
}

/// The official padding rounds towards minus infinity, which shows where a filter is shorter than the factor: sides
/// stay exact multiples.
#[test]
fn filters_shorter_than_the_factor_keep_the_sides() {
    let device = Device::flex();
    for (height, width) in [(1, 1), (1, 3), (3, 1), (2, 2)] {
        let filter = Filter::new(height, width, vec![0.5; height * width]);
        for factor in [2, 3, 4] {
            let x = Tensor::<4>::ones([1, 1, 12, 24], &device);
            let up = upsample2d(x.clone(), &filter, factor);
            assert_eq!(up.dims(), [1, 1, 12 * factor, 24 * factor]);
            let down = downsample2d(x, &filter, factor);
            assert_eq!(down.dims(), [1, 1, 12 / factor, 24 / factor]);
        }
    }
    let one = Filter::new(1, 1, vec![1.0]);
    let x = Tensor::<4>::from_data([[[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]]]], &device);
    // (1 - 2 + 1) / 2 = 0 before the first pixel, floor((1 - 2) / 2) = -1 behind the last: 3 pixels, not 4.
    let wide = downsample2d(x.repeat_dim(2, 2), &one, 2);
    assert_eq!(wide.dims(), [1, 1, 1, 3]);
    assert_eq!(values(wide), [1.0, 3.0, 5.0]);
}
