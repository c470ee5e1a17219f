//! Python's regular expressions as linear-time ones: rewritten where the two languages differ, refused where they cannot agree.

/// A translated pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rewritten {
    /// The pattern.
    pub(crate) text: String,
    /// `$` stands in it: it also matches before a line feed at the very end, which this engine cannot say.
    pub(crate) end_of_text: bool,
    /// `\b` or case-insensitivity stand in it: the two engines agree on ASCII only.
    pub(crate) ascii_only: bool,
}

/// The flags of `re`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) ignore_case: bool,
    pub(crate) multi_line: bool,
    pub(crate) dot_all: bool,
}

/// Rewrites a pattern. `multi_line`: `$` and `^` work by lines.
///
/// # Errors
/// Why the pattern cannot be kept, as the end of a sentence.
pub(crate) fn translate(pattern: &str, multi_line: bool) -> Result<Rewritten, String> {
    rewrite(pattern, multi_line, "$")
}

/// Rewrites a pattern of which only matters whether it is found: `$` may take the line feed at the end with it.
///
/// # Errors
/// As [`translate`].
pub(crate) fn sought(pattern: &str) -> Result<String, String> {
    rewrite(pattern, false, r"(?:\n?\z)").map(|rewritten| rewritten.text)
}

fn rewrite(pattern: &str, multi_line: bool, end: &'static str) -> Result<Rewritten, String> {
    let mut rewriter = Rewriter {
        rest: pattern.chars().collect::<Vec<_>>(),
        at: 0,
        out: Rewritten { text: String::new(), end_of_text: false, ascii_only: false },
        multi_line,
        end,
    };
    rewriter.run()?;
    let rewritten = rewriter.out;
    regex::RegexBuilder::new(&rewritten.text)
        .size_limit(1 << 20)
        .nest_limit(64)
        .build()
        .map_err(|error| format!("it is not understood ({})", error.to_string().lines().last().unwrap_or_default().trim()))?;
    Ok(rewritten)
}

struct Rewriter {
    rest: Vec<char>,
    at: usize,
    out: Rewritten,
    multi_line: bool,
    /// What stands for `$`.
    end: &'static str,
}

const WORD: &str = r"\p{L}\p{N}_";
const SPACE: &str = r"\s\x1c-\x1f";

