// A client of orion_nb's REST API for node 18 or newer: one file, no dependencies.
//
//     import { Orion } from "./orion.mjs";
//     const orion = new Orion("http://localhost:8888", process.env.ORION_NB_API_TOKEN);
//     const price = await orion.run("fetch-price", async () => (await fetch(url)).json(), {
//       policy: { retries: 3, retry_delay: "10s" },
//     });

import { randomUUID } from "node:crypto";

/** An answer that is an error; `status` is that of HTTP, `field` the value that is at fault. */
export class OrionError extends Error {
  constructor(status, told) {
    super(told?.message ?? `the server answered ${status}`);
    this.name = told?.error ?? "OrionError";
    this.status = status;
    this.field = told?.field ?? null;
  }
}

/** The run was stopped: a rule or a person said so; `report` says which and why. */
export class RunStopped extends Error {
  constructor(report) {
    super(report.reason ?? `the run is ${report.state.name}`);
    this.name = "RunStopped";
    this.report = report;
  }
}

const sleep = (seconds, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });

const id = encodeURIComponent;
const TRIES = 5;

export class Orion {
  /** `url` is that of the Jupyter server, `token` one of its tokens. */
  constructor(url, token, { tries = TRIES } = {}) {
    this.api = `${String(url).replace(/\/+$/, "")}/orion/api/v1`;
    this.token = token;
    this.tries = tries;
  }

  /**
   * One request and its JSON. It is sent again, with a longer pause each time, while the server is
   * away; a request that changes something carries a key, so that it is done once all the same.
   */
  async request(method, path, body, { query, signal, tries = this.tries } = {}) {
    const headers = { Authorization: `token ${this.token}`, Accept: "application/json" };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (method !== "GET") headers["Idempotency-Key"] = randomUUID();
    const url = `${this.api}${path}${query ? `?${new URLSearchParams(query)}` : ""}`;
    for (let tried = 1; ; tried++) {
      try {
        const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body), signal });
        const told = await answer.json().catch(() => null);
        if (answer.ok) return told;
        if (![502, 503, 504].includes(answer.status) || tried >= tries) throw new OrionError(answer.status, told);
      } catch (error) {
        if (error instanceof OrionError || signal?.aborted || tried >= tries) throw error;
      }
      await sleep(0.1 * 2 ** tried, signal);
    }
  }

  /** A new run: `{ kind, name, policy, parameters, tags, parent }`. */
  createRun(fields) {
    return this.request("POST", "/runs", fields);
  }

  readRun(run) {
    return this.request("GET", `/runs/${id(run)}`);
  }

  why(run) {
    return this.request("GET", `/runs/${id(run)}/why`);
  }

  cancel(run, why) {
    return this.request("POST", `/runs/${id(run)}/cancel`, { why });
  }

  log(run, message, level = "INFO") {
    return this.request("POST", "/logs", { lines: [{ run, message, level }] });
  }

  /** A state is proposed; the report says what the rules made of it. */
  propose(run, state) {
    return this.request("POST", `/runs/${id(run)}/state`, state);
  }

  /** The same, again and again while the answer is to wait; the report that ends the waiting. */
  async enter(run, state, signal) {
    for (;;) {
      const report = await this.propose(run, state);
      if (report.status !== "WAIT") return report;
      await sleep(Math.min(report.retry_after ?? 1, 60), signal);
    }
  }

  /**
   * `work` is done as a task run, as often as its policy grants, and its value is returned.
   *
   * It is called with `{ run, attempt, signal, log }`; `signal` is aborted when somebody cancels the
   * run. What it throws last is thrown here.
   */
  async run(name, work, { kind = "task", ...fields } = {}) {
    const { id: run } = await this.createRun({ kind, name, ...fields });
    for (;;) {
      const begun = await this.enter(run, { type: "RUNNING" });
      if (begun.status === "ABORT" || begun.state.type !== "RUNNING") throw new RunStopped(begun);
      const { attempt, token } = begun;
      const stop = new AbortController();
      const watching = this.#watch(run, stop, begun.state.n);
      let failure;
      let value;
      try {
        value = await work({ run, attempt, signal: stop.signal, log: (text, level) => this.log(run, text, level) });
      } catch (error) {
        failure = error;
      }
      const wasStopped = stop.signal.aborted;
      stop.abort();
      await watching;
      const state = failure === undefined ? { type: "COMPLETED" } : { type: "FAILED", message: said(failure) };
      const ended = await this.propose(run, wasStopped ? { type: "CANCELLED", attempt, token } : { ...state, attempt, token });
      if (wasStopped || ended.state.type === "CANCELLED") throw new RunStopped(ended);
      if (ended.state.type === "COMPLETED") return value;
      if (ended.state.name !== "AwaitingRetry") throw failure ?? new RunStopped(ended);
    }
  }

  /** `stop` is aborted when the run is asked to stop; the watching ends when it is, by anybody. */
  async #watch(run, stop, after) {
    try {
      for await (const event of this.poll({ after, root: run, signal: stop.signal })) {
        if (event.run === run && event.type === "CANCELLING") stop.abort(new Error(event.message ?? "cancelled"));
      }
    } catch (error) {
      if (!stop.signal.aborted) console.warn(`run ${run} is not watched any more: ${error.message}`);
    }
  }

  /** The runs that match a filter such as `state:failed since:24h`, newest first, page by page. */
  async *find(q, { limit = 100 } = {}) {
    let cursor;
    do {
      const page = await this.request("GET", "/runs", undefined, { query: { q, limit, ...(cursor && { cursor }) } });
      yield* page.runs;
      cursor = page.cursor;
    } while (cursor);
  }

  /** The states that runs enter, by long poll: from number `after` on, or from now on. */
  async *poll({ after, root, signal, wait = 20 } = {}) {
    let place = after;
    while (!signal?.aborted) {
      const query = { wait, ...(place !== undefined && { after: place }), ...(root && { root }) };
      const told = await this.request("GET", "/events", undefined, { query, signal });
      place = told.last;
      yield* told.events;
    }
  }

  /**
   * The same as a stream of server-sent events. After a break it goes on behind the last event that
   * was seen, so that none is missed and none told twice.
   */
  async *events({ after, root, signal } = {}) {
    let place = after ?? (await this.request("GET", "/health")).last_event;
    for (let broken = 0; !signal?.aborted; broken++) {
      if (broken) await sleep(Math.min(0.1 * 2 ** broken, 10), signal);
      try {
        const url = `${this.api}/events?${new URLSearchParams({ after: place, ...(root && { root }) })}`;
        const headers = { Authorization: `token ${this.token}`, Accept: "text/event-stream" };
        const answer = await fetch(url, { headers, signal });
        if (!answer.ok) throw new OrionError(answer.status, await answer.json().catch(() => null));
        for await (const data of messages(answer.body)) {
          const event = JSON.parse(data);
          place = event.n;
          broken = 0;
          yield event;
        }
      } catch (error) {
        const isFinal = error instanceof OrionError && error.status < 500;
        if (isFinal || signal?.aborted || broken >= this.tries) throw error;
      }
    }
  }
}

/** The data of each server-sent event `state` in a stream of bytes; others may be told, too. */
async function* messages(stream) {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true }).replaceAll("\r\n", "\n");
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n");
      const of = (name) => lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trim());
      if (of("event")[0] === "state" && of("data").length) yield of("data").join("\n");
    }
  }
}

function said(error) {
  return `${error?.name ?? "Error"}: ${error?.message ?? error}`.slice(0, 2000);
}
