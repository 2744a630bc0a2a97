//! Folded stacks: a line for each, `outermost;…;innermost NUMBER`, as flame graph tools read.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::{Figure, Process};

/// Writes the lines, in order, each stack once.
pub(super) fn write(of: &[Process<'_>], figure: Figure, out: &mut impl Write) -> io::Result<()> {
    let mut lines = BTreeMap::<String, u64>::new();
    for process in of {
        for row in process.rows() {
            let number = figure.of(&row);
            if number > 0 {
                let path: Vec<String> =
                    process.path(row.stack).iter().map(|name| plain(name)).collect();
                let sum = lines.entry(path.join(";")).or_default();
                *sum = sum.saturating_add(number);
            }
        }
    }
    lines.iter().try_for_each(|(path, number)| writeln!(out, "{path} {number}"))
}

/// A name without what separates names and lines.
fn plain(name: &str) -> String {
    name.chars().map(|char| if char == ';' || char.is_control() { ':' } else { char }).collect()
}
