//! The interface as WebAssembly.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use wasm_bindgen_cli_support::Bindgen;

use crate::error::Error;
use crate::files::{self, Effort, Packed};

const TARGET: &str = "wasm32-unknown-unknown";

/// Compiles the worker's crate and writes it with the JavaScript around it, which is `engine.js`.
pub fn write(root: &Path, out: &Path) -> Result<Packed, Error> {
    let target = target(root, std::env::var_os("CARGO_TARGET_DIR"));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        // Where the flags for this target are.
        .current_dir(root)
        .args(["build", "--locked", "--profile", "wasm", "--target", TARGET])
        .args(["--package", "studio-worker", "--target-dir"])
        .arg(&target)
        .status()
        .map_err(Error::io(root))?;
    if !status.success() {
        return Err(Error::Compile);
    }
    let compiled = target.join(TARGET).join("wasm/studio_worker.wasm");
    let mut bindgen = Bindgen::new();
    let made = bindgen.input_path(&compiled).web(true).and_then(|bindgen| {
        bindgen
            .typescript(false)
            .remove_producers_section(true)
            .remove_name_section(true)
            .out_name("engine")
            .generate(out)
    });
    made.map_err(|e| Error::other(&compiled, e))?;
    let made = out.join("engine_bg.wasm");
    let bytes = files::read(&made)?;
    whole_file::remove(&made).map_err(Error::io(&made))?;
    files::pack(&bytes, Effort::Most, out)
}

/// Where to compile. Cargo runs in `root`, and takes what is relative from there.
fn target(root: &Path, wanted: Option<OsString>) -> PathBuf {
    root.join(wanted.unwrap_or_else(|| "target".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_folder_lies_where_cargo_runs() {
        let target = |wanted: &str| target(Path::new("/a"), Some(wanted.into()));
        assert_eq!(target("b"), Path::new("/a/b"));
        assert_eq!(target("/c"), Path::new("/c"));
        assert_eq!(super::target(Path::new("/a"), None), Path::new("/a/target"));
    }
}
