use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;
use gpu_kernels::{CubeResampling, upfirdn2d};

use super::backend::UpFirDn2dOps;
use super::{UpFirDn2d, correlation_taps};
use crate::Filter;

impl UpFirDn2dOps for CubeBackend {
    fn upfirdn2d(x: CubeTensor, filter: Filter, parameters: UpFirDn2d) -> CubeTensor {
        let [_, _, height, width] = parameters.output_shape(x.meta.shape().dims(), &filter);
        let UpFirDn2d {
            up,
            down,
            padding: [left, _, top, _],
            flip_filter,
            gain,
        } = parameters;
        let resampling = CubeResampling {
            output: [height, width],
            up,
            down,
            before: [top, left],
            size: [filter.height(), filter.width()],
            taps: correlation_taps(filter.taps(), flip_filter, gain),
        };
        upfirdn2d(x, resampling)
    }
}
