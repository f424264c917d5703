//! Outputs and gradients of the official discriminator, computed in float64.

use burn::tensor::{Device, Tensor, activation};
use stylegan2::Discriminator;
use testkit::{Golden, assert_close, devices};

use crate::named_gradients::{assert_gradients, by_name};
use crate::{GRADIENT_TOLERANCE, OUTPUT_TOLERANCE, case_names, fixture, values};

struct Case {
    name: String,
    discriminator: Discriminator,
    expected: Golden,
}

impl Case {
    fn image(&self, device: &Device) -> Tensor<4> {
        self.expected.tensor("image", device)
    }

    fn label(&self, device: &Device) -> Option<Tensor<2>> {
        self.expected
            .contains("c")
            .then(|| self.expected.tensor("c", device))
    }
}

fn cases(device: &Device) -> Vec<Case> {
    case_names("discriminator_")
        .into_iter()
        .map(|name| Case {
            discriminator: Discriminator::load(fixture(&format!("{name}.safetensors")), device)
                .unwrap(),
            expected: Golden::open(
                env!("CARGO_MANIFEST_DIR"),
                &format!("stylegan2/{name}.expected.safetensors"),
            ),
            name,
        })
        .collect()
}

#[test]
fn logits_and_loss_are_the_official_ones() {
    for (_, device) in devices() {
        for case in cases(&device) {
            let logits = case
                .discriminator
                .forward(case.image(&device), case.label(&device));
            let loss = activation::softplus(-logits.clone(), 1.0).mean();
            for (what, found) in [("logits", values(logits)), ("loss_real", values(loss))] {
                assert_close(
                    &format!("{} {what}", case.name),
                    &found,
                    &case.expected.values(what),
                    OUTPUT_TOLERANCE,
                );
            }
        }
    }
}

#[test]
fn image_gradients_and_their_penalty_are_the_official_ones() {
    for (_, device) in devices().into_iter().take(1) {
        let autodiff = device.clone().autodiff();
        for case in cases(&device) {
            let image = case.image(&autodiff).require_grad();
            let logits = case
                .discriminator
                .forward(image.clone(), case.label(&device));
            let gradient = image.grad(&logits.sum().backward()).unwrap();
            let squares: Tensor<2> = gradient.clone().powi_scalar(2).flatten(1, 3);
            for (what, found) in [
                ("grad/image", values(gradient)),
                ("r1/penalty", values(squares.sum_dim(1))),
            ] {
                assert_close(
                    &format!("{} {what}", case.name),
                    &found,
                    &case.expected.values(what),
                    GRADIENT_TOLERANCE,
                );
            }
        }
    }
}

#[test]
fn weight_gradients_of_the_loss_are_the_official_ones() {
    for (_, device) in devices().into_iter().take(1) {
        let device = device.autodiff();
        for case in cases(&device) {
            let logits = case
                .discriminator
                .forward(case.image(&device), case.label(&device));
            let gradients = activation::softplus(-logits, 1.0).mean().backward();
            let found = by_name(&case.discriminator, &gradients, |path| {
                case.discriminator.official_name(path)
            });
            assert_gradients(
                &case.name,
                &found,
                &case.expected,
                "grad/",
                // That of the image is not of the loss, but of the sum of the logits.
                &["image"],
                GRADIENT_TOLERANCE,
            );
        }
    }
}
