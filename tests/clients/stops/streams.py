"""One answer in the words of each API, as a list of events, and the canary at any event of it.

An event is its JSON value and the path of its text; the canary goes to the end of that text, or, in an event without
one, into a member that no API knows.
"""
import copy
import json

CANARY = "HB-CANARY-0000"
WORDS = ["Dogs ", "bark ", "and ", "cats ", "do not."]


def at(events, place):
    """The events as (value, kind), with the canary in the one at `place`; none if that is negative."""
    events = copy.deepcopy(events)
    if place >= 0:
        value, path = events[place]
        if path is None:
            value["note"] = CANARY
        else:
            for key in path[:-1]:
                value = value[key]
            value[path[-1]] += CANARY
    return [value for value, _ in events]


def openai_chat():
    def chunk(delta, finish=None):
        return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m",
                "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}

    text = ("choices", 0, "delta", "content")
    yield chunk({"role": "assistant", "content": ""}), text
    for word in WORDS:
        yield chunk({"content": word}), text
    yield chunk({}, "stop"), None


def openai_completions():
    def chunk(text, finish=None):
        return {"id": "cmpl-1", "object": "text_completion", "created": 1700000000, "model": "m",
                "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": finish}]}

    for word in WORDS:
        yield chunk(word), ("choices", 0, "text")
    yield chunk("", "stop"), None


def openai_responses():
    sequence = iter(range(100))

    def event(kind, path=None, **members):
        return {"type": kind, "sequence_number": next(sequence), **members}, path

    def response(status, output):
        return {"id": "resp_1", "object": "response", "created_at": 1700000000, "status": status, "model": "m",
                "output": output, "error": None, "incomplete_details": None, "instructions": None, "metadata": {},
                "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0}

    def item(status, content):
        return {"id": "msg_1", "type": "message", "status": status, "role": "assistant", "content": content}

    def part(text):
        return {"type": "output_text", "text": text, "annotations": []}

    whole, where = "".join(WORDS), {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    yield event("response.created", response=response("in_progress", []))
    yield event("response.in_progress", response=response("in_progress", []))
    yield event("response.output_item.added", output_index=0, item=item("in_progress", []))
    yield event("response.content_part.added", part=part(""), **where)
    for word in WORDS:
        yield event("response.output_text.delta", ("delta",), delta=word, logprobs=[], **where)
    yield event("response.output_text.done", text=whole, logprobs=[], **where)
    yield event("response.content_part.done", part=part(whole), **where)
    yield event("response.output_item.done", output_index=0, item=item("completed", [part(whole)]))
    yield event("response.completed", response=response("completed", [item("completed", [part(whole)])]))


def anthropic():
    yield {"type": "message_start",
           "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
                       "stop_reason": None, "stop_sequence": None,
                       "usage": {"input_tokens": 3, "output_tokens": 1}}}, None
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}, None
    yield {"type": "ping"}, None
    for word in WORDS:
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}, ("delta", "text")
    yield {"type": "content_block_stop", "index": 0}, None
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
           "usage": {"output_tokens": 7}}, None
    yield {"type": "message_stop"}, None


def gemini():
    def chunk(text, **candidate):
        return {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "index": 0, **candidate}],
                "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 5, "totalTokenCount": 8},
                "modelVersion": "m", "responseId": "r"}

    text = ("candidates", 0, "content", "parts", 0, "text")
    for word in WORDS[:-1]:
        yield chunk(word), text
    yield chunk(WORDS[-1], finishReason="STOP"), text


def ollama_chat():
    def line(content, **members):
        return {"model": "m", "created_at": "2024-01-01T00:00:00Z", "message": {"role": "assistant", "content": content},
                "done": False, **members}

    for word in WORDS:
        yield line(word), ("message", "content")
    yield line("", done=True, done_reason="stop", eval_count=5), None


def bedrock_converse():
    yield {"messageStart": {"role": "assistant"}}, None
    for word in WORDS:
        yield {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": word}, "p": "abc"}}, (
            "contentBlockDelta", "delta", "text")
    yield {"contentBlockStop": {"contentBlockIndex": 0}}, None
    yield {"messageStop": {"stopReason": "end_turn"}}, None
    yield {"metadata": {"usage": {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8},
                        "metrics": {"latencyMs": 9}}}, None


