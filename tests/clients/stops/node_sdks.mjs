// The official Node SDKs at a stop in every event of an answer. Arguments: the base URL of the proxy, the counts of
// events of each API as JSON, and the APIs to check (all of them without).
import assert from "node:assert/strict";
import { Anthropic } from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import { HttpAgent } from "@ag-ui/client";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { DefaultChatTransport, readUIMessageStream, streamText } from "ai";
import { Ollama } from "ollama";
import OpenAI from "openai";

globalThis.AI_SDK_LOG_WARNINGS = false;

const [base, counts, ...only] = process.argv.slice(2);
const COUNTS = JSON.parse(counts);
const KEY = "made-up";
const WHOLE = "Dogs bark and cats do not.";
const messages = [{ role: "user", content: "x" }];

async function openaiChat(url) {
  const client = new OpenAI({ baseURL: url, apiKey: KEY, maxRetries: 0 });
  const stream = client.chat.completions.stream({ model: "m", messages });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
  const choice = (await stream.finalChatCompletion()).choices[0];
  assert.equal(choice.message.content ?? "", text);
  return [text, choice.finish_reason];
}

async function openaiResponses(url) {
  const client = new OpenAI({ baseURL: url, apiKey: KEY, maxRetries: 0 });
  const stream = client.responses.stream({ model: "m", input: "x" });
  let text = "";
  for await (const event of stream) if (event.type === "response.output_text.delta") text += event.delta;
  const response = await stream.finalResponse();
  assert.equal(response.output_text, text);
  return [text, response.incomplete_details?.reason ?? response.status];
}

async function anthropic(url) {
  const client = new Anthropic({ baseURL: url, apiKey: KEY, maxRetries: 0 });
  const stream = client.messages.stream({ model: "m", max_tokens: 9, messages });
  let text = "";
  stream.on("text", (delta) => (text += delta));
  const message = await stream.finalMessage();
  assert.equal(message.content.map((block) => block.text).join(""), text);
  return [text, message.stop_reason];
}

async function gemini(url) {
  const client = new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: url, apiVersion: "v1beta" } });
  let [text, end] = ["", undefined];
  for await (const chunk of await client.models.generateContentStream({ model: "m", contents: "x" })) {
    text += (chunk.candidates?.[0]?.content?.parts ?? []).map((part) => part.text ?? "").join("");
    end = chunk.candidates?.[0]?.finishReason ?? chunk.promptFeedback?.blockReason ?? end;
  }
  return [text, end];
}

async function ollamaChat(url) {
  let [text, end] = ["", undefined];
  for await (const part of await new Ollama({ host: url }).chat({ model: "m", messages, stream: true })) {
    text += part.message.content;
    end = part.done_reason ?? end;
  }
  return [text, end];
}

async function agUi(url) {
  const agent = new HttpAgent({ url });
  let [text, end] = ["", undefined];
  const noted = {
    onTextMessageContentEvent: ({ event }) => void (text += event.delta),
    onRunErrorEvent: ({ event }) => void (end = event.code),
    onRunFinishedEvent: () => void (end = "finished"),
  };
  await agent.runAgent({ runId: "r1" }, noted).catch((error) => (end ??= error.message));
  return [text, end];
}

async function vercelUi(url) {
  const transport = new DefaultChatTransport({ api: url });
  const chunks = await transport.sendMessages({ chatId: "c", messages: [], trigger: "submit-message" });
  let end;
  const seen = chunks.pipeThrough(new TransformStream({
    transform(chunk, controller) {
      if (chunk.type === "finish") end = chunk.finishReason;
      controller.enqueue(chunk);
    },
  }));
  let message;
  for await (const next of readUIMessageStream({ stream: seen, onError: (error) => (end = `error: ${error}`) })) message = next;
  const parts = message?.parts.filter((part) => part.type === "text") ?? [];
  assert(parts.every((part) => part.state === "done"), JSON.stringify(parts));
  return [parts.map((part) => part.text).join(""), end];
}

const aiSdk = (model) => async (url) => {
  let text = "";
  const result = streamText({ model: model(url), prompt: "x", maxRetries: 0, onError: () => {} });
  for await (const part of result.textStream) text += part;
  return [text, await result.finishReason];
};
const options = (baseURL) => ({ baseURL, apiKey: KEY });
const aiOpenaiChat = aiSdk((url) => createOpenAI(options(url)).chat("m"));
const aiOpenaiResponses = aiSdk((url) => createOpenAI(options(url)).responses("m"));
const aiCompatible = aiSdk((url) => createOpenAICompatible({ name: "c", ...options(url) })("m"));
const aiAnthropic = aiSdk((url) => createAnthropic(options(url))("m"));
const aiGoogle = aiSdk((url) => createGoogleGenerativeAI(options(url))("m"));

// SDK, API, reader, what follows the place in the path, the end and the stop in the SDK's words.
const READERS = [
  ["openai", "openai-chat", openaiChat, "/v1", "stop", "content_filter"],
  ["openai", "openai-responses", openaiResponses, "/v1", "completed", "content_filter"],
  ["@anthropic-ai/sdk", "anthropic", anthropic, "", "end_turn", "refusal"],
  ["@google/genai", "gemini", gemini, "", "STOP", "SAFETY"],
  ["ollama", "ollama-chat", ollamaChat, "", "stop", "content_filter"],
  ["@ag-ui/client", "ag-ui", agUi, "/run", "finished", "content_filter"],
  ["ai", "vercel-ui", vercelUi, "/chat", "stop", "content-filter"],
  ["@ai-sdk/openai", "openai-chat", aiOpenaiChat, "/v1", "stop", "content-filter"],
  ["@ai-sdk/openai", "openai-responses", aiOpenaiResponses, "/v1", "stop", "content-filter"],
  ["@ai-sdk/openai-compatible", "openai-chat", aiCompatible, "/v1", "stop", "content-filter"],
  ["@ai-sdk/anthropic", "anthropic", aiAnthropic, "/v1", "stop", "content-filter"],
  ["@ai-sdk/google", "gemini", aiGoogle, "/v1beta", "stop", "content-filter"],
];

let failed = 0;
const chosen = READERS.filter(([, api]) => only.length === 0 || only.includes(api));
for (const [sdk, api, reader, path, complete, stopped] of chosen) {
  const name = `${sdk}: ${api} at a stop in each of ${COUNTS[api]} events`;
  try {
    assert.deepEqual(await reader(`${base}/${api}/-1${path}`), [WHOLE, complete]);
    for (let place = 0; place < COUNTS[api]; place++) {
      const [text, end] = await reader(`${base}/${api}/${place}${path}`);
      assert(!text.includes("HB") && WHOLE.startsWith(text), `${place}: ${text}`);
      assert.equal(end, stopped, `event ${place}, after ${JSON.stringify(text)}`);
    }
    console.log(`ok   node ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL node ${name}: ${error.message ?? error}`);
  }
}
console.log(`${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
