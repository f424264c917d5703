//! Jobs on the models and images of the repository.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ganymede::checkpoint_file::{Checkpoint, StoredTensor, save_safetensors};
use ganymede::image_tensor::{DecodeLimits, decode_file};
use ganymede::latents::LatentSource;
use ganymede::lpips::LpipsNetwork;
use ganymede::stylegan2::FileOffset;
use ganymede::{
    Context, Device, Error, Milestone, Number, Observer, Phase, Preview, Seeds, Warning, convert,
    edit, find_and_invert, generate, index, interpolate, invert, measure, search, study, train,
    transfer, zoo,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn context() -> Context {
    Context::new(Device::flex())
}

/// Writes down what it is told.
#[derive(Default)]
struct Witness {
    phases: Vec<(String, u64)>,
    positions: Vec<u64>,
    previews: Vec<String>,
    warnings: Vec<Warning>,
    milestones: Vec<Milestone>,
    numbers: Vec<&'static str>,
    cancel_at: Option<u64>,
    wants_previews: bool,
}

impl Observer for Witness {
    fn begin(&mut self, phase: &Phase<'_>) {
        self.phases.push((phase.name.to_owned(), phase.length));
    }
    fn position(&mut self, done: u64) {
        self.positions.push(done);
    }
    fn preview(&mut self, preview: &Preview<'_>) {
        self.previews.push(preview.name.to_owned());
    }
    fn warn(&mut self, warning: &Warning) {
        self.warnings.push(warning.clone());
    }
    fn milestone(&mut self, milestone: &Milestone) {
        self.milestones.push(milestone.clone());
    }
    fn numbers(&mut self, numbers: &[Number]) {
        self.numbers = numbers.iter().map(|number| number.name).collect();
    }
    fn wants_previews(&self) -> bool {
        self.wants_previews
    }
    fn cancelled(&self) -> bool {
        let at = self.positions.last().copied().unwrap_or(0);
        self.cancel_at.is_some_and(|limit| at >= limit)
    }
}

#[test]
fn options_are_read_from_json_and_unknown_ones_are_refused() {
    fn check<T>(value: T)
    where
        T: Default + PartialEq + std::fmt::Debug + Serialize + DeserializeOwned,
    {
        let text = serde_json::to_string(&value).unwrap();
        assert_eq!(serde_json::from_str::<T>(&text).unwrap(), value, "{text}");
        assert_eq!(serde_json::from_str::<T>("{}").unwrap(), T::default());
        let error = serde_json::from_str::<T>(r#"{"nonsense": 1}"#).err();
        assert!(error.unwrap().to_string().contains("nonsense"));
    }
    check(generate::Options {
        seeds: Seeds(vec![5, 6, 7, 1]),
        noise_mode: generate::LayerNoise::Random,
        truncation_cutoff: Some(3),
        ..generate::Options::default()
    });
    check(search::Options {
        image: vec![PathBuf::from("a.png")],
        method: search::Method::FirstAndSecondMoment,
        ..search::Options::default()
    });
    check(invert::Options {
        image: vec![PathBuf::from("a.png")],
        inversion: invert::Settings {
            space: invert::Space::W,
            lpips: LpipsNetwork::Vgg16,
            patience: Some(3),
            ..invert::Settings::default()
        },
        ..invert::Options::default()
    });
    check(find_and_invert::Options {
        ranks: vec![2, 1],
        ..find_and_invert::Options::default()
    });
    check(interpolate::Options {
        from: LatentSource::Seed(7),
        via: vec![LatentSource::File(PathBuf::from("a.safetensors"))],
        to: LatentSource::Image(PathBuf::from("b.png")),
        closed: true,
        ..interpolate::Options::default()
    });
    check(edit::Options {
        edit: vec!["smile=1.5".parse().unwrap()],
        layers: "2-5".parse().unwrap(),
        region: Some("0,0.25,1,0.5".parse().unwrap()),
        channel: edit::Channel::Warmth,
        basis: edit::Space::Block(16),
        ..edit::Options::default()
    });
    check(index::BuildOptions {
        ridge: 0.5,
        ..index::BuildOptions::default()
    });
    check(index::ChangeOptions::default());
    check(index::EvaluateOptions::default());
    check(measure::Options {
        protocol: ganymede::protocol::Protocol::ClipVitB32,
        ..measure::Options::default()
    });
    check(convert::Options {
        precision: convert::Precision::Bf16,
        ..convert::Options::default()
    });
    check(train::Options {
        images: vec![PathBuf::from("pictures")],
        progressive: Some("16:20,32:50".parse().unwrap()),
        anneal: Some("1:2:0.5".parse().unwrap()),
        vision_aided: vec!["vgg16=weights/vgg.pth".parse().unwrap()],
        augment: Some("color,cutout".parse().unwrap()),
        shard: "2/8".parse().unwrap(),
        ..train::Options::default()
    });
    check(transfer::Options {
        kimg: vec![1.0, 2.5],
        ..transfer::Options::default()
    });
    check(study::transfer::Options {
        ranks: vec![1, 2],
        ..study::transfer::Options::default()
    });
    check(study::inversion::Options {
        shard: Some("1/2".parse().unwrap()),
        ..study::inversion::Options::default()
    });
    check(edit::gallery::Options::default());
    check(zoo::Options {
        names: vec!["micah".to_owned()],
        ..zoo::Options::default()
    });
    let text = serde_json::to_value(generate::Options::default()).unwrap();
    assert_eq!(text["seeds"], "0-31");
    let text = serde_json::to_value(transfer::FineTuning::default()).unwrap();
    assert_eq!(text["vision_aided"][0], "efficientnet_lite0");
}

#[test]
fn options_that_cannot_be_used_are_named() {
    let name = |result: Result<(), Error>| match result {
        Err(Error::Option { option, .. }) => option,
        other => panic!("{other:?}"),
    };
    let generate = |change: fn(&mut generate::Options)| {
        let mut options = generate::Options::default();
        change(&mut options);
        name(generate::run(&options, &context(), &mut ()).map(|_| ()))
    };
    assert_eq!(generate(|o| o.seeds.0.clear()), "seeds");
    assert_eq!(generate(|o| o.columns = 0), "columns");
    assert_eq!(generate(|o| o.batch = 0), "batch");
    assert_eq!(generate(|o| o.truncation_psi = f32::NAN), "truncation_psi");
    assert_eq!(generate(|o| o.class = Some(0)), "class");
    assert_eq!(generate(|o| o.model = "nonsense".to_owned()), "model");
    let edit = |change: fn(&mut edit::Options)| {
        let mut options = edit::Options::default();
        change(&mut options);
        name(edit::run(&options, &context(), &mut ()).map(|_| ()))
    };
    assert_eq!(edit(|o| o.random = 0), "random");
    assert_eq!(edit(|o| o.trials = 1), "trials");
    assert_eq!(edit(|o| o.save = Some("x".to_owned())), "save");
    assert_eq!(edit(|o| o.mixture = true), "mixture");
    assert_eq!(edit(|o| o.inversion.batch = 0), "batch");
    assert_eq!(edit(|o| o.basis = edit::Space::Block(5)), "basis");
    let discover = |o: &mut edit::Options| {
        o.discover = true;
        o.direction = Some(1);
    };
    assert_eq!(edit(discover), "discover");
    let interpolate = |change: fn(&mut interpolate::Options)| {
        let mut options = interpolate::Options::default();
        change(&mut options);
        name(interpolate::run(&options, &context(), &mut ()).map(|_| ()))
    };
    assert_eq!(interpolate(|o| o.frames = 1), "frames");
    assert_eq!(interpolate(|o| o.fps = 0), "fps");
    let ranks = find_and_invert::Options {
        ranks: vec![0],
        ..find_and_invert::Options::default()
    };
    let found = find_and_invert::run(&ranks, &context(), &mut ());
    assert_eq!(name(found.map(|_| ())), "ranks");
    let both = search::Options {
        image: vec![PathBuf::from("a.png")],
        like: Some("micah".to_owned()),
        ..search::Options::default()
    };
    assert_eq!(
        name(search::run(&both, &context(), &mut ()).map(|_| ())),
        "like"
    );
    let train = |change: fn(&mut train::Options)| {
        let mut options = train::Options::default();
        change(&mut options);
        name(train::run(&options, &context(), &mut ()).map(|_| ()))
    };
    assert_eq!(train(|o| o.kimg = Some(0.0)), "kimg");
    assert_eq!(train(|o| o.gamma = Some(f64::NAN)), "gamma");
    assert_eq!(train(|o| o.style_mixing = Some(1.5)), "style_mixing");
    assert_eq!(train(|o| o.publish = true), "publish");
    assert_eq!(train(|o| o.zoo = Some("nonsense".to_owned())), "zoo");
    let resumed = train::Options {
        zoo: Some("all".to_owned()),
        resume: true,
        ..train::Options::default()
    };
    let found = train::zoo(&resumed, &context(), &mut ());
    assert_eq!(name(found.map(|_| ())), "resume");
    let transfer = |change: fn(&mut transfer::Options)| {
        let mut options = transfer::Options::default();
        change(&mut options);
        name(transfer::run(&options, &context(), &mut ()).map(|_| ()))
    };
    assert_eq!(transfer(|o| o.kimg.clear()), "kimg");
    assert_eq!(transfer(|o| o.tuning.samples = 1), "samples");
    assert_eq!(
        transfer(|o| o.source = Some("nonsense".to_owned())),
        "source"
    );
    let study = |change: fn(&mut study::inversion::Options)| {
        let mut options = study::inversion::Options::default();
        change(&mut options);
        name(study::inversion::run(&options, &context(), &mut ()).map(|_| ()))
    };
    assert_eq!(study(|o| o.resamples = 99), "resamples");
    assert_eq!(study(|o| o.frames = 1), "frames");
}

#[test]
fn a_folder_of_weights_that_is_not_there_is_named() {
    let context = context().with_weights("/nowhere/weights");
    let error = generate::run(&generate::Options::default(), &context, &mut ()).unwrap_err();
    assert!(
        matches!(&error, Error::NoWeights { path, .. } if path == Path::new("/nowhere/weights"))
    );
}

#[test]
fn images_are_shown_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let options = generate::Options {
        seeds: "3,8".parse().unwrap(),
        single: true,
        out: Some(folder.path().to_owned()),
        ..generate::Options::default()
    };
    let context = context();
    let mut witness = Witness::default();
    let outcome = generate::run(&options, &context, &mut witness).unwrap();
    assert!(!outcome.cancelled);
    assert_eq!(witness.phases, [("images".to_owned(), 2)]);
    assert_eq!(witness.previews, ["seed0003", "seed0008"]);
    assert_eq!(witness.positions, [2]);
    let files: Vec<PathBuf> = outcome
        .images
        .iter()
        .map(|image| image.file.clone().unwrap().0)
        .collect();
    let read = |path: &Path| decode_file(path, &DecodeLimits::default()).unwrap();
    assert_eq!(read(&files[0]).width(), outcome.resolution);
    assert_ne!(read(&files[0]), read(&files[1]));
    // A seed's image does not depend on what is made beside it.
    let alone = generate::Options {
        seeds: "8".parse().unwrap(),
        batch: 1,
        ..options
    };
    let before = read(&files[1]);
    generate::run(&alone, &context, &mut ()).unwrap();
    assert_eq!(read(&files[1]), before);
}

#[test]
fn a_job_that_is_ended_early_gives_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let options = generate::Options {
        seeds: "0-3".parse().unwrap(),
        batch: 2,
        out: Some(folder.path().to_owned()),
        ..generate::Options::default()
    };
    let mut witness = Witness {
        cancel_at: Some(2),
        ..Witness::default()
    };
    let outcome = generate::run(&options, &context(), &mut witness).unwrap();
    assert!(outcome.cancelled);
    assert_eq!(outcome.images.len(), 2);
    assert!(outcome.images[0].file.as_ref().unwrap().0.is_file());
    let json = serde_json::to_value(&outcome).unwrap();
    assert_eq!(json["cancelled"], true);
    let read: generate::Outcome = serde_json::from_value(json).unwrap();
    assert_eq!(read.images, outcome.images);
    let mut at_once = Witness {
        cancel_at: Some(0),
        ..Witness::default()
    };
    let error = search::run(&search::Options::default(), &context(), &mut at_once).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
}

