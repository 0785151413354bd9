//! A log-linear histogram: 64 steps per power of two, so a quantile is at most 1.6 % off.

const STEPS: u64 = 64;
const OCTAVES: usize = 36;

/// Counts of values in nanoseconds, up to about a minute (larger ones count as the largest).
#[derive(Clone)]
pub struct Hist {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Default for Hist {
    fn default() -> Self {
        Self { counts: vec![0; STEPS as usize * OCTAVES], total: 0, max: 0 }
    }
}

fn bucket(v: u64) -> usize {
    if v < STEPS {
        return v as usize;
    }
    let shift = u64::from(v.ilog2()) - 6;
    ((shift + 1) * STEPS + ((v >> shift) - STEPS)) as usize
}

fn upper(i: usize) -> u64 {
    let i = i as u64;
    if i < STEPS {
        return i;
    }
    let shift = i / STEPS - 1;
    ((i % STEPS + STEPS + 1) << shift) - 1
}

impl Hist {
    /// Counts one value.
    pub fn record(&mut self, v: u64) {
        let last = self.counts.len() - 1;
        if let Some(c) = self.counts.get_mut(bucket(v).min(last)) {
            *c += 1;
        }
        self.total += 1;
        self.max = self.max.max(v);
    }

    /// Adds all of another's.
    pub fn merge(&mut self, other: &Self) {
        for (a, b) in self.counts.iter_mut().zip(&other.counts) {
            *a += b;
        }
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        self.total = 0;
        self.max = 0;
    }

    /// How many values were counted.
    pub fn len(&self) -> u64 {
        self.total
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The largest value, exact.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value that the fraction `q` of all are not above; `None` of none.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        if self.total == 0 {
            return None;
        }
        let want = ((self.total as f64 * q).ceil() as u64).max(1);
        let mut seen = 0;
        for (i, c) in self.counts.iter().enumerate() {
            seen += c;
            if seen >= want {
                return Some(upper(i).min(self.max));
            }
        }
        Some(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_two_percent() {
        let mut h = Hist::default();
        for v in 1..=100_000_u64 {
            h.record(v * 37);
        }
        for q in [0.01, 0.5, 0.9, 0.99, 1.0] {
            let exact = 100_000.0 * q * 37.0;
            let got = h.quantile(q).unwrap() as f64;
            assert!((got / exact - 1.0).abs() < 0.02, "{q}: {got} is not {exact}");
        }
        assert_eq!(h.max(), 3_700_000);
    }

    #[test]
    fn values_beyond_the_range_count_as_the_largest() {
        let mut h = Hist::default();
        h.record(u64::MAX);
        assert_eq!(h.len(), 1);
        assert!(h.quantile(0.5).is_some());
    }
}
