//! The stack machine, one family of instructions after the other, and what it must refuse.

use checkpoint_file::{Checkpoint, StoredDType};
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
    // Persistent ids as text, extension codes, out-of-band buffers, and no instruction at all.
    for code in [b'P', 0x82, 0x84, 0x97, 0x98, 0xFF] {
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
    assert_pickle_refused(
        |p| p.global("dnnlib.tflib.network", "Network"),
        &["legacy.py --source"],
    );
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
    assert_pickle_refused(
        |p| p.numpy_dtype("f4", "?"),
        &["a tuple of 8 to a numpy dtype"],
    );
}

#[test]
fn arrays_of_other_types_only_fail_where_they_are_asked_for() {
    // As in {"g": {"weight": ..}, "seed": numpy.random.get_state()}, with texts and objects beside it.
    let mut pickle = Pickle::new();
    pickle.dict().mark();
    pickle.text("g").dict().mark();
    pickle
        .text("weight")
        .numpy_array(&[1], "f4", &[0, 0, 0, 0x40]);
    pickle.text("label").numpy_array(&[1], "U2", &[0; 8]);
    pickle.set_items();
    pickle.text("random").mark();
    pickle
        .text("MT19937")
        .numpy_array(&[2], "u4", &[1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF])
        .int(2);
    pickle.tuple();
    pickle.text("name");
    pickle.global("numpy.core.multiarray", "scalar").mark();
    pickle
        .numpy_dtype("U1", "<")
        .bytes(&[0; 4])
        .tuple()
        .reduce();
    pickle.text("step");
    pickle.global("numpy.core.multiarray", "scalar").mark();
    pickle
        .numpy_dtype("u8", "<")
        .bytes(&[0xFF; 8])
        .tuple()
        .reduce();
    pickle.text("type").global("torch", "int64");
    let read = Checkpoint::from_bytes("some.file", &pickle.set_items().stop()).unwrap();

    let device = &testkit::devices()[0].1;
    let g = read.network("g").unwrap();
    assert_eq!(g.tensor::<1>("weight", device).unwrap().dims(), [1]);
    assert_eq!(g.opaque()["label"], "U2");
    let message = g.tensor::<1>("label", device).unwrap_err().to_string();
    assert!(
        message.contains("tensor label has element type U2"),
        "{message}"
    );
    let random = &read.tensors()["random.1"];
    assert_eq!(random.dtype(), StoredDType::U32);
    assert_eq!(random.to_f32(), [1.0, 4_294_967_295.0]);
    assert!(!read.metadata().contains_key("name"));
    assert_eq!(read.metadata()["step"], u64::MAX.to_string());
    assert_eq!(read.metadata()["type"], "\"torch.int64\"");
}

#[test]
fn what_is_not_weights_is_left_out_where_it_is_large_or_nameless() {
    let mut pickle = Pickle::new();
    pickle.dict().mark();
    pickle.text("weight").numpy_array(&[1], "u1", &[7]);
    // A history of losses, more than configuration may be.
    pickle.text("losses").list().mark();
    for _ in 0..20_000 {
        pickle.raw(b"G\x3f\xf8\0\0\0\0\0\0");
    }
    pickle.appends();
    pickle.text("args").dict().text("size").int(64).set_item();
    // Python keys its dicts by anything.
    pickle.text("grid").dict().mark();
    pickle.ints(&[1, 2]).list().none().dict();
    pickle.raw(b"G\x3f\xf8\0\0\0\0\0\0").empty_tuple();
    pickle.set_items();
    pickle.none().list();
    pickle.text(&"long".repeat(200)).dict();
    let read = Checkpoint::from_bytes("x", &pickle.set_items().stop()).unwrap();
    assert_eq!(read.tensors()["weight"].to_f32(), [7.0]);
    assert_eq!(read.metadata()["args"], r#"{"size":64}"#);
    let entries: Vec<&String> = read.metadata().keys().collect();
    assert_eq!(entries, ["args", "grid"]);

    // A tensor below such a key could not be asked for.
    assert_pickle_refused(
        |p| {
            p.dict().text("grid").dict().ints(&[1, 2]);
            p.list().numpy_array(&[1], "u1", &[0]).raw(b"a");
            p.set_item().set_item()
        },
        &["a key of grid is a tuple of 2"],
    );
}

#[test]
fn empty_arrays_of_any_extent_are_read() {
    let mut pickle = Pickle::new();
    pickle.dict().text("empty");
    pickle.global("numpy.core.multiarray", "_reconstruct");
    pickle.mark().global("numpy", "ndarray").ints(&[0]);
    pickle.bytes(b"b").tuple().reduce();
    // The shape (0, 2^40, 2^40).
    let extent = b"\x8a\x06\0\0\0\0\0\x01";
    pickle
        .mark()
        .int(1)
        .int(0)
        .raw(extent)
        .raw(extent)
        .raw(b"\x87");
    pickle.numpy_dtype("f4", "<").bool(false).bytes(b"");
    let read = Checkpoint::from_bytes("x", &pickle.tuple().build().set_item().stop()).unwrap();
    assert_eq!(read.tensors()["empty"].shape(), [0, 1 << 40, 1 << 40]);
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
        &["the torch.save stream that byte", "decodes"],
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

/// A module as the official code pickles it, `write` adds to its attributes.
fn module<'p>(
    pickle: &'p mut Pickle,
    write: &dyn Fn(&mut Pickle) -> &mut Pickle,
) -> &'p mut Pickle {
    pickle.global("torch_utils.persistence", "_reconstruct_persistent_obj");
    pickle.dict().text("state").dict().mark();
    write(pickle);
    pickle.set_items().set_item().raw(b"\x85R")
}

