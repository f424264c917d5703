//! Whose art the models were trained on, whose networks they are measured by, and under which licenses.

use std::path::Path;

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
}

/// Writes `credits.html`, and the licenses' texts beside it.
pub fn write(weights: &Path, out: &Path) -> Result<(), Error> {
    let zoo = weights.join("zoo");
    let mut rows = String::new();
    let mut texts = Vec::new();
    for model in files::models(&zoo)? {
        let folder = zoo.join(&model);
        let path = folder.join("card.toml");
        let text = String::from_utf8(files::read(&path)?).map_err(|e| Error::other(&path, e))?;
        let card: Card = toml::from_str(&text).map_err(|e| Error::other(&path, e.message()))?;
        rows += &row(&card)
            .ok_or_else(|| Error::other(&path, "it has no [art], whose credit has to be shown"))?;
        texts.extend(licenses(&folder)?);
    }
    texts.extend(licenses(&weights.join("features"))?);
    let mut links = String::new();
    for path in texts {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        files::write(
            &out.join(format!("licenses/{name}.txt")),
            &files::read(&path)?,
        )?;
        links += &format!(
            "<li><a href=\"./licenses/{0}.txt\">{0}</a></li>\n",
            escaped(&name)
        );
    }
    let page = PAGE.replace("ROWS", &rows).replace("LINKS", &links);
    files::write(&out.join("credits.html"), page.as_bytes())
}

fn licenses(folder: &Path) -> Result<Vec<std::path::PathBuf>, Error> {
    let is_license = |path: &std::path::PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("LICENSE")
    };
    Ok(files::list(folder)?
        .into_iter()
        .filter(is_license)
        .collect())
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
    <p>The training images were avatars rendered with DiceBear from these designs: recombined, recolored, rasterized at
      64 x 64 pixels. What the models generate is adapted from the designs, under the same terms.</p>
    <table>
      <thead><tr><th>Model</th><th>Design</th><th>Artist</th><th>Licence</th></tr></thead>
      <tbody>
ROWS      </tbody>
    </table>
    <p>The networks that images are compared by were trained by others:</p>
    <ul>
LINKS    </ul>
    <p>The program is Ganymede, MIT or Apache-2.0.</p>
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
}
