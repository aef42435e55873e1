/** The form of the configured mode: a login key of the partner's user, or an API key. */

import { byId, find, findAll, setText } from "../../shared/dom";
import { codeOf, explain } from "./reasons";
import { authorize, session } from "./session";

type Way = "partner" | "key";

const WORDS: Record<Way, { user: string; secret: string; hint: string }> = {
  partner: {
    user: "Partner user id",
    secret: "Login key",
    hint: "Starts with $1$; your own system makes it from the partner key.",
  },
  key: {
    user: "Your name",
    secret: "API key",
    hint: "One of the group’s api_keys. Anybody who knows it can be an agent, so keep it to yourself.",
  },
};

function way(): Way {
  return find<HTMLInputElement>('input[name="way"]:checked')?.value === "key" ? "key" : "partner";
}

export function wireSignIn(): void {
  const form = byId<HTMLFormElement>("sign-in-form");
  const user = byId<HTMLInputElement>("user");
  const secret = byId<HTMLInputElement>("secret");
  const error = byId("sign-in-error");
  const button = find<HTMLButtonElement>("button", form);

  for (const choice of findAll<HTMLInputElement>('input[name="way"]', form)) {
    choice.addEventListener("change", () => {
      const words = WORDS[way()];
      setText(byId("user-label"), words.user);
      setText(byId("secret-label"), words.secret);
      setText(byId("secret-hint"), words.hint);
      setText(error, "");
    });
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const name = user.value.trim();
    const key = secret.value.trim();
    user.setAttribute("aria-invalid", String(name === ""));
    secret.setAttribute("aria-invalid", String(key === ""));
    if (name === "" || key === "") return setText(error, "Both are needed.");
    const looksLikeLoginKey = key.startsWith("$1$");
    if (looksLikeLoginKey !== (way() === "partner")) {
      secret.setAttribute("aria-invalid", "true");
      secret.focus();
      return setText(error, looksLikeLoginKey ? "This looks like a login key. If it is one, choose “Login key” above." : "A login key starts with $1$. If this is an API key, choose “API key” above.");
    }
    const credentials: Record<string, string> =
      way() === "partner"
        ? { partnerid: session.group, partneruserid: name, loginkey: key }
        : { username: name, password: key };
    setText(error, "");
    if (button) button.disabled = true;
    authorize(credentials)
      .then(() => {
        secret.value = "";
      })
      .catch((failure: unknown) => {
        const refusedKey = codeOf(failure) === "authorization";
        setText(error, refusedKey ? "The server does not accept this key." : explain(failure));
        secret.focus();
      })
      .finally(() => {
        if (button) button.disabled = false;
      });
  });
}
