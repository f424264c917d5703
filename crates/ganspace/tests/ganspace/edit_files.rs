//! Files of named edits: what is written is read again; anything else is refused with its reason.

use feature_stats::{Ddof, Moments};
use ganspace::{
    Basis, EditBook, GanspaceError, LatentDirections, LayerRange, NamedEdit, PrincipalComponents,
};

use ndarray::ArrayView1;

use crate::samples;

fn directions(name: &str) -> LatentDirections {
    let mut moments = Moments::new(5);
    moments.add_rows(samples(name, 50, 5).view()).unwrap();
    let statistics = moments.mean_covariance(Ddof::Sample).unwrap();
    LatentDirections::of_latents(PrincipalComponents::fit(&statistics, 3).unwrap())
}

fn named() -> NamedEdit {
    NamedEdit {
        description: "from a \"frown\" to a smile".into(),
        attribute: "luminance 0,0.5,1,1".into(),
        model: "funEmoji".into(),
        component: 2,
        mixture: Vec::new(),
        layers: LayerRange::new(2, 5).unwrap(),
        range: [3.0, -2.5],
        stdev: directions("one").stdev()[2],
        basis: Basis {
            space: "w".into(),
            samples: 10_000,
            components: 3,
            seed: 0,
        },
    }
}

#[test]
fn edits_are_saved_loaded_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("edits.toml");
    let mut book = EditBook::default();
    assert_eq!(book.insert("smile", named()).unwrap(), None);
    let plain = NamedEdit {
        description: String::new(),
        attribute: String::new(),
        layers: LayerRange::ALL,
        ..named()
    };
    book.insert("hair colour. All of it", plain.clone())
        .unwrap();
    book.save(&path).unwrap();
    let loaded = EditBook::load(&path).unwrap();
    assert_eq!(loaded, book);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let names: Vec<&str> = loaded.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["hair colour. All of it", "smile"]);
    assert_eq!(book.insert("smile", plain).unwrap(), Some(named()));

    let directions = directions("one");
    let smile = loaded.get("smile").unwrap();
    let edit = smile.edit("smile", "funEmoji", &directions).unwrap();
    let expected = directions.edit(2, LayerRange::new(2, 5).unwrap()).unwrap();
    assert_eq!(edit, expected);
}

#[test]
fn a_mixture_is_kept_with_its_weights() {
    let directions = directions("one");
    let weights = [0.6, 0.0, -0.8];
    let expected = directions
        .mixture(ArrayView1::from(&weights), LayerRange::ALL)
        .unwrap();
    let mixed = NamedEdit {
        mixture: weights.to_vec(),
        layers: LayerRange::ALL,
        stdev: expected.stdev(),
        ..named()
    };
    let mut book = EditBook::default();
    book.insert("mixed", mixed.clone()).unwrap();
    let again = EditBook::from_toml("again", &book.to_toml()).unwrap();
    assert_eq!(again, book);
    let edit = again.get("mixed").unwrap();
    assert_eq!(
        edit.edit("mixed", "funEmoji", &directions).unwrap(),
        expected
    );
    // Directions in which the same weights are another step.
    assert!(matches!(
        edit.edit("mixed", "funEmoji", &self::directions("two")),
        Err(GanspaceError::DifferentBasis { .. })
    ));
    for (mixture, problem) in [(vec![1.0; 4], "4 components of 3"), (vec![f64::NAN], "NaN")] {
        let edit = NamedEdit {
            mixture,
            ..mixed.clone()
        };
        let error = book.insert("mixed", edit).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn edits_of_another_model_or_basis_are_refused() {
    let edit = named();
    assert!(matches!(
        edit.edit("smile", "micah", &directions("one")),
        Err(GanspaceError::WrongModel { .. })
    ));
    assert!(matches!(
        edit.edit("smile", "funEmoji", &directions("two")),
        Err(GanspaceError::DifferentBasis { component: 2, .. })
    ));
    let error = EditBook::default().get("smile").unwrap_err();
    assert_eq!(
        error.to_string(),
        "no edit is called \"smile\"; known: none"
    );
}

#[test]
fn damaged_files_are_refused_with_a_reason() {
    let mut book = EditBook::default();
    book.insert("smile", named()).unwrap();
    let text = book.to_toml();
    let cases = [
        ("layers = \"2-5\"", "layers = \"5-2\"", "no range of layers"),
        ("component = 2", "component = -2", "component"),
        ("component = 2", "component = 3", "component 3 of 3"),
        ("component = 2", "component = 2\ncolour = 1", "colour"),
        ("component = 2\n", "", "component"),
        ("range = [3.0, -2.5]", "range = [1.0, 1.0]", "range 1 to 1"),
        ("range = [3.0, -2.5]", "range = [nan, 1.0]", "range NaN"),
        ("range = [3.0, -2.5]", "range = [1.0]", "range"),
        ("stdev = ", "stdev = -", "standard deviation"),
        ("[smile]", "[smile", "TOML"),
        ("[smile]", "[\" \"]", "no name"),
    ];
    for (from, to, reason) in cases {
        let damaged = if to == "[\" \"]" {
            text.replace("smile]", "\" \"]")
                .replace("smile.basis", "\" \".basis")
        } else {
            assert!(text.contains(from), "{from} is not in\n{text}");
            text.replacen(from, to, 1)
        };
        let error = EditBook::from_toml("edits.toml", &damaged)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("edits.toml: not a file of named edits"),
            "{error}"
        );
        assert!(error.contains(reason), "{to}: {error}");
    }
    let missing = EditBook::load("no such folder/edits.toml").unwrap_err();
    assert!(matches!(missing, GanspaceError::Io { .. }), "{missing}");
    assert!(matches!(
        book.save("no such folder/edits.toml").unwrap_err(),
        GanspaceError::Io { .. }
    ));
}
