// Populations: index ranges less exclusions, times samples, and the first units of their ticket order.
import { type Bytes, compare } from "./bytes.js";
import { ticket } from "./commitments.js";

export interface Unit { readonly item: bigint; readonly sample: number }

/** Half-open ranges of item indexes, ascending and disjoint. */
export type Ranges = readonly (readonly [bigint, bigint])[];

export function subtract(start: bigint, end: bigint, excluded: Ranges): Ranges {
  const out: [bigint, bigint][] = [];
  let at = start;
  for (const [from, to] of excluded) {
    if (to <= at) continue;
    if (from >= end) break;
    if (from > at) out.push([at, from]);
    at = to;
  }
  if (at < end) out.push([at, end]);
  return out;
}

export function countItems(ranges: Ranges): bigint {
  return ranges.reduce((sum, [from, to]) => sum + (to - from), 0n);
}

export function contains(ranges: Ranges, item: bigint): boolean {
  return ranges.some(([from, to]) => item >= from && item < to);
}

interface Entry extends Unit { readonly ticket: Bytes }

function order(a: Entry, b: Entry): number {
  return compare(a.ticket, b.ticket) || (a.item < b.item ? -1 : a.item > b.item ? 1 : a.sample - b.sample);
}

/** A heap that keeps the smallest `room` entries, the largest of them on top. */
class Smallest {
  private readonly heap: Entry[] = [];

  constructor(private readonly room: number) {}

  offer(entry: Entry): void {
    const heap = this.heap;
    if (heap.length < this.room) {
      heap.push(entry);
      this.up(heap.length - 1);
    } else if (order(entry, heap[0] as Entry) < 0) {
      heap[0] = entry;
      this.down(0);
    }
  }

  sorted(): Entry[] {
    return [...this.heap].sort(order);
  }

  private swap(i: number, j: number): void {
    const kept = this.heap[i] as Entry;
    this.heap[i] = this.heap[j] as Entry;
    this.heap[j] = kept;
  }

  private up(i: number): void {
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (order(this.heap[i] as Entry, this.heap[parent] as Entry) <= 0) return;
      this.swap(i, parent);
      i = parent;
    }
  }

  private down(i: number): void {
    for (;;) {
      let largest = i;
      for (const next of [2 * i + 1, 2 * i + 2]) {
        const entry = this.heap[next];
        if (entry !== undefined && order(entry, this.heap[largest] as Entry) > 0) largest = next;
      }
      if (largest === i) return;
      this.swap(i, largest);
      i = largest;
    }
  }
}

/** The first `budget` units of a population in ticket order; a pair has two items, the second behind the first. */
export function ticketOrder(
  ranges: Ranges, samples: number, budget: number, root: Bytes, seed: Bytes, width = 1n,
): Unit[] {
  const smallest = new Smallest(budget);
  for (const [from, to] of ranges) {
    for (let item = from; item < to; item += width) {
      for (let sample = 0; sample < samples; sample++) {
        smallest.offer({ item, sample, ticket: ticket(root, seed, item, sample) });
      }
    }
  }
  const members = Array.from({ length: Number(width) }, (_, i) => BigInt(i));
  return smallest.sorted().flatMap(({ item, sample }) => members.map((i) => ({ item: item + i, sample })));
}
