//! A flame graph: one SVG file that needs nothing else, to look at, search and zoom in any
//! browser. The outermost call is at the top; what allocated the most stands on the left.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use memtop_ui::format;

use super::{Figure, Process, stacks::label};
use crate::symbols::plumbing::Kind;

const WIDTH: f64 = 1200.0;
const MARGIN: f64 = 10.0;
const ROW: f64 = 18.0;
const HEAD: f64 = 84.0;
/// About the width of a character.
const CHARACTER: f64 = 7.0;

/// A frame with less than this share of everything is left out: a tenth of a pixel.
const SHOWN: f64 = 1e-4;

const STYLE: &str = include_str!("../../assets/flamegraph.css");
const SCRIPT: &str = include_str!("../../assets/flamegraph.js");

/// Writes the picture.
pub(super) fn write(of: &[Process<'_>], figure: Figure, out: &mut impl Write) -> io::Result<()> {
    let tree = Tree::of(of, figure);
    let height = HEAD + (tree.depth() + 1) as f64 * ROW + MARGIN;
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" style=\"max-width: 100%; height: auto\">\n\
         <style><![CDATA[\n{STYLE}]]></style>"
    )?;
    head(of, figure, &tree, out)?;
    let drawing = Drawing { tree: &tree, figure };
    drawing.frame(0, 0.0, 0, out)?;
    writeln!(out, "<script><![CDATA[\n{SCRIPT}]]></script>\n</svg>")
}

