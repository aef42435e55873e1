/** Pointing and drawing on the visitor's page: from this document's pixels to those of his window. */

import { STROKE_FADES_MS, STROKE_STAYS_MS } from "../../cobrowse/ui/overlay";
import type { ClientFrame } from "../../core/frames";

export type Mode = "cursor" | "spotlight" | "draw";

export interface ToolHost {
  /** Takes the pointer, above the picture. */
  readonly surface: HTMLElement;
  /** How many pixels of this document are one of the visitor's. */
  scale(): number;
  scroll(): { readonly x: number; readonly y: number };
  /** What may be done now, by the permissions and as long as a page is seen. */
  allows(mode: Mode): boolean;
  tell(frame: ClientFrame): void;
}

/** Least time between two positions, in milliseconds. */
const PACE_MS = 50;
const STEP = 12;
const LONG_STEP = 60;

type Point = readonly [number, number];

export class Tools {
  mode: Mode = "cursor";
  colour = "#e4572e";
  private at: Point | undefined;
  private told: string | undefined;
  private stroke = 0;
  private line: SVGPolylineElement | undefined;
  private waiting: Point[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly drawing: SVGSVGElement;
  private readonly light: HTMLElement;

  constructor(private readonly host: ToolHost) {
    const { surface } = host;
    this.drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.drawing.setAttribute("class", "own-drawing");
    this.light = document.createElement("div");
    this.light.className = "own-light";
    this.light.hidden = true;
    surface.append(this.drawing, this.light);
    surface.addEventListener("pointermove", (event) => this.move(this.place(event)));
    surface.addEventListener("pointerleave", () => this.leave());
    surface.addEventListener("pointerdown", (event) => this.press(event));
    for (const name of ["pointerup", "pointercancel"] as const) surface.addEventListener(name, () => this.lift());
    surface.addEventListener("keydown", (event) => this.key(event));
    surface.addEventListener("blur", () => this.leave());
  }

  choose(mode: Mode): void {
    this.lift();
    this.leave();
    this.mode = mode;
  }

  private place(event: PointerEvent): Point {
    const box = this.host.surface.getBoundingClientRect();
    const scale = this.host.scale();
    return [round((event.clientX - box.left) / scale), round((event.clientY - box.top) / scale)];
  }

  private move(at: Point): void {
    this.at = at;
    if (this.line) this.draw(at);
    this.showLight();
    this.soon();
  }

  private press(event: PointerEvent): void {
    if (event.button !== 0 || this.mode !== "draw" || !this.host.allows("draw")) return;
    this.host.surface.setPointerCapture(event.pointerId);
    this.begin(this.place(event));
  }

  private begin(at: Point): void {
    this.stroke += 1;
    this.line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    this.line.setAttribute("stroke", this.colour);
    this.drawing.append(this.line);
    this.draw(at);
  }

  private draw([x, y]: Point): void {
    const { x: left, y: top } = this.host.scroll();
    this.waiting.push([round(x + left), round(y + top)]);
    const scale = this.host.scale();
    const before = this.line?.getAttribute("points") ?? "";
    this.line?.setAttribute("points", `${before} ${x * scale},${y * scale}`.trim());
    this.soon();
  }

  private lift(): void {
    const { line } = this;
    if (!line) return;
    this.flush(true);
    this.line = undefined;
    setTimeout(() => line.classList.add("fading"), STROKE_STAYS_MS);
    setTimeout(() => line.remove(), STROKE_STAYS_MS + STROKE_FADES_MS);
  }

  private leave(): void {
    if (this.line) return;
    this.at = undefined;
    this.showLight();
    this.flush();
  }

  /** With the keys: arrows move, Shift moves further, Space holds the pen down and lifts it, Escape lets go. */
  private key(event: KeyboardEvent): void {
    const step = event.shiftKey ? LONG_STEP : STEP;
    const moves: Record<string, Point> = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const move = moves[event.key];
    const box = this.host.surface.getBoundingClientRect();
    const scale = this.host.scale();
    const [width, height] = [box.width / scale, box.height / scale];
    const [x, y] = this.at ?? [round(width / 2), round(height / 2)];
    if (move) this.move([Math.max(0, Math.min(width, x + move[0])), Math.max(0, Math.min(height, y + move[1]))]);
    else if (event.key === " " && this.mode === "draw" && this.host.allows("draw")) {
      if (this.line) this.lift();
      else this.begin([x, y]);
    } else if (event.key === "Escape") {
      this.lift();
      this.leave();
    } else return;
    event.preventDefault();
  }

  private showLight(): void {
    this.light.hidden = this.mode !== "spotlight" || !this.at || !this.host.allows("spotlight");
    if (!this.at) return;
    const scale = this.host.scale();
    this.light.style.transform = `translate(${this.at[0] * scale}px, ${this.at[1] * scale}px)`;
  }

  private soon(): void {
    if (this.timer !== undefined) return;
    this.flush();
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.flush();
    }, PACE_MS);
  }

  private flush(done = false): void {
    if (this.line && (this.waiting.length || done)) {
      this.host.tell({ type: "stroke", stroke: this.stroke, colour: this.colour, points: this.waiting.splice(0), done });
    }
    const type = this.mode === "spotlight" ? "spotlight" : "cursor";
    if (!this.host.allows(this.mode === "draw" ? "cursor" : this.mode)) return;
    const frame = this.at ? { type, x: this.at[0], y: this.at[1] } : { type };
    const text = JSON.stringify(frame);
    if (text === this.told || (this.told === undefined && !this.at)) return;
    this.told = this.at ? text : undefined;
    this.host.tell(frame);
  }
}

const round = (value: number): number => Math.round(value * 10) / 10;
