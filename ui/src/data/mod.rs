//! What a screen can show: plain values, already sorted and cut to what fits.
//!
//! The caller fills these structs from its model before each frame (see
//! [`capacity`](crate::capacity) for how many rows fit); the view only draws them. Times are
//! seconds since the shown process's session began, sizes are bytes. `None` means *unknown* and is
//! drawn as `–`, never as zero.
//!
//! What the screen shown does not draw may stay empty: header, timeline and totals are for every
//! screen, the rest is for the one it is named after.

mod chooser;
mod classes;
mod events;
mod flame;
mod growth;
mod header;
mod name;
mod notice;
mod output;
mod processes;
mod site;
mod sites;
mod sizes;
mod snapshots;
mod time;
mod timeline;

pub use chooser::*;
pub use classes::*;
pub use events::*;
pub use flame::*;
pub use growth::*;
pub use header::*;
pub use name::*;
pub use notice::*;
pub use output::*;
pub use processes::*;
pub use site::*;
pub use sites::*;
pub use sizes::*;
pub use snapshots::*;
pub use time::*;
pub use timeline::*;

/// Everything one frame needs.
#[derive(Debug, Default)]
pub struct Data<'a> {
    /// The honesty bar on top of every screen.
    pub header: Header,
    /// The curve of live memory and its tracing window.
    pub timeline: Timeline,
    /// The size-class histogram.
    pub sizes: Sizes,
    /// All size classes, and what else is resident.
    pub classes: Classes,
    /// The tree of processes.
    pub processes: Processes,
    /// What grew since the baseline.
    pub growth: Growth,
    /// Sums over the whole window.
    pub totals: Totals,
    /// What the window means, in one sentence.
    pub sentence: Option<String>,
    /// The live tail of allocations and frees.
    pub events: Events,
    /// The program's own terminal.
    pub output: Output<'a>,
    /// Programs that can be joined.
    pub chooser: Chooser,
    /// Of when figures by site are, where that is before the moment shown.
    pub sites_as_of_s: Option<f64>,
    /// Where memory comes from.
    pub sites: Sites,
    /// The site that was opened; `None` when it is not there (any more).
    pub site: Option<Box<Site>>,
    /// The call tree.
    pub flame: Flame,
    /// Moments, and what differs between two of them.
    pub snapshots: Snapshots,
    /// The moments that can be looked at.
    pub time: Time,
    /// Why the filter of code cannot be answered.
    pub filter_problem: Option<&'static str>,
    /// A passing message from the engine.
    pub notice: Option<Notice>,
}
