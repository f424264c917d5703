//! Sets of images as people have them.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::fs::File;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use image_source::{BadImages, ImageSource, ImageSourceError, SourceImage};
use image_tensor::{DecodeLimits, Rgb, RgbImage, encode_png, write_png};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

fn picture(value: u8) -> RgbImage {
    RgbImage::from_pixel(3, 2, Rgb([value, 0, 255 - value]))
}

fn png(value: u8) -> Vec<u8> {
    encode_png(&picture(value)).unwrap()
}

fn images(source: &ImageSource) -> Vec<SourceImage> {
    let limits = DecodeLimits::default();
    source.images(&limits).map(Result::unwrap).collect()
}

/// First channels in order, which tell the pictures of these tests apart.
fn values(source: &ImageSource) -> Vec<u8> {
    let images = images(source);
    images
        .iter()
        .map(|i| i.pixels.get_pixel(0, 0).0[0])
        .collect()
}

fn zip(path: &Path, entries: &[(&str, &[u8])]) {
    let mut zip = ZipWriter::new(File::create(path).unwrap());
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

fn tar(path: &Path, entries: &[(&str, &[u8])]) {
    let mut tar = tar::Builder::new(File::create(path).unwrap());
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    tar.finish().unwrap();
}

/// What a Mac, Windows and the official dataset tool leave beside pictures.
fn clutter() -> [(&'static str, &'static [u8]); 7] {
    [
        ("._0.png", b"what a Mac keeps beside 0.png"),
        (".DS_Store", b"\0\0\0\x01Bud1"),
        ("Thumbs.db", b"\xD0\xCF\x11\xE0"),
        ("__MACOSX/._0.png", b"the same again"),
        ("__MACOSX/0.png", b"the same again"),
        ("notes.txt", b"hello"),
        ("dataset.json", b"{\"labels\": null}"),
    ]
}

#[test]
fn folders_and_archives_follow_one_rule() {
    let folder = tempfile::tempdir().unwrap();
    let (zero, one, two) = (png(0), png(1), png(2));
    let pictures: [(&str, &[u8]); 3] = [
        ("0.PNG", &zero),
        ("00001/img.JFIF", &one),
        ("b/c/d.tif", &two),
    ];
    let entries = [&pictures[..], &clutter()].concat();
    let tree = folder.path().join("tree");
    for (name, bytes) in &entries {
        let path = tree.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    // Named otherwise than what they are.
    let (zipped, tarred) = (folder.path().join("a.data"), folder.path().join("b.data"));
    zip(&zipped, &entries);
    tar(&tarred, &entries);
    for (path, hidden, system) in [
        // A folder of the system counts once, as it is not searched.
        (&tree, 2, 2),
        (&zipped, 2, 3),
        (&tarred, 2, 3),
    ] {
        let source = ImageSource::open(path).unwrap();
        assert_eq!(values(&source), [0, 1, 2], "{path:?}");
        assert_eq!(source.len(), 3);
        let left_out = source.left_out();
        assert_eq!(
            (
                left_out.hidden,
                left_out.system,
                left_out.other,
                left_out.labels
            ),
            (hidden, system, 1, 1),
            "{path:?}: {left_out}"
        );
        let first = &images(&source)[1];
        assert_eq!(first.stem, "img");
        assert!(first.name.ends_with("00001/img.JFIF"), "{}", first.name);
        assert_eq!(values(&source.with_limit(2)), [0, 1]);
    }
    let all = ImageSource::open_all([&zipped, &tree.join("0.PNG"), &tarred]).unwrap();
    assert_eq!(values(&all), [0, 1, 2, 0, 0, 1, 2]);
    assert_eq!(values(&all.with_limit(5)), [0, 1, 2, 0, 0]);
}

#[test]
fn packed_files_are_sets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packed.safetensors");
    let bytes: Vec<u8> = (0..24).collect();
    let write = |format: &str, shape: Vec<usize>| {
        let tensor = checkpoint_file::StoredTensor::new(
            checkpoint_file::StoredDType::U8,
            shape,
            bytes.clone(),
        );
        checkpoint_file::save_safetensors(
            &path,
            &[("images".to_owned(), tensor)].into(),
            &[("format".to_owned(), format.to_owned())].into(),
            checkpoint_file::FloatPrecision::F32,
        )
        .unwrap();
    };
    write("packed-images/1", vec![2, 3, 2, 2]);
    let source = ImageSource::open(&path).unwrap();
    assert_eq!(values(&source), [0, 12]);
    assert_eq!(images(&source)[1].pixels.get_pixel(1, 1).0, [15, 19, 23]);
    write("packed-images/\u{1b}[2J", vec![2, 3, 2, 2]);
    let message = ImageSource::open(&path).unwrap_err().to_string();
    assert!(message.contains("\\u{1b}[2J"), "{message:?}");
    write("packed-images/1", vec![1, 3, 4, 2]);
    let message = ImageSource::open(&path).unwrap_err().to_string();
    assert!(message.contains("squares"), "{message:?}");
}

#[test]
fn bad_images_are_refused_or_skipped_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("a.png", &png(0)[..]),
        ("b.png", b"no picture"),
        ("c.HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
    ] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let source = ImageSource::open(folder.path()).unwrap();
    let read = |bad| {
        let mut used = Vec::new();
        let skipped = source.for_each(&DecodeLimits::default(), bad, |image| {
            used.push(image.stem);
            Ok::<(), ImageSourceError>(())
        });
        (used, skipped)
    };
    let message = read(BadImages::Refuse).1.unwrap_err().to_string();
    assert!(message.contains("b.png"), "{message}");
    let (used, skipped) = read(BadImages::Skip);
    assert_eq!(used, ["a"]);
    let reasons: Vec<String> = skipped.unwrap().iter().map(ToString::to_string).collect();
    assert!(
        reasons[0].contains("b.png") && reasons[1].contains("HEIC"),
        "{reasons:?}"
    );

    source.require(3, "a covariance").unwrap();
    let message = source.require(4, "a covariance").unwrap_err().to_string();
    let set = folder.path().display().to_string();
    assert!(
        message.starts_with(&set) && message.contains("a covariance"),
        "{message}"
    );
    std::fs::remove_file(folder.path().join("a.png")).unwrap();
    let source = ImageSource::open(folder.path()).unwrap();
    let skip = source.for_each(&DecodeLimits::default(), BadImages::Skip, |_| {
        Ok::<(), ImageSourceError>(())
    });
    assert!(skip.unwrap_err().to_string().contains("b.png"));
}

