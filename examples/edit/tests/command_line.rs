use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};

use crate::attribute_file::AttributeFile;
use crate::options::{EditRequest, Options};
use examples::bases::Space;
use examples::latents::LatentSource;

fn options(arguments: &[&str]) -> Result<Options, clap::Error> {
    Options::try_parse_from([&["edit"], arguments].concat())
}

#[test]
fn without_latents_there_are_four_seeds() {
    let found = options(&[]).unwrap();
    assert_eq!(found.sources().len(), 4);
    assert_eq!(found.strengths(), [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]);
    let found = options(&[
        "--image",
        "a.png",
        "--latent",
        "7",
        "--strength",
        "-1.5",
        "2",
    ])
    .unwrap();
    assert_eq!(
        found.sources(),
        [
            LatentSource::Seed(7),
            LatentSource::Image(PathBuf::from("a.png"))
        ]
    );
    assert_eq!(found.strengths(), [-1.5, 2.0]);
}

#[test]
fn a_basis_has_defaults_of_its_space() {
    let found = options(&["--basis", "b16"]).unwrap().basis(512);
    assert_eq!(
        (found.space.as_str(), found.samples, found.components),
        ("b16", 1000, 20)
    );
    let found = options(&[]).unwrap().basis(8);
    assert_eq!(
        (found.space.as_str(), found.samples, found.components),
        ("w", 10_000, 8)
    );
    assert_eq!("b8".parse(), Ok(Space::Block(8)));
    for wrong in ["", "b", "16", "x4", "W"] {
        assert!(wrong.parse::<Space>().is_err(), "{wrong}");
    }
}

#[test]
fn named_edits_may_have_a_strength() {
    let request = |text: &str| text.parse::<EditRequest>();
    assert_eq!(request("smile").unwrap().strength, None);
    let found = request("a=b=-2.5").unwrap();
    assert_eq!((found.name.as_str(), found.strength), ("a=b", Some(-2.5)));
    for wrong in ["smile=", "smile=x", "smile=inf"] {
        assert!(request(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn options_that_exclude_each_other_are_refused() {
    // No option is there twice.
    Options::command().debug_assert();
    for wrong in [
        &["--discover", "--direction", "1"][..],
        &["--save", "smile", "--direction", "1", "--edit", "smile"],
        &["--save", "smile", "--attribute", "a.txt"],
        &["--description", "a smile"],
        &["--layers", "5-2"],
        &["--region", "0,0,1,1", "--attribute", "a.txt"],
        &["--region", "0.5,0,0.5,1"],
        &["--channel", "red"],
        &["--gallery", "a.md", "--model", "micah"],
        &["--gallery", "a.md", "--direction", "1"],
        &["--strength"],
    ] {
        assert!(options(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_region_is_an_attribute() {
    let source = |arguments: &[&str]| {
        options(arguments)
            .unwrap()
            .attribute()
            .map(|a| a.to_string())
    };
    assert_eq!(source(&[]), None);
    assert_eq!(
        source(&["--region", "0,0.5,1,1"]).as_deref(),
        Some("--region 0,0.5,1,1 --channel luminance")
    );
    assert_eq!(
        source(&["--attribute", "a.txt"]).as_deref(),
        Some("--attribute a.txt")
    );
}

#[test]
fn attribute_files_name_images_or_scores() {
    let parse = |text: &str| AttributeFile::parse(text, Path::new("folder"));
    let images = "# smiles\n+ a b.png\n\n - c.png\n+ /d.png\n";
    assert_eq!(
        parse(images).unwrap(),
        AttributeFile::Images {
            with: vec![PathBuf::from("folder/a b.png"), PathBuf::from("/d.png")],
            without: vec![PathBuf::from("folder/c.png")],
        }
    );
    assert_eq!(
        parse("3 0.5\n17\t-2e-1").unwrap(),
        AttributeFile::Scores(vec![(3, 0.5), (17, -0.2)])
    );
    for (wrong, reason) in [
        ("", "nothing"),
        ("+ a.png", "0 without"),
        ("+ a.png\n- b.png\n3 0.5", "in one file"),
        ("3 0.5\nthree 4", "line 2"),
        ("3 nan", "line 1"),
        ("3", "line 1"),
        ("+a.png", "line 1"),
    ] {
        let error = parse(wrong).unwrap_err();
        assert!(error.contains(reason), "{wrong:?}: {error}");
    }
}
