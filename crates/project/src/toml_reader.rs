//! Reading a TOML document key by key, so that every complaint has its line.

use crate::nearest::did_you_mean;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A document that is being read.
pub(crate) struct Document<'a> {
    name: &'a str,
    text: &'a str,
}

/// A value with its place.
#[derive(Clone, Copy)]
pub(crate) struct Value<'d, 'a> {
    document: &'d Document<'a>,
    key: &'d str,
    value: &'d Spanned<DeValue<'a>>,
}

impl<'a> Document<'a> {
    /// A document; `name` is what messages call it.
    pub(crate) fn new(name: &'a str, text: &'a str) -> Self {
        Self { name, text }
    }

    /// Its top table.
    pub(crate) fn parse(&self) -> Result<DeTable<'a>, String> {
        DeTable::parse(self.text).map(Spanned::into_inner).map_err(|error| self.complain(error.span(), error.message()))
    }

    /// A message that starts with file and line.
    pub(crate) fn complain(&self, span: Option<Range<usize>>, message: &str) -> String {
        let Some(span) = span else { return format!("{}: {message}", self.name) };
        let line = 1 + self.text.bytes().take(span.start).filter(|byte| *byte == b'\n').count();
        format!("{}:{line}: {message}", self.name)
    }

    /// Hands every known key of a table to `read`; any other is an error that names the nearest.
    pub(crate) fn read_table<'d>(
        &'d self,
        table: &'d DeTable<'a>,
        known: &[&str],
        mut read: impl FnMut(&str, Value<'d, 'a>) -> Result<(), String>,
    ) -> Result<(), String> {
        for (key, value) in table {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let mend = did_you_mean(name, known.iter().copied());
                let mend = if mend.is_empty() { format!("; known are {}", known.join(", ")) } else { mend };
                return Err(self.complain(Some(key.span()), &format!("unknown key `{name}`{mend}")));
            }
            read(name, Value { document: self, key: name, value })?;
        }
        Ok(())
    }
}

impl<'d, 'a> Value<'d, 'a> {
    /// An error at this value.
    pub(crate) fn complain(&self, message: &str) -> String {
        self.document.complain(Some(self.value.span()), message)
    }

    fn expect<T>(&self, what: &str, value: Option<T>) -> Result<T, String> {
        let found = self.value.get_ref().type_str();
        value.ok_or_else(|| self.complain(&format!("`{}` must be {what}, not {}", self.key, with_article(found))))
    }

    /// A string.
    pub(crate) fn string(&self) -> Result<&'d str, String> {
        self.expect("a string", self.value.get_ref().as_str())
    }

    /// A time, written in seconds.
    pub(crate) fn milliseconds(&self) -> Result<u64, String> {
        let value = self.value.get_ref();
        let text = value.as_integer().map(|number| number.as_str());
        let text = text.or_else(|| value.as_float().map(|number| number.as_str()));
        let seconds = text.and_then(|text| text.parse().ok()).filter(|seconds: &f64| (0.0..1e6).contains(seconds));
        self.expect("a number of seconds", seconds.map(|seconds| (seconds * 1000.0) as u64))
    }

    /// The values of a table whose keys are free, by their keys.
    pub(crate) fn members(&self) -> Result<Vec<(&'d str, Value<'d, 'a>)>, String> {
        let members = self.table()?.iter();
        let member = |(key, value): (&'d Spanned<std::borrow::Cow<'a, str>>, &'d Spanned<DeValue<'a>>)| {
            let key: &str = key.get_ref();
            (key, Value { document: self.document, key, value })
        };
        Ok(members.map(|(key, value)| member((key, value))).collect())
    }

    /// A table.
    pub(crate) fn table(&self) -> Result<&'d DeTable<'a>, String> {
        self.expect("a table", self.value.get_ref().as_table())
    }

    /// The elements of an array.
    pub(crate) fn elements(&self) -> Result<Vec<Value<'d, 'a>>, String> {
        let array = self.expect("an array", self.value.get_ref().as_array())?;
        Ok(array.iter().map(|value| Value { value, ..*self }).collect())
    }

    /// An array of strings, each read by `read`.
    pub(crate) fn strings<T>(&self, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
        let each = |element: Value<'d, 'a>| read(element.string()?).map_err(|message| element.complain(&message));
        self.elements()?.into_iter().map(each).collect()
    }

    /// The entries of a table whose keys are free, each read by `read`, which says what is wrong with a key or value.
    pub(crate) fn entries<T>(&self, read: impl Fn(&str, &str) -> Result<T, String>) -> Result<Vec<T>, String> {
        let mut out = Vec::new();
        for (key, value) in self.table()? {
            let entry = Value { document: self.document, key: key.get_ref(), value };
            let read = read(key.get_ref(), entry.string()?);
            out.push(read.map_err(|message| self.document.complain(Some(key.span()), &message))?);
        }
        Ok(out)
    }
}

fn with_article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}
