//! Numbers of options, with their ranges.

use std::time::Duration;

fn number(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if value.is_finite() {
        Ok(value)
    } else {
        Err("not a finite number".to_owned())
    }
}

/// A number above 0.
pub fn positive(text: &str) -> Result<f64, String> {
    let value = number(text)?;
    if value > 0.0 {
        Ok(value)
    } else {
        Err("expected a number above 0".to_owned())
    }
}

/// A number of at least 0.
pub fn not_negative(text: &str) -> Result<f64, String> {
    let value = number(text)?;
    if value >= 0.0 {
        Ok(value)
    } else {
        Err("expected a number of at least 0".to_owned())
    }
}

/// A number from 0 to 1.
pub fn share(text: &str) -> Result<f64, String> {
    let value = number(text)?;
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err("expected a number from 0 to 1".to_owned())
    }
}

/// A duration, written in minutes.
pub fn minutes(text: &str) -> Result<Duration, String> {
    const SECONDS: f64 = 60.0;
    Duration::try_from_secs_f64(SECONDS * positive(text)?)
        .map_err(|_| "longer than a computer can count".to_owned())
}
