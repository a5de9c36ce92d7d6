//! Text of users inside markup.

/// `text` with what markup would read as its own written as references; line ends and other control characters, which no browser
/// shows, as signs that it does.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('↵'),
            '\t' => out.push('⇥'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Escaped `text` that may be broken inside of its long words, which else would make a table as wide as they are.
pub(super) fn breakable(text: &str) -> String {
    /// So many characters without a blank stay in one line.
    const MAX_WORD: usize = 22;
    let mut out = String::new();
    let mut n_together = 0;
    for c in text.chars() {
        n_together = if c.is_whitespace() { 0 } else { n_together + 1 };
        out.push_str(&escape(c.encode_utf8(&mut [0; 4])));
        // Names are best broken where they are made of words.
        if n_together >= MAX_WORD || (n_together >= MAX_WORD / 2 && matches!(c, '_' | '-' | '/' | '.')) {
            out.push_str("<wbr>");
            n_together = 0;
        }
    }
    out
}

/// `text` of at most `n_chars` characters: what is too long loses its middle, since names differ at both ends.
pub(crate) fn shortened(text: &str, n_chars: usize) -> String {
    let n = text.chars().count();
    if n <= n_chars {
        return text.to_owned();
    }
    let n_tail = (n_chars - 1) / 3;
    let n_head = n_chars - 1 - n_tail;
    let head: String = text.chars().take(n_head).collect();
    let tail: String = text.chars().skip(n - n_tail).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_users_text_is_markup() {
        assert_eq!(escape("a<b> & \"c\" 'd'"), "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
        assert_eq!(escape("one\ntwo\0"), "one↵two\u{fffd}");
    }

    #[test]
    fn long_words_can_be_broken_and_short_ones_stay_whole() {
        assert_eq!(breakable("handleInvalid keep"), "handleInvalid keep");
        assert_eq!(breakable("total_il_high_credit_limit"), "total_il_high_<wbr>credit_limit");
        assert_eq!(breakable(&"x".repeat(30)), format!("{}<wbr>{}", "x".repeat(22), "x".repeat(8)));
        assert_eq!(breakable("<&>"), "&lt;&amp;&gt;");
    }

    #[test]
    fn a_long_name_keeps_both_ends() {
        assert_eq!(shortened("total_high_credit_limit", 12), "total_hi…mit");
        assert_eq!(shortened("short", 5), "short");
        assert_eq!(shortened("aß水x", 3), "aß…");
    }
}
