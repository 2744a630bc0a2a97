//! The diff of two recordings, from what they hold to what is printed and the exit code.

mod sample;

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use memtop::{
    cli::{GroupBy, Moment, ProcessChoice},
    model::{Filter, Purpose, Term, ThreadState, TreeState},
    recording::Recording,
    report::{
        self, Choice, Look,
        diff::{
            self, Comparison, Moments,
            json::{Diff, Group},
        },
    },
};
use memtop_ui::format::signed_bytes;
use proptest::prelude::*;
use sample::{any::trees, code};
use serde_json::Value;

fn moments(name: &str, at: Moment) -> Moments {
    Moments { file: PathBuf::from(name), at }
}

fn compare(a: &TreeState, b: &TreeState, how: &Comparison) -> Diff {
    compare_at(Moment::End, a, b, how).expect("both sides hold it")
}

fn compare_at(
    at: Moment,
    a: &TreeState,
    b: &TreeState,
    how: &Comparison,
) -> Result<Diff, memtop::Error> {
    let (a, b) = (Recording::from(a.clone()), Recording::from(b.clone()));
    let choice = Choice { at_peak: at == Moment::Peak, ..Choice::default() };
    let (a, b) = (report::build(&a, &choice), report::build(&b, &choice));
    let (a, b) = (a.expect("a report"), b.expect("a report"));
    diff::build((&moments("a.memtop", at), &a), (&moments("b.memtop", at), &b), how)
}

fn by(by: GroupBy) -> Comparison {
    Comparison { by: Some(by), ..Comparison::default() }
}

fn early_and_late(how: &Comparison) -> Diff {
    compare(&code::alone(code::early()), &code::alone(code::late()), how)
}

fn groups(diff: &Diff) -> &[Group] {
    diff.groups.as_deref().expect("both sides know their groups")
}

fn rows(diff: &Diff) -> Vec<(&str, &str, i64, Option<i64>)> {
    let groups = groups(diff).iter();
    groups.map(|one| (one.key.as_str(), one.state, one.bytes_delta, one.blocks_delta)).collect()
}

#[test]
fn sites_are_compared_by_their_names() {
    assert_eq!(
        rows(&early_and_late(&Comparison::default())),
        [
            ("dictAdd src/dict.c:312", "grown", 12_000_000, Some(31_022)),
            ("aeMain src/ae.c:514", "new", 612_000, Some(12)),
            ("libnameless.so+0x9f", "same", 0, Some(0)),
            ("loadConfig src/config.c:88", "shrunk", -10_000, Some(-1)),
            ("sdsnewlen src/sds.c:91", "shrunk", -40_000, Some(-1)),
        ]
    );
}

#[test]
fn every_grouping_has_its_keys() {
    let first = |grouping| {
        let diff = early_and_late(&by(grouping));
        let group = &groups(&diff)[0];
        (group.key.clone(), group.bytes_delta)
    };
    assert_eq!(first(GroupBy::Function), ("dictAdd".into(), 12_000_000));
    assert_eq!(first(GroupBy::File), ("src/dict.c".into(), 12_000_000));
    assert_eq!(first(GroupBy::Module), ("/usr/bin/redis-server".into(), 12_562_000));
    let stack = "dictAdd src/dict.c:312 ‹ readQuery src/networking.c:2643 ‹ \
                 aeMain src/ae.c:514 ‹ main src/server.c:7001";
    assert_eq!(first(GroupBy::Stack), (stack.into(), 12_000_000));
    assert_eq!(first(GroupBy::Size).1, 0);
    let threads = early_and_late(&by(GroupBy::Thread));
    assert_eq!(groups(&threads)[0].blocks_a, None);
}

