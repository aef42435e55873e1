/** What agents point at and draw, above the page. It takes no clicks and is in no recording. */

import type { Clock, TimerHandle } from "../../core/environment";
import type { Frame } from "../../core/frames";
import type { UiRoot } from "./root";

export interface PointerFrame extends Frame {
  readonly type: "cursor" | "spotlight" | "stroke";
  readonly user: number;
  readonly name?: string;
  readonly x?: number;
  readonly y?: number;
  readonly stroke?: number;
  readonly colour?: string;
  readonly points?: readonly (readonly [number, number])[];
  readonly done?: boolean;
}

/** How long a stroke stays after it is done, and how long it takes to fade, in milliseconds. */
export const STROKE_STAYS_MS = 4_000;
export const STROKE_FADES_MS = 1_000;
/** An agent who is lost leaves no cursor behind. */
const POINTER_STAYS_MS = 10_000;
const MOST_STROKES = 64;
const MOST_POINTS = 4_000;
const COLOURS = ["#1f6feb", "#b3541e", "#2b8a3e", "#862e9c", "#0b7285", "#c2255c"];

export const colourOf = (user: number): string => COLOURS[user % COLOURS.length] as string;

interface Stroke {
  readonly line: SVGPolylineElement;
  points: number;
  timer: TimerHandle;
}

export class Overlay {
  private readonly layer: HTMLElement;
  private readonly drawing: SVGSVGElement;
  private readonly canvas: SVGGElement;
  private readonly pointers = new Map<string, { element: HTMLElement; timer: TimerHandle }>();
  private readonly strokes = new Map<string, Stroke>();
  private readonly follow = (): void => this.placeDrawing();

  constructor(
    private readonly ui: UiRoot,
    private readonly clock: Clock,
  ) {
    const { document } = ui.page;
    this.layer = ui.make("div", "overlay");
    this.layer.setAttribute("aria-hidden", "true");
    this.drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.drawing.setAttribute("part", "drawing");
    this.canvas = document.createElementNS("http://www.w3.org/2000/svg", "g");
    this.drawing.append(this.canvas);
    this.layer.append(this.drawing);
    ui.root.append(this.layer);
    ui.page.addEventListener("scroll", this.follow, { passive: true });
  }

  show(frame: PointerFrame): void {
    if (frame.type === "stroke") this.draw(frame);
    else this.point(frame);
  }

  clear(): void {
    for (const { element, timer } of this.pointers.values()) {
      this.clock.cancel(timer);
      element.remove();
    }
    for (const { line, timer } of this.strokes.values()) {
      this.clock.cancel(timer);
      line.remove();
    }
    this.pointers.clear();
    this.strokes.clear();
  }

  remove(): void {
    this.clear();
    this.ui.page.removeEventListener("scroll", this.follow);
    this.layer.remove();
  }

  private point(frame: PointerFrame): void {
    const key = `${frame.type} ${frame.user}`;
    const known = this.pointers.get(key);
    if (known) this.clock.cancel(known.timer);
    if (!isNumber(frame.x) || !isNumber(frame.y)) return this.dropPointer(key);
    const element = known?.element ?? this.makePointer(frame);
    element.style.transform = `translate(${frame.x}px, ${frame.y}px)`;
    this.pointers.set(key, { element, timer: this.clock.after(POINTER_STAYS_MS, () => this.dropPointer(key)) });
  }

  private dropPointer(key: string): void {
    this.pointers.get(key)?.element.remove();
    this.pointers.delete(key);
  }

  private makePointer({ type, user, name }: PointerFrame): HTMLElement {
    const element = this.ui.make("div", type);
    element.style.setProperty("--agent", colourOf(user));
    if (type === "cursor" && name) element.append(this.ui.make("span", "name", name));
    this.layer.append(element);
    return element;
  }

  private draw({ user, stroke, colour, points = [], done }: PointerFrame): void {
    const key = `${user} ${stroke ?? 0}`;
    const known = this.strokes.get(key) ?? this.makeStroke(key, colour && /^#[0-9a-f]{3,8}$/i.test(colour) ? colour : colourOf(user));
    this.clock.cancel(known.timer);
    const added = points.filter((at) => isNumber(at[0]) && isNumber(at[1])).slice(0, MOST_POINTS - known.points);
    known.points += added.length;
    const before = known.line.getAttribute("points") ?? "";
    known.line.setAttribute("points", [before, ...added.map(([x, y]) => `${x},${y}`)].join(" ").trim());
    this.placeDrawing();
    // A stroke whose end was lost goes as well, only later.
    known.timer = this.clock.after(done ? STROKE_STAYS_MS : STROKE_STAYS_MS * 3, () => this.fade(key, known));
  }

  private makeStroke(key: string, colour: string): Stroke {
    const oldest = this.strokes.keys().next().value;
    if (this.strokes.size >= MOST_STROKES && oldest !== undefined) this.dropStroke(oldest);
    const line = this.ui.page.document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    line.setAttribute("part", "stroke");
    line.setAttribute("stroke", colour);
    this.canvas.append(line);
    const made: Stroke = { line, points: 0, timer: undefined };
    this.strokes.set(key, made);
    return made;
  }

  private fade(key: string, stroke: Stroke): void {
    stroke.line.setAttribute("part", "stroke fading");
    stroke.timer = this.clock.after(STROKE_FADES_MS, () => this.dropStroke(key));
  }

  private dropStroke(key: string): void {
    const stroke = this.strokes.get(key);
    this.clock.cancel(stroke?.timer);
    stroke?.line.remove();
    this.strokes.delete(key);
  }

  /** Strokes stand on the page and move with it. */
  private placeDrawing(): void {
    const { scrollX, scrollY } = this.ui.page;
    this.canvas.setAttribute("transform", `translate(${-scrollX} ${-scrollY})`);
  }
}

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