def cohere():
    yield {"type": "message-start", "id": "m1",
           "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}}, None
    yield {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}}, None
    for word in WORDS:
        yield {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": word}}}}, (
            "delta", "message", "content", "text")
    yield {"type": "content-end", "index": 0}, None
    yield {"type": "message-end", "id": "m1",
           "delta": {"finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": 3, "output_tokens": 5}}}}, None


def mistral():
    def chunk(content, finish=None):
        return {"id": "c1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m",
                "choices": [{"index": 0, "delta": {"role": "assistant", "content": content}, "finish_reason": finish}]}

    text = ("choices", 0, "delta", "content")
    for word in WORDS:
        yield chunk(word), text
    yield chunk("", "stop"), None


def vercel_ui():
    yield {"type": "start", "messageId": "m1"}, None
    yield {"type": "start-step"}, None
    yield {"type": "text-start", "id": "t1"}, None
    for word in WORDS:
        yield {"type": "text-delta", "id": "t1", "delta": word}, ("delta",)
    yield {"type": "text-end", "id": "t1"}, None
    yield {"type": "finish-step"}, None
    yield {"type": "finish", "finishReason": "stop"}, None


def ag_ui():
    yield {"type": "RUN_STARTED", "threadId": "th1", "runId": "r1"}, None
    yield {"type": "TEXT_MESSAGE_START", "messageId": "m1", "role": "assistant"}, None
    for word in WORDS:
        yield {"type": "TEXT_MESSAGE_CONTENT", "messageId": "m1", "delta": word}, ("delta",)
    yield {"type": "TEXT_MESSAGE_END", "messageId": "m1"}, None
    yield {"type": "RUN_FINISHED", "threadId": "th1", "runId": "r1"}, None


#: The events of each API, and how they are framed.
APIS = {
    "openai-chat": (openai_chat, "data"),
    "openai-completions": (openai_completions, "data"),
    "openai-responses": (openai_responses, "named"),
    "anthropic": (anthropic, "named"),
    "gemini": (gemini, "crlf"),
    "ollama-chat": (ollama_chat, "lines"),
    "bedrock-converse": (bedrock_converse, "frames"),
    "cohere": (cohere, "named"),
    "mistral": (mistral, "data"),
    "vercel-ui": (vercel_ui, "data"),
    "ag-ui": (ag_ui, "data"),
}

#: Those whose event streams end with a word of their own.
DONE = {"openai-chat", "openai-completions", "cohere", "mistral", "vercel-ui"}


def count(api):
    return len(list(APIS[api][0]()))


def answer(api, place):
    """The content type and the events' bytes."""
    events, framing = APIS[api]
    values = at(list(events()), place)
    last = [b"data: [DONE]\n\n"] if api in DONE else []
    if framing == "data":
        return "text/event-stream", [f"data: {json.dumps(value)}\n\n".encode() for value in values] + last
    if framing == "named":
        named = [f"event: {value['type']}\ndata: {json.dumps(value)}\n\n".encode() for value in values]
        return "text/event-stream", named + last
    if framing == "crlf":
        return "text/event-stream", [f"data: {json.dumps(value)}\r\n\r\n".encode() for value in values]
    if framing == "lines":
        return "application/x-ndjson", [json.dumps(value).encode() + b"\n" for value in values]
    return "application/vnd.amazon.eventstream", [frame(value) for value in values]


def frame(value):
    """A frame of Amazon's event stream encoding."""
    import struct
    import zlib

    note = {"note": value.pop("note")} if "note" in value else {}
    ((kind, members),) = value.items()
    headers = b""
    for name, text in ((":message-type", "event"), (":event-type", kind), (":content-type", "application/json")):
        headers += bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(text)) + text.encode()
    payload = json.dumps({**members, **note}).encode()
    out = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    out += struct.pack(">I", zlib.crc32(out)) + headers + payload
    return out + struct.pack(">I", zlib.crc32(out))
