//! Finds the models of the zoo that could have made an image, and inverts the image into the best.
use ganymede::find_and_invert::{self, Options};
use ganymede::{Context, Device, Observer, Phase};

struct Progress;
impl Observer for Progress {
    fn begin(&mut self, phase: &Phase<'_>) {
        eprintln!("{} ({})", phase.name, phase.length);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options {
        image: std::env::args_os().nth(1).map(Into::into),
        ranks: vec![1],
        out: Some("out/outside".into()),
        ..Options::default()
    };
    let outcome = find_and_invert::run(&options, &Context::new(Device::flex()), &mut Progress)?;
    for found in &outcome.inversions {
        let (lpips, psnr) = (found.lpips, found.psnr);
        println!("{}: LPIPS {lpips:.3}, PSNR {psnr:.1} dB", found.model);
    }
    Ok(())
}
