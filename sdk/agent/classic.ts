/** The agent's side as a classic script: adds to the global `Vestibule`. */

import { VestibuleError } from "../core/errors";
import { Agent } from "./agent";
import { AgentConnection } from "./connection";

const page = window as unknown as { Vestibule?: object };
page.Vestibule = Object.assign(page.Vestibule ?? {}, { Agent, AgentConnection, VestibuleError });
