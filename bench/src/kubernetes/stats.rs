//! Quantiles of few numbers.

use crate::report::median;

/// The median.
pub fn p50(values: &[f64]) -> f64 {
    median(values.iter().copied())
}

/// The value that 99 % are not above; of fewer than a hundred the largest.
pub fn p99(values: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|it| it.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() * 99).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_ten_the_ninety_ninth_is_the_largest_and_of_two_hundred_it_is_not() {
        assert!((p99(&[3.0, 1.0, 2.0]) - 3.0).abs() < 1e-9);
        let many: Vec<f64> = (1..=200).map(f64::from).collect();
        assert!((p99(&many) - 198.0).abs() < 1e-9);
        assert!(p99(&[]).is_nan());
    }
}
