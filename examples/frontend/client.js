// @ts-check
/**
 * Asks the read API, and hears its changes. Knows nothing of the page.
 *
 * @typedef {import("./api").components["schemas"]} Schemas
 * @typedef {Schemas["CustomerDocument"]} Customer
 * @typedef {{id: string, kind: string, data: string}} StreamEvent
 */

const AT_ONCE = 100;
const LONGEST_QUERY = 6_000; // characters; an address may have 8,192
const ANSWER_MS = 10_000;
const SILENCE_MS = 40_000; // a comment comes every 15 s
const LONGEST_PAUSE_MS = 30_000;

/** The service refuses, and asking again does not help. */
export class Refusal extends Error {
  /** @param {number} status @param {string} detail */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** The service cannot be asked at present. */
export class Outage extends Error {
  /** @param {number} [seconds] to wait at least */
  constructor(seconds = 0) {
    super("The service cannot be asked at present.");
    this.seconds = seconds;
  }
}

/** The API at one address, asked with one key, until it is closed. */
export class Client {
  #address;
  #key;
  #closing = new AbortController();

  /** @param {string} address @param {string} key */
  constructor(address, key) {
    this.#address = address.replace(/\/+$/, "");
    this.#key = key;
  }

  /** End whatever is under way. */
  close() {
    this.#closing.abort();
  }

  get isClosed() {
    return this.#closing.signal.aborted;
  }

  /**
   * Read JSON, and the headers that came with it; throws Outage or Refusal.
   * @template T @param {string} path @returns {Promise<{content: T, headers: Headers}>}
   */
  async read(path) {
    const response = await this.#ask(path, AbortSignal.timeout(ANSWER_MS));
    try {
      return { content: await response.json(), headers: response.headers };
    } catch {
      throw new Outage(); // it broke off
    }
  }

  /**
   * Read customers by their ids: those there are, and the ids of all others.
   * @param {string[]} ids @returns {Promise<{customers: Customer[], missing: string[]}>}
   */
  async customers(ids) {
    /** @type {{customers: Customer[], missing: string[]}} */
    const all = { customers: [], missing: [] };
    for (const batch of batches(ids.filter((id) => !id.includes(",")))) {
      /** @type {{content: Schemas["Batch"]}} */
      const { content } = await this.read(`/v1/customers?${asking(batch)}`);
      all.customers.push(...content.customers);
      all.missing.push(...content.missing);
    }
    for (const id of ids.filter((each) => each.includes(","))) {
      try {
        all.customers.push((await this.read(`/v1/customers/${encodeURIComponent(id)}`)).content);
      } catch (error) {
        if (!(error instanceof Refusal) || ![404, 410].includes(error.status)) throw error;
        all.missing.push(id);
      }
    }
    return all;
  }

  /**
   * Hear changes until the client is closed; after each break go on after the last event that was applied, with
   * growing pauses. The first events are `ready` or `reset`, and so they are again after a failure: what `apply` throws
   * that is neither Outage nor Refusal. Throws Refusal.
   * @param {{apply: (events: StreamEvent[]) => Promise<void>, live: (isLive: boolean) => void,
   *   failed: (error: unknown) => void}} listener
   */
  async listen({ apply, live, failed }) {
    let last = "";
    for (let failures = 0; !this.isClosed; failures += 1) {
      let least = 0;
      try {
        for await (const events of this.#stream(last)) {
          if (events.length) await apply(events);
          last = events.at(-1)?.id || last; // only now: what was not applied comes again
          failures = 0;
          live(true);
        }
      } catch (error) {
        if (error instanceof Refusal) throw error;
        if (error instanceof Outage) least = 1000 * error.seconds;
        else if (!this.isClosed) {
          last = ""; // what was applied is not known
          failed(error);
        }
      }
      if (this.isClosed) return;
      live(false);
      const pause = Math.min(LONGEST_PAUSE_MS, 1000 * 2 ** failures) * (0.5 + Math.random() / 2);
      await new Promise((again) => setTimeout(again, Math.max(least, pause)));
    }
  }

  /**
   * Yield the events of one stream as they come, several at a time; nothing but a comment is none.
   * @param {string} last @returns {AsyncGenerator<StreamEvent[]>}
   */
  async *#stream(last) {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      /** @type {Record<string, string>} */
      const headers = last ? { "Last-Event-ID": last } : {};
      const body = (await this.#ask("/v1/changes", silence.signal, headers)).body;
      const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const chunk = await reader?.read().catch(() => undefined);
        if (!chunk || chunk.done) return; // it has broken off
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        const parts = (text + chunk.value).split("\n\n");
        text = parts.pop() ?? "";
        yield parts.filter((part) => !part.startsWith(":")).map(parsed);
      }
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  /** @param {string} path @param {AbortSignal} signal @param {Record<string, string>} [headers] */
  async #ask(path, signal, headers = {}) {
    let response;
    try {
      response = await fetch(this.#address + path, {
        headers: { Authorization: `Bearer ${this.#key}`, ...headers },
        cache: "no-store",
        signal: AbortSignal.any([signal, this.#closing.signal]),
      });
    } catch {
      throw new Outage();
    }
    if (response.ok) return response;
    if (response.status >= 500 || response.status === 429) throw new Outage(Number(response.headers.get("Retry-After")));
    /** @type {Partial<Schemas["ProblemDocument"]>} */
    const problem = await response.json().catch(() => ({}));
    throw new Refusal(response.status, problem.detail ?? `Status ${response.status}.`);
  }
}

/** @param {string[]} ids @returns {string} the query */
function asking(ids) {
  return new URLSearchParams({ ids: ids.join(",") }).toString();
}

/** Yield ids that go into one address, several at a time. @param {string[]} ids @returns {Generator<string[]>} */
function* batches(ids) {
  /** @type {string[]} */
  let batch = [];
  for (const id of ids) {
    if (batch.length && (batch.length === AT_ONCE || asking([...batch, id]).length > LONGEST_QUERY)) {
      yield batch;
      batch = [];
    }
    batch.push(id);
  }
  if (batch.length) yield batch;
}

/** @param {string} text @returns {StreamEvent} */
function parsed(text) {
  const lines = text.split("\n"); // nothing else ends one, though a regular expression takes U+2028 for an end
  /** @param {string} name */
  const field = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? "";
  return { id: field("id"), kind: field("event"), data: field("data") };
}