#[test]
fn images_together_are_one_query_and_one_image_is_the_same_either_way() {
    let context = context();
    let queries = context.weights().unwrap().queries();
    let run = |together, names: &[&str]| {
        let options = search::Options {
            image: names.iter().map(|name| queries.join(name)).collect(),
            together,
            ..search::Options::default()
        };
        search::run(&options, &context, &mut ()).unwrap()
    };
    let each = run(false, &["notionists/0.png", "thumbs/0.png"]);
    assert_eq!(each.queries.len(), 2);
    assert_eq!(each.queries[0].ranking.len(), each.models);
    // Held-out images of a style are found by its model.
    assert_eq!(each.queries[0].ranking[0].model, "notionists");
    assert_eq!(each.queries[1].ranking[0].model, "thumbs");
    for query in &each.queries {
        assert!(query.ranking.is_sorted_by(|a, b| a.score >= b.score));
    }
    let alone = run(true, &["notionists/0.png"]);
    assert_eq!(alone.queries[0].query, "1 images");
    for (a, b) in alone.queries[0]
        .ranking
        .iter()
        .zip(&each.queries[0].ranking)
    {
        assert_eq!(a.model, b.model);
        // The same sum; features of one image or two differ by rounding in f32, scores are in the hundreds.
        assert!((a.score - b.score).abs() < 0.05, "{a:?} {b:?}");
    }
}

