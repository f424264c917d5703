use std::borrow::Cow;

/// Characters of a file name that is made of a name from a file.
const LONGEST: usize = 100;

/// Names that mean devices on Windows, with any ending.
const RESERVED: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8",
    "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Whether a name from a file can be a part of a path as it is: 1 to 100 letters, digits, `_`, `-` and `.` of ASCII, of
/// which neither the first nor the last is a dot, and no device of Windows.
///
/// ```
/// use checkpoint_file::is_file_name;
///
/// assert!(is_file_name("G_ema") && is_file_name("state_dict.G_ema"));
/// assert!(!is_file_name("../G_ema") && !is_file_name(".hidden") && !is_file_name("nul"));
/// ```
pub fn is_file_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    (1..=LONGEST).contains(&name.len())
        && name.chars().all(is_allowed)
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !RESERVED.contains(&stem.to_ascii_lowercase().as_str())
}

/// A name from a file as a part of a path: the name itself where [`is_file_name`] holds, else one that is made of it.
///
/// Every other character becomes `_`, as do dots at both ends; what is too long is cut. Two names can so become one.
///
/// ```
/// use checkpoint_file::file_name;
///
/// assert_eq!(file_name("G_ema"), "G_ema");
/// assert_eq!(file_name("/../../evil"), "_.._.._evil");
/// ```
pub fn file_name(name: &str) -> Cow<'_, str> {
    if is_file_name(name) {
        return Cow::Borrowed(name);
    }
    let mut made: String = name
        .chars()
        .take(LONGEST - 1)
        .map(|character| {
            if is_allowed(character) {
                character
            } else {
                '_'
            }
        })
        .collect();
    if made.starts_with('.') {
        made.replace_range(..1, "_");
    }
    if made.ends_with('.') {
        made.pop();
        made.push('_');
    }
    if !is_file_name(&made) {
        // Empty, or a device.
        made.insert(0, '_');
    }
    Cow::Owned(made)
}

fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_reach_elsewhere_never_stay() {
        let long = "x".repeat(10_000);
        for name in [
            "",
            ".",
            "..",
            "...",
            "/",
            "\\",
            "../evil",
            "a/b",
            "a\\b",
            "/../../../evil",
            "C:evil",
            "a\0b",
            "\u{1b}[2J",
            "a\nb",
            "nul",
            "CON",
            "Com1.safetensors",
            "é",
            "a b",
            "a.",
            ".a",
            "\u{202e}gnp",
            "~",
            "-\u{7f}",
            &long,
        ] {
            assert!(!is_file_name(name), "{name:?}");
            let made = file_name(name);
            assert!(is_file_name(&made), "{name:?} becomes {made:?}");
            // One part of a path, and below the folder that it is put in.
            let path = std::path::Path::new("folder").join(&*made);
            assert_eq!(path.parent(), Some(std::path::Path::new("folder")));
        }
    }

    #[test]
    fn usual_names_stay() {
        for name in [
            "G_ema",
            "g",
            "D",
            "state_dict.G_ema",
            "network-snapshot-000100",
            "nullify",
        ] {
            assert_eq!(file_name(name), name);
        }
    }
}
