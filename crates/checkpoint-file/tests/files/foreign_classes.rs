//! Classes and functions outside the closed list: what stands beside them is read, and nothing of them is run.

use checkpoint_file::Checkpoint;

use crate::pickle_writer::{Pickle, torch_stream};
use crate::zip_writer::torch_archive;
use crate::{assert_refused, refusal};

/// A module of a class that is not known, as PyTorch pickles it: `write` fills the dicts of its parts.
pub fn module<'p>(
    pickle: &'p mut Pickle,
    class: (&str, &str),
    parameters: &dyn Fn(&mut Pickle),
    modules: &dyn Fn(&mut Pickle),
) -> &'p mut Pickle {
    pickle.global(class.0, class.1).empty_tuple().new_object();
    pickle.dict().mark().text("training").bool(true);
    pickle.text("_parameters").dict().mark();
    parameters(pickle);
    pickle.set_items().text("_buffers").dict();
    pickle.text("_modules").dict().mark();
    modules(pickle);
    pickle.set_items().set_items().build()
}

fn weight(pickle: &mut Pickle) {
    pickle
        .text("weight")
        .numpy_array(&[1], "f4", &2.5f32.to_le_bytes());
}

fn nothing(_: &mut Pickle) {}

fn read(pickle: &mut Pickle) -> Checkpoint {
    Checkpoint::from_bytes("some.file", &pickle.stop()).unwrap()
}

