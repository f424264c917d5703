//! The stack machine, one family of instructions after the other, and what it must refuse.

use checkpoint::Checkpoint;
use serde_json::{Value as Json, json};

use crate::assert_refused;
use crate::pickle_writer::{Pickle, torch_stream};

/// The value that `write` leaves on the stack, read as configuration.
#[track_caller]
fn value(write: impl FnOnce(&mut Pickle) -> &mut Pickle) -> Json {
    let mut pickle = Pickle::new();
    pickle.dict().text("value");
    write(&mut pickle);
    let bytes = pickle.set_item().stop();
    let checkpoint = Checkpoint::from_bytes("value", &bytes).unwrap();
    serde_json::from_str(&checkpoint.metadata()["value"]).unwrap()
}

#[track_caller]
fn assert_pickle_refused(write: impl FnOnce(&mut Pickle) -> &mut Pickle, parts: &[&str]) {
    let mut pickle = Pickle::new();
    write(&mut pickle);
    assert_refused(&pickle.stop(), parts);
}

#[test]
fn numbers() {
    for (bytes, expected) in [
        (&b"K\xff"[..], json!(255)),
        (b"M\xff\xff", json!(65535)),
        (b"J\xff\xff\xff\xff", json!(-1)),
        (b"\x8a\x00", json!(0)),
        (b"\x8a\x01\xff", json!(-1)),
        (b"\x8a\x02\xff\x00", json!(255)),
        (b"\x8b\x03\x00\x00\x00\x00\x00\x80", json!(-8388608)),
        (b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", json!(i64::MAX)),
        (b"G\x3f\xf8\x00\x00\x00\x00\x00\x00", json!(1.5)),
        (b"G\x7f\xf0\x00\x00\x00\x00\x00\x00", Json::Null),
        (b"\x88", json!(true)),
        (b"\x89", json!(false)),
    ] {
        if expected.is_null() {
            // Infinity has no JSON.
            assert_eq!(value(|p| p.raw(bytes)), Json::Null);
        } else {
            assert_eq!(value(|p| p.raw(bytes)), expected);
        }
    }
    let mut long = vec![0x8A, 17];
    long.extend([1; 17]);
    assert_pickle_refused(|p| p.raw(&long), &["17 bytes of an integer, at most 16"]);
}

#[test]
fn texts() {
    for bytes in [
        &b"X\x02\x00\x00\x00\xc3\xa9"[..],
        b"\x8c\x02\xc3\xa9",
        b"\x8d\x02\x00\x00\x00\x00\x00\x00\x00\xc3\xa9",
        b"U\x02\xc3\xa9",
        b"T\x02\x00\x00\x00\xc3\xa9",
    ] {
        assert_eq!(value(|p| p.raw(bytes)), json!("\u{e9}"));
    }
    assert_pickle_refused(|p| p.raw(b"\x8c\x01\xff"), &["not UTF-8"]);
    assert_pickle_refused(
        |p| p.raw(b"X\xff\xff\xff\xff"),
        &["4294967295 bytes are declared", "truncated"],
    );
}

#[test]
fn containers() {
    assert_eq!(value(|p| p.raw(b")")), json!([]));
    assert_eq!(value(|p| p.raw(b"K\x01\x85")), json!([1]));
    assert_eq!(value(|p| p.raw(b"K\x01K\x02\x86")), json!([1, 2]));
    assert_eq!(value(|p| p.raw(b"K\x01K\x02K\x03\x87")), json!([1, 2, 3]));
    assert_eq!(value(|p| p.raw(b"(K\x01K\x02t")), json!([1, 2]));
    assert_eq!(value(|p| p.raw(b"]K\x01a")), json!([1]));
    assert_eq!(value(|p| p.raw(b"](K\x01K\x02e")), json!([1, 2]));
    assert_eq!(value(|p| p.raw(b"\x8f(K\x01K\x02\x90")), json!([1, 2]));
    assert_eq!(value(|p| p.raw(b"(K\x01\x91")), json!([1]));
    assert_eq!(value(|p| p.raw(b"}K\x01K\x02s")), json!({"1": 2}));
    assert_eq!(
        value(|p| p.raw(b"}(K\x01K\x02K\x03Nu")),
        json!({"1": 2, "3": null})
    );
    for (bytes, part) in [
        (&b"K\x01K\x02a"[..], "appended to the integer 1"),
        (b")(K\x02e", "appended to a tuple of 0"),
        (b"]K\x01K\x02s", "expected pairs and a dict"),
        (b"}(K\x01u", "1 keys and values"),
        (b"t", "needs a mark"),
        (b"0", "the stack, which is empty"),
        // What stands below a mark cannot be taken.
        (b"]]((a", "the stack, which is empty"),
        (b"]]", "1 values are left"),
    ] {
        assert_pickle_refused(|p| p.raw(bytes), &[part]);
    }
}

#[test]
fn memo_and_stack() {
    assert_eq!(value(|p| p.raw(b"K\x07q\x050h\x05")), json!(7));
    assert_eq!(
        value(|p| p.raw(b"K\x07r\x00\x00\x01\x000j\x00\x00\x01\x00")),
        json!(7)
    );
    assert_eq!(
        value(|p| p.raw(b"K\x07\x940K\x08\x940h\x00h\x01\x86")),
        json!([7, 8])
    );
    assert_eq!(value(|p| p.raw(b"K\x072\x86")), json!([7, 7]));
    assert_eq!(value(|p| p.raw(b"(K\x01K\x021K\x09")), json!(9));
    assert_pickle_refused(|p| p.get(9), &["memo entry 9, which is not set"]);
}

#[test]
fn unknown_instructions_and_protocols_are_refused() {
    // Text instructions of protocol 0, extension codes, out-of-band buffers, and no instruction at all.
    for code in [
        b'I', b'F', b'L', b'S', b'V', b'g', b'p', b'P', b'i', b'o', 0x82, 0x84, 0x92, 0x97, 0x98,
        0xFF,
    ] {
        assert_pickle_refused(|p| p.raw(&[code]), &[&format!("byte 2 is 0x{code:02x}")]);
    }
    assert_pickle_refused(|p| p.raw(&[0x80, 6]), &["pickle protocol 6"]);
}

#[test]
fn other_classes_and_functions_are_named_and_never_called() {
    for (module, name) in [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("subprocess", "Popen"),
        ("torch.storage", "TypedStorage"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_qtensor"),
        ("dnnlib.tflib.network", "Network"),
        ("numpy", "load"),
        ("collections", "OrderedDict.fromkeys"),
        ("", ""),
    ] {
        let full = format!("{module}.{name}");
        let full = full.as_str();
        assert_pickle_refused(
            |p| p.global(module, name).text("echo").raw(b"\x85").reduce(),
            &[full, "never run"],
        );
        assert_pickle_refused(
            |p| p.text(module).text(name).raw(b"\x93)").reduce(),
            &[full, "never run"],
        );
    }
    assert_pickle_refused(|p| p.none().none().raw(b"\x93"), &["expected two texts"]);
    assert_pickle_refused(|p| p.text("x").empty_tuple().reduce(), &["calls a text"]);
}

#[test]
fn constructors_refuse_other_arguments() {
    for (module, name) in [
        ("collections", "OrderedDict"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch._utils", "_rebuild_parameter"),
        ("torch.storage", "_load_from_bytes"),
        ("torch_utils.persistence", "_reconstruct_persistent_obj"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("torch", "FloatStorage"),
    ] {
        assert_pickle_refused(
            |p| p.global(module, name).ints(&[1, 2, 3, 4]).reduce(),
            &["unexpected arguments"],
        );
        assert_pickle_refused(
            |p| p.global(module, name).none().reduce(),
            &["unexpected arguments"],
        );
    }
}

#[test]
fn dicts_of_every_class() {
    for (module, name) in [
        ("collections", "OrderedDict"),
        ("dnnlib.util", "EasyDict"),
        ("argparse", "Namespace"),
    ] {
        assert_eq!(
            value(|p| p
                .global(module, name)
                .empty_tuple()
                .reduce()
                .raw(b"K\x01K\x02s")),
            json!({"1": 2})
        );
        assert_eq!(
            value(|p| p
                .global(module, name)
                .empty_tuple()
                .new_object()
                .raw(b"}K\x01K\x02sb")),
            json!({"1": 2})
        );
    }
    // As Python 2 writes it.
    assert_eq!(
        value(|p| p
            .global("collections", "OrderedDict")
            .raw(b"]]K\x01aK\x02aa\x85R")),
        json!({"1": 2})
    );
    assert_eq!(
        value(|p| p.global("__builtin__", "set").raw(b"]K\x01a\x85R")),
        json!([1])
    );
    assert_eq!(
        value(|p| p.global("torch", "Size").ints(&[2, 3]).raw(b"\x85R")),
        json!([2, 3])
    );
    assert_eq!(
        value(|p| p.global("torch", "device").text("cpu").raw(b"\x85R")),
        json!("cpu")
    );
    assert_eq!(
        value(|p| p.global("torch", "float16")),
        json!("torch.float16")
    );
}

#[test]
fn numpy_scalars_and_arrays() {
    let scalar = |dtype: &'static str, order: &'static str, bytes: &'static [u8]| {
        value(move |p| {
            p.global("numpy._core.multiarray", "scalar").mark();
            p.numpy_dtype(dtype, order).bytes(bytes).tuple().reduce()
        })
    };
    assert_eq!(
        scalar("f8", "<", &[0, 0, 0, 0, 0, 0, 0xF8, 0x3F]),
        json!(1.5)
    );
    assert_eq!(
        scalar("f8", ">", &[0x3F, 0xF8, 0, 0, 0, 0, 0, 0]),
        json!(1.5)
    );
    assert_eq!(scalar("f4", "<", &[0, 0, 0xC0, 0x3F]), json!(1.5));
    assert_eq!(scalar("i2", "<", &[0xFE, 0xFF]), json!(-2));
    assert_eq!(scalar("b1", "|", &[1]), json!(true));
    // Protocol 2 writes byte strings as text.
    assert_eq!(
        value(|p| {
            p.global("numpy.core.multiarray", "scalar")
                .mark()
                .numpy_dtype("u1", "|");
            p.global("_codecs", "encode")
                .mark()
                .text("\u{fe}")
                .text("latin1")
                .tuple()
                .reduce();
            p.tuple().reduce()
        }),
        json!(254)
    );

    let mut pickle = Pickle::new();
    pickle
        .dict()
        .text("a")
        .numpy_array(&[2, 2], "i2", &[1, 0, 2, 0, 3, 0, 4, 0]);
    let read = Checkpoint::from_bytes("a", &pickle.set_item().stop()).unwrap();
    assert_eq!(read.tensors()["a"].to_f32(), [1.0, 2.0, 3.0, 4.0]);

    let mut pickle = Pickle::new();
    pickle
        .dict()
        .text("a")
        .numpy_array(&[3, 2], "i2", &[1, 0, 2, 0, 3, 0, 4, 0]);
    assert_refused(&pickle.set_item().stop(), &["tensor a", "its storage of 4"]);
    assert_pickle_refused(|p| p.numpy_dtype("O8", "|"), &["elements of type \"O8\""]);
}

#[test]
fn cycles_are_named() {
    // weights = {"a": weights}
    let mut pickle = Pickle::new();
    pickle.dict().put(0).text("a").get(0).set_item();
    assert_refused(&pickle.stop(), &["a contains itself"]);
    // {"net": {"layers": [net]}}
    let mut pickle = Pickle::new();
    pickle.dict().text("net").dict().put(0).text("layers");
    pickle.list().get(0).raw(b"a").set_item().set_item();
    assert_refused(&pickle.stop(), &["net.layers.0 contains itself"]);
    // A cycle in the configuration only.
    let mut pickle = Pickle::new();
    pickle
        .dict()
        .text("args")
        .raw(b"\x8f")
        .put(0)
        .mark()
        .get(0)
        .raw(b"\x90")
        .set_item();
    assert_refused(&pickle.stop(), &["args contains itself"]);
}

#[test]
fn deep_nesting_neither_overflows_nor_is_read() {
    // A million lists inside each other: built, refused and dropped.
    let mut pickle = Pickle::new();
    pickle.dict().text("x");
    pickle
        .raw(&vec![b']'; 1_000_000])
        .raw(&vec![b'a'; 999_999])
        .set_item();
    assert_refused(&pickle.stop(), &["nested containers, at most 64"]);
    let mut pickle = Pickle::new();
    pickle
        .dict()
        .text("x")
        .raw(b")")
        .raw(&vec![0x85; 1_000_000])
        .set_item();
    assert_refused(&pickle.stop(), &["nested containers, at most 64"]);
}

#[test]
fn too_many_instructions_are_refused() {
    let mut pickle = Pickle::new();
    pickle.raw(&vec![b'N'; 1 << 22]);
    assert_refused(&pickle.stop(), &["pickle instructions, at most 4194304"]);
}

#[test]
fn streams_inside_streams_are_refused() {
    let inner = |content: &[u8]| {
        let mut pickle = Pickle::new();
        pickle
            .global("torch.storage", "_load_from_bytes")
            .bytes(content)
            .raw(b"\x85R");
        pickle.stop()
    };
    let mut storage = Pickle::new();
    storage
        .mark()
        .text("storage")
        .global("torch", "FloatStorage")
        .text("0")
        .text("cpu")
        .int(1);
    let storage = torch_stream(
        &storage.tuple().persistent_id().stop(),
        &[("0", 1, &[0; 4])],
    );
    // One level is what official pickles have, though a file must hold a dict.
    assert_refused(&inner(&storage), &["holds a storage, expected a dict"]);
    let nested = torch_stream(&inner(&storage), &[]);
    assert_refused(
        &inner(&nested),
        &["2 torch.save streams inside each other, at most 1"],
    );
    assert_pickle_refused(
        |p| {
            p.global("torch.storage", "_load_from_bytes");
            p.global("_codecs", "encode").mark();
            p.text("x").text("latin1").tuple().reduce();
            p.raw(b"\x85").reduce()
        },
        &["protocol 3 or later"],
    );
    assert_refused(
        &inner(b"\x80\x02K\x01."),
        &["starts with the integer 1", "magic number"],
    );
    let list = torch_stream(b"\x80\x02].", &[]);
    assert_refused(&inner(&list), &["holds a list of 0, expected a storage"]);
}

#[test]
fn persistent_ids_name_known_storages() {
    let mut pickle = Pickle::new();
    pickle
        .dict()
        .text("x")
        .torch_tensor("0", ("FloatStorage", 1), 0, &[1], &[1]);
    assert_refused(
        &pickle.set_item().stop(),
        &["only torch.save streams hold storages"],
    );

    let stream = |write: &dyn Fn(&mut Pickle) -> &mut Pickle| {
        let mut pickle = Pickle::new();
        write(&mut pickle);
        torch_stream(&pickle.persistent_id().stop(), &[])
    };
    assert_refused(&stream(&|p| p.text("module")), &["persistent id", "a text"]);
    assert_refused(
        &stream(&|p| {
            p.mark()
                .text("storage")
                .none()
                .text("0")
                .text("cpu")
                .int(1)
                .tuple()
        }),
        &["persistent id", "of None"],
    );
    let with_elements = |elements: i32| {
        stream(&move |p| {
            p.mark().text("storage").global("torch", "FloatStorage");
            p.text("0").text("cpu").int(elements).tuple()
        })
    };
    assert_refused(&with_elements(-1), &["of -1 elements"]);

    let mut pickle = Pickle::new();
    pickle.dict().mark();
    pickle
        .text("a")
        .torch_tensor("0", ("FloatStorage", 1), 0, &[1], &[1]);
    pickle
        .text("b")
        .torch_tensor("0", ("LongStorage", 1), 0, &[1], &[1]);
    let file = torch_stream(&pickle.set_items().stop(), &[("0", 1, &[0; 4])]);
    assert_refused(&file, &["storage 0 is 1 I64", "1 F32 before"]);
}

#[test]
fn ambiguous_names_are_refused() {
    let mut pickle = Pickle::new();
    pickle.dict().mark();
    pickle.text("a.b").numpy_array(&[1], "u1", &[0]).put(0);
    pickle.text("a").dict().text("b").get(0).set_item();
    assert_refused(
        &pickle.set_items().stop(),
        &["tensor a.b", "two tensors of this name"],
    );
    let mut pickle = Pickle::new();
    pickle.dict().none().numpy_array(&[1], "u1", &[0]);
    assert_refused(&pickle.set_item().stop(), &["a key of the file is None"]);
    let mut pickle = Pickle::new();
    pickle
        .dict()
        .text(&"x".repeat(600))
        .numpy_array(&[1], "u1", &[0]);
    assert_refused(
        &pickle.set_item().stop(),
        &["bytes of a tensor's name, at most 512"],
    );
}

#[test]
fn networks_without_a_state_are_refused() {
    let network = |write: &dyn Fn(&mut Pickle) -> &mut Pickle| {
        let mut pickle = Pickle::new();
        pickle.dict().text("G");
        pickle.global("torch_utils.persistence", "_reconstruct_persistent_obj");
        write(pickle.dict());
        pickle.raw(b"\x85R").set_item();
        pickle.stop()
    };
    assert_refused(&network(&|p| p), &["network object \"G\"", "no state"]);
    assert_refused(
        &network(&|p| p.text("state").dict().set_item()),
        &["network object \"G\"", "no dict of _parameters"],
    );
}
