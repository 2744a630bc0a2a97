//! The spans of time a person can zoom to.

const SPANS: [f64; 12] =
    [10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21_600.0, 86_400.0];

/// The next shorter span after `zoom_s`, of a session that lasts `now_s`.
pub fn closer(zoom_s: Option<f64>, now_s: f64) -> Option<f64> {
    let current = zoom_s.unwrap_or(now_s);
    SPANS.into_iter().rev().find(|span| *span < current).or(zoom_s)
}

/// The next longer span, or all time.
pub fn wider(zoom_s: Option<f64>, now_s: f64) -> Option<f64> {
    let current = zoom_s?;
    SPANS.into_iter().find(|span| *span > current).filter(|span| *span < now_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zooming_goes_through_round_spans_and_back_to_all() {
        assert_eq!(closer(None, 192.0), Some(120.0));
        assert_eq!(closer(Some(120.0), 192.0), Some(60.0));
        assert_eq!(closer(Some(10.0), 192.0), Some(10.0));
        assert_eq!(closer(None, 4.0), None);
        assert_eq!(wider(Some(60.0), 192.0), Some(120.0));
        assert_eq!(wider(Some(120.0), 192.0), None);
        assert_eq!(wider(None, 192.0), None);
    }
}
