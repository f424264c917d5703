//! How likely each model's own samples are, which the record of an index keeps.

use std::path::Path;

use model_zoo::Zoo;
use retrieval_gaussian::Index;

use super::build::left_out;
use super::protocol::Protocol;
use super::update::remove_from;
use crate::features::UnitFeatures;
use crate::index_record::IndexRecord;
use crate::search::{KEPT_QUANTILES, OwnScores};
use crate::{Context, Error, Observer};

/// The record is written again when this share of the scores of a call is not in it: so it is not written once for each
/// of many models, and what a killed process loses is small beside what it has done.
const UNWRITTEN_SHARE: usize = 16;

/// Draws samples of the models whose scores the record of an index does not have yet, and keeps quantiles of those.
/// Each model is scored by its own density alone. Features are kept in the folder `moments`, or found there, where one
/// is named. A model whose samples cannot be scored is named, and with `skip_bad` taken out of the index; gives the
/// names of those.
pub(super) fn keep_own_scores(
    zoo: &Zoo,
    features_file: Option<&Path>,
    moments: Option<&Path>,
    skip_bad: bool,
    context: &Context,
    observer: &mut dyn Observer,
) -> Result<Vec<String>, Error> {
    let path = zoo.index_path();
    let mut record = IndexRecord::read(&path)?;
    let index = Index::open(&path)?;
    record.own_scores.retain(|name, _| index.contains(name));
    // What the zoo no longer has cannot be sampled; an update takes it out.
    let wanting: Vec<&str> = index
        .names()
        .filter(|name| !record.own_scores.contains_key(*name) && zoo.contains(name))
        .collect();
    if wanting.is_empty() {
        return Ok(Vec::new());
    }
    let (weights, device) = (context.weights()?, context.device());
    let network = UnitFeatures::load(&record.features, features_file, &weights, device)?;
    let protocol = Protocol::of(&record);
    let mut unwritten = 0;
    let mut bad = Vec::new();
    for (done, name) in (1..).zip(wanting) {
        let class = record.classes.get(name).copied();
        let model = zoo.model(name)?;
        let scores = protocol
            .own_features(model, class, &network, moments, device, observer)
            .and_then(|features| OwnScores::of(&index, name, features.view()));
        let scores = match scores {
            Ok(scores) => scores,
            Err(error) => {
                record.write(&path)?;
                left_out(name, error, skip_bad, observer)?;
                bad.push(name.to_owned());
                continue;
            }
        };
        let kept = scores.quantiles(KEPT_QUANTILES);
        record.own_scores.insert(name.to_owned(), kept);
        unwritten += 1;
        if unwritten > done / UNWRITTEN_SHARE {
            record.write(&path)?;
            unwritten = 0;
        }
    }
    if unwritten > 0 {
        record.write(&path)?;
    }
    if !bad.is_empty() {
        drop(index);
        remove_from(&path, &bad)?;
    }
    Ok(bad)
}
