// How the server is reached: from a page of its own, from a tab in JupyterLab, from JupyterLab itself.

const mount = typeof document === "undefined" ? null : document.getElementById("orion");

export interface Connection {
  /** where the API is, without a slash at its end */
  api: string;
  /** the address of the dashboard; "" in the dashboard */
  home: string;
  /** who is said to have done what is done here */
  by: string;
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** what the address of a stream or of a socket carries: neither can send headers */
  pass(): Record<string, string>;
  /** where the WebSocket of events is; "" where events come as a stream */
  socket: string;
  /** which events are asked for; all of them by default */
  only: Record<string, string | boolean>;
}

export const connection: Connection = {
  api: mount?.dataset.api?.replace(/\/$/, "") ?? "/orion/api/v1",
  home: "",
  by: "dashboard",
  // A hub's server takes a cookie from a script only with the token, for what is read as well.
  fetch: (url, init) => {
    const headers = { ...(init.headers as Record<string, string>), "X-XSRFToken": xsrf(document.cookie) };
    return fetch(url, { ...init, headers, credentials: "same-origin" });
  },
  pass: () => ({ _xsrf: xsrf(document.cookie) }),
  socket: "",
  only: {},
};

/** From now on the server is reached so. */
export function connect(told: Partial<Connection>): void {
  Object.assign(connection, told);
}

export function xsrf(cookies: string): string {
  return /(?:^|;\s*)_xsrf=([^;]*)/.exec(cookies)?.[1] ?? "";
}
