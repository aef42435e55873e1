/** Writes everything below `out`; rejected when a file does not compile. */
export function build(out: string): Promise<void>;