#[test]
fn options_of_modules_are_kept_by_name() {
    let empty = |p: &mut Pickle, parts: &[&str]| {
        for part in parts {
            p.text(part).dict();
        }
    };
    let layer = |p: &mut Pickle| {
        module(p, &|p| {
            empty(p, &["_parameters", "_buffers", "_modules"]);
            p.text("conv_clamp").int(256).text("up").int(1)
        });
    };
    let mut pickle = Pickle::new();
    pickle.dict().text("G");
    module(&mut pickle, &|p| {
        empty(p, &["_parameters", "_buffers"]);
        p.text("w_avg_beta").none();
        p.text("_modules").dict().text("b4");
        layer(p);
        p.set_item()
    });
    let read = Checkpoint::from_bytes("x", &pickle.set_item().stop()).unwrap();
    let network = &read.networks()[0];
    let options = json!({"b4.conv_clamp": 256, "w_avg_beta": null});
    assert_eq!(json!(network.options()), options);
    let written: Json = serde_json::from_str(&read.metadata()["G.options"]).unwrap();
    assert_eq!(written, options);

    // The same where the file is one network.
    let mut pickle = Pickle::new();
    layer(&mut pickle);
    let read = Checkpoint::from_bytes("x", &pickle.stop()).unwrap();
    assert_eq!(
        json!(read.networks()[0].options()),
        json!({"conv_clamp": 256})
    );
}

/// Files of which reading would take hours if work on shared objects were not counted.
#[test]
fn short_files_cannot_keep_the_reader_busy() {
    const MANY: usize = 100_000;
    // One module of many parameters that are None, many times.
    let mut pickle = Pickle::new();
    pickle.dict().put(0).mark();
    for _ in 0..MANY {
        pickle.int(1).none();
    }
    pickle.set_items().pop().list().mark();
    module(&mut pickle, &|p| {
        p.text("_parameters").get(0);
        p.text("_buffers").dict().text("_modules").dict()
    });
    pickle.raw(&vec![b'2'; MANY]).appends().put(1).pop();
    pickle.dict().text("modules").get(1).set_item();
    assert_refused(&pickle.stop(), &["references to the same few objects"]);

    // One long text as the key of many storages, and as the name of many transient buffers.
    let long = "x".repeat(MANY);
    let mut pickle = Pickle::new();
    pickle.text(&long).put(0).pop();
    for _ in 0..MANY {
        pickle
            .mark()
            .text("storage")
            .global("torch", "FloatStorage");
        pickle
            .get(0)
            .text("cpu")
            .int(1)
            .tuple()
            .persistent_id()
            .pop();
    }
    assert_refused(
        &torch_stream(&pickle.dict().stop(), &[]),
        &["bytes of a storage's key, at most 512"],
    );
    let mut pickle = Pickle::new();
    pickle.text(&long).put(0).pop();
    pickle.dict().text("G");
    module(&mut pickle, &|p| {
        p.text("_parameters").dict().text("_modules").dict();
        p.text("_buffers").dict().mark();
        for _ in 0..MANY {
            p.get(0).none();
        }
        p.set_items();
        p.text("_non_persistent_buffers_set").mark();
        p.get(0).raw(&vec![b'2'; MANY]).raw(b"\x91")
    });
    let read = Checkpoint::from_bytes("x", &pickle.set_item().stop()).unwrap();
    assert!(read.tensors().is_empty());

    // Many attributes that are looked through and left out, again and again.
    let mut pickle = Pickle::new();
    pickle.text("_metadata").put(0).pop().dict().put(1).mark();
    for _ in 0..MANY {
        pickle.get(0).none();
    }
    pickle.set_items().pop().dict();
    for _ in 0..MANY {
        pickle.get(1).build();
    }
    assert_refused(&pickle.stop(), &["pickle instructions, at most 4194304"]);

    // A long history again and again, each time too large to keep.
    let mut pickle = Pickle::new();
    pickle.list().put(0).mark().raw(&vec![b'N'; MANY]).appends();
    pickle.pop().dict().mark();
    for key in 0..MANY {
        pickle.int(key as i32).get(0);
    }
    assert_refused(
        &pickle.set_items().stop(),
        &["references to the same few objects"],
    );
}

#[test]
fn a_nested_stream_is_read_once() {
    // {"a": tensor, "b": tensor} of one byte string, whose stream takes many instructions.
    let mut storage = Pickle::new();
    for _ in 0..1000 {
        storage.none().pop();
    }
    storage
        .mark()
        .text("storage")
        .global("torch", "FloatStorage");
    storage.text("0").text("cpu").int(1).tuple().persistent_id();
    let storage = torch_stream(&storage.stop(), &[("0", 1, &1.5f32.to_le_bytes())]);
    let mut pickle = Pickle::new();
    pickle.bytes(&storage).put(0).pop().dict().mark();
    let tensors = 5000;
    for key in 0..tensors {
        pickle.int(key).global("torch._utils", "_rebuild_tensor_v2");
        pickle.mark();
        pickle.global("torch.storage", "_load_from_bytes");
        pickle.get(0).raw(b"\x85R");
        pickle.int(0).ints(&[1]).ints(&[1]).tuple().reduce();
    }
    let read = Checkpoint::from_bytes("x", &pickle.set_items().stop()).unwrap();
    assert_eq!(read.tensors().len(), tensors as usize);
    assert_eq!(read.tensors()["4999"].to_f32(), [1.5]);
}
