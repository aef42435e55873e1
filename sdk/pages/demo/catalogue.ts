/** What the shop sells. Prices are in pence. */

export interface Product {
  id: string;
  name: string;
  kind: string;
  price: number;
  short: string;
  text: string;
  facts: [string, string][];
}

export const catalogue: Product[] = [
  {
    id: "lantern",
    name: "Skerry lantern",
    kind: "Light",
    price: 6400,
    short: "A storm lantern that keeps its flame when the door blows open.",
    text: "Spun steel, a hand-blown globe and a wick you can trim with a pocket knife. Hang it on a hook, a branch or a boom; it burns for a long evening on one filling.",
    facts: [
      ["Burns for", "14 hours"],
      ["Height", "31 cm"],
      ["Made in", "Sheffield"],
    ],
  },
  {
    id: "kettle",
    name: "Tarn kettle",
    kind: "Kitchen",
    price: 4800,
    short: "Enamel on steel, for stove, hob or a ring of stones.",
    text: "A wide base that boils fast, a beech grip that stays cool, and a spout that pours where you point it. The speckle is in the enamel, so it will not wear off.",
    facts: [
      ["Holds", "1.6 litres"],
      ["Weight", "820 g"],
      ["Good on", "gas, induction, embers"],
    ],
  },
  {
    id: "mug",
    name: "Cove mug",
    kind: "Kitchen",
    price: 1650,
    short: "The first cup of the day, on a rock, facing the water.",
    text: "Double-dipped enamel with a rolled rim that is kind to lips. It survives being dropped, stacked and forgotten in the rain. Choose as many as you have friends.",
    facts: [
      ["Holds", "350 ml"],
      ["Weight", "140 g"],
      ["Care", "dishwasher is fine"],
    ],
  },
  {
    id: "blanket",
    name: "Fold blanket",
    kind: "Warmth",
    price: 9200,
    short: "Heavy wool from small hill farms, woven in three stripes.",
    text: "Warm when damp, quiet to move in, and large enough for two on a bench. Woven slowly on old looms, brushed once, and finished with a leather tab to hang it by.",
    facts: [
      ["Size", "140 × 190 cm"],
      ["Weight", "1.4 kg"],
      ["Wool", "undyed and plant-dyed"],
    ],
  },
  {
    id: "pack",
    name: "Fell day pack",
    kind: "Carry",
    price: 11800,
    short: "Waxed canvas and bridle leather for a day that may get longer.",
    text: "One large room, one outer pocket, two straps and nothing to break. The canvas is waxed by hand and can be waxed again; the buckles are solid brass.",
    facts: [
      ["Holds", "22 litres"],
      ["Weight", "1.1 kg"],
      ["Repairs", "free, for ever"],
    ],
  },
  {
    id: "stool",
    name: "Larch stool",
    kind: "Rest",
    price: 7400,
    short: "Folds flat, opens in one move, holds you through a long sunset.",
    text: "Oiled larch legs that turn on a single brass pin, with a canvas seat that softens as it is used. Light enough to carry under one arm with the lantern in the other hand.",
    facts: [
      ["Seat height", "42 cm"],
      ["Weight", "1.3 kg"],
      ["Carries", "120 kg"],
    ],
  },
];

export function product(id: string | null | undefined): Product | undefined {
  return catalogue.find((item) => item.id === id);
}

export function picture(id: string): string {
  return `/pages/demo/img/${id}.svg`;
}
