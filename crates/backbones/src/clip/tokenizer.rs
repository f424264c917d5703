use std::fmt;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use instant_clip_tokenizer::{Token, Tokenizer};
use unicode_normalization::UnicodeNormalization;

use crate::BackbonesError;

/// How gzip files start.
const GZIP: [u8; 2] = [0x1F, 0x8B];
/// OpenAI's vocabulary is 3.2 MB of text; a file that unpacks to more is another one.
const LONGEST_VOCABULARY: u64 = 16 << 20;
/// Characters of a text that an error message repeats.
const QUOTED: usize = 60;

/// Token ids of one text: the start, the text, the end, and zeros up to the network's context of 77.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClipTokens {
    ids: [u16; ClipTokens::LENGTH],
    end: usize,
}

impl ClipTokens {
    /// Number of ids, the network's context.
    pub const LENGTH: usize = 77;
    /// Number of different ids.
    pub const VOCABULARY: usize = 49_408;
    /// The id before every text.
    pub const START: u16 = 49_406;
    /// The id after every text.
    pub const END: u16 = 49_407;

    /// Ids that another tokenizer has made.
    ///
    /// # Errors
    /// When there are other than 77, one is beyond the vocabulary, or none is the end.
    pub fn from_ids(ids: &[u16]) -> Result<Self, BackbonesError> {
        let invalid = |reason| BackbonesError::InvalidTokens { reason };
        let ids: [u16; Self::LENGTH] = ids
            .try_into()
            .map_err(|_| invalid(format!("count {}, expected {}", ids.len(), Self::LENGTH)))?;
        if let Some(id) = ids.iter().find(|id| usize::from(**id) >= Self::VOCABULARY) {
            return Err(invalid(format!(
                "contain {id}, expected less than {}",
                Self::VOCABULARY
            )));
        }
        let end = ids
            .iter()
            .position(|id| *id == Self::END)
            .ok_or_else(|| invalid(format!("do not contain the end of the text, {}", Self::END)))?;
        Ok(Self { ids, end })
    }

    /// The ids.
    pub fn ids(&self) -> &[u16; Self::LENGTH] {
        &self.ids
    }

    /// Where the end stands.
    pub(super) fn end(&self) -> usize {
        self.end
    }
}

/// Longest vocabulary that is read; OpenAI's has 3 MB unpacked.
const MAX_BYTES: u64 = 64 << 20;

/// Byte-pair encoding of texts as CLIP was trained with.
///
/// Differs from OpenAI's: texts are brought to Unicode's composed form (NFC) and typographic quotes are made straight,
/// as there, but wrongly decoded text is not repaired and HTML entities are not resolved; a text that is too long is an
/// error unless truncation is asked for.
pub struct ClipTokenizer {
    tokenizer: Tokenizer,
}

impl ClipTokenizer {
    /// With OpenAI's vocabulary (MIT license), which is part of the program. Takes some tens of milliseconds, so make
    /// it once.
    pub fn openai() -> Self {
        Self {
            tokenizer: Tokenizer::new(),
        }
    }

