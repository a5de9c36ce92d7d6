//! The page for people: one file, no script, nothing from elsewhere; it asks for itself again every few seconds.

use std::fmt::Write as _;

use ognivo_report::html::escape;

use super::status::{State, Status, duration_words, rate_words};
use crate::print::thousands;

const STYLE: &str = include_str!("page.css");

/// Seconds between two looks.
const REFRESH_S: u32 = 2;

/// The page of a stream at this moment.
pub(super) fn html(status: &Status) -> String {
    let (name, state) = (escape(&status.name), status.state.as_str());
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta http-equiv=\"refresh\" content=\"{REFRESH_S}\">\n\
         <title>{name}: {state}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{name}</h1>\n\
         <span class=\"state {state}\">{state}</span>\n<span class=\"soft\">for {}</span>\n</header>\n",
        duration_words(status.uptime_ms)
    );
    what_it_waits_for(&mut out, status);
    numbers(&mut out, status);
    rows_by_second(&mut out, status);
    last_batches(&mut out, status);
    dead_letters(&mut out, status);
    lag(&mut out, status);
    warnings(&mut out, status);
    what_runs(&mut out, status);
    let _ = writeln!(
        out,
        "<p class=\"soft\">ognivo {}, {}; anew every {REFRESH_S} s. <a href=\"progress\">progress</a> \
         <a href=\"metrics\">metrics</a> <a href=\"status\">this page as JSON</a></p>\n</body>\n</html>",
        escape(&status.version),
        escape(&status.now)
    );
    out
}

fn what_it_waits_for(out: &mut String, status: &Status) {
    let words = match (status.state, &status.reason, status.open_batch) {
        (State::Waiting, Some(reason), _) => {
            let _ = writeln!(out, "<p class=\"reason\">{}</p>", escape(reason));
            return;
        }
        (State::Starting, ..) => "Source and sink are being opened.".to_owned(),
        (State::Stopping, ..) => "It was asked to end; the open batch is being finished.".to_owned(),
        (_, _, Some(batch)) => {
            format!("Works on batch {} since {}.", batch.batch_id, duration_words(batch.since_ms))
        }
        (_, _, None) => "Waits for rows.".to_owned(),
    };
    let _ = writeln!(out, "<p class=\"soft\">{words}</p>");
}

fn numbers(out: &mut String, status: &Status) {
    let Status { rows, rates, batches, .. } = status;
    out.push_str("<div class=\"numbers\">\n");
    number(
        out,
        "rows a second",
        &rate_words(rates.ten_seconds),
        &format!("{} over a minute", rate_words(rates.minute)),
    );
    number(out, "rows read", &thousands(rows.read), "= written + skipped + dead letters");
    number(out, "written", &thousands(rows.written), "");
    number(out, "skipped", &thousands(rows.skipped), "left out by a rule");
    number(out, "dead letters", &thousands(rows.dead_letters), "");
    let age = status.checkpoint_age_ms.map_or_else(|| "none yet".to_owned(), duration_words);
    number(
        out,
        "since the last commit",
        &age,
        &format!("{} batches, {} replayed", thousands(batches.committed), batches.replayed),
    );
    if let Some(lag) = &status.lag {
        let note = match lag.n_partitions {
            0 => String::new(),
            n => format!("in {n} partition{}", if n == 1 { "" } else { "s" }),
        };
        number(out, &format!("{} behind", lag.unit), &thousands(lag.total), &note);
    }
    if let Some(latency) = &status.latency_ms {
        let note = format!("99 % within {}, of the last batch", duration_words(latency.p99));
        number(out, "record to commit", &duration_words(latency.p50), &note);
    }
    if batches.failures > 0 {
        number(out, "failures", &thousands(batches.failures), "each met with another attempt");
    }
    out.push_str("</div>\n");
}

fn number(out: &mut String, name: &str, number: &str, note: &str) {
    let _ = writeln!(
        out,
        "<div><span class=\"name\">{}</span><span class=\"number\">{}</span><span class=\"note\">{}</span></div>",
        escape(name),
        escape(number),
        escape(note)
    );
}

/// A bar for each second of the last minute.
fn rows_by_second(out: &mut String, status: &Status) {
    let seconds = &status.rates.by_second;
    let most = seconds.iter().copied().max().unwrap_or(0);
    if most == 0 {
        return;
    }
    let _ = writeln!(
        out,
        "<h2>Rows read, by second</h2>\n<svg viewBox=\"0 0 {} 100\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"rows read in each second of the last minute, at most {most}\">",
        seconds.len() * 10
    );
    for (i, n) in seconds.iter().enumerate().filter(|(_, n)| **n > 0) {
        let height = 92.0 * *n as f64 / most as f64;
        let _ =
            write!(out, "<rect x=\"{}\" y=\"{:.2}\" width=\"8\" height=\"{height:.2}\"/>", i * 10 + 1, 100.0 - height);
    }
    let _ = writeln!(
        out,
        "\n</svg>\n<p class=\"soft\">The last minute, now at the right; the highest bar is {} rows.</p>",
        thousands(most)
    );
}

