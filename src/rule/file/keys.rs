//! Reading a TOML table key by key, so that one pass finds everything that is wrong with it.

use super::source::Source;
use crate::error::Fault;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table being read: each key is taken once, and what is left at the end has no business there.
pub(super) struct Keys<'a, 's> {
    table: DeTable<'s>,
    span: Range<usize>,
    known: Vec<&'static str>,
    source: &'a Source,
    /// The rule that faults are about.
    rule: Option<String>,
    faults: &'a mut Vec<Fault>,
}

impl<'a, 's> Keys<'a, 's> {
    pub(super) fn new(table: Spanned<DeTable<'s>>, source: &'a Source, faults: &'a mut Vec<Fault>) -> Keys<'a, 's> {
        Keys { span: table.span(), table: table.into_inner(), known: Vec::new(), source, rule: None, faults }
    }

    /// Where the table stands.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Says which rule faults are about from here on.
    pub(super) fn speak_of(&mut self, rule: Option<String>) {
        self.rule = rule;
    }

    /// Reports a fault at `span`.
    pub(super) fn fault(&mut self, span: Range<usize>, fault: Fault) {
        let fault = match &self.rule {
            Some(rule) => fault.rule(rule),
            None => fault,
        };
        self.faults.push(self.source.place(span, fault));
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(mut self) {
        let known = self.known.join(", ");
        for (key, _) in std::mem::take(&mut self.table) {
            let fault = Fault::new(format!("unknown key `{}`", key.get_ref())).remedy(format!("keys here are {known}"));
            self.fault(key.span(), fault);
        }
    }

    pub(super) fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'s>>> {
        self.known.push(key);
        self.table.remove(key)
    }

    /// Whether a table stands under a key that may have something else.
    pub(super) fn has_table(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| matches!(value.get_ref(), DeValue::Table(_)))
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<Spanned<String>> {
        let value = self.take(key)?;
        self.read_text(key, value)
    }

    /// Like [`Keys::text`], and a fault where the key is missing.
    pub(super) fn needed_text(&mut self, key: &'static str) -> Option<Spanned<String>> {
        self.need(key);
        self.text(key)
    }

    /// A fault where the key is missing.
    pub(super) fn need(&mut self, key: &str) {
        if !self.table.contains_key(key) {
            self.fault(self.span(), Fault::new(format!("`{key}` is missing")));
        }
    }