    /// With the vocabulary in a file: OpenAI's `bpe_simple_vocab_16e6.txt`, plain or with gzip as in its repository.
    ///
    /// # Errors
    /// When the file cannot be read or is not of that form.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, BackbonesError> {
        let path = path.as_ref();
        let bytes = whole_file::read(path, MAX_BYTES).map_err(|source| BackbonesError::Io {
            path: path.to_owned(),
            source,
        })?;
        let unusable = |reason: String| BackbonesError::Vocabulary {
            path: path.to_owned(),
            reason,
        };
        let text = if bytes.starts_with(&GZIP) {
            let mut text = Vec::new();
            GzDecoder::new(bytes.as_slice())
                .take(LONGEST_VOCABULARY)
                .read_to_end(&mut text)
                .map_err(|error| unusable(format!("its gzip data are damaged ({error})")))?;
            text
        } else {
            bytes
        };
        let tokenizer = Tokenizer::with_vocabulary(text.as_slice(), ClipTokens::VOCABULARY as u16)
            .map_err(|error| unusable(error.to_string()))?;
        let start = tokenizer.start_of_text().to_u16();
        if start != ClipTokens::START {
            return Err(unusable(format!(
                "it has {start} entries, expected {}",
                ClipTokens::START
            )));
        }
        Ok(Self { tokenizer })
    }

    /// Encodes one text of any length up to 75 tokens.
    ///
    /// # Errors
    /// When the text has more tokens.
    pub fn encode(&self, text: &str) -> Result<ClipTokens, BackbonesError> {
        let ids = self.marked(text);
        if ids.len() > ClipTokens::LENGTH {
            return Err(BackbonesError::TextTooLong {
                text: text.chars().take(QUOTED).collect(),
                found: ids.len(),
                limit: ClipTokens::LENGTH,
            });
        }
        Ok(padded(&ids))
    }

    /// Encodes the first 75 tokens of a text.
    pub fn encode_truncated(&self, text: &str) -> ClipTokens {
        let mut ids = self.marked(text);
        if ids.len() > ClipTokens::LENGTH {
            ids.truncate(ClipTokens::LENGTH - 1);
            ids.push(ClipTokens::END);
        }
        padded(&ids)
    }

    /// The ids of a text between start and end.
    fn marked(&self, text: &str) -> Vec<u16> {
        let mut tokens = vec![self.tokenizer.start_of_text()];
        self.tokenizer.encode(&cleaned(text), &mut tokens);
        tokens.push(self.tokenizer.end_of_text());
        tokens.into_iter().map(Token::to_u16).collect()
    }
}

impl fmt::Debug for ClipTokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClipTokenizer").finish_non_exhaustive()
    }
}

/// Composed characters and straight quotes. White space needs no cleaning: it only separates words.
fn cleaned(text: &str) -> String {
    text.nfc()
        .map(|character| match character {
            '\u{2018}'..='\u{201B}' => '\'',
            '\u{201C}'..='\u{201F}' => '"',
            other => other,
        })
        .collect()
}

fn padded(marked: &[u16]) -> ClipTokens {
    let mut ids = [0; ClipTokens::LENGTH];
    ids[..marked.len()].copy_from_slice(marked);
    ClipTokens {
        ids,
        end: marked.len() - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_in_different_form_have_equal_tokens() {
        let tokenizer = ClipTokenizer::openai();
        let ids = |text: &str| tokenizer.encode(text).expect("a short text");
        assert_eq!(
            ids("It\u{2019}s a caf\u{E9}"),
            ids("  it's\n a CAFE\u{301}\t")
        );
        assert_ne!(ids("its a cafe"), ids("it's a caf\u{E9}"));
    }

    #[test]
    fn long_texts_are_refused_or_cut() {
        let tokenizer = ClipTokenizer::openai();
        let exactly = "cat ".repeat(75);
        let longer = "cat ".repeat(76);
        let full = tokenizer.encode(&exactly).expect("75 tokens fit");
        assert_eq!(full.ids()[76], ClipTokens::END);
        let error = tokenizer.encode(&longer).expect_err("76 tokens do not fit");
        assert!(error.to_string().contains("78 tokens"), "{error}");
        assert_eq!(tokenizer.encode_truncated(&longer), full);
    }

    #[test]
    fn ids_of_other_tokenizers_are_checked() {
        let tokens = ClipTokenizer::openai()
            .encode("a photo")
            .expect("a short text");
        assert_eq!(ClipTokens::from_ids(tokens.ids()).ok(), Some(tokens));
        let without_end = [1; ClipTokens::LENGTH];
        let mut beyond = without_end;
        beyond[3] = 49_408;
        for bad in [&without_end[..], &beyond, &without_end[1..]] {
            assert!(ClipTokens::from_ids(bad).is_err());
        }
    }
}
