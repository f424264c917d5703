use std::path::PathBuf;

use clap::{CommandFactory, Parser};
use image_tensor::{Rgb, RgbImage, write_png};

#[cfg(unix)]
use crate::animation::Mp4;
use crate::animation::{frame_file, gif, make_frame_folder};
use crate::options::Options;
use crate::spread;
use examples::latents::LatentSource;

fn frames(count: u8) -> Vec<RgbImage> {
    (0..count)
        .map(|i| RgbImage::from_pixel(4, 4, Rgb([i * 10, 0, 0])))
        .collect()
}

#[test]
fn latents_are_told_apart_by_how_they_are_written() {
    let options = Options::try_parse_from([
        "interpolate",
        "--from",
        "17",
        "--via",
        "a.safetensors",
        "b.png",
        "--to",
        "0x.jpg",
    ])
    .unwrap();
    assert_eq!(options.from, LatentSource::Seed(17));
    assert_eq!(options.to, LatentSource::Image(PathBuf::from("0x.jpg")));
    assert_eq!(
        options.via,
        [
            LatentSource::File(PathBuf::from("a.safetensors")),
            LatentSource::Image(PathBuf::from("b.png"))
        ]
    );
    // No option is there twice.
    Options::command().debug_assert();
    assert!(Options::try_parse_from(["interpolate", "--frames", "1"]).is_err());
}

#[test]
fn frames_of_an_earlier_run_do_not_stay() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("frames");
    make_frame_folder(&folder).unwrap();
    for (index, frame) in frames(5).iter().enumerate() {
        write_png(frame_file(&folder, index), frame).unwrap();
    }
    std::fs::write(folder.join("mine.txt"), "kept").unwrap();
    make_frame_folder(&folder).unwrap();
    let left: Vec<_> = std::fs::read_dir(&folder).unwrap().collect();
    assert_eq!(left.len(), 1);
}

#[test]
fn a_gif_has_every_frame_and_a_rest_at_an_open_end() {
    let frame = std::time::Duration::from_millis(40);
    let delays = |closed| {
        let bytes = gif(&frames(3), 2, frame, closed).unwrap();
        assert_eq!(&bytes[6..10], [8, 0, 8, 0], "enlarged");
        // Graphic control extensions: 21 F9 04, flags, delay in 10 ms.
        bytes
            .windows(6)
            .filter(|w| w[..3] == [0x21, 0xF9, 4])
            .map(|w| u16::from_le_bytes([w[4], w[5]]))
            .collect::<Vec<_>>()
    };
    assert_eq!(delays(true), [4, 4, 4]);
    assert_eq!(delays(false), [4, 4, 104]);
}

/// `false` is a program of Unix.
#[cfg(unix)]
#[test]
fn without_ffmpeg_there_is_no_film_and_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let film = Mp4 {
        frames: folder.path(),
        frames_per_second: 25,
        enlarged: 2,
    };
    let file = folder.path().join("a.mp4");
    assert!(!film.write_with("no-such-program-as-this", &file).unwrap());
    // A program that fails is an error with a way out.
    let error = film.write_with("false", &file).unwrap_err().to_string();
    assert!(error.contains("--no-mp4"), "{error}");
}

#[test]
fn a_strip_has_both_ends() {
    assert_eq!(spread(60, 4).collect::<Vec<_>>(), [0, 19, 39, 59]);
    assert_eq!(spread(3, 9).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(spread(1, 9).collect::<Vec<_>>(), [0]);
}
