use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor};

/// Checks that the gradient of the parameter called `name` is `expected`.
pub struct ParameterGradient<'a, F> {
    pub name: &'a str,
    pub expected: &'a [f32],
    pub tolerance: f64,
    pub gradients: &'a Gradients,
    pub official_name: F,
    path: Vec<String>,
    found: bool,
}

impl<'a, F: Fn(&str) -> String> ParameterGradient<'a, F> {
    /// Panics when the gradient differs or there is no such parameter.
    #[track_caller]
    pub fn assert<M: Module>(
        module: &M,
        gradients: &'a Gradients,
        official_name: F,
        name: &'a str,
        expected: &'a [f32],
        tolerance: f64,
    ) {
        let mut visitor = Self {
            name,
            expected,
            tolerance,
            gradients,
            official_name,
            path: Vec::new(),
            found: false,
        };
        module.visit(&mut visitor);
        assert!(visitor.found, "the module has no parameter {name}");
    }
}

impl<F: Fn(&str) -> String> ModuleVisitor for ParameterGradient<'_, F> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if (self.official_name)(&self.path.join(".")) != self.name {
            return;
        }
        self.found = true;
        let gradient = param
            .val()
            .grad(self.gradients)
            .unwrap_or_else(|| panic!("no gradient reached {}", self.name));
        testkit::assert_close(
            &format!("gradient of {}", self.name),
            &crate::values(gradient),
            self.expected,
            self.tolerance,
        );
    }
}
