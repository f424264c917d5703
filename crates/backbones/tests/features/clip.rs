//! CLIP ViT-B/32 on seeded weights, and its tokenizer on the reference's strings.

use std::collections::BTreeMap;

use backbones::{ClipImage, ClipText, ClipTokenizer, ClipTokens};
use burn::tensor::{Device, Tensor};
use checkpoint_file::{Checkpoint, StoredDType, StoredTensor};
use testkit::{assert_close, devices};

use crate::seeded::{self, Rules};
use crate::{ROUNDING, golden, values};

const RULES: Rules = Rules {
    prefix: "clip/",
    gain: 1.0,
};

pub fn image_checkpoint() -> Checkpoint {
    seeded::checkpoint("clip_vit_b32.keys.json", &RULES)
}

fn text_checkpoint() -> Checkpoint {
    seeded::checkpoint("clip_text.keys.json", &RULES)
}

#[test]
fn image_blocks_and_embedding() {
    let golden = golden("clip_vit_b32.expected.safetensors");
    let checkpoint = image_checkpoint();
    for (name, device) in devices() {
        let network = ClipImage::load(&checkpoint, &device).unwrap();
        let activations = network.forward(golden.tensor("x", &device));
        for tensor in golden.names() {
            let Some(block) = tensor
                .strip_prefix("block")
                .and_then(|rest| rest.strip_suffix("_token_mean"))
            else {
                continue;
            };
            // The reference counts blocks from 1 here.
            let block = block.parse::<usize>().unwrap() - 1;
            let mean = activations.blocks[block].clone().mean_dim(1);
            let what = format!("{tensor} on {name}");
            assert_close(&what, &values(mean), &golden.values(&tensor), ROUNDING);
        }
        let expected = golden.values("embedding");
        assert_close(name, &values(activations.embedding), &expected, ROUNDING);
    }
}

#[test]
fn texts_of_the_reference() {
    let golden = golden("clip_text.expected.safetensors");
    let strings: Vec<String> = serde_json::from_value(golden.metadata_json("strings")).unwrap();
    let tokenizer = ClipTokenizer::openai();
    let tokens: Vec<ClipTokens> = strings
        .iter()
        .map(|text| tokenizer.encode(text).unwrap())
        .collect();
    let ids: Vec<f32> = tokens
        .iter()
        .flat_map(|tokens| tokens.ids().iter().copied().map(f32::from))
        .collect();
    assert_eq!(ids, golden.values("ids"));

    let checkpoint = text_checkpoint();
    for (name, device) in devices() {
        let network = ClipText::load(&checkpoint, &device).unwrap();
        let found = values(network.forward(&tokens));
        assert_close(name, &found, &golden.values("embedding"), ROUNDING);
    }
}

#[test]
fn gradients_reach_the_image() {
    let shape = [1, 3, ClipImage::INPUT_SIZE, ClipImage::INPUT_SIZE];
    let x = testkit::seeded("clip/image", shape.iter().product(), 1.0);
    let probe = testkit::seeded("clip/probe", ClipImage::FEATURES, 1.0);
    let checkpoint = image_checkpoint();
    for (name, device) in devices() {
        let network = ClipImage::load(&checkpoint, &device).unwrap();
        // Rounding of the sum (about 1e-6 of 20) over the step, and second differences of a smooth function.
        testkit::assert_gradient(name, &device, shape, &x, 0.3, 1e-2, |x| {
            let probe = Tensor::<1>::from_floats(probe.as_slice(), &device);
            (network.forward(x).embedding * probe.unsqueeze()).sum()
        });
    }
}

#[test]
fn both_towers_load_from_one_file_of_halves() {
    let device = Device::flex();
    let halves = |tensor: &StoredTensor| {
        let bytes = tensor
            .to_f32()
            .iter()
            .flat_map(|value| half::f16::from_f32(*value).to_le_bytes())
            .collect();
        StoredTensor::new(StoredDType::F16, tensor.shape().to_vec(), bytes)
    };
    let mut tensors = BTreeMap::new();
    for tower in [image_checkpoint(), text_checkpoint()] {
        for (name, tensor) in tower.tensors() {
            tensors.insert(format!("state_dict.{name}"), halves(tensor));
        }
    }
    let scalar = StoredTensor::from_f32(vec![], &[4.6]);
    tensors.insert("state_dict.logit_scale".to_owned(), scalar);
    let integer = StoredTensor::new(StoredDType::I64, vec![], 224i64.to_le_bytes().to_vec());
    tensors.insert("state_dict.input_resolution".to_owned(), integer);
    let file = Checkpoint::from_tensors("clip.pt", tensors, BTreeMap::new());

    let golden = golden("clip_vit_b32.expected.safetensors");
    let image = ClipImage::load(&file, &device).unwrap();
    let embedding = values(image.forward(golden.tensor("x", &device)).embedding);
    // Weights of 11 bits: 5e-4 each, averaging out over a layer and adding up over twelve blocks.
    assert_close("halves", &embedding, &golden.values("embedding"), 5e-3);
    assert!(ClipText::load(&file, &device).is_ok());
}

#[test]
fn vocabularies_from_files() {
    use std::io::Write;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vocabulary.txt");
    let refused = |content: &[u8], words: &str| {
        std::fs::write(&path, content).unwrap();
        let error = ClipTokenizer::from_file(&path).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(b"#version\na b\nc d\n", "514");
    refused(b"#version\nab cd\n", "invalid merge rule");
    refused(&[0x1F, 0x8B, 8, 0, 1], "gzip");
    let missing = ClipTokenizer::from_file(folder.path().join("none")).unwrap_err();
    assert!(missing.to_string().contains("none"), "{missing}");

    // A file of the right length, whose merges differ from OpenAI's: pairs of letters, then of what they make.
    let mut text = String::from("#version\n");
    let mut words: Vec<String> = ('a'..='z').map(String::from).collect();
    let mut lines = 0;
    'lines: for round in 0.. {
        let level = words.clone();
        for first in &level {
            for second in &level {
                if first.len() + second.len() == round + 2 {
                    text += &format!("{first} {second}\n");
                    words.push(format!("{first}{second}"));
                    lines += 1;
                    if lines == ClipTokens::VOCABULARY - 512 - 2 {
                        break 'lines;
                    }
                }
            }
        }
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    std::fs::write(&path, gzip.finish().unwrap()).unwrap();
    let tokens = ClipTokenizer::from_file(&path)
        .unwrap()
        .encode("ab")
        .unwrap();
    // The last letter of a word has an id of its own, so that only `a b</w>` would merge these.
    assert_eq!(
        tokens.ids()[..4],
        [ClipTokens::START, 64, 65 + 256, ClipTokens::END]
    );
}