#[test]
fn empty_sets_say_what_is_there_instead() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in clutter() {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let message = ImageSource::open(folder.path()).unwrap_err().to_string();
    assert!(
        message.contains("2 hidden") && message.contains("1 with other endings"),
        "{message}"
    );
    let zipped = folder.path().join("a.zip");
    zip(&zipped, &[]);
    let error = ImageSource::open(&zipped).unwrap_err();
    assert!(matches!(error, ImageSourceError::Empty { .. }), "{error}");
    let error = ImageSource::open(folder.path().join("none")).unwrap_err();
    assert!(matches!(error, ImageSourceError::Io { .. }), "{error}");
    assert!(ImageSource::open_all(Vec::<PathBuf>::new()).is_err());
}

#[cfg(unix)]
#[test]
fn links_are_followed_once_and_pipes_not_at_all() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let (set, elsewhere) = (folder.path().join("set"), folder.path().join("elsewhere"));
    for path in [set.join("inner"), elsewhere.clone()] {
        std::fs::create_dir_all(path).unwrap();
    }
    write_png(set.join("inner/1.png"), &picture(1)).unwrap();
    write_png(elsewhere.join("2.png"), &picture(2)).unwrap();
    write_png(folder.path().join("3.png"), &picture(3)).unwrap();
    symlink(&set, set.join("inner/up")).unwrap();
    symlink(&elsewhere, set.join("0")).unwrap();
    symlink(&elsewhere, set.join("again")).unwrap();
    symlink(folder.path().join("3.png"), set.join("linked.png")).unwrap();
    symlink(set.join("inner/1.png"), set.join("a.png")).unwrap();
    symlink("nowhere", set.join("b.png")).unwrap();
    symlink("/dev/zero", set.join("c.png")).unwrap();
    let pipe = std::ffi::CString::new(set.join("d.png").as_os_str().as_bytes()).unwrap();
    // SAFETY: the name is a string that ends in a zero and lives until the call is over.
    assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
    std::fs::create_dir(set.join("e.png")).unwrap();

    let source = ImageSource::open(&set).unwrap();
    // `0/2.png`, `inner/1.png`, `linked.png`.
    assert_eq!(values(&source), [2, 1, 3]);
    let left_out = source.left_out();
    assert_eq!(
        (left_out.repeated, left_out.irregular),
        (3, 3),
        "{left_out}"
    );
    // As a set of its own, a pipe is an error at once.
    assert!(ImageSource::open(set.join("d.png")).is_err());
    assert!(ImageSource::open("/dev/zero").is_err());
}

