/** The agent's token: given by the server in development mode, else asked for with an API key, which this page does not keep. */

import { byId, setText } from "../../shared/dom";

interface Config {
  readonly mode: "development" | "configured";
  readonly group: string;
}

export interface SignedIn {
  readonly group: string;
  token(): Promise<string>;
}

async function call<Answer>(path: string, init: RequestInit = {}): Promise<Answer> {
  const answer = await fetch(path, { cache: "no-store", ...init });
  if (!answer.ok) throw new Error(String(answer.status));
  return (await answer.json()) as Answer;
}

/** Resolves when somebody is signed in. */
export async function signIn(): Promise<SignedIn> {
  const { mode, group } = await call<Config>("/demo/config.json");
  if (mode === "development") {
    return { group, token: async () => (await call<{ token: string }>("/demo/token", { method: "POST" })).token };
  }
  document.body.dataset["desktop"] = "asking";
  byId("sign-in").hidden = false;
  const token = await asked(group);
  byId("sign-in").hidden = true;
  return { group, token: () => Promise.resolve(token) };
}

function asked(group: string): Promise<string> {
  const [user, secret, error] = [byId<HTMLInputElement>("user"), byId<HTMLInputElement>("secret"), byId("sign-in-error")];
  user.focus();
  return new Promise((resolve) => {
    byId("sign-in-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const [subject, key] = [user.value.trim(), secret.value.trim()];
      if (!subject || !key) return setText(error, "Both are needed.");
      setText(error, "");
      const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
      const body = JSON.stringify({ group, subject, name: subject, minutes: 120 });
      call<{ token: string }>("/v1/tokens", { method: "POST", headers, body }).then(
        ({ token }) => {
          secret.value = "";
          resolve(token);
        },
        (failure: Error) => {
          setText(error, failure.message === "401" ? "The server does not accept this key." : "The server did not answer as it should. Try again.");
          secret.focus();
        },
      );
    });
  });
}
