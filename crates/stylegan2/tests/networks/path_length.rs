use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use stylegan2::regularization::{PathLengthMean, path_length_penalty};
use stylegan2::{Generator, GeneratorConfig, NoiseMode};
use testkit::{Golden, assert_close, seeded};

use crate::named_gradients::{assert_gradients, by_name};
use crate::{PENALTY_GRADIENT_TOLERANCE, case_names, fixture, values};

fn open(name: &str, device: &Device) -> (Golden, Generator) {
    let manifest = env!("CARGO_MANIFEST_DIR");
    let golden = Golden::open(manifest, &format!("stylegan2/{name}.expected.safetensors"));
    let path = fixture(&format!("{name}.safetensors"));
    (golden, Generator::load(path, device).unwrap().train())
}

#[test]
fn penalty_and_its_gradient_are_those_of_double_backpropagation() {
    for (device_name, device) in testkit::devices() {
        for name in case_names("generator_") {
            let what = format!("{name} on {device_name}");
            let (golden, generator) = open(&name, &device);
            let result = path_length_penalty(
                &generator.synthesis,
                golden.tensor("w_plus", &device),
                &NoiseMode::Constant,
                golden.tensor("path_length/noise", &device),
                // The reference's penalty is mean((length - 1)²).
                PathLengthMean {
                    value: 1.0,
                    decay: 0.0,
                },
            );
            // f32 against f64 through some twenty layers; a wrong term is off by a tenth or more.
            let tolerance = 1e-4;
            let expected = golden.values("path_length/lengths");
            assert_close(&what, &values(result.lengths), &expected, tolerance);
            let expected = golden.values("path_length/penalty");
            assert_close(&what, &values(result.mean.clone()), &expected, tolerance);

            let gradients = result.mean.backward();
            let found = by_name(&generator, &gradients, |path| generator.official_name(path));
            assert_gradients(
                &what,
                &found,
                &golden,
                "path_length/grad/",
                &[],
                PENALTY_GRADIENT_TOLERANCE,
            );
        }
    }
}

/// A network of smooth layers, so that the penalty has a derivative everywhere: with leaky ReLUs it jumps where a slope
/// changes.
fn smooth_generator(device: &Device) -> Generator {
    let config = GeneratorConfig::from_json(
        r#"{"z_dim": 8, "c_dim": 0, "w_dim": 8, "img_resolution": 16, "img_channels": 3, "mapping_kwargs": {"num_layers": 1},
            "synthesis_kwargs": {"channel_base": 128, "activation": "swish"}}"#,
    )
    .unwrap();
    Generator::init(&config, 3, device).unwrap()
}

#[test]
fn the_gradient_in_the_latents_agrees_with_differences() {
    for (device_name, device) in testkit::devices() {
        let generator = smooth_generator(&device).train();
        let (batch, config) = (2, generator.config());
        let shape = [batch, config.num_ws(), config.w_dim];
        let w_plus: Tensor<3> = random("path length/w_plus", shape, 1.0, &device);
        let side = config.img_resolution;
        let shape = [batch, config.img_channels, side, side];
        let y: Tensor<4> = random("path length/y", shape, 1.0 / side as f64, &device);
        let before = PathLengthMean {
            value: 0.1,
            decay: 0.25,
        };
        let penalty = |w_plus: Tensor<3>| {
            let noise = NoiseMode::Constant;
            path_length_penalty(&generator.synthesis, w_plus, &noise, y.clone(), before)
        };
        let input = Tensor::from_inner(w_plus.clone()).require_grad();
        let result = penalty(input.clone());
        let gradient = input.grad(&result.mean.backward()).unwrap();

        // Along the gradient the derivative is its norm, and rounding matters least.
        let norm = values((gradient.clone() * gradient.clone()).sum())[0].sqrt();
        let direction = gradient.div_scalar(norm);
        let step = 0.03;
        let at = |offset: f32| {
            let moved = w_plus.clone() + direction.clone().mul_scalar(offset);
            f64::from(values(penalty(moved).mean)[0])
        };
        let numeric = (at(step) - at(-step)) / (2.0 * f64::from(step));
        // The penalty's third derivative times the squared step, and f32 rounding over the step.
        assert!(
            (numeric - f64::from(norm)).abs() <= 0.01 * f64::from(norm),
            "{device_name}: gradient {norm}, differences {numeric}"
        );
    }
}

fn random<const D: usize>(name: &str, shape: [usize; D], std: f64, device: &Device) -> Tensor<D> {
    let count = shape.iter().product();
    Tensor::from_data(TensorData::new(seeded(name, count, std), shape), device)
}
