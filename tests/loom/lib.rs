//! The lock-free protocols of session memory in every interleaving, and with every value that a
//! load may see.
//!
//! What is checked are the very source files of the probe. Only two things are not the probe's:
//! `crate::sync`, where these files get their atomics from (a pair of words is two halves of one
//! here), and the structures in which those lie, of which there are as many fields as the files
//! name. Loom lets a load see older values than the newest, but none that is stored later: whether
//! an event is written over while it is read is for the processor's order of stores to say, and
//! not tried here.

#![cfg(test)]
#![allow(dead_code, reason = "not all of the probe is checked here")]

#[path = "../../probe/src/at_peak.rs"]
mod at_peak;
#[path = "../../probe/src/counter.rs"]
mod counter;
#[path = "../../probe/src/peak.rs"]
mod peak;
#[path = "../../probe/src/ring.rs"]
mod ring;
mod session;
mod sync;

mod events_are_told_once;
mod peaks_are_seen;
mod tracing_is_switched;