#[test]
fn threads_are_compared_by_their_names() {
    let tree = |threads: &[(u32, Option<&str>, i64)]| {
        let mut tree = code::alone(code::early());
        let threads = threads.iter().map(|&(tid, name, current_bytes)| ThreadState {
            tid,
            name: name.map(Into::into),
            current_bytes,
            ..Default::default()
        });
        tree.processes[0].threads = threads.collect();
        tree
    };
    let a = tree(&[(11, Some("worker"), 10), (12, Some("worker"), 20), (13, None, 5)]);
    let b = tree(&[(21, Some("worker"), 70), (13, None, 5)]);
    let diff = compare(&a, &b, &by(GroupBy::Thread));
    assert_eq!(rows(&diff), [("worker", "grown", 40, None), ("13", "same", 0, None)]);
}

#[test]
fn a_function_can_count_what_it_called() {
    let diff = early_and_late(&Comparison { with_callees: true, ..by(GroupBy::Function) });
    assert_eq!(
        rows(&diff)[..3],
        [
            ("aeMain", "grown", 12_612_000, None),
            ("main", "grown", 12_562_000, None),
            ("dictAdd", "grown", 12_000_000, None),
        ]
    );
}

#[test]
fn the_peaks_are_compared_too() {
    let (a, b) = (code::alone(code::early()), code::alone(code::late()));
    let diff = compare_at(Moment::Peak, &a, &b, &Comparison::default()).expect("sites");
    assert_eq!(groups(&diff)[0].bytes_delta, 10_000_000);
    assert_eq!(diff.totals["peak_bytes_delta"], 0);
}

#[test]
fn filters_choose_the_sites() {
    let how = |purpose, text: &str| {
        let term = Term::parse(text).expect("a term");
        let filter = Filter::new(vec![(purpose, term)], false).expect("one term");
        Comparison { filter, ..Comparison::default() }
    };
    let found = |how| groups(&early_and_late(&how)).len();
    assert_eq!(found(how(Purpose::Include, "fn:dict*")), 1);
    assert_eq!(found(how(Purpose::Exclude, "fn:dict*")), 4);
}

#[test]
fn the_json_keeps_the_contract() {
    let json = serde_json::to_value(early_and_late(&Comparison::default())).expect("JSON");
    assert_eq!(json["schema"], 1);
    assert_eq!(json["a"]["file"], "a.memtop");
    assert_eq!(json["b"]["at"], "end");
    assert_eq!(json["by"], "site");
    assert_eq!(json["totals"]["bytes_delta"], 12_000_000);
    assert_eq!(json["totals"]["blocks_delta"], 31_000);
    assert_eq!(json["totals"]["peak_bytes_delta"], 0);
    assert_eq!(json["states"]["new"]["groups"], 1);
    assert_eq!(json["states"]["shrunk"]["bytes_delta"], -50_000);
    let group = &json["groups"][1];
    for (field, value) in [
        ("key", Value::from("aeMain src/ae.c:514")),
        ("state", "new".into()),
        ("bytes_a", 0.into()),
        ("bytes_b", 612_000.into()),
        ("bytes_delta", 612_000.into()),
        ("blocks_a", 0.into()),
        ("blocks_b", 12.into()),
        ("blocks_delta", 12.into()),
    ] {
        assert_eq!(group[field], value, "{field}");
    }
}

#[test]
fn the_text() {
    let diff = early_and_late(&Comparison::default());
    insta::assert_snapshot!(diff::text(&diff, None, Look::Plain));
}

#[test]
fn where_nothing_grew_the_greatest_loss_stands_first_in_the_text() {
    let mut diff = early_and_late(&Comparison::default());
    let keys = |text: &str, losses: [i64; 2]| losses.map(|loss| text.find(&signed_bytes(loss)));
    let losses = [-1_000, -3_000];
    let mut groups = groups(&diff)[..2].to_vec();
    for (group, loss) in groups.iter_mut().zip(losses) {
        (group.bytes_delta, group.blocks_delta) = (loss, Some(-1));
    }
    diff.groups = Some(groups.clone());
    let [less, most] = keys(&diff::text(&diff, None, Look::Plain), losses);
    assert!(less.is_some() && most < less, "the order of JSON is {losses:?}");
    groups[0].blocks_delta = Some(1);
    diff.groups = Some(groups);
    let [grew_in_blocks, lost] = keys(&diff::text(&diff, None, Look::Plain), losses);
    assert!(lost.is_some() && grew_in_blocks < lost, "what grew comes first");
}

