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
  policy: { retries: number; timeout: number | null; kernel: string | null; env: Record<string, string> };
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
  pin: { why: string | null; created: number } | null;
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
  schedules: { kind: string; [field: string]: unknown }[];
  paused: boolean;
  kernel: string | null;
  flow: string | null;
  next_times: number[];
  /** the same on the clock of `timezone`, with offset */
  local_times: string[];
  timezone: string;
  last_runs: Run[];
  tags?: string[];
  pause: { until: number | null; by: string | null; why: string | null } | null;
  /** why it can't be read any more */
  problem: string | null;
  /** what else is said of it; all of it is shown */
  [field: string]: unknown;
}

/** A deployment with the version of its file that runs. */
export interface DeploymentWithSource extends Deployment {
  source: { track: string; pinned: string | null; on_disk: string | null; drift: string | null };
}

/** How the file on disk differs from what is pinned. */
export interface Diff {
  cells: { change: string; was: number | null; now: number | null; kind: string; diff: string[] }[];
  lines: string[];
  says: string | null;
}

export interface Preview {
  schedules: { words: string; [field: string]: unknown }[];
  next_times: number[];
  /** the same on the clock of `timezone`, with offset */
  local_times: string[];
  timezone: string;
}

/** One thing that can be said of a deployment, as the command line has it. */
export interface DeployOption {
  name: string;
  field: string;
  group: string;
  takes: string;
  help: string;
  metavar: string;
  words: string[];
  default: string;
  /** what its values are the names of: kernels, zones, limits */
  names: string;
}

export interface DeployOptions {
  options: DeployOption[];
  names: Record<string, string[]>;
}

export interface Notification {
  id: string;
  name: string;
  deployment: string | null;
  flow: string | null;
  paused: boolean;
  way: string;
  on: string[];
  webhook: string | null;
  command: string[] | null;
  call: string | null;
  apprise: string[] | null;
  /** told once, when it is made */
  secret: string | null;
}

export interface Delivery {
  id: string;
  notification: string;
  condition: string;
  run: string | null;
  status: "waiting" | "delivered" | "dead";
  attempts: number;
  due: number | null;
  error: string | null;
  created: number;
}

export interface SecretName {
  name: string;
  where: "file" | "environment";
}

/** A part of a JSON Schema, as far as a form knows it. */
export interface Schema {
  type?: string;
  format?: string;
  enum?: unknown[];
  anyOf?: Schema[];
  $ref?: string;
  $defs?: Record<string, Schema>;
  default?: unknown;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  minimum?: number;
  maximum?: number;
}

export interface ReplayNotebook {
  /** the run that it takes up */
  replays: string;
  /** where it belongs, from the server's root folder; null if its code is not in there */
  path: string | null;
  folder: string | null;
  notebook: object;
}

export interface Inspected {
  parameters: { name: string; annotation: string | null; default: string | null; required: boolean; help: string | null }[];
  schema: Schema;
  takes_any: boolean;
}

export interface Cell {
  index: number;
  id: string;
  source: string;
  state: string;
  number: number | null;
  start: number | null;
  end: number | null;
  output_bytes: number;
  attempts: number;
  seconds: number | null;
}

export interface Cells {
  attempt: number;
  done: number;
  total: number;
  left: number | null;
  cells: Cell[];
  peak_memory: number | null;
  failure: { index: number; source: string; error: string } | null;
}

export interface LogLine {
  n: number;
  run: string;
  name: string;
  timestamp: number;
  level: number;
  logger: string | null;
  message: string;
}

export interface LogQuery {
  run?: string;
  tree?: boolean;
  level?: string;
  text?: string;
  newest?: boolean;
  before?: number;
  after?: number;
  limit?: number;
}

export interface LogPage {
  lines: LogLine[];
  cursor: number | null;
}

export interface Artifact {
  id: string;
  run: string;
  key: string | null;
  version: number | null;
  description: string | null;
  created: number;
  size: number;
  types: string[];
}

export interface ArtifactPage {
  artifacts: Artifact[];
  cursor: string | null;
}

export interface FullArtifact extends Artifact {
  data: Record<string, unknown>;
  binary: string[];
  notes: string[];
}

export interface Limit {
  name: string;
  slots: number;
  used: number;
  waiting: number;
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
  deployment: string | null;
}

/** What is said of one run alone. */
export interface OwnOfRun {
  kernel?: string;
  env?: Record<string, string>;
}
