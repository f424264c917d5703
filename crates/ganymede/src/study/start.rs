//! Where a study's inversions start: at the mean latent, as the paper's do, unless its options say otherwise.

use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use crate::invert::{Settings, StartChoice};

/// The settings of a study whose options say nothing.
pub(super) fn at_the_mean() -> Settings {
    Settings {
        start: StartChoice::Mean,
        ..Settings::default()
    }
}

/// Reads settings, of which those that are absent are a study's and not those of a single inversion.
pub(super) fn settings<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Settings, D::Error> {
    let mut settings = Map::deserialize(deserializer)?;
    if !settings.contains_key("start") {
        let start = serde_json::to_value(StartChoice::Mean).map_err(de::Error::custom)?;
        settings.insert("start".to_owned(), start);
    }
    serde_json::from_value(Value::Object(settings)).map_err(de::Error::custom)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;
    use crate::study::{inversion, refinement};

    fn of_both(text: &str) -> [Settings; 2] {
        [
            serde_json::from_str::<inversion::Options>(text)
                .unwrap()
                .inversion,
            serde_json::from_str::<refinement::Options>(text)
                .unwrap()
                .inversion,
        ]
    }

    #[test]
    fn options_that_name_no_start_start_at_the_mean() {
        for settings in of_both("{}") {
            assert_eq!(settings, at_the_mean());
        }
        for settings in of_both(r#"{"inversion": {"steps": 7}}"#) {
            assert_eq!((settings.start, settings.steps), (StartChoice::Mean, 7));
        }
        for settings in of_both(r#"{"inversion": {"start": "sampled"}}"#) {
            assert_eq!(settings.start, StartChoice::Sampled);
        }
    }

    #[test]
    fn what_is_no_setting_is_refused() {
        let refused = serde_json::from_str::<inversion::Options>(r#"{"inversion": {"stpes": 7}}"#);
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("stpes"), "{message}");
    }
}
