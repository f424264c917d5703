//! Folders of models, good and bad.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use burn::tensor::Device;
use feature_stats::MeanCovariance;
use model_zoo::{Card, FeatureQuality, Zoo, ZooError};
use ndarray::array;
use retrieval_gaussian::{
    IndexBuilder, IndexFile, IndexSettings, Query, RetrievalMethod, SearchOptions,
};
use stylegan2::{Generator, GeneratorConfig};

fn device() -> Device {
    testkit::devices().remove(0).1
}

fn generator(resolution: usize) -> Generator {
    let config = GeneratorConfig::new(resolution)
        .with_z_dim(4)
        .with_w_dim(4)
        .with_mapping_layers(2)
        .with_channel_base(32)
        .with_channel_max(4);
    Generator::init(&config, 3, &device()).unwrap()
}

fn zoo_of(folder: &Path, names: &[&str]) -> Zoo {
    names
        .iter()
        .fold(Zoo::create(folder).unwrap(), |zoo, name| {
            zoo.add(name, &generator(8), &Card::new(*name, "CC0-1.0"))
                .unwrap()
        })
}

#[test]
fn added_models_are_found_again_with_their_cards() {
    let folder = tempfile::tempdir().unwrap();
    let added = zoo_of(folder.path(), &["dogs", "cats"]);
    // Neither a file, nor a folder without a generator, nor an excluded model is one.
    std::fs::write(folder.path().join("README.md"), "models").unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let opened = Zoo::open(folder.path()).unwrap();
    assert_eq!(opened, added);
    assert_eq!(opened.names(), ["cats", "dogs"]);
    let without = Zoo::open_without(folder.path(), &["cats"]).unwrap();
    assert_eq!(without.names(), ["dogs"]);
    let dogs = opened.model("dogs").unwrap();
    assert_eq!(
        dogs.load_generator(&device()).unwrap().tensors(),
        generator(8).tensors()
    );
    assert_eq!(dogs.card().img_resolution(), Some(8));
    assert_eq!(
        (dogs.discriminator_path(), dogs.samples_path()),
        (None, None)
    );
    let message = opened.model("birds").unwrap_err().to_string();
    assert!(message.contains("cats, dogs"), "{message}");
}

#[test]
fn further_entries_of_a_card_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut card = Card::new("cats", "CC-BY-4.0");
    card.further =
        toml::from_str("[art]\nartist = \"A. Nobody\"\n[training]\nkimg = 12\n").unwrap();
    card.quality = Some(
        toml::from_str("frechet_distance = 12\nfrechet_protocol = \"by eye\"\nlikes = 3").unwrap(),
    );
    Zoo::create(folder.path())
        .unwrap()
        .add("cats", &generator(8), &card)
        .unwrap();
    let zoo = Zoo::open(folder.path()).unwrap();
    let read = zoo.model("cats").unwrap().card();
    assert_eq!(read.further, card.further);
    let quality = read.quality.as_ref().unwrap();
    assert_eq!(quality.frechet_distance, Some(12.0));
    assert_eq!(quality.diversity_ratio, None);
    assert_eq!(quality.further["likes"].as_integer(), Some(3));
}

/// Earlier versions wrote the other spelling, and people's folders are full of it.
#[test]
fn a_card_may_spell_license_with_a_c() {
    let folder = tempfile::tempdir().unwrap();
    zoo_of(folder.path(), &["cats"]);
    let file = folder.path().join("cats/card.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("license = \"CC0-1.0\""), "{text}");
    let card = || Ok::<_, ZooError>(Zoo::open(folder.path())?.model("cats")?.card().clone());
    let expected = card().unwrap();
    let earlier = text.replace("license", "licence");
    std::fs::write(&file, &earlier).unwrap();
    assert_eq!(card().unwrap(), expected);
    // Two might contradict each other.
    std::fs::write(&file, format!("license = \"MIT\"\n{earlier}")).unwrap();
    let message = card().unwrap_err().to_string();
    assert!(message.contains("duplicate field"), "{message}");
}

