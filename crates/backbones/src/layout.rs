//! Where a file keeps a network: alone, or in containers of the code that saved it.

use checkpoint_file::{Checkpoint, CheckpointError};

/// The tensors below the prefix at which `anchor` stands, without the prefix: `""`, `state_dict.`, `module.`,
/// `teacher.backbone.` and so on. Of several prefixes the one that `is_preferred` is taken.
///
/// # Errors
/// When no tensor is named so, or several are and the preferred one is none or not the only one.
pub(crate) fn below_anchor(
    checkpoint: &Checkpoint,
    anchor: &str,
    is_preferred: impl Fn(&str) -> bool,
) -> Result<Checkpoint, CheckpointError> {
    let prefixes: Vec<&str> = checkpoint
        .tensors()
        .keys()
        .filter_map(|name| name.strip_suffix(anchor))
        .filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
        .collect();
    let preferred: Vec<&str> = prefixes
        .iter()
        .copied()
        .filter(|prefix| is_preferred(prefix))
        .collect();
    match (prefixes.as_slice(), preferred.as_slice()) {
        ([prefix], _) | (_, [prefix]) => Ok(checkpoint.subset(prefix)),
        ([], _) => Err(CheckpointError::NoTensor {
            path: checkpoint.path().to_owned(),
            tensor: anchor.to_owned(),
            found: checkpoint.tensors().keys().cloned().collect(),
        }),
        _ => Err(CheckpointError::UnknownNetwork {
            path: checkpoint.path().to_owned(),
            name: format!("that alone has a tensor {anchor}"),
            found: prefixes
                .iter()
                .map(|prefix| prefix.trim_end_matches('.').to_owned())
                .collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use checkpoint_file::StoredTensor;

    use super::*;

    fn found(names: &[&str]) -> Result<Vec<String>, CheckpointError> {
        let tensors: BTreeMap<String, StoredTensor> = names
            .iter()
            .map(|name| ((*name).to_owned(), StoredTensor::from_f32(vec![1], &[0.0])))
            .collect();
        let checkpoint = Checkpoint::from_tensors("file", tensors, BTreeMap::new());
        let network = below_anchor(&checkpoint, "cls", |prefix| prefix == "teacher.")?;
        Ok(network.tensors().keys().cloned().collect())
    }

    #[test]
    fn containers_are_taken_off() {
        assert_eq!(
            found(&["cls", "norm"]).ok(),
            Some(vec!["cls".into(), "norm".into()])
        );
        let wrapped = found(&["model.module.cls", "model.module.norm", "epoch"]);
        assert_eq!(wrapped.ok(), Some(vec!["cls".into(), "norm".into()]));
    }

    #[test]
    fn of_several_networks_the_preferred_one_is_taken() {
        let both = found(&["student.cls", "student.a", "teacher.cls", "teacher.b"]);
        assert_eq!(both.ok(), Some(vec!["b".into(), "cls".into()]));
    }

    #[test]
    fn ambiguous_and_absent_networks_are_errors() {
        let error = found(&["a.cls", "b.cls"]).expect_err("two networks");
        assert!(error.to_string().contains("a, b"), "{error}");
        let error = found(&["head.weight", "notcls"]).expect_err("no network");
        assert!(matches!(error, CheckpointError::NoTensor { .. }), "{error}");
    }
}
