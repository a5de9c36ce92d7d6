//! A strict reader of OpenMetrics text, written from its specification (1.0.0), not from our writer.

use std::collections::{BTreeMap, BTreeSet};

/// Families by name, with their samples.
#[derive(Debug, Default)]
pub(crate) struct Families(BTreeMap<String, Family>);

#[derive(Debug, Default)]
struct Family {
    kind: String,
    /// Suffix, labels, value.
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

impl Families {
    /// The value of a sample with exactly these labels.
    pub(crate) fn value(&self, sample: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels: BTreeMap<String, String> =
            labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.0.iter().find_map(|(name, family)| {
            let suffix = sample.strip_prefix(name.as_str())?;
            let found = family.samples.iter().find(|(at, of, _)| at == suffix && *of == labels);
            found.map(|(_, _, value)| *value)
        })
    }

    /// The names of all families.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.0.keys().cloned().collect()
    }

    /// The names of all samples that there are or may be.
    pub(crate) fn sample_names(&self) -> BTreeSet<String> {
        let names = self
            .0
            .iter()
            .flat_map(|(name, family)| suffixes(&family.kind).iter().map(move |suffix| format!("{name}{suffix}")));
        names.collect()
    }
}

fn suffixes(kind: &str) -> &'static [&'static str] {
    match kind {
        "counter" => &["_total"],
        "gauge" => &[""],
        "histogram" => &["_bucket", "_sum", "_count"],
        "info" => &["_info"],
        _ => &[],
    }
}

/// Reads a whole exposition.
///
/// # Errors
/// The first line that breaks a rule, and the rule.
pub(crate) fn parse(text: &str) -> Result<Families, String> {
    let body = text.strip_suffix("# EOF\n").ok_or("it must end with `# EOF` and a line end")?;
    let mut families = Families::default();
    let mut name = String::new();
    for line in body.lines() {
        let broken = |rule: &str| format!("{rule}: {line}");
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (Some(word), Some(of), Some(rest)) = (words.next(), words.next(), words.next()) else {
                return Err(broken("metadata has three words"));
            };
            match word {
                "TYPE" => {
                    if suffixes(rest).is_empty() {
                        return Err(broken("unknown type"));
                    }
                    name = of.to_owned();
                    let family = Family { kind: rest.to_owned(), samples: Vec::new() };
                    if families.0.insert(name.clone(), family).is_some() {
                        return Err(broken("a family stands in one place"));
                    }
                }
                "UNIT" if of == name && name.ends_with(&format!("_{rest}")) => {}
                "HELP" if of == name => {}
                _ => return Err(broken("metadata of the family that began")),
            }
            continue;
        }
        let family = families.0.get_mut(&name).ok_or_else(|| broken("a sample before a family"))?;
        let (metric, value) = line.rsplit_once(' ').ok_or_else(|| broken("a sample has a value"))?;
        let (sample, labels) = match metric.split_once('{') {
            Some((sample, rest)) => {
                let rest = rest.strip_suffix('}').ok_or_else(|| broken("labels end with a brace"))?;
                (sample, parse_labels(rest).ok_or_else(|| broken("labels"))?)
            }
            None => (metric, BTreeMap::new()),
        };
        let suffix = sample.strip_prefix(name.as_str()).ok_or_else(|| broken("a sample of another family"))?;
        if !suffixes(&family.kind).contains(&suffix) {
            return Err(broken("the suffix does not suit the type"));
        }
        let value: f64 = value.parse().map_err(|_| broken("a value is a number"))?;
        if value < 0.0 && family.kind != "gauge" {
            return Err(broken("a count is not negative"));
        }
        if family.samples.iter().any(|(at, of, _)| at == suffix && *of == labels) {
            return Err(broken("a sample stands there once"));
        }
        family.samples.push((suffix.to_owned(), labels, value));
    }
    families
        .0
        .iter()
        .filter(|(_, family)| family.kind == "histogram")
        .try_for_each(|(name, family)| check_histogram(family).map_err(|rule| format!("{rule}: {name}")))?;
    Ok(families)
}

/// `a="b",c="d"`, with `\\`, `\"` and `\n` in the texts.
fn parse_labels(text: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    c @ ('\\' | '"') => c,
                    _ => return None,
                }),
                (_, c) => value.push(c),
            }
        };
        labels.insert(name.to_owned(), value).is_none().then_some(())?;
        match &after[end + 1..] {
            "" => return Some(labels),
            more => rest = more.strip_prefix(',')?,
        }
    }
}

fn check_histogram(family: &Family) -> Result<(), &'static str> {
    let of = |suffix: &str| family.samples.iter().filter(move |(at, ..)| at == suffix).collect::<Vec<_>>();
    let mut last = (f64::NEG_INFINITY, 0.0);
    for (_, labels, n) in of("_bucket") {
        let bound: f64 = labels.get("le").and_then(|bound| bound.parse().ok()).ok_or("a bucket has a bound")?;
        if bound <= last.0 || *n < last.1 {
            return Err("bounds and counts of buckets ascend");
        }
        last = (bound, *n);
    }
    match of("_count").as_slice() {
        [(_, _, n)] if last == (f64::INFINITY, *n) => Ok(()),
        _ => Err("the last bucket has no bound and holds as many as there are"),
    }
}

#[test]
fn the_reader_finds_what_is_wrong() {
    for (text, rule) in [
        ("# TYPE a counter\na_total 1\n", "it must end"),
        ("# TYPE a counter\na 1\n# EOF\n", "the suffix"),
        ("# TYPE a counter\nb_total 1\n# EOF\n", "a sample of another"),
        ("# TYPE a_seconds gauge\n# UNIT a_seconds meters\n# EOF\n", "metadata"),
        ("# TYPE a counter\na_total{x=\"1\"} 1\na_total{x=\"1\"} 2\n# EOF\n", "a sample stands"),
        ("# TYPE a counter\na_total{x=\"\\q\"} 1\n# EOF\n", "labels"),
        ("# TYPE a histogram\na_bucket{le=\"1.0\"} 3\na_bucket{le=\"+Inf\"} 2\na_count 2\na_sum 1\n# EOF\n", "bounds"),
        ("# TYPE a histogram\na_bucket{le=\"+Inf\"} 2\na_count 3\na_sum 1\n# EOF\n", "the last bucket"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with(rule), "{error}");
    }
    let good = parse("# TYPE a counter\na_total{x=\"1,\\\"}\\\\ \"} 1\n# EOF\n").unwrap();
    assert_eq!(good.value("a_total", &[("x", "1,\"}\\ ")]), Some(1.0));
}
