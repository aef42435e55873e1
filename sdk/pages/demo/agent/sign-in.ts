/** The form of the configured mode: a login key of the partner's user, or an API key. */

import { byId, find, findAll, setText } from "../../shared/dom";
import { GroupField } from "../../shared/group";
import { codeOf, explain } from "./reasons";
import { authorize, session } from "./session";

type Way = "partner" | "key";

/** What a partner's system makes, see `docs/security.md`. An API key may begin alike. */
const LOGIN_KEY = /^\$1\$[1-9][0-9]{0,11}\$[A-Za-z0-9_+/-]{43}$/;

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
  const groupField = new GroupField();
  document.addEventListener("sessionchange", () => {
    if (session.state !== "asking") return;
    groupField.asks(session.known);
    byId(session.known ? "user" : "group-id").focus();
  });

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
    const { group, problem } = groupField.read(session.known);
    if (problem) return setText(error, problem);
    const isOther = way() === "partner" ? !key.startsWith("$1$") : LOGIN_KEY.test(key);
    if (isOther) {
      secret.setAttribute("aria-invalid", "true");
      secret.focus();
      return setText(error, way() === "key" ? "This is a login key. Choose “Login key” above." : "A login key starts with $1$. If this is an API key, choose “API key” above.");
    }
    // The group says whose partner is meant, whatever id he has.
    const credentials: Record<string, string> = way() === "partner" ? { partneruserid: name, loginkey: key } : { username: name, password: key };
    setText(error, "");
    if (button) button.disabled = true;
    authorize(credentials, group)
      .then(() => {
        secret.value = "";
      })
      .catch((failure: unknown) => {
        const refusedKey = codeOf(failure) === "authorization";
        setText(error, refusedKey ? `The server does not accept this key${session.known ? "" : " for this group"}.` : explain(failure));
        secret.focus();
      })
      .finally(() => {
        if (button) button.disabled = false;
      });
  });
}