    pub(super) fn texts(&mut self, key: &'static str) -> Option<Spanned<Vec<Spanned<String>>>> {
        let value = self.take(key)?;
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(items) => {
                let texts = items.into_iter().filter_map(|item| self.read_text(key, item)).collect();
                Some(Spanned::new(span, texts))
            }
            other => {
                self.wrong_type(key, span, &other, "a list of strings");
                None
            }
        }
    }

    pub(super) fn whole(&mut self, key: &'static str) -> Option<Spanned<usize>> {
        let value = self.take(key)?;
        let span = value.span();
        let number = match value.get_ref() {
            DeValue::Integer(number) => usize::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        if number.is_none() {
            self.wrong_type(key, span.clone(), value.get_ref(), "a whole number");
        }
        number.map(|number| Spanned::new(span, number))
    }

    pub(super) fn number(&mut self, key: &'static str) -> Option<Spanned<f64>> {
        let value = self.take(key)?;
        let span = value.span();
        let number = match value.get_ref() {
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::Integer(number) => number.as_str().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.wrong_type(key, span.clone(), value.get_ref(), "a number");
        }
        number.map(|number| Spanned::new(span, number))
    }

    pub(super) fn switch(&mut self, key: &'static str) -> Option<bool> {
        let value = self.take(key)?;
        match value.get_ref() {
            DeValue::Boolean(on) => Some(*on),
            other => {
                self.wrong_type(key, value.span(), other, "true or false");
                None
            }
        }
    }

    /// One of some words, as what it stands for.
    pub(super) fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let written = self.text(key)?;
        self.one_of(key, &written, words)
    }

    /// Like [`Keys::word`], and a fault where the key is missing.
    pub(super) fn needed_word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let written = self.needed_text(key)?;
        self.one_of(key, &written, words)
    }

    /// A list of some words, as what they stand for.
    pub(super) fn words<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<Vec<T>> {
        let written = self.texts(key)?;
        Some(written.get_ref().iter().filter_map(|written| self.one_of(key, written, words)).collect())
    }

    /// The table under a key, read by `read`.
    pub(super) fn table<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Keys<'_, 's>) -> T) -> Option<T> {
        let value = self.take(key)?;
        self.read_table(key, value, read)
    }

    /// Each table of the list under a key, read by `read`.
    pub(super) fn tables<T>(&mut self, key: &'static str, mut read: impl FnMut(&mut Keys<'_, 's>) -> T) -> Vec<T> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(items) => {
                items.into_iter().filter_map(|item| self.read_table(key, item, &mut read)).collect()
            }
            other => {
                self.wrong_type(key, span, &other, "a list of tables");
                Vec::new()
            }
        }
    }

    /// Every key that was not taken, read by `read`.
    pub(super) fn every<T>(
        &mut self,
        mut read: impl FnMut(&mut Keys<'_, 's>, String, Spanned<DeValue<'s>>) -> Option<T>,
    ) -> Vec<T> {
        let table = std::mem::take(&mut self.table);
        table.into_iter().filter_map(|(key, value)| read(self, key.into_inner().into_owned(), value)).collect()
    }

    /// The name of the file, and the line of an offset in it.
    pub(super) fn place(&self, offset: usize) -> (String, usize) {
        (self.source.name().to_owned(), self.source.line(offset))
    }

    /// Every key that was not taken, with its list of strings.
    pub(super) fn every_list(&mut self) -> Vec<(String, Vec<String>)> {
        let table = std::mem::take(&mut self.table);
        let mut lists = Vec::new();
        for (key, value) in table {
            let (name, span) = (key.into_inner().into_owned(), value.span());
            match value.into_inner() {
                DeValue::Array(items) => {
                    let items = items.into_iter().filter_map(|item| self.read_text(&name, item));
                    lists.push((name.clone(), items.map(Spanned::into_inner).collect()));
                }
                other => self.wrong_type(&name, span, &other, "a list of strings"),
            }
        }
        lists
    }

    pub(super) fn read_table<T>(
        &mut self,
        key: &str,
        value: Spanned<DeValue<'s>>,
        read: impl FnOnce(&mut Keys<'_, 's>) -> T,
    ) -> Option<T> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => {
                let mut keys = Keys::new(Spanned::new(span, table), self.source, self.faults);
                keys.speak_of(self.rule.clone());
                let read = read(&mut keys);
                keys.finish();
                Some(read)
            }
            other => {
                self.wrong_type(key, span, &other, "a table");
                None
            }
        }
    }

    pub(super) fn read_text(&mut self, key: &str, value: Spanned<DeValue<'s>>) -> Option<Spanned<String>> {
        let span = value.span();
        match value.into_inner() {
            DeValue::String(text) => Some(Spanned::new(span, text.into_owned())),
            other => {
                self.wrong_type(key, span, &other, "a string");
                None
            }
        }
    }

    pub(super) fn wrong_type(&mut self, key: &str, span: Range<usize>, value: &DeValue<'_>, wanted: &str) {
        let found = match value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) | DeValue::Float(_) => "another number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.fault(span, Fault::new(format!("`{key}` is {found}, not {wanted}")));
    }

    pub(super) fn one_of<T: Copy>(&mut self, key: &str, written: &Spanned<String>, words: &[(&str, T)]) -> Option<T> {
        let found = words.iter().find(|(word, _)| word == written.get_ref()).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let choices: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let fault = Fault::new(format!("`{key}` cannot be `{}`", written.get_ref()))
                .remedy(format!("it is one of {}", choices.join(", ")));
            self.fault(written.span(), fault);
        }
        found
    }
}
