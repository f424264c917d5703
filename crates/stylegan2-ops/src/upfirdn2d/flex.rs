use burn::backend::flex::{Flex, FlexTensor};
use burn::tensor::TensorData;
use cpu_kernels::upfirdn2d::{Resampling, Taps, upfirdn2d};

use super::backend::UpFirDn2dOps;
use super::{UpFirDn2d, correlation_taps};
use crate::Filter;

impl UpFirDn2dOps for Flex {
    fn upfirdn2d(x: FlexTensor, filter: Filter, parameters: UpFirDn2d) -> FlexTensor {
        let shape: [usize; 4] = x.layout().shape().dims();
        let out_shape = parameters.output_shape(shape, &filter);
        let x = if x.is_contiguous() {
            x
        } else {
            x.to_contiguous()
        };
        let pixels: &[f32] = x
            .as_slice()
            .unwrap_or_else(|| panic!("upfirdn2d: expected f32, found {:?}", x.dtype()));
        let UpFirDn2d {
            up,
            down,
            padding: [left, _, top, _],
            flip_filter,
            gain,
        } = parameters;
        let in_order = |taps, gain| correlation_taps(taps, flip_filter, gain);
        // The gain is in one of the factors.
        let factors = filter
            .separable()
            .map(|(column, row)| (in_order(column, gain), in_order(row, 1.0)));
        let dense = in_order(filter.taps(), gain);
        let taps = match &factors {
            Some((column, row)) => Taps::Separable { column, row },
            None => Taps::Dense {
                width: filter.width(),
                taps: &dense,
            },
        };
        let resampling = Resampling {
            input: [shape[2], shape[3]],
            output: [out_shape[2], out_shape[3]],
            up,
            down,
            before: [top, left],
            taps,
        };
        FlexTensor::from_data(TensorData::new(upfirdn2d(pixels, &resampling), out_shape))
    }
}
