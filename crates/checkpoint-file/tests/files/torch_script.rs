//! TorchScript archives, as OpenAI publishes CLIP: their tensors are read, their code is not looked at.

use checkpoint_file::{Checkpoint, Format, StoredDType};

/// What `torch.jit.save` writes of a small module; see `make.py` beside it.
pub const SCRIPT: &[u8] = include_bytes!("../fixtures/torchscript/script.pt");

#[test]
fn tensors_are_named_as_in_the_modules_state_dict() {
    let file = Checkpoint::from_bytes("script.pt", SCRIPT).unwrap();
    assert_eq!(file.format(), Some(Format::TorchScript));
    assert!(file.not_understood().is_empty());
    let expected: [(&str, &[usize], &[f32]); 8] = [
        (
            "blocks.0.in_proj_weight",
            &[3, 2],
            &[0.0, 0.125, 0.25, 0.375, 0.5, 0.625],
        ),
        ("blocks.0.out_proj.bias", &[2], &[-1.0, 0.5]),
        ("blocks.0.out_proj.weight", &[2, 2], &[1.0, 2.0, 3.0, 4.0]),
        ("blocks.1.bias", &[2], &[0.0, 0.0]),
        ("blocks.1.weight", &[2], &[1.0, 1.0]),
        ("logit_scale", &[], &[0.5]),
        // Transposed: columns follow one another in its storage.
        ("projection", &[2, 2], &[1.0, -2.0, 0.25, 8.0]),
        ("steps", &[1], &[3.0]),
    ];
    let names: Vec<&str> = file.tensors().keys().map(String::as_str).collect();
    assert_eq!(names, expected.map(|(name, ..)| name));
    for (name, shape, values) in expected {
        let tensor = &file.tensors()[name];
        assert_eq!(
            (tensor.shape(), tensor.to_f32().as_slice()),
            (shape, values),
            "{name}"
        );
    }
    assert_eq!(file.tensors()["projection"].dtype(), StoredDType::F16);
    assert_eq!(file.tensors()["steps"].dtype(), StoredDType::I64);
}
