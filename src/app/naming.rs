//! Names for what the screen shows, looked up beside the dashboard: what is visible first, then
//! everything else.

use crate::{
    model::{LocationId, Model},
    symbols::{Search, Service},
};

/// Looks names up for a model.
#[derive(Debug, Default)]
pub(super) struct Naming {
    /// None where there can be no thread: then there are only addresses.
    service: Option<Service>,
    /// What the service works for.
    epoch: u64,
}

impl Naming {
    pub(super) fn start() -> Self {
        Self { service: Service::start().ok(), epoch: 0 }
    }

    /// The next model is not the one that names were looked up for.
    pub(super) fn begin_anew(&mut self) {
        self.epoch = 0;
    }

    /// Asks for names and takes in what was found; `visible` are wanted first. Whether any name
    /// is new.
    pub(super) fn tick(&mut self, model: &mut Model, visible: Vec<LocationId>) -> bool {
        let Some(service) = &mut self.service else {
            return false;
        };
        let shown = model.reading.images.get(model.reading.shown);
        let Some(pid) = shown.map(|image| image.pid) else {
            return false;
        };
        if self.epoch != model.sites_epoch() {
            self.epoch = model.sites_epoch();
            service.begin(Search::of_process(pid));
        }
        service.want(&model.sites, visible);
        service.want_rest(&model.sites);
        let answers = service.answers();
        let any = !answers.is_empty();
        for (location, functions) in answers {
            model.learn(location, functions);
        }
        model.names_pending = service.waiting() as u64;
        any
    }
}
