//! Pictures with captions, in rows, as one SVG that holds them all, and without captions as PNG.

use ganymede::files;
use std::fmt::Write;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image_tensor::{ResizeProtocol, Rgb, RgbImage, encode_png, grid, magnify, resize, write_png};

use crate::Failure;
use ganymede::files::ShownPath;

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
pub fn write(folder: &Path, name: &str, rows: &[Row]) -> Result<ShownPath, Failure> {
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
