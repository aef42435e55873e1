/** Signing in by choosing a name: it becomes the visitor id. */

import { byId, findAll, setText } from "../shared/dom";
import { signedInAs, signIn, signOut } from "./presence";

export function showAccount(): void {
  const form = byId<HTMLFormElement>("sign-in");
  const field = byId<HTMLInputElement>("name");
  const error = byId("name-error");
  const inside = byId("signed-in");

  const show = (): void => {
    const name = signedInAs();
    form.hidden = name !== null;
    inside.hidden = name === null;
    setText(byId("who"), name ?? "");
  };

  const enter = (name: string): void => {
    const good = /^[A-Za-z0-9._~-]{1,62}$/.test(name) && !name.startsWith("~");
    field.setAttribute("aria-invalid", String(!good));
    setText(error, good ? "" : "Use 1 to 62 letters, digits, dots, hyphens or underscores.");
    if (!good) {
      field.focus();
      return;
    }
    void signIn(name).then(() => {
      show();
      inside.focus();
    });
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    enter(field.value.trim());
  });
  for (const button of findAll<HTMLButtonElement>("[data-sign-in]")) {
    button.addEventListener("click", () => enter(button.dataset["signIn"] ?? ""));
  }
  byId("sign-out").addEventListener("click", () => {
    signOut();
    location.assign("/demo/account");
  });
  show();
}
