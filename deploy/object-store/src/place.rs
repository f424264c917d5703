use std::fmt;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use url::Url;

use crate::Error;

/// What the names of options start with.
const PREFIXES: [&str; 3] = ["AWS_", "GOOGLE_", "AZURE_"];

/// An answer may take long, as it may have gigabytes; by default it has 30 seconds. Silence may not.
const TIMEOUTS: [(&str, &str); 2] = [("TIMEOUT", "6 hours"), ("READ_TIMEOUT", "2 minutes")];

/// A store and a prefix in it.
#[derive(Clone, Debug)]
pub struct Place {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) prefix: Path,
    shown: String,
}

impl Place {
    /// A folder, or a URL: `file://`, and `s3://`, `gs://` or `az://` in builds with the feature. `options` are names
    /// and values such as `AWS_ENDPOINT` and `http://localhost:9000`; names are those of the environment variables of
    /// `object_store`, which start with `AWS_`, `GOOGLE_` or `AZURE_`, and others are ignored.
    ///
    /// # Errors
    ///
    /// The text is neither, its store is not compiled in or lacks an option, or the URL has a password, a query or a
    /// fragment.
    pub fn parse(
        text: &str,
        options: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let wrong = |problem: String| Error::Place {
            found: without_credentials(text),
            problem,
        };
        let url = match text.contains("://") {
            true => Url::parse(text).map_err(|e| wrong(e.to_string()))?,
            false => {
                let folder = std::path::absolute(text).map_err(|e| wrong(e.to_string()))?;
                let url = Url::from_directory_path(folder);
                url.map_err(|()| wrong("no folder has this name".to_owned()))?
            }
        };
        let is_plain = url.password().is_none() && url.query().is_none();
        if !is_plain || url.fragment().is_some() {
            return Err(wrong(
                "nothing behind ? or # is part of a place, and credentials belong into environment variables".to_owned(),
            ));
        }
        if url.scheme() == "memory" {
            return Err(wrong("this would be lost when the program ends".to_owned()));
        }
        // `object_store` knows its options under short names too, such as TOKEN, which other programs' variables have.
        let options = options.into_iter().filter(|(name, _)| {
            let name = name.to_ascii_uppercase();
            PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        });
        let defaults = PREFIXES.iter().flat_map(|prefix| {
            TIMEOUTS.map(|(name, value)| (format!("{prefix}{name}"), value.to_owned()))
        });
        // Of two values the later counts.
        let (store, prefix) = object_store::parse_url_opts(&url, defaults.chain(options))
            .map_err(|e| wrong(e.to_string()))?;
        Ok(Self {
            store: store.into(),
            prefix,
            shown: text.trim_end_matches('/').to_owned(),
        })
    }

    /// A store that is there already, such as one in memory.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: Path) -> Self {
        Self {
            shown: format!("{store}/{prefix}"),
            store,
            prefix,
        }
    }

    /// An object of this place, for messages.
    pub(crate) fn name(&self, object: &Path) -> String {
        match object.prefix_match(&self.prefix) {
            Some(parts) => parts.fold(self.shown.clone(), |name, part| {
                format!("{name}/{}", part.as_ref())
            }),
            None => format!("{self}: {object}"),
        }
    }
}

/// Of a URL in which a user, a password or a signature may stand, the scheme only.
fn without_credentials(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) if rest.contains(['@', '?']) => format!("{scheme}://..."),
        _ => text.to_owned(),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}
