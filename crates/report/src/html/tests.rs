use super::*;
use crate::content::{Axis, Bins, Chart, RowChart, RowMark};

/// A name that would be markup, break a line, and is long.
const HOSTILE: &str = "</svg><script>alert(\"1\")</script>&\n'";

fn page() -> Page {
    let mut section = Section::new("model", HOSTILE);
    section.text(HOSTILE);
    section.blocks.push(Block::Highlights(vec![Highlight {
        name: HOSTILE.to_owned(),
        value: Cell::Exact(0.741_723_573_653_897),
        note: HOSTILE.to_owned(),
    }]));
    let bins = Bins { from: 0.0, to: 1.0, counts: vec![3, 0, 1] };
    let mut table = Table::new([Column::text(HOSTILE), Column::number("n")]);
    table.caption = HOSTILE.to_owned();
    table.rows.push(Row::new([Cell::Code(HOSTILE.to_owned()), Cell::Bins(bins)]).marked(true));
    section.table(table);
    let row = RowMark { name: HOSTILE.to_owned(), value: 1.0, spread: None, is_marked: true };
    let chart = RowChart { axis: Axis::new(HOSTILE), row_label: HOSTILE.to_owned(), is_bars: true, rows: vec![row] };
    section.figure("bars", HOSTILE, HOSTILE, Chart::Rows(chart));
    Page { title: HOSTILE.to_owned(), subtitle: HOSTILE.to_owned(), sections: vec![section.clone(), section] }
}

/// The tags that are open at the end, and those that end without having begun.
fn unbalanced(html: &str) -> Vec<String> {
    let (mut open, mut wrong) = (Vec::new(), Vec::new());
    for piece in html.split('<').skip(1) {
        let tag = piece.split('>').next().unwrap();
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('!') || tag.ends_with('/') || ["meta", "wbr"].contains(&name) {
            continue;
        }
        match tag.starts_with('/') {
            false => open.push(name.to_owned()),
            true if open.last().is_some_and(|last| last == name) => drop(open.pop()),
            true => wrong.push(tag.to_owned()),
        }
    }
    open.extend(wrong);
    open
}

#[test]
fn names_of_users_never_become_markup() {
    let html = to_html(&page());
    assert!(!html.contains("<script") && !html.contains("alert(\""), "{html}");
    assert!(html.contains("&lt;script&gt;"));
    assert_eq!(unbalanced(&html), [""; 0]);
}

#[test]
fn a_page_asks_for_nothing_from_outside() {
    let html = to_html(&page());
    for word in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!html.contains(word), "{word}");
    }
}

#[test]
fn the_same_page_is_the_same_bytes() {
    assert_eq!(to_html(&page()), to_html(&page()));
}

#[test]
fn a_metric_keeps_all_its_digits() {
    assert!(to_html(&page()).contains(">0.741723573653897 "));
}
