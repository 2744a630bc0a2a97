//! The condition of `--fail-if`: `FIELD OP VALUE`, joined by `and` and `or`.
//!
//! `and` binds closer than `or`. A field is the path of a number in the JSON report, parts
//! joined by dots, elements of a list by their index. A field that is null is *unknown*, and
//! so is a comparison with it, unless the rest decides: a budget that cannot be checked must
//! not pass as kept. An element that a list does not have holds nothing: no comparison with it
//! is met.

use serde_json::Value;

use memtop_ui::format::agree;

use crate::cli::{split_unit, unit_bytes};

/// A parsed condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    /// Joined by `or`, each a row of comparisons joined by `and`; none is empty.
    alternatives: Vec<Vec<Comparison>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Comparison {
    field: String,
    operator: Operator,
    text: String,
    value: f64,
    percent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Equal,
}

/// What a condition comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It holds; the comparisons that made it so, with what was found.
    Met(String),
    /// It does not.
    NotMet,
    /// It depends on this field, which is null.
    Unknown(String),
}

impl Expression {
    /// Reads a condition.
    ///
    /// # Errors
    /// With what is wrong with it, and what it should look like.
    pub fn parse(text: &str) -> Result<Self, String> {
        let spaced = space_operators(text);
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let alternatives = words
            .split(|word| *word == "or")
            .map(|words| words.split(|word| *word == "and").map(parse_comparison).collect())
            .collect::<Result<_, _>>()?;
        Ok(Self { alternatives })
    }

    /// Whether any field of it is within the part `name` of the report.
    pub fn asks_for(&self, name: &str) -> bool {
        self.fields().any(|field| field.split('.').any(|part| part == name))
    }

    /// The fields it compares, one after the other.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.alternatives.iter().flatten().map(|comparison| comparison.field.as_str())
    }

    /// Decides it over `report`. `shapes` has an example of an element of each list that may be
    /// empty; `percent_of` is what a field's percentages are of.
    ///
    /// # Errors
    /// With the name of a field that does not exist or is no number.
    pub fn evaluate(
        &self,
        report: &Value,
        shapes: &Value,
        percent_of: impl Fn(&str) -> Option<f64>,
    ) -> Result<Verdict, String> {
        let mut unknown = None;
        let mut met = None;
        for alternative in &self.alternatives {
            match evaluate_all(alternative, (report, shapes), &percent_of)? {
                Verdict::Met(found) => met = met.or(Some(found)),
                Verdict::Unknown(field) => unknown = unknown.or(Some(field)),
                Verdict::NotMet => {}
            }
        }
        let undecided = unknown.map_or(Verdict::NotMet, Verdict::Unknown);
        Ok(met.map_or(undecided, Verdict::Met))
    }
}

/// `a>=1` and `a >= 1` are the same.
fn space_operators(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len() + 8);
    let mut previous = ' ';
    for c in text.chars() {
        let operator = |c: char| matches!(c, '<' | '>' | '=');
        if operator(c) != operator(previous) {
            spaced.push(' ');
        }
        spaced.push(c);
        previous = c;
    }
    spaced
}

fn parse_comparison(words: &[&str]) -> Result<Comparison, String> {
    let [field, operator, value @ ..] = words else {
        return Err(format!(
            "'{}' is no comparison; write FIELD OP VALUE, as in totals.peak_bytes > 64MiB",
            words.join(" ")
        ));
    };
    let operator = parse_operator(operator)?;
    let text = value.join(" ");
    let (value, percent) = parse_value(&text)?;
    Ok(Comparison { field: (*field).to_owned(), operator, text, value, percent })
}

fn parse_operator(text: &str) -> Result<Operator, String> {
    Ok(match text {
        ">" => Operator::Greater,
        ">=" => Operator::GreaterEqual,
        "<" => Operator::Less,
        "<=" => Operator::LessEqual,
        "==" => Operator::Equal,
        _ => {
            return Err(format!("'{text}' is no comparison; write one of > >= < <= =="));
        }
    })
}

fn parse_value(text: &str) -> Result<(f64, bool), String> {
    let explain = || {
        format!(
            "'{text}' is no value; write a number, with B, K, M, G, KiB … GB or % if it has a unit"
        )
    };
    let (number, unit) = split_unit(text);
    let number: f64 = number.parse().map_err(|_| explain())?;
    if unit == "%" {
        return Ok((number, true));
    }
    let factor = unit_bytes(unit).ok_or_else(explain)?;
    Ok((number * factor, false))
}

