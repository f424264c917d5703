//! The class of a conditional model's images.

use burn::tensor::{Device, Tensor, TensorData};

use crate::Failure;
use crate::model::Model;

/// The class that was chosen, where the model has classes.
pub fn check(chosen: Option<usize>, model: &Model) -> Result<Option<usize>, Failure> {
    match (chosen, model.generator.mapping.c_dim()) {
        (None, 0) => Ok(None),
        (Some(class), 0) => Err(format!(
            "--class {class}: {} is not class-conditional; leave --class out",
            model.name
        )
        .into()),
        (Some(class), classes) if class < classes => Ok(Some(class)),
        (found, classes) => Err(format!(
            "{} is class-conditional: choose --class 0 to {}{}",
            model.name,
            classes - 1,
            found.map_or(String::new(), |class| format!(", not {class}"))
        )
        .into()),
    }
}

/// One-hot labels `[rows, c_dim]` of a class that was checked; none for a model without classes.
pub fn labels(
    class: Option<usize>,
    rows: usize,
    model: &Model,
    device: &Device,
) -> Option<Tensor<2>> {
    let classes = model.generator.mapping.c_dim();
    class.map(|class| {
        let mut one_hot = vec![0.0f32; rows * classes];
        for row in one_hot.chunks_mut(classes) {
            row[class] = 1.0;
        }
        Tensor::from_data(TensorData::new(one_hot, [rows, classes]), device)
    })
}