#[test]
fn an_index_that_does_not_know_a_model_is_warned_of() {
    let context = context();
    let weights = context.weights().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = |from: &str, to: &str| {
        let (from, to) = (weights.zoo().join(from), folder.path().join(to));
        std::fs::create_dir(&to).unwrap();
        for file in ["generator.safetensors", "card.toml"] {
            std::fs::copy(from.join(file), to.join(file)).unwrap();
        }
        to
    };
    for name in weights.model_names() {
        copy(&name, &name);
    }
    let card = copy("micah", "unheard").join("card.toml");
    let text = std::fs::read_to_string(&card).unwrap();
    std::fs::write(card, text.replace("name = \"micah\"", "name = \"unheard\"")).unwrap();
    for name in ["index.ganymede", "index.toml"] {
        std::fs::copy(weights.zoo().join(name), folder.path().join(name)).unwrap();
    }
    let options = search::Options {
        like: Some("micah".to_owned()),
        zoo: Some(folder.path().to_owned()),
        ..search::Options::default()
    };
    let mut witness = Witness::default();
    search::run(&options, &context, &mut witness).unwrap();
    let [Warning::IndexOutdated(outdated)] = &witness.warnings[..] else {
        panic!("{:?}", witness.warnings);
    };
    assert_eq!(outdated.new, ["unheard"]);
    assert!(outdated.changed.is_empty() && outdated.gone.is_empty());
    assert!(witness.warnings[0].to_string().contains("unheard"));
}

#[test]
fn a_converted_generator_is_the_same_generator() {
    let folder = tempfile::tempdir().unwrap();
    let context = context();
    let options = convert::Options {
        out: Some(folder.path().to_owned()),
        ..convert::Options::default()
    };
    let outcome = convert::run(&options, &context, &mut ()).unwrap();
    let converted = outcome.converted.as_ref().unwrap();
    assert_eq!(converted.kind, "StyleGAN2 generator");
    let [before, after] =
        [&outcome.contents.file, &converted.output].map(|path| Checkpoint::open(&path.0).unwrap());
    // The zoo's files are of half precision, which f32 holds.
    assert!(before.tensors().keys().eq(after.tensors().keys()));
    for (name, tensor) in before.tensors() {
        let converted = &after.tensors()[name];
        assert_eq!(tensor.shape(), converted.shape(), "{name}");
        assert_eq!(tensor.to_f32(), converted.to_f32(), "{name}");
    }
    let json = serde_json::to_value(&outcome).unwrap();
    assert_eq!(json["config"]["img_resolution"], 64);
    assert!(json["network"].is_null());

    // What was written is not converted onto itself.
    let again = convert::Options {
        file: Some(converted.output.0.clone()),
        ..options
    };
    let error = convert::run(&again, &context, &mut ()).unwrap_err();
    assert!(error.to_string().contains("would replace"), "{error}");

    let listed = convert::run(&convert::Options::default(), &context, &mut ()).unwrap();
    let json = serde_json::to_value(&listed).unwrap();
    assert!(json.get("network").is_none() && json.get("output").is_none());
    assert_eq!(
        json["tensors"].as_array().unwrap().len(),
        listed.contents.tensors.len()
    );
}

