//! memtop's allocator around jemalloc.

use allocators::counted::Counting;
use memtop_probe::TracingAllocator;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Counting<TracingAllocator<Jemalloc>> =
    Counting(TracingAllocator::new(Jemalloc).from_start());

fn main() {
    allocators::work();
}
