"""A scripted chat-completions server on loopback: the model's name says what it does.

upstream.py PORT

Every answer is written one event at a time, in tokens of a few bytes, so that anything worth hiding is split.
"""
import asyncio
import json
import sys

ANSWER = "Write to jane.roe@corp.example or call +44 20 7946 0958. The card is 4111 1111 1111 1111, thank you."
CANARY = "Everything was fine until the HB-CANARY-0000 came up, and then some more text followed."
ARGUMENTS = json.dumps({"to": "jane.roe@corp.example", "cc": ["Zoë \"Z\" Doe"], "amount": 4111111111111111})


def tokens(text):
    return [text[i : i + 3] for i in range(0, len(text), 3)]


def chunk(delta, finish=None, index=0):
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "scripted",
        "choices": [{"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }


def tool_call(arguments=None, name=None):
    function = {"arguments": arguments} if name is None else {"name": name, "arguments": ""}
    call = {"index": 0, "function": function}
    if name is not None:
        call.update(id="call_1", type="function")
    return {"tool_calls": [call]}


def answer(text):
    yield chunk({"role": "assistant", "content": ""})
    for token in tokens(text):
        yield chunk({"content": token})


def events(model):
    """The events of an answer; the string "cut" closes the connection, "reset" aborts it, "end" leaves [DONE] out."""
    if model == "answer":
        yield from answer(ANSWER)
        yield chunk({}, "stop")
    elif model == "two-choices":
        for index in (0, 1):
            yield chunk({"role": "assistant", "content": ""}, index=index)
        for token in tokens(ANSWER):
            for index in (0, 1):
                yield chunk({"content": token}, index=index)
        for index in (0, 1):
            yield chunk({}, "stop", index=index)
    elif model == "canary":
        yield from answer(CANARY)
        yield chunk({}, "stop")
    elif model in ("tool", "tool-canary"):
        arguments = ARGUMENTS if model == "tool" else json.dumps({"path": "/tmp/HB-CANARY-0000", "mode": "delete"})
        yield chunk({"role": "assistant", "content": None})
        yield chunk(tool_call(name="transfer"))
        for token in tokens(arguments):
            yield chunk(tool_call(arguments=token))
        yield chunk({}, "tool_calls")
    elif model == "cut":
        yield from answer("This answer stops in the mid")
        yield "cut"
    elif model == "reset":
        yield from answer("This answer stops in the mid")
        yield "reset"
    elif model == "error":
        yield from answer("This answer ")
        yield {"error": {"message": "the engine caught fire", "type": "server_error", "code": "engine_fire"}}


def whole(model):
    text = CANARY if model == "canary" else ANSWER
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "scripted",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 30, "total_tokens": 37},
    }


async def respond(request, writer):
    model = request["model"]
    if not request.get("stream"):
        body = json.dumps(whole(model)).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        return await writer.drain()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

    async def send(data):
        event = f"data: {data}\n\n".encode()
        writer.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
        await writer.drain()

    for event in events(model):
        if event == "cut":
            writer.write(b"0\r\n\r\n")
            return await writer.drain()
        if event == "reset":
            return writer.transport.abort()
        await send(json.dumps(event))
        await asyncio.sleep(0)
    if request.get("stream_options", {}).get("include_usage"):
        usage = {"prompt_tokens": 7, "completion_tokens": 30, "total_tokens": 37}
        await send(json.dumps({**chunk({}), "choices": [], "usage": usage}))
    await send("[DONE]")
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            if "transfer-encoding: chunked" in head:
                body = b""
                while size := int(await reader.readline(), 16):
                    body += await reader.readexactly(size)
                    await reader.readexactly(2)
                await reader.readexactly(2)
            else:
                length = head.split("content-length:")[1].split("\r\n")[0] if "content-length:" in head else "0"
                body = await reader.readexactly(int(length))
            await respond(json.loads(body), writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