#[test]
fn other_entries_are_read_and_the_class_is_listed() {
    let mut pickle = Pickle::new();
    pickle.dict().mark();
    pickle
        .text("augment_pipe")
        .global("training.augment", "AugmentPipe");
    pickle
        .empty_tuple()
        .new_object()
        .dict()
        .text("p")
        .int(1)
        .set_item()
        .build();
    pickle.text("G_ema").dict().mark();
    weight(&mut pickle);
    pickle.set_items();
    pickle
        .text("hook")
        .global("os", "system")
        .text("echo")
        .raw(b"\x85")
        .reduce();
    pickle.text("class").global("model", "Generator");
    pickle
        .text("args")
        .dict()
        .text("when")
        .global("datetime", "datetime")
        .bytes(&[0; 10])
        .raw(b"\x85");
    pickle.reduce().set_item();
    let file = read(pickle.set_items());
    assert_eq!(
        file.network("G_ema").unwrap().tensors()["weight"].to_f32(),
        [2.5]
    );
    let listed: Vec<(&str, &str)> = file
        .not_understood()
        .iter()
        .map(|(name, class)| (name.as_str(), class.as_str()))
        .collect();
    assert_eq!(
        listed,
        [
            ("args", "datetime.datetime"),
            ("augment_pipe", "training.augment.AugmentPipe"),
            ("hook", "os.system")
        ]
    );
    assert_eq!(file.metadata()["args"], r#"{"when":null}"#);
    assert_eq!(file.metadata()["class"], r#""model.Generator""#);
}

#[test]
fn whole_modules_are_read_wherever_they_lie() {
    let generator = |pickle: &mut Pickle| {
        module(pickle, ("model", "Generator"), &weight, &|p| {
            p.text("conv");
            module(p, ("torch.nn.modules.conv", "Conv2d"), &weight, &nothing);
        });
    };
    // Alone, in a dict, in a list, and in a wrapper.
    let mut alone = Pickle::new();
    generator(&mut alone);
    let mut named = Pickle::new();
    named.dict().text("g_ema");
    generator(&mut named);
    named.set_item();
    let mut listed = Pickle::new();
    listed.list().mark();
    generator(&mut listed);
    listed.appends();
    let mut wrapped = Pickle::new();
    module(
        &mut wrapped,
        ("torch.nn.parallel.data_parallel", "DataParallel"),
        &nothing,
        &|p| {
            p.text("module");
            generator(p);
        },
    );
    for (mut pickle, prefix, network) in [
        (alone, "", ""),
        (named, "g_ema.", "g_ema"),
        (listed, "0.", "0"),
        (wrapped, "module.", ""),
    ] {
        let file = read(&mut pickle);
        let names: Vec<&str> = file.tensors().keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [format!("{prefix}conv.weight"), format!("{prefix}weight")]
        );
        assert_eq!(file.networks().len(), 1);
        assert_eq!(file.networks()[0].name(), network);
        assert_eq!(file.network(network).unwrap().tensors().len(), 2);
    }
}

#[test]
fn streams_of_whole_modules_name_their_classes_by_persistent_ids() {
    // ('module', class, file, source), as torch.save wrote it before PyTorch 1.6.
    let mut pickle = Pickle::new();
    pickle.mark().text("module").global("model", "Generator");
    pickle
        .text("model.py")
        .text("import os; os.system('echo')")
        .tuple()
        .persistent_id();
    pickle.empty_tuple().new_object().dict().mark();
    pickle.text("_parameters").dict().text("weight");
    pickle.torch_tensor("0", ("FloatStorage", 1), 0, &[1], &[1]);
    pickle
        .set_item()
        .text("_buffers")
        .dict()
        .text("_modules")
        .dict();
    let pickle = pickle.set_items().build().stop();
    for file in [
        torch_stream(&pickle, &[("0", 1, &2.5f32.to_le_bytes())]),
        torch_archive(&pickle, &[("0", &2.5f32.to_le_bytes())]),
    ] {
        let read = Checkpoint::from_bytes("x", &file).unwrap();
        assert_eq!(read.tensors()["weight"].to_f32(), [2.5]);
        assert_eq!(read.networks()[0].class_name(), Some("model.Generator"));
    }
}

#[test]
fn networks_inside_others_keep_their_configurations() {
    let official = |pickle: &mut Pickle| {
        pickle.global("torch_utils.persistence", "_reconstruct_persistent_obj");
        pickle
            .dict()
            .mark()
            .text("class_name")
            .text("Generator")
            .text("state")
            .dict()
            .mark();
        pickle.text("_parameters").dict().mark();
        weight(pickle);
        pickle
            .set_items()
            .text("_buffers")
            .dict()
            .text("_modules")
            .dict();
        pickle
            .text("_init_kwargs")
            .dict()
            .text("z_dim")
            .int(8)
            .set_item();
        pickle.set_items().set_items().raw(b"\x85R");
    };
    let mut pickle = Pickle::new();
    pickle.dict().mark().text("models").dict().text("G_ema");
    official(&mut pickle);
    pickle.set_item().text("parallel");
    module(
        &mut pickle,
        ("torch.nn.parallel.data_parallel", "DataParallel"),
        &nothing,
        &|p| {
            p.text("module");
            official(p);
        },
    );
    let file = read(pickle.set_items());
    for place in ["models.G_ema", "parallel.module"] {
        assert_eq!(
            file.metadata()[&format!("{place}.config")],
            r#"{"z_dim":8}"#
        );
        let network = file.network(place).unwrap();
        assert_eq!(network.metadata()["config"], r#"{"z_dim":8}"#);
        assert_eq!(network.tensors()["weight"].to_f32(), [2.5]);
    }
    let wrapper = file.network("parallel").unwrap();
    assert_eq!(wrapper.metadata()["module.config"], r#"{"z_dim":8}"#);
    assert_eq!(wrapper.networks()[0].name(), "module");
    assert_eq!(
        wrapper.not_understood()[""],
        "torch.nn.parallel.data_parallel.DataParallel"
    );
}

#[test]
fn tensors_of_unknown_functions_only_fail_where_they_are_asked_for() {
    let mut pickle = Pickle::new();
    pickle.dict().mark().text("d").dict().text("quantised");
    pickle.global("torch._utils", "_rebuild_qtensor").mark();
    pickle
        .mark()
        .text("storage")
        .global("torch", "ByteStorage")
        .text("0")
        .text("cpu")
        .int(1);
    pickle
        .tuple()
        .persistent_id()
        .int(0)
        .tuple()
        .reduce()
        .set_item();
    pickle
        .text("g")
        .dict()
        .text("w")
        .torch_tensor("0", ("ByteStorage", 1), 0, &[1], &[1])
        .set_item();
    let file = torch_archive(&pickle.set_items().stop(), &[("0", &[7])]);
    let read = Checkpoint::from_bytes("some.file", &file).unwrap();
    assert_eq!(read.tensors()["g.w"].to_f32(), [7.0]);
    assert_eq!(
        read.opaque()["d.quantised"],
        "torch._utils._rebuild_qtensor"
    );
    let device = &testkit::devices()[0].1;
    let message = read
        .tensor::<1>("d.quantised", device)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("element type torch._utils._rebuild_qtensor"),
        "{message}"
    );
}

#[test]
fn a_damaged_part_of_an_unknown_network_stays_its_own() {
    let mut pickle = Pickle::new();
    pickle.dict().mark().text("D");
    module(
        &mut pickle,
        ("pg_modules.discriminator", "ProjectedDiscriminator"),
        &|p| {
            // More elements than the array has.
            p.text("weight").numpy_array(&[9], "f4", &[0; 4]);
        },
        &nothing,
    );
    pickle.text("G").dict().mark();
    weight(&mut pickle);
    let file = read(pickle.set_items().set_items());
    assert_eq!(file.tensors().keys().collect::<Vec<_>>(), ["G.weight"]);
    assert!(file.not_understood()["D"].ends_with("ProjectedDiscriminator"));
    // In a network of known classes the same is an error.
    let mut pickle = Pickle::new();
    pickle
        .dict()
        .text("D")
        .dict()
        .text("weight")
        .numpy_array(&[9], "f4", &[0; 4]);
    assert_refused(&pickle.set_item().set_item().stop(), &["tensor D.weight"]);
}

#[test]
fn a_missing_part_of_a_module_is_kept_as_missing() {
    let mut pickle = Pickle::new();
    pickle.dict().text("G");
    module(&mut pickle, ("model", "Generator"), &weight, &|p| {
        p.text("compiled")
            .global("torch.jit", "load")
            .empty_tuple()
            .reduce();
    });
    let file = read(pickle.set_item());
    assert_eq!(file.opaque()["G.compiled"], "torch.jit.load");
}

#[test]
fn dicts_of_other_classes_are_dicts() {
    let mut pickle = Pickle::new();
    pickle.dict().mark().text("a");
    pickle
        .global("my.code", "AttrDict")
        .empty_tuple()
        .new_object()
        .mark();
    weight(&mut pickle);
    pickle.set_items().text("b");
    pickle
        .global("collections", "defaultdict")
        .global("builtins", "list")
        .raw(b"\x85R")
        .mark();
    weight(&mut pickle);
    pickle.set_items().text("c");
    pickle
        .global("types", "SimpleNamespace")
        .empty_tuple()
        .reduce()
        .dict()
        .mark();
    weight(&mut pickle);
    pickle.set_items().build();
    let file = read(pickle.set_items());
    let names: Vec<&String> = file.tensors().keys().collect();
    assert_eq!(names, ["a.weight", "b.weight", "c.weight"]);
    assert_eq!(file.not_understood().keys().collect::<Vec<_>>(), ["a"]);
    let networks: Vec<&str> = file.networks().iter().map(|n| n.name()).collect();
    assert_eq!(networks, ["a", "b", "c"]);
}

#[test]
fn tensorflow_networks_are_told_apart() {
    for (function, parts) in [
        (
            "G_main",
            &["dnnlib.tflib.network.Network", "legacy.py --source"][..],
        ),
        ("G_style", &["StyleGAN1", "use a StyleGAN2 model"]),
        ("G_paper", &["Progressive GAN"]),
    ] {
        // (G, D, Gs)
        let mut pickle = Pickle::new();
        pickle.mark();
        for _ in 0..3 {
            pickle
                .global("dnnlib.tflib.network", "Network")
                .empty_tuple()
                .new_object();
            pickle
                .dict()
                .mark()
                .text("version")
                .int(4)
                .text("build_func_name")
                .text(function);
            pickle.text("variables").list().set_items().build();
        }
        assert_refused(&pickle.tuple().stop(), parts);
    }
}

#[test]
fn messages_show_names_escaped_and_cut() {
    let long = format!("evil\u{1b}[31m\u{202e}{}", "x".repeat(1 << 20));
    let mut pickle = Pickle::new();
    pickle.text("m").text(&long).raw(b"\x93)").reduce();
    let in_class = pickle.stop();
    let mut pickle = Pickle::new();
    pickle
        .dict()
        .text(&long[..400])
        .numpy_array(&[9], "f4", &[0; 4]);
    let in_tensor = pickle.set_item().stop();
    for file in [in_class, in_tensor] {
        let message = refusal(&file);
        assert!(message.len() < 1500, "{}", message.len());
        assert!(message.contains("evil\\u{1b}[31m\\u{202e}xxx"), "{message}");
        assert!(!message.chars().any(char::is_control), "{message:?}");
    }
}

#[test]
fn a_part_of_torch_script_without_attributes_is_listed_and_the_rest_is_read() {
    let object = |pickle: &mut Pickle, class: &str| {
        let package = "__torch__.torch.classes.quantized";
        pickle.global(package, class).empty_tuple().new_object();
    };
    let mut pickle = Pickle::new();
    object(&mut pickle, "Network");
    pickle.dict().mark();
    weight(&mut pickle);
    pickle.text("packed");
    object(&mut pickle, "LinearPackedParams");
    pickle.ints(&[1, 2]).build();
    let file = read(pickle.set_items().build());
    assert_eq!(file.tensors()["weight"].to_f32(), [2.5]);
    let opaque: Vec<_> = file.opaque().iter().collect();
    assert_eq!(opaque.len(), 1);
    assert_eq!(opaque[0].0, "packed");
    assert!(opaque[0].1.ends_with("LinearPackedParams"), "{opaque:?}");

    // Alone it is nothing that could be read.
    let mut pickle = Pickle::new();
    object(&mut pickle, "LinearPackedParams");
    assert_refused(
        &pickle.ints(&[1, 2]).build().stop(),
        &["the TorchScript module has no state"],
    );
}
