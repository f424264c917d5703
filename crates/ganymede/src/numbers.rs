//! Numbers of options, with their ranges: as they are written on a command line, and as they are found in a job's
//! options.

use std::time::Duration;

use crate::Error;

#[cfg(feature = "clap")]
fn number(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if value.is_finite() {
        Ok(value)
    } else {
        Err("not a finite number".to_owned())
    }
}

/// A number above 0.
#[cfg(feature = "clap")]
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    let value = number(text)?;
    if value > 0.0 {
        Ok(value)
    } else {
        Err("expected a number above 0".to_owned())
    }
}

/// A number of at least 0.
#[cfg(feature = "clap")]
pub(crate) fn not_negative(text: &str) -> Result<f64, String> {
    let value = number(text)?;
    if value >= 0.0 {
        Ok(value)
    } else {
        Err("expected a number of at least 0".to_owned())
    }
}

/// A number from 0 to 1.
#[cfg(feature = "clap")]
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let value = number(text)?;
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err("expected a number from 0 to 1".to_owned())
    }
}

/// Minutes, of which a [`Duration`] can be made.
#[cfg(feature = "clap")]
pub(crate) fn minutes(text: &str) -> Result<f64, String> {
    let minutes = positive(text)?;
    match duration(minutes) {
        Some(_) => Ok(minutes),
        None => Err("longer than a computer can count".to_owned()),
    }
}

/// Of so many minutes, where there is one.
pub(crate) fn duration(minutes: f64) -> Option<Duration> {
    const SECONDS: f64 = 60.0;
    Duration::try_from_secs_f64(SECONDS * minutes).ok()
}

/// Refuses an option that is not a finite number above 0.
pub(crate) fn check_positive(option: &'static str, value: f64) -> Result<(), Error> {
    check(option, value, value > 0.0, "expected a number above 0")
}

/// Refuses an option that is not a finite number of at least 0.
pub(crate) fn check_not_negative(option: &'static str, value: f64) -> Result<(), Error> {
    check(
        option,
        value,
        value >= 0.0,
        "expected a number of at least 0",
    )
}

/// Refuses an option that is not a number from 0 to 1.
pub(crate) fn check_share(option: &'static str, value: f64) -> Result<(), Error> {
    let is_share = (0.0..=1.0).contains(&value);
    check(option, value, is_share, "expected a number from 0 to 1")
}

fn check(option: &'static str, value: f64, is_so: bool, expected: &str) -> Result<(), Error> {
    match value.is_finite() && is_so {
        true => Ok(()),
        false => Err(Error::option(option, value, expected)),
    }
}
