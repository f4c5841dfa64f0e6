// Draws one cell per task on a canvas, repainting only the cells that changed.
import type { Look } from "./looks";
import { isDark } from "./theme";

export interface Cells {
  size: number;
  codeAt(index: number): number;
}

export interface Layout {
  columns: number;
  rows: number;
  /** the side of a cell with its gap, CSS px */
  pitch: number;
  gap: number;
}

const PITCHES = [16, 14, 12, 10, 9, 8, 7, 6, 5, 4, 3];

/** The largest cells with which `size` of them fit `width` × `height`; the smallest there are if none do. */
export function layout(size: number, width: number, height: number): Layout {
  let found: Layout | undefined;
  for (const pitch of PITCHES) {
    const columns = Math.max(1, Math.floor(width / pitch));
    found = { columns, rows: Math.ceil(size / columns), pitch, gap: pitch >= 8 ? 2 : 1 };
    if (found.rows * pitch <= height) break;
  }
  return found!;
}

/** The cell at a point of the canvas, or -1. */
export function cellAt({ columns, pitch }: Layout, size: number, x: number, y: number): number {
  const column = Math.floor(x / pitch);
  const index = Math.floor(y / pitch) * columns + column;
  return x >= 0 && y >= 0 && column < columns && index < size ? index : -1;
}

/** Where an arrow key leads from a cell; the cell itself when the key leads nowhere. */
export function step(key: string, at: number, size: number, columns: number): number {
  const moves: Record<string, number> = {
    ArrowRight: at + 1,
    ArrowLeft: at - 1,
    ArrowDown: at + columns,
    ArrowUp: at - columns,
    Home: 0,
    End: size - 1,
  };
  const to = moves[key];
  return to !== undefined && to >= 0 && to < size ? to : at;
}

const HOLLOW = "○";
const CROSSED = new Set(["✖", "⚡"]);

/** Owns a canvas; `paint` may be called as often as one likes. */
export class Grid {
  layout: Layout = layout(0, 1, 1);
  private context: CanvasRenderingContext2D | null;
  private drawn = -1;
  private ground = "#fff";
  private dark = false;
  private selected = -1;

  constructor(
    readonly canvas: HTMLCanvasElement,
    private cells: Cells,
    private lookOf: (code: number) => Look | undefined,
    private height = 320,
  ) {
    this.context = canvas.getContext("2d");
  }

  /** Paints the given cells; all of them when the grid has grown or `dirty` is left out. */
  paint(cells: Cells, dirty?: Iterable<number>): void {
    this.cells = cells;
    if (!dirty || cells.size !== this.drawn) this.repaint();
    else for (const index of dirty) this.cell(index);
    if (this.selected >= 0) this.cell(this.selected);
  }

  /** The cell at a point of the canvas, or -1. */
  find(x: number, y: number): number {
    return cellAt(this.layout, this.cells.size, x, y);
  }

  select(index: number): void {
    const before = this.selected;
    this.selected = index;
    if (before >= 0) this.cell(before);
    if (index >= 0) this.cell(index);
  }

  /** Lays out anew and paints every cell: after a resize or a change of theme. */
  repaint(): void {
    const { canvas, context, cells } = this;
    const width = canvas.parentElement?.clientWidth || 600;
    this.layout = layout(cells.size, width, this.height);
    this.dark = isDark(canvas);
    this.ground = getComputedStyle(canvas).getPropertyValue("--orion-ground").trim() || "#fff";
    const high = this.layout.rows * this.layout.pitch;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.ceil(width * ratio);
    canvas.height = Math.ceil(high * ratio);
    canvas.style.height = `${high}px`;
    context?.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (let index = 0; index < cells.size; index++) this.cell(index);
    this.drawn = cells.size;
  }

  private cell(index: number): void {
    const { context, layout: at } = this;
    if (!context || index >= this.cells.size) return;
    const x = (index % at.columns) * at.pitch;
    const y = Math.floor(index / at.columns) * at.pitch;
    const side = at.pitch - at.gap;
    context.clearRect(x - 1, y - 1, at.pitch + 1, at.pitch + 1);
    const look = this.lookOf(this.cells.codeAt(index));
    const color = look ? (this.dark ? look.dark : look.light) : "#8884";
    if (!look || look.glyph === HOLLOW) {
      context.globalAlpha = 0.6;
      this.outline(color, x, y, side, 1);
      context.globalAlpha = 1;
    } else this.fill(look, color, x, y, side);
    if (index === this.selected) this.outline(this.dark ? "#fff" : "#000", x - 1, y - 1, side + 2, 2);
  }

  private fill(look: Look, color: string, x: number, y: number, side: number): void {
    const context = this.context!;
    context.fillStyle = color;
    context.fillRect(x, y, side, side);
    if (side < 7 || !CROSSED.has(look.glyph)) return;
    context.strokeStyle = this.ground;
    context.lineWidth = side / 7;
    const [near, far] = [side * 0.28, side * 0.72];
    context.beginPath();
    context.moveTo(x + near, y + near);
    context.lineTo(x + far, y + far);
    context.moveTo(x + far, y + near);
    context.lineTo(x + near, y + far);
    context.stroke();
  }

  private outline(color: string, x: number, y: number, side: number, width: number): void {
    const context = this.context!;
    context.strokeStyle = color;
    context.lineWidth = width;
    context.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1);
  }
}