/// A stand-in for a file of another tool.
fn case(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../stylegan2/tests/fixtures/cases")
        .join(file)
}

#[test]
fn a_generator_with_opacity_is_written_as_rgba() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("rgba.safetensors");
    let config = stylegan2::GeneratorConfig::from_json(
        r#"{"z_dim": 8, "c_dim": 0, "w_dim": 8, "img_resolution": 32, "img_channels": 4,
            "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": {"channel_base": 128}}"#,
    )
    .unwrap();
    let context = context();
    let generator = stylegan2::Generator::init(&config, 0, context.device()).unwrap();
    generator
        .save(&model, checkpoint_file::FloatPrecision::F32)
        .unwrap();
    for single in [true, false] {
        let options = generate::Options {
            model: model.display().to_string(),
            seeds: "0-2".parse().unwrap(),
            single,
            out: Some(folder.path().to_owned()),
            ..generate::Options::default()
        };
        let outcome = generate::run(&options, &context, &mut ()).unwrap();
        has_opacity(&outcome.images[0].file.as_ref().unwrap().0);
    }
    let out = Some(folder.path().to_owned());
    let options = interpolate::Options {
        model: model.display().to_string(),
        from: "1".parse().unwrap(),
        to: "2".parse().unwrap(),
        frames: 3,
        no_mp4: true,
        out: out.clone(),
        ..interpolate::Options::default()
    };
    let outcome = interpolate::run(&options, &context, &mut ()).unwrap();
    has_opacity(&outcome.frames[1].file.as_ref().unwrap().0);
    has_opacity(&outcome.strip.unwrap().0);
    let options = edit::Options {
        model: model.display().to_string(),
        direction: Some(0),
        samples: Some(40),
        components: Some(2),
        random: 1,
        out,
        ..edit::Options::default()
    };
    let outcome = edit::run(&options, &context, &mut ()).unwrap();
    has_opacity(&outcome.sheet.unwrap().0);
}

fn has_opacity(file: &Path) {
    let png = std::fs::read(file).unwrap();
    // The color type of a PNG's header: true color with alpha.
    assert_eq!((&png[12..16], png[25]), (&b"IHDR"[..], 6), "{file:?}");
}

#[test]
fn latents_of_other_tools_are_generated() {
    let folder = tempfile::tempdir().unwrap();
    let options = generate::Options {
        model: case("buffer_attr.pkl").display().to_string(),
        latents: vec![case("projected_w.npz"), case("pti_pivot.pt")],
        single: true,
        out: Some(folder.path().to_owned()),
        ..generate::Options::default()
    };
    let outcome = generate::run(&options, &context(), &mut ()).unwrap();
    let names: Vec<String> = outcome
        .images
        .iter()
        .map(|image| {
            image
                .file
                .as_ref()
                .unwrap()
                .0
                .file_name()
                .unwrap()
                .to_string_lossy()
                .into()
        })
        .collect();
    assert_eq!(
        names,
        ["buffer_attr-projected_w.png", "buffer_attr-pti_pivot.png"]
    );
    assert!(
        outcome.images[0]
            .latent
            .as_ref()
            .unwrap()
            .ends_with("projected_w.npz: w")
    );
    // Of a model of another size.
    let other = generate::Options {
        model: "micah".to_owned(),
        ..options
    };
    let error = generate::run(&other, &context(), &mut ()).unwrap_err();
    assert!(error.to_string().contains("projected_w.npz"), "{error}");
}

#[test]
fn refined_latents_of_different_blocks_are_generated_together() {
    let folder = tempfile::tempdir().unwrap();
    let context = context();
    let generator = context.model("micah").unwrap().generator.clone();
    let (layers, w_dim) = (generator.synthesis.num_ws(), generator.synthesis.w_dim());
    let latent = |name: &str, offset: Option<(usize, f32)>| {
        let zeros = vec![0.0; layers * w_dim];
        let w_plus = StoredTensor::from_f32(vec![1, layers, w_dim], &zeros);
        let mut tensors = BTreeMap::from([("w_plus".to_owned(), w_plus)]);
        if let Some((block, value)) = offset {
            let shape = vec![1, generator.config().channels(block), block, block];
            let values = vec![value; shape.iter().product()];
            let name = FileOffset::tensor_name(block);
            tensors.insert(name, StoredTensor::from_f32(shape, &values));
        }
        let path = folder.path().join(format!("{name}.safetensors"));
        save_safetensors(&path, &tensors, &BTreeMap::new(), None).unwrap();
        path
    };
    let options = generate::Options {
        model: "micah".to_owned(),
        latents: vec![
            latent("plain", None),
            latent("zero-16", Some((16, 0.0))),
            latent("zero-32", Some((32, 0.0))),
            latent("changed", Some((32, 1.0))),
        ],
        single: true,
        out: Some(folder.path().join("out")),
        ..generate::Options::default()
    };
    let outcome = generate::run(&options, &context, &mut ()).unwrap();
    let picture = |image: &generate::Image| std::fs::read(&image.file.as_ref().unwrap().0).unwrap();
    let pictures: Vec<Vec<u8>> = outcome.images.iter().map(picture).collect();
    assert_eq!(pictures.len(), 4);
    assert!(pictures[1..3].iter().all(|zero| *zero == pictures[0]));
    assert_ne!(pictures[3], pictures[0]);
}

