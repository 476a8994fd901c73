"""A real llama.cpp server behind the proxy. Arguments: the upstream's URL, the binary.

The model's weights are random, so what it says is not known beforehand: it is asked once directly, a word of its
answer becomes a rule, and it is asked again through the proxy.
"""
import sys

import checks
import openai
import proxies

upstream, binary = sys.argv[1:3]
MESSAGES = [{"role": "user", "content": "hello"}]
OPTIONS = dict(model="tiny", messages=MESSAGES, temperature=0, seed=1, max_tokens=48)


def client(base):
    return openai.OpenAI(base_url=base + "/v1", api_key="made-up", max_retries=0)


def streamed(base):
    events = client(base).chat.completions.create(stream=True, logprobs=True, top_logprobs=3, **OPTIONS)
    text, logprobs, finish = "", [], None
    for event in events:
        for choice in event.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
            if choice.logprobs:
                logprobs += [token.token for token in choice.logprobs.content or []]
    return text, "".join(logprobs), finish


def longest_word(text):
    words = [word for word in "".join(c if c.isalnum() else " " for c in text).split() if word.isascii()]
    return max(words, key=lambda word: (len(word), -text.index(word)))


def changes_nothing_without_a_match():
    with proxies.proxy(binary, upstream, '[[rule]]\nid = "never"\nliterals = ["this never comes"]\n') as base:
        assert streamed(base) == direct, "text, logprobs or finish differ"


def redacts_a_word_everywhere():
    word = longest_word(direct[0])
    with proxies.proxy(binary, upstream, f'[[rule]]\nid = "word"\nliterals = ["{word}"]\n') as base:
        text, logprobs, finish = streamed(base)
        assert word not in text and word not in logprobs, (word, text, logprobs)
        assert text == direct[0].replace(word, "[word]") and finish == direct[2], (word, text, direct[0])
        whole = client(base).chat.completions.create(**OPTIONS).choices[0].message.content
        assert whole == text, (whole, text)


def ends_with_content_filter():
    word = longest_word(direct[0])
    rule = f'[[rule]]\nid = "word"\nliterals = ["{word}"]\naction = "terminate"\n'
    with proxies.proxy(binary, upstream, rule) as base:
        text, _, finish = streamed(base)
        assert finish == "content_filter" and text == direct[0][: direct[0].index(word)], (text, finish)


direct = streamed(upstream)

if __name__ == "__main__":
    sys.exit(checks.main("llama", [changes_nothing_without_a_match, redacts_a_word_everywhere, ends_with_content_filter]))
