use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};
use testkit::{Golden, assert_close};

/// Gradients of a module's parameters by the names that `file_name` gives their paths.
pub fn by_name<M: Module>(
    module: &M,
    gradients: &Gradients,
    file_name: impl Fn(&str) -> String,
) -> BTreeMap<String, Vec<f32>> {
    let mut collect = Collect {
        path: Vec::new(),
        gradients,
        found: BTreeMap::new(),
    };
    module.visit(&mut collect);
    collect
        .found
        .into_iter()
        .map(|(path, values)| (file_name(&path), values))
        .collect()
}

/// Compares every tensor `PREFIX + name` of a reference file but for those whose name is in `except`.
pub fn assert_gradients(
    what: &str,
    found: &BTreeMap<String, Vec<f32>>,
    golden: &Golden,
    prefix: &str,
    except: &[&str],
    tolerance: f64,
) {
    let names: Vec<String> = golden
        .names()
        .into_iter()
        .filter_map(|name| Some(name.strip_prefix(prefix)?.to_owned()))
        .filter(|name| !except.contains(&name.as_str()))
        .collect();
    assert!(!names.is_empty(), "{what}: no gradients in the file");
    for name in names {
        let gradient = found
            .get(&name)
            .unwrap_or_else(|| panic!("{what}: no gradient of {name}"));
        assert_close(
            &format!("{what}: gradient of {name}"),
            gradient,
            &golden.values(&format!("{prefix}{name}")),
            tolerance,
        );
    }
}

struct Collect<'a> {
    path: Vec<String>,
    gradients: &'a Gradients,
    found: BTreeMap<String, Vec<f32>>,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.found.insert(
                self.path.join("."),
                gradient.into_data().iter::<f32>().collect(),
            );
        }
    }
}
