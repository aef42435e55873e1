/** Web storage that may be blocked, full or absent; what cannot be stored lives as long as the page. */

export interface Store {
  read(name: string): string | undefined;
  write(name: string, value: string): void;
  remove(name: string): void;
}

/** A store for as long as the page lives. */
export function memoryStore(): Store {
  const values = new Map<string, string>();
  return {
    read: (name) => values.get(name),
    write: (name, value) => void values.set(name, value),
    remove: (name) => void values.delete(name),
  };
}

/**
 * A store over `localStorage` or `sessionStorage`. Merely naming these throws where a browser
 * blocks them, so `open` is called inside; every failing operation falls back to memory.
 */
export function webStore(open: () => Storage | undefined): Store {
  const memory = memoryStore();
  const storage = attempt(open);
  if (!storage) return memory;
  return {
    read: (name) => memory.read(name) ?? attempt(() => storage.getItem(name)) ?? undefined,
    write(name, value) {
      const written = attempt(() => {
        storage.setItem(name, value);
        return true;
      });
      if (written) memory.remove(name);
      else memory.write(name, value);
    },
    remove(name) {
      memory.remove(name);
      attempt(() => storage.removeItem(name));
    },
  };
}

function attempt<Result>(run: () => Result): Result | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