impl Rewriter {
    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += usize::from(c.is_some());
        c
    }

    fn looking_at(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(offset, c)| self.rest.get(self.at + offset) == Some(&c))
    }

    fn run(&mut self) -> Result<(), String> {
        while let Some(c) = self.next() {
            match c {
                '\\' => self.escape(false)?,
                '[' => self.class()?,
                '(' => self.group()?,
                '$' => {
                    // With lines, both engines mean the same; without, a last line feed is refused at run time.
                    self.out.end_of_text |= !self.multi_line;
                    self.out.text.push_str(self.end);
                }
                '{' => self.repetition(),
                '*' | '+' | '?' => {
                    self.out.text.push(c);
                    self.after_repetition()?;
                }
                // Literal in Python, special or reserved here.
                '}' | ']' => self.push_literal(c),
                '#' | '&' | '~' | '-' | ' ' => self.push_literal(c),
                c => self.out.text.push(c),
            }
        }
        Ok(())
    }

    fn push_literal(&mut self, c: char) {
        self.out.text.push_str(&regex::escape(&c.to_string()));
    }

    /// `{m,n}`; anything else in braces is text in Python.
    fn repetition(&mut self) {
        let close = self.rest.iter().skip(self.at).position(|c| *c == '}');
        let body: Option<String> = close.map(|length| self.rest.iter().skip(self.at).take(length).collect());
        let bounds = body.as_deref().and_then(|body| {
            let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
            match body.split_once(',') {
                None if !body.is_empty() && digits(body) => Some(body.to_owned()),
                Some((low, high)) if digits(low) && digits(high) => {
                    Some(format!("{},{high}", if low.is_empty() { "0" } else { low }))
                }
                _ => None,
            }
        });
        match (bounds, close) {
            (Some(bounds), Some(length)) => {
                self.at += length + 1;
                self.out.text.push_str(&format!("{{{bounds}}}"));
                if self.peek() == Some('?') {
                    self.at += 1;
                    self.out.text.push('?');
                }
            }
            _ => self.out.text.push_str("\\{"),
        }
    }

    fn after_repetition(&mut self) -> Result<(), String> {
        match self.peek() {
            Some('?') => {
                self.at += 1;
                self.out.text.push('?');
                Ok(())
            }
            Some('+') => Err("possessive repetition".to_owned()),
            Some('*') => Err("multiple repeat".to_owned()),
            _ => Ok(()),
        }
    }

    fn group(&mut self) -> Result<(), String> {
        if self.peek() != Some('?') {
            self.out.text.push('(');
            return Ok(());
        }
        for (begin, what) in [
            ("?=", "lookahead"),
            ("?!", "lookahead"),
            ("?<=", "lookbehind"),
            ("?<!", "lookbehind"),
            ("?>", "an atomic group"),
            ("?(", "a conditional group"),
            ("?P=", "a backreference"),
        ] {
            if self.looking_at(begin) {
                return Err(format!("{what} takes more than linear time"));
            }
        }
        if self.looking_at("?#") {
            while let Some(c) = self.next() {
                if c == ')' {
                    return Ok(());
                }
            }
            return Err("missing ), unterminated comment".to_owned());
        }
        if self.looking_at("?:") || self.looking_at("?P<") {
            let take = if self.looking_at("?:") { 2 } else { 3 };
            self.out.text.push('(');
            self.out.text.extend(self.rest.iter().skip(self.at).take(take));
            self.at += take;
            return Ok(());
        }
        // Flags, for the whole or for a group.
        let mut flags = String::new();
        self.at += 1;
        while let Some(c) = self.peek().filter(|c| c.is_ascii_alphabetic() || *c == '-') {
            flags.push(c);
            self.at += 1;
        }
        if !flags.chars().all(|c| matches!(c, 'i' | 's')) || flags.is_empty() {
            return Err(format!("the flags `{flags}` within a pattern"));
        }
        self.out.ascii_only |= flags.contains('i');
        self.out.text.push_str(&format!("(?{flags}"));
        match self.next() {
            Some(c @ (')' | ':')) => {
                if c == ')' && self.at != flags.len() + 3 {
                    return Err("global flags not at the start of the expression".to_owned());
                }
                self.out.text.push(c);
                Ok(())
            }
            _ => Err("unknown extension".to_owned()),
        }
    }

    fn class(&mut self) -> Result<(), String> {
        self.out.text.push('[');
        if self.peek() == Some('^') {
            self.at += 1;
            self.out.text.push('^');
        }
        let mut first = true;
        loop {
            match self.next() {
                None => return Err("unterminated character set".to_owned()),
                Some(']') if !first => break,
                Some('\\') => self.escape(true)?,
                Some('-') => {
                    // A range has something on both sides; else it is a hyphen.
                    let range = !first && self.peek().is_some_and(|c| c != ']');
                    self.out.text.push_str(if range { "-" } else { "\\-" });
                }
                Some(c) if c.is_alphanumeric() || !c.is_ascii() => self.out.text.push(c),
                Some(c) if c.is_ascii_control() => self.out.text.push_str(&format!("\\x{:02x}", c as u32)),
                Some(c) => {
                    self.out.text.push('\\');
                    self.out.text.push(c);
                }
            }
            first = false;
        }
        self.out.text.push(']');
        Ok(())
    }

    fn escape(&mut self, in_class: bool) -> Result<(), String> {
        let c = self.next().ok_or("bad escape (end of pattern)")?;
        let bracketed = |set: &str, negated: bool| format!("[{}{set}]", if negated { "^" } else { "" });
        let text = match c {
            'w' if in_class => WORD.to_owned(),
            's' if in_class => SPACE.to_owned(),
            'W' | 'S' if in_class => bracketed(if c == 'W' { WORD } else { SPACE }, true),
            'w' | 'W' => bracketed(WORD, c == 'W'),
            's' | 'S' => bracketed(SPACE, c == 'S'),
            'd' | 'D' => format!("\\{c}"),
            'A' if !in_class => "\\A".to_owned(),
            'Z' if !in_class => "\\z".to_owned(),
            'b' if in_class => "\\x08".to_owned(),
            'b' | 'B' => {
                self.out.ascii_only = true;
                format!("\\{c}")
            }
            'n' | 'r' | 't' | 'f' | 'v' | 'a' => format!("\\{c}"),
            'x' | 'u' | 'U' => {
                let length = match c {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let digits: String = self.rest.iter().skip(self.at).take(length).collect();
                if digits.len() != length || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
                    return Err(format!("incomplete escape \\{c}{digits}"));
                }
                self.at += length;
                format!("\\x{{{digits}}}")
            }
            '0'..='9' => return Err("a backreference or octal escape".to_owned()),
            c if c.is_ascii_alphabetic() => return Err(format!("bad escape \\{c}")),
            c if c.is_ascii_punctuation() || c == ' ' => format!("\\{}", if c == ' ' { "x20".to_owned() } else { c.to_string() }),
            c => c.to_string(),
        };
        // A class cannot be the end of a range.
        if in_class
            && matches!(c, 'w' | 'W' | 's' | 'S' | 'd' | 'D')
            && (self.out.text.ends_with('-') && !self.out.text.ends_with("\\-")
                || (self.peek() == Some('-') && self.rest.get(self.at + 1) != Some(&']')))
        {
            return Err("bad character range".to_owned());
        }
        self.out.text.push_str(&text);
        Ok(())
    }
}
