import { reportLater } from "./errors";

/** Handlers by event name. A handler that throws is reported and does not stop the others. */
export class Emitter<Events> {
  private readonly handlersByEvent = new Map<keyof Events, Set<(data: never) => void>>();

  /** Adds a handler; the function given back removes it. */
  on<Name extends keyof Events>(event: Name, handler: (data: Events[Name]) => void): () => void {
    // A wrapper a call, so that one function may be added twice and each removal is its own.
    const entry = (data: Events[Name]): void => handler(data);
    const handlers = this.handlersByEvent.get(event) ?? new Set();
    this.handlersByEvent.set(event, handlers.add(entry));
    return () => void handlers.delete(entry);
  }

  emit<Name extends keyof Events>(event: Name, data: Events[Name]): void {
    for (const handler of [...(this.handlersByEvent.get(event) ?? [])]) {
      try {
        (handler as (data: Events[Name]) => void)(data);
      } catch (error) {
        reportLater(error);
      }
    }
  }
}