#[test]
fn networks_of_other_tools_are_listed_and_converted() {
    let folder = tempfile::tempdir().unwrap();
    let options = |file: &str| convert::Options {
        file: Some(case(file)),
        out: Some(folder.path().to_owned()),
        ..convert::Options::default()
    };
    let run = |file: &str| convert::run(&options(file), &context(), &mut ());
    let outcome = run("vision_aided_snapshot.pkl").unwrap();
    assert_eq!(
        outcome.contents.not_understood["cvD"],
        "torch.nn.modules.container.ModuleList"
    );
    assert_eq!(outcome.converted.unwrap().network.as_deref(), Some("G_ema"));
    for (file, network) in [
        ("e4e_encode.pt", "state_dict.decoder"),
        ("psp_state_dict.pt", "state_dict"),
        ("dataparallel.pt", "g_ema.module"),
    ] {
        let converted = run(file).unwrap().converted.unwrap();
        assert_eq!(converted.network.as_deref(), Some(network));
        assert_eq!(converted.kind, "StyleGAN2 generator");
        let saved = Checkpoint::open(&converted.output.0).unwrap();
        assert!(saved.tensors().contains_key("mapping.w_avg"));
    }
    for (file, part) in [
        ("stylegan3-t-ffhq.pkl", "StyleGAN3"),
        ("conditional_export.pt", "label embedding"),
        ("stylegan_human.pkl", "rectangular"),
    ] {
        let error = run(file).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains(file), "{error}");
    }
}

#[test]
fn the_name_of_a_network_cannot_lead_elsewhere() {
    for name in ["/../../../evil", "..", "a\\b", "\u{1b}[2J", "nul", "a\nb"] {
        let folder = tempfile::tempdir().unwrap();
        let (file, out) = (folder.path().join("bad.pkl"), folder.path().join("out"));
        // {name: {"scale": numpy.array([2.0], "f4")}}
        let mut pickle = b"\x80\x04}X".to_vec();
        pickle.extend((name.len() as u32).to_le_bytes());
        pickle.extend(name.as_bytes());
        pickle.extend(
            b"}X\x05\0\0\0scalecnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tC\x01btR(K\x01(K\x01t\
              cnumpy\ndtype\n(X\x02\0\0\0f4tR\x89C\x04\0\0\0\x40tbss.",
        );
        std::fs::write(&file, pickle).unwrap();
        // What makes the way through `bad.` passable.
        std::fs::create_dir_all(out.join("bad.")).unwrap();
        let options = convert::Options {
            file: Some(file),
            network: Some(name.to_owned()),
            out: Some(out.clone()),
            ..convert::Options::default()
        };
        let converted = convert::run(&options, &context(), &mut ())
            .unwrap()
            .converted
            .unwrap();
        assert_eq!(converted.output.0.parent(), Some(out.as_path()), "{name:?}");
        let written: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(written.len(), 2, "{name:?}");
    }
}

#[test]
fn layers_that_a_model_has_not_cannot_be_truncated() {
    let options = |layers| generate::Options {
        truncation_cutoff: Some(layers),
        seeds: "0".parse().unwrap(),
        ..generate::Options::default()
    };
    // A model of 64x64 pixels: two for each resolution from 4 on.
    assert!(generate::run(&options(10), &context(), &mut ()).is_ok());
    let error = generate::run(&options(11), &context(), &mut ()).unwrap_err();
    assert!(error.to_string().contains("10 layers"), "{error}");
}

#[test]
fn every_tensor_is_counted_in_its_network_and_in_no_other() {
    let folder = tempfile::tempdir().unwrap();
    // Names of which one begins with another.
    let file = folder.path().join("names.safetensors");
    let tensor = || StoredTensor::from_f32(vec![1], &[1.0]);
    let counted = |tensors: BTreeMap<String, StoredTensor>| {
        save_safetensors(
            &file,
            &tensors,
            &BTreeMap::new(),
            checkpoint_file::FloatPrecision::F32,
        )
        .unwrap();
        let options = convert::Options {
            file: Some(file.clone()),
            ..convert::Options::default()
        };
        convert::run(&options, &context(), &mut ())
            .unwrap()
            .contents
    };
    let names = ["G.a", "G_ema.a", "G_ema.b", "D.a", "D.b", "D.c"];
    let contents = counted(names.map(|name| (name.to_owned(), tensor())).into());
    assert_eq!(contents.tensors.len(), names.len());
    for network in &contents.networks {
        let prefix = format!("{}.", network.name);
        let expected = names
            .iter()
            .filter(|name| name.starts_with(&prefix))
            .count();
        assert_eq!(network.tensors, expected, "{}", network.name);
    }
    for file in [
        "vision_aided_snapshot.pkl",
        "gray.pkl",
        "stylegan2_with_projected_D.pkl",
    ] {
        let options = convert::Options {
            file: Some(case(file)),
            ..convert::Options::default()
        };
        let contents = convert::run(&options, &context(), &mut ())
            .unwrap()
            .contents;
        let sum: usize = contents
            .networks
            .iter()
            .map(|network| network.tensors)
            .sum();
        assert_eq!(sum, contents.tensors.len(), "{file}");
        assert!(
            contents.networks.iter().all(|network| network.tensors > 0),
            "{file}"
        );
    }
}

