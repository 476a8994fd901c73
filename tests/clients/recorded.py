"""Recorded streams through the proxy. Arguments: the replay server's URL, the binary.

The SDK must read the same through the proxy as without it where no rule matches, and never the word that one hides.
"""
import json
import os
import sys

import checks
import openai
import proxies

upstream, binary = sys.argv[1:3]
HERE = os.path.dirname(os.path.abspath(__file__))
CHANNELS = os.path.join(HERE, "..", "..", "..", "shared", "streams", "expected_channels.jsonl")


def read(base, name):
    """What the SDK makes of a stream: its events as JSON, and the error's type if it raises."""
    client = openai.OpenAI(base_url=f"{base}/{name}", api_key="made-up", max_retries=0)
    events = []
    try:
        for event in client.chat.completions.create(model="x", messages=[], stream=True):
            events.append(event.to_json())
    except Exception as error:
        return events, type(error).__name__
    return events, None


def streams():
    for line in open(CHANNELS):
        stream = json.loads(line)
        folder, file = stream["file"].split("/")
        if folder in ("openai-chat", "azure-chat", "compat-chat") and file.endswith(".sse"):
            yield f"{folder}!{file.removesuffix('.sse')}", "".join(map(str, stream["channels"].values()))


def reads_the_same_without_a_match():
    with proxies.proxy(binary, upstream, '[[rule]]\nid = "never"\nliterals = ["this never comes"]\n') as base:
        count = 0
        for name, _ in streams():
            ours, theirs = read(base, name), read(upstream, name)
            # A stream that was recorded without its end gets an error event at ours, and none at theirs.
            assert ours[0] == theirs[0], name
            count += 1
        print(f"     {count} streams")


def never_reads_the_hidden_word():
    for name, text in list(streams())[::12]:
        words = [word for word in "".join(c if c.isalnum() else " " for c in text).split() if len(word) >= 6]
        if not words:
            continue
        word = words[len(words) // 2]
        with proxies.proxy(binary, upstream, f'[[rule]]\nid = "canary"\nliterals = ["{word}"]\nreplace = "#"\n') as base:
            events, _ = read(base, name)
            joined = "".join(
                (choice["delta"].get("content") or "")
                for event in map(json.loads, events)
                for choice in event.get("choices") or []
                if choice.get("delta")
            )
            assert word not in joined, (name, word)


if __name__ == "__main__":
    sys.exit(checks.main("recorded", [reads_the_same_without_a_match, never_reads_the_hidden_word]))
