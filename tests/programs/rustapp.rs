//! What a small service does that crunches logs: strings, maps, vectors and JSON. Included by
//! the test that holds the embedded allocator to a counting one, and by the benchmark.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
};

use serde_json::{Value, json};

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) * bound) >> 32
    }
}

fn log_line(random: &mut Random, id: usize) -> String {
    let tags: Vec<String> = (0..random.below(6)).map(|tag| format!("tag{tag}")).collect();
    json!({
        "id": id,
        "user": format!("user{}", random.below(5000)),
        "path": format!("/api/v{}/item/{}", random.below(3), random.below(2000)),
        "ms": random.below(900),
        "tags": tags,
        "context": { "host": format!("h{}", random.below(40)), "ok": random.below(10) > 0 }
    })
    .to_string()
}

fn crunch(lines: &[String]) -> u64 {
    let mut by_user: HashMap<String, Vec<u64>> = HashMap::new();
    let mut by_path: BTreeMap<String, (u64, Vec<String>)> = BTreeMap::new();
    for line in lines {
        let value: Value = serde_json::from_str(line).expect("lines are JSON");
        let text = |key: &str| value[key].as_str().unwrap_or("").to_owned();
        let ms = value["ms"].as_u64().unwrap_or(0);
        by_user.entry(text("user")).or_default().push(ms);
        let path = by_path.entry(text("path")).or_default();
        path.0 += ms;
        let tags = value["tags"].as_array().into_iter().flatten();
        path.1.extend(tags.filter_map(Value::as_str).map(str::to_uppercase));
    }
    let mut report = String::new();
    for (path, (ms, tags)) in &by_path {
        writeln!(report, "{path}: {ms} {}", tags.join(",").len()).expect("strings grow");
    }
    report.len() as u64 + by_user.values().flatten().sum::<u64>()
}

/// Does the work `rounds` times over `lines` lines; the sum keeps the compiler from leaving
/// any of it out.
pub fn run(rounds: usize, lines: usize) -> u64 {
    let mut random = Random(42);
    (0..rounds).fold(0, |sum, _| {
        let lines: Vec<String> = (0..lines).map(|id| log_line(&mut random, id)).collect();
        sum ^ crunch(&lines)
    })
}
