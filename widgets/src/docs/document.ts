// The OpenAPI document, as far as the page shows it, and what is read off it.

export interface Schema {
  $ref?: string;
  type?: string | string[];
  description?: string;
  format?: string;
  enum?: unknown[];
  anyOf?: Schema[];
  allOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  default?: unknown;
}

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required?: boolean;
  description?: string;
  schema: Schema;
}

export interface Content {
  schema: Schema;
  example?: unknown;
}

export interface Answer {
  $ref?: string;
  description: string;
  content?: Record<string, Content>;
}

export interface Operation {
  operationId: string;
  summary: string;
  description: string;
  tags: string[];
  parameters?: Parameter[];
  requestBody?: { required?: boolean; content: Record<string, Content> };
  responses: Record<string, Answer>;
  "x-jupyter-action": string;
}

export interface Document {
  info: { title: string; version: string; description: string };
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; responses: Record<string, Answer> };
}

/** One route, with the place it is at. */
export interface Route extends Operation {
  method: string;
  path: string;
}

const ORDER = ["get", "post", "put", "patch", "delete"];

export function routesOf(told: Document): Route[] {
  return Object.entries(told.paths).flatMap(([path, methods]) =>
    ORDER.filter((method) => methods[method]).map((method) => ({
      ...methods[method]!,
      method: method.toUpperCase(),
      path,
    })),
  );
}

/** The routes that have all of these words somewhere in their path, name or text. */
export function search(routes: Route[], text: string): Route[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return routes.filter((route) => {
    const told = [route.method, route.path, route.operationId, route.summary, route.description];
    const names = [...(route.parameters ?? []).map((each) => each.name), ...Object.keys(bodyOf(route)?.properties ?? {})];
    const whole = [...told, ...names].join(" ").toLowerCase();
    return words.every((word) => whole.includes(word));
  });
}

export function bodyOf(route: Operation): Schema | undefined {
  return route.requestBody?.content["application/json"]?.schema;
}

/** A schema's type in a few words. */
export function kind(schema: Schema): string {
  if (schema.$ref) return schema.$ref.split("/").pop()!;
  if (schema.enum) return schema.enum.map(String).join(" | ");
  if (schema.anyOf) return schema.anyOf.filter((each) => each.type !== "null").map(kind).join(" | ") || "any";
  if (schema.allOf) return schema.allOf.map(kind).join(" & ");
  if (schema.format === "date-time") return "moment";
  if (schema.type === "array") return `list of ${schema.items ? kind(schema.items) : "any"}`;
  const types = [schema.type ?? "any"].flat().filter((type) => type !== "null");
  return types.join(" | ");
}

/** The path and query of a request with these values. */
export function target(route: Route, values: Record<string, string>): string {
  const path = route.path.replace(/\{(\w+)\}/g, (whole, name) => (values[name] ? encodeURIComponent(values[name]) : whole));
  const query = new URLSearchParams();
  for (const each of route.parameters ?? []) {
    const value = values[each.name];
    if (each.in === "query" && value) query.set(each.name, value);
  }
  return query.size ? `${path}?${query}` : path;
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** The same request, as it is typed into a shell; `TOKEN` is a token of the server. */
export function curl(base: string, route: Route, values: Record<string, string>, body: string): string {
  const lines = [`curl ${route.method === "GET" ? "" : `-X ${route.method} `}${quoted(base + target(route, values))}`];
  lines.push(`-H "Authorization: token $TOKEN"`);
  if (body) lines.push(`-H 'Content-Type: application/json'`, `--data ${quoted(compact(body))}`);
  return lines.join(" \\\n  ");
}

function compact(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body));
  } catch {
    return body;
  }
}
