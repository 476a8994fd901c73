// The official Node SDK through the proxy. Arguments: the base URL of the proxy.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "made-up", maxRetries: 0 });
const messages = [{ role: "user", content: "hello" }];
const secrets = ["jane.roe", "corp.example", "7946", "4111 1111"];

const stream = (model, options = {}) =>
  client.chat.completions.create({ model, messages, stream: true, ...options });

async function collect(model, options) {
  let text = "", finish = null, usage = null, calls = [];
  for await (const event of await stream(model, options)) {
    usage = event.usage ?? usage;
    for (const choice of event.choices) {
      text += choice.delta.content ?? "";
      finish = choice.finish_reason ?? finish;
      calls.push(...(choice.delta.tool_calls ?? []));
    }
  }
  return { text, finish, usage, calls };
}

function checkClean(text) {
  for (const secret of secrets) assert(!text.includes(secret), text);
  assert(text.startsWith("Write to [pii.email] or call ") && text.endsWith(", thank you."), text);
}

const checks = {
  async redactsAStream() {
    const { text, finish, usage } = await collect("answer", { stream_options: { include_usage: true } });
    checkClean(text);
    assert.equal(finish, "stop");
    assert.equal(usage.total_tokens, 37);
  },
  async redactsAWholeAnswer() {
    const completion = await client.chat.completions.create({ model: "answer", messages });
    checkClean(completion.choices[0].message.content);
  },
  async redactsThroughTheStreamHelper() {
    const helper = client.chat.completions.stream({ model: "answer", messages });
    checkClean((await helper.finalChatCompletion()).choices[0].message.content);
  },
  async redactsInsideToolArguments() {
    const { calls } = await collect("tool");
    const value = JSON.parse(calls.map((call) => call.function.arguments ?? "").join(""));
    assert.equal(value.to, "[pii.email]");
    assert.deepEqual(value.cc, ['Zoë "Z" Doe']);
    assert.notEqual(value.amount, 4111111111111111);
  },
  async endsWithContentFilter() {
    const { text, finish } = await collect("canary");
    assert.equal(finish, "content_filter");
    assert(text.endsWith("until the "), text);
  },
  async theStreamHelperSeesContentFilter() {
    const helper = client.chat.completions.stream({ model: "canary", messages });
    const choice = (await helper.finalChatCompletion()).choices[0];
    assert.equal(choice.finish_reason, "content_filter");
    assert(choice.message.content.endsWith("until the "), choice.message.content);
  },
  async neverLeavesHalfAToolCall() {
    const { calls, finish } = await collect("tool-canary");
    assert.equal(calls.length, 0);
    assert.equal(finish, "content_filter");
  },
  async throwsWhenTheUpstreamBreaksOff() {
    for (const model of ["cut", "reset"]) {
      await assert.rejects(collect(model), (error) => error instanceof OpenAI.APIError && !error.message.includes("mid"));
    }
  },
  async throwsWhatTheUpstreamThrows() {
    await assert.rejects(collect("error"), (error) => error instanceof OpenAI.APIError && /caught fire/.test(error.message));
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok   node ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL node ${name}: ${error.message}`);
  }
}
console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
