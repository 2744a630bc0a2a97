//! memtop's allocator around mimalloc.

use allocators::counted::Counting;
use memtop_probe::TracingAllocator;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: Counting<TracingAllocator<MiMalloc>> =
    Counting(TracingAllocator::new(MiMalloc).from_start());

fn main() {
    allocators::work();
}