fn head(of: &[Process<'_>], figure: Figure, tree: &Tree, out: &mut impl Write) -> io::Result<()> {
    let command = of.first().map(Process::command).unwrap_or_default();
    let more = match of.len() {
        0 | 1 => String::new(),
        several => format!(" and {} more processes", several - 1),
    };
    let title = escape(&format::shorten(&format!("{command}{more}"), 110));
    let moment = of.first().map(Process::moment).unwrap_or_default();
    let total = amount(figure, tree.nodes[0].value);
    writeln!(
        out,
        "<text class=\"title\" x=\"{MARGIN}\" y=\"26\">{title}</text>\n\
         <text class=\"note\" x=\"{MARGIN}\" y=\"46\">{} {moment}: {total}</text>\n\
         <text class=\"button\" id=\"search\" x=\"{}\" y=\"26\" text-anchor=\"end\">search (/)</text>\n\
         <text class=\"button hidden\" id=\"reset\" x=\"{}\" y=\"26\" text-anchor=\"end\">whole (Esc)</text>\n\
         <text class=\"detail\" x=\"{MARGIN}\" y=\"70\"> </text>",
        figure.title(),
        WIDTH - MARGIN,
        WIDTH - MARGIN - 90.0,
    )?;
    legend(out)
}

fn legend(out: &mut impl Write) -> io::Result<()> {
    let kinds = [
        (None, "the program"),
        (Some(Kind::Library), "libraries"),
        (Some(Kind::Allocator), "allocators"),
    ];
    for (at, (kind, name)) in kinds.into_iter().enumerate() {
        let x = WIDTH - MARGIN - [294.0, 186.0, 98.0][at];
        writeln!(
            out,
            "<rect class=\"swatch\" x=\"{x}\" y=\"37\" width=\"11\" height=\"11\" fill=\"{}\"/>\
             <text class=\"key\" x=\"{}\" y=\"46\">{name}</text>",
            colour(kind, name),
            x + 16.0,
        )?;
    }
    Ok(())
}

/// A call, with all stacks that pass through it.
struct Node {
    name: String,
    kind: Option<Kind>,
    value: u64,
    /// Allocated by it itself.
    own: u64,
    children: Vec<usize>,
}

struct Tree {
    /// The root first.
    nodes: Vec<Node>,
}

impl Tree {
    fn of(processes: &[Process<'_>], figure: Figure) -> Self {
        let root = Node { name: "all".to_owned(), kind: None, value: 0, own: 0, children: vec![] };
        let (mut tree, mut known) = (Self { nodes: vec![root] }, HashMap::new());
        let mut kinds = HashMap::new();
        for process in processes {
            for row in process.rows() {
                let value = figure.of(&row);
                if value > 0 {
                    note_kinds(process, &row, &mut kinds);
                    tree.add(process.path(row.stack), value, &kinds, &mut known);
                }
            }
        }
        for at in 0..tree.nodes.len() {
            let mut children = std::mem::take(&mut tree.nodes[at].children);
            children.sort_by_key(|child| std::cmp::Reverse(tree.nodes[*child].value));
            tree.nodes[at].children = children;
        }
        tree
    }

    fn add(
        &mut self,
        path: Vec<String>,
        value: u64,
        kinds: &HashMap<String, Option<Kind>>,
        known: &mut HashMap<(usize, String), usize>,
    ) {
        let mut at = 0;
        self.nodes[0].value += value;
        for name in path {
            at = match known.get(&(at, name.clone())) {
                Some(child) => *child,
                None => {
                    let child = self.nodes.len();
                    known.insert((at, name.clone()), child);
                    let kind = kinds.get(&name).copied().flatten();
                    self.nodes[at].children.push(child);
                    self.nodes.push(Node { name, kind, value: 0, own: 0, children: vec![] });
                    child
                }
            };
            self.nodes[at].value += value;
        }
        self.nodes[at].own += value;
    }

    fn shown(&self, node: usize) -> bool {
        self.nodes[node].value as f64 >= self.nodes[0].value as f64 * SHOWN
    }

    /// Rows under the root.
    fn depth(&self) -> usize {
        let (mut depth, mut row) = (0, vec![0]);
        loop {
            let children = row.iter().flat_map(|node| &self.nodes[*node].children);
            row = children.copied().filter(|child| self.shown(*child)).collect();
            if row.is_empty() {
                return depth;
            }
            depth += 1;
        }
    }
}

/// What kind of code each name of a stack is.
fn note_kinds(
    process: &Process<'_>,
    row: &super::stacks::Row,
    kinds: &mut HashMap<String, Option<Kind>>,
) {
    let scope = process.scope();
    for place in scope.places(row.stack) {
        let name = label(&scope.frame(place)).into_owned();
        kinds.entry(name).or_insert_with(|| scope.kind(place));
    }
}

struct Drawing<'a> {
    tree: &'a Tree,
    figure: Figure,
}

impl Drawing<'_> {
    /// Draws a node whose left edge is at `x` of 1, then those under it.
    fn frame(&self, node: usize, x: f64, depth: usize, out: &mut impl Write) -> io::Result<()> {
        let mut open = vec![(node, x, depth)];
        while let Some((node, x, depth)) = open.pop() {
            self.draw(node, x, depth, out)?;
            let mut left = x;
            for child in &self.tree.nodes[node].children {
                if self.tree.shown(*child) {
                    open.push((*child, left, depth + 1));
                }
                left += self.share(self.tree.nodes[*child].value);
            }
        }
        Ok(())
    }

    fn draw(&self, node: usize, x: f64, depth: usize, out: &mut impl Write) -> io::Result<()> {
        let node = &self.tree.nodes[node];
        let share = self.share(node.value);
        let (left, width) = (MARGIN + x * (WIDTH - 2.0 * MARGIN), share * (WIDTH - 2.0 * MARGIN));
        let y = HEAD + depth as f64 * ROW;
        let room = ((width - 8.0) / CHARACTER) as usize;
        let text = if room < 3 { String::new() } else { shortened(&node.name, room) };
        writeln!(
            out,
            "<g class=\"frame\" data-name=\"{}\" data-x=\"{x:.7}\" data-w=\"{share:.7}\">\
             <title>{}</title>\
             <rect x=\"{left:.2}\" y=\"{y}\" width=\"{width:.2}\" height=\"{}\" fill=\"{}\"/>\
             <text x=\"{:.2}\" y=\"{}\">{}</text></g>",
            escape(&node.name),
            escape(&self.title(node)),
            ROW - 1.0,
            colour(node.kind, &node.name),
            left + 4.0,
            y + 13.0,
            escape(&text),
        )
    }

    fn title(&self, node: &Node) -> String {
        let share = format::percent(self.share(node.value) * 100.0);
        let own = match node.own {
            0 => String::new(),
            own if own == node.value => ", all by itself".to_owned(),
            own => format!(", {} by itself", amount(self.figure, own)),
        };
        format!("{}: {} ({share}){own}", node.name, amount(self.figure, node.value))
    }

    fn share(&self, value: u64) -> f64 {
        value as f64 / (self.tree.nodes[0].value as f64).max(1.0)
    }
}

fn amount(figure: Figure, value: u64) -> String {
    match figure.is_bytes() {
        true => format::bytes(value),
        false => format::thousands(value),
    }
}

/// Warm for the program's own code, which is what somebody can change.
fn colour(kind: Option<Kind>, name: &str) -> String {
    let hash =
        name.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    let (a, b) = (hash % 31, hash / 31 % 9);
    match kind {
        None => format!("hsl({} 84% {}%)", 18 + a, 66 + b),
        Some(Kind::Library | Kind::Internal) => format!("hsl({} 38% {}%)", 196 + a, 72 + b),
        Some(Kind::Allocator) => format!("hsl(220 8% {}%)", 74 + b),
    }
}

fn shortened(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room - 1).chain(['…']).collect()
}

/// Text that XML takes: control characters have no place in it.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            char if char.is_control() || matches!(char, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('\u{fffd}')
            }
            char => escaped.push(char),
        }
    }
    escaped
}
