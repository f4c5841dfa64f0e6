// The JSON of the API. Times are microseconds since the epoch, UTC.

export interface State {
  type: string;
  name: string;
  timestamp: number;
  seq: number;
  message: string | null;
  reason: string | null;
  scheduled_time: number | null;
  attempt: number;
  by: string | null;
}

export interface RuleLine {
  rule: string;
  says: string;
  verdict: string;
  reason: string | null;
  facts: Record<string, unknown>;
}

export interface Report {
  status: "ACCEPT" | "REJECT" | "WAIT" | "ABORT";
  state: State;
  reason: string | null;
  until: number | null;
  proposed: string | null;
  rules: RuleLine[];
}

export interface Run {
  id: string;
  kind: "flow" | "task";
  name: string;
  run_name: string | null;
  key: string | null;
  state: State;
  parent: string | null;
  root: string;
  deployment: string | null;
  attempt: number;
  run_count: number;
  created: number;
  scheduled_time: number | null;
  start_time: number | null;
  end_time: number | null;
  total_time: number;
  policy: { retries: number; timeout: number | null };
  tags: string[];
  parameters: Record<string, unknown> | null;
  blocked: Report | null;
  /** runs below it by state type, where the server tells */
  tasks?: Record<string, number>;
}

export interface Entry extends State {
  report: Report | null;
}

export interface Why {
  run: Run;
  summary: string[];
  states: Entry[];
  blocked: Report | null;
  tasks: Run[];
}

export interface Page {
  runs: Run[];
  cursor: string | null;
}

export interface Deployment {
  id: string;
  name: string;
  path: string;
  parameters: Record<string, unknown>;
  words?: string[];
  schedules: { kind: string }[];
  paused: boolean;
  kernel: string | null;
  next_times: number[];
  last_runs: Run[];
  tags?: string[];
}

/** What a run list may be asked for; the server knows the same words. */
export interface RunQuery {
  /** the words of a filter */
  q?: string;
  kind?: "flow" | "task";
  parent?: string;
  root?: string;
  top_level?: boolean;
  limit?: number;
  cursor?: string;
}

/** A state that some run entered. */
export interface LiveEvent {
  n: number;
  run: string;
  root: string;
  kind: string;
  name: string;
  seq: number;
  type: string;
  state_name: string;
  timestamp: number;
  message: string | null;
}
