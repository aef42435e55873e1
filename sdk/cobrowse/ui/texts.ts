/** What the visitor reads. A group may replace any text by its key; `{names}` and `{name}` stand for agents. */

import { firstKnown, ownText } from "../../core/language";

const english = {
  "view.title": "Show this page to an agent?",
  "view.text": "{name} would like to see the pages of this site that you have open, as you see them. Passwords and card numbers are hidden. You can pause or stop at any time.",
  "view.accept": "Show my page",
  "view.decline": "Do not show",
  "control.title": "Let {name} work on this page?",
  "control.text": "{name} would like to type and click on this page for you. You can stop at any time.",
  "control.accept": "Allow",
  "control.decline": "Do not allow",
  agent: "An agent",
  and: "and",
  "bar.label": "Shared page",
  "bar.waiting": "Waiting for an agent",
  "bar.off": "Nobody sees this page",
  "bar.on": "{names} sees this page",
  "bar.on.many": "{names} see this page",
  "bar.paused": "Paused. Nobody sees this page",
  "bar.pause": "Pause",
  "bar.continue": "Continue",
  "bar.stop": "Stop",
  "bar.ended": "Sharing has ended. Nobody sees this page",
};

export type TextKey = keyof typeof english;
type Texts = Readonly<Record<TextKey, string>>;

const german: Texts = {
  "view.title": "Diese Seite zeigen?",
  "view.text": "{name} möchte die Seiten dieser Website, die Sie geöffnet haben, so sehen wie Sie. Passwörter und Kartennummern bleiben verborgen. Sie können jederzeit pausieren oder beenden.",
  "view.accept": "Seite zeigen",
  "view.decline": "Nicht zeigen",
  "control.title": "{name} auf dieser Seite arbeiten lassen?",
  "control.text": "{name} möchte auf dieser Seite für Sie tippen und klicken. Sie können jederzeit beenden.",
  "control.accept": "Erlauben",
  "control.decline": "Nicht erlauben",
  agent: "Jemand vom Service",
  and: "und",
  "bar.label": "Geteilte Seite",
  "bar.waiting": "Warten auf den Service",
  "bar.off": "Niemand sieht diese Seite",
  "bar.on": "{names} sieht diese Seite",
  "bar.on.many": "{names} sehen diese Seite",
  "bar.paused": "Pausiert. Niemand sieht diese Seite",
  "bar.pause": "Pause",
  "bar.continue": "Fortsetzen",
  "bar.stop": "Beenden",
  "bar.ended": "Das Teilen ist beendet. Niemand sieht diese Seite",
};

const french: Texts = {
  "view.title": "Montrer cette page ?",
  "view.text": "{name} souhaite voir les pages de ce site que vous avez ouvertes, telles que vous les voyez. Les mots de passe et les numéros de carte restent cachés. Vous pouvez suspendre ou arrêter à tout moment.",
  "view.accept": "Montrer ma page",
  "view.decline": "Ne pas montrer",
  "control.title": "Laisser {name} agir sur cette page ?",
  "control.text": "{name} souhaite écrire et cliquer sur cette page pour vous. Vous pouvez arrêter à tout moment.",
  "control.accept": "Autoriser",
  "control.decline": "Ne pas autoriser",
  agent: "Un conseiller",
  and: "et",
  "bar.label": "Page partagée",
  "bar.waiting": "En attente d’un conseiller",
  "bar.off": "Personne ne voit cette page",
  "bar.on": "{names} voit cette page",
  "bar.on.many": "{names} voient cette page",
  "bar.paused": "Suspendu. Personne ne voit cette page",
  "bar.pause": "Suspendre",
  "bar.continue": "Reprendre",
  "bar.stop": "Arrêter",
  "bar.ended": "Le partage est terminé. Personne ne voit cette page",
};

const spanish: Texts = {
  "view.title": "¿Mostrar esta página?",
  "view.text": "{name} quiere ver las páginas de este sitio que tiene abiertas, tal como usted las ve. Las contraseñas y los números de tarjeta quedan ocultos. Puede pausar o terminar en cualquier momento.",
  "view.accept": "Mostrar mi página",
  "view.decline": "No mostrar",
  "control.title": "¿Dejar que {name} actúe en esta página?",
  "control.text": "{name} quiere escribir y hacer clic en esta página por usted. Puede terminar en cualquier momento.",
  "control.accept": "Permitir",
  "control.decline": "No permitir",
  agent: "Un agente",
  and: "y",
  "bar.label": "Página compartida",
  "bar.waiting": "Esperando a un agente",
  "bar.off": "Nadie ve esta página",
  "bar.on": "{names} ve esta página",
  "bar.on.many": "{names} ven esta página",
  "bar.paused": "En pausa. Nadie ve esta página",
  "bar.pause": "Pausar",
  "bar.continue": "Continuar",
  "bar.stop": "Terminar",
  "bar.ended": "Ha terminado. Nadie ve esta página",
};

const dutch: Texts = {
  "view.title": "Deze pagina laten zien?",
  "view.text": "{name} wil de pagina’s van deze site die u open hebt zien zoals u ze ziet. Wachtwoorden en kaartnummers blijven verborgen. U kunt op elk moment pauzeren of stoppen.",
  "view.accept": "Pagina laten zien",
  "view.decline": "Niet laten zien",
  "control.title": "{name} op deze pagina laten werken?",
  "control.text": "{name} wil op deze pagina voor u typen en klikken. U kunt op elk moment stoppen.",
  "control.accept": "Toestaan",
  "control.decline": "Niet toestaan",
  agent: "Een medewerker",
  and: "en",
  "bar.label": "Gedeelde pagina",
  "bar.waiting": "Wachten op een medewerker",
  "bar.off": "Niemand ziet deze pagina",
  "bar.on": "{names} ziet deze pagina",
  "bar.on.many": "{names} zien deze pagina",
  "bar.paused": "Gepauzeerd. Niemand ziet deze pagina",
  "bar.pause": "Pauzeren",
  "bar.continue": "Verdergaan",
  "bar.stop": "Stoppen",
  "bar.ended": "Het delen is gestopt. Niemand ziet deze pagina",
};

export const languages: Readonly<Record<string, Texts>> = { en: english, de: german, fr: french, es: spanish, nl: dutch };

export type Words = (key: TextKey, names?: readonly string[]) => string;

/** Texts in the first of `wanted` that is known by its main language; English else. `own` go before all. */
export function wordsIn(wanted: readonly (string | null | undefined)[], own: Readonly<Record<string, string>> = {}): Words {
  const known = languages[firstKnown(wanted, languages) ?? "en"] ?? english;
  return (key, names = []) => {
    const text = ownText(own, key) ?? known[key];
    const shown = names.map((name) => name || known.agent);
    return text.replace(/\{names?\}/g, () => joined(shown.length ? shown : [known.agent], known.and));
  };
}

function joined(names: readonly string[], and: string): string {
  const last = names[names.length - 1] ?? "";
  return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} ${and} ${last}`;
}