#[test]
fn the_text_is_cut_to_what_changed_most() {
    let text = diff::text(&early_and_late(&Comparison::default()), Some(2), Look::Plain);
    assert!(text.contains("dictAdd") && text.contains("aeMain") && !text.contains("sdsnewlen"));
    assert!(text.contains("… and 2 that changed less"), "{text}");
}

#[test]
fn without_stacks_sizes_are_compared() {
    let (a, b) = (sample::launch(), sample::launch());
    assert_eq!(compare(&a, &b, &Comparison::default()).by, "size");
    let error = compare_at(Moment::End, &a, &b, &by(GroupBy::Site)).expect_err("no stacks");
    assert!(error.to_string().contains("cannot be compared by site"), "{error}");
    let with = code::alone(code::late());
    assert!(compare_at(Moment::End, &a, &with, &Comparison::default()).is_err());
}

/// The totals of a moment are known, and its sites are not.
fn without_sites() -> TreeState {
    let mut process = code::late();
    process.exactness.stacks_cut = Some(0);
    process.sites.figures.fill(Default::default());
    code::alone(process)
}

#[test]
fn what_is_not_known_of_a_moment_is_not_made_up() {
    let (a, b) = (without_sites(), code::alone(code::late()));
    for (a, b, whose) in [(&a, &b, "a.memtop"), (&b, &a, "b.memtop")] {
        let diff = compare(a, b, &Comparison::default());
        let why = diff.unknown.clone().expect("a reason");
        assert!(why.contains(whose) && why.contains("unknown"), "{why}");
        let json = serde_json::to_value(&diff).expect("JSON");
        assert!(json["groups"].is_null() && json["states"].is_null(), "{json}");
        assert_eq!(json["totals"]["bytes_delta"], 0, "the totals are known");
        let text = diff::text(&diff, None, Look::Plain);
        assert!(text.contains(&why) && !text.contains("new"), "{text}");
    }
    let decided = command("unknown", &a, &b, &["--fail-if", "groups.0.bytes_delta > 1M"]);
    assert_eq!(decided.status.code(), Some(1), "neither met nor kept");
    assert!(compare(&a, &b, &by(GroupBy::Size)).groups.is_some());
    // Of a program that allocated nothing, it is known that nothing was there.
    let mut none = code::late();
    none.totals = Default::default();
    none.sites = Default::default();
    assert!(compare(&code::alone(none), &b, &Comparison::default()).groups.is_some());
}

#[test]
fn before_tracing_started_nothing_is_compared_and_the_reason_said() {
    let mut early = code::late();
    early.sites = Default::default();
    early.window = Default::default();
    let diff = compare(&code::alone(early), &code::alone(code::late()), &Comparison::default());
    let why = "tracing of a.memtop had not started at its end";
    assert_eq!((diff.unknown.as_deref(), diff.groups.is_none()), (Some(why), true));
}

#[test]
fn a_group_that_is_not_there_meets_no_condition() {
    let tree = code::alone(code::late());
    let decide = |condition| {
        command("same", &tree, &tree, &["--include", "fn:nowhere", "--fail-if", condition])
    };
    assert_eq!(decide("groups.0.bytes_delta > 1M").status.code(), Some(0));
    assert_eq!(decide("groups.0.bytes_delta < 1M").status.code(), Some(0));
    assert_eq!(decide("groups.0.bites_delta > 1M").status.code(), Some(2));
}

/// `memtop diff` over two files of these trees.
fn command(name: &str, a: &TreeState, b: &TreeState, arguments: &[&str]) -> Output {
    let file = |side: &str, tree| {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{side}.memtop"));
        fs::write(&path, sample::recording(tree)).expect("a temporary file");
        path
    };
    let (a, b) = (file("a", a), file("b", b));
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtop"));
    command.arg("diff").arg(a).arg(b).args(arguments).output().expect("memtop runs")
}

