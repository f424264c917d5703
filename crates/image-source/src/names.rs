//! What names say: whether a file counts as an image, and how names from archives may be shown and used.

use std::ffi::OsStr;
use std::path::Path;

use crate::LeftOut;

/// Endings of files that count as images, compared without case. What the content is decides how they are decoded;
/// those of the last line are not, and the error that says so is of more use than a silently smaller set.
const EXTENSIONS: [&str; 12] = [
    "png", "jpg", "jpeg", "jfif", "gif", "webp", "bmp", "tif", "tiff", //
    "heic", "heif", "avif",
];
/// What errors say that was looked for.
pub(crate) const EXPECTED: &str = "PNG, JPEG, GIF, WebP, BMP or TIFF files, in a folder, a .zip, an uncompressed .tar or a file of packed images";
/// Written by systems beside images.
const OF_SYSTEMS: [&str; 3] = ["thumbs.db", "ehthumbs.db", "desktop.ini"];
/// Where zip archives of a Mac hold what are no images under names of images.
const MAC_FOLDER: &str = "__macosx";
/// The official dataset tool's labels.
const LABELS: &str = "dataset.json";
/// A name may be of any length in an archive.
const LONGEST_NAME: usize = 100;
/// Longest shown name: paths and what is in an archive.
const LONGEST_SHOWN: usize = 200;

/// What a file's name says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameKind {
    Image,
    Hidden,
    System,
    Labels,
    Other,
}

impl NameKind {
    /// Counts what is no image.
    pub(crate) fn count(self, left_out: &mut LeftOut) {
        match self {
            Self::Image => {}
            Self::Hidden => left_out.hidden += 1,
            Self::System => left_out.system += 1,
            Self::Labels => left_out.labels += 1,
            Self::Other => left_out.other += 1,
        }
    }
}

/// Of one part of a path, file or folder. Folders are never [`NameKind::Image`] to their callers, which look for hidden
/// and system ones only.
pub(crate) fn kind_of(name: &OsStr) -> NameKind {
    let lower = name.to_string_lossy().to_lowercase();
    if lower == MAC_FOLDER || OF_SYSTEMS.contains(&lower.as_str()) {
        NameKind::System
    } else if lower.starts_with('.') {
        NameKind::Hidden
    } else if lower == LABELS {
        NameKind::Labels
    } else if has_extension(name, &EXTENSIONS) {
        NameKind::Image
    } else {
        NameKind::Other
    }
}

/// Of a path in an archive: that of its folders where they are hidden or the system's, that of its last part otherwise.
pub(crate) fn kind_of_path(path: &str) -> NameKind {
    let mut parts = path
        .split(['/', '\\'])
        .filter(|part| !matches!(*part, "" | "." | ".."))
        .map(|part| kind_of(OsStr::new(part)));
    let Some(mut last) = parts.next_back() else {
        return NameKind::Other;
    };
    for folder in parts {
        if matches!(folder, NameKind::Hidden | NameKind::System) {
            last = folder;
        }
    }
    last
}

pub(crate) fn has_extension(name: &OsStr, extensions: &[&str]) -> bool {
    Path::new(name)
        .extension()
        .and_then(OsStr::to_str)
        .is_some_and(|found| extensions.iter().any(|e| found.eq_ignore_ascii_case(e)))
}

/// A name from a file as a terminal may have it.
pub(crate) fn shown(name: &str) -> String {
    checkpoint_file::shown_within(name, LONGEST_SHOWN).to_string()
}

/// Control characters and marks that change the order in which text is shown.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The base name of a path without its ending, as part of the name of a file that is written: no separator, no control
/// character, nothing that Windows reserves, at most 100 bytes.
pub(crate) fn stem(path: &str) -> String {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let stem = Path::new(name)
        .file_stem()
        .and_then(OsStr::to_str)
        .unwrap_or(name);
    let stem = &stem[..stem.floor_char_boundary(LONGEST_NAME)];
    let safe: String = stem
        .chars()
        .map(|c| match c {
            ':' | '*' | '?' | '"' | '<' | '>' | '|' => '_',
            c if is_invisible(c) => '_',
            c => c,
        })
        .collect();
    let safe = safe.trim_matches(['.', ' ']);
    if safe.is_empty() {
        "image".to_owned()
    } else if is_reserved(safe) {
        format!("{safe}_")
    } else {
        safe.to_owned()
    }
}

/// Names that are devices on Windows, with any ending.
fn is_reserved(stem: &str) -> bool {
    let name = stem.split('.').next().unwrap_or(stem).to_ascii_lowercase();
    let numbered = |prefix: &str| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit())
    };
    ["con", "prn", "aux", "nul"].contains(&name.as_str()) || numbered("com") || numbered("lpt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_counts() {
        for (path, kind) in [
            ("a.png", NameKind::Image),
            ("b/c.JPEG", NameKind::Image),
            ("./d.Jfif", NameKind::Image),
            ("e.HEIC", NameKind::Image),
            (".a.png", NameKind::Hidden),
            ("b/._c.png", NameKind::Hidden),
            (".git/c.png", NameKind::Hidden),
            ("__MACOSX/d.png", NameKind::System),
            ("x/__MACOSX/._d.png", NameKind::System),
            ("THUMBS.DB", NameKind::System),
            ("dataset.json", NameKind::Labels),
            ("e.txt", NameKind::Other),
            ("png", NameKind::Other),
            ("..", NameKind::Other),
            ("", NameKind::Other),
        ] {
            assert_eq!(kind_of_path(path), kind, "{path}");
        }
    }

    #[test]
    fn stems_name_files_safely() {
        for (path, expected) in [
            ("folder/photo 1.jpg", "photo 1"),
            ("M\u{fc}ller.png", "M\u{fc}ller"),
            ("../../evil.png", "evil"),
            ("..\\..\\evil.png", "evil"),
            ("a\u{1b}[2J\nb.png", "a_[2J_b"),
            ("a\0b.png", "a_b"),
            ("c:d.png", "c_d"),
            ("NUL.png", "NUL_"),
            ("com1.old.png", "com1.old_"),
            ("...", "image"),
            ("", "image"),
            ("\u{202e}gnp.exe.png", "_gnp.exe"),
        ] {
            assert_eq!(stem(path), expected, "{path:?}");
        }
        assert_eq!(stem(&"\u{20ac}".repeat(4000)).len(), 99);
    }
}
