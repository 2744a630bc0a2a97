//! The counters of one thread and how they meet those of the others.

/// Bytes a thread may hold back before it tells the session: `max(4 KiB, peak / (1000 × threads))`,
/// so that the peak of all threads together is known to a tenth of a percent.
pub fn flush_threshold(peak: i64, threads: u64) -> i64 {
    (peak.max(0) / (1000 * threads.max(1) as i64)).max(4096)
}
