//! From the start of a server that leaks to the line that does it, in the steps of the README:
//! `s`, wait, `s`, `d`, Enter.

use crate::{LARGE, SMALL, served::Served};

impl Served {
    /// The screen in a terminal of this size, once it has `text`.
    fn screen_of(&self, size: (u16, u16), text: &str) -> Vec<String> {
        self.terminal.resize(size);
        self.terminal.wait_until(text, |rows| {
            let frame = rows[2].trim_end();
            let whole = frame.chars().count() == usize::from(size.0) && frame.ends_with('╮');
            whole && rows.len() == usize::from(size.1) && rows.iter().any(|row| row.contains(text))
        })
    }

    /// Waits until so many blocks more than at the mark are on the overview, and so many in all:
    /// sites are looked at behind the sums, and know more while the server is at work.
    fn wait_for_growth(&self, sessions: usize, blocks: &str) {
        let delta = format!(" +{sessions} ");
        self.terminal.wait_until("growth by the line that leaks", |rows| {
            let has = |words: [&str; 2]| {
                rows.iter().any(|row| words.iter().all(|words| row.contains(words)))
            };
            has(["sessions.cpp:", &delta]) && has(["live blocks ", &format!(" {blocks} ")])
        });
    }
}

#[test]
fn a_leaking_line_is_found_in_five_steps() {
    let mut server = Served::start(LARGE, &[]);
    server.serve(50);
    server.wait_for_growth(50, "209");
    let screen = |server: &Served, key: &str, place: &str| {
        server.terminal.press(key);
        server.terminal.wait_for(place);
    };
    screen(&server, "s", "Grew since mark 1");
    server.serve(400);
    server.wait_for_growth(400, "1,809");
    screen(&server, "s", "Grew since mark 2");
    screen(&server, "d", "mark 1 → mark 2");
    for size in [LARGE, (120, 35), SMALL] {
        let rows = server.screen_of(size, "▸grown");
        let leak = rows.iter().find(|row| row.contains("▸grown")).unwrap();
        assert!(leak.contains("sessions::Store::put"), "{leak}");
        insta::assert_snapshot!(format!("diff_{}x{}", size.0, size.1), steady(&rows));
    }
    server.terminal.press("\r");
    // Until there is a past to tell a rate from, and it is quiet.
    server.terminal.wait_for("allocs 450 · 0/s");
    for size in [SMALL, (120, 35), LARGE] {
        let rows = server.screen_of(size, "▸   45 │");
        let leak = rows.iter().find(|row| row.contains("▸   45 │")).unwrap();
        assert!(leak.contains("auto session = std::make_"), "{leak}");
        insta::assert_snapshot!(format!("site_{}x{}", size.0, size.1), steady(&rows));
    }
    // All frames of the same stack, of the same site.
    screen(&server, "f", "fold frames");
    let rows = server.terminal.wait_for("allocs 450 · 0/s");
    assert!(rows.iter().any(|row| row.contains("sessions::Store::put")), "{rows:#?}");
    assert!(!rows.iter().any(|row| row.contains("library frames")), "{rows:#?}");
    screen(&server, "f", "library frames");
    assert_tells_sizes_seen(&server.terminal.wait_for("╭ Sizes "));
    // Each connection has a thread, and either asked for half of it.
    for worker in ["worker-1", "worker-2"] {
        let rows = server.terminal.wait_for(worker);
        let row = rows.iter().find(|row| row.contains(worker)).unwrap();
        assert!(row.contains("+460.5 KiB") && row.contains(" 225 "), "{row}");
    }
}

/// Sizes and lifetimes are those of the events that the dashboard saw: some, if not all.
fn assert_tells_sizes_seen(rows: &[String]) {
    let sizes = rows.iter().position(|row| row.contains("╭ Sizes ")).expect("sizes were seen");
    assert!(rows[sizes].contains(" seen ╮"), "{}", rows[sizes]);
    assert!(rows[sizes + 2].contains("B "), "{}", rows[sizes + 2]);
}

/// The screen without what differs from run to run: the header, moments, rates and curves, and
/// the folder of the source.
fn steady(rows: &[String]) -> String {
    let column = |title| {
        let before = rows.iter().find_map(|row| row.split_once(title))?.0;
        Some(before.chars().count())
    };
    // Where moments stand beside the difference, that alone is compared.
    let from = column("╭ Diff").unwrap_or(0);
    let until = column("╭ History").unwrap_or(usize::MAX);
    let mut inside_sentence = false;
    let mut steady = String::new();
    let peak = |row: &&String| from == 0 && row.starts_with("│        peak ");
    for row in rows[2..rows.len() - 1].iter().filter(|row| !peak(row)) {
        inside_sentence &= !row.starts_with('╰');
        if inside_sentence {
            continue;
        }
        let row: String = row.chars().take(until).skip(from).collect();
        let (row, tendency) = match row.split_once(" on average") {
            Some((before, behind)) => (format!("{before} on average"), behind),
            None => (row, ""),
        };
        inside_sentence |= !tendency.is_empty();
        steady += &(without_folder(&without_moments(&row)).trim_end().to_owned() + "\n");
    }
    steady
}

/// Digits of moments, rates and what was live at the peak become `#`.
fn without_moments(row: &str) -> String {
    let mut at_peak = false;
    let words = row.split_inclusive(' ').map(|word| {
        let (is_clock, is_rate) = (is_clock(word.trim()), word.trim_end().ends_with("/s"));
        let hide = is_clock || is_rate || (at_peak && word.contains('.'));
        at_peak = word.trim() == "peak";
        match hide {
            true => word.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect(),
            false => word.to_owned(),
        }
    });
    words.collect()
}

fn is_clock(word: &str) -> bool {
    let parts = word.split_once(':');
    parts.is_some_and(|(minutes, seconds)| {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        !minutes.is_empty() && seconds.len() == 2 && digits(minutes) && digits(seconds)
    })
}

/// The path of the source depends on where memtop is built, and so does the room left of it.
fn without_folder(row: &str) -> String {
    let alone = row.find(" sessions.cpp:");
    let Some(file) = row.find("/sessions.cpp").or(alone) else {
        // A narrow title may show a part of the folder, or nothing of it.
        let is_title = row.starts_with("╭ sessions::");
        let folder = [" /", " …"].iter().filter_map(|start| row.find(start)).min();
        let title = &row[..folder.unwrap_or(row.len())];
        return if is_title { title.trim_end_matches(['─', ' ', '╮']) } else { row }.to_owned();
    };
    let start = match alone {
        Some(start) => start,
        None => row[..file].rfind(' ').map_or(0, |at| at + 1),
    };
    let before = row[..start].trim_end_matches([' ', '─']);
    format!("{before} … {}", row[file + 1..].replace('─', ""))
}
