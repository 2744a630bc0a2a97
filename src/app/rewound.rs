//! Looking at the past of a session that lives: what is shown is a model of its own, and the
//! present's goes on beside it, so that its rates, events and histories are whole when the
//! person comes back.

use std::mem::{replace, swap, take};

use memtop_ui::data::{Notice, Origin};

use super::App;
use crate::{model::Model, query, symbols::Plumbing};

impl App {
    /// Takes in what goes on beside the moment that is shown, and changes the model that is shown
    /// when the person has gone back in time, or has come back.
    pub(super) fn follow_the_present(&mut self) {
        let present = self.source.read_present();
        let is_past = present.is_some();
        if is_past != self.shown.present.is_some() {
            self.change_model(is_past);
        }
        if let (Some(model), Some(reading)) = (&mut self.shown.present, present) {
            model.observe(reading);
        }
        let playback = &mut self.shown.state.playback;
        if !is_past && self.shown.session.origin != Origin::Replay && playback.at_s.is_some() {
            (playback.at_s, playback.playing) = (None, false);
            self.source.seek(None);
            let words = "nothing is kept of that moment: this is now";
            self.shown.state.notice = Some(Notice::warning(words));
        }
    }

    fn change_model(&mut self, to_past: bool) {
        // What is held still is of the other time.
        self.shown.state.frozen = false;
        self.shown.freeze(false);
        let kept = self.shown.present.take();
        let mut other = match kept {
            Some(present) => *present,
            None => Model::new(std::sync::Arc::new(Plumbing::in_use().clone())),
        };
        // Marked moments can be compared with any.
        swap(&mut other.marks, &mut self.shown.model.marks);
        swap(&mut other.loaded, &mut self.shown.model.loaded);
        let former = replace(&mut self.shown.model, other);
        self.shown.present = to_past.then(|| Box::new(former));
        self.shown.memory = query::Memory::default();
        take(&mut self.visible);
        self.naming.begin_anew();
    }
}
