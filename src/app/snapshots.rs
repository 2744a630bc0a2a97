//! Marks, and snapshots in files.

use std::path::{Path, PathBuf};

use memtop_ui::{
    data::{Notice, When},
    format,
};

use super::shown::Shown;
use crate::{model::Loaded, snapshot_file};

impl Shown {
    /// Remembers this moment under a number, and says so if others had to make room.
    pub(super) fn mark(&mut self, number: u32) {
        let lost = self.model.mark(number);
        if !lost.is_empty() {
            let lost: Vec<String> = lost.iter().map(u32::to_string).collect();
            let words = format!("no room: mark {} keeps its sums, not its sites", lost.join(", "));
            self.state.notice = Some(Notice::warning(words));
        }
    }

    /// Writes a moment to a file.
    pub(super) fn save(&mut self, when: When, path: &str) {
        self.state.notice = Some(match snapshot_file::save(&self.model, when, Path::new(path)) {
            Ok(()) => Notice::info(format!("saved to {path}; memtop report and diff read it, too")),
            Err(error) => Notice::warning(error.to_string()),
        });
    }

    /// Reads a snapshot or a recording, to be compared with.
    pub(super) fn load(&mut self, path: &str) {
        let process = match snapshot_file::load(Path::new(path)) {
            Ok(process) => process,
            Err(error) => {
                self.state.notice = Some(Notice::warning(error.to_string()));
                return;
            }
        };
        let number = self.model.loaded.last().map_or(1, |last| last.number + 1);
        let path = PathBuf::from(path);
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let live = format::bytes(process.totals.current_bytes);
        let words = match process.sites.stacks.is_empty() {
            true => format!("{name} holds no stacks: there is nothing to compare by site"),
            false => format!("comparing with {name}: {live} live"),
        };
        self.state.notice = Some(Notice::info(words));
        self.state.diff.pair.from = When::File(number);
        self.model.loaded.push(Loaded { number, name, path, process });
    }
}
