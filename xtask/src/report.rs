//! `cargo xtask report`: reports as a browser shows them.
//!
//! 1. the demo is trained, and the gallery of `crates/report/examples` written: every section and chart, wide and odd ones too;
//! 2. Chromium opens each page, as wide as a desk's screen and as a telephone's, light and dark, and once prints it;
//! 3. `report/look.js` measures what is there: how many pixels the marks of each chart paint, whether letters are large enough to
//!    read, whether texts lie over each other or are cut;
//! 4. the first fault ends it. Pictures of every page stay in the cache folder, to be looked at.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache;
use crate::json::{self, Json};
use crate::program::{self, cargo, output};

/// What a browser may be called.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Pages, and the fewest charts that each must show.
const PAGES: [(&str, usize); 4] = [("demo", 9), ("gallery", 20), ("wide", 8), ("odd", 12)];

/// Widths of windows, in CSS pixels, with a height that holds a whole page.
const WINDOWS: [(u32, u32); 2] = [(1280, 9000), (390, 24_000)];

/// Light and dark, with Chromium's number of it.
const SCHEMES: [(&str, &str); 2] = [("light", "1"), ("dark", "0")];

/// Fewer pixels than these are no chart: a dot has 28.
const MIN_PAINTED: f64 = 20.0;
/// Smaller letters cannot be read on a telephone.
const MIN_FONT_PX: f64 = 10.5;

/// Looks at every page.
///
/// # Errors
/// The first page with a fault, and its faults; a browser that is missing.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    if !arguments.is_empty() {
        return Err("usage: cargo xtask report".to_owned());
    }
    let browser = browser()?;
    let folder = cache::folder("report")?;
    write_pages(&folder)?;
    for (page, n_charts) in PAGES {
        let path = folder.join(page).with_extension("html");
        for (window, (scheme, number)) in WINDOWS.iter().flat_map(|window| SCHEMES.map(|scheme| (*window, scheme))) {
            let view = View { browser, page: &path, window, scheme: number };
            let seen = view.look()?;
            let faults = faults(&seen, page, n_charts, window.0, scheme == "dark");
            view.picture(&folder.join(format!("{page}-{}-{scheme}.png", window.0)))?;
            if !faults.is_empty() {
                return Err(format!("{page}.html, {} px wide, {scheme}:\n  {}", window.0, faults.join("\n  ")));
            }
        }
        print(browser, &path)?;
        println!(
            "{page}.html: charts are there, readable and whole, light and dark, {} and {} px wide; it prints",
            WINDOWS[0].0, WINDOWS[1].0
        );
    }
    check_the_look(browser, &folder)?;
    println!("pictures: {}", folder.display());
    Ok(())
}

/// What makes a page unreadable in every way that the look must notice.
const DAMAGE: &str =
    "<style>svg .mark { fill: none !important; stroke: none !important; } svg text { font-size: 30px !important; }
    body { background: #888 !important; min-width: 2000px; }</style>";

/// Damages a page and makes sure that its faults are seen: a check that cannot fail would tell nothing.
fn check_the_look(browser: &str, folder: &Path) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("cannot damage the gallery: {e}");
    let page = std::fs::read_to_string(folder.join("gallery.html")).map_err(failed)?;
    let damaged = folder.join("damaged.html");
    std::fs::write(&damaged, page + DAMAGE).map_err(failed)?;
    let window = WINDOWS[0];
    let seen = View { browser, page: &damaged, window, scheme: SCHEMES[1].1 }.look()?;
    let faults = faults(&seen, "damaged", 1, window.0, true).join("\n");
    for fault in ["paint 0 pixels", "over each other", "outside", "wider than the window", "light and dark"] {
        if !faults.contains(fault) {
            return Err(format!("a damaged page is not found out, no `{fault}` in:\n{faults}"));
        }
    }
    Ok(())
}

fn browser() -> Result<&'static str, String> {
    let answers = |name: &&str| {
        let mut command = Command::new(name);
        command
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    BROWSERS.into_iter().find(answers).ok_or_else(|| {
        format!("a browser is missing: none of {} is on PATH; on Debian: apt-get install chromium", BROWSERS.join(", "))
    })
}

