//! `cargo xtask bench [PART…] [--rounds N]`: our numbers beside those of others, measured in one run, equal outputs checked first.
//!
//! Each round runs all programs once, beginning with another one each time, so that a change of the machine's speed
//! meets all of them. A ratio is taken within a round; what is told is the median of the rounds, and the smallest and
//! largest. Every part that was measured takes the place of its section in docs/benchmarks.md.

mod cassandra;
mod csv;
mod fit;
mod grid;
mod hdfs;
mod instances;
mod kafka;
mod linear;
mod live;
mod loans;
mod loss;
mod page;
mod peers;
mod report;
mod rounds;
mod row;
mod score;
mod search;
mod staying;
mod stream;
mod tree;

use page::{Page, Section, Stamp};

/// One row of a table.
struct Row {
    what: String,
    ours: String,
    theirs: String,
    ratio: String,
    goal: String,
}

impl Row {
    /// A row that nobody stands beside.
    fn of_ours(what: &str, ours: String) -> Row {
        Row { what: what.to_owned(), ours, theirs: "–".to_owned(), ratio: "–".to_owned(), goal: String::new() }
    }
}

/// One benchmark: a section of the page.
struct Part {
    /// What a developer types.
    name: &'static str,
    /// What the section is called.
    title: &'static str,
    /// What is compared, and how.
    how: &'static str,
    /// Its rows, from so many rounds.
    measure: fn(usize) -> Result<Vec<Row>, String>,
}

/// In the order of the page.
const ALL: &[Part] = &[
    csv::PART,
    loss::PART,
    row::PART,
    linear::PART,
    tree::PART,
    fit::PART,
    grid::PART,
    search::PART,
    report::PART,
    score::PART,
    stream::PART,
    kafka::PART,
    instances::PART,
    cassandra::PART,
    hdfs::PART,
];

const DEFAULT_ROUNDS: usize = 5;

/// Measures what is asked for, or everything, and writes it to docs/benchmarks.md.
///
/// # Errors
/// When a program cannot be built or run, or when the outputs are not equal.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let (wanted, n_rounds) = parse(arguments)?;
    let mut page = Page::read()?;
    for part in wanted {
        println!("== {}", part.name);
        let stamp = Stamp::now(n_rounds)?;
        let section = Section::new(part, &stamp, &(part.measure)(n_rounds)?);
        println!("\n{}", section.text);
        // One by one, so that a part that fails costs only itself.
        page.put(section);
        page.write()?;
    }
    Ok(())
}

fn parse(arguments: &[String]) -> Result<(Vec<&'static Part>, usize), String> {
    let mut n_rounds = DEFAULT_ROUNDS;
    let mut wanted = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match (word.as_str(), ALL.iter().find(|part| part.name == word)) {
            ("--rounds", _) => n_rounds = words.next().and_then(|n| n.parse().ok()).ok_or("--rounds wants a number")?,
            (_, Some(part)) => wanted.push(part),
            (other, None) => {
                let known: Vec<&str> = ALL.iter().map(|part| part.name).collect();
                return Err(format!("unknown benchmark: {other}; there are {}", known.join(", ")));
            }
        }
    }
    Ok((if wanted.is_empty() { ALL.iter().collect() } else { wanted }, n_rounds))
}
