//! SVG as text, one call per shape.

use std::fmt::Write as _;

use crate::html::escape;

/// Where a text stands in respect of its point.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture that grows by shapes, each with a class that the page's style knows.
pub(super) struct Canvas {
    width: f64,
    height: f64,
    body: String,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64) -> Canvas {
        Canvas { width, height, body: String::new() }
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let (x1, y1, x2, y2) = (px(from.0), px(from.1), px(to.0), px(to.1));
        self.push(format_args!(r#"<line class="{class}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>"#));
    }

    /// A rectangle; `title` is what a pointer over it shows.
    pub(super) fn rect(&mut self, class: &str, corner: (f64, f64), size: (f64, f64), title: &str) {
        let (x, y, width, height) = (px(corner.0), px(corner.1), px(size.0.max(0.0)), px(size.1.max(0.0)));
        let shape = format!(r#"rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}""#);
        self.titled(&shape, "rect", title);
    }

    /// A rectangle that is more or less filled, `share` between 0 and 1.
    pub(super) fn shade(&mut self, class: &str, corner: (f64, f64), size: (f64, f64), share: f64, title: &str) {
        let (x, y, width, height) = (px(corner.0), px(corner.1), px(size.0), px(size.1));
        let shape = format!(
            r#"rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}" fill-opacity="{share:.2}""#
        );
        self.titled(&shape, "rect", title);
    }

    pub(super) fn circle(&mut self, class: &str, centre: (f64, f64), radius: f64, title: &str) {
        let shape = format!(r#"circle class="{class}" cx="{}" cy="{}" r="{}""#, px(centre.0), px(centre.1), px(radius));
        self.titled(&shape, "circle", title);
    }

    /// A line through the points; one point alone gives a dot.
    pub(super) fn path(&mut self, class: &str, points: &[(f64, f64)]) {
        if let [point] = points {
            return self.circle(&class.replace("line", "dot"), *point, 3.0, "");
        }
        let mut path = String::new();
        for (i, (x, y)) in points.iter().enumerate() {
            let _infallible = write!(path, "{}{} {}", if i == 0 { "M" } else { "L" }, px(*x), px(*y));
        }
        self.push(format_args!(r#"<path class="{class}" d="{path}"/>"#));
    }

    pub(super) fn text(&mut self, class: &str, x: f64, y: f64, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (x, y, text) = (px(x), px(y), escape(text));
        self.push(format_args!(r#"<text class="{class}" x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>"#));
    }

    /// A name that may be too long for its place: the whole one is what a pointer over it shows.
    pub(super) fn name(&mut self, class: &str, x: f64, y: f64, anchor: Anchor, name: &str, width: f64) {
        let shown = fitted(name, width);
        self.text(class, x, y, anchor, &shown);
        if shown != name {
            let title = format!("<title>{}</title></text>", escape(name));
            self.body.truncate(self.body.len() - "</text>".len());
            self.body.push_str(&title);
        }
    }

    /// A text that reads upwards, in the middle of its place.
    pub(super) fn upright_text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        let (x, y, text) = (px(x), px(y), escape(text));
        self.push(format_args!(
            r#"<text class="{class}" x="{x}" y="{y}" text-anchor="middle" transform="rotate(-90 {x} {y})">{text}</text>"#
        ));
    }

    /// The whole picture; `name` is what somebody hears who does not see it.
    pub(super) fn finish(self, name: &str) -> String {
        let (width, height) = (px(self.width), px(self.height));
        format!(r#"<svg role="img" aria-label="{}" viewBox="0 0 {width} {height}">{}</svg>"#, escape(name), self.body)
    }

    fn titled(&mut self, shape: &str, tag: &str, title: &str) {
        match title {
            "" => self.push(format_args!("<{shape}/>")),
            title => self.push(format_args!("<{shape}><title>{}</title></{tag}>", escape(title))),
        }
    }

    fn push(&mut self, shape: std::fmt::Arguments<'_>) {
        let _infallible = self.body.write_fmt(shape);
    }
}

/// A length with one digit after the point.
fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Width of a character of our size, on the broad side: no font is known here.
const CHAR_PX: f64 = 6.7;

/// How wide `text` will be, at most, nearly.
pub(super) fn text_px(text: &str) -> f64 {
    text.chars().map(|c| if is_wide(c) { 2.0 * CHAR_PX } else { CHAR_PX }).sum()
}

/// `text` cut in its middle so that it is about `width` wide.
pub(super) fn fitted(text: &str, width: f64) -> String {
    let per_char = text_px(text) / text.chars().count().max(1) as f64;
    // A place that was measured by the text itself is wide enough.
    let n_chars = (width / per_char.max(CHAR_PX) + 0.01).floor().max(3.0) as usize;
    crate::html::shortened(text, n_chars)
}

/// Characters of Chinese, Japanese and Korean, and pictures.
fn is_wide(c: char) -> bool {
    matches!(u32::from(c), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0x1f300..=0x1faff | 0x20000..=0x3fffd)
}