#[test]
fn what_was_measured_is_replaced_in_a_card_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    zoo_of(folder.path(), &["cats"]);
    let card = folder.path().join("cats/card.toml");
    let parts = [
        "name = \"cats\"\nlicence = \"CC0-1.0\"\n\n[training]\nloss = nan # failed\n\n",
        "[quality]\ndiversity_ratio = 0.5\nlikes = 3\n",
        "\n# As in the file.\n[configuration]\nimg_resolution = 8\nimg_channels = 3\nz_dim = 4\nw_dim = 4\nc_dim = 0\n",
    ];
    std::fs::write(&card, parts.concat()).unwrap();
    let mut model = Zoo::open(folder.path())
        .unwrap()
        .model("cats")
        .unwrap()
        .clone();
    let mut quality = model.card().quality.clone().unwrap();
    quality.frechet_distance = Some(12.5);
    // A distance of unknown origin is none.
    let refused = model.set_quality(quality.clone()).unwrap_err().to_string();
    assert!(refused.contains("frechet_protocol"), "{refused}");
    quality.frechet_protocol = Some("by eye".to_owned());
    model.set_quality(quality.clone()).unwrap();
    let measured = "[quality]\ndiversity_ratio = 0.5\nfrechet_protocol = \"by eye\"\nfrechet_distance = 12.5\nlikes = 3\n";
    let expected = [parts[0], measured, parts[2]].concat();
    assert_eq!(std::fs::read_to_string(&card).unwrap(), expected);
    let again = Zoo::open(folder.path()).unwrap();
    assert_eq!(
        again.model("cats").unwrap().card().quality,
        Some(quality.clone())
    );

    // Tables in the table have its name in their titles.
    let among = FeatureQuality {
        protocol: "by eye".to_owned(),
        frechet_distance: 12.5,
        precision: 0.5,
        recall: 0.25,
        density: 1.0,
        coverage: 0.75,
    };
    let mut with_tables = quality.clone();
    with_tables.features.insert("alexnet".to_owned(), among);
    for _ in 0..2 {
        model.set_quality(with_tables.clone()).unwrap();
        let again = Zoo::open(folder.path()).unwrap();
        let found = again.model("cats").unwrap().card().clone();
        assert_eq!(found.quality, Some(with_tables.clone()));
        assert!(found.configuration.is_some());
    }

    for number in [-1.0, f64::NAN] {
        quality.frechet_distance = Some(number);
        let refused = model.set_quality(quality.clone()).unwrap_err().to_string();
        assert!(refused.contains("frechet_distance"), "{refused}");
    }
    // Written otherwise, the table is not found; the file is left alone.
    let inline = parts[0].replace("[training]", "quality = { likes = 3 }\n[training]");
    std::fs::write(&card, &inline).unwrap();
    quality.frechet_distance = Some(1.0);
    let refused = model.set_quality(quality).unwrap_err().to_string();
    assert!(refused.contains("cannot be replaced"), "{refused}");
    assert_eq!(std::fs::read_to_string(&card).unwrap(), inline);
}

