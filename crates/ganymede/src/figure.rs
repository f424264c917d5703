//! Pictures with captions, in rows, as one SVG that holds them all, and without captions as PNG.

use std::fmt::Write;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image_tensor::{ResizeProtocol, Rgb, RgbImage, encode_png, grid, magnify, resize, write_png};

use crate::Error;
use crate::files::{self, ShownPath};

/// A picture and the lines below it.
#[derive(Clone, Debug)]
pub struct Panel {
    /// The picture, square.
    pub image: RgbImage,
    /// Lines below it.
    pub caption: Vec<String>,
}

/// Panels side by side below a heading.
#[derive(Clone, Debug)]
pub struct Row {
    /// Above the panels.
    pub heading: String,
    /// From left to right.
    pub panels: Vec<Panel>,
}

/// Side of a panel, in the SVG's pixels.
const SIDE: u32 = 200;
/// Pictures have at least about this side; it is that of the PNG's panels.
const PICTURE_SIDE: u32 = 192;
const PICTURE_GAP: u32 = 4;
const WHITE: Rgb<u8> = Rgb([255; 3]);
const GAP: u32 = 12;
const LINE: u32 = 17;
const FONT_SIZE: u32 = 13;
/// How much wider bold letters are.
const BOLD: f64 = 1.12;

impl Panel {
    /// A picture, of which small ones are enlarged by a whole factor, so that their pixels stay sharp.
    pub fn new(image: &RgbImage, caption: Vec<String>) -> Self {
        Self {
            image: magnify(image, (PICTURE_SIDE / image.width().max(1)).max(1)),
            caption,
        }
    }
}

/// Writes `NAME.svg`, which it returns, and the pictures alone as `NAME.png`.
///
/// # Errors
///
/// A picture cannot be encoded, or the file system refuses.
pub fn write(folder: &Path, name: &str, rows: &[Row]) -> Result<ShownPath, Error> {
    let file = ShownPath(files::file(folder, name, "svg"));
    files::write(file.as_ref(), svg(rows)?.as_bytes())?;
    let columns = rows.iter().map(|row| row.panels.len()).max().unwrap_or(0);
    if columns > 0 {
        let blank = RgbImage::from_pixel(PICTURE_SIDE, PICTURE_SIDE, WHITE);
        let pictures: Vec<RgbImage> = rows
            .iter()
            .flat_map(|row| {
                let panels = row.panels.iter().map(|panel| panel_picture(&panel.image));
                panels.chain(std::iter::repeat(blank.clone())).take(columns)
            })
            .collect();
        let sheet = grid(&pictures, columns, PICTURE_GAP, WHITE);
        write_png(files::file(folder, name, "png"), &sheet)?;
    }
    Ok(file)
}

/// In the common size of a grid's pictures.
fn panel_picture(image: &RgbImage) -> RgbImage {
    resize(
        image,
        PICTURE_SIDE,
        PICTURE_SIDE,
        ResizeProtocol::PillowLanczos,
    )
}