#[test]
fn gray_models_of_other_tools_are_generated_as_gray() {
    let folder = tempfile::tempdir().unwrap();
    for (file, color_type) in [
        ("gray.pkl", None),
        ("rgba.pkl", Some(6)),
        ("square_true.pkl", Some(2)),
    ] {
        let options = generate::Options {
            model: case(file).display().to_string(),
            seeds: "0-1".parse().unwrap(),
            single: true,
            out: Some(folder.path().to_owned()),
            ..generate::Options::default()
        };
        let outcome = generate::run(&options, &context(), &mut ()).unwrap();
        let written = &outcome.images[0].file.as_ref().unwrap().0;
        let png = std::fs::read(written).unwrap();
        match color_type {
            // The color type of a PNG's header.
            Some(color_type) => assert_eq!(png[25], color_type, "{file}"),
            None => {
                let image = decode_file(written, &DecodeLimits::default()).unwrap();
                assert!(image.pixels().all(|p| p.0 == [p.0[0]; 3]), "{file}");
            }
        }
    }
}

fn invert_options(context: &Context, numbers: &[u32], steps: usize) -> invert::Options {
    let queries = context.weights().unwrap().queries();
    invert::Options {
        model: "micah".to_owned(),
        image: numbers
            .iter()
            .map(|number| queries.join(format!("micah/{number}.png")))
            .collect(),
        inversion: invert::Settings {
            steps,
            batch: 1,
            ..invert::Settings::default()
        },
        ..invert::Options::default()
    }
}

#[test]
fn an_inversion_tells_its_losses_and_shows_its_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let context = context();
    let options = invert::Options {
        animation: true,
        out: Some(folder.path().to_owned()),
        ..invert_options(&context, &[2, 3], 4)
    };
    let mut witness = Witness {
        wants_previews: true,
        ..Witness::default()
    };
    let outcome = invert::run(&options, &context, &mut witness).unwrap();
    assert!(!outcome.cancelled);
    assert_eq!(
        witness.phases,
        [
            ("image 1 of 2".to_owned(), 4),
            ("image 2 of 2".to_owned(), 4)
        ]
    );
    assert_eq!(witness.positions, [1, 2, 3, 4, 1, 2, 3, 4]);
    assert_eq!(witness.numbers, ["loss", "LPIPS", "PSNR"]);
    // Of each image its four steps and what was found.
    let names = [["micah-2"; 5], ["micah-3"; 5]].concat();
    assert_eq!(witness.previews, names);
    let json = serde_json::to_value(&outcome).unwrap();
    assert_eq!(json["space"], "w_plus");
    assert_eq!(json["device"], "cpu");
    assert!(json.get("cancelled").is_none());
    assert_eq!(json["inversions"][1]["stop"], "finished");
    let files = outcome.inversions[0].files.as_ref().unwrap();
    assert!(files.animation.as_ref().unwrap().0.is_file());
    // What was written are the latents that are returned.
    let latents = Checkpoint::open(&files.latents.0).unwrap();
    let written = latents.tensors()["w_plus"].to_f32();
    let w_plus = outcome.inversions[0].w_plus.clone().into_data();
    assert_eq!(written, w_plus.iter::<f32>().collect::<Vec<_>>());
}

#[test]
fn an_inversion_that_is_ended_early_gives_what_it_found() {
    let folder = tempfile::tempdir().unwrap();
    let context = context();
    let options = invert::Options {
        out: Some(folder.path().to_owned()),
        ..invert_options(&context, &[2, 3], 50)
    };
    let mut witness = Witness {
        cancel_at: Some(2),
        ..Witness::default()
    };
    let outcome = invert::run(&options, &context, &mut witness).unwrap();
    assert!(outcome.cancelled);
    let [found] = &outcome.inversions[..] else {
        panic!("{}", outcome.inversions.len());
    };
    // Losses of the second step were read; its update was not made.
    assert_eq!((found.stop, found.steps), (invert::Stop::Cancelled, 1));
    let files = found.files.as_ref().unwrap();
    assert!(files.reconstruction.0.is_file());
    // Previews that nobody wants are only those that exist anyway.
    assert_eq!(witness.previews, ["micah-2"]);
    let json = serde_json::to_value(&outcome).unwrap();
    assert_eq!(json["cancelled"], true);
}

