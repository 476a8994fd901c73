"""The official Python SDKs at a stop in every event of an answer. Arguments: the base URL of the proxy.

Each reader gives back the text that its SDK made of the stream, and how that ended in the SDK's own words.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import checks  # noqa: E402
import streams  # noqa: E402

BASE = sys.argv[1]
KEY = "made-up"
WHOLE = "".join(streams.WORDS)


def openai_chat(url):
    import openai

    client, text, end = openai.OpenAI(base_url=url, api_key=KEY, max_retries=0), "", None
    for chunk in client.chat.completions.create(model="m", messages=[], stream=True):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            end = choice.finish_reason or end
    return text, end


def openai_completions(url):
    import openai

    client, text, end = openai.OpenAI(base_url=url, api_key=KEY, max_retries=0), "", None
    for chunk in client.completions.create(model="m", prompt="", stream=True):
        text += chunk.choices[0].text
        end = chunk.choices[0].finish_reason or end
    return text, end


def openai_responses(url):
    import openai

    client, text, end, dones = openai.OpenAI(base_url=url, api_key=KEY, max_retries=0), "", None, []
    numbers = []
    for event in client.responses.create(model="m", input="", stream=True):
        numbers.append(event.sequence_number)
        if event.type == "response.output_text.delta":
            text += event.delta
        if event.type == "response.output_text.done":
            assert event.text == text, (event.text, text)
        dones += [event.type] if event.type.endswith(".done") else []
        if event.type in ("response.completed", "response.incomplete"):
            response = event.response
            end = response.incomplete_details.reason if response.incomplete_details else response.status
            assert response.output_text == text, (response.output_text, text)
    assert numbers == list(range(len(numbers))), numbers
    return text, end


def anthropic(url):
    import anthropic

    client = anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0)
    with client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}]) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert "".join(block.text for block in message.content) == text
    return text, message.stop_reason


def gemini(url):
    from google import genai

    client = genai.Client(api_key=KEY, http_options={"base_url": url, "api_version": "v1beta"})
    text, end = "", None
    for chunk in client.models.generate_content_stream(model="m", contents="x"):
        for candidate in chunk.candidates or []:
            parts = candidate.content.parts if candidate.content and candidate.content.parts else []
            text += "".join(part.text or "" for part in parts)
            end = candidate.finish_reason.value if candidate.finish_reason else end
        if chunk.prompt_feedback and chunk.prompt_feedback.block_reason:
            end = chunk.prompt_feedback.block_reason.value
    return text, end


def ollama_chat(url):
    import ollama

    text, end = "", None
    for part in ollama.Client(host=url).chat(model="m", messages=[], stream=True):
        text += part.message.content or ""
        end = part.done_reason or end
        assert part.done == (end is not None)
    return text, end


def bedrock_converse(url):
    import boto3

    client = boto3.client("bedrock-runtime", endpoint_url=url, region_name="us-east-1", aws_access_key_id=KEY,
                          aws_secret_access_key=KEY)
    text, end = "", None
    messages = [{"role": "user", "content": [{"text": "x"}]}]
    for event in client.converse_stream(modelId="m", messages=messages)["stream"]:
        text += event.get("contentBlockDelta", {}).get("delta", {}).get("text", "")
        end = event.get("messageStop", {}).get("stopReason", end)
    return text, end


def cohere(url):
    import cohere

    client, text, end = cohere.ClientV2(api_key=KEY, base_url=url), "", None
    for event in client.chat_stream(model="m", messages=[{"role": "user", "content": "x"}]):
        if event.type == "content-delta":
            text += event.delta.message.content.text
        if event.type == "message-end":
            end = event.delta.finish_reason
    return text, end


def mistral(url):
    from mistralai.client import Mistral

    client, text, end = Mistral(api_key=KEY, server_url=url), "", None
    for event in client.chat.stream(model="m", messages=[{"role": "user", "content": "x"}]):
        choice = event.data.choices[0]
        text += choice.delta.content or ""
        end = choice.finish_reason or end
    return text, end


#: For each API: its reader, what follows the place in the path, and how its SDK tells of an end and of a stop.
READERS = {
    "openai-chat": (openai_chat, "/v1", "stop", "content_filter"),
    "openai-completions": (openai_completions, "/v1", "stop", "content_filter"),
    "openai-responses": (openai_responses, "/v1", "completed", "content_filter"),
    "anthropic": (anthropic, "", "end_turn", "refusal"),
    "gemini": (gemini, "", "STOP", "SAFETY"),
    "ollama-chat": (ollama_chat, "", "stop", "content_filter"),
    "bedrock-converse": (bedrock_converse, "", "end_turn", "content_filtered"),
    "cohere": (cohere, "", "COMPLETE", "ERROR"),
    "mistral": (mistral, "", "stop", "content_filter"),
}


def check(api):
    reader, path, complete, stopped = READERS[api]

    def a_stop_at_every_event():
        assert reader(f"{BASE}/{api}/-1{path}") == (WHOLE, complete)
        for place in range(streams.count(api)):
            text, end = reader(f"{BASE}/{api}/{place}{path}")
            assert "HB" not in text and WHOLE.startswith(text), (place, text)
            assert end == stopped, (place, text, end)

    a_stop_at_every_event.__name__ = f"{api} at a stop in each of {streams.count(api)} events"
    return a_stop_at_every_event


if __name__ == "__main__":
    sys.exit(checks.main("python", [check(api) for api in sys.argv[2:] or READERS]))
