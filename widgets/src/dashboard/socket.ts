// One WebSocket of events, from its opening to its end.
import { connection } from "./connection";
import type { LiveEvent } from "./types";

/** so long a socket may be silent; the server says something every 15 seconds */
const SILENCE_MS = 40_000;
/** so long it may take to say that we are subscribed */
const HELLO_MS = 5000;

interface Told {
  type: "subscribed" | "events" | "nothing" | "error" | "bye" | "pong";
  last: number | null;
  events?: LiveEvent[];
}

/** Follows the events after `place` until something ends it: `ended` is called then, once. */
export function openSocket(
  place: number | null,
  heard: (events: LiveEvent[], last: number) => void,
  ended: () => void,
): void {
  const socket = new WebSocket(`${connection.socket}?${new URLSearchParams(connection.pass())}`);
  let over = false;
  let silence = 0;
  const end = () => {
    if (over) return;
    over = true;
    clearTimeout(silence);
    socket.close();
    ended();
  };
  const wait = (patience: number) => {
    clearTimeout(silence);
    silence = window.setTimeout(end, patience);
  };
  socket.onopen = () => {
    const after = place === null ? {} : { after: place };
    socket.send(JSON.stringify({ type: "subscribe", ...connection.only, ...after }));
  };
  socket.onmessage = (message: MessageEvent<string>) => {
    const told = JSON.parse(message.data) as Told;
    if (told.type === "error") return end();
    wait(SILENCE_MS);
    if (told.last === null) return;
    heard(told.events ?? [], told.last);
  };
  socket.onclose = end;
  wait(HELLO_MS);
}