#[test]
fn the_study_of_refinement_compares_each_way_with_the_plain_search_and_keeps_whole_images() {
    use study::refinement::{Options, Way, run};
    let out = tempfile::tempdir().unwrap();
    let options = Options {
        models: vec!["openPeeps".to_owned()],
        images: 2,
        without: vec![Way::Regressed, Way::Prior],
        lbfgs_steps: 2,
        tune_steps: 2,
        pictures: Some(out.path().to_owned()),
        inversion: invert::Settings {
            steps: 4,
            refine_steps: 4,
            // From a good latent so few steps may bring nothing, and all searches keep where they start.
            start: invert::StartChoice::Mean,
            ..invert::Settings::default()
        },
        ..Options::default()
    };
    let mut witness = Witness {
        cancel_at: Some(1),
        ..Witness::default()
    };
    let outcome = run(&options, &context(), &mut witness).unwrap();
    // The second image was ended on its way.
    assert!(outcome.cancelled);
    assert_eq!(witness.phases, [("images".to_owned(), 2)]);
    assert_eq!(witness.positions, [1]);
    let ways: Vec<_> = outcome
        .rows
        .iter()
        .map(|row| (row.way, row.images))
        .collect();
    assert_eq!(
        ways,
        [
            (Way::WPlus, 1),
            (Way::Lbfgs, 1),
            (Way::Refined, 1),
            (Way::Tuned, 1)
        ]
    );
    let [plain, lbfgs, refined, tuned] = &outcome.rows[..] else {
        panic!("four rows");
    };
    // Another search, not the plain one under another name.
    assert!(lbfgs.psnr != plain.psnr && lbfgs.psnr > 0.0, "{lbfgs:?}");
    // Each starts from a search's result and only goes down from there; it has its latents and takes its time and more.
    for (row, from) in [(refined, plain), (tuned, lbfgs)] {
        assert!(row.psnr > from.psnr, "{row:?}");
        assert_eq!(row.w_plus_distance, from.w_plus_distance);
        assert!(row.seconds > from.seconds);
        assert!(row.edit_kept.is_some());
    }
    // Rows of one image are that image's numbers.
    let of_images: Vec<_> = outcome
        .images
        .iter()
        .map(|result| (result.image.as_str(), result.way, result.measured.psnr))
        .collect();
    let of_rows = outcome.rows.iter();
    let of_rows: Vec<_> = of_rows
        .map(|row| ("openPeeps-0", row.way, row.psnr))
        .collect();
    assert_eq!(of_images, of_rows);
    assert!(refined.mask.is_some() && refined.moved.is_none());
    assert!(tuned.mask.is_none() && tuned.moved.is_some());
    assert_eq!((plain.edit_kept, plain.side_effect), (None, None));
    // Target, plain, refined, tuned, and both ends of the first named edit on the plain and on the refined one, 128
    // pixels each.
    let picture =
        decode_file(out.path().join("openPeeps-0.png"), &DecodeLimits::default()).unwrap();
    assert_eq!(picture.height(), 128 + 2 * 2);
    assert_eq!(picture.width(), 8 * 128 + 9 * 2);
    assert!(!out.path().join("openPeeps-1.png").exists());
}

#[test]
fn a_query_is_inverted_with_the_models_that_are_found() {
    let context = context();
    let queries = context.weights().unwrap().queries();
    let options = find_and_invert::Options {
        image: Some(queries.join("micah/2.png")),
        ranks: vec![1, 400],
        show: 1,
        inversion: invert::Settings {
            steps: 3,
            ..invert::Settings::default()
        },
        ..find_and_invert::Options::default()
    };
    let mut witness = Witness::default();
    let outcome = find_and_invert::run(&options, &context, &mut witness).unwrap();
    assert_eq!(outcome.ranking[0].model, "micah");
    let [found] = &outcome.inversions[..] else {
        panic!("{:?}", outcome.inversions);
    };
    assert_eq!((found.rank, found.steps), (1, 3));
    assert_eq!(witness.previews, ["samples-1", "rank-01-micah"]);
    assert!(matches!(
        witness.warnings[..],
        [Warning::RankLeftOut { rank: 400, .. }]
    ));
    let mut impatient = Witness {
        cancel_at: Some(2),
        ..Witness::default()
    };
    let ended = find_and_invert::run(&options, &context, &mut impatient).unwrap();
    assert!(ended.cancelled);
    assert_eq!(ended.inversions[0].steps, 1);
}

#[test]
fn a_path_that_is_ended_early_has_frames_and_no_smoothness() {
    let folder = tempfile::tempdir().unwrap();
    let options = interpolate::Options {
        frames: 9,
        no_mp4: true,
        out: Some(folder.path().to_owned()),
        ..interpolate::Options::default()
    };
    let mut witness = Witness {
        cancel_at: Some(4),
        ..Witness::default()
    };
    let outcome = interpolate::run(&options, &context(), &mut witness).unwrap();
    assert!(outcome.cancelled && outcome.smoothness.is_none() && outcome.plot.is_none());
    assert_eq!(outcome.frames.len(), 4);
    assert_eq!(witness.previews.len(), 4);
    assert_eq!(witness.previews[3], "funEmoji-frame-00003");
    assert!(outcome.frames[3].file.as_ref().unwrap().0.is_file());
    let json = serde_json::to_value(&outcome).unwrap();
    let read: interpolate::Outcome = serde_json::from_value(json).unwrap();
    assert_eq!(read, outcome);
}

#[test]
fn an_edit_is_shown_on_each_latent_or_not_at_all() {
    let options = edit::Options {
        latent: vec![LatentSource::Seed(1), LatentSource::Seed(2)],
        samples: Some(300),
        strength: vec![0.0, 1.0, 3.0],
        random: 1,
        ..edit::Options::default()
    };
    let context = context();
    let mut witness = Witness::default();
    let outcome = edit::run(&options, &context, &mut witness).unwrap();
    assert_eq!(
        witness.phases,
        [("latents".to_owned(), 300), ("latents".to_owned(), 2)]
    );
    let names = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)];
    let names = names.map(|(row, column)| format!("latent-{row}-{column}"));
    assert_eq!(witness.previews, names);
    assert_eq!(outcome.edits.len(), 6);
    assert!(outcome.edits.iter().all(|edit| edit.file.is_none()));
    assert!(outcome.edits[1].lpips < outcome.edits[2].lpips);
    let mut impatient = Witness {
        cancel_at: Some(1),
        ..Witness::default()
    };
    let error = edit::run(&options, &context, &mut impatient).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
}