fn evaluate_all(
    comparisons: &[Comparison],
    over: (&Value, &Value),
    percent_of: &impl Fn(&str) -> Option<f64>,
) -> Result<Verdict, String> {
    let mut found = Vec::new();
    let mut unknown = None;
    let mut failed = false;
    for comparison in comparisons {
        match comparison.holds(over, percent_of)? {
            Verdict::Met(text) => found.push(text),
            Verdict::NotMet => failed = true,
            Verdict::Unknown(field) => unknown = unknown.or(Some(field)),
        }
    }
    Ok(match unknown {
        _ if failed => Verdict::NotMet,
        Some(field) => Verdict::Unknown(field),
        None => Verdict::Met(found.join(", ")),
    })
}

impl Comparison {
    fn holds(
        &self,
        over: (&Value, &Value),
        percent_of: &impl Fn(&str) -> Option<f64>,
    ) -> Result<Verdict, String> {
        let actual = match look_up(over, &self.field)? {
            Found::Number(actual) => actual,
            Found::Null => return Ok(Verdict::Unknown(self.field.clone())),
            Found::Nothing => return Ok(Verdict::NotMet),
        };
        let limit = self.limit(percent_of)?;
        let holds = match self.operator {
            Operator::Greater => actual > limit,
            Operator::GreaterEqual => actual >= limit,
            Operator::Less => actual < limit,
            Operator::LessEqual => actual <= limit,
            Operator::Equal => actual == limit,
        };
        Ok(match holds {
            true => Verdict::Met(format!("{} is {actual}", self.field)),
            false => Verdict::NotMet,
        })
    }

    fn limit(&self, percent_of: &impl Fn(&str) -> Option<f64>) -> Result<f64, String> {
        if !self.percent {
            return Ok(self.value);
        }
        let whole = percent_of(&self.field).ok_or_else(|| {
            format!(
                "{} has nothing here that {} could be a percentage of; write a number",
                self.field, self.text
            )
        })?;
        Ok(whole * self.value / 100.0)
    }
}

/// What is at a path.
enum Found {
    Number(f64),
    /// It is, or would be within, a null.
    Null,
    /// It would be in an element that a list does not have.
    Nothing,
}

/// What is at `path` of a report. Beyond the end of a list, an element there, or an example of
/// one, tells whether the path could lead anywhere at all.
fn look_up((report, shapes): (&Value, &Value), path: &str) -> Result<Found, String> {
    let (mut at, mut is_there) = (report, true);
    let mut shape = None;
    for part in path.split('.') {
        at = match step(at, part) {
            _ if at.is_null() => return Ok(Found::Null),
            Some(next) => next,
            None => {
                is_there = false;
                other_element(at, part, shape).ok_or_else(|| no_such_field(at, path, part))?
            }
        };
        shape = shapes.get(part);
    }
    match at {
        Value::Null | Value::Number(_) if !is_there => Ok(Found::Nothing),
        Value::Null => Ok(Found::Null),
        Value::Number(number) => Ok(number.as_f64().map_or(Found::Null, Found::Number)),
        _ => Err(format!("the field '{path}' is no number{}", fields_of(at))),
    }
}

/// What stands for an element that a list does not have.
fn other_element<'a>(at: &'a Value, part: &str, shape: Option<&'a Value>) -> Option<&'a Value> {
    part.parse::<usize>().ok()?;
    at.as_array()?.first().or(shape)
}

fn step<'a>(at: &'a Value, part: &str) -> Option<&'a Value> {
    match at {
        Value::Object(fields) => fields.get(part),
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        _ => None,
    }
}

fn no_such_field(at: &Value, path: &str, part: &str) -> String {
    format!("there is no field '{path}': no '{part}'{}", fields_of(at))
}

