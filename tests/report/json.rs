//! What the report says to programs.

use super::*;

#[test]
fn the_json_keeps_the_contract() {
    let json = json_of(&[], &launch(), "contract.memtop");
    assert_eq!(json["schema"], 1);
    assert_eq!(json["target"]["command"][1], "*:6379");
    assert_eq!(json["target"]["pid"], 4242);
    assert_eq!(json["target"]["exit"]["code"], 0);
    assert_eq!(json["window"]["started_after_s"], 41.0);
    assert_eq!(json["window"]["intervals"][0]["to_s"], Value::Null);
    assert_eq!(json["totals"]["peak_bytes"], 54_421_094);
    assert_eq!(json["totals"]["peak_at_s"], 130.25);
    assert_eq!(json["totals"]["usable_current_bytes"], 50_541_363);
    assert_eq!(json["untracked"]["net_bytes"], 37_539_021);
    assert_eq!(json["untracked"]["census"]["still_live_blocks"], 4_996);
    assert_eq!(json["inherited"]["frees"], 0);
    assert_eq!(json["exactness"]["peak_error_bytes"], 16_384);
    assert_eq!(json["exactness"]["frames_unresolved"], Value::Null);
    assert_eq!(json["size_classes"][1]["max"], 32);
    assert_eq!(json["sites"], Value::Array(Vec::new()));
    assert_eq!(json["threads"][1]["current_bytes"], -11_000_000);
    assert_eq!(json["timeline"][0]["t_s"], 41.0);
    assert_eq!(json["timeline"][0]["rss_bytes"], Value::Null);
    assert!(json.get("groups").is_none());
    let last = &json["processes"][2];
    assert_eq!(last["generation"], 1);
    assert_eq!(last["parent"], 4242);
    assert_eq!(last["target"]["exit"]["signal"], 9);
    assert_eq!(last["target"]["command"][1], "\u{fffd}\u{1b}[31mname");
    assert_eq!(last["totals"]["frees"], 5);
    assert_eq!(json["processes"][1]["inherited"]["freed_bytes"], 300);
}

/// Zero would say that nothing was live.
#[test]
fn the_timeline_is_unknown_before_tracing_first_started() {
    let mut tree = launch();
    let process = &mut tree.processes[0];
    process.window.intervals[0].from = Duration::from_millis(41_250);
    for point in &mut process.timeline[..3] {
        (point.current_bytes, point.max_bytes, point.untracked_freed_bytes) = (0, 0, 0);
    }
    // A pause is another matter: what is freed of traced blocks is seen then as well.
    process.window.intervals[0].to = Some(Duration::from_millis(41_500));
    let json = json_of(&[], &tree, "late-timeline.memtop");
    let unknown = |at: usize| {
        let point = &json["timeline"][at];
        ["current_bytes", "max_bytes", "untracked_freed_bytes"].map(|name| point[name].is_null())
    };
    assert_eq!(unknown(2), [true; 3], "{}", json["timeline"][2]);
    assert!(json["timeline"][2]["rss_bytes"].is_u64(), "that was known all the time");
    assert!((3..20).all(|at| unknown(at) == [false; 3]), "{}", json["timeline"]);
    // One that was never traced.
    tree.processes[0].window.intervals.clear();
    tree.processes[0].timeline.truncate(3);
    let json = json_of(&[], &tree, "never-timeline.memtop");
    assert!(
        json["timeline"].as_array().expect("points").iter().all(|one| one["max_bytes"].is_null())
    );
}

/// The path of every field, the first element standing for its list.
fn fields(at: &Value, path: &str, found: &mut Vec<String>) {
    match at {
        Value::Object(fields_of) => {
            for (name, value) in fields_of {
                let path = format!("{path}.{name}");
                found.push(path.clone());
                fields(value, &path, found);
            }
        }
        Value::Array(items) => {
            if let Some(first) = items.first() {
                fields(first, &format!("{path}[]"), found);
            }
        }
        _ => {}
    }
}

/// Scripts stand on these names: the list may grow, and never shrinks.
#[test]
fn the_json_has_these_fields() {
    let json = json_of(&["--by", "size"], &launch(), "fields.memtop");
    let mut found = Vec::new();
    fields(&json, "", &mut found);
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn sites_are_in_the_json() {
    let recording = Recording::from(code::alone(code::early()));
    let choice = Choice { by: Some(GroupBy::Function), ..Choice::default() };
    let json = |choice: &Choice| {
        let report = report::build(&recording, choice).expect("a report");
        serde_json::from_str::<Value>(&report::json(&report)).expect("JSON")
    };
    let end = json(&choice);
    let site = &end["sites"][0];
    assert_eq!(site["current_bytes"], 18_000_000);
    assert_eq!(site["at_peak_blocks"], 70_000);
    assert_eq!(site["temporary"], 6_000);
    let frame = &site["frames"][0];
    assert_eq!(frame["function"], "dictAdd");
    assert_eq!(frame["file"], "src/dict.c");
    assert_eq!(frame["line"], 312);
    assert_eq!(frame["module"], "/usr/bin/redis-server");
    assert_eq!(frame["address"], "0x1030");
    assert_eq!(site["frames"][3]["function"], "main");
    let nameless = &end["sites"][4]["frames"][0];
    assert_eq!((&nameless["function"], &nameless["address"]), (&Value::Null, &"0x9f".into()));
    assert_eq!(end["exactness"]["frames_unresolved"], 1);
    assert_eq!(end["exactness"]["stacks_cut"], 1);
    assert_eq!(end["groups"][0]["key"], "dictAdd");
    assert_eq!(end["groups"][0]["with_callees_bytes"], 18_000_000);
    let main = end["groups"].as_array().and_then(|all| all.iter().find(|one| one["key"] == "main"));
    assert_eq!(main.expect("a caller")["with_callees_bytes"], 21_130_000);
    let peak = json(&Choice { at_peak: true, ..choice });
    assert_eq!(peak["sites"][0]["current_bytes"], 20_000_000);
    assert_eq!(peak["groups"][0]["current_blocks"], 70_000);
}

#[test]
fn processes_that_were_not_traced_are_named() {
    let one = |pid, name: &str, why: Option<&str>| UntracedProcess {
        pid,
        parent: Some(4242),
        command: vec![name.into(), b"-x".to_vec()],
        started: Duration::from_millis(1500),
        ended: None,
        why: why.map(str::to_owned),
    };
    let known = one(12, "/bin/busybox", Some("static"));
    let untraced = vec![known, one(13, "odd\x1b[2J", None)];
    let tree = TreeState { untraced, ..launch() };
    let json = json_of(&[], &tree, "not-traced.memtop");
    assert_eq!(
        json["untraced"][0],
        serde_json::json!({
            "pid": 12, "parent": 4242, "command": ["/bin/busybox", "-x"], "started_s": 1.5,
            "ended_s": null, "why": "static",
        })
    );
    assert_eq!(json["untraced"][1]["why"], Value::Null);
    let path = file("not-traced.memtop", &recording(&tree));
    let text = out(&memtop(&["report"], &path));
    let line = "Not traced: busybox (pid 12, static), odd?[2J (pid 13).";
    assert!(text.contains(line), "{text}");
    assert_eq!(json_of(&[], &launch(), "traced.memtop")["untraced"], serde_json::json!([]));
}
