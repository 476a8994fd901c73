//! Second reading: the rule as the engine gets it.

use super::ast::{
    ALPHABET, Act, BlockAst, Case, Class, Look, Mode, Node, PatternAst, RuleAst, Shape, Unclosed, Validator,
};
use holdback::Rule;
use holdback::rule::{self, Action, Block, Hold, Mask, Pattern, Template};
use std::fmt;

/// The id of the rule at this place of its case.
pub fn id(index: usize) -> String {
    format!("o.r{index}")
}

/// The rules of a case as the engine gets them.
pub fn rules(case: &Case) -> Vec<Rule> {
    case.rules.iter().enumerate().map(|(index, ast)| rule(index, ast)).collect()
}

fn rule(index: usize, ast: &RuleAst) -> Rule {
    let mut rule = match &ast.shape {
        Shape::Pattern(ast) => {
            let rule = Rule::pattern(id(index), pattern(ast));
            match ast.validator {
                Validator::None => rule,
                Validator::EvenA => {
                    rule.validate(rule::Validator::new("even-a", |text| Validator::EvenA.accepts(text)))
                }
            }
        }
        Shape::Block(ast) => Rule::block(id(index), block(ast)),
    };
    if let Some(max_len) = ast.max_len {
        rule = rule.max_len(max_len);
    }
    rule.action(match ast.action {
        Act::Flag => Action::Flag,
        Act::Mask { keep_first, keep_last } => Action::Mask(Mask::new('*').keep_first(keep_first).keep_last(keep_last)),
        Act::Redact(template) => Action::Redact(Template::new(template)),
        Act::Drop => Action::Drop,
        Act::Terminate => Action::Terminate,
        Act::Hold => Action::Hold(Hold::for_check("held")),
    })
}

fn pattern(ast: &PatternAst) -> Pattern {
    let mut pattern = Pattern::regex(pattern_regex(ast));
    if ast.before.is_some() || ast.after.is_some() {
        pattern = pattern.capture("c");
    }
    if let Some(class) = ast.not_before {
        pattern = pattern.not_before(class_regex(class));
    }
    if let Some(class) = ast.not_after {
        pattern = pattern.not_after(class_regex(class));
    }
    match ast.mode {
        Mode::All => pattern,
        Mode::Shortest => pattern.mode(rule::Mode::Shortest),
    }
}

fn block(ast: &BlockAst) -> Block {
    let block = Block::new(regex(&ast.open), regex(&ast.close), ast.max_len);
    match ast.unclosed {
        Unclosed::Redact => block,
        Unclosed::Terminate => block.unclosed(rule::Unclosed::Terminate),
    }
}

fn pattern_regex(ast: &PatternAst) -> String {
    let context = |node: &Option<Node>| node.as_ref().map(regex).unwrap_or_default();
    if ast.before.is_some() || ast.after.is_some() {
        format!("{}(?P<c>{}){}", context(&ast.before), regex(&ast.body), context(&ast.after))
    } else {
        regex(&ast.body)
    }
}

/// The tree in the syntax of the `regex` crate.
pub fn regex(node: &Node) -> String {
    match node {
        Node::Empty => "(?:)".to_owned(),
        Node::Class(class) => class_regex(*class),
        Node::Look(look) => look_regex(*look).to_owned(),
        Node::Concat(parts) => parts.iter().map(regex).collect(),
        Node::Alt(branches) => format!("(?:{})", branches.iter().map(regex).collect::<Vec<_>>().join("|")),
        Node::Repeat { node, min, max } => {
            let times = match (min, max) {
                (0, Some(1)) => "?".to_owned(),
                (0, None) => "*".to_owned(),
                (1, None) => "+".to_owned(),
                (min, Some(max)) if min == max => format!("{{{min}}}"),
                (min, Some(max)) => format!("{{{min},{max}}}"),
                (min, None) => format!("{{{min},}}"),
            };
            match node.as_ref() {
                Node::Class(_) | Node::Alt(_) => format!("{}{times}", regex(node)),
                _ => format!("(?:{}){times}", regex(node)),
            }
        }
    }
}

fn class_regex(class: Class) -> String {
    let listed = |class: Class| class.letters().map(letter).collect::<String>();
    let others = Class(!class.0 & 0b11111);
    match class.letters().collect::<Vec<_>>().as_slice() {
        b"ab1" => r"\w".to_owned(),
        b"1" => r"\d".to_owned(),
        b" \n" => r"\s".to_owned(),
        b"ab1 " => ".".to_owned(),
        letters if letters == ALPHABET => r"[\s\S]".to_owned(),
        [one] => letter(*one),
        // A negated class also holds bytes that no text here has, so it must hold a word letter and another
        // letter of ours for them to stand for.
        letters if letters.len() >= 3 && class.has(b' ') => format!("[^{}]", listed(others)),
        _ => format!("[{}]", listed(class)),
    }
}

fn letter(byte: u8) -> String {
    match byte {
        b'\n' => r"\n".to_owned(),
        byte => char::from(byte).to_string(),
    }
}

fn look_regex(look: Look) -> &'static str {
    match look {
        Look::TextStart => r"\A",
        Look::Caret => "^",
        Look::TextEnd => r"\z",
        Look::Dollar => "$",
        Look::LineStart => "(?m:^)",
        Look::LineEnd => "(?m:$)",
        Look::Word => r"\b",
        Look::NotWord => r"\B",
        Look::WordStart => r"\b{start}",
        Look::WordEnd => r"\b{end}",
        Look::HalfStart => r"\b{start-half}",
        Look::HalfEnd => r"\b{end-half}",
        Look::NotBefore(_) | Look::NotAfter(_) => unreachable!("written as a field of the rule, not into the pattern"),
    }
}

impl fmt::Display for RuleAst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shape {
            Shape::Pattern(ast) => {
                write!(f, "/{}/", pattern_regex(ast))?;
                if let Some(class) = ast.not_before {
                    write!(f, " not_before={}", class_regex(class))?;
                }
                if let Some(class) = ast.not_after {
                    write!(f, " not_after={}", class_regex(class))?;
                }
                write!(f, " {:?} {:?}", ast.mode, ast.validator)?;
            }
            Shape::Block(ast) => {
                let (open, close) = (regex(&ast.open), regex(&ast.close));
                write!(f, "block /{open}/ /{close}/ max_len={} unclosed={:?}", ast.max_len, ast.unclosed)?;
            }
        }
        write!(f, " max_len={:?} {:?}", self.max_len, self.action)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "text {:?}, max_hold {}, automata {:?}",
            String::from_utf8_lossy(&self.text),
            self.max_hold,
            self.automata
        )?;
        for (index, rule) in self.rules.iter().enumerate() {
            writeln!(f, "  {}: {rule}", id(index))?;
        }
        write!(f, "  cut seed {}", self.cut_seed)
    }
}
