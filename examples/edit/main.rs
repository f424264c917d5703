//! Edit images of a StyleGAN2 model along the principal directions of its latents.
//!
//! `cargo run --release --example edit` shows what a component of a model of this repository does; `--discover` shows
//! all.

mod tables;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use ganymede::edit::{self, Options, Outcome, gallery};

use examples::terminal::Terminal;
use examples::{CommonArgs, Failure, TunedArgs, output};

/// Edit images of a StyleGAN2 model along the principal directions of its latents
///
/// Without further options it shows what component 0 does to four seeds. --discover shows all components, --attribute
/// ranks them by what they do to an attribute, --save gives one a name, --edit uses it. Every strip's numbers stand
/// beside those of steps of the same length in random directions.
#[derive(Parser, Debug)]
#[command(name = "edit")]
struct Args {
    #[command(flatten)]
    options: Options,
    /// Write a gallery of all named edits of the zoo's models into this Markdown file, between its marks for edits, and
    /// the pictures beside it: each edit's strip on held-out images, and what it moves
    #[arg(long, value_name = "FILE.md", conflicts_with_all = ["model", "edit", "edits", "direction", "mixture", "discover", "attribute", "region", "latent", "image", "save"])]
    gallery: Option<PathBuf>,
    /// Held-out images of each model that --gallery shows
    #[arg(long, value_name = "N", default_value_t = 2, requires = "gallery", value_parser = clap::value_parser!(u16).range(1..))]
    gallery_images: u16,
    /// Held-out images of each model that --gallery measures: those that follow the ones it shows, or these where there
    /// are no more
    #[arg(long, value_name = "N", default_value_t = 5, requires = "gallery")]
    gallery_measured: u16,
    /// Folder for the pictures; those of an earlier run with the same names are replaced
    #[arg(long, default_value = "out/edit", value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    tuned: TunedArgs,
    #[command(flatten)]
    common: CommonArgs,
}

impl Args {
    fn options(&self) -> Options {
        Options {
            seed: self.common.seed,
            out: Some(self.out.clone()),
            ..self.options.clone()
        }
    }

    fn gallery_options(&self, file: &Path) -> gallery::Options {
        gallery::Options {
            file: file.to_owned(),
            images: self.gallery_images,
            measured: self.gallery_measured,
            trials: self.options.trials,
            random: self.options.random,
            truncation_psi: self.options.truncation_psi,
            inversion: self.options.inversion.clone(),
            seed: self.common.seed,
        }
    }
}

fn main() -> ExitCode {
    examples::start();
    examples::exit(run(&examples::parse::<Args>()).map(|()| ExitCode::SUCCESS))
}

fn run(args: &Args) -> Result<(), Failure> {
    let context = args.tuned.context(&args.common)?;
    let mut terminal = Terminal::listen()?;
    if let Some(file) = &args.gallery {
        let outcome = gallery::run(&args.gallery_options(file), &context, &mut terminal)?;
        println!("{}: {} edits", file.display(), outcome.edits.len());
        if let Some(json) = &args.common.json {
            output::write_json(json, &outcome)?;
        }
        return Ok(());
    }
    let options = args.options();
    let outcome = edit::run(&options, &context, &mut terminal)?;
    print(&options, &outcome);
    if let Some(json) = &args.common.json {
        output::write_json(json, &outcome)?;
    }
    Ok(())
}

fn print(options: &Options, outcome: &Outcome) {
    if options.discover {
        tables::print_components(&outcome.components);
        tables::print_proposals(&outcome.proposals);
        tables::print_mixtures(&outcome.mixtures);
    } else {
        tables::print_ranking(outcome);
    }
    if !options.ranks_all() {
        tables::print_strips(&outcome.edits);
    }
    if let Some(sheet) = &outcome.sheet {
        let file = sheet.0.display();
        match &outcome.basis {
            Some(basis) if options.ranks_all() => println!(
                "{file}: {} {} components of {} on {}, a row for each",
                if options.discover { "all" } else { "the best" },
                outcome.shown.len(),
                basis.space,
                outcome.latents[0]
            ),
            _ => println!("{file}: a row for each latent"),
        }
    }
    if let (Some(name), Some(saved)) = (&options.save, &outcome.saved) {
        println!("saved as {name:?} in {}", saved.display());
    }
}
