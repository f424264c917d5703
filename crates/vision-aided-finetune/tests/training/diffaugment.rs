use burn::tensor::Tensor;
use stylegan2::RandomState;
use testkit::{Golden, assert_close, devices};
use vision_aided_finetune::DiffAugment;
use vision_aided_finetune::augment::{
    adjust_brightness, adjust_contrast, adjust_saturation, cutout, translate,
};

use crate::{seeded, values};

/// f32 sums of a few hundred values against the reference's.
const TOLERANCE: f64 = 1e-6;

#[test]
fn every_operation_gives_the_authors_images() {
    let golden = Golden::open(
        env!("CARGO_MANIFEST_DIR"),
        "vision_aided/vision_aided.expected.safetensors",
    );
    let uniform = golden.values("diffaugment/uniform");
    let pairs = |operation: &str| -> Vec<[i32; 2]> {
        // x is the first image axis, rows, in the authors' code.
        let rows = golden.values(&format!("diffaugment/{operation}_x"));
        let columns = golden.values(&format!("diffaugment/{operation}_y"));
        let both = rows.iter().zip(&columns);
        both.map(|(row, column)| [*row as i32, *column as i32])
            .collect()
    };
    let centers: Vec<[usize; 2]> = pairs("rand_cutout")
        .iter()
        .map(|center| center.map(|index| index as usize))
        .collect();
    for (device_name, device) in devices() {
        let x = || golden.tensor::<4>("diffaugment/x", &device);
        for (operation, found) in [
            ("rand_brightness", adjust_brightness(x(), &uniform)),
            ("rand_saturation", adjust_saturation(x(), &uniform)),
            ("rand_contrast", adjust_contrast(x(), &uniform)),
            (
                "rand_translation",
                translate(x(), &pairs("rand_translation")),
            ),
            ("rand_cutout", cutout(x(), &centers)),
        ] {
            assert_close(
                &format!("{operation} on {device_name}"),
                &values(found),
                &golden.values(&format!("diffaugment/{operation}")),
                TOLERANCE,
            );
        }
    }
}

fn policy() -> DiffAugment {
    "color,translation,cutout".parse().unwrap()
}

#[test]
fn the_linear_part_is_the_difference_of_two_augmented_images() {
    for (_, device) in devices() {
        let augmentation = policy().draw(5, 16, &mut RandomState::new(3));
        let x = seeded("augmented", [5, 3, 16, 16], &device);
        let v = seeded("direction", [5, 3, 16, 16], &device);
        let difference = augmentation.apply(x.clone() + v.clone()) - augmentation.apply(x);
        // Rounding of values near 1 where the difference cancels.
        assert_close(
            "linear part",
            &values(augmentation.apply_linear(v)),
            &values(difference),
            1e-5,
        );
    }
}

#[test]
fn gradients_flow_through_all_operations() {
    for (_, device) in devices() {
        let augmentation = policy().draw(2, 8, &mut RandomState::new(4));
        let probe = seeded("probe", [2, 3, 8, 8], &device);
        let x = testkit::seeded("differentiated", 2 * 3 * 8 * 8, 1.0);
        // An affine map: differences are exact but for rounding over the step.
        testkit::assert_gradient(
            "DiffAugment",
            &device,
            [2, 3, 8, 8],
            &x,
            0.1,
            1e-3,
            |x: Tensor<4>| (augmentation.apply(x) * probe.clone()).sum(),
        );
    }
}

#[test]
fn random_numbers_stay_in_the_authors_ranges_and_reach_their_ends() {
    let (batch, side) = (4000, 16);
    let (_, device) = devices().remove(0);
    let ones = Tensor::<4>::ones([batch, 1, side, side], &device);
    let mut random = RandomState::new(1);

    // Shifts of up to an eighth, 2 of 16 pixels: the zeros of a shifted image of ones tell by how much.
    let shifted = "translation".parse::<DiffAugment>().unwrap();
    let shifted = shifted.draw(batch, side, &mut random).apply(ones.clone());
    let mut seen = [[0; 3]; 3];
    for image in values(shifted).chunks_exact(side * side) {
        let empty_rows = (0..side)
            .filter(|y| (0..side).all(|x| image[y * side + x] == 0.0))
            .count();
        let empty_columns = (0..side)
            .filter(|x| (0..side).all(|y| image[y * side + x] == 0.0))
            .count();
        seen[empty_rows][empty_columns] += 1;
    }
    assert!(seen.iter().flatten().all(|count| *count > 0), "{seen:?}");

    // Holes of half the side: 8x8 in the middle, 4x4 at a corner, and never none.
    let cut = "cutout".parse::<DiffAugment>().unwrap();
    let cut = cut.draw(batch, side, &mut random).apply(ones);
    let holes: Vec<usize> = values(cut)
        .chunks_exact(side * side)
        .map(|image| image.iter().filter(|value| **value == 0.0).count())
        .collect();
    assert_eq!(holes.iter().max(), Some(&64));
    assert_eq!(holes.iter().min(), Some(&16));
}

#[test]
fn a_policy_without_augmentations_leaves_images_as_they_are() {
    let (_, device) = devices().remove(0);
    let x = seeded("untouched", [2, 3, 8, 8], &device);
    let none = "".parse::<DiffAugment>().unwrap();
    let augmentation = none.draw(2, 8, &mut RandomState::new(0));
    assert_eq!(values(augmentation.apply(x.clone())), values(x));
}

#[test]
fn an_unknown_augmentation_is_named() {
    let message = "color,blur".parse::<DiffAugment>().unwrap_err().to_string();
    assert!(
        message.contains("blur") && message.contains("cutout"),
        "{message}"
    );
}
