/**
 * Which tile the arrow keys lead to, on a wall whose rows differ in length: each group of servers begins a row of its
 * own. Positions are those of the screen, so the rule holds for every width.
 */

export interface Place {
  readonly left: number;
  readonly top: number;
}

/** The index to go to; the same index if there is nothing in that direction; null if the key is none of ours. */
export function nextPlace(key: string, at: number, places: readonly Place[]): number | null {
  const last = places.length - 1;
  switch (key) {
    case 'ArrowRight':
      return Math.min(last, at + 1);
    case 'ArrowLeft':
      return Math.max(0, at - 1);
    case 'Home':
      return 0;
    case 'End':
      return last;
    case 'ArrowDown':
      return inRow(at, places, 1);
    case 'ArrowUp':
      return inRow(at, places, -1);
    default:
      return null;
  }
}

/** In the next row in that direction, the tile that is nearest to this one. */
function inRow(at: number, places: readonly Place[], step: 1 | -1): number {
  const from = places[at];
  if (!from) return at;
  let best = at;
  let row: number | null = null;
  for (let i = at + step; i >= 0 && i < places.length; i += step) {
    const place = places[i] as Place;
    if (row === null && place.top !== from.top) row = place.top;
    if (row === null) continue;
    if (place.top !== row) break;
    const isNearer = Math.abs(place.left - from.left) < Math.abs((places[best] as Place).left - from.left);
    if (best === at || isNearer) best = i;
  }
  return best;
}