/// The figure's text.
///
/// # Errors
///
/// A picture cannot be encoded.
pub fn svg(rows: &[Row]) -> Result<String, Error> {
    let columns = rows.iter().map(|row| row.panels.len()).max().unwrap_or(0) as u32;
    let width = GAP + columns * (SIDE + GAP);
    let mut body = String::new();
    let mut top = GAP;
    for row in rows {
        for line in broken(&row.heading, width.saturating_sub(2 * GAP), BOLD) {
            top += LINE;
            text(&mut body, GAP, top - LINE / 4, "bold", &line);
        }
        let captions: Vec<Vec<String>> = row
            .panels
            .iter()
            .map(|panel| {
                let lines = panel.caption.iter();
                lines.flat_map(|line| broken(line, SIDE, 1.0)).collect()
            })
            .collect();
        let lines = captions.iter().map(Vec::len).max();
        for (column, (panel, caption)) in row.panels.iter().zip(&captions).enumerate() {
            let left = GAP + column as u32 * (SIDE + GAP);
            let png = BASE64_STANDARD.encode(encode_png(&panel.image)?);
            let _ = writeln!(
                body,
                r#"<image x="{left}" y="{top}" width="{SIDE}" height="{SIDE}" style="image-rendering:pixelated" href="data:image/png;base64,{png}"/>"#
            );
            for (line, caption) in caption.iter().enumerate() {
                let y = top + SIDE + (line as u32 + 1) * LINE;
                text(&mut body, left, y, "normal", caption);
            }
        }
        top += SIDE + lines.unwrap_or(0) as u32 * LINE + 2 * GAP;
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{top}\" viewBox=\"0 0 {width} {top}\" \
         font-family=\"sans-serif\" font-size=\"{FONT_SIZE}\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    ))
}

fn text(body: &mut String, x: u32, y: u32, weight: &str, content: &str) {
    let escaped = content
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    // Writing to a string does not fail.
    let _ = writeln!(
        body,
        r#"<text x="{x}" y="{y}" font-weight="{weight}">{escaped}</text>"#
    );
}

/// A text in lines of at most `width` pixels. Words that are longer lose their end.
fn broken(content: &str, width: u32, stretch: f64) -> Vec<String> {
    let most = f64::from(width) / (f64::from(FONT_SIZE) * stretch);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in content.split_whitespace() {
        let longer = format!("{line} {word}");
        if !line.is_empty() && advance(&longer) <= most {
            line = longer;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        line = cut(word, most);
    }
    lines.push(line);
    lines
}

/// As much of a word as there is room for, in ems.
fn cut(word: &str, most: f64) -> String {
    const ELLIPSIS: &str = "\u{2026}";
    if advance(word) <= most {
        return word.to_owned();
    }
    let mut kept = word.to_owned();
    while !kept.is_empty() && advance(&kept) + advance(ELLIPSIS) > most {
        kept.pop();
    }
    kept + ELLIPSIS
}

/// Width of a text in ems, of the widest of the usual fonts without serifs (DejaVu Sans, Verdana), rounded up.
fn advance(text: &str) -> f64 {
    let of = |letter: char| match letter {
        'i' | 'j' | 'l' | 'I' | '\'' | '|' | '.' | ',' | ':' | ';' => 0.37,
        'f' | 't' | 'r' | ' ' | '(' | ')' | '-' => 0.46,
        '+' | '<' | '>' | '=' | '~' | 'w' => 0.84,
        'm' | 'M' | 'W' | '%' | '@' => 1.08,
        'A'..='Z' => 0.79,
        letter if letter.is_ascii() => 0.65,
        _ => 1.0,
    };
    text.chars().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captions_stay_in_their_columns() {
        assert_eq!(broken("rank 1: micah", SIDE, 1.0), ["rank 1: micah"]);
        let long = "PSNR 21.3 dB, |w+ - w_avg| 135.0 of a model with a name";
        let lines = broken(long, SIDE, 1.0);
        assert!(lines.len() > 1);
        assert_eq!(lines.join(" "), long);
        let room = f64::from(SIDE) / f64::from(FONT_SIZE);
        let word = "stylegan2-ffhq-config-f-of-somebody";
        let lines = broken(&format!("rank 1: {word} again"), SIDE, 1.0);
        assert!(lines[1].ends_with('\u{2026}') && word.starts_with(&lines[1][..8]));
        assert_eq!(lines[2], "again");
        assert!(lines.iter().all(|line| advance(line) <= room), "{lines:?}");
        assert_eq!(broken("", SIDE, 1.0), [""]);
    }

    #[test]
    fn a_row_is_as_high_as_its_longest_caption() {
        let panel = |caption: &str| Panel {
            image: RgbImage::new(2, 2),
            caption: vec![caption.to_owned()],
        };
        let row = |captions: &[&str]| Row {
            heading: "h".to_owned(),
            panels: captions.iter().map(|caption| panel(caption)).collect(),
        };
        let height = |rows: &[Row]| -> u32 {
            let svg = svg(rows).expect("a figure");
            let from = svg.find("height=\"").expect("a height") + 8;
            let end = from + svg[from..].find('"').expect("its end");
            svg[from..end].parse().expect("a number")
        };
        let short = height(&[row(&["a", "b"])]);
        let long = height(&[row(&[
            "a",
            "a caption that is far too long for one line below a picture",
        ])]);
        assert!(long > short && (long - short).is_multiple_of(LINE));
    }
}
