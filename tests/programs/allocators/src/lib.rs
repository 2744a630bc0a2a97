//! What the programs have in common: work, what they asked for, and what the tracer has seen.

#[path = "../../counted.rs"]
pub mod counted;
#[path = "../../rustapp.rs"]
mod rustapp;

use memtop_probe::{statistics, stop};

/// Works, and says so: `asked` with the truth, and `seen` with what the tracer has, or `aside`.
/// With threads, if there is any argument.
pub fn work() {
    let threads = if std::env::args().count() > 1 { 4 } else { 1 };
    let work = || std::hint::black_box(rustapp::run(1, 5000));
    std::thread::scope(|scope| {
        (1..threads).for_each(|_| _ = scope.spawn(work));
        work();
    });
    let asked = counted::counted();
    stop();
    let seen = statistics();
    println!("asked {asked:?}");
    match seen {
        None => println!("aside"),
        Some(seen) => {
            println!("seen {:?}", counted::seen(&seen));
            println!("off {:?}", [seen.lost_records, seen.unattributed, seen.untracked_frees]);
            println!("error {}", seen.peak_error_bytes);
        }
    }
}
