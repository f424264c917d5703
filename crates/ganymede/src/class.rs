//! The class of a conditional model's images.

use burn::tensor::{Device, Tensor, TensorData};

use crate::{Error, Model};

/// The class that was chosen by an option called `class`, where the model has classes.
///
/// # Errors
///
/// A class was chosen of a model without any, or none, or one that it has not, of a model with classes.
pub fn check(chosen: Option<usize>, model: &Model) -> Result<Option<usize>, Error> {
    match (chosen, model.generator.mapping.c_dim()) {
        (None, 0) => Ok(None),
        (Some(class), 0) => Err(Error::option(
            "class",
            class,
            format!(
                "{} is not class-conditional; leave the class out",
                model.name
            ),
        )),
        (Some(class), classes) if class < classes => Ok(Some(class)),
        (found, classes) => Err(Error::option(
            "class",
            found.map_or(String::new(), |class| class.to_string()),
            format!(
                "{} is class-conditional; choose 0 to {}",
                model.name,
                classes - 1
            ),
        )),
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
