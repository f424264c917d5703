//! The gallery as Markdown.

use std::fmt::Write;
use std::path::Path;

use super::ShownEdit;

const BEGIN: &str = "<!-- edits: written by `edit --gallery` -->";
const END: &str = "<!-- end of the edits -->";

const TABLE_HEAD: &str = "\
| model | edit | attribute | moves by | random | LPIPS | random | at equal LPIPS | of the rest | random |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
";

/// A gallery without edits.
pub(super) const EMPTY: &str = "# Gallery

<!-- edits: written by `edit --gallery` -->
<!-- end of the edits -->
";

/// The text with what stands between its two marks replaced.
pub(super) fn replace_section(text: &str, section: &str) -> Result<String, String> {
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    match parts {
        Some((before, after)) => Ok(format!("{before}{BEGIN}\n\n{section}\n{END}{after}")),
        None => Err(format!(
            "no place for the edits; write the line `{BEGIN}` and below it `{END}`, or name a file that does not exist"
        )),
    }
}

/// A heading, a picture and the command for each edit, and a table of all numbers.
pub(super) fn section(shown: &[ShownEdit], file: &Path, network: &str) -> String {
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut text = String::new();
    for edit in shown {
        let picture = edit
            .picture
            .0
            .strip_prefix(folder)
            .unwrap_or(&edit.picture.0);
        let picture = picture.display().to_string().replace('\\', "/");
        let title = match edit.description.is_empty() {
            true => edit.edit.clone(),
            false => format!("{}, {}", edit.edit, edit.description),
        };
        let [from, to] = edit.range;
        let images: Vec<String> = edit
            .images
            .iter()
            .filter_map(|image| {
                let name = image.0.file_name()?.to_string_lossy();
                Some(format!("weights/queries/{}/{name}", edit.model))
            })
            .collect();
        let line = format!(
            "### {model}: {title}\n\n![{name} of {model}]({picture})\n\n\
             Left the held-out image, then {what} of {space} on {layers} with strengths {from} to {to}.\n\
             Adapted from {credit}.\n\n\
             ```sh\ncargo run --release --example edit -- --model {model} --edit {quoted} --image {images}\n```\n\n",
            model = edit.model,
            name = edit.edit,
            what = match edit.is_mixture {
                true => "a mixture of components".to_owned(),
                false => format!("component {}", edit.component),
            },
            space = edit.space,
            layers = match edit.layers.as_str() {
                "all" => "all layers".to_owned(),
                some => format!("layers {some}"),
            },
            credit = edit.credit,
            quoted = quoted(&edit.edit),
            images = images.join(" "),
        );
        text.push_str(&line);
    }
    text.push_str(&table(shown, network));
    text
}

fn table(shown: &[ShownEdit], network: &str) -> String {
    let number = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
    };
    let signed =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:+.2}"));
    let mut text = TABLE_HEAD.to_owned();
    for edit in shown {
        let (effect, random) = (&edit.effect, &edit.random);
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            edit.model,
            edit.edit,
            edit.attribute.as_deref().unwrap_or("-"),
            signed(effect.change_in_stdevs),
            number(random.change_in_stdevs, 2),
            number(Some(effect.lpips), 4),
            number(Some(random.lpips), 4),
            edit.times_random()
                .map_or_else(|| "-".to_owned(), |times| format!("{times:.1} times")),
            number(effect.rest_lpips, 4),
            number(random.rest_lpips, 4),
        );
    }
    let _ = writeln!(
        text,
        "\nMeans over {images}.\n\
         *Attribute*: a color of a region, given as fractions of the picture. *Moves by*: from one end of the range to the other,\n\
         in standard deviations of the attribute over samples. *LPIPS* ({network}): of the two ends from the unedited picture;\n\
         *of the rest*: with the region put back. *At equal LPIPS*: how many times as far as in random directions the\n\
         attribute moves where both move the picture equally far. *Random*: steps of the same length in random directions, their changes\n\
         without signs.",
        images = measured(shown),
    );
    text
}

/// Which images the numbers are of.
fn measured(shown: &[ShownEdit]) -> String {
    let further = shown.iter().filter(|edit| edit.measured != edit.images);
    let counts = further.clone().map(|edit| edit.measured.len());
    let (Some(least), Some(most)) = (counts.clone().min(), counts.max()) else {
        return "the images shown".to_owned();
    };
    let count = match least == most {
        true => least.to_string(),
        false => format!("{least} to {most}"),
    };
    let images = if most == 1 { "image" } else { "images" };
    let rest = match further.count() == shown.len() {
        true => "",
        false => ", or the images shown where a model has no others",
    };
    format!("{count} further held-out {images} of each model, which the pictures do not show{rest}")
}

/// For a shell.
fn quoted(name: &str) -> String {
    match name
        .chars()
        .all(|c| c.is_alphanumeric() || "-_.".contains(c))
    {
        true => name.to_owned(),
        false => format!("'{}'", name.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::EndEffect;
    use super::{ShownEdit, measured, table};
    use crate::files::ShownPath;

    /// An edit shown on one image and measured on those of these numbers.
    fn shown(numbers: &[u32]) -> ShownEdit {
        let image = |number: &u32| ShownPath(format!("{number}.png").into());
        let effect = EndEffect {
            change: None,
            change_in_stdevs: None,
            lpips: 0.0,
            rest_lpips: None,
        };
        ShownEdit {
            model: String::new(),
            edit: String::new(),
            description: String::new(),
            component: 0,
            is_mixture: false,
            space: String::new(),
            layers: String::new(),
            range: [0.0, 1.0],
            attribute: None,
            images: vec![image(&0)],
            measured: numbers.iter().map(image).collect(),
            picture: image(&9),
            effect,
            random: effect,
            credit: String::new(),
        }
    }

    #[test]
    fn edits_and_random_directions_are_compared_at_equal_lpips() {
        let effect = |change: Option<f64>, lpips: f64| EndEffect {
            change,
            change_in_stdevs: change,
            lpips,
            rest_lpips: None,
        };
        let mut edit = shown(&[1]);
        edit.effect = effect(Some(-0.6), 0.16);
        edit.random = effect(Some(0.1), 0.04);
        // A step of half the length moves by 0.3 and an LPIPS of 0.04.
        let times = edit.times_random().expect("an attribute");
        assert!((times - 3.0).abs() < 1e-12, "{times}");
        assert!(table(&[edit], "alex").contains("| 3.0 times |"));
        let mut still = shown(&[1]);
        still.effect = effect(Some(0.6), 0.16);
        still.random = effect(Some(0.0), 0.0);
        assert_eq!(still.times_random(), None);
        assert_eq!(shown(&[1]).times_random(), None);
    }

    #[test]
    fn the_page_says_which_images_were_measured() {
        let text = |measured_on: &[&[u32]]| {
            measured(&measured_on.iter().copied().map(shown).collect::<Vec<_>>())
        };
        assert_eq!(text(&[&[0], &[0]]), "the images shown");
        let further = "further held-out images of each model, which the pictures do not show";
        assert_eq!(text(&[&[1, 2], &[1, 2]]), format!("2 {further}"));
        assert_eq!(text(&[&[1, 2], &[1, 2, 3]]), format!("2 to 3 {further}"));
        assert_eq!(
            text(&[&[0], &[1, 2]]),
            format!("2 {further}, or the images shown where a model has no others")
        );
    }
}