fn grown() -> TreeState {
    let mut tree = sample::launch();
    let server = &mut tree.processes[0];
    server.totals.current_bytes += 4_900_000;
    server.size_classes[0].current_bytes += 4_900_000;
    server.size_classes[0].current_blocks += 306_250;
    tree
}

#[test]
fn a_budget_decides_the_exit_code() {
    let decide = |condition: &str| {
        let output = command(
            "budget",
            &sample::launch(),
            &grown(),
            &["--by", "size", "--fail-if", condition],
        );
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said, !output.stdout.is_empty())
    };
    for (condition, code, words) in [
        ("totals.bytes_delta > 9%", 3, "totals.bytes_delta is 4900000"),
        ("totals.bytes_delta > 11%", 0, ""),
        ("totals.bytes_delta > 4M and states.grown.groups == 1", 3, "states.grown.groups is 1"),
        ("groups.0.bytes_delta > 1000%", 3, "groups.0.bytes_delta is 4900000"),
        ("states.new.groups > 0", 0, ""),
        ("totals.usable_bytes_delta > 0 and totals.bytes_delta > 1G", 0, ""),
    ] {
        let (found, said, printed) = decide(condition);
        assert_eq!(found, Some(code), "{condition}: {said}");
        assert!(said.contains(words) && printed, "{condition}: {said}");
    }
    let (found, said, printed) = decide("totals.bytes_a > 10%");
    assert_eq!((found, printed), (Some(2), false), "{said}");
    let (found, said, _) = decide("totals.bites_delta > 1");
    assert!(found == Some(2) && said.contains("no 'bites_delta'"), "{said}");
}

#[test]
fn what_cannot_be_had_is_wrong_usage_or_said() {
    let tree = sample::launch();
    for (arguments, code, words) in [
        (&["--by", "site"][..], 1, "cannot be compared by site"),
        (&["--by", "size", "--include", "x"], 2, "--by size has neither"),
        (&["--process", "7"], 2, "there are 4242, 4300"),
        (&["--include", "fn:"], 2, "has no pattern"),
    ] {
        let output = command("usage", &tree, &tree, arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}

#[test]
fn a_moment_stands_behind_an_at_sign() {
    let parse = |text: &str| Moments::parse(text.as_ref());
    assert_eq!(parse("a@peak").expect("a moment"), moments("a", Moment::Peak));
    assert_eq!(parse("b@x@end").expect("a moment"), moments("b@x", Moment::End));
    assert_eq!(parse("c").expect("a moment"), moments("c", Moment::End));
    assert!(parse("c@noon").is_err());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("odd@peak");
    fs::write(&path, b"").expect("a temporary file");
    let odd = Moments::parse(path.as_os_str()).expect("the file is there");
    assert_eq!((odd.file, odd.at), (path, Moment::End));
}

proptest! {
    /// Whatever the files say, comparing them ends, and nothing differs from itself.
    #[test]
    fn any_two_trees_can_be_compared(a in trees(), b in trees()) {
        for process in [None, Some(ProcessChoice::Sum)] {
            let choice = Choice { process, ..Choice::default() };
            let (ra, rb) = (Recording::from(a.clone()), Recording::from(b.clone()));
            let (Ok(ra), Ok(rb)) = (report::build(&ra, &choice), report::build(&rb, &choice)) else {
                continue;
            };
            let at = moments("x", Moment::End);
            for grouping in [GroupBy::Size, GroupBy::Thread] {
                if let Ok(diff) = diff::build((&at, &ra), (&at, &rb), &by(grouping)) {
                    prop_assert!(!diff::text(&diff, None, Look::Coloured).is_empty());
                }
                if let Ok(same) = diff::build((&at, &ra), (&at, &ra), &by(grouping)) {
                    let mut groups = same.groups.iter().flatten();
                    prop_assert!(groups.all(|group| group.state == "same"));
                }
            }
        }
    }
}
