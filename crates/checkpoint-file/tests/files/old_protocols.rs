//! Pickles of protocols 0 to 2 hold what those of later ones do.

use checkpoint_file::{Checkpoint, Format, StoredDType};
use serde_json::{Value as Json, json};

use crate::assert_refused;
use crate::pickle_writer::{Pickle, torch_stream};

/// The stream of one storage of two floats.
fn storage_stream() -> Vec<u8> {
    let mut storage = Pickle::new();
    storage
        .mark()
        .text("storage")
        .global("torch", "FloatStorage");
    storage.text("0").text("cpu").int(2).tuple().persistent_id();
    let content: Vec<u8> = [1.5f32, -2.0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    torch_stream(&storage.stop(), &[("0", 2, &content)])
}

/// Bytes as the text that protocol 2 makes of them.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// `{"x": tensor}` of protocol 2, as the official networks hold their tensors.
pub fn protocol_2() -> Vec<u8> {
    let mut pickle = Pickle::new();
    pickle
        .dict()
        .text("x")
        .global("torch._utils", "_rebuild_tensor_v2")
        .mark();
    pickle.global("torch.storage", "_load_from_bytes");
    pickle
        .global("_codecs", "encode")
        .mark()
        .text(&latin1(&storage_stream()));
    pickle.text("latin1").tuple().reduce().raw(b"\x85R");
    pickle.int(0).ints(&[2]).ints(&[1]).bool(false);
    pickle
        .global("collections", "OrderedDict")
        .empty_tuple()
        .reduce();
    pickle.tuple().reduce().set_item().stop()
}

/// The same of protocol 0: everything is a line of text.
pub fn protocol_0() -> Vec<u8> {
    // Raw Latin-1, but for what would end the line or start an escape.
    let mut text = Vec::new();
    for byte in storage_stream() {
        match byte {
            b'\n' | b'\\' | b'\0' | b'\r' | 0x1A => text.extend(format!("\\u{byte:04x}").bytes()),
            other => text.push(other),
        }
    }
    let mut pickle = b"(dp0\nVx\np1\nctorch._utils\n_rebuild_tensor_v2\np2\n(".to_vec();
    pickle.extend(b"ctorch.storage\n_load_from_bytes\np3\n(c_codecs\nencode\np4\n(V");
    pickle.extend(text);
    pickle.extend(b"\np5\nVlatin1\np6\ntp7\nRp8\ntp9\nRp10\n");
    pickle.extend(
        b"I0\n(I2\ntp11\n(I1\ntp12\nI00\nccollections\nOrderedDict\np13\n(tRp14\ntp15\nRp16\ns.",
    );
    pickle
}

#[test]
fn tensors_that_protocols_0_to_2_hold_as_text_are_read() {
    for (what, bytes) in [("protocol 2", protocol_2()), ("protocol 0", protocol_0())] {
        let read = Checkpoint::from_bytes(what, &bytes).unwrap();
        assert_eq!(read.format(), Some(Format::Pickle));
        assert_eq!(read.tensors()["x"].to_f32(), [1.5, -2.0], "{what}");
    }
}

#[test]
fn text_instructions() {
    let value = |bytes: &[u8]| -> Json {
        let mut pickle = b"(dp0\nVvalue\n".to_vec();
        pickle.extend(bytes);
        pickle.extend(b"s.");
        let read = Checkpoint::from_bytes("value", &pickle).unwrap();
        serde_json::from_str(&read.metadata()["value"]).unwrap()
    };
    for (bytes, expected) in [
        (&b"I42\n"[..], json!(42)),
        (b"I-1\n", json!(-1)),
        (b"I01\n", json!(true)),
        (b"I00\n", json!(false)),
        (b"L18446744073709551615L\n", json!(u64::MAX)),
        (b"F1.5\n", json!(1.5)),
        (b"F-2e3\n", json!(-2000.0)),
        (b"S'it\\'s\\x41\\n'\n", json!("it'sA\n")),
        (b"S\"a\"\n", json!("a")),
        (
            b"Va\xe9\\u2603\\U0001f600\n",
            json!("a\u{e9}\u{2603}\u{1f600}"),
        ),
        (b"(lp1\nI1\naI2\na", json!([1, 2])),
        (b"(I1\nI2\nl", json!([1, 2])),
        (b"(Va\nI1\nd", json!({"a": 1})),
        (b"I7\np5\n0g5\n", json!(7)),
    ] {
        assert_eq!(value(bytes), expected, "{}", bytes.escape_ascii());
    }
    for (bytes, part) in [
        (&b"(dp0\nVx\nIx\ns."[..], "no integer"),
        (b"(dp0\nVx\nFx\ns.", "no number"),
        (b"(dp0\nVx\nSx\ns.", "not written as Python does"),
        (b"(dp0\nVx\nS'\\x4'\ns.", "not written as Python does"),
        (b"(dp0\nV\\u12\nNs.", "4 hexadecimal digits"),
        (b"(dp0\nVx\ngx\ns.", "memo entry without a number"),
        (b"(dp0\nVx\ng7\ns.", "memo entry 7"),
        (b"(dp0\nVx\no.", "needs a mark"),
    ] {
        assert_refused(bytes, &[part]);
    }
}

#[test]
fn instances_of_every_form_are_understood() {
    // argparse.Namespace and an unknown class, by copy_reg as Python 2 and 3 write protocol 0, by INST, OBJ and
    // NEWOBJ_EX.
    let namespace = b"(dp0\nVargs\nccopy_reg\n_reconstructor\n(cargparse\nNamespace\nc__builtin__\nobject\nNtR(dVsize\nI64\nsbs.";
    let read = Checkpoint::from_bytes("x", namespace).unwrap();
    assert_eq!(read.metadata()["args"], r#"{"size":64}"#);
    for made in [
        &b"ccopy_reg\n_reconstructor\n(cmodel\nGenerator\nc__builtin__\nobject\nNtR"[..],
        b"(imodel\nGenerator\n",
        b"(cmodel\nGenerator\no",
        b"cmodel\nGenerator\n)}\x92",
    ] {
        let mut pickle = made.to_vec();
        pickle.extend(b"(dV_parameters\n(dVw\n");
        let mut array = Pickle::new();
        array.numpy_array(&[1], "f4", &2.5f32.to_le_bytes());
        let array = array.stop();
        pickle.extend(&array[2..array.len() - 1]);
        pickle.extend(b"ssV_buffers\n(dsV_modules\n(dsb.");
        let read = Checkpoint::from_bytes("x", &pickle).unwrap();
        assert_eq!(
            read.tensors()["w"].to_f32(),
            [2.5],
            "{}",
            made.escape_ascii()
        );
        assert_eq!(read.networks()[0].class_name(), Some("model.Generator"));
    }
}

#[test]
fn buffers_with_attributes_are_tensors() {
    let mut pickle = Pickle::new();
    pickle
        .dict()
        .text("x")
        .global("torch._tensor", "_rebuild_from_type_v2")
        .mark();
    pickle
        .global("torch._utils", "_rebuild_tensor_v2")
        .global("torch", "Tensor")
        .mark();
    pickle
        .mark()
        .text("storage")
        .global("torch", "HalfStorage")
        .text("0")
        .text("cpu")
        .int(1);
    pickle
        .tuple()
        .persistent_id()
        .int(0)
        .ints(&[1])
        .ints(&[1])
        .bool(false)
        .none()
        .tuple();
    pickle
        .dict()
        .text("tag")
        .text("b")
        .set_item()
        .tuple()
        .reduce();
    let file = torch_stream(&pickle.set_item().stop(), &[("0", 1, &[0, 0x3C])]);
    let read = Checkpoint::from_bytes("x", &file).unwrap();
    assert_eq!(read.tensors()["x"].dtype(), StoredDType::F16);
    assert_eq!(read.tensors()["x"].to_f32(), [1.0]);
}

#[test]
fn one_text_is_not_decoded_again_and_again() {
    let text = "x".repeat(100_000);
    let mut pickle = Pickle::new();
    pickle.text(&text).put(0).pop();
    for _ in 0..20 {
        pickle
            .global("_codecs", "encode")
            .mark()
            .get(0)
            .text("latin1")
            .tuple()
            .reduce()
            .pop();
    }
    assert_refused(&pickle.dict().stop(), &["bytes as text"]);
}
