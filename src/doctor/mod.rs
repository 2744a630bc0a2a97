//! `memtop doctor`: what works on this machine, what does not, why, and what to do.
//!
//! Each check looks at one thing and says one sentence. Nothing is guessed that can be tried:
//! a real program is traced from its start to its end.

mod libraries;
mod machine;
mod surroundings;

use std::process::ExitCode;

use serde::Serialize;

use crate::{Error, commands, error::exit_code, terminal};

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// One sentence.
    pub words: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<&'static str>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Works,
    /// memtop does its work, but not all of it.
    Limited,
    /// memtop cannot trace programs.
    Broken,
}

impl Finding {
    fn works(name: &'static str, words: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Works, words: words.into(), remedy: None }
    }

    fn limited(name: &'static str, words: impl Into<String>, remedy: &'static str) -> Self {
        Self { name, verdict: Verdict::Limited, words: words.into(), remedy: Some(remedy) }
    }

    fn broken(name: &'static str, words: impl Into<String>, remedy: &'static str) -> Self {
        Self { name, verdict: Verdict::Broken, words: words.into(), remedy: Some(remedy) }
    }
}

/// The checks in the order in which they are told: first what memtop cannot do without.
const CHECKS: &[fn() -> Finding] = &[
    machine::tracing,
    machine::kernel,
    machine::processor,
    machine::c_library,
    surroundings::library,
    libraries::old_libraries,
    surroundings::joining,
    machine::proc_files,
    machine::memory_limits,
    machine::group,
    machine::ptrace,
    surroundings::preloaded,
    surroundings::debug_files,
    surroundings::terminal,
];

/// Looks at everything.
pub fn examine() -> Vec<Finding> {
    CHECKS.iter().map(|check| check()).collect()
}

/// `memtop doctor`: 0 when programs can be traced, else 1.
///
/// # Errors
/// When the result cannot be printed.
pub fn run(json: bool) -> Result<ExitCode, Error> {
    let findings = examine();
    match json {
        true => commands::print_json(&findings)?,
        false => commands::print(text(&findings).as_bytes())?,
    }
    let broken = findings.iter().any(|finding| finding.verdict == Verdict::Broken);
    Ok(ExitCode::from(if broken { exit_code::FAILED } else { 0 }))
}

fn text(findings: &[Finding]) -> String {
    let ascii = terminal::is_ascii();
    let widest = findings.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let sign = sign(finding.verdict, ascii);
        text.push_str(&format!("{sign} {:<widest$}  {}\n", finding.name, finding.words));
        if let Some(remedy) = finding.remedy {
            text.push_str(&format!("  {:<widest$}  to do: {remedy}\n", ""));
        }
    }
    text.push_str(&format!("\n{}\n", summary(findings)));
    text
}

fn sign(verdict: Verdict, ascii: bool) -> &'static str {
    match (verdict, ascii) {
        (Verdict::Works, false) => "✓",
        (Verdict::Works, true) => "ok",
        (Verdict::Limited, _) => "!",
        (Verdict::Broken, false) => "✗",
        (Verdict::Broken, true) => "X",
    }
}

fn summary(findings: &[Finding]) -> &'static str {
    match findings.iter().map(|finding| finding.verdict).max() {
        Some(Verdict::Broken) => "memtop cannot trace programs here.",
        Some(Verdict::Limited) => "memtop works here, with the limits named above.",
        _ => "memtop works here.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_says_something_and_its_remedy() {
        // The first one runs a program and waits for its end by a signal, which needs a process
        // of one thread; it is tried from outside.
        for finding in CHECKS[1..].iter().map(|check| check()) {
            assert!(!finding.name.is_empty() && !finding.words.is_empty(), "{finding:?}");
            assert_eq!(finding.remedy.is_none(), finding.verdict == Verdict::Works, "{finding:?}");
            assert!(!finding.words.ends_with('.'), "one style: {finding:?}");
        }
    }

    #[test]
    fn the_worst_finding_decides() {
        let works = Finding::works("a", "fine");
        let limited = Finding::limited("b", "less", "do");
        let broken = Finding::broken("c", "not", "do");
        assert_eq!(summary(std::slice::from_ref(&works)), "memtop works here.");
        assert!(summary(&[works.clone(), limited.clone()]).contains("limits"));
        let all = [works, broken, limited];
        assert!(summary(&all).contains("cannot"));
        let text = text(&all);
        assert!(text.contains("a  fine\n") && text.contains("to do: do\n"), "{text}");
    }
}
