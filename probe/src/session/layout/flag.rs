//! Bits of [`Header::pulse`](super::Header::pulse): flags in the lowest 16, clears in the next,
//! ticks in the high half.

/// New blocks are recorded and untracked frees are counted.
pub const TRACING: u64 = 1;
/// Events are pushed into the rings.
pub const FEED: u64 = 2;
/// Every captured stack is compared with one that was walked without any memory of others:
/// slow, for tests.
pub const CHECK: u64 = 4;
/// Changes when a library went away, so that every thread forgets what it knew of code.
pub const UNLOADED: u64 = 8;
/// Beside [`FEED`]: events go to the journals, whose writers wait for room while somebody
/// reads.
pub const LOSSLESS: u64 = 16;
/// In no session: the process has none, and will get none.
pub const ASIDE: u64 = 1 << 15;
/// One bit for each clear: `pulse & CLEARS`.
pub const CLEARS: u64 = 0xFFFF_0000;
/// What a clear adds to the pulse.
pub const ONE_CLEAR: u64 = 1 << 16;
/// What a tick adds to the pulse.
pub const ONE_TICK: u64 = 1 << 32;
