//! `memtop report`.
use crate::{Error, cli::ReportOptions};
/// Runs.
pub fn run(options: &ReportOptions) -> Result<(), Error> {
    crate::recording::open(&options.file)?;
    Ok(())
}
