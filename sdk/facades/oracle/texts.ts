/** What the visitor reads, by language. `{text}` stands for what the question is about. */

const english = {
  start: "Show this page to an agent",
  label: "Shared page",
  title: "Your access code",
  wait: "One moment",
  hint: "Read it out to the agent. Nobody sees this page before the agent has entered it.",
  cancel: "Cancel",
  ended: "The session has ended",
  agent: "The agent ended it.",
  waited: "No agent joined in time.",
  network: "The connection was lost.",
  other: "It could not go on.",
  close: "Close",
  "terms.title": "Before you show this page",
  "terms.yes": "Accept",
  "terms.no": "Decline",
  "leaving.title": "Leave this site?",
  "leaving.text": "The link leads to {text}. The agent does not see what is there, and the session ends.",
  "leaving.yes": "Leave",
  "leaving.no": "Stay",
};

export type TextKey = keyof typeof english;
type Texts = Readonly<Record<TextKey, string>>;

const german: Texts = {
  start: "Diese Seite zeigen",
  label: "Geteilte Seite",
  title: "Ihr Zugangscode",
  wait: "Einen Moment",
  hint: "Lesen Sie ihn vor. Bevor er eingegeben ist, sieht niemand diese Seite.",
  cancel: "Abbrechen",
  ended: "Die Sitzung ist beendet",
  agent: "Der Service hat sie beendet.",
  waited: "Es ist niemand rechtzeitig dazugekommen.",
  network: "Die Verbindung ging verloren.",
  other: "Sie konnte nicht fortgesetzt werden.",
  close: "Schließen",
  "terms.title": "Bevor Sie diese Seite zeigen",
  "terms.yes": "Annehmen",
  "terms.no": "Ablehnen",
  "leaving.title": "Diese Website verlassen?",
  "leaving.text": "Der Link führt zu {text}. Was dort ist, sieht der Service nicht, und die Sitzung endet.",
  "leaving.yes": "Verlassen",
  "leaving.no": "Bleiben",
};

const french: Texts = {
  start: "Montrer cette page",
  label: "Page partagée",
  title: "Votre code d’accès",
  wait: "Un instant",
  hint: "Lisez-le au conseiller. Personne ne voit cette page avant qu’il l’ait saisi.",
  cancel: "Annuler",
  ended: "La session est terminée",
  agent: "Le conseiller y a mis fin.",
  waited: "Aucun conseiller n’est venu à temps.",
  network: "La connexion a été perdue.",
  other: "Elle n’a pas pu continuer.",
  close: "Fermer",
  "terms.title": "Avant de montrer cette page",
  "terms.yes": "Accepter",
  "terms.no": "Refuser",
  "leaving.title": "Quitter ce site ?",
  "leaving.text": "Le lien mène à {text}. Le conseiller n’y voit rien et la session se termine.",
  "leaving.yes": "Quitter",
  "leaving.no": "Rester",
};

const spanish: Texts = {
  start: "Mostrar esta página",
  label: "Página compartida",
  title: "Su código de acceso",
  wait: "Un momento",
  hint: "Léaselo al agente. Nadie ve esta página antes de que lo haya introducido.",
  cancel: "Cancelar",
  ended: "La sesión ha terminado",
  agent: "El agente la ha terminado.",
  waited: "Ningún agente se ha unido a tiempo.",
  network: "Se ha perdido la conexión.",
  other: "No ha podido continuar.",
  close: "Cerrar",
  "terms.title": "Antes de mostrar esta página",
  "terms.yes": "Aceptar",
  "terms.no": "Rechazar",
  "leaving.title": "¿Salir de este sitio?",
  "leaving.text": "El enlace lleva a {text}. El agente no ve lo que hay allí y la sesión termina.",
  "leaving.yes": "Salir",
  "leaving.no": "Quedarse",
};

const dutch: Texts = {
  start: "Deze pagina laten zien",
  label: "Gedeelde pagina",
  title: "Uw toegangscode",
  wait: "Een ogenblik",
  hint: "Lees hem voor. Niemand ziet deze pagina voordat de code is ingevoerd.",
  cancel: "Annuleren",
  ended: "De sessie is beëindigd",
  agent: "De medewerker heeft haar beëindigd.",
  waited: "Er is niet op tijd een medewerker gekomen.",
  network: "De verbinding is verbroken.",
  other: "Ze kon niet doorgaan.",
  close: "Sluiten",
  "terms.title": "Voordat u deze pagina laat zien",
  "terms.yes": "Accepteren",
  "terms.no": "Weigeren",
  "leaving.title": "Deze site verlaten?",
  "leaving.text": "De link leidt naar {text}. De medewerker ziet niet wat daar is, en de sessie eindigt.",
  "leaving.yes": "Verlaten",
  "leaving.no": "Blijven",
};

const textsByLanguage = new Map([["de", german], ["fr", french], ["es", spanish], ["nl", dutch]]);

/** The texts of a culture name, by its main language; English where there are none. */
export function textsIn(language: string): Texts {
  return textsByLanguage.get(language.split("-")[0] ?? "") ?? english;
}
