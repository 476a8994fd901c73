//! The Model Context Protocol over streamable HTTP: what a server's tools answer, and what they tell on the way.

use crate::policy::ChannelKind::{Text, ToolResult};
use crate::wire::grammar::{Account, Fault, Grammar, Members, Said, object};
use crate::wire::rows::{Group, Layout, Role, Row};
use crate::wire::table::Table;
use std::sync::LazyLock;

/// The dialect.
pub(crate) const GRAMMAR: Grammar = Grammar {
    table,
    document: table,
    recognizes: |_, event| event.has("jsonrpc"),
    is_end: |_| false,
    allows_comments: true,
    ends_with_a_word: true,
    splits: false,
    keeps: &[],
    keeps_last: &[],
    keeps_texts: false,
    stop_reason: "",
    stop,
    fault,
    stop_document,
    fault_document,
};

const LAYOUT: Layout = Layout {
    kind: &["method"],
    indexes: [&[], &[]],
    groups: &[
        Group::all(&[Row("jsonrpc", Role::Inert), Row("id", Role::Inert), Row("method", Role::Inert)]),
        Group::all(&[Row("result", Role::End), Row("error", Role::Error)]),
        Group::all(&[Row("error.code", Role::Inert), Row("error.message", Role::Own(Text))]),
        Group::all(RESULT).under("result"),
        Group::of(&["notifications/progress"], PROGRESS).under("params"),
        Group::of(&["notifications/message"], LOG).under("params"),
    ],
};

/// What a tool gives back, in its content and, as JSON, once more.
const RESULT: &[Row] = &[
    Row("content[].type", Role::Inert),
    Row("content[].mimeType", Role::Inert),
    Row("content[].text", Role::Own(ToolResult)),
    // Pictures and sound cannot be redacted by their text.
    Row("content[].data", Role::Inert),
    Row("content[].resource.mimeType", Role::Inert),
    Row("content[].resource.text", Role::Own(ToolResult)),
    Row("content[].resource.blob", Role::Inert),
    Row("structuredContent.**", Role::Own(ToolResult)),
    Row("isError", Role::Inert),
    Row("protocolVersion", Role::Inert),
    Row("contents[].mimeType", Role::Inert),
    Row("contents[].text", Role::Own(ToolResult)),
    Row("contents[].blob", Role::Inert),
];

const PROGRESS: &[Row] = &[
    Row("progressToken", Role::Inert),
    Row("progress", Role::Inert),
    Row("total", Role::Inert),
    Row("message", Role::Own(ToolResult)),
];

const LOG: &[Row] = &[Row("level", Role::Inert), Row("logger", Role::Own(Text)), Row("data.**", Role::Own(ToolResult))];

fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| Table::new(&LAYOUT));
    &TABLE
}

/// Answers in the place of the response that was stopped.
fn stop(account: &Account<'_>) -> Option<Vec<Said>> {
    Some(vec![Said::of("message", stopped(account.stopped.as_ref()?)?)])
}

fn stop_document(body: &[u8]) -> Option<Vec<u8>> {
    stopped(&Members::of(body)?)
}

/// A tool's failure, for a model reads what it says; of anything else an error.
fn stopped(response: &Members<'_>) -> Option<Vec<u8>> {
    let id = response.value("id")?;
    let message = Fault::Stopped.message();
    let result = format!(r#"{{"content":[{{"type":"text","text":"{message}"}}],"isError":true}}"#);
    let error = error_of(Fault::Stopped);
    let answer = match response.has("result.content") {
        true => ("result", result.as_bytes()),
        false => ("error", error.as_bytes()),
    };
    Some(object([("jsonrpc", &b"\"2.0\""[..]), ("id", id), answer]))
}

fn fault(fault: Fault, _: &Account<'_>) -> Vec<Said> {
    vec![Said::of("message", fault_document(fault))]
}

/// It cannot say which request it is about: no response has come.
fn fault_document(fault: Fault) -> Vec<u8> {
    object([("jsonrpc", &b"\"2.0\""[..]), ("id", b"null"), ("error", error_of(fault).as_bytes())])
}

/// With JSON-RPC's code of an internal error, or of an invalid request.
fn error_of(fault: Fault) -> String {
    let code = if let Fault::Request(_) = fault { -32600 } else { -32603 };
    format!(r#"{{"code":{code},"message":"{}"}}"#, fault.message())
}