#[test]
fn sets_are_compared_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let context = context();
    let queries = context.weights().unwrap().queries();
    let options = measure::Options {
        real: Some(queries.join("micah")),
        samples: 20,
        model: Some("micah".to_owned()),
        out: Some(folder.path().to_owned()),
        ..measure::Options::default()
    };
    let mut witness = Witness::default();
    let outcome = measure::run(&options, &context, &mut witness).unwrap();
    let phases: Vec<&str> = witness.phases.iter().map(|(name, _)| &**name).collect();
    assert_eq!(phases, ["real images", "generated images"]);
    assert_eq!(outcome.generated.images, Some(20));
    assert!(outcome.measures.frechet_distance > 0.0 && outcome.measures.kid.is_some());
    assert!(outcome.files[0].0.is_file());
    let json = serde_json::to_value(&outcome).unwrap();
    assert_eq!(json["frechet_distance"], outcome.measures.frechet_distance);
    let mut impatient = Witness {
        cancel_at: Some(1),
        ..Witness::default()
    };
    let error = measure::run(&options, &context, &mut impatient).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    let twice = measure::Options {
        fake: Some(queries.join("funEmoji")),
        ..options
    };
    let error = measure::run(&twice, &context, &mut ()).unwrap_err();
    assert!(matches!(error, Error::Option { option: "fake", .. }));
}

#[test]
fn sampling_that_is_ended_early_goes_on_from_there() {
    let context = context();
    let build = |folder: &Path, observer: &mut dyn Observer| {
        let zoo = folder.join("zoo");
        if !zoo.exists() {
            let config = stylegan2::GeneratorConfig::from_json(
                r#"{"z_dim": 4, "c_dim": 0, "w_dim": 4, "img_resolution": 8, "img_channels": 3,
                    "mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": {"channel_base": 32, "channel_max": 4}}"#,
            )
            .unwrap();
            let generator = stylegan2::Generator::init(&config, 1, &Device::flex()).unwrap();
            let card = model_zoo::Card::new("noise", "CC0-1.0");
            let zoo = model_zoo::Zoo::create(&zoo).unwrap();
            zoo.add("noise", &generator, &card).unwrap();
        }
        let options = index::BuildOptions {
            dimension: 3,
            sampling: index::Sampling {
                samples: 40,
                zoo: Some(zoo),
                moments: Some(folder.join("moments")),
                ..index::Sampling::default()
            },
            ..index::BuildOptions::default()
        };
        index::build(&options, &context, observer)
    };
    let (straight, ended) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut witness = Witness::default();
    let whole = build(straight.path(), &mut witness).unwrap();
    // Its statistics, and then how likely its own samples are.
    let phases = ["noise", "samples"].map(|name| (name.to_owned(), 40));
    assert_eq!(witness.phases, phases);
    assert_eq!(witness.positions[..4], [0, 16, 32, 40]);
    let mut impatient = Witness {
        cancel_at: Some(16),
        ..Witness::default()
    };
    let error = build(ended.path(), &mut impatient).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    let mut witness = Witness::default();
    let rest = build(ended.path(), &mut witness).unwrap();
    assert_eq!(witness.positions[..3], [16, 32, 40]);
    let read = |built: &index::Built| std::fs::read(&built.index.0).unwrap();
    assert_eq!(read(&whole), read(&rest));
}

#[test]
fn a_run_that_is_ended_early_goes_on_as_if_it_were_not() {
    let folder = tempfile::tempdir().unwrap();
    let context = context();
    let options = |out: &str| train::Options {
        images: vec![context.weights().unwrap().queries().join("micah")],
        out: Some(folder.path().join(out)),
        kimg: Some(0.02),
        resolution: Some(16),
        batch: Some(4),
        ..train::Options::default()
    };
    let mut witness = Witness::default();
    let straight = train::run(&options("straight"), &context, &mut witness).unwrap();
    assert!(straight.finished);
    assert_eq!(straight.kimg, 0.02);
    assert_eq!(witness.phases, [("images".to_owned(), 20)]);
    assert_eq!(witness.positions, [0, 4, 8, 12, 16, 20]);
    assert_eq!(witness.previews, ["samples"]);
    let [
        Milestone::Training { images, side, .. },
        Milestone::Trained { .. },
    ] = &witness.milestones[..]
    else {
        panic!("{:?}", witness.milestones);
    };
    assert_eq!((*images, *side), (8, 16));

    let mut impatient = Witness {
        cancel_at: Some(8),
        ..Witness::default()
    };
    let ended = train::run(&options("ended"), &context, &mut impatient).unwrap();
    assert!(!ended.finished && ended.generator_precision.is_none());
    let error = train::run(&options("ended"), &context, &mut ()).unwrap_err();
    assert!(matches!(error, Error::RunExists { .. }), "{error}");
    let resumed = train::Options {
        resume: true,
        ..options("ended")
    };
    let rest = train::run(&resumed, &context, &mut ()).unwrap();
    let file = |outcome: &train::Outcome| {
        std::fs::read(outcome.out.0.join("generator.safetensors")).unwrap()
    };
    assert_eq!(file(&rest), file(&straight));
}
