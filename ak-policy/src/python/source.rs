//! Reads Python: limits first, then the parser. Nothing else speaks to the parser.

use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{PythonVersion, Stmt, StmtFunctionDef};
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};
use ruff_text_size::{Ranged as _, TextRange, TextSize};

use super::Flag;

/// The longest expression, in bytes.
const MAX_BYTES: usize = 32 * 1024;
/// How many operators and open brackets may depend on one another.
const MAX_NESTING: usize = 200;
/// What the parser may need for the most hostile source of that length; it is reserved, and used only by such.
const STACK_BYTES: usize = 128 * 1024 * 1024;
/// The last version whose grammar people's expressions have run under.
const VERSION: PythonVersion = PythonVersion::PY312;

/// A parsed body.
pub(super) struct Source {
    /// The text that was parsed: the body, indented into a function.
    text: String,
    starts: Vec<usize>,
    /// Which lines were indented.
    indented: Vec<bool>,
    /// The statements.
    pub(super) body: Vec<Stmt>,
}

impl Source {
    /// Parses a body the way authentik does: every line that is not blank is indented by four spaces, also inside of a
    /// multi-line text, and the result is the body of a function.
    pub(super) fn parse(source: &str) -> Result<Self, Vec<Flag>> {
        if source.len() > MAX_BYTES {
            return Err(vec![Flag::new(
                1,
                1,
                format!("an expression may be {MAX_BYTES} bytes long, this one has {}", source.len()),
            )]);
        }
        if source.contains('\0') {
            return Err(vec![Flag::new(1, 1, "source code cannot contain null bytes")]);
        }
        let mut text = "def handler():\n".to_owned();
        for line in split_lines(source) {
            if !line.trim().is_empty() {
                text.push_str("    ");
            }
            text.push_str(line);
        }
        text.push('\n');
        let starts: Vec<usize> = std::iter::once(0).chain(line_ends(&text)).collect();
        let indented = starts.iter().map(|start| text.get(*start..).is_some_and(|rest| rest.starts_with("    "))).collect();
        let mut parsed = Self { text, starts, indented, body: Vec::new() };
        parsed.body = stacker::grow(STACK_BYTES, || parsed.statements())?;
        Ok(parsed)
    }

    fn statements(&self) -> Result<Vec<Stmt>, Vec<Flag>> {
        let parsed = parse_unchecked(&self.text, ParseOptions::from(Mode::Module).with_target_version(VERSION));
        if let Some(range) = too_deep(parsed.tokens()) {
            return Err(vec![self.flag(range, "this is nested too deeply")]);
        }
        let errors =
            parsed.errors().iter().map(|error| self.flag(error.location, format!("this is not Python: {}", error.error)));
        let unsupported = parsed
            .unsupported_syntax_errors()
            .iter()
            .map(|error| self.flag(error.range, format!("this is not Python {VERSION}: {error}")));
        let mut flags: Vec<Flag> = errors.chain(unsupported).collect();
        flags.sort();
        flags.dedup();
        if !flags.is_empty() {
            return Err(flags);
        }
        let module =
            parsed.try_into_module().map(|module| module.into_suite().into_iter().collect::<Vec<_>>()).unwrap_or_default();
        match <[Stmt; 1]>::try_from(module) {
            Ok([Stmt::FunctionDef(StmtFunctionDef { body, .. })]) => Ok(body.into_iter().collect()),
            _ => Err(vec![Flag::new(1, 1, "this is not the body of one expression")]),
        }
    }

    /// A flag at the beginning of `range`.
    pub(super) fn flag(&self, range: TextRange, reason: impl Into<String>) -> Flag {
        let (line, column) = self.place(range.start());
        Flag::new(line, column, reason)
    }

    /// Line and column in the source as its author sees it, from 1.
    pub(super) fn place(&self, at: TextSize) -> (usize, usize) {
        let at = at.to_usize();
        let line = self.starts.partition_point(|start| *start <= at).saturating_sub(1);
        let start = self.starts.get(line).copied().unwrap_or(0);
        let column = self.text.get(start..at).map_or(0, |before| before.chars().count());
        let added = if self.indented.get(line) == Some(&true) { 4 } else { 0 };
        (line.max(1), column.saturating_sub(added) + 1)
    }

    /// The text of a node.
    pub(super) fn slice(&self, node: &impl ruff_text_size::Ranged) -> &str {
        self.text.get(node.range().start().to_usize()..node.range().end().to_usize()).unwrap_or_default()
    }
}

/// The lines of a text with their ends, as `str.splitlines` sees them.
fn split_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.char_indices().find(|(_, c)| is_line_end(*c)).map_or(rest.len(), |(at, c)| {
            let after = at + c.len_utf8();
            if c == '\r' && rest.get(after..).is_some_and(|next| next.starts_with('\n')) { after + 1 } else { after }
        });
        let (line, after) = rest.split_at(end);
        rest = after;
        Some(line)
    })
}

/// Whether `str.splitlines` ends a line here.
pub(super) fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Where the lines of the parser begin: it knows `\n`, `\r` and both together.
fn line_ends(text: &str) -> impl Iterator<Item = usize> {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().filter_map(move |(at, byte)| match byte {
        b'\n' => Some(at + 1),
        b'\r' if bytes.get(at + 1) != Some(&b'\n') => Some(at + 1),
        _ => None,
    })
}

/// Where an expression or a block is nested too deeply. The depth of a tree cannot exceed the number of operators and brackets
/// that stand between two commas of each open bracket, so counting those needs no tree.
fn too_deep(tokens: &[ruff_python_ast::token::Token]) -> Option<TextRange> {
    let mut levels: Vec<usize> = vec![0];
    let mut sum = 0;
    let mut blocks = 0;
    for token in tokens {
        match token.kind() {
            TokenKind::Indent => blocks += 1,
            TokenKind::Dedent => blocks -= 1,
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace | TokenKind::FStringStart | TokenKind::TStringStart => {
                levels.push(0);
                if let Some(outer) = levels.len().checked_sub(2).and_then(|outer| levels.get_mut(outer)) {
                    *outer += 1;
                    sum += 1;
                }
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace | TokenKind::FStringEnd | TokenKind::TStringEnd
                if levels.len() > 1 =>
            {
                sum -= levels.pop().unwrap_or(0);
            }
            TokenKind::Comma | TokenKind::Newline | TokenKind::Semi => {
                if let Some(level) = levels.last_mut() {
                    sum -= std::mem::take(level);
                }
            }
            kind if kind.is_operator() || kind.is_keyword() => {
                if let Some(level) = levels.last_mut() {
                    *level += 1;
                    sum += 1;
                }
            }
            _ => {}
        }
        if sum + blocks > MAX_NESTING {
            return Some(token.range());
        }
    }
    None
}
