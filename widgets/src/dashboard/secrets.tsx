// Secrets: their names. A value is typed in and never shown again.
import { useState } from "preact/hooks";
import { api } from "./api";
import { Field, TextField } from "./fields";
import { Empty, Failure, Loading, tell } from "./parts";
import { useQuery } from "./query";
import { Ask, Remove, type Wrong } from "./sure";

type Doing = { what: "set" | "remove"; name: string };

export function SecretsPage() {
  const { data, error, reload } = useQuery("secrets", api.secrets, () => false);
  const [doing, setDoing] = useState<Doing | null>(null);
  const leave = () => setDoing(null);
  const done = () => {
    leave();
    reload();
  };
  const form = doing && (
    <div key={`${doing.what} ${doing.name}`}>
      {doing.what === "set" && <SetSecret known={doing.name} onDone={done} onLeave={leave} />}
      {doing.what === "remove" && (
        <Remove name={doing.name} remove={() => api.removeSecret(doing.name)} onDone={done} onLeave={leave}>
          What asks for it fails from then on. This can't be undone: nobody can look its value up here.
        </Remove>
      )}
    </div>
  );
  const isNew = doing !== null && !doing.name;
  return (
    <>
      <div class="title">
        <h1 tabIndex={-1}>Secrets</h1>
        <div class="actions">
          <button type="button" aria-expanded={isNew} onClick={() => setDoing(isNew ? null : { what: "set", name: "" })}>
            Keep a secret…
          </button>
        </div>
      </div>
      {isNew && form}
      {error && <Failure error={error} again={reload} />}
      {!data && !error && <Loading rows={4} />}
      {data && data.secrets.length === 0 && (
        <Empty title="No secrets yet">
          <p>
            A notebook asks for one by its name, <code>secret("NAME")</code>; its value is blotted out of all that is kept.
          </p>
        </Empty>
      )}
      {data && data.secrets.length > 0 && (
        <ul class="sheet rows">
          {data.secrets.map(({ name, where }) => (
            <li key={name}>
              <div>
                <code class="whole">{name}</code>
                <p class="quiet">{where === "file" ? "kept in a file that only the server's user may read" : "from the server's environment"}</p>
              </div>
              {where === "file" && (
                <div class="actions">
                  <button type="button" aria-label={`Replace ${name}`} onClick={() => setDoing({ what: "set", name })}>
                    Replace…
                  </button>
                  <button type="button" class="danger" aria-label={`Remove ${name}`} onClick={() => setDoing({ what: "remove", name })}>
                    Remove…
                  </button>
                </div>
              )}
              {doing?.name === name && form}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function SetSecret({ known, onDone, onLeave }: { known: string; onDone(): void; onLeave(): void }) {
  const [name, setName] = useState(known);
  const [value, setValue] = useState("");
  const [wrong, setWrong] = useState<Wrong | null>(null);
  const send = async () => {
    await api.setSecret(name, value);
    tell({ text: `${name} is kept.` });
    onDone();
  };
  return (
    <Ask title={known ? `Replace ${known}` : "Keep a secret"} verb="Keep" onSend={send} onWrong={setWrong} onLeave={onLeave}>
      {!known && (
        <TextField
          id="secret-name"
          label="Name"
          required
          text={name}
          onText={setName}
          hint="DB_PASSWORD"
          wrong={wrong?.field === "name" ? wrong.says : undefined}
          about="Letters, digits, dots, dashes and underscores."
        />
      )}
      <Field
        id="secret-value"
        label="Value"
        about="4 characters or more. It is sent to the server and never shown."
        wrong={wrong && wrong.field !== "name" ? wrong.says : undefined}
      >
        {(props) => (
          <input {...props} type="password" autocomplete="new-password" required value={value} onInput={(event) => setValue(event.currentTarget.value)} />
        )}
      </Field>
    </Ask>
  );
}