/// The demo's report and the gallery, in `folder`.
fn write_pages(folder: &Path) -> Result<(), String> {
    // Of the packages that CI's tests are of, so that nothing is built twice.
    let build = ["build", "--quiet", "--workspace", "--exclude", "xtask", "--bin", "ognivo", "--example", "gallery"];
    program::run(cargo().args(build))?;
    let demo = folder.join("demo");
    if demo.exists() {
        std::fs::remove_dir_all(&demo).map_err(|e| format!("cannot remove {}: {e}", demo.display()))?;
    }
    let ognivo = program::built("debug", "ognivo");
    output(Command::new(&ognivo).arg("init").arg(&demo))?;
    output(Command::new(&ognivo).arg("train").arg(demo.join("loans.yaml")))?;
    std::fs::copy(demo.join("reports/loans.html"), folder.join("demo.html")).map_err(|e| format!("no report: {e}"))?;
    program::run(Command::new(program::built("debug", "examples/gallery")).arg(folder))
}

/// A page in a window.
struct View<'a> {
    browser: &'a str,
    page: &'a Path,
    window: (u32, u32),
    scheme: &'a str,
}

impl View<'_> {
    fn command(&self) -> Command {
        let mut command = headless(self.browser);
        command
            .arg(format!("--window-size={},{}", self.window.0, self.window.1))
            .arg(format!("--blink-settings=preferredColorScheme={}", self.scheme));
        command
    }

    /// What `look.js` sees.
    fn look(&self) -> Result<Json, String> {
        let failed = |e: std::io::Error| format!("{}: {e}", self.page.display());
        let page = std::fs::read_to_string(self.page).map_err(failed)?;
        let (copy, frame) = (self.page.with_extension("look.html"), self.page.with_extension("frame.html"));
        std::fs::write(&copy, format!("{page}<script>{}</script>\n", include_str!("report/look.js")))
            .map_err(failed)?;
        std::fs::write(&frame, framed(&address(&copy)?, self.window)).map_err(failed)?;
        let mut command = self.command();
        command.args(["--virtual-time-budget=60000", "--dump-dom"]).arg(address(&frame)?);
        let dom = told(&mut command)?;
        let seen = dom.split("<pre id=\"seen\">").nth(1).and_then(|rest| rest.split("</pre>").next());
        let seen = seen.ok_or_else(|| format!("{}: the browser told nothing:\n{dom}", self.page.display()))?;
        json::parse(&unescaped(seen))
    }

    fn picture(&self, target: &Path) -> Result<(), String> {
        let mut command = self.command();
        command.arg("--hide-scrollbars").arg(format!("--screenshot={}", target.display())).arg(address(self.page)?);
        told(&mut command).map(drop)
    }
}

/// A page that shows another one in a window of this size, smaller ones than Chromium has too, and writes down what it tells.
fn framed(address: &str, (width, height): (u32, u32)) -> String {
    format!(
        "<!doctype html><iframe src=\"{address}\" style=\"border: 0; width: {width}px; height: {height}px\"></iframe>
<script>
addEventListener(\"message\", (message) => {{
  const place = document.createElement(\"pre\");
  place.id = \"seen\";
  place.textContent = message.data;
  document.body.append(place);
}});
</script>
"
    )
}

/// What the browser writes to stdout. To stderr it writes much that is of no interest while all goes well.
fn told(command: &mut Command) -> Result<String, String> {
    let output = command.stderr(Stdio::piped()).output().map_err(|e| format!("cannot start the browser: {e}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("the browser: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr))),
    }
}

fn headless(browser: &str) -> Command {
    let mut command = Command::new(browser);
    // Without a sandbox, since CI is root in a container, where there can be none; the pages are our own.
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--force-device-scale-factor=1", "--log-level=3"]);
    command
}

fn address(path: &Path) -> Result<String, String> {
    let path: PathBuf = path.canonicalize().map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(format!("file://{}", path.display()))
}

