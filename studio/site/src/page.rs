//! The page: the files of the server's, with what answers in the browser in place of `api.js`.

use std::path::Path;

use crate::error::Error;
use crate::files;

/// Before the end of the page.
const FOOTER: &str = "  <footer><a href=\"./credits.html\">Credits and licenses</a></footer>\n";
const END: &str = "</body>";

/// Nothing but the site's own files, the program that is compiled from them, and what the page makes itself.
const POLICY: &str = "  <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' blob: data:; connect-src 'self' blob:\">\n";
const HEAD: &str = "<head>\n";

/// Writes the page.
pub fn write(root: &Path, out: &Path) -> Result<(), Error> {
    // The second folder's `api.js` takes the place of the first's.
    for folder in ["web", "studio/worker/page"] {
        for file in files::list(&root.join(folder))? {
            let bytes = files::read(&file)?;
            files::write(&out.join(file.file_name().unwrap_or_default()), &bytes)?;
        }
    }
    let index = out.join("index.html");
    let text = String::from_utf8(files::read(&index)?).map_err(|e| Error::other(&index, e))?;
    for place in [HEAD, END] {
        if text.matches(place).count() != 1 {
            return Err(Error::other(
                &index,
                format!("expected one {}", place.trim()),
            ));
        }
    }
    let text = text
        .replace(HEAD, &format!("{HEAD}{POLICY}"))
        .replace(END, &format!("{FOOTER}{END}"));
    files::write(&index, text.as_bytes())
}