fn fields_of(at: &Value) -> String {
    match at {
        Value::Object(fields) => {
            let names: Vec<&str> = fields.keys().map(String::as_str).collect();
            let are = agree(names.len() as u64, "is", "are");
            format!("; there {are} {}", names.join(", "))
        }
        Value::Array(items) => format!(" in a list of {}", items.len()),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decide(text: &str) -> Result<Verdict, String> {
        let report = json!({
            "totals": {"peak_bytes": 70 << 20, "frees": 0, "peak_at_s": null},
            "untracked": {"net_bytes": -5000, "census": null},
            "size_classes": [{"min": 1}],
            "groups": [],
            "target": {"command": ["x"]},
        });
        let shapes = json!({"groups": {"bytes": 0, "blocks": null}});
        Expression::parse(text)?.evaluate(&report, &shapes, |_| None)
    }

    fn is_met(text: &str) -> bool {
        matches!(decide(text), Ok(Verdict::Met(_)))
    }

    #[test]
    fn comparisons_and_units() {
        for met in [
            "totals.peak_bytes > 64MiB",
            "totals.peak_bytes>64M",
            "totals.peak_bytes >= 70 MiB",
            "totals.peak_bytes == 71680 K",
            "totals.peak_bytes < 74 MB",
            "totals.peak_bytes <= 1G",
            "totals.frees == 0",
            "untracked.net_bytes < -4KB",
            "size_classes.0.min == 1 B",
        ] {
            assert!(is_met(met), "{met}: {:?}", decide(met));
        }
        assert_eq!(decide("totals.peak_bytes < 64MiB"), Ok(Verdict::NotMet));
    }

    #[test]
    fn and_binds_closer_than_or() {
        assert!(is_met("totals.frees == 0 or totals.frees == 1 and totals.frees == 2"));
        assert!(is_met("totals.frees == 1 and totals.frees == 2 or totals.frees == 0"));
        assert!(!is_met("totals.frees == 0 and totals.frees == 1"));
    }

    #[test]
    fn unknown_is_neither_met_nor_kept() {
        let unknown = Ok(Verdict::Unknown("totals.peak_at_s".to_owned()));
        assert_eq!(decide("totals.peak_at_s > 1"), unknown);
        assert_eq!(decide("totals.peak_at_s > 1 and totals.frees == 0"), unknown);
        assert_eq!(decide("totals.peak_at_s > 1 and totals.frees > 0"), Ok(Verdict::NotMet));
        assert!(is_met("totals.peak_at_s > 1 or totals.frees == 0"));
        assert!(matches!(decide("untracked.census.bytes > 1"), Ok(Verdict::Unknown(_))));
    }

    #[test]
    fn a_met_condition_says_what_was_found() {
        assert_eq!(
            decide("totals.peak_bytes > 1 and totals.frees == 0"),
            Ok(Verdict::Met("totals.peak_bytes is 73400320, totals.frees is 0".to_owned()))
        );
    }

    #[test]
    fn mistakes_are_named() {
        let message = |text| decide(text).expect_err(text);
        assert!(message("totals.peek_bytes > 1").contains("no 'peek_bytes'; there are "));
        assert!(message("totals > 1").contains("no number"));
        assert!(message("target.command > 1").contains("no number"));
        assert!(message("totals.frees").contains("FIELD OP VALUE"));
        assert!(message("").contains("FIELD OP VALUE"));
        assert!(message("totals.frees = 1").contains("> >= < <= =="));
        assert!(message("totals.frees > 1 apple").contains("no value"));
        assert!(message("totals.frees > 1 and").contains("FIELD OP VALUE"));
        assert!(message("totals.frees > 5 %").contains("percentage"));
    }

    #[test]
    fn what_a_list_does_not_have_meets_nothing_unless_it_never_could() {
        for absent in ["groups.0.bytes > 1", "groups.0.blocks < 1", "size_classes.7.min == 0"] {
            assert_eq!(decide(absent), Ok(Verdict::NotMet), "{absent}");
        }
        assert!(is_met("groups.0.bytes > 1 or totals.frees == 0"));
        for never in ["groups.0.bites > 1", "groups.first.bytes > 1", "size_classes.7.mix > 1"] {
            assert!(decide(never).is_err_and(|why| why.contains("there is no field")), "{never}");
        }
    }

    #[test]
    fn percentages_are_of_what_the_caller_says() {
        let grown = json!({"totals": {"bytes_delta": 11}});
        let condition = Expression::parse("totals.bytes_delta > 10 %").expect("a condition");
        let verdict = condition.evaluate(&grown, &json!({}), |_| Some(100.0));
        assert!(matches!(verdict, Ok(Verdict::Met(_))));
    }
}