/// Prints the page to a file, which must have pages.
fn print(browser: &str, page: &Path) -> Result<(), String> {
    let target = page.with_extension("pdf");
    let mut command = headless(browser);
    command.arg("--no-pdf-header-footer").arg(format!("--print-to-pdf={}", target.display())).arg(address(page)?);
    told(&mut command)?;
    let bytes = std::fs::read(&target).map_err(|e| format!("{}: {e}", target.display()))?;
    let n_pages = String::from_utf8_lossy(&bytes).matches("/Type /Page\n").count();
    if n_pages == 0 { Err(format!("{}: it has no page", target.display())) } else { Ok(()) }
}

/// The text that JavaScript's `encodeURIComponent` made of `text`.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match code.filter(|_| *first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is wrong with a page.
fn faults(seen: &Json, page: &str, n_charts: usize, width: u32, is_dark: bool) -> Vec<String> {
    let mut faults = Vec::new();
    if let Some(error) = seen.get("error").text() {
        return vec![format!("the look failed: {error}")];
    }
    let number = |value: &Json, key: &str| value.get(key).number().unwrap_or(f64::NAN);
    let is_as_wide = (number(seen, "width") - f64::from(width)).abs() < 0.5;
    if !is_as_wide {
        faults.push(format!("the window is {} px wide", number(seen, "width")));
    }
    if number(seen, "overflow") > 1.0 {
        faults.push(format!("the page is {} px wider than the window", number(seen, "overflow")));
    }
    if *seen.get("isDark") != Json::Bool(is_dark) {
        faults.push("the page does not follow light and dark".to_owned());
    }
    if seen.get("title").text() == Some("broken") {
        faults.push("a name of a user ran as a script".to_owned());
    }
    let figures = seen.get("figures").items();
    if figures.len() < n_charts {
        faults.push(format!("{} charts, of at least {n_charts}", figures.len()));
    }
    for figure in figures {
        let id = figure.get("id").text().unwrap_or_default();
        // A chart may say that there is nothing to draw where nothing was given.
        let is_empty = *figure.get("isEmpty") == Json::Bool(true);
        if is_empty && page != "odd" {
            faults.push(format!("{id}: it has nothing to draw"));
        }
        if !is_empty && (number(figure, "marks") < 1.0 || number(figure, "painted") < MIN_PAINTED) {
            faults.push(format!("{id}: {} marks paint {} pixels", number(figure, "marks"), number(figure, "painted")));
        }
        if number(figure, "fontPx") < MIN_FONT_PX {
            faults.push(format!("{id}: letters of {:.1} px", number(figure, "fontPx")));
        }
        faults.extend(figure.get("faults").items().iter().filter_map(Json::text).map(|fault| format!("{id}: {fault}")));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_javascript_encoded_is_read_again() {
        assert_eq!(unescaped("%7B%22a%22%3A%20%22%E2%88%92%25%22%7D ab%"), "{\"a\": \"−%\"} ab%");
    }

    #[test]
    fn every_fault_is_told() {
        let seen = r#"{"width": 390, "overflow": 40, "isDark": false, "title": "broken", "figures": [
            {"id": "a", "isEmpty": false, "marks": 0, "painted": 0, "fontPx": 7, "faults": ["outside: x"]},
            {"id": "b", "isEmpty": true, "marks": 0, "painted": 0, "fontPx": 12, "faults": []}]}"#;
        let faults = faults(&json::parse(seen).unwrap(), "gallery", 3, 1280, true);
        assert_eq!(faults.len(), 9, "{faults:#?}");
        let fine = r#"{"width": 390, "overflow": 0, "isDark": true, "title": "x", "figures": [
            {"id": "a", "isEmpty": false, "marks": 1, "painted": 300, "fontPx": 12, "faults": []}]}"#;
        assert_eq!(super::faults(&json::parse(fine).unwrap(), "gallery", 1, 390, true), [""; 0]);
    }

    #[test]
    fn a_look_that_failed_is_a_fault() {
        let seen = json::parse(r#"{"error": "x is not defined"}"#).unwrap();
        assert_eq!(faults(&seen, "odd", 0, 390, false), ["the look failed: x is not defined"]);
    }
}
