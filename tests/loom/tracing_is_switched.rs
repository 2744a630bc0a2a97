//! Several viewers switch tracing: each stretch begins and ends once.

use std::sync::atomic::Ordering::Relaxed;

use loom::{sync::Arc, thread};

use crate::session::{control, layout::Header};

#[test]
fn by_two_viewers_at_once() {
    loom::model(|| {
        let header = Arc::new(Header::default());
        let other = {
            let header = Arc::clone(&header);
            thread::spawn(move || control::set_tracing(&header, true, 1))
        };
        let began = control::set_tracing(&header, true, 2);
        control::clear(&header, 3);
        assert_eq!(u32::from(began) + u32::from(other.join().unwrap()), 1);
        assert_eq!(header.intervals_begun.load(Relaxed), 1);
        assert!([1, 2].contains(&header.intervals[0].from_ns.load(Relaxed)));
        assert!(control::set_tracing(&header, false, 4) && !control::is_tracing(&header));
        assert_eq!(header.intervals[0].to_ns.load(Relaxed), 4);
    });
}