#[test]
fn invalid_models_are_refused_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let zoo = zoo_of(folder.path(), &["cats"]);
    let card = |name: &str| Card::new(name, "CC0-1.0");
    for name in ["", "../up", "a/b", ".hidden", "two words"] {
        let error = zoo.clone().add(name, &generator(8), &card(name));
        assert!(matches!(error, Err(ZooError::InvalidName { .. })), "{name}");
    }
    let taken = zoo.clone().add("cats", &generator(8), &card("cats"));
    assert!(matches!(taken, Err(ZooError::Exists { .. })));
    let other_name = zoo.clone().add("dogs", &generator(8), &card("birds"));
    assert!(matches!(other_name, Err(ZooError::Card { .. })));
    let no_license = zoo
        .clone()
        .add("dogs", &generator(8), &Card::new("dogs", " "));
    assert!(no_license.unwrap_err().to_string().contains("license"));
    let mut of_another = zoo.model("cats").unwrap().card().clone();
    of_another.name = "dogs".to_owned();
    let message = zoo
        .clone()
        .add("dogs", &generator(16), &of_another)
        .unwrap_err()
        .to_string();
    assert!(message.contains("img_resolution` is 8"), "{message}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn damaged_folders_say_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    assert!(matches!(Zoo::open(&missing), Err(ZooError::Io { .. })));
    assert!(matches!(
        Zoo::open(folder.path()),
        Err(ZooError::Empty { .. })
    ));
    let zoo = zoo_of(folder.path(), &["cats"]);
    assert!(matches!(
        Zoo::create(folder.path()),
        Err(ZooError::Exists { .. })
    ));
    let card = folder.path().join("cats/card.toml");
    let good = std::fs::read_to_string(&card).unwrap();
    for (text, said) in [
        ("name = ", "not a card"),
        ("name = \"cats\"", "license"),
        (
            "name = \"dogs\"\nlicence = \"CC0-1.0\"",
            "expected \"cats\"",
        ),
    ] {
        std::fs::write(&card, text).unwrap();
        let message = Zoo::open(folder.path()).unwrap_err().to_string();
        assert!(
            message.contains(said) && message.contains("card.toml"),
            "{message}"
        );
    }
    std::fs::write(&card, good.replace("z_dim = 4", "z_dim = 5")).unwrap();
    let changed = Zoo::open(folder.path()).unwrap();
    let message = changed
        .model("cats")
        .unwrap()
        .load_generator(&device())
        .unwrap_err()
        .to_string();
    assert!(message.contains("z_dim` is 5"), "{message}");
    std::fs::remove_file(&card).unwrap();
    assert!(matches!(Zoo::open(folder.path()), Err(ZooError::Io { .. })));
    assert!(zoo.index().is_err(), "there is no index");
}

#[test]
fn a_model_added_with_its_statistics_can_be_searched_for() {
    let folder = tempfile::tempdir().unwrap();
    let zoo = zoo_of(folder.path(), &["cats"]);
    let settings = IndexSettings::new(2);
    let statistics = |name: &str, mean| {
        let mut builder = IndexBuilder::new(settings.clone()).unwrap();
        let spread = array![[0.02, 0.0], [0.0, 0.02]];
        builder
            .add(name, &MeanCovariance::new(mean, spread).unwrap())
            .unwrap();
        builder
    };
    let mut index = IndexFile::create(zoo.index_path(), &settings).unwrap();
    index.append(&statistics("cats", array![1.0, 0.0])).unwrap();
    drop(index);
    let dogs = statistics("dogs", array![0.0, 1.0]);
    let zoo = zoo
        .add_indexed("dogs", &generator(8), &Card::new("dogs", "CC0-1.0"), &dogs)
        .unwrap();
    let options = SearchOptions::new(RetrievalMethod::GaussianDensity);
    let ranking = zoo
        .index()
        .unwrap()
        .search(&Query::feature(&[0.1, 0.9]), &options)
        .unwrap();
    assert_eq!(ranking.models[0].model, "dogs");
    // A name that the index has already is refused, and the model taken out again.
    let again = zoo.clone().add_indexed(
        "birds",
        &generator(8),
        &Card::new("birds", "CC0-1.0"),
        &statistics("dogs", array![0.0, 1.0]),
    );
    assert!(matches!(again, Err(ZooError::Index(_))));
    assert_eq!(Zoo::open(folder.path()).unwrap().names(), ["cats", "dogs"]);
    // An index of models that are not there is no index of this zoo.
    std::fs::remove_dir_all(folder.path().join("dogs")).unwrap();
    let zoo = Zoo::open(folder.path()).unwrap();
    let message = zoo.index().unwrap_err().to_string();
    assert!(message.contains("dogs"), "{message}");
}

/// The zoo of this repository: every card fits its generator, and every model can be found.
#[test]
fn the_shipped_zoo_is_whole() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights/zoo");
    let zoo = Zoo::open_without(root, &["base"]).unwrap();
    for model in zoo.models() {
        model.load_generator(&device()).unwrap();
        assert!(model.samples_path().is_some(), "{}", model.name());
    }
    let index = zoo.index().unwrap();
    let mut indexed: Vec<&str> = index.names().collect();
    indexed.sort_unstable();
    assert_eq!(indexed, zoo.names());
}
