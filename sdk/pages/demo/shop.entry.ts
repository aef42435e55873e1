/** Every page of the shop loads this; `data-page` of the body says which page it is. */

import { offerHelp } from "./ask-help";
import { showAccount } from "./account-page";
import { showBadge } from "./badge";
import { emptyCart, wireCart } from "./cart";
import { showCart } from "./cart-page";
import { openWithCode } from "./help-page";
import { offerFunctions } from "./invokes";
import { prepareNotes, showNote } from "./notes";
import { announceSite, report, startPresence } from "./presence";
import { showSinglePage } from "./spa";

announceSite();
prepareNotes();
showBadge();
wireCart();

const page = document.body.dataset["page"];
const name = document.querySelector("main")?.dataset["productName"];

if (page === "cart") showCart();
if (page === "account") showAccount();
if (page === "thanks") emptyCart();
if (page === "spa") showSinglePage();
if (name) report({ product: name });

document.addEventListener("cartchange", () => report());

void startPresence(showNote, (visitor) => {
  offerFunctions();
  if (page === "help") openWithCode(visitor);
  else visitor.connect();
  if (visitor.core) offerHelp(visitor.core);
});
