//! Whose art the models were trained on, whose networks they are measured by, and under which licenses.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::Error;
use crate::files;

/// What of a model's card is a credit.
#[derive(Deserialize)]
struct Card {
    name: String,
    #[serde(alias = "licence")]
    license: String,
    #[serde(alias = "licence_url")]
    license_url: Option<String>,
    art: Option<Art>,
}

#[derive(Deserialize)]
struct Art {
    title: String,
    artist: String,
    source: Option<String>,
    rendered_with: Option<String>,
}

impl Card {
    /// Whether its training images came out of DiceBear.
    fn is_rendered(&self) -> bool {
        let program = self.art.as_ref().and_then(|art| art.rendered_with.as_ref());
        program.is_some_and(|program| program.starts_with("DiceBear"))
    }
}

/// Writes `credits.html`, and the licenses' texts beside it.
pub fn write(weights: &Path, out: &Path) -> Result<(), Error> {
    let zoo = weights.join("zoo");
    let mut cards = Vec::new();
    let mut designs = String::new();
    for model in files::models(&zoo)? {
        let folder = zoo.join(&model);
        let path = folder.join("card.toml");
        let text = String::from_utf8(files::read(&path)?).map_err(|e| Error::other(&path, e))?;
        let card: Card = toml::from_str(&text).map_err(|e| Error::other(&path, e.message()))?;
        if card.art.is_none() {
            let reason = "it has no [art], whose credit has to be shown";
            return Err(Error::other(&path, reason));
        }
        cards.push(card);
        designs += &licenses(&folder, out)?;
    }
    let networks = licenses(&weights.join("features"), out)?;
    let page = page(&cards, &designs, &networks);
    files::write(&out.join("credits.html"), page.as_bytes())
}

/// Copies the licenses of a folder, and gives a list's entries of them.
fn licenses(folder: &Path, out: &Path) -> Result<String, Error> {
    let named = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
    let of = named(folder).unwrap_or_default();
    let mut entries = String::new();
    for path in files::list(folder)? {
        let Some(name) = named(&path).filter(|name| name.starts_with("LICENSE")) else {
            continue;
        };
        // Two folders may each have a license of this name.
        let copy = PathBuf::from("licenses").join(format!("{of}-{name}.txt"));
        files::write(&out.join(&copy), &files::read(&path)?)?;
        entries += &format!(
            "<li><a href=\"./{}\">{}</a></li>\n",
            escaped(&copy.to_string_lossy()),
            escaped(&format!("{of}: {name}"))
        );
    }
    Ok(entries)
}

fn page(cards: &[Card], designs: &str, networks: &str) -> String {
    let (rendered, others): (Vec<_>, Vec<_>) = cards.iter().partition(|card| card.is_rendered());
    let mut credits = String::new();
    for (cards, origin) in [(rendered, RENDERED), (others, OTHERS)] {
        let rows: String = cards.into_iter().filter_map(row).collect();
        if !rows.is_empty() {
            credits += &MODELS.replace("ORIGIN", origin).replace("ROWS", &rows);
        }
    }
    for (entries, origin) in [(designs, "Licenses of designs:"), (networks, NETWORKS)] {
        if !entries.is_empty() {
            credits += &LICENSES.replace("ORIGIN", origin).replace("LINKS", entries);
        }
    }
    PAGE.replace("CREDITS", &credits)
}

fn row(card: &Card) -> Option<String> {
    let art = card.art.as_ref()?;
    Some(format!(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        escaped(&card.name),
        linked(&art.title, art.source.as_deref()),
        escaped(&art.artist),
        linked(&card.license, card.license_url.as_deref()),
    ))
}

fn linked(text: &str, address: Option<&str>) -> String {
    match address.filter(|address| address.starts_with("https://")) {
        Some(address) => format!("<a href=\"{}\">{}</a>", escaped(address), escaped(text)),
        None => escaped(text),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

const RENDERED: &str = "The training images were avatars rendered with DiceBear from these designs: \
    recombined, recolored, rasterized at 64 x 64 pixels. What the models generate is adapted from the designs, \
    under the same terms.";
const OTHERS: &str =
    "What these models generate is adapted from what they were trained on, under the same terms.";
const NETWORKS: &str = "The networks that images are compared by were trained by others:";

const MODELS: &str = r#"    <p>ORIGIN</p>
    <table>
      <thead><tr><th>Model</th><th>Design</th><th>Artist</th><th>License</th></tr></thead>
      <tbody>
ROWS      </tbody>
    </table>
"#;

const LICENSES: &str = r#"    <p>ORIGIN</p>
    <ul>
LINKS    </ul>
"#;

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Credits – Ganymede Studio</title>
  <link rel="icon" href="./icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="./style.css">
</head>
<body>
  <header class="bar"><a class="mark" href="./index.html">Ganymede</a></header>
  <main>
    <h1>Credits and licenses</h1>
CREDITS    <p>The program is Ganymede, MIT or Apache-2.0.</p>
  </main>
</body>
</html>
"#;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    #[test]
    fn a_card_cannot_write_into_the_page() {
        let card: Card = toml::from_str(
            r#"name = "a"
            license = "<b>"
            license_url = "javascript:alert(1)"
            art = { title = "T & \"U\"", artist = "A", source = "https://example.org/?a=\"" }"#,
        )
        .unwrap();
        let row = row(&card).unwrap();
        assert!(row.contains("<td>&lt;b&gt;</td>"), "{row}");
        assert!(
            row.contains("\"https://example.org/?a=&quot;\">T &amp; &quot;U&quot;</a>"),
            "{row}"
        );
    }

    fn card(name: &str, rendered_with: &str) -> Card {
        let text = format!(
            "name = \"{name}\"\nlicense = \"MIT\"\nart = {{ title = \"T\", artist = \"A\", rendered_with = \"{rendered_with}\" }}"
        );
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn dicebear_is_named_for_its_pictures_alone() {
        let rendered = card("avatars", "DiceBear 9 (@dicebear/collection), over white");
        let other = card("photographs", "a camera");
        assert!(!page(&[card("photographs", "a camera")], "", "").contains("DiceBear"));
        let page = page(&[rendered, other], "", "");
        let (first, second) = page.split_once(OTHERS).unwrap();
        assert!(first.contains("DiceBear") && first.contains("<td>avatars</td>"));
        assert!(second.contains("<td>photographs</td>") && !second.contains("<td>avatars</td>"));
    }

    #[test]
    fn licenses_of_one_name_are_two_files_and_those_of_designs_are_no_networks() {
        let weights = tempfile::tempdir().unwrap();
        let out = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            files::write(&weights.path().join(name), text.as_bytes()).unwrap();
        };
        put("zoo/a/generator.safetensors", "");
        put(
            "zoo/a/card.toml",
            "name = \"a\"\nlicense = \"MIT\"\nart = { title = \"T\", artist = \"A\" }",
        );
        put("zoo/a/LICENSE", "of the design");
        put("features/LICENSE", "of the network");
        write(weights.path(), out.path()).unwrap();
        let copy = |name: &str| files::read(&out.path().join("licenses").join(name)).unwrap();
        assert_eq!(copy("a-LICENSE.txt"), b"of the design");
        assert_eq!(copy("features-LICENSE.txt"), b"of the network");
        let page = String::from_utf8(files::read(&out.path().join("credits.html")).unwrap());
        let page = page.unwrap();
        let (designs, networks) = page.split_once(NETWORKS).unwrap();
        assert!(designs.contains("a-LICENSE.txt") && !networks.contains("a-LICENSE.txt"));
        assert!(networks.contains("features-LICENSE.txt"));
    }
}