fn last_batches(out: &mut String, status: &Status) {
    if status.last_batches.is_empty() {
        return;
    }
    out.push_str("<h2>Last batches</h2>\n<div class=\"table\"><table>\n");
    let counts = ["batch", "read", "written", "skipped", "dead", "took"].map(|name| (name, true));
    head(out, &[counts.as_slice(), &[("UTC", false)]].concat());
    for batch in &status.last_batches {
        let rows = &batch.rows;
        let replayed = if batch.replayed { " replayed" } else { "" };
        let _ = writeln!(
            out,
            "<tr><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}{replayed}</td></tr>",
            batch.batch_id,
            thousands(rows.read),
            thousands(rows.written),
            thousands(rows.skipped),
            thousands(rows.dead_letters),
            duration_words(batch.duration_ms),
            escape(time_of_day(&batch.timestamp))
        );
    }
    out.push_str("</table></div>\n");
}

/// `14:47:54` of `2026-11-28T14:47:54.801Z`.
fn time_of_day(timestamp: &str) -> &str {
    timestamp.get(11..19).unwrap_or(timestamp)
}

fn dead_letters(out: &mut String, status: &Status) {
    if status.dead_letters.is_empty() {
        return;
    }
    out.push_str("<h2>Dead letters by reason</h2>\n<div class=\"table\"><table>\n");
    head(out, &[("rows", true), ("code", false), ("stage", false)]);
    for letter in &status.dead_letters {
        let _ = writeln!(
            out,
            "<tr><td class=\"n\">{}</td><td>{}</td><td class=\"long\">{}</td></tr>",
            thousands(letter.rows),
            escape(&letter.code),
            escape(letter.stage.as_deref().unwrap_or("no stage"))
        );
    }
    out.push_str("</table></div>\n");
}

fn lag(out: &mut String, status: &Status) {
    let Some(lag) = status.lag.as_ref().filter(|lag| !lag.partitions.is_empty()) else { return };
    out.push_str("<h2>Records behind, by partition</h2>\n<div class=\"table\"><table>\n");
    head(out, &[("records", true), ("partition", false)]);
    for (partition, n) in &lag.partitions {
        let _ = writeln!(out, "<tr><td class=\"n\">{}</td><td>{}</td></tr>", thousands(*n), escape(partition));
    }
    out.push_str("</table></div>\n");
    if lag.n_partitions > lag.partitions.len() {
        let _ = writeln!(out, "<p class=\"soft\">The furthest behind of {} partitions.</p>", lag.n_partitions);
    }
}

fn warnings(out: &mut String, status: &Status) {
    if status.warnings.is_empty() {
        return;
    }
    out.push_str("<h2>Warnings</h2>\n");
    for warning in &status.warnings {
        let _ = writeln!(out, "<p>{}</p>", escape(warning));
    }
}

fn what_runs(out: &mut String, status: &Status) {
    out.push_str("<h2>What runs</h2>\n<dl>\n");
    let mut fact = |name: &str, text: &str| {
        let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escape(text));
    };
    if let Some(query) = &status.query {
        fact("source", &query.source);
        fact("sink", &query.sink);
        fact("model", &query.model);
        fact("query", &query.id);
        fact("run", &query.run_id);
    }
    fact("started", &status.started);
    out.push_str("</dl>\n");
}

/// The names of columns, and which of them hold numbers.
fn head(out: &mut String, columns: &[(&str, bool)]) {
    out.push_str("<tr>");
    for (name, is_number) in columns {
        let class = if *is_number { " class=\"n\"" } else { "" };
        let _ = write!(out, "<th{class}>{name}</th>");
    }
    out.push_str("</tr>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operate::observed::Observed;

    #[test]
    fn words_of_others_are_text_and_not_markup() {
        let mut observed = Observed::new("<b>loans</b>", 0);
        let warning = ognivo_stream::query::QueryEvent::Warning("<script>alert(1)</script>");
        observed.note(&warning, 1);
        let page = html(&Status::of(&observed, 0, 2_000));
        assert!(page.contains("<h1>&lt;b&gt;loans&lt;/b&gt;</h1>"), "{page}");
        assert!(page.contains("<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"), "{page}");
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("Source and sink are being opened."), "{page}");
    }
}
