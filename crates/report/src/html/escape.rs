//! Text of users inside markup.

/// `text` with what markup would read as its own written as references; line ends and other control characters, which no browser
/// shows, as signs that it does.
pub(crate) fn escape(text: &str) -> String {
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
    fn a_long_name_keeps_both_ends() {
        assert_eq!(shortened("total_high_credit_limit", 12), "total_hi…mit");
        assert_eq!(shortened("short", 5), "short");
        assert_eq!(shortened("aß水x", 3), "aß…");
    }
}
