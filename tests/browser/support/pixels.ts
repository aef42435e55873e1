/** Compares two pictures pixel by pixel, in a browser, which can read them. */

import type { Page } from "playwright-core";

/** Edges of letters differ by so much when nothing else does. */
const TOLERANCE = 24;

export interface Difference {
  /** Part of the pixels that differ, 0 to 1; 1 for pictures of different size. */
  readonly mismatch: number;
  readonly width: number;
  readonly height: number;
}

/** `blank` is any page whose policy allows data addresses. */
export function comparePixels(blank: Page, one: Buffer, other: Buffer): Promise<Difference> {
  const sources = [one, other].map((png) => `data:image/png;base64,${png.toString("base64")}`);
  return blank.evaluate(
    async ({ sources, tolerance }) => {
      const read = async (source: string): Promise<ImageData> => {
        const image = new Image();
        image.src = source;
        await image.decode();
        const context = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height }).getContext("2d")!;
        context.drawImage(image, 0, 0);
        return context.getImageData(0, 0, image.width, image.height);
      };
      const [a, b] = await Promise.all(sources.map(read));
      const { width, height } = a!;
      if (width !== b!.width || height !== b!.height) return { mismatch: 1, width: b!.width - width, height: b!.height - height };
      let different = 0;
      for (let at = 0; at < a!.data.length; at += 4) {
        const differs = [0, 1, 2].some((channel) => Math.abs(a!.data[at + channel]! - b!.data[at + channel]!) > tolerance);
        if (differs) different += 1;
      }
      return { mismatch: different / (width * height), width, height };
    },
    { sources, tolerance: TOLERANCE },
  );
}
