use std::fmt::{self, Write};

/// Characters of a name that are shown; a longer one is cut in the middle.
const NAME_CHARACTERS: usize = 120;

/// Of a longer name, those that stay at its end, which often tells more than its middle.
const LAST_CHARACTERS: usize = 24;

/// Text from a file, ready for a message or a terminal: see [`shown`].
#[derive(Clone, Copy, Debug)]
pub struct Shown<'t> {
    text: &'t str,
    limit: usize,
}

/// Text from a file for a message or a listing: one line of at most about 120 characters.
///
/// Whatever could move a cursor, color a terminal or turn the direction of writing is escaped as in Rust (`\u{1b}`,
/// `\n`). Quotes and backslashes stay as they are, so that names of files read as usual. A longer text is cut in the
/// middle and its length given.
///
/// ```
/// use checkpoint_file::shown;
///
/// assert_eq!(shown("g_ema").to_string(), "g_ema");
/// assert_eq!(shown("\u{1b}[2Jg").to_string(), r"\u{1b}[2Jg");
/// assert!(shown(&"x".repeat(100_000)).to_string().ends_with("xxx (100000 characters)"));
/// ```
pub fn shown(text: &str) -> Shown<'_> {
    shown_within(text, NAME_CHARACTERS)
}

/// As [`shown`], with room for a sentence or a list: `limit` characters.
pub fn shown_within(text: &str, limit: usize) -> Shown<'_> {
    Shown { text, limit }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A text of no more bytes has no more characters, which spares counting them.
        let count = if self.text.len() <= self.limit {
            self.text.len()
        } else {
            self.text.chars().count()
        };
        if count <= self.limit {
            return escape(f, self.text.chars());
        }
        let last = LAST_CHARACTERS.min(self.limit / 2);
        escape(f, self.text.chars().take(self.limit - last))?;
        f.write_str("...")?;
        escape(f, self.text.chars().skip(count - last))?;
        write!(f, " ({count} characters)")
    }
}

fn escape(f: &mut fmt::Formatter<'_>, characters: impl Iterator<Item = char>) -> fmt::Result {
    for character in characters {
        match character {
            '"' | '\'' | '\\' => f.write_char(character)?,
            other => write!(f, "{}", other.escape_debug())?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_stays_as_it_is() {
        for text in [
            "",
            "synthesis.b4.conv1.weight",
            r#"C:\models\"x".pkl"#,
            "Modèle №1 型",
        ] {
            assert_eq!(shown(text).to_string(), text);
        }
    }

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        for (text, expected) in [
            ("\u{1b}]0;x\u{7}", r"\u{1b}]0;x\u{7}"),
            ("a\nb\r\tc", r"a\nb\r\tc"),
            ("\0\u{7f}\u{9b}2J", r"\0\u{7f}\u{9b}2J"),
            // Turns the direction of writing; looks like nothing; ends a line.
            (
                "\u{202e}lkp\u{200b}\u{2028}",
                r"\u{202e}lkp\u{200b}\u{2028}",
            ),
        ] {
            assert_eq!(shown(text).to_string(), expected);
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        for letter in ["x", "é", "型"] {
            let long = format!("{}end", letter.repeat(10_000));
            let cut = shown(&long).to_string();
            assert!(cut.ends_with("end (10003 characters)"), "{cut}");
            assert_eq!(cut.matches(letter).count(), NAME_CHARACTERS - 3);
        }
        let exact = "é".repeat(NAME_CHARACTERS);
        assert_eq!(shown(&exact).to_string(), exact);
        assert!(
            shown_within("abcdef", 3)
                .to_string()
                .starts_with("ab...f (6")
        );
    }
}