/// The bytes of a zip whose central directory names one entry's bytes many times.
fn overlapping_zip(copies: u16) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("0000.bmp", SimpleFileOptions::default())
        .unwrap();
    zip.write_all(&vec![0; 1 << 20]).unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    /// Length of the record at the end, whose fields say how many entries there are and where their directory begins.
    const END: usize = 22;
    let end = bytes.len() - END;
    let start = u32::from_le_bytes(bytes[end + 16..end + 20].try_into().unwrap()) as usize;
    let mut bomb = bytes[..start].to_vec();
    for copy in 0..copies {
        let mut record = bytes[start..end].to_vec();
        // The name is the last of the 46 bytes' fields that vary.
        record[46..50].copy_from_slice(format!("{copy:04}").as_bytes());
        bomb.extend(record);
    }
    let mut last = bytes[end..].to_vec();
    last[8..10].copy_from_slice(&copies.to_le_bytes());
    last[10..12].copy_from_slice(&copies.to_le_bytes());
    let length = (bomb.len() - start) as u32;
    last[12..16].copy_from_slice(&length.to_le_bytes());
    bomb.extend(last);
    bomb
}

#[test]
fn archives_that_claim_more_than_they_have_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bomb = folder.path().join("bomb.zip");
    std::fs::write(&bomb, overlapping_zip(1)).unwrap();
    assert_eq!(ImageSource::open(&bomb).unwrap().len(), 1);
    std::fs::write(&bomb, overlapping_zip(2000)).unwrap();
    let message = ImageSource::open(&bomb).unwrap_err().to_string();
    assert!(message.contains("more than the"), "{message}");

    let cut = folder.path().join("cut.tar");
    tar(&cut, &[("a.png", &png(1)), ("b.png", &[7; 10_000])]);
    let bytes = std::fs::read(&cut).unwrap();
    std::fs::write(&cut, &bytes[..6000]).unwrap();
    let message = ImageSource::open(&cut).unwrap_err().to_string();
    assert!(message.contains("cut short"), "{message}");

    let packed = folder.path().join("a.tar.gz");
    std::fs::write(&packed, b"\x1f\x8b\x08\0").unwrap();
    let message = ImageSource::open(&packed).unwrap_err().to_string();
    assert!(
        message.contains("gzip") && message.contains("unpack"),
        "{message}"
    );
}

/// An entry's own length is not believed, and one that unpacks to more than an image may have is refused before it is
/// held.
#[test]
fn entries_are_unpacked_up_to_the_limit_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.zip");
    zip(&path, &[("a.png", &vec![0; 4 << 20]), ("b.png", &png(1))]);
    let limits = DecodeLimits {
        max_file_bytes: 1 << 20,
        ..DecodeLimits::default()
    };
    let source = ImageSource::open(&path).unwrap();
    let found: Vec<_> = source.images(&limits).collect();
    let message = found[0].as_ref().unwrap_err().to_string();
    assert!(message.contains("more than 1048576 bytes"), "{message}");
    assert_eq!(found[1].as_ref().unwrap().pixels, picture(1));
}

#[test]
fn names_in_archives_are_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names.tar");
    let evil = png(1);
    let mut builder = tar::Builder::new(File::create(&path).unwrap());
    let mut header = tar::Header::new_gnu();
    header.set_size(evil.len() as u64);
    header.set_mode(0o644);
    let name = b"../../\x1b[2Jevil\\..\\nul.png";
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_cksum();
    builder.append(&header, &evil[..]).unwrap();
    builder.finish().unwrap();
    let source = ImageSource::open(&path).unwrap();
    let image = &images(&source)[0];
    assert_eq!(image.stem, "nul_");
    assert!(image.name.contains("\\u{1b}[2J"), "{:?}", image.name);
    assert!(image.path.is_none());
}

/// Changed bytes give images or errors, never a panic.
#[test]
fn damaged_archives_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let (zero, one) = (png(0), png(1));
    let entries: [(&str, &[u8]); 2] = [("0.png", &zero), ("b/1.png", &one)];
    let path = folder.path().join("set");
    for pack in [zip, tar] {
        pack(&path, &entries);
        let bytes = std::fs::read(&path).unwrap();
        // A linear congruential generator, Knuth's constants.
        let mut state = 7u64;
        let mut next = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let mut read = 0;
        for _ in 0..2000 {
            let mut damaged = bytes.clone();
            for _ in 0..=next(4) {
                let place = next(damaged.len());
                damaged[place] = next(256) as u8;
            }
            if next(4) == 0 {
                damaged.truncate(next(damaged.len()));
            }
            std::fs::write(&path, &damaged).unwrap();
            if let Ok(source) = ImageSource::open(&path) {
                let limits = DecodeLimits::default();
                read += source.images(&limits).filter(Result::is_ok).count();
            }
        }
        // Most changes hit padding or one of the two pictures.
        assert!(read > 0);
    }
}
