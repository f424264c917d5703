use stylegan2_ops::{Filter, FilterError, FilterOptions};

const RAW: FilterOptions = FilterOptions {
    normalize: false,
    flip: false,
    gain: 1.0,
};

#[test]
fn a_row_becomes_its_outer_product_of_sum_one() {
    let filter = Filter::from_row(&[1.0, 3.0, 3.0, 1.0], FilterOptions::default()).unwrap();
    let row = [0.125, 0.375, 0.375, 0.125];
    assert_eq!((filter.height(), filter.width()), (4, 4));
    // Eighths and their products are exact in f32.
    for y in 0..4 {
        for x in 0..4 {
            assert_eq!(filter.taps()[y * 4 + x], row[y] * row[x]);
        }
    }
    assert_eq!(filter.separable(), Some((&row[..], &row[..])));
    assert_eq!(filter, Filter::normalized_outer(&[1.0, 3.0, 3.0, 1.0]));
}

#[test]
fn the_gain_scales_the_whole_filter() {
    for gain in [4.0, -2.0, 0.0] {
        let filter = Filter::from_row(
            &[1.0, 1.0],
            FilterOptions {
                gain,
                ..FilterOptions::default()
            },
        )
        .unwrap();
        // sqrt(2)^2 is not exactly 2.
        assert!(filter.taps().iter().all(|t| (t - gain / 4.0).abs() < 1e-7));
    }
    let filter = Filter::from_taps(1, 2, &[1.0, 3.0], FilterOptions { gain: 8.0, ..RAW }).unwrap();
    assert_eq!(filter.taps(), [8.0, 24.0]);
}

#[test]
fn flipping_reverses_both_axes() {
    let flip = FilterOptions { flip: true, ..RAW };
    let filter = Filter::from_taps(2, 2, &[1.0, 2.0, 3.0, 5.0], flip).unwrap();
    assert_eq!(filter.taps(), [5.0, 3.0, 2.0, 1.0]);
}

#[test]
fn rank_one_is_found_and_nothing_else_is_taken_for_it() {
    let rank_one = Filter::new(2, 3, vec![1.0, 2.0, 4.0, 3.0, 6.0, 12.0]);
    let (column, row) = rank_one.separable().unwrap();
    let product: Vec<f32> = column
        .iter()
        .flat_map(|c| row.iter().map(move |r| c * r))
        .collect();
    assert_eq!(product, rank_one.taps());
    assert_eq!(
        Filter::new(2, 2, vec![1.0, 0.0, 0.0, 1.0]).separable(),
        None
    );
    assert_eq!(Filter::new(1, 2, vec![0.0, 0.0]).separable(), None);
}

#[test]
fn what_is_no_filter_is_refused() {
    let row = |taps: &[f32], options| Filter::from_row(taps, options).unwrap_err();
    assert_eq!(
        row(&[], RAW),
        FilterError::EmptyFilter {
            height: 0,
            width: 0
        }
    );
    assert_eq!(
        row(&[1.0, -1.0], FilterOptions::default()),
        FilterError::ZeroSum { sum: 0.0 }
    );
    assert!(matches!(
        row(&[1.0, f32::NAN], RAW),
        FilterError::NotFinite { what, .. } if what == "tap 1"
    ));
    let infinite = FilterOptions {
        gain: f32::INFINITY,
        ..RAW
    };
    assert!(matches!(
        row(&[1.0], infinite),
        FilterError::NotFinite { what, .. } if what == "gain"
    ));
    let error = Filter::from_taps(2, 3, &[1.0; 5], RAW).unwrap_err();
    assert_eq!(error.to_string(), "a 2x3 filter needs 6 taps, found 5");
}
