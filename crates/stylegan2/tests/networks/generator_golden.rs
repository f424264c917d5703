//! Outputs and gradients of the official generator, computed in float64.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use stylegan2::{Generator, NoiseMode, Truncation};
use testkit::{Golden, assert_close, devices};

use crate::named_gradients::{assert_gradients, by_name};
use crate::{GRADIENT_TOLERANCE, OUTPUT_TOLERANCE, case_names, fixture, values};

struct Case {
    name: String,
    generator: Generator,
    expected: Golden,
}

fn cases(device: &Device) -> Vec<Case> {
    case_names("generator_")
        .into_iter()
        .map(|name| Case {
            generator: Generator::load(fixture(&format!("{name}.safetensors")), device).unwrap(),
            expected: Golden::open(
                env!("CARGO_MANIFEST_DIR"),
                &format!("stylegan2/{name}.expected.safetensors"),
            ),
            name,
        })
        .collect()
}

fn label(expected: &Golden, device: &Device) -> Option<Tensor<2>> {
    expected
        .contains("c")
        .then(|| expected.tensor::<2>("c", device))
}

fn check(case: &Case, what: &str, found: Vec<f32>) {
    assert_close(
        &format!("{} {what}", case.name),
        &found,
        &case.expected.values(what),
        OUTPUT_TOLERANCE,
    );
}

#[test]
fn mapping_gives_the_official_latents() {
    for (_, device) in devices() {
        for case in cases(&device) {
            let z = || case.expected.tensor::<2>("z", &device);
            let c = || label(&case.expected, &device);
            let mapping = &case.generator.mapping;
            check(&case, "w", values(mapping.w(z(), c())));
            check(
                &case,
                "ws_psi05",
                values(mapping.forward(z(), c(), Truncation::psi(0.5))),
            );
            let truncation = Truncation {
                psi: 0.7,
                cutoff: Some(4),
            };
            check(
                &case,
                "ws_psi07_cutoff4",
                values(mapping.forward(z(), c(), truncation)),
            );
        }
    }
}

#[test]
fn synthesis_gives_the_official_images() {
    for (_, device) in devices() {
        for case in cases(&device) {
            let synthesis = &case.generator.synthesis;
            for (mode, noise) in [("none", NoiseMode::None), ("const", NoiseMode::Constant)] {
                let w = synthesis.broadcast(case.expected.tensor::<2>("w", &device));
                check(
                    &case,
                    &format!("image_w_{mode}"),
                    values(synthesis.forward(w, &noise)),
                );
                let w_plus = case.expected.tensor::<3>("w_plus", &device);
                check(
                    &case,
                    &format!("image_w_plus_{mode}"),
                    values(synthesis.forward(w_plus, &noise)),
                );
            }
        }
    }
}

#[test]
fn gradients_are_the_official_ones() {
    // Backward passes are checked on Flex only, as the issue asks; wgpu on software Vulkan is checked forward.
    for (_, device) in devices().into_iter().take(1) {
        let device = device.autodiff();
        for case in cases(&device) {
            // The reference has gradients of the noise images, which are buffers in training.
            let generator = case.generator.clone().set_require_grad(true);
            let w_plus = case.expected.tensor::<3>("w_plus", &device).require_grad();
            let image = generator
                .synthesis
                .forward(w_plus.clone(), &NoiseMode::Constant);
            let probe = case.expected.tensor::<4>("probe", &device);
            let gradients = (image * probe).sum().backward();
            let mut found = by_name(&generator, &gradients, |path| generator.official_name(path));
            let latents = values(w_plus.grad(&gradients).unwrap());
            found.insert("w_plus".to_owned(), latents);
            assert_gradients(
                &case.name,
                &found,
                &case.expected,
                "grad/",
                &[],
                GRADIENT_TOLERANCE,
            );
        }
    }
}

#[test]
fn weights_on_a_plain_device_are_constants_for_latents_on_the_autodiff_device() {
    for (_, device) in devices().into_iter().take(1) {
        for case in cases(&device) {
            let autodiff = device.clone().autodiff();
            let w_plus = case
                .expected
                .tensor::<3>("w_plus", &autodiff)
                .require_grad();
            let image = case
                .generator
                .synthesis
                .forward(w_plus.clone(), &NoiseMode::Constant);
            let probe = case.expected.tensor::<4>("probe", &autodiff);
            let gradients = (image * probe).sum().backward();
            assert_close(
                &format!("{} grad/w_plus", case.name),
                &values(w_plus.grad(&gradients).unwrap()),
                &case.expected.values("grad/w_plus"),
                GRADIENT_TOLERANCE,
            );
        }
    }
}
