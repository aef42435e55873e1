import { randomHex } from "../../../core/environment";

/** The field in which a message is written. */
export interface Field {
  value: string;
}

/** Control characters that came in with what was pasted: nobody sees them, and the server takes none. */
const UNSEEN = /[^\P{Cc}\t\n\r]/gu;

/** What the visitor writes: taken from the field to be said, and given back to him when it was not. */
export class Draft {
  /** What stands in the field is what was given back, which may have been said all the same, under this id. */
  private back: { readonly value: string; readonly id: string } | undefined;

  constructor(
    private readonly field: Field,
    /** Says it; whether it was taken. */
    private readonly say: (text: string, id: string) => Promise<boolean>,
  ) {}

  /** He has changed it, to whatever: it is another message from now on. */
  changed(): void {
    this.back = undefined;
  }

  async send(): Promise<void> {
    const { field, back } = this;
    const text = field.value.replace(UNSEEN, "").trim();
    if (text === "") return;
    const id = back && back.value === field.value ? back.id : randomHex(16);
    this.back = undefined;
    field.value = "";
    if (await this.say(text, id)) return;
    // It is the visitor's again, to be said otherwise; what he has begun since comes after it.
    const isAlone = field.value === "";
    field.value = isAlone ? text : `${text}\n${field.value}`;
    this.back = isAlone ? { value: text, id } : undefined;
  }
}
