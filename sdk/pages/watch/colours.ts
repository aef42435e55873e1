/** The colours of the agent's tools: a ring of our own, and any that CSS knows. */

/** `#` and six hexadecimal digits, lower case; undefined for what is no colour. Transparency is left out. */
export function plainColour(colour: string): string | undefined {
  const probe = document.createElement("canvas").getContext("2d");
  if (!probe) return undefined;
  // What is no colour leaves the one that stood before.
  const [one, other] = ["#000000", "#ffffff"].map((before) => {
    probe.fillStyle = before;
    probe.fillStyle = colour;
    probe.clearRect(0, 0, 1, 1);
    probe.fillRect(0, 0, 1, 1);
    // A pixel tells every notation alike.
    return [...probe.getImageData(0, 0, 1, 1).data.slice(0, 3)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  });
  return one === other ? `#${one}` : undefined;
}

/** The one after `colour` in the ring; the first after one that is not in it. */
export function nextColour(ring: readonly string[], colour: string): string {
  return ring[(ring.indexOf(colour) + 1) % ring.length] ?? colour;
}
