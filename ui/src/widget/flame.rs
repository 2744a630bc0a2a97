//! The call tree as boxes: a row for each depth, a width for each weight.

use ratatui::layout::Rect;

use crate::data::FlameNode;
use crate::state::{Screen, State};

/// A box of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Position of the node.
    pub node: usize,
    /// Its row, from the root's.
    pub depth: usize,
    /// Its first column.
    pub x: usize,
    /// Its columns.
    pub width: usize,
}

/// How deep each node is below the first.
pub fn depths(nodes: &[FlameNode]) -> Vec<usize> {
    let mut depths: Vec<usize> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let parent = node.parent.and_then(|parent| depths.get(parent as usize));
        depths.push(parent.map_or(0, |depth| depth + 1));
    }
    depths
}

/// The boxes of at least a column in a picture of `width` columns.
///
/// Edges are rounded, not widths, so that children never stick out of their parent.
pub fn layout(nodes: &[FlameNode], width: usize) -> Vec<Cell> {
    let depths = depths(nodes);
    let mut from: Vec<f64> = vec![0.0; nodes.len()];
    // Where the next child of each node begins.
    let mut next: Vec<f64> = vec![0.0; nodes.len()];
    let whole = nodes.first().map_or(0, |root| root.value).max(1) as f64;
    let mut cells = Vec::new();
    for (i, node) in nodes.iter().enumerate() {
        let parent = node.parent.map(|parent| parent as usize).filter(|parent| *parent < i);
        let begin = parent.map_or(0.0, |parent| next[parent]);
        let columns = node.value as f64 / whole * width as f64;
        (from[i], next[i]) = (begin, begin);
        if let Some(parent) = parent {
            next[parent] = begin + columns;
        }
        let (x, end) = (from[i].round() as usize, (from[i] + columns).round() as usize);
        let end = end.min(width);
        if x < end {
            cells.push(Cell { node: i, depth: depths[i], x, width: end - x });
        }
    }
    cells
}

/// Rows of boxes on the flame screen.
pub(crate) fn rows(state: &State) -> usize {
    let (cols, rows) = state.size;
    let [_, body, _] = crate::screen::split(Rect::new(0, 0, cols, rows), Screen::Flame);
    crate::screen::flame::capacity(body, state).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Key;

    fn node(key: u64, parent: Option<u32>, value: u64) -> FlameNode {
        FlameNode { key: Key(key), parent, value, ..FlameNode::default() }
    }

    #[test]
    fn children_fill_their_parent_and_never_stick_out() {
        let nodes = [
            node(0, None, 100),
            node(1, Some(0), 34),
            node(2, Some(1), 33),
            node(3, Some(0), 33),
            node(4, Some(0), 33),
        ];
        for width in 0..120 {
            let cells = layout(&nodes, width);
            for cell in &cells {
                let Some(parent) = nodes[cell.node].parent else { continue };
                let parent = cells.iter().find(|c| c.node == parent as usize).unwrap();
                assert!(parent.x <= cell.x && cell.x + cell.width <= parent.x + parent.width);
                assert_eq!(cell.depth, parent.depth + 1);
            }
        }
        let columns: Vec<_> = layout(&nodes, 10).iter().map(|c| (c.x, c.width)).collect();
        assert_eq!(columns, [(0, 10), (0, 3), (0, 3), (3, 4), (7, 3)]);
    }

    #[test]
    fn what_is_narrower_than_a_column_has_no_box() {
        let nodes = [node(0, None, 1000), node(1, Some(0), 1)];
        assert_eq!(layout(&nodes, 100).len(), 1);
        assert!(layout(&[], 100).is_empty());
    }
}
