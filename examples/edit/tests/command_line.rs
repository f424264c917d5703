use std::path::PathBuf;

use clap::{CommandFactory, Parser};

use crate::Args;
use ganymede::edit::{AttributeSource, Channel, EditRequest, Options, RegionColor, Space};
use ganymede::latents::LatentSource;

fn options(arguments: &[&str]) -> Result<Options, clap::Error> {
    Args::try_parse_from([&["edit"], arguments].concat()).map(|args| args.options)
}

#[test]
fn what_is_left_out_is_as_the_library_has_it() {
    assert_eq!(options(&[]).unwrap(), Options::default());
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
    Args::command().debug_assert();
    for wrong in [
        &["--discover", "--direction", "1"][..],
        &["--save", "smile", "--direction", "1", "--edit", "smile"],
        &["--save", "smile", "--attribute", "a.txt"],
        &["--mixture"],
        &["--mixture", "--attribute", "a.txt"],
        &["--mixture", "--region", "0,0,1,1", "--direction", "1"],
        &["--mixture", "--region", "0,0,1,1", "--edit", "smile"],
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
fn a_mixture_can_be_saved() {
    let save = ["--mixture", "--region", "0,0,1,1", "--save", "skin"];
    let options = options(&save).unwrap();
    assert!(options.mixture && !options.ranks_all());
    options.validate().unwrap();
}

#[test]
fn a_region_is_an_attribute() {
    assert_eq!(options(&[]).unwrap().attribute(), None);
    let of_region = options(&["--region", "0,0.5,1,1"]).unwrap();
    let color = RegionColor {
        channel: Channel::Luminance,
        region: "0,0.5,1,1".parse().unwrap(),
    };
    assert_eq!(of_region.attribute(), Some(AttributeSource::Region(color)));
    let of_file = options(&["--attribute", "a.txt"]).unwrap();
    assert_eq!(
        of_file.attribute(),
        Some(AttributeSource::File("a.txt".as_ref()))
    );
}
