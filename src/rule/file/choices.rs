//! Reading `[[choose]]`.

use super::keys::Keys;
use super::read::text;
use crate::error::Fault;
use crate::rule::Choice;
use crate::rule::choice::is_header_name;
use toml::Spanned;
use toml::de::DeValue;

/// Reads one `[[choose]]`.
pub(super) fn read_choice(keys: &mut Keys<'_, '_>) -> Option<Choice> {
    text(keys, "description");
    let policy = keys.needed_text("policy").map(Spanned::into_inner);
    let (path, model) = (text(keys, "path"), text(keys, "model"));
    let headers = keys.table("header", |keys| keys.every(read_header)).unwrap_or_default();
    if path.is_none() && model.is_none() && headers.is_empty() {
        let fault = Fault::new("the choice has no condition: it would fit every request");
        keys.fault(keys.span(), fault.remedy("say `path`, `model` or `header`, or put the rules into this file"));
    }
    let span = keys.span();
    let (file, line) = keys.place(span.start);
    Some(Choice { path, model, headers, policy: policy?, file, span, line })
}

fn read_header<'s>(keys: &mut Keys<'_, 's>, name: String, value: Spanned<DeValue<'s>>) -> Option<(String, String)> {
    let span = value.span();
    if !is_header_name(&name) {
        keys.fault(span, Fault::new(format!("`{name}` cannot be the name of a header")));
        return None;
    }
    let glob = keys.read_text(&name, value)?;
    Some((name.to_ascii_lowercase(), glob.into_inner()))
}
