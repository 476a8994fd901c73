"""The official Python SDK through the proxy. Arguments: the base URL of the proxy."""
import json
import sys

import checks
import openai
import upstream

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="made-up", max_retries=0)
MESSAGES = [{"role": "user", "content": "hello"}]
SECRETS = ["jane.roe", "corp.example", "7946", "4111 1111"]


def stream(model, **options):
    return client.chat.completions.create(model=model, messages=MESSAGES, stream=True, **options)


def collect(model, **options):
    texts, finishes, usage = {}, {}, None
    for event in stream(model, **options):
        usage = event.usage or usage
        for choice in event.choices:
            texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
            finishes[choice.index] = choice.finish_reason or finishes.get(choice.index)
    return texts, finishes, usage


def check_clean(text):
    assert not any(secret in text for secret in SECRETS), text
    assert text.startswith("Write to [pii.email] or call ") and text.endswith(", thank you."), text


def redacts_a_stream():
    texts, finishes, usage = collect("answer", stream_options={"include_usage": True})
    check_clean(texts[0])
    assert finishes == {0: "stop"} and usage.total_tokens == 37, (finishes, usage)


def redacts_every_choice():
    texts, finishes, _ = collect("two-choices", n=2)
    assert texts[0] == texts[1] and finishes == {0: "stop", 1: "stop"}, (texts, finishes)
    check_clean(texts[0])


def redacts_a_whole_answer():
    completion = client.chat.completions.create(model="answer", messages=MESSAGES)
    check_clean(completion.choices[0].message.content)
    assert completion.usage.total_tokens == 37


def whole_and_streamed_answers_agree():
    whole = client.chat.completions.create(model="answer", messages=MESSAGES).choices[0].message.content
    assert collect("answer")[0][0] == whole


def redacts_inside_tool_arguments():
    arguments, name = "", None
    for event in stream("tool"):
        for call in event.choices[0].delta.tool_calls or []:
            name = call.function.name or name
            arguments += call.function.arguments or ""
    value = json.loads(arguments)
    assert name == "transfer" and set(value) == {"to", "cc", "amount"}, arguments
    assert value["cc"] == ['Zoë "Z" Doe'] and value["to"] == "[pii.email]", arguments
    assert "4111111111111111" not in arguments, arguments


def ends_with_content_filter():
    texts, finishes, _ = collect("canary")
    assert finishes == {0: "content_filter"}, finishes
    assert upstream.CANARY.startswith(texts[0]) and "HB" not in texts[0], texts
    assert texts[0].endswith("until the "), texts


def raises_content_filter_in_the_helper():
    try:
        with client.beta.chat.completions.stream(model="canary", messages=MESSAGES) as events:
            for _ in events:
                pass
            events.get_final_completion()
    except openai.ContentFilterFinishReasonError:
        return
    raise AssertionError("no ContentFilterFinishReasonError")


def never_leaves_half_a_tool_call():
    calls, finish = [], None
    for event in stream("tool-canary"):
        calls += event.choices[0].delta.tool_calls or [] if event.choices else []
        finish = event.choices[0].finish_reason or finish if event.choices else finish
    assert not calls and finish == "content_filter", (calls, finish)


def whole_answers_end_with_content_filter_too():
    choice = client.chat.completions.create(model="canary", messages=MESSAGES).choices[0]
    assert choice.finish_reason == "content_filter" and "HB" not in (choice.message.content or ""), choice


def raises_when_the_upstream_breaks_off():
    for model in ("cut", "reset"):
        text = ""
        try:
            for event in stream(model):
                text += event.choices[0].delta.content or ""
        except openai.APIError as error:
            assert "mid" not in str(error), error
        else:
            raise AssertionError(f"{model}: a broken stream looks complete")
        assert text.startswith("This answer stops in"), text


def raises_what_the_upstream_raises():
    try:
        for _ in stream("error"):
            pass
    except openai.APIError as error:
        assert "caught fire" in str(error), error
    else:
        raise AssertionError("no APIError")


CHECKS = [
    redacts_a_stream,
    redacts_every_choice,
    redacts_a_whole_answer,
    whole_and_streamed_answers_agree,
    redacts_inside_tool_arguments,
    ends_with_content_filter,
    raises_content_filter_in_the_helper,
    never_leaves_half_a_tool_call,
    whole_answers_end_with_content_filter_too,
    raises_when_the_upstream_breaks_off,
    raises_what_the_upstream_raises,
]


if __name__ == "__main__":
    sys.exit(checks.main("python", CHECKS))
