//! Reading figures off a screen, as a person would.

/// What stands behind `label`, up to a gap of two blanks or a frame.
#[track_caller]
pub fn figure(rows: &[String], label: &str) -> String {
    try_figure(rows, label).unwrap_or_else(|| panic!("no {label:?} in\n{}", rows.join("\n")))
}

/// As [`figure`]; `None` where the label is not on the screen.
pub fn try_figure(rows: &[String], label: &str) -> Option<String> {
    let row = rows.iter().find(|row| row.contains(label))?;
    let (_, behind) = row.split_once(label)?;
    let end = ["  ", "│", "|"].iter().filter_map(|end| behind.trim_start().find(end)).min();
    let behind = behind.trim_start();
    Some(behind[..end.unwrap_or(behind.len())].trim().to_owned())
}

/// The timeline, cell by cell.
pub struct Timeline {
    /// Rows above zero, the upper first; then the zero line; then rows below.
    plot: Vec<Vec<char>>,
    zero: usize,
    /// How much time a column shows.
    pub column_s: f64,
}

impl Timeline {
    /// Finds it on the screen.
    #[track_caller]
    pub fn read(rows: &[String]) -> Self {
        let cells: Vec<Vec<char>> = rows.iter().map(|row| row.chars().collect()).collect();
        let zero = cells.iter().position(|row| row.contains(&'┼')).expect("a zero line");
        let axis = cells[zero].iter().position(|c| *c == '┼').unwrap();
        let is_axis = |row: &&Vec<char>| row.get(axis).is_some_and(|c| "│┤┼".contains(*c));
        let first = zero - cells[..zero].iter().rev().take_while(is_axis).count();
        let below = cells[zero..].iter().take_while(is_axis).count();
        let plot = cells[first..zero + below].iter().map(|row| row[axis + 1..].to_vec()).collect();
        let title = rows.iter().find_map(|row| row.split_once(" a column"));
        let column = title.and_then(|(before, _)| before.rsplit_once("· ")).expect("a width").1;
        Self { plot, zero: zero - first, column_s: seconds(column) }
    }

    /// The column of the start mark, on the zero line and in the line of full height.
    #[track_caller]
    pub fn start_column(&self) -> usize {
        let column = self.plot[self.zero].iter().position(|c| *c == '▲').expect("a start mark");
        for (number, row) in self.plot.iter().enumerate().filter(|(n, _)| *n != self.zero) {
            assert_eq!(row[column], '┆', "row {number} at {column}");
        }
        column
    }

    /// Whether a column is shaded somewhere, and has nothing solid.
    pub fn is_shaded(&self, column: usize) -> bool {
        self.upper(column).any(|c| c == '░')
    }

    /// Whether the live curve, which is filled down to zero, is drawn in a column.
    pub fn has_curve(&self, column: usize) -> bool {
        self.plot[self.zero - 1].get(column).is_some_and(|c| is_braille(*c))
    }

    /// Whether something hangs below zero in a column.
    pub fn hangs(&self, column: usize) -> bool {
        self.plot[self.zero + 1..].iter().any(|row| is_braille(row[column]))
    }

    fn upper(&self, column: usize) -> impl Iterator<Item = char> + '_ {
        self.plot[..self.zero].iter().map(move |row| row.get(column).copied().unwrap_or(' '))
    }
}

fn is_braille(c: char) -> bool {
    ('\u{2801}'..='\u{28ff}').contains(&c)
}

/// `100 ms`, `1.6 s`.
fn seconds(text: &str) -> f64 {
    let (value, unit) = text.split_once(' ').unwrap();
    let value: f64 = value.parse().unwrap();
    match unit {
        "ms" => value / 1000.0,
        "s" => value,
        unit => panic!("{unit}"),
    }
}
