//! Pictures with captions, in rows, as one SVG that holds them all.

use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image_tensor::{RgbImage, encode_png};

use super::Failure;

/// A picture and the lines below it.
#[derive(Clone, Debug)]
pub struct Panel {
    pub image: RgbImage,
    pub caption: Vec<String>,
}

/// Panels side by side below a heading.
#[derive(Clone, Debug)]
pub struct Row {
    pub heading: String,
    pub panels: Vec<Panel>,
}

/// Side of a panel, in the SVG's pixels.
const SIDE: u32 = 200;
const GAP: u32 = 12;
const LINE: u32 = 17;
const FONT_SIZE: u32 = 13;

/// The figure's text.
pub fn svg(rows: &[Row]) -> Result<String, Failure> {
    let columns = rows.iter().map(|row| row.panels.len()).max().unwrap_or(0) as u32;
    let width = GAP + columns * (SIDE + GAP);
    let mut body = String::new();
    let mut top = GAP;
    for row in rows {
        top += LINE;
        text(&mut body, GAP, top - LINE / 4, "bold", &row.heading)?;
        let lines = row.panels.iter().map(|panel| panel.caption.len()).max();
        for (column, panel) in row.panels.iter().enumerate() {
            let left = GAP + column as u32 * (SIDE + GAP);
            let png = BASE64_STANDARD.encode(encode_png(&panel.image)?);
            writeln!(
                body,
                r#"<image x="{left}" y="{top}" width="{SIDE}" height="{SIDE}" style="image-rendering:pixelated" href="data:image/png;base64,{png}"/>"#
            )?;
            for (line, caption) in panel.caption.iter().enumerate() {
                let y = top + SIDE + (line as u32 + 1) * LINE;
                text(&mut body, left, y, "normal", caption)?;
            }
        }
        top += SIDE + lines.unwrap_or(0) as u32 * LINE + 2 * GAP;
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{top}\" viewBox=\"0 0 {width} {top}\" \
         font-family=\"sans-serif\" font-size=\"{FONT_SIZE}\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    ))
}

fn text(body: &mut String, x: u32, y: u32, weight: &str, content: &str) -> Result<(), Failure> {
    let escaped = content
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    writeln!(
        body,
        r#"<text x="{x}" y="{y}" font-weight="{weight}">{escaped}</text>"#
    )?;
    Ok(())
}
