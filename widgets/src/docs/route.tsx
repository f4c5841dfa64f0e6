// One route: what it takes and answers, the same as a line of curl, and a form to try it.
import { useState } from "preact/hooks";
import { type Answer, bodyOf, curl, type Document, kind, type Route, type Schema } from "./document";
import { inline, Text } from "./text";
import { Try } from "./try";

interface RouteProps {
  route: Route;
  told: Document;
  api: string;
  isOpen: boolean;
}

export function RouteView({ route, told, api, isOpen }: RouteProps) {
  const example = route.requestBody?.content["application/json"]?.example;
  const [values, setValues] = useState<Record<string, string>>(starting(route));
  const [body, setBody] = useState(bodyOf(route) ? JSON.stringify(example ?? {}, null, 2) : "");
  const [unfolded, setUnfolded] = useState<boolean | undefined>(undefined);
  return (
    <article id={route.operationId}>
      <details open={unfolded ?? isOpen} onToggle={(event) => setUnfolded(event.currentTarget.open)}>
        <summary>
          <h3>
            <b class={`method ${route.method.toLowerCase()}`}>{route.method}</b> <code>{route.path}</code>
          </h3>
          <span>{inline(route.summary)}</span>
        </summary>
        <div class="inside">
          <Text of={route.description} />
          <Fields route={route} />
          <Answers route={route} told={told} />
          <h4>With curl</h4>
          <pre tabIndex={0}>
            <code>{curl(location.origin + api, route, values, body)}</code>
          </pre>
          <Try route={route} api={api} values={values} onValues={setValues} body={body} onBody={setBody} />
        </div>
      </details>
    </article>
  );
}

/** A stream that never ends would be tried in vain: one look at it ends at once. */
function starting(route: Route): Record<string, string> {
  return route.operationId === "follow_events" ? { after: "0", wait: "0" } : {};
}

function Fields({ route }: { route: Route }) {
  const body = bodyOf(route);
  const rows = [
    ...(route.parameters ?? []).map((each) => ({ ...each, place: each.in as string })),
    ...Object.entries(body?.properties ?? {}).map(([name, schema]) => ({
      name,
      schema,
      place: "body",
      required: body?.required?.includes(name),
      description: schema.description,
    })),
  ];
  if (!rows.length) return null;
  return (
    <>
      <h4>Takes</h4>
      <div class="wide">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">In</th>
              <th scope="col">Type</th>
              <th scope="col">Default</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.place + row.name}>
                <th scope="row">
                  <code>{row.name}</code>
                </th>
                <td>{row.place}</td>
                <td>
                  <code>{kind(row.schema)}</code>
                  {row.description && <small>{row.description}</small>}
                </td>
                <td>{row.required ? <b>required</b> : row.schema.default !== undefined && <code>{JSON.stringify(row.schema.default)}</code>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Answers({ route, told }: { route: Route; told: Document }) {
  const answers = Object.entries(route.responses).map(([code, each]) => [code, resolved(each, told)] as const);
  return (
    <>
      <h4>Answers</h4>
      <dl>
        {answers.map(([code, answer]) => (
          <div key={code}>
            <dt class={code < "300" ? "good" : ""}>{code}</dt>
            <dd>
              {inline(answer.description)}
              {code < "300" && <Shape answer={answer} told={told} />}
            </dd>
          </div>
        ))}
      </dl>
      <p class="quiet">
        Action for Jupyter's authorizer: <code>{route["x-jupyter-action"]}</code>
      </p>
    </>
  );
}

function resolved(answer: Answer, told: Document): Answer {
  return answer.$ref ? told.components.responses[answer.$ref.split("/").pop()!]! : answer;
}

/** The fields of what is answered, one level deep. */
function Shape({ answer, told }: { answer: Answer; told: Document }) {
  const [media, content] = Object.entries(answer.content ?? {})[0] ?? [];
  if (!content) return null;
  if (media !== "application/json") return <code> {media}</code>;
  const fields = propertiesOf(content.schema, told);
  return (
    <ul class="shape">
      {Object.entries(fields).map(([name, schema]) => (
        <li key={name}>
          <code>{name}</code> <span class="quiet">{kind(schema)}</span>
        </li>
      ))}
    </ul>
  );
}

function propertiesOf(schema: Schema, told: Document): Record<string, Schema> {
  if (schema.$ref) return propertiesOf(told.components.schemas[schema.$ref.split("/").pop()!] ?? {}, told);
  const parts = (schema.allOf ?? []).map((each) => propertiesOf(each, told));
  return Object.assign({}, ...parts, schema.properties ?? {});
}
