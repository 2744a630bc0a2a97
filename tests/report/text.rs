//! What the report says to people.

use super::*;

fn text(choice: &Choice) -> String {
    text_of(launch(), choice)
}

#[test]
fn the_text() {
    insta::assert_snapshot!(text(&Choice::default()));
}

#[test]
fn the_text_at_the_peak() {
    let choice = Choice { at_peak: true, by: Some(GroupBy::Size), ..Choice::default() };
    insta::assert_snapshot!(text(&choice));
}

#[test]
fn the_text_of_a_sum() {
    let choice = Choice { process: Some(ProcessChoice::Sum), top: Some(2), ..Choice::default() };
    insta::assert_snapshot!(text(&choice));
}

#[test]
fn the_text_says_where_it_comes_from() {
    let tree = || code::alone(code::early());
    insta::assert_snapshot!(text_of(tree(), &Choice::default()));
    let by = |by| Choice { by: Some(by), top: Some(3), ..Choice::default() };
    insta::assert_snapshot!(text_of(tree(), &by(GroupBy::File)));
    let filter =
        Filter::new(vec![(Purpose::Include, Term::parse("fn:sds*").expect("a term"))], false);
    let choice = Choice { filter: filter.expect("one term"), ..by(GroupBy::Stack) };
    insta::assert_snapshot!(text_of(tree(), &choice));
}

#[test]
fn colour_only_adds_escapes() {
    let recording = Recording::from(launch());
    let choice = Choice::default();
    let report = report::build(&recording, &choice).expect("a report");
    let coloured = report::text(&report, &choice, Look::Coloured);
    let mut plain = String::new();
    for part in coloured.split('\x1b') {
        plain.push_str(part.split_once('m').map_or(part, |(code, rest)| match code {
            code if code.starts_with('[') => rest,
            _ => part,
        }));
    }
    assert!(coloured.contains("\x1b[1m"));
    let tight = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(tight(&plain), tight(&text(&choice)));
}

#[test]
fn files_that_are_gone_and_had_the_names_are_told() {
    let mut process = code::early();
    process.names = Names::default();
    process.sites.modules[0].path = b"/gone/server".to_vec();
    let path = file("nameless.memtop", &recording(&code::alone(process)));
    let said = out(&memtop(&["report"], &path));
    let wanted = "  No names were recorded for /gone/server, and it cannot be read: ";
    assert!(said.lines().any(|line| line.starts_with(wanted)), "{said}");
    let json: Value = serde_json::from_str(&out(&memtop(&["report", "--json"], &path))).unwrap();
    assert_eq!(json["recording"]["files_missing"][0]["module"], "/gone/server");
}

#[test]
fn sites_that_do_not_come_to_the_totals_of_their_tick_say_so() {
    let of_tick = |ended, more: i64| {
        let mut process = code::early();
        process.identity.ended = ended;
        let sum: u64 = process.sites.figures.iter().map(|figures| figures.current_bytes).sum();
        process.totals.current_bytes = sum.wrapping_sub(more as u64);
        text_of(code::alone(process), &Choice::default())
    };
    let said = "while the program went on: ";
    let later = of_tick(None, -183);
    assert!(
        later.contains(&format!("{said}183 B less than is live."))
            && !later.contains("right to the byte")
    );
    assert!(!of_tick(None, 0).contains(said));
    assert!(!of_tick(Some(sample::s(9.0)), -183).contains(said));
}
