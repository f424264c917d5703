//! DINO ViT-B/16 on seeded weights.

use std::collections::BTreeMap;

use backbones::DinoVitB16;
use burn::tensor::{Device, Tensor};
use checkpoint_file::{Checkpoint, StoredTensor};
use testkit::{assert_close, devices};

use crate::seeded::{self, Rules};
use crate::{ROUNDING, golden, values};

pub fn checkpoint() -> Checkpoint {
    let rules = Rules {
        prefix: "dino/",
        gain: 1.0,
    };
    seeded::checkpoint("dino_vit_b16.keys.json", &rules)
}

#[test]
fn blocks_and_embedding() {
    let golden = golden("dino_vit_b16.expected.safetensors");
    let checkpoint = checkpoint();
    for (name, device) in devices() {
        let network = DinoVitB16::load(&checkpoint, &device).unwrap();
        let activations = network.forward(golden.tensor("x", &device));
        for tensor in golden.names() {
            let Some((block, part)) = tensor
                .strip_prefix("block")
                .and_then(|rest| rest.split_once('_'))
            else {
                continue;
            };
            let block = activations.blocks[block.parse::<usize>().unwrap()].clone();
            let tokens = block.dims()[1];
            let normalized = network.normalize(block);
            let found = match part {
                "class_token" => normalized.narrow(1, 0, 1),
                "patch_mean" => normalized.narrow(1, 1, tokens - 1).mean_dim(1),
                other => panic!("the reference has {tensor}, and {other} is not known"),
            };
            let what = format!("{tensor} on {name}");
            assert_close(&what, &values(found), &golden.values(&tensor), ROUNDING);
        }
        let expected = golden.values("embedding");
        assert_close(name, &values(activations.embedding), &expected, ROUNDING);
    }
}

#[test]
fn gradients_reach_the_image() {
    let shape = [1, 3, DinoVitB16::INPUT_SIZE, DinoVitB16::INPUT_SIZE];
    let x = testkit::seeded("dino/image", shape.iter().product(), 1.0);
    let probe = testkit::seeded("dino/probe", DinoVitB16::FEATURES, 1.0);
    let checkpoint = checkpoint();
    for (name, device) in devices() {
        let network = DinoVitB16::load(&checkpoint, &device).unwrap();
        // Rounding of the sum (about 1e-6 of 20) over the step, and second differences of a smooth function.
        testkit::assert_gradient(name, &device, shape, &x, 0.3, 1e-2, |x| {
            let probe = Tensor::<1>::from_floats(probe.as_slice(), &device);
            (network.forward(x).embedding * probe.unsqueeze()).sum()
        });
    }
}

#[test]
fn training_checkpoints_give_the_teacher() {
    let device = Device::flex();
    let mut tensors = BTreeMap::new();
    for (name, tensor) in checkpoint().tensors() {
        tensors.insert(format!("teacher.backbone.{name}"), tensor.clone());
        let zeros = vec![0.0; tensor.shape().iter().product()];
        let student = StoredTensor::from_f32(tensor.shape().to_vec(), &zeros);
        tensors.insert(format!("student.module.backbone.{name}"), student);
    }
    let head = StoredTensor::from_f32(vec![1], &[0.0]);
    tensors.insert("teacher.head.last_layer.weight_g".to_owned(), head);
    let file = Checkpoint::from_tensors("checkpoint.pth", tensors, BTreeMap::new());
    let golden = golden("dino_vit_b16.expected.safetensors");
    let network = DinoVitB16::load(&file, &device).unwrap();
    let embedding = values(network.forward(golden.tensor("x", &device)).embedding);
    assert_close("teacher", &embedding, &golden.values("embedding"), ROUNDING);
}
